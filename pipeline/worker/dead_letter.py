"""The dead letter: how a refused record is written to the rejected topic.

In: a refused record, and why it was refused. Out: one record for `alliance.rejected.v1`.
Never: decide what is refused (that is `pipeline.core.acceptance`); keep content of an erased case.
"""

from collections.abc import Sequence

from pipeline.core.acceptance import Refusal
from pipeline.worker.faust.durable_producer import OutgoingRecord
from schemas import refusals
from schemas.refusals import Reason
from schemas.topics import EVENTS, REJECTED

#: A larger record goes without its content, since the rejected topic would not take it. The events topic may have
#: taken it because the sender's client compressed it.
MAX_BYTES = 2_000_000


def dead_letter(
    refused: Refusal,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes]],
    partition: int,
    offset: int,
    timestamp_ms: int,
) -> OutgoingRecord:
    """The record as it came, with headers that say why it was refused and where it came from."""
    size = len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)
    detail = refused.detail
    if size > MAX_BYTES:
        detail = f"{detail}; a record of {size} bytes is too large to be kept"
    reason = [
        (refusals.HEADER_REASON, refused.reason.value.encode()),
        (refusals.HEADER_DETAIL, detail.encode()),
        (refusals.HEADER_TOPIC, EVENTS.encode()),
        (refusals.HEADER_PARTITION, str(partition).encode()),
        (refusals.HEADER_OFFSET, str(offset).encode()),
        (refusals.HEADER_TIMESTAMP, str(timestamp_ms).encode()),
    ]
    if refused.reason is Reason.ERASED or size > MAX_BYTES:
        return OutgoingRecord(REJECTED, None, None, None, reason)
    return OutgoingRecord(REJECTED, key, value, None, [*headers, *reason])
