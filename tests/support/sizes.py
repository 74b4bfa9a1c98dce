"""How large a fault test is: small beside every change, long by night (`make faults-long`).

In: the environment variable FAULTS. Out: one of two sizes.
Never: a test that does something else when it is long.
"""

import os
from typing import TypeVar

Size = TypeVar("Size", int, float)

IS_LONG = os.environ.get("FAULTS") == "long"


def sized(short: Size, long: Size) -> Size:
    """The short size, or the long one under FAULTS=long."""
    return long if IS_LONG else short
