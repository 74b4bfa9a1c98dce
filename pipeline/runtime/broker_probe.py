"""Whether a Kafka broker answers, asked over a plain socket within seconds.

In: addresses, `host:port,…`. Out: yes or no; with `probe_broker`, the process's health says so too.
Never: take an open port alone for a broker; make a Kafka client, which would complain for half a minute.
"""

import socket

from pipeline.runtime.health import Health

#: How long a healthy broker may take to answer.
ANSWER_SECONDS = 5.0
#: ApiVersions, version 0, with an empty client id. Any broker answers it before anything else is said: first a length,
#: then the number of the request.
API_VERSIONS = bytes.fromhex("0000000a 0012 0000 416c6c69 0000")

#: The address is not reachable, or the text cannot be a host name, for which Python raises a `UnicodeError`.
UNREACHABLE = (OSError, ValueError)


def is_reachable(brokers: str) -> bool:
    """Whether any of `host:port,…` accepts a connection."""
    for address in brokers.split(","):
        try:
            _connect(address, 1.0).close()
        except UNREACHABLE:
            continue
        return True
    return False


def is_kafka(brokers: str) -> bool:
    """Whether any of `host:port,…` answers a request as a broker does; an open port alone does not count."""
    for address in brokers.split(","):
        try:
            with _connect(address, ANSWER_SECONDS) as connection:
                connection.sendall(API_VERSIONS)
                # An answer may arrive in pieces.
                with connection.makefile("rb") as answer:
                    if answer.read(8)[4:] == API_VERSIONS[8:12]:
                        return True
        except UNREACHABLE:
            continue
    return False


def probe_broker(brokers: str, health: Health) -> bool:
    """Whether any broker answers; health reports it too."""
    is_there = is_kafka(brokers)
    if is_there:
        health.has("broker")
    else:
        health.waits_for("broker", "no broker answers")
    return is_there


def _connect(address: str, seconds: float) -> socket.socket:
    host, _, port = address.strip().rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)
