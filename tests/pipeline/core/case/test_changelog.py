"""Rows lose nothing of a record, are small, and bytes that are none are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.case.changelog import pack, unpack
from pipeline.core.records import (
    ActionRecord,
    CheckinRecord,
    CheckinVoidedRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Record,
)

digests = st.integers(0, 2**64 - 1)
instants = st.integers(-(2**61), 2**61)
names = st.text(max_size=12)
scores = st.integers(0, 1_000_000).map(lambda millionths: millionths / 1_000_000)
heads = (digests, digests, instants)

records = st.one_of(
    st.builds(HeldRecord, *heads, digests, names, names),
    st.builds(MissedRecord, *heads, digests, names, names, names),
    st.builds(
        CheckinRecord,
        *heads,
        digests,
        names,
        names,
        digests,
        st.integers(1, 1_000_000),
        st.integers(0, 1),
        names,
        st.none() | scores,
        st.dictionaries(st.sampled_from(["trust", "empathy", "goals", "communication"]), scores),
        st.booleans(),
        st.booleans(),
        st.integers(0, 2**32 - 1),
    ),
    st.builds(CheckinVoidedRecord, *heads, digests),
    st.builds(ActionRecord, *heads, names, names),
    st.builds(ClosedRecord, *heads, names, names),
)


@given(st.lists(records, max_size=20))
def test_what_is_unpacked_is_what_was_packed(given_records: list[Record]) -> None:
    texts: list[str] = []
    rows = b"".join(pack(record, texts) for record in given_records)
    assert unpack(rows, texts) == given_records
    assert len(texts) == len(set(texts))


def test_a_session_with_its_check_in_takes_little_room() -> None:
    texts: list[str] = []
    checkin = CheckinRecord(
        1, 2, 3, 4, "t", "team", 5, 1, 0, "checkin-4/1", 0.9, {"trust": 0.9, "goals": 0.8}, False, False, 6
    )
    assert len(pack(HeldRecord(1, 2, 3, 4, "t", "team"), texts)) == 37
    assert len(pack(checkin, texts)) == 69


@pytest.mark.parametrize("rows", [b"\x06" + bytes(80), b"\x00" + bytes(20), bytes(37) + b"\x02"])
def test_bytes_that_are_no_rows_are_refused(rows: bytes) -> None:
    with pytest.raises(ValueError, match="row of kind"):
        unpack(rows, [""])
