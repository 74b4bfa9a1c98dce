"""One case: its events as a set, its timeline, its flags, its summary and its stored form.

In: accepted events. Out: the state of a case, and what changed.
Never: read a clock.
"""
