"""One demonstration from its start to its end: history, then the weeks kept back live, or with `once` the outcome.

In: options, an environment, a screen, an event that says stop. Out: events sent, snapshots shown; with `once` an
`Outcome`.
Never: continue when a process has ended, when the broker refuses, or when nothing makes progress any more.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TypeVar

from kafka.errors import KafkaError

from alliance.demo.environment import Environment, open_environment
from alliance.demo.feed import FastClock, Feeder
from alliance.demo.observe import Observer
from alliance.demo.options import DemoError, DemoOptions, Stopped
from alliance.demo.plan import LIVE_DAYS, Expected, Plan, make_plan
from alliance.demo.screen import Screen
from alliance.demo.snapshot import Endpoint, Phase, Snapshot
from alliance.demo.summary import Outcome, complaints
from alliance.demo.supervisor import Supervisor
from pipeline.runtime.kafka_clients import make_producer

Answer = TypeVar("Answer")

TICK_SECONDS = 0.4
#: Without any progress for this long something is stuck.
STALL_SECONDS = 90.0
#: How long the exporter may take to show what the store already holds.
EXPORT_SECONDS = 20.0
#: The page of each process that the screen names.
PAGES = {"worker": "/health", "store": "/health", "exporter": "/metrics", "gateway": "/docs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How it ended: the folder if it stays, and the outcome, if it was not stopped before there was one."""

    kept_folder: Path | None
    outcome: Outcome | None


def demonstrate(options: DemoOptions, screen: Screen, stop: threading.Event) -> Result:
    """Run until `stop` is set or, with `once`, until all is done. Raises `DemoError`."""
    began, outcome = monotonic(), None
    with suppress(Stopped), ExitStack() as stack:
        environment = stack.enter_context(open_environment(options))
        session = stack.enter_context(closing(Session(options, environment, screen, stop, began)))
        stack.enter_context(screen)
        outcome = session.run()
    return Result(kept_folder=environment.folder if options.keep else None, outcome=outcome)


class Session:
    """One run. The calling thread observes and shows; one other thread plans and sends."""

    def __init__(
        self, options: DemoOptions, environment: Environment, screen: Screen, stop: threading.Event, began: float
    ) -> None:
        self._options, self._environment, self._screen = options, environment, screen
        self._stop, self._began = stop, began
        self._observer = Observer(environment.database, environment.log.label, environment.addresses)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feeder")
        self._supervisor = Supervisor()
        self._supervised = 0
        self._feeder: Feeder | None = None
        self._phase = Phase.STARTING
        self._expected = Expected()
        #: Simulated time for the supervisor and the screen; None while the supervisor does nothing.
        self._now: Callable[[], datetime] | None = None
        self._progress: object = None
        self._progress_at = monotonic()
        self._end = history_end(datetime.now(UTC), options.once)

    def run(self) -> Outcome | None:
        """Start the processes, send and show. Raises `Stopped` when the person stops it."""
        for name in self._environment.addresses:
            self._environment.processes.start(name)
        plan = self._result(self._thread.submit(self._plan))
        started = monotonic()
        self._feeder = feeder = self._result(self._thread.submit(self._new_feeder))
        if not self._options.once:
            self._now = lambda: plan.live_from
        self._enter(Phase.HISTORY, plan.expected_of_history)
        self._result(self._thread.submit(feeder.send_history, plan.history))
        self._enter(Phase.SETTLING, plan.expected_of_history)
        self._until(self._is_settled)
        if self._options.once:
            return self._finish(plan, feeder, started)
        self._go_live(plan, feeder)
        return None

    def close(self) -> None:
        """Stop sending and reading. The environment ends the processes."""
        self._stop.set()
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._feeder is not None:
            self._feeder.close()
        self._observer.close()

    def _plan(self) -> Plan:
        live_days = 0.0 if self._options.once else min(LIVE_DAYS, self._options.weeks * 7 // 2)
        return make_plan(self._options, self._end, live_days, self._environment.log.label)

    def _new_feeder(self) -> Feeder:
        return Feeder(make_producer(self._environment.settings), self._stop)

    def _go_live(self, plan: Plan, feeder: Feeder) -> None:
        """The weeks kept back, each event at its time; then what happens today, until the person stops it."""
        clock = FastClock(plan.live_from, datetime.now(UTC), self._options.days_per_second)
        self._now = lambda: clock.at(datetime.now(UTC))
        self._enter(Phase.LIVE, plan.expected)
        sending = self._thread.submit(feeder.send_live, plan.live, self._now)
        self._until(lambda: clock.has_caught_up(datetime.now(UTC)) or sending.done())
        self._enter(Phase.TODAY, plan.expected)
        self._result(sending)
        self._until(lambda: False)

    def _finish(self, plan: Plan, feeder: Feeder, started: float) -> Outcome:
        """What the supervisor does, then the outcome."""
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
        store = self._observer.store
        assert store is not None
        return Outcome(
            practice=self._practice(),
            sent=feeder.sent,
            expected=plan.expected,
            supervised=self._supervised,
            counts=store.counts(),
            checkins=store.checkins(),
            flags=store.flag_counts(),
            caught=store.caught_ruptures(plan.truth),
            therapists=plan.therapists,
            published=sum(therapist.mean is not None for therapist in self._observer.therapists),
            seconds=seconds,
            seconds_in_all=monotonic() - self._began,
        )

    def _enter(self, phase: Phase, expected: Expected) -> None:
        self._phase, self._expected = phase, expected

    def _result(self, future: Future[Answer]) -> Answer:
        """The other thread's result; meanwhile observe and show."""
        self._until(future.done)
        try:
            return future.result()
        except KafkaError as error:
            raise _not_acknowledged(error) from error

    def _until(self, condition: Callable[[], bool]) -> None:
        """Observe and show until the condition holds."""
        self._progress_at = monotonic()
        self._tick()
        while not condition():
            if self._stop.wait(TICK_SECONDS):
                raise Stopped
            self._tick()

    def _tick(self) -> None:
        self._environment.processes.check()
        self._observer.refresh()
        if self._feeder is not None:
            self._feeder.settled = self._observer.counts.settled
            try:
                self._feeder.check()
            except KafkaError as error:
                raise _not_acknowledged(error) from error
        if self._now is not None:
            self._supervise(self._now())
        self._check_progress()
        self._screen.show(self._snapshot())

    def _supervise(self, now: datetime) -> None:
        """Send what the supervisor has to do by now."""
        if self._observer.store is None or self._feeder is None:
            return
        for key, value in self._supervisor.act(self._observer.store.raised_flags(), now):
            self._feeder.send(key, value)
            self._supervised += 1

    def _check_progress(self) -> None:
        observer = self._observer
        seen = observer.counts, self._feeder and self._feeder.sent, tuple(observer.health.values())
        if seen != self._progress or self._phase in (Phase.LIVE, Phase.TODAY, Phase.DONE):
            self._progress, self._progress_at = seen, monotonic()
        elif monotonic() - self._progress_at > STALL_SECONDS:
            counts = observer.counts
            raise DemoError(
                f"There was no progress for {STALL_SECONDS:.0f} s: of {self._to_accept:,} events "
                f"{counts.archived:,} are archived and {counts.summarised:,} have reached their therapist. "
                f"Look into the logs in {self._environment.folder}."
            )

    @property
    def _to_accept(self) -> int:
        return self._expected.accepted + self._supervised

    def _is_settled(self) -> bool:
        counts = self._observer.counts
        return min(counts.archived, counts.summarised) >= self._to_accept and counts.refused >= self._expected.refused

    def _is_exported(self) -> bool:
        """Whether the exporter shows what the store holds."""
        store = self._observer.store
        shown = {therapist.therapist: therapist.active_cases for therapist in self._observer.therapists}
        return store is not None and shown == store.active_cases()

    def _snapshot(self) -> Snapshot:
        observer, feeder = self._observer, self._feeder
        return Snapshot(
            phase=self._phase,
            practice=self._practice(),
            to_send=self._expected.sent + self._supervised,
            sent=feeder.sent if feeder else 0,
            to_store=self._to_accept,
            stored=observer.counts.archived,
            summarised=observer.counts.summarised,
            refused=observer.counts.refused,
            duplicates=self._expected.duplicates,
            supervised=self._supervised,
            per_second=observer.per_second,
            to_row=observer.to_row,
            to_flag=observer.to_flag,
            clock=self._now() if self._now else None,
            live_flags=observer.counts.live_flags,
            flag_count=observer.counts.flags,
            flag_updates=tuple(observer.flag_updates),
            therapists=observer.therapists,
            endpoints=self._endpoints(),
            folder=str(self._environment.folder),
        )

    def _practice(self) -> str:
        options = self._options
        return (
            f"A practice that does not exist: {options.therapists} therapists, {options.weeks} weeks up to "
            f"{self._end - timedelta(days=1):%d %B %Y}, seed {options.seed}"
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        endpoints = [
            Endpoint(name=name, health=self._observer.health[name], url=f"{address}{PAGES[name]}")
            for name, address in self._environment.addresses.items()
        ]
        broker = Endpoint(name="broker", remark=self._environment.log.description)
        return (*endpoints, Endpoint(name="gateway", remark=self._environment.gateway_remark), broker)


def history_end(now: datetime, once: bool) -> datetime:
    """When the simulation ends: tonight; with `once` when this week began, so that the runs of all days are alike."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday()) if once else midnight + timedelta(days=1)


def _within(seconds: float, condition: Callable[[], bool]) -> Callable[[], bool]:
    """The condition, or that the time for it is over."""
    deadline = monotonic() + seconds
    return lambda: condition() or monotonic() > deadline


def _not_acknowledged(error: KafkaError) -> DemoError:
    return DemoError(f"The broker did not accept a record ({type(error).__name__}). Start the demonstration again.")
