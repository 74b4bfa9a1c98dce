"""The examples and limits of docs/integrators.md are those of the gateway and of `alliance send`."""

import re
from pathlib import Path

import msgspec

from deploy.local.places import ROOT
from deploy.testbed.senders import OWN_INSTRUMENT, now_ms
from pipeline.ingest.admission import AdmittedRecord, admit
from pipeline.ingest.files.csv_mapping import load_mapping
from pipeline.ingest.files.row_mapper import RowMapper
from pipeline.ingest.gateway.submit import Limits
from schemas.instruments.registry import load_instruments

PAGE = (ROOT / "docs" / "integrators.md").read_text(encoding="utf-8")


def test_the_event_of_the_page_is_accepted() -> None:
    shown = re.search(r"-d '\n(.*?)'\n```", PAGE, re.DOTALL)
    assert shown is not None
    assert isinstance(admit(shown[1].strip().encode(), now_ms(), load_instruments(None)), AdmittedRecord)


def test_the_mapping_of_the_page_makes_an_event_that_is_accepted(tmp_path: Path) -> None:
    shown = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    (tmp_path / "mapping.toml").write_text(shown[1], encoding="utf-8")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "form.toml").write_text(OWN_INSTRUMENT)
    header = ["Case", "Session", "Rater", "Date", "Time", "Therapist", "Team", "Q1", "Q2"]
    rows = RowMapper(load_mapping(tmp_path / "mapping.toml"), header)
    event = rows.event(["c-1", "4", "T", "02.03.2026", "17:05", "t-1", "", "5", ""])
    assert msgspec.json.decode(event)["data"]["team"] == "north"
    assert isinstance(admit(event, now_ms(), load_instruments(tmp_path / "own")), AdmittedRecord)


def test_the_limits_of_the_page_are_the_gateways() -> None:
    limits = Limits()
    assert f"a single event over {limits.event_bytes // 1024} KiB" in PAGE
    assert f"a batch over {limits.batch_bytes // 1024**2} MiB or {limits.batch_events} events" in PAGE
    assert f"the body has not arrived within {limits.body_seconds:g} s" in PAGE
    assert f"has not acknowledged within {limits.ack_seconds:g} s" in PAGE
