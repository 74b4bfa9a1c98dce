"""What health and the metric report of a paused partition, and what a rebalance and an operator change."""

from pipeline.core.rejection_limit import MAX_IN_A_ROW
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from pipeline.worker.faust.paused_partitions import PausedPartitions
from schemas.refusals import Reason


class Worker:
    """The paused partitions of a worker, and what it reports of them."""

    def __init__(self) -> None:
        self.health, self.meters = Health("worker"), Meters("1")
        self.paused = PausedPartitions(self.health, self.meters)

    def flood(self, partition: int, first: int = 0) -> bool:
        """A hundred bad records; whether that was too many."""
        exceeded = [self.paused.record(partition, first + number, Reason.NOT_JSON) for number in range(MAX_IN_A_ROW)]
        assert not any(exceeded[:-1])
        return exceeded[-1]

    @property
    def parts(self) -> list[str]:
        """What health waits for."""
        return [part for part, _, _ in self.health.waiting()]

    @property
    def metric(self) -> float | None:
        """Paused partitions."""
        return self.meters.registry.get_sample_value("alliance_paused_partitions")


def test_health_and_metric_report_a_pause_until_an_operator_resumes_the_partition() -> None:
    worker = Worker()
    assert worker.metric == 0
    assert worker.flood(3)
    assert worker.flood(5)
    assert (worker.paused.partitions, worker.parts, worker.metric) == ({3, 5}, ["partition-3", "partition-5"], 2)
    worker.paused.accept_before(3, 1000)
    assert (worker.paused.partitions, worker.parts, worker.metric) == ({5}, ["partition-5"], 1)
    assert not worker.flood(3, first=MAX_IN_A_ROW)
    assert worker.flood(3, first=1000)


def test_a_partition_that_went_to_another_worker_is_not_paused_here_and_the_others_stay_paused() -> None:
    worker = Worker()
    worker.flood(3)
    worker.flood(5)
    worker.paused.on_partitions_assigned([1, 5])
    assert (worker.paused.partitions, worker.parts, worker.metric) == ({5}, ["partition-5"], 1)


def test_what_is_read_again_after_a_rebalance_is_not_counted_twice() -> None:
    worker = Worker()
    for _ in range(2):
        assert not any(worker.paused.record(3, number, Reason.NOT_JSON) for number in range(60))
        worker.paused.on_partitions_assigned([3])
