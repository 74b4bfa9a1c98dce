"""How long a partition has not moved."""

from pipeline.worker.faust.stall_detector import StallDetector


def test_a_stall_counts_from_when_a_partition_was_first_seen_at_its_position() -> None:
    detector = StallDetector()
    assert detector.longest_stall({}, 0.0) == 0.0
    assert detector.longest_stall({"a": 5}, 10.0) == 0.0
    assert detector.longest_stall({"a": 5, "b": 1}, 14.0) == 4.0
    assert detector.longest_stall({"a": 6, "b": 1}, 20.0) == 6.0
    assert detector.longest_stall({"a": 6}, 21.0) == 1.0, "b has no unprocessed records"
    assert detector.longest_stall({"a": 6, "b": 1}, 30.0) == 10.0
    assert detector.longest_stall({}, 31.0) == 0.0
