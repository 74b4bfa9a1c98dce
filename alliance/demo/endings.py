"""How a demonstration can end before its time.

In: nothing. Out: two exceptions.
Never: a third way; what is neither of them is a bug and shows its traceback.
"""


class DemoError(Exception):
    """Something went wrong that is no bug of the demonstration; the message is for people and says what to do."""


class Stopped(Exception):
    """The person has had enough."""
