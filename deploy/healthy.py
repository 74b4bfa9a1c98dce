"""Whether the process in this container is healthy: the image's HEALTHCHECK.

In: the command line of process 1 (`alliance worker`, perhaps after an init) and the settings. Out: exit code 0 if the
process answers 200 on its /health; 1 if it waits for something, starts, or does not answer; its answer, for people.
Never: an address other than the loopback.
"""

import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from pipeline.runtime.settings import from_environment

COMMAND_LINE = Path("/proc/1/cmdline")
SECONDS = 4.0


def port_of(command_line: bytes, environment: Mapping[str, str]) -> int:
    """The port of the process that this command line has started; its name is the last word that is not an option."""
    words = command_line.decode().rstrip("\0").split("\0")
    process = next(word for word in reversed(words) if not word.startswith("-"))
    port: int = getattr(from_environment(environment), f"{process}_port")
    return port


def is_healthy(port: int) -> bool:
    """Whether /health says that the process is healthy; its answer is written to standard output."""
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        sys.stdout.write(f"{answer.read().decode()}\n")
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"no process answers on port {port} ({type(error).__name__})\n")
        return False
    else:
        return answer.status == 200
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_healthy(port_of(COMMAND_LINE.read_bytes(), os.environ)))
