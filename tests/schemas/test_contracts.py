"""The published files are what the code says now, and what it said when they were first published still holds."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import schemas
from pipeline.core.acceptance import Accepted, accept
from schemas import publish
from schemas.events import EVENT_TYPES
from schemas.examples import SENT_AT_MS, key_of
from schemas.instruments.registry import load_instruments
from schemas.publish import FOLDER, FROZEN, INCOMING, OUTGOING, PAGE

NAMES = [*INCOMING, *OUTGOING]


@pytest.mark.parametrize("name", NAMES)
def test_a_json_schema_is_byte_for_byte_what_the_type_says(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_bytes() == publish.files()[f"{name}.json"].encode(), "run: make schemas"


def test_every_message_has_a_json_schema_and_a_frozen_one_and_nothing_else_lies_there() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == {f"{name}.json" for name in NAMES}
    assert {file.name for file in FROZEN.glob("*.json")} == {f"{name}.json" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_json_schema_is_one_by_its_own_standard(name: str) -> None:
    Draft202012Validator.check_schema(json.loads((FOLDER / f"{name}.json").read_bytes()))


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_an_event_has_a_constant_type_an_instant_and_room_for_more(name: str) -> None:
    schema = publish.schema_of(name, EVENT_TYPES[name])
    assert schema["properties"]["type"]["const"] == name
    assert schema["properties"]["time"]["format"] == "date-time"
    assert schema["additionalProperties"] is True
    assert schema["description"]


@pytest.mark.parametrize("name", OUTGOING)
def test_every_instant_of_a_message_of_ours_is_said_to_be_one(name: str) -> None:
    properties = publish.schema_of(name, OUTGOING[name])["properties"]
    instants = {field for field in properties if field.endswith(("_at", "_since"))}
    assert instants == {field for field in properties if "date-time" in json.dumps(properties[field])}


def test_the_columns_of_a_day_have_names() -> None:
    columns = publish.schema_of("case-summary", OUTGOING["case-summary"])["$defs"]["Day"]["prefixItems"]
    assert [one["title"] for one in columns] == [
        "sessions_held",
        "checkins_completed",
        "repaired_flags",
        "unrepaired_flags",
    ]


def test_a_second_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main([]) == 0
    assert capsys.readouterr().out == "everything is up to date\n"


def test_writing_brings_files_up_to_date_but_never_a_frozen_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publish, "FOLDER", tmp_path)
    monkeypatch.setattr(publish, "FROZEN", tmp_path / "published")
    monkeypatch.setattr(publish, "PAGE", tmp_path / "integrators.md")
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "flag.json").write_text("as it was")
    (tmp_path / "flag.json").write_text("old")
    publish.main(["--freeze"])
    assert (tmp_path / "flag.json").read_text() == publish.files()["flag.json"]
    assert (tmp_path / "published" / "flag.json").read_text() == "as it was"
    assert (tmp_path / "published" / "case-summary.json").exists()
    assert "wrote case-summary.json" in capsys.readouterr().out


def test_the_tables_of_the_page_for_senders_are_what_the_code_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert publish.page(text) == text, "run: make schemas"


def test_a_page_that_lost_a_marker_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="markers"):
        publish.page("# Sending events\n")


def test_the_example_on_the_page_is_one_of_the_examples_and_is_accepted() -> None:
    shown = re.findall(r"```json\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    name = "alliance.checkin.submitted.v1"
    assert shown == [(Path(schemas.__file__).parent / "examples" / name / "valid-minimal.json").read_text()]
    assert isinstance(accept(shown[0].encode(), key_of(name), SENT_AT_MS, load_instruments(None)), Accepted)


def test_every_place_that_the_page_names_is_there() -> None:
    root = PAGE.parent.parent
    named = re.findall(r"`((?:schemas|docs)/[\w./-]+)", PAGE.read_text(encoding="utf-8"))
    assert named
    assert [one for one in named if not (root / one).exists()] == []
