"""Ports for local servers.

In: nothing, or a port that somebody chose. Out: a loopback port that is free. Never: a port of the system's
ephemeral range, since a client that keeps calling a killed server there can connect to itself and take the
port away.
"""

import random
import socket
from errno import EADDRINUSE

from deploy.local.console import PartsError

LOOPBACK = "127.0.0.1"
OUTSIDE_EPHEMERAL_RANGES = range(20_000, 32_000)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    picks = random.SystemRandom().sample(OUTSIDE_EPHEMERAL_RANGES, k=200)
    chosen = next((port for port in picks if is_free(port)), None)
    if chosen is None:
        raise PartsError("No free port between 20000 and 32000 on 127.0.0.1: stop some of the servers there.")
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
            return False
    return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
