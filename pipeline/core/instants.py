"""Instants as whole microseconds since 1970 UTC, and back.

In: aware datetimes. Out: integers that sort and subtract exactly.
Never: read a clock.
"""

from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_US = 86_400_000_000
SECOND_US = 1_000_000
_EPOCH_DAY = date(1970, 1, 1)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (instant - EPOCH) // MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The instant, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def day_of(microseconds: int) -> date:
    """The UTC day of an instant."""
    return _EPOCH_DAY + timedelta(days=microseconds // DAY_US)
