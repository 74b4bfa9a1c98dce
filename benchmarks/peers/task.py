"""What a runner is asked to do; one JSON word on its command line.

In: the driver's wishes. Out: the same in the runner's process.
Never: a setting that one runner obeys and another does not.
"""

import sys

import msgspec


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `name` is consumer group, app id and the beginning of the changelog's name."""

    bootstrap: str
    source: str
    name: str
    partitions: int
    #: A folder of its own, for a state store on disk.
    folder: str
    #: The most that a fetch answers with for one partition.
    fetch_bytes: int
    session_seconds: int = 6
    #: Bytewax only: continue at the end of the topic, as the others always do.
    tail: bool = False

    @property
    def changelog(self) -> str:
        """The worker's own changelog of case states, and the script's."""
        return f"{self.name}-cases-state-changelog"

    def word(self) -> str:
        """For the command line."""
        return msgspec.json.encode(self).decode()


def given() -> Task:
    """The task of this process."""
    return msgspec.json.decode(sys.argv[1], type=Task)
