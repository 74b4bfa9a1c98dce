"""`alliance send` and `alliance key` as a person starts them: without a reader too, no event and no key is lost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.places import ROOT
from deploy.testbed.kafka import Kafka, create_topics, records_of
from deploy.testbed.processes import child_environment
from schemas.topics import EVENTS
from tests.pipeline.ingest.files.test_send import HEADER, MAPPING, held

FULL = Path("/dev/full")
OWN_FORM_AS_CHECKIN = (
    MAPPING.replace("practice-form/1", "checkin-4/1").replace("bond", "trust").replace("work", "goals")
)


@pytest.fixture(scope="module")
def broker() -> Iterator[Kafka]:
    with Kafka() as started:
        create_topics(started.bootstrap, {EVENTS: 1})
        yield started


def alliance(*arguments: object, bootstrap: str = "127.0.0.1:1", **streams: Any) -> subprocess.CompletedProcess[str]:
    """The command's end; output that is not led elsewhere is captured."""
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-m", "alliance.cli", *map(str, arguments)]
    env = child_environment({"ALLIANCE_KAFKA": bootstrap})
    return subprocess.run(command, cwd=ROOT, env=env, text=True, timeout=120, check=False, **captured)


def ids(bootstrap: str) -> set[bytes]:
    return {record.value or b"" for record in records_of(bootstrap, EVENTS)}


@pytest.mark.kafka
def test_every_good_line_is_sent_although_no_process_reads_the_refusals(broker: Kafka, tmp_path: Path) -> None:
    good = [held(number) for number in range(10_000, 16_000)]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"{\n" * 6000 + b"".join(line + b"\n" for line in good))
    reader, writer = os.pipe()
    os.close(reader)
    ended = alliance("send", file, bootstrap=broker.bootstrap, stderr=writer)
    os.close(writer)
    assert (ended.returncode, ended.stdout) == (1, "sent 6000, refused 6000\n")
    assert set(good) <= ids(broker.bootstrap)


@pytest.mark.kafka
def test_what_became_of_the_file_is_said_on_stderr_when_stdout_is_full(broker: Kafka, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(held(1))
    with FULL.open("w") as full:
        ended = alliance("send", tmp_path / "events.jsonl", bootstrap=broker.bootstrap, stdout=full)
    assert (ended.returncode, ended.stderr) == (0, "sent 1, refused 0\n")


@pytest.mark.kafka
def test_a_spreadsheet_can_be_piped_in_and_its_bad_rows_are_kept_under_the_header(
    broker: Kafka, tmp_path: Path
) -> None:
    (tmp_path / "mapping.toml").write_text(OWN_FORM_AS_CHECKIN)
    text, bad = HEADER + "1,c-1,2026-03-02,s-1,t-1,99,4\n2,c-1,2026-03-02,s-1,t-1,5,4\n", tmp_path / "bad.csv"
    options = ("--mapping", tmp_path / "mapping.toml", "--bad", bad)
    ended = alliance("send", "-", *options, bootstrap=broker.bootstrap, input=text)
    assert (ended.returncode, ended.stdout) == (1, "sent 1, refused 1\n"), ended.stderr
    header, row = bad.read_text().splitlines()
    assert header.endswith("," + HEADER.strip())
    assert row.startswith("2,answer-out-of-range,") and row.endswith(",1,c-1,2026-03-02,s-1,t-1,99,4")


@pytest.mark.kafka
def test_a_line_to_continue_from_that_does_not_exist_is_reported(broker: Kafka, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(held(1))
    ended = alliance("send", tmp_path / "events.jsonl", "--from-line", 99, bootstrap=broker.bootstrap)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "Error: The file has nothing at line 99 or after it. Check --from-line.\n"


def test_the_file_for_bad_lines_is_checked_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(held(1))
    ended = alliance("send", tmp_path / "events.jsonl", "--bad", tmp_path / "events.jsonl")
    assert ended.returncode == 2
    assert "exists already; name another file for the bad lines, or remove it.\n" in ended.stderr


def test_a_key_whose_line_cannot_be_written_is_not_shown() -> None:
    with FULL.open("w") as full:
        ended = alliance("key", "practice", stdout=full)
    assert ended.returncode == 2
    assert ended.stderr == (
        "Error: The line cannot be written (No space left on device), so the key is not shown. Make another one.\n"
    )
