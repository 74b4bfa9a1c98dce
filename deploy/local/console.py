"""What a person at the terminal reads: progress lines, and errors as one sentence without a traceback.

In: text. Out: lines on standard output, or a process that ends with 1.
Never: a log file; a traceback for an error that a person can fix.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from pipeline.runtime.processes import ProcessError


class PartsError(Exception):
    """Something that a person must fix; the message is one sentence that names the next step."""


def say(line: str) -> None:
    """Write one line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Say what begins and, if it succeeds, how long it took."""
    say(f"{what} ...")
    began = monotonic()
    yield
    say(f"{what}: done in {monotonic() - began:.1f} s")


def run_for_person(main: Callable[[], None]) -> None:
    """Run a command's main; a known error ends the process with its sentence, Ctrl-C with 130.

    SIGTERM counts as Ctrl-C, so that main stops what it started.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        main()
    except (PartsError, ProcessError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
