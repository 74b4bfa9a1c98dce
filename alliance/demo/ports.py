"""Free ports for the children.

In: how many. Out: as many different loopback ports that nobody listens on.
Never: a port of the system's ephemeral range, where a client that keeps calling a server that is gone can connect to
itself and take the port away.
"""

import random
import socket
from contextlib import ExitStack, suppress

LOOPBACK = "127.0.0.1"
_OUTSIDE_EPHEMERAL_RANGES = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports that are free at this moment; raises `OSError` when there are not so many."""
    picks = random.SystemRandom().sample(_OUTSIDE_EPHEMERAL_RANGES, k=200 + count)
    found: list[int] = []
    with ExitStack() as held:
        for port in picks:
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((LOOPBACK, port))
                found.append(port)
            if len(found) == count:
                return found
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1; stop some of the servers there")
