"""A file of events -> the log.

In: a file of CloudEvents, one JSON object in each line, or a CSV file with a mapping. Out: records on
`alliance.events.v1`, each acknowledged; the result of every line.
Never: lose a line silently; change a byte of a JSON line; continue after a line that the broker did not acknowledge.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipeline.core.acceptance import Refusal
from pipeline.ingest.admission import HEADERS, AdmittedRecord, admit
from pipeline.ingest.files.csv_mapping import CsvMapping
from pipeline.ingest.files.lines import Line, csv_lines, json_lines
from pipeline.runtime.acknowledgements import InFlight
from schemas.instruments.definition import Instrument
from schemas.refusals import Reason
from schemas.topics import EVENTS

_PROGRESS_EVERY = 500


class BadLinesError(Exception):
    """The file for bad lines cannot be made or written; says why, without a full stop."""


class Report(Protocol):
    """Receives the result of each line, in the order of the file."""

    def header(self, raw: bytes) -> None:
        """The unchanged line of a CSV file that names its columns; comes before all others."""

    def refused(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """A line that was not sent; `raw` is the unchanged line with its end.

        Raises `BadLinesError` if the line could not be kept; then nothing more is sent.
        """

    def progress(self, bytes_done: int, outcome: "Outcome") -> None:
        """Every line within the first `bytes_done` bytes of the file is settled."""


@dataclass(slots=True)
class Outcome:
    """The result for a file. `next_line`: the first line that is not settled, or None if all are."""

    sent: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    next_line: int | None = None
    why_stopped: str = ""

    @property
    def refused_count(self) -> int:
        """Lines that were refused, for any reason."""
        return self.refused.total()

    @property
    def exit_code(self) -> int:
        """0: all sent; 1: some refused; 2: not finished."""
        if self.next_line is not None:
            return 2
        return 1 if self.refused else 0

    @property
    def closing_line(self) -> str:
        """For people."""
        done = f"sent {self.sent}, refused {self.refused_count}"
        if self.next_line is None:
            return done
        return f"{done}. {self.why_stopped}. Continue with --from-line {self.next_line}; duplicates change nothing."


class _PendingLine(NamedTuple):
    """A line whose result is not reported yet: sent, or refused and waiting for its turn."""

    line: Line
    refusal: Refusal | None


def send_file(
    path: Path,
    producer: KafkaProducer,
    instruments: Mapping[str, Instrument],
    mapping: CsvMapping | None = None,
    *,
    report: Report,
    clock_ms: Callable[[], int],
    from_line: int = 1,
    topic: str = EVENTS,
) -> Outcome:
    """Check and send every line from `from_line` on; with a mapping the file is CSV.

    Raises OSError if the file cannot be read, `MappingError` if the mapping does not fit it.
    """
    sending = _FileSender(producer, instruments, report, clock_ms, topic)
    lines = json_lines(path) if mapping is None else csv_lines(path, mapping, report.header)
    try:
        for line in lines:
            if line.number >= from_line:
                sending.submit(line)
            else:
                sending.skip(line)
        sending.finish()
    except KafkaError as error:
        sending.stop(f"The broker does not confirm ({type(error).__name__})")
    except BadLinesError as error:
        sending.stop(str(error))
    except KeyboardInterrupt:
        sending.stop("Stopped with Ctrl-C")
    return sending.outcome


class _FileSender:
    """Keeps many lines in flight and reports them in the order of the file, refused lines in between."""

    def __init__(
        self,
        producer: KafkaProducer,
        instruments: Mapping[str, Instrument],
        report: Report,
        clock_ms: Callable[[], int],
        topic: str,
    ) -> None:
        self.outcome = Outcome()
        self._producer = producer
        self._instruments = instruments
        self._report = report
        self._clock_ms = clock_ms
        self._topic = topic
        self._in_flight: InFlight[_PendingLine] = InFlight()
        self._bytes_done = 0
        self._last_read = 1

    def skip(self, line: Line) -> None:
        """A line that an earlier run has settled."""
        self._bytes_done += len(line.raw)

    def submit(self, line: Line) -> None:
        """Send a good line, let a refused one wait for its turn; settle the oldest while too much is in flight."""
        self._last_read = line.number
        admitted = self._admit(line.event)
        if isinstance(admitted, Refusal):
            self._in_flight.add(_PendingLine(line, admitted), None, len(line.raw))
        else:
            future = self._producer.send(
                self._topic, admitted.value, admitted.key, HEADERS, timestamp_ms=admitted.timestamp_ms
            )
            self._in_flight.add(_PendingLine(line, None), future, len(line.raw))
        while self._in_flight.is_full:
            self._settle_oldest()

    def _admit(self, event: bytes | Refusal) -> AdmittedRecord | Refusal:
        return event if isinstance(event, Refusal) else admit(event, self._clock_ms(), self._instruments)

    def finish(self) -> None:
        """Wait for every line in flight."""
        while self._in_flight:
            self._settle_oldest()
        self._report.progress(self._bytes_done, self.outcome)

    def stop(self, why: str) -> None:
        """Settle what needs no waiting; the rest is for another run."""
        with suppress(BadLinesError):
            while self._in_flight.is_oldest_settled:
                self._settle_oldest()
        self.outcome.next_line = self._in_flight.oldest.line.number if self._in_flight else self._last_read
        self.outcome.why_stopped = why
        self._report.progress(self._bytes_done, self.outcome)

    def _settle_oldest(self) -> None:
        """Raises `KafkaError` or `BadLinesError`, and keeps the line, if it could not be settled."""
        line, refusal = self._in_flight.wait_for_oldest()
        if refusal is None:
            self.outcome.sent += 1
        else:
            self._report.refused(line.number, line.raw, refusal)
            self.outcome.refused[refusal.reason] += 1
        self._in_flight.remove_oldest()
        self._bytes_done += len(line.raw)
        if (self.outcome.sent + self.outcome.refused_count) % _PROGRESS_EVERY == 0:
            self._report.progress(self._bytes_done, self.outcome)
