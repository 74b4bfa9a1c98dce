"""The course of a demonstration: history, then the weeks kept back live, or with `once` the outcome.

In: a scene that is set, processes to start, a screen. Out: events sent, snapshots shown; with `once` an `Outcome`.
Never: go on when a process has died, when the broker refuses, or when nothing moves any more.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TypeVar

from kafka.errors import KafkaError

from alliance.demo.children import Children
from alliance.demo.endings import DemoError, Stopped
from alliance.demo.event_log import Log
from alliance.demo.feed import Feeder, QuickClock
from alliance.demo.plan import LIVE_DAYS, Expected, Plan, Wishes, make_plan
from alliance.demo.screens import Screen
from alliance.demo.snapshot import Phase, Place, Snapshot
from alliance.demo.summary import Outcome, complaints
from alliance.demo.supervisor import Supervisor
from alliance.demo.watch import Watch
from pipeline.runtime.kafka_clients import make_producer
from pipeline.runtime.settings import Settings

Answer = TypeVar("Answer")

TICK_SECONDS = 0.4
#: Without any progress for so long something is stuck.
STALL_SECONDS = 90.0
#: How long the exporter may take to show what the store already holds.
EXPORT_SECONDS = 20.0
PAGES = {"worker": "/health", "store": "/health", "exporter": "/metrics", "gateway": "/docs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be played."""

    wishes: Wishes
    once: bool = False
    days_per_second: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where it is played. `addresses`: where each process answers, by the name of its command."""

    log: Log
    settings: Settings
    folder: Path
    database: Path
    addresses: Mapping[str, str]
    gateway_remark: str


class Stage:
    """One run. The calling thread watches and shows; one other thread plans and sends."""

    def __init__(
        self, wanted: Wanted, scene: Scene, children: Children, screen: Screen, stop: threading.Event, began: float
    ) -> None:
        self._wanted, self._scene, self._children, self._screen = wanted, scene, children, screen
        self._stop, self._began = stop, began
        self._watch = Watch(scene.database, scene.log.label, scene.addresses)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feeder")
        self._supervisor = Supervisor()
        self._supervised = 0
        self._feeder: Feeder | None = None
        self._phase = Phase.STARTING
        self._expected = Expected()
        #: Simulated time for the supervisor and the screen; None as long as there is no supervisor at work.
        self._now: Callable[[], datetime] | None = None
        self._progress: object = None
        self._progress_at = monotonic()
        self._end = history_end(datetime.now(UTC), wanted.once)

    def run(self) -> Outcome | None:
        """Play it. Raises `Stopped` when told to stop."""
        for room in self._scene.addresses:
            self._children.start(room)
        plan = self._result(self._thread.submit(self._plan))
        started = monotonic()
        self._feeder = feeder = self._result(self._thread.submit(self._new_feeder))
        if not self._wanted.once:
            self._now = lambda: plan.live_from
        self._enter(Phase.HISTORY, plan.expected_of_history)
        self._result(self._thread.submit(feeder.history, plan.history))
        self._enter(Phase.SETTLING, plan.expected_of_history)
        self._until(self._is_settled)
        if self._wanted.once:
            return self._finish(plan, feeder, started)
        self._go_live(plan, feeder)
        return None

    def close(self) -> None:
        """Stop sending and reading; the processes are ended by whoever made them."""
        self._stop.set()
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._feeder is not None:
            self._feeder.close()
        self._watch.close()

    def _plan(self) -> Plan:
        wishes = self._wanted.wishes
        live_days = 0.0 if self._wanted.once else min(LIVE_DAYS, wishes.weeks * 7 // 2)
        return make_plan(wishes, self._end, live_days, self._scene.log.label)

    def _new_feeder(self) -> Feeder:
        return Feeder(make_producer(self._scene.settings), self._stop)

    def _go_live(self, plan: Plan, feeder: Feeder) -> None:
        """The weeks kept back, each event at its time; then what happens today, until somebody stops us."""
        clock = QuickClock(plan.live_from, datetime.now(UTC), self._wanted.days_per_second)
        self._now = lambda: clock.at(datetime.now(UTC))
        self._enter(Phase.LIVE, plan.expected)
        sending = self._thread.submit(feeder.live, plan.live, self._now)
        self._until(lambda: clock.has_caught_up(datetime.now(UTC)) or sending.done())
        self._enter(Phase.TODAY, plan.expected)
        self._result(sending)
        self._until(lambda: False)

    def _finish(self, plan: Plan, feeder: Feeder, started: float) -> Outcome:
        """The supervisor's turn, then the outcome."""
        self._supervise(plan.end)
        self._until(self._is_settled)
        seconds = monotonic() - started
        self._enter(Phase.DONE, plan.expected)
        self._until(_within(EXPORT_SECONDS, self._is_exported))
        outcome = self._outcome(plan, feeder, seconds)
        if wrong := complaints(outcome):
            raise DemoError(f"Something was lost: {'; '.join(wrong)}.")
        return outcome

    def _outcome(self, plan: Plan, feeder: Feeder, seconds: float) -> Outcome:
        figures = self._watch.figures
        assert figures is not None
        return Outcome(
            practice=self._practice(),
            sent=feeder.sent,
            expected=plan.expected,
            supervised=self._supervised,
            counts=figures.counts(),
            checkins=figures.checkins(),
            flags=figures.flag_table(),
            caught=figures.caught(plan.truth),
            therapists=plan.therapists,
            published=sum(line.mean is not None for line in self._watch.therapists),
            seconds=seconds,
            seconds_in_all=monotonic() - self._began,
        )

    def _enter(self, phase: Phase, expected: Expected) -> None:
        self._phase, self._expected = phase, expected

    def _result(self, future: Future[Answer]) -> Answer:
        """What the other thread made, shown and watched meanwhile."""
        self._until(future.done)
        try:
            return future.result()
        except KafkaError as error:
            raise _not_taken(error) from error

    def _until(self, condition: Callable[[], bool]) -> None:
        """Show and watch until the condition holds."""
        self._progress_at = monotonic()
        self._tick()
        while not condition():
            if self._stop.wait(TICK_SECONDS):
                raise Stopped
            self._tick()

    def _tick(self) -> None:
        self._children.check()
        self._watch.look()
        if self._feeder is not None:
            self._feeder.settled = self._watch.counts.settled
            try:
                self._feeder.check()
            except KafkaError as error:
                raise _not_taken(error) from error
        if self._now is not None:
            self._supervise(self._now())
        self._check_progress()
        self._screen.show(self._snapshot())

    def _supervise(self, now: datetime) -> None:
        """The supervisor does what is due by now."""
        if self._watch.figures is None or self._feeder is None:
            return
        for key, value in self._supervisor.act(self._watch.figures.raised(), now):
            self._feeder.send(key, value)
            self._supervised += 1

    def _check_progress(self) -> None:
        seen = self._watch.counts, self._feeder and self._feeder.sent, tuple(self._watch.health.values())
        if seen != self._progress or self._phase in (Phase.LIVE, Phase.TODAY, Phase.DONE):
            self._progress, self._progress_at = seen, monotonic()
        elif monotonic() - self._progress_at > STALL_SECONDS:
            counts, accepted = self._watch.counts, self._expected.accepted + self._supervised
            raise DemoError(
                f"Nothing has moved for {STALL_SECONDS:.0f} s: of {accepted:,} events {counts.archived:,} are archived "
                f"and {counts.summarised:,} have reached their therapist; look into the logs in {self._scene.folder}."
            )

    def _is_settled(self) -> bool:
        counts, accepted = self._watch.counts, self._expected.accepted + self._supervised
        return min(counts.archived, counts.summarised) >= accepted and counts.refused >= self._expected.refused

    def _is_exported(self) -> bool:
        """Whether the exporter shows what the store holds."""
        figures = self._watch.figures
        shown = {line.therapist: line.active_cases for line in self._watch.therapists}
        return figures is not None and shown == figures.active_cases()

    def _snapshot(self) -> Snapshot:
        watch, feeder = self._watch, self._feeder
        return Snapshot(
            phase=self._phase,
            practice=self._practice(),
            to_send=self._expected.sent + self._supervised,
            sent=feeder.sent if feeder else 0,
            to_store=self._expected.accepted + self._supervised,
            stored=watch.counts.archived,
            summarised=watch.counts.summarised,
            refused=watch.counts.refused,
            duplicates=self._expected.duplicates,
            supervised=self._supervised,
            per_second=watch.per_second,
            to_row=watch.to_row,
            to_flag=watch.to_flag,
            clock=self._now() if self._now else None,
            live_flags=watch.counts.live_flags,
            flag_count=watch.counts.flags,
            news=tuple(watch.news),
            therapists=watch.therapists,
            places=self._places(),
            folder=str(self._scene.folder),
        )

    def _practice(self) -> str:
        wishes = self._wanted.wishes
        return (
            f"A practice that does not exist: {wishes.therapists} therapists, {wishes.weeks} weeks up to "
            f"{self._end - timedelta(days=1):%d %B %Y}, seed {wishes.seed}"
        )

    def _places(self) -> tuple[Place, ...]:
        places = [
            Place(name=room, health=self._watch.health[room], url=f"{address}{PAGES[room]}")
            for room, address in self._scene.addresses.items()
        ]
        broker = Place(name="broker", remark=self._scene.log.description)
        return (*places, Place(name="gateway", remark=self._scene.gateway_remark), broker)


def history_end(now: datetime, once: bool) -> datetime:
    """When the simulation ends: tonight; with `once` when this week began, so that the runs of all days are alike."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday()) if once else midnight + timedelta(days=1)


def _within(seconds: float, condition: Callable[[], bool]) -> Callable[[], bool]:
    """The condition, or that the time for it is over."""
    deadline = monotonic() + seconds
    return lambda: condition() or monotonic() > deadline


def _not_taken(error: KafkaError) -> DemoError:
    return DemoError(f"The broker did not take what was sent ({type(error).__name__}); start the demonstration again.")
