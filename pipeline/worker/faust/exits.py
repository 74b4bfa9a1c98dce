"""The two ways in which a worker ends on its own.

In: what was met. Out: a dead process with an exit code that says which; a new one goes on from what is durable.
Never: log the message of an error, which may hold data of a client: only its type and place.
"""

import logging
import os
import traceback
from typing import NoReturn

log = logging.getLogger(__name__)

#: Exit code of a process that met a bug.
EXIT_BUG = 70
#: Exit code of a process whose partitions went too soon; starting again is all that is needed.
EXIT_FENCED = 75


def exit_when_fenced() -> NoReturn:
    """End the process: its states may lie behind those of the worker that has the partitions now."""
    log.critical("The partitions went before a batch was durable; the process stops and will start again here.")
    logging.shutdown()
    os._exit(EXIT_FENCED)


def exit_on_bug(where: str, error: BaseException) -> NoReturn:
    """End the process: a state may be ahead of the log now, so nothing may follow; a new one gets the events again."""
    log.critical(
        "The %s met a bug (%s); the process stops, offsets untouched. Please report this:\n%s",
        where,
        type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)),
    )
    logging.shutdown()
    os._exit(EXIT_BUG)
