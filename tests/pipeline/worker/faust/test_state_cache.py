"""The state cache: the newest version wins, recovery decodes nothing, few states stay decoded, and those of other
workers' partitions are dropped."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.testbed.records import PlainRecord
from pipeline.worker.faust.durable_producer import OutgoingRecord
from pipeline.worker.faust.state_cache import StateCache


@dataclass
class Count:
    """A state of one number."""

    version: int


def decode(key: bytes, value: bytes) -> Count:
    return Count(int(value))


def some_states(max_decoded: int = 100) -> StateCache:
    return StateCache("changelog", decode, lambda state: b"%d" % state.version, max_decoded)


def recover(states: StateCache, *records: OutgoingRecord, partition: int = 0) -> None:
    states.recover(
        partition, [PlainRecord(number, 0, record.key, record.value) for number, record in enumerate(records)]
    )


def written(version: int, key: bytes = b"k", partition: int = 0) -> OutgoingRecord:
    states = some_states()
    states.put(partition, key, Count(version))
    (record,) = states.changes()
    return record


DELETED = OutgoingRecord("changelog", b"k", None, 0)


def test_a_recovered_state_equals_the_stored_one() -> None:
    states = some_states()
    recover(states, written(3))
    assert states.get_decoded(0, b"k") is None
    assert states.get(0, b"k") == Count(3)
    assert states.get(0, b"k") is states.get_decoded(0, b"k")


def test_an_older_version_written_later_does_not_win() -> None:
    states = some_states()
    recover(states, written(300), written(299))
    assert states.get(0, b"k") == Count(300)


def test_a_newest_state_that_is_not_last_in_the_changelog_is_written_again() -> None:
    states = some_states()
    recover(states, written(300), written(299))
    assert states.changes() == [written(300)]
    assert states.changes() == []
    recover(states, written(300), written(299), written(300))
    assert states.changes() == []


def test_a_state_that_changes_anyway_is_not_written_twice() -> None:
    states = some_states()
    recover(states, written(300), written(299))
    states.put(0, b"k", Count(301))
    assert states.changes() == [written(301)]


def test_a_deleted_key_is_gone_and_its_tombstone_is_written() -> None:
    states = some_states()
    recover(states, written(3), DELETED)
    assert states.get(0, b"k") is None
    states.put(0, b"k", Count(1))
    states.changes()
    states.put(0, b"k", None)
    assert states.get(0, b"k") is None
    assert states.changes() == [DELETED]
    assert len(states) == 0


def test_many_changes_of_a_key_are_one_changelog_record() -> None:
    states = some_states()
    for version in range(1, 50):
        states.put(0, b"k", Count(version))
    assert states.changes() == [written(49)]


def test_recovery_drops_decoded_states_so_that_no_old_state_is_used() -> None:
    states = some_states()
    states.put(0, b"k", Count(1))
    states.changes()
    recover(states, written(9))
    assert states.get(0, b"k") == Count(9)


def test_states_of_other_workers_partitions_are_dropped_at_once() -> None:
    states = some_states()
    recover(states, written(1, b"mine"))
    recover(states, written(1, b"theirs"), partition=1)
    states.put(1, b"decoded", Count(1))
    states.changes()
    states.keep_only([0])
    assert len(states) == 1
    assert states.get(0, b"mine") == Count(1)
    assert states.get(1, b"theirs") is None
    assert states.get(1, b"decoded") is None


def test_no_more_states_stay_decoded_than_allowed_and_none_is_lost() -> None:
    states = some_states(max_decoded=10)
    for number in range(100):
        states.put(0, b"%d" % number, Count(number))
        states.changes()
        assert sum(len(decoded) for kept in (states._recent, states._previous) for decoded in kept.values()) <= 10
    assert [states.get(0, b"%d" % number) for number in range(100)] == [Count(number) for number in range(100)]


@pytest.mark.parametrize("record", [PlainRecord(7, 0, b"k", b"short"), PlainRecord(7, 0, None, b"12345678x")])
def test_a_changelog_record_that_this_worker_did_not_write_is_not_skipped(record: PlainRecord) -> None:
    with pytest.raises(ValueError, match="changelog record 0:7 was not written by this worker"):
        some_states().recover(0, [record])


@given(st.permutations([1, 2, 3, 4, 5]))
def test_the_newest_version_wins_in_whatever_order_the_changelog_holds_them(versions: list[int]) -> None:
    states = some_states()
    recover(states, *(written(version) for version in versions))
    assert states.get(0, b"k") == Count(5)
    assert states.changes() == ([] if versions[-1] == 5 else [written(5)])
