"""Whether the process in this container is well: the image's HEALTHCHECK.

In: the command line of process 1 (`alliance worker`, perhaps below an init) and the settings. Out: exit code 0 when the
process answers 200 on its /health, 1 when it waits for something, starts, or is not there.
Never: a word of what the process answers; an address other than the loopback.
"""

import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from pipeline.settings import from_environment

COMMAND_LINE = Path("/proc/1/cmdline")
SECONDS = 4.0


def port_of(command_line: bytes, environment: Mapping[str, str]) -> int:
    """The port of the process that this command line has started; its name is the last word."""
    process = command_line.rstrip(b"\0").rpartition(b"\0")[2].decode()
    port: int = getattr(from_environment(environment), f"{process}_port")
    return port


def is_well(port: int) -> bool:
    """Whether /health says that all is well."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_well(port_of(COMMAND_LINE.read_bytes(), os.environ)))
