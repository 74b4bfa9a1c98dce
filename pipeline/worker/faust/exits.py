"""The two ways in which a worker ends its own process.

In: what happened. Out: an exit code that says which it was; the next process continues from what is durable.
Never: log the message of an error, which may hold data of a client: only its type and where it was raised.
"""

import logging
import os
import traceback
from typing import NoReturn

log = logging.getLogger(__name__)

#: Exit code after a bug (EX_SOFTWARE of sysexits.h).
EXIT_BUG = 70
#: Exit code when the partitions went to another worker too early (EX_TEMPFAIL): a restart is all that is needed.
EXIT_FENCED = 75


def exit_when_fenced() -> NoReturn:
    """End the process: the worker that has the partitions now may have newer states than this one."""
    log.critical(
        "Partitions went to another worker before a batch was durable. This process ends and can be started again."
    )
    _exit_now(EXIT_FENCED)


def exit_on_bug(where: str, error: BaseException) -> NoReturn:
    """End the process: a state in memory may be ahead of the log. The next process gets the same events again."""
    log.critical(
        "The %s met a bug (%s). The process ends without committing. Please report this:\n%s",
        where,
        type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)),
    )
    _exit_now(EXIT_BUG)


def _exit_now(code: int) -> NoReturn:
    logging.shutdown()
    # Not `sys.exit`: Faust would stop in good order then, and commit on the way.
    os._exit(code)
