"""What is told of a stopped partition, and who may let it go on."""

import asyncio
import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry

from alliance.commands.context import OperatorError
from alliance.commands.resume import ask_worker
from pipeline.core.rejection_limit import MOST_IN_A_ROW
from pipeline.runtime.health import Health
from pipeline.runtime.http import Reply, serve
from pipeline.runtime.metrics import Meters
from pipeline.worker.faust.paused_partitions import PausedPartitions
from pipeline.worker.faust.resume_endpoint import NOT_YET, UNKNOWN, ResumeEndpoint
from schemas.refusals import Reason


class Told:
    """A worker's stops and what it tells of them."""

    def __init__(self) -> None:
        self.health, self.meters = Health("worker"), Meters("1")
        self.stops = PausedPartitions(self.health, self.meters)

    def flood(self, partition: int, first: int = 0) -> bool:
        """A hundred bad records; whether that was too many."""
        fates = [self.stops.take(partition, first + one, Reason.NOT_JSON) for one in range(MOST_IN_A_ROW)]
        assert not any(fates[:-1])
        return fates[-1]

    @property
    def parts(self) -> list[str]:
        """What health waits for."""
        return [part for part, _, _ in self.health.waiting()]

    @property
    def metric(self) -> float | None:
        """Stopped partitions."""
        return self.meters.registry.get_sample_value("alliance_stopped_partitions")


def test_a_stop_is_told_by_health_and_metric_until_somebody_lets_it_pass() -> None:
    told = Told()
    assert told.metric == 0
    assert told.flood(3)
    assert told.flood(5)
    assert (told.stops.partitions, told.parts, told.metric) == ({3, 5}, ["partition-3", "partition-5"], 2)
    told.stops.let_pass(3, before=1000)
    assert (told.stops.partitions, told.parts, told.metric) == ({5}, ["partition-5"], 1)
    assert not told.flood(3, first=MOST_IN_A_ROW)
    assert told.flood(3, first=1000)


def test_a_partition_that_went_to_another_worker_is_not_stopped_here_and_ours_stay_so() -> None:
    told = Told()
    told.flood(3)
    told.flood(5)
    told.stops.keep_only([1, 5])
    assert (told.stops.partitions, told.parts, told.metric) == ({5}, ["partition-5"], 1)


def test_what_is_read_again_after_a_rebalance_is_not_counted_twice() -> None:
    told = Told()
    for _ in range(2):
        assert not any(told.stops.take(3, one, Reason.NOT_JSON) for one in range(60))
        told.stops.keep_only([3])


@pytest.fixture
def desk() -> Iterator[tuple[ResumeEndpoint, str]]:
    """A desk behind a real server, and its address."""
    desk = ResumeEndpoint()
    server = serve("127.0.0.1", 0, Health("worker"), CollectorRegistry(), post=desk.reply)
    yield desk, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_desk_answers_from_the_apps_own_loop(desk: tuple[ResumeEndpoint, str]) -> None:
    at, address = desk
    assert ask_worker(address, 3) == NOT_YET

    async def resume(partition: int) -> Reply:
        return Reply(200 if partition == 3 else 409, f"{partition} in {threading.current_thread().name}")

    async def run() -> list[tuple[int, str]]:
        at.open(resume)
        return [await asyncio.to_thread(ask_worker, address, partition) for partition in (3, 4)]

    here = threading.current_thread().name
    assert asyncio.run(run()) == [(200, f"3 in {here}"), (409, f"4 in {here}")]


@pytest.mark.parametrize("path", ["/resume/", "/resume/x", "/resume/-1", "/elsewhere", "/resume/1/2"])
def test_any_other_post_is_answered_in_a_sentence(desk: tuple[ResumeEndpoint, str], path: str) -> None:
    connection = HTTPConnection(desk[1], timeout=5)
    connection.request("POST", path)
    answer = connection.getresponse()
    assert (answer.status, answer.read().decode().strip()) == UNKNOWN
    connection.close()


def test_a_process_that_takes_nothing_says_so() -> None:
    server = serve("127.0.0.1", 0, Health("store"), CollectorRegistry())
    assert ask_worker(f"127.0.0.1:{server.server_port}", 3) == (404, "This address accepts no POST.")
    server.shutdown()
    server.server_close()


def test_a_worker_that_does_not_answer_is_named_with_the_next_step() -> None:
    with pytest.raises(OperatorError, match=r"No worker answers at 127\.0\.0\.1:1\. .*--worker"):
        ask_worker("127.0.0.1:1", 3)
