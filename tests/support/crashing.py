"""A command that ends, or raises, at a named point: `python -m tests.support.crashing --at POINT worker`.

In: a point, how often it may be passed before, what happens there. Out: exit code 99, which proves that the point was
reached.
Never: a hook in the product; functions are replaced before the command starts, by the names in `POINTS`.

Without `--at` the command runs as it is, less the safeguard that FAULTS_WITHOUT names.
"""

import argparse
import asyncio
import functools
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.support import safeguards

REACHED = 99
#: Written when the point is reached.
REACHED_LINE = "the point is reached"
#: Before it has sent anything a worker stays for so long: a commit of what was acknowledged too soon gets through.
LINGER_SECONDS = 1.5


class Bug(Exception):
    """An error that is not expected."""


class Point:
    """Lets `passes` callers continue; then its act happens."""

    def __init__(self, passes: int, act: str) -> None:
        self._left = passes
        self._act = act

    def is_due(self) -> bool:
        """Whether it happens now."""
        self._left -= 1
        return self._left == -1

    def __call__(self) -> None:
        """The point is reached: continue, end, or raise."""
        if self.is_due():
            sys.stdout.write(f"{REACHED_LINE}\n")
            self.happen()

    async def reached(self) -> None:
        """As a call, where it may also hang: for ever, while the rest of the process continues."""
        if self._act != "hang":
            self()
        elif self.is_due():
            sys.stdout.write(f"{REACHED_LINE}\n")
            await asyncio.Event().wait()

    def happen(self) -> None:
        """End, or raise."""
        if self._act == "bug":
            raise Bug
        if self._act == "cancel":
            raise asyncio.CancelledError
        logging.shutdown()
        os._exit(REACHED)


Bind = Callable[[Point], None]


def _on_delivery(is_meant: Callable[[str], bool], where: str) -> Bind:
    """Before, in the middle of or after a delivery that holds a record for such a topic."""

    def bind(point: Point) -> None:
        from pipeline.worker.faust.durable_producer import DurableProducer

        deliver: Callable[..., Awaitable[None]] = DurableProducer.deliver

        async def delivering(self: Any, records: Sequence[Any]) -> None:
            if not any(is_meant(one.topic) for one in records):
                await deliver(self, records)
                return
            if where == "before":
                await asyncio.sleep(LINGER_SECONDS)
                await point.reached()
            if where == "amid" and len(records) > 1:
                await deliver(self, records[: len(records) // 2])
                point()
                await deliver(self, records[len(records) // 2 :])
                return
            await deliver(self, records)
            if where == "after":
                point()

        DurableProducer.deliver = delivering  # type: ignore[method-assign]

    return bind


def _around(find: Callable[[], Any], name: str, where: str) -> Bind:
    """Before or after a method of a class, plain or async."""

    def bind(point: Point) -> None:
        owner = find()
        plain = getattr(owner, name)

        @functools.wraps(plain)
        def called(*arguments: Any, **named: Any) -> Any:
            if where == "before":
                point()
            answer = plain(*arguments, **named)
            if where == "after":
                point()
            return answer

        @functools.wraps(plain)
        async def awaited(*arguments: Any, **named: Any) -> Any:
            if where == "before":
                point()
            answer = await plain(*arguments, **named)
            if where == "after":
                point()
            return answer

        setattr(owner, name, awaited if asyncio.iscoroutinefunction(plain) else called)

    return bind


def _in_rebalance(point: Point) -> None:
    """After a worker has learned that it loses partitions; the first join of a group revokes none."""
    from faust import App

    revoked: Callable[..., Awaitable[None]] = App._on_partitions_revoked

    async def revoking(self: Any, partitions: Any) -> None:
        await revoked(self, partitions)
        if partitions:
            point()

    App._on_partitions_revoked = revoking


def _table() -> Any:
    from pipeline.worker.faust.state_table import StateTable

    return StateTable


def _case_agent() -> Any:
    from pipeline.worker.case_agent import CaseAgent

    return CaseAgent


def _group_commit() -> Any:
    from pipeline.worker.faust.group_commit import GroupCommit

    return GroupCommit


def _batch() -> Any:
    from consumers.store.sink import _Batch

    return _Batch


def _loop() -> Any:
    from consumers.loop import Loop

    return Loop


def _sink() -> Any:
    from consumers.store.sink import StoreSink

    return StoreSink


def _alertmanager() -> Any:
    from consumers.notifier.alertmanager import Alertmanager

    return Alertmanager


def _is_of_cases(topic: str) -> bool:
    from schemas.topics import CASES, FLAGS

    return topic in (CASES, FLAGS)


def _is_of_therapists(topic: str) -> bool:
    from schemas.topics import THERAPISTS

    return topic == THERAPISTS


def _is_changelog(topic: str) -> bool:
    return topic.endswith("-changelog")


#: Command and point -> its place in the product. The one table to change when the product changes.
POINTS: dict[tuple[str, str], Bind] = {
    ("worker", "before-work"): _around(_case_agent, "work", "before"),
    ("worker", "before-outputs"): _on_delivery(_is_of_cases, "before"),
    ("worker", "amid-outputs"): _on_delivery(_is_of_cases, "amid"),
    ("worker", "after-outputs"): _on_delivery(_is_of_cases, "after"),
    ("worker", "amid-states"): _on_delivery(_is_changelog, "amid"),
    ("worker", "after-states"): _on_delivery(_is_changelog, "after"),
    ("worker", "after-therapists"): _on_delivery(_is_of_therapists, "after"),
    ("worker", "after-work"): _around(_case_agent, "work", "after"),
    ("worker", "in-recovery"): _around(_table, "on_changelog_event", "after"),
    ("worker", "in-rebalance"): _in_rebalance,
    ("worker", "in-gathering"): _around(_group_commit, "add", "before"),
    ("store", "before-write"): _around(_sink, "write", "before"),
    ("store", "before-rows"): _around(_batch, "write", "before"),
    ("store", "before-commit"): _around(_batch, "write", "after"),
    ("store", "after-commit"): _around(_loop, "_commit", "before"),
    ("store", "after-group-commit"): _around(_loop, "_commit", "after"),
    ("store", "in-rebalance"): _around(_loop, "on_partitions_assigned", "after"),
    ("notifier", "before-post"): _around(_alertmanager, "post", "before"),
    ("notifier", "after-post"): _around(_alertmanager, "post", "after"),
}


def points_of(command: str) -> list[str]:
    """The points of one command."""
    return [point for of, point in POINTS if of == command]


def main() -> None:
    """Remove, bind, then run the command with the arguments that are left."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.crashing")
    parser.add_argument("--at", choices=sorted({point for _, point in POINTS}))
    parser.add_argument("--passes", type=int, default=0, help="how often the point may be passed before")
    parser.add_argument("--act", choices=("exit", "bug", "cancel", "hang"), default="exit")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    choices = parser.parse_args()
    if choices.at is not None:
        POINTS[choices.command[0], choices.at](Point(choices.passes, choices.act))
    # After the point, so that what takes a safeguard's place is cut short by it as well.
    safeguards.remove_named()
    from alliance.cli import main as alliance

    alliance(choices.command)


if __name__ == "__main__":
    main()
