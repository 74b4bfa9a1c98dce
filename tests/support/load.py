"""Events that come in while a test breaks things.

In: a system, events, a pace. Out: all of them acknowledged by the broker at the end, in their order.
Never: an event dropped because the broker is unavailable; the sender waits, as the gateway and `alliance send` do.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kafka.errors import KafkaError

from deploy.testbed.builders import Json
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from pipeline.worker.faust.exits import EXIT_FENCED

PAUSE_SECONDS = 0.5


@contextmanager
def coming_in(system: System, events: Sequence[Json], events_a_second: float) -> Iterator[None]:
    """Send them at an even pace during the block; a share that was not acknowledged is sent again."""
    failures: list[BaseException] = []
    gives_up = threading.Event()

    def send() -> None:
        share = max(20, round(events_a_second / 4))
        try:
            for start in range(0, len(events), share):
                if gives_up.is_set():
                    return
                send_share(system, events[start : start + share], gives_up)
                pace(share / events_a_second)
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            failures.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    except BaseException:
        gives_up.set()
        raise
    finally:
        sender.join()
    if failures:
        raise failures[0]


def send_share(system: System, share: Sequence[Json], gives_up: threading.Event) -> None:
    """Return when the broker has acknowledged all of it."""
    while not gives_up.is_set():
        try:
            system.send(share)
        except KafkaError:
            pace(PAUSE_SECONDS)
        else:
            return


@contextmanager
def stale_worker_started_again(system: System) -> Iterator[None]:
    """Meanwhile a worker that ends as stale is started again, as compose does; any other end stays one.

    A worker that is removed from the group in the middle of a batch ends itself: others may have its partitions.
    """
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(PAUSE_SECONDS):
            if system.running["worker"].exit_code == EXIT_FENCED:
                system.start("worker")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def has_moved_on(system: System, seconds: float) -> None:
    """Until what comes in from now on is in the store; fails when it takes longer."""
    before = system.counts()["events"]
    wait_until(
        lambda: system.counts()["events"] > before,
        seconds,
        lambda: f"the store to continue from {before} events\n{system.logs()}",
    )
