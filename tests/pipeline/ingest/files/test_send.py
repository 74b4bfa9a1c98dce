"""Files into the log of a real broker: every line is sent, or reported."""

import base64
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer
from rich.console import Console

from deploy.testbed.builders import Json, a_checkin, a_held, value_of
from deploy.testbed.kafka import Kafka, Record, create_topics, records_of, unique_name
from deploy.testbed.senders import OWN_INSTRUMENT, an_impatient_producer, now_ms
from pipeline.core.acceptance import Refusal
from pipeline.ingest.admission import HEADERS
from pipeline.ingest.files.csv_mapping import MappingError, load_mapping
from pipeline.ingest.files.lines import MOST_OF_A_LINE, csv_lines, json_lines
from pipeline.ingest.files.report import ConsoleReport, bad_lines_file
from pipeline.ingest.files.sender import BadLinesError, Outcome, send_file
from pipeline.runtime import acknowledgements
from pipeline.runtime.kafka_clients import close_producer, make_producer
from pipeline.runtime.settings import Settings
from schemas.instruments.registry import load_instruments
from schemas.refusals import Reason

pytestmark = pytest.mark.kafka

MAPPING = """
[event]
type = "alliance.checkin.submitted.v1"
source = "/export"
id = { column = "no" }
subject = { column = "case" }
time = { column = "day", format = "%Y-%m-%d", zone = "UTC" }

[data]
session_id = { column = "session" }
therapist_id = { column = "therapist" }
team = "north"
rater = "client"
instrument = "practice-form/1"

[answers]
bond = "q1"
work = "q2"
"""
HEADER = "no,case,day,session,therapist,q1,q2\n"


class RecordingReport:
    """A report that remembers."""

    def __init__(self, at_progress: Callable[[Outcome], None] | None = None) -> None:
        self.refusals: list[tuple[int, bytes, Refusal]] = []
        self.bytes_done = 0
        self._at_progress = at_progress

    def header(self, raw: bytes) -> None:
        """Nothing to do."""

    def refused(self, line: int, raw: bytes, refusal: Refusal) -> None:
        """Remember it."""
        self.refusals.append((line, raw, refusal))

    def progress(self, bytes_done: int, outcome: Outcome) -> None:
        """Remember it, and do what the test wants done."""
        assert bytes_done >= self.bytes_done
        self.bytes_done = bytes_done
        if self._at_progress is not None:
            self._at_progress(outcome)

    @property
    def reasons(self) -> dict[int, Reason]:
        """Why which line was refused."""
        return {line: refusal.reason for line, _, refusal in self.refusals}


@pytest.fixture(scope="module")
def producer(kafka: Kafka) -> Iterator[KafkaProducer]:
    made = make_producer(Settings(kafka=kafka.bootstrap))
    yield made
    assert close_producer(made, 30)


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = unique_name("send")
    create_topics(kafka.bootstrap, {name: 4})
    return name


@pytest.fixture
def own_instruments(tmp_path: Path) -> Path:
    folder = tmp_path / "instruments"
    folder.mkdir()
    (folder / "form.toml").write_text(OWN_INSTRUMENT)
    return folder


def json_file(folder: Path, *lines: bytes) -> Path:
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


def held(number: int, **overrides: Any) -> bytes:
    return value_of(a_held(subject=f"case-{number % 7}", id=f"e-{number}", **overrides))


def values(records: list[Record]) -> set[bytes]:
    return {record.value or b"" for record in records}


def trees(records: list[Record]) -> list[Json]:
    return [msgspec.json.decode(record.value or b"") for record in records]


def test_every_line_is_in_the_log_byte_for_byte_under_its_case(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path
) -> None:
    lines = [held(number, extra=[1.50, "é"]) for number in range(1200)]
    file, report = json_file(tmp_path, *lines), RecordingReport()
    outcome = send_file(file, producer, load_instruments(None), report=report, clock_ms=now_ms, topic=topic)
    assert (outcome.closing_line, outcome.exit_code) == ("sent 1200, refused 0", 0)
    records = records_of(kafka.bootstrap, topic)
    assert values(records) == set(lines)
    assert {record.headers for record in records} == {tuple(HEADERS)}
    assert all(record.key == tree["subject"].encode() for record, tree in zip(records, trees(records), strict=True))
    assert report.bytes_done == file.stat().st_size


def test_line_ends_blank_lines_and_a_byte_order_mark_are_no_part_of_an_event(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "windows.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + held(1) + b"\r\n\r\n   \n " + held(2) + b" \r\n" + held(3))
    outcome = send_file(file, producer, load_instruments(None), report=RecordingReport(), clock_ms=now_ms, topic=topic)
    assert outcome.closing_line == "sent 3, refused 0"
    assert values(records_of(kafka.bootstrap, topic)) == {held(1), b" " + held(2) + b" ", held(3)}


def test_bad_lines_are_told_in_order_with_number_and_reason_and_the_good_ones_are_sent(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path
) -> None:
    lines = [
        held(1),
        b"{",
        held(2),
        value_of(a_checkin(score=99.0)),
        b'{"subject":"c-1"}',
        held(3) + b" " * 65_536,
        held(4, time="2999-01-01T00:00:00Z"),
        value_of(a_checkin(instrument="unknown/1")),
        b"\xff\xfe",
        held(5),
    ]
    report = RecordingReport()
    file = json_file(tmp_path, *lines)
    outcome = send_file(file, producer, load_instruments(None), report=report, clock_ms=now_ms, topic=topic)
    assert (outcome.closing_line, outcome.exit_code) == ("sent 3, refused 7", 1)
    assert list(report.reasons.items()) == [
        (2, Reason.NOT_JSON),
        (4, Reason.ANSWER_OUT_OF_RANGE),
        (5, Reason.NOT_A_CLOUDEVENT),
        (6, Reason.TOO_LARGE),
        (7, Reason.TIME_IN_FUTURE),
        (8, Reason.UNKNOWN_INSTRUMENT),
        (9, Reason.NOT_JSON),
    ]
    assert [raw for _, raw, _ in report.refusals] == [lines[line - 1] + b"\n" for line in report.reasons]
    assert values(records_of(kafka.bootstrap, topic)) == {held(1), held(2), held(5)}


def test_the_record_carries_the_very_timestamp_that_it_was_judged_with(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path
) -> None:
    clock = iter(range(now_ms() - 3, now_ms() + 1))
    ticks: list[int] = []

    def clock_ms() -> int:
        ticks.append(next(clock))
        return ticks[-1]

    file = json_file(tmp_path, held(1), held(8), held(15))
    send_file(file, producer, load_instruments(None), report=RecordingReport(), clock_ms=clock_ms, topic=topic)
    assert [record.timestamp for record in records_of(kafka.bootstrap, topic)] == ticks


def test_a_practice_sends_its_own_form_out_of_a_spreadsheet(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path, own_instruments: Path
) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    file = tmp_path / "export.csv"
    rows = [
        "1,c-1,2026-03-02,s-1,t-1,5,4",
        '2,"c-2",2026-03-02,s-2,t-1,,3',
        ",,,,,,",
        "",
        "3,c-1,2026-03-09,s-3,t-1,1,2",
    ]
    file.write_text(HEADER + "\r\n".join(rows))
    mapping, instruments, report = (
        load_mapping(tmp_path / "mapping.toml"),
        load_instruments(own_instruments),
        RecordingReport(),
    )
    outcome = send_file(file, producer, instruments, mapping, report=report, clock_ms=now_ms, topic=topic)
    assert outcome.closing_line == "sent 3, refused 0"
    sent = {tree["id"]: tree["data"]["answers"] for tree in trees(records_of(kafka.bootstrap, topic))}
    assert sent == {
        "1": {"bond": 5, "work": 4},
        "2": {"bond": None, "work": 3},
        "3": {"bond": 1, "work": 2},
    }


def test_bad_rows_keep_their_line_numbers_and_can_be_corrected_and_sent(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path, own_instruments: Path
) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    file, bad = tmp_path / "export.csv", tmp_path / "bad.csv"
    text = HEADER + (
        "1,c-1,2026-03-02,s-1,t-1,5,4\n"
        '2,"c\n2",2026-03-02,s-1,t-1,9,4\n'
        "3,c-3,02.03.2026,s-1,t-1,5,4\n"
        "4,c-4,2026-03-02,s-1,t-1,5\n"
        '5,"c-5"x,2026-03-02,s-1,t-1,5,4\n'
        "6,c-6,2026-03-02,s-1,t-1,5,4\n"
    )
    file.write_text(text)
    mapping, instruments = load_mapping(tmp_path / "mapping.toml"), load_instruments(own_instruments)
    screen = io.StringIO()
    with ConsoleReport(file, bad_lines_file(bad, mapping), Console(file=screen)) as report:
        outcome = send_file(file, producer, instruments, mapping, report=report, clock_ms=now_ms, topic=topic)
    assert (outcome.closing_line, outcome.exit_code) == ("sent 2, refused 4", 1)
    assert [line.split(":")[0] for line in screen.getvalue().splitlines()] == ["line 3", "line 5", "line 6", "line 7"]
    kept = bad.read_text()
    assert kept.startswith("alliance_line,alliance_reason,alliance_detail,alliance_sentence," + HEADER)
    assert '2,"c\n2",2026-03-02,s-1,t-1,9,4\n' in kept
    assert '5,"c-5"x,2026-03-02,s-1,t-1,5,4\n' in kept

    corrected = tmp_path / "corrected.csv"
    corrected.write_text(
        kept.replace("t-1,9,4", "t-1,4,4")
        .replace("02.03.2026", "2026-03-02")
        .replace("t-1,5\n", "t-1,5,1\n")
        .replace('"c-5"x', '"c-5"')
    )
    outcome = send_file(
        corrected, producer, instruments, mapping, report=RecordingReport(), clock_ms=now_ms, topic=topic
    )
    assert outcome.closing_line == "sent 4, refused 0"
    assert {tree["id"] for tree in trees(records_of(kafka.bootstrap, topic))} == set("123456")


def test_a_quotation_mark_that_never_ends_is_reported_with_all_its_lines(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    file = tmp_path / "export.csv"
    file.write_text(HEADER + '1,c-1,2026-03-02,s-1,t-1,5,4\n2,"c-2,2026-03-02\n3,c-3\n')
    good, broken = csv_lines(file, load_mapping(tmp_path / "mapping.toml"), RecordingReport().header)
    assert (good.number, broken.number, broken.raw) == (2, 3, b'2,"c-2,2026-03-02\n3,c-3\n')
    assert broken.event == Refusal(Reason.INVALID_DATA, "lines to 4: not CSV, check the quotation marks")


def test_a_row_in_another_encoding_is_kept_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    file = tmp_path / "export.csv"
    row = "1,müller,2026-03-02,s-1,t-1,5,4\n".encode("latin-1")
    file.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + row)
    (line,) = csv_lines(file, load_mapping(tmp_path / "mapping.toml"), RecordingReport().header)
    assert isinstance(line.event, Refusal)
    assert (line.event.reason, line.raw) == (Reason.NOT_JSON, row)


def test_a_file_that_the_mapping_does_not_fit_is_refused_before_anything_is_sent(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path
) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    mapping = load_mapping(tmp_path / "mapping.toml")
    for text in ("", HEADER.replace("case", "client") + "1,c-1,2026-03-02,s-1,t-1,5,4\n", '"no\n'):
        file = tmp_path / "export.csv"
        file.write_text(text)
        with pytest.raises(MappingError):
            send_file(
                file, producer, load_instruments(None), mapping, report=RecordingReport(), clock_ms=now_ms, topic=topic
            )
    assert records_of(kafka.bootstrap, topic) == []


def test_bad_json_lines_go_into_a_file_for_its_owner_only(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    source = json_file(tmp_path, b"{")
    with ConsoleReport(source, bad_lines_file(bad, None), Console(file=io.StringIO())) as report:
        report.refused(3, b'{"subject":"c-1"}\r\n', Refusal(Reason.NOT_A_CLOUDEVENT, "type is missing"))
        report.refused(9, b"\xff\n", Refusal(Reason.NOT_JSON, "not JSON"))
    first, second = (msgspec.json.decode(line) for line in bad.read_bytes().splitlines())
    assert (first["line"], first["reason"], first["text"]) == (3, "not-a-cloudevent", '{"subject":"c-1"}')
    assert first["sentence"].startswith("A CloudEvents attribute")
    assert base64.b64decode(second["base64"]) == b"\xff"
    assert stat.S_IMODE(bad.stat().st_mode) == 0o600
    with pytest.raises(BadLinesError, match="exists already"):
        bad_lines_file(bad, None)
    with pytest.raises(BadLinesError, match="cannot be made"):
        bad_lines_file(tmp_path / "none" / "bad.jsonl", None)


def test_without_a_bad_line_there_is_no_file_for_bad_lines(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    for mapping in (None, load_mapping(tmp_path / "mapping.toml")):
        with ConsoleReport(json_file(tmp_path, b"{"), bad_lines_file(tmp_path / "bad", mapping)) as report:
            report.header(HEADER.encode())
        assert not (tmp_path / "bad").exists()


def test_a_bad_line_that_cannot_be_kept_ends_the_sending_with_the_line_to_continue_from(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path
) -> None:
    file, bad = json_file(tmp_path, held(1), b"{", held(2), b"{"), tmp_path / "bad.jsonl"
    with ConsoleReport(file, bad_lines_file(bad, None), Console(file=io.StringIO())) as report:
        bad.touch()  # another one makes it meanwhile
        outcome = send_file(file, producer, load_instruments(None), report=report, clock_ms=now_ms, topic=topic)
    assert (outcome.sent, outcome.next_line, outcome.exit_code) == (1, 2, 2)
    assert f"cannot be written to {bad} (File exists). Continue with --from-line 2" in outcome.closing_line
    assert bad.read_bytes() == b""


@pytest.mark.parametrize("stderr", ["a pipe without a reader", "a full disk"])
def test_the_report_continues_when_the_reader_of_its_messages_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    bad = tmp_path / "bad.jsonl"
    with os.fdopen(writer, "w") if stderr.startswith("a pipe") else Path("/dev/full").open("w") as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        with ConsoleReport(json_file(tmp_path, b"{"), bad_lines_file(bad, None)) as report:
            for line in range(1, 31):
                report.refused(line, b"{", Refusal(Reason.NOT_JSON, "not JSON"))
        monkeypatch.undo()
    assert len(bad.read_bytes().splitlines()) == 30


def test_a_person_sees_the_first_refusals_a_count_of_the_others_and_no_value(tmp_path: Path) -> None:
    screen = io.StringIO()
    source = json_file(tmp_path, b"{")
    with ConsoleReport(source, None, Console(file=screen, width=60)) as report:
        for line in range(1, 31):
            report.refused(line, b"canary7f3a", Refusal(Reason.NOT_JSON, "not JSON [bold]"))
        report.progress(1, Outcome())
    lines = screen.getvalue().splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("line 1: not-json (not JSON [bold]). The value is not valid JSON")
    assert lines[20].startswith("and 10 more: not-json.")
    assert "canary7f3a" not in screen.getvalue()


def test_the_bar_is_only_on_a_terminal(tmp_path: Path) -> None:
    source = json_file(tmp_path, b"{")
    screens = {}
    for is_terminal in (False, True):
        screen = io.StringIO()
        with ConsoleReport(source, None, Console(file=screen, force_terminal=is_terminal)) as report:
            report.progress(2, Outcome(sent=1))
        screens[is_terminal] = screen.getvalue()
    assert screens[False] == ""
    assert "sent 1, refused 0" in screens[True]


def test_when_the_broker_goes_away_it_stops_says_from_where_and_nothing_is_lost(
    broker_of_my_own: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = unique_name("send-outage")
    create_topics(broker_of_my_own.bootstrap, {topic: 2})
    lines = [b"{" if number % 100 == 99 else held(number) for number in range(3000)]
    file = json_file(tmp_path, *lines)
    monkeypatch.setattr(acknowledgements, "MOST_IN_FLIGHT", 100)

    def kill_at_half(outcome: Outcome) -> None:
        if outcome.sent > 1000 and broker_of_my_own.running:
            broker_of_my_own.kill()

    first, report = an_impatient_producer(broker_of_my_own.bootstrap), RecordingReport(kill_at_half)
    outcome = send_file(file, first, load_instruments(None), report=report, clock_ms=now_ms, topic=topic)
    close_producer(first, 0)
    next_line = outcome.next_line
    assert next_line is not None
    assert outcome.exit_code == 2
    assert f"--from-line {next_line}" in outcome.closing_line
    assert outcome.sent + outcome.refused_count == next_line - 1
    assert set(report.reasons) == set(range(100, next_line, 100))

    broker_of_my_own.start()
    second, report = an_impatient_producer(broker_of_my_own.bootstrap), RecordingReport()
    rest = send_file(
        file, second, load_instruments(None), report=report, clock_ms=now_ms, from_line=next_line, topic=topic
    )
    assert close_producer(second, 30)
    assert rest.exit_code == 1
    assert outcome.sent + rest.sent == 2970
    assert outcome.refused_count + rest.refused_count == 30
    assert values(records_of(broker_of_my_own.bootstrap, topic)) == {line for line in lines if line != b"{"}


def test_without_the_topic_it_says_that_nothing_is_confirmed(kafka: Kafka, tmp_path: Path) -> None:
    file, producer = json_file(tmp_path, b"{", held(1)), an_impatient_producer(kafka.bootstrap)
    report = RecordingReport()
    outcome = send_file(
        file, producer, load_instruments(None), report=report, clock_ms=now_ms, topic=unique_name("missing")
    )
    assert close_producer(producer, 10)
    assert (outcome.sent, outcome.next_line, outcome.exit_code) == (0, 2, 2)
    assert report.reasons == {1: Reason.NOT_JSON}


def test_stopped_with_control_c_it_says_from_where_to_continue(
    kafka: Kafka, producer: KafkaProducer, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [held(number) for number in range(2000)]
    file = json_file(tmp_path, *lines)
    monkeypatch.setattr(acknowledgements, "MOST_IN_FLIGHT", 10)

    def press_control_c(outcome: Outcome) -> None:
        if outcome.sent == 1000:
            raise KeyboardInterrupt

    report = RecordingReport(press_control_c)
    stopped = send_file(file, producer, load_instruments(None), report=report, clock_ms=now_ms, topic=topic)
    assert stopped.closing_line.startswith("sent 10")
    assert stopped.exit_code == 2
    assert stopped.next_line is not None
    send_file(
        file,
        producer,
        load_instruments(None),
        report=RecordingReport(),
        clock_ms=now_ms,
        from_line=stopped.next_line,
        topic=topic,
    )
    assert values(records_of(kafka.bootstrap, topic)) == set(lines)


@pytest.mark.parametrize("first", [b"1,c-1,2026-03-02,s-1,t-1,5,", b'1,c-1,2026-03-02,s-1,t-1,5,"', b"{"])
def test_of_a_line_without_end_only_the_beginning_is_kept_and_the_next_line_is_read(
    tmp_path: Path, first: bytes
) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPING)
    file, long = tmp_path / "export", first + b"4" * 5 * MOST_OF_A_LINE
    if first == b"{":
        file.write_bytes(long + b"\n" + held(1))
        cut, good = json_lines(file)
    else:
        file.write_bytes(HEADER.encode() + long + b'"\n2,c-2,2026-03-02,s-1,t-1,5,4\n')
        cut, good = csv_lines(file, load_mapping(tmp_path / "mapping.toml"), RecordingReport().header)
    assert isinstance(cut.event, Refusal)
    assert (cut.event.reason, cut.raw) == (Reason.TOO_LARGE, long[:MOST_OF_A_LINE])
    assert good.number == cut.number + 1
    assert isinstance(good.event, bytes)


def test_the_lines_of_a_file_are_all_its_bytes(tmp_path: Path) -> None:
    file = json_file(tmp_path, b"a", b"b\r", b" c ")
    assert [line.number for line in json_lines(file)] == [1, 2, 3]
    assert b"".join(line.raw for line in json_lines(file)) == file.read_bytes()
