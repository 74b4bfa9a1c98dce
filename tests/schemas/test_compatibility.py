"""Each way to break a promise is noticed and said in one sentence; what breaks nothing is let through."""

import json
import os
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.compatibility import breaking_changes, main, read_folder
from schemas.events import EVENT_TYPES
from schemas.examples import examples
from schemas.publish import FOLDER, OUTGOING

Schema = dict[str, Any]

CHECKIN = read_folder(FOLDER)["alliance.checkin.submitted.v1.json"]
CHECKIN_DATA = CHECKIN["$defs"]["CheckinData"]
FLAG = read_folder(FOLDER)["flag.json"]
SUMMARY = read_folder(FOLDER)["therapist-summary.json"]


def changed(schema: Schema, path: str, **keywords: Any) -> Schema:
    """A copy with these keywords at a place; `...` takes one away."""
    copy = deepcopy(schema)
    place: Any = copy
    for step in path.split("/") if path else ():
        place = place[int(step) if isinstance(place, list) else step]
    for keyword, value in keywords.items():
        if value is ...:
            del place[keyword]
        else:
            place[keyword] = value
    return copy


DATA = "$defs/CheckinData"
NARROWER = {
    "a removed property": (
        changed(CHECKIN, f"{DATA}/properties", revision=...),
        "`data.revision` has been removed",
    ),
    "a name for a field that was ignored whatever it held": (
        changed(CHECKIN, f"{DATA}/properties", language={"type": "string"}),
        "`data.language` accepts only string now",
    ),
    "a name for an attribute that was ignored whatever it held": (
        changed(CHECKIN, "properties", traceparent={"type": ["string", "null"]}),
        "`traceparent` accepts only string or null now",
    ),
    "a name for an item that could be null": (
        changed(CHECKIN, f"{DATA}/properties/answers", properties={"trust": {"type": "number"}}),
        "`data.answers.trust` no longer accepts null",
    ),
    "a newly required property": (
        changed(CHECKIN, DATA, required=[*CHECKIN_DATA["required"], "revision"]),
        "`data.revision` must be there now",
    ),
    "a new property that is required at once": (
        changed(changed(CHECKIN, "properties", site={"type": "string"}), "", required=[*CHECKIN["required"], "site"]),
        "`site` must be there now",
    ),
    "another type": (
        changed(CHECKIN, f"{DATA}/properties", session_id={"type": "integer"}),
        "`data.session_id` no longer accepts a string",
    ),
    "whole numbers only": (
        changed(CHECKIN, f"{DATA}/properties/answers/additionalProperties/anyOf/0", type="integer"),
        "`data.answers.*` no longer accepts a number",
    ),
    "no more null": (
        changed(CHECKIN, f"{DATA}/properties/answers", additionalProperties={"type": "number"}),
        "`data.answers.*` no longer accepts null",
    ),
    "a choice less": (
        changed(CHECKIN, f"{DATA}/properties/rater", enum=["client"]),
        '`data.rater` no longer accepts "therapist"',
    ),
    "choices where there were none": (
        changed(CHECKIN, f"{DATA}/properties/team", enum=["north", "south"]),
        '`data.team` accepts only "north", "south" now',
    ),
    "another type of event": (
        changed(CHECKIN, "properties/type", const="alliance.checkin.submitted.v2"),
        '`type` was "alliance.checkin.submitted.v1" and is "alliance.checkin.submitted.v2" now',
    ),
    "a higher floor": (
        changed(CHECKIN, f"{DATA}/properties/revision", minimum=2),
        "`data.revision` has the minimum 2 now, it was 1",
    ),
    "a lower ceiling": (
        changed(CHECKIN, f"{DATA}/properties/revision", maximum=9),
        "`data.revision` has the maximum 9 now, it was 1000000",
    ),
    "shorter texts": (changed(CHECKIN, "properties/id", maxLength=36), "`id` has the maxLength 36 now, it was 200"),
    "a floor where there was none": (
        changed(CHECKIN, f"{DATA}/properties/answers", minProperties=1),
        "`data.answers` has the minProperties 1 now",
    ),
    "a pattern": (
        changed(CHECKIN, "properties/subject", pattern="^c-"),
        '`subject` must have the pattern "^c-" now',
    ),
    "a format": (
        changed(CHECKIN, "properties/source", format="uri"),
        '`source` must have the format "uri" now',
    ),
    "closed to other fields": (
        changed(CHECKIN, DATA, additionalProperties=False),
        "`data` no longer accepts fields that are not named",
    ),
    "closed at the top": (
        changed(CHECKIN, "", additionalProperties=False),
        "the message no longer accepts fields that are not named",
    ),
    "other fields of one kind only": (
        changed(CHECKIN, "", additionalProperties={"type": "string"}),
        "the message no longer accepts just any field that is not named",
    ),
    "another default": (
        changed(CHECKIN, f"{DATA}/properties/revision", default=2),
        "`data.revision` means 2 when it is left out, it meant 1",
    ),
    "a default less": (
        changed(CHECKIN, f"{DATA}/properties/revision", default=...),
        "`data.revision` means nothing when it is left out, it meant 1",
    ),
    "a keyword that is not understood here": (
        changed(CHECKIN, DATA, dependentRequired={"revision": ["checkin_id"]}),
        '`data` must have the dependentRequired {"revision": ["checkin_id"]} now',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NARROWER)
def test_what_no_longer_takes_old_messages_is_noticed(what: str) -> None:
    new, sentence = NARROWER[what]
    assert breaking_changes(CHECKIN, new) == [sentence]


HARMLESS = {
    "nothing": CHECKIN,
    "a name for a field that takes anything": changed(CHECKIN, f"{DATA}/properties", language={}),
    "a name for a field that takes anything, with a default": changed(
        CHECKIN, f"{DATA}/properties", place={"default": "office"}
    ),
    "a name for an item": changed(
        CHECKIN, f"{DATA}/properties/answers", properties={"trust": {"type": ["number", "null"]}}
    ),
    "other words": changed(changed(CHECKIN, "", description="Anew.", title="Anew"), "properties/id", description="."),
    "a choice more": changed(CHECKIN, f"{DATA}/properties/rater", enum=["client", "observer", "therapist"]),
    "longer texts": changed(CHECKIN, "properties/id", maxLength=400),
    "a floor less": changed(CHECKIN, f"{DATA}/properties/revision", minimum=...),
    "a requirement less": changed(CHECKIN, "", required=["type"]),
    "null as well": changed(CHECKIN, "properties/source", anyOf=[{"type": "string"}, {"type": "null"}], type=...),
    "numbers where whole numbers were": changed(CHECKIN, f"{DATA}/properties/revision", type="number"),
    "a format less": changed(CHECKIN, "properties/time", format=...),
    "anything": changed(CHECKIN, "properties", source=True),
    "the same definition under another name": changed(
        changed(CHECKIN, "$defs", Answers=CHECKIN_DATA), "properties", data={"$ref": "#/$defs/Answers"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HARMLESS)
def test_what_still_takes_every_old_message_is_let_through(what: str) -> None:
    assert breaking_changes(CHECKIN, HARMLESS[what]) == []


LESS_CERTAIN = {
    "a renamed property": (
        FLAG,
        changed(FLAG, "properties", team=..., group=FLAG["properties"]["team"]),
        "`team` has been removed; is it `group` now? A new name is a new promise",
    ),
    "a field that may be missing": (
        FLAG,
        changed(FLAG, "", required=[name for name in FLAG["required"] if name != "severity"]),
        "`severity` may be missing now",
    ),
    "a choice that readers do not know": (
        FLAG,
        changed(FLAG, "properties/status", enum=[*FLAG["properties"]["status"]["enum"], "snoozed"]),
        '`status` can be "snoozed" now',
    ),
    "no choice at all": (
        FLAG,
        changed(FLAG, "properties/severity", enum=..., type="string"),
        "`severity` can be anything now",
    ),
    "null where there was always something": (
        FLAG,
        changed(FLAG, "properties", opened_at={"anyOf": [FLAG["properties"]["opened_at"], {"type": "null"}]}),
        "`opened_at` can be null now",
    ),
    "a text that may be no instant": (
        FLAG,
        changed(FLAG, "properties/updated_at", format=...),
        '`updated_at` is no longer sure to have the format "date-time"',
    ),
    "a floor less": (
        changed(FLAG, "properties/session_number", minimum=1),
        FLAG,
        "`session_number` is no longer sure to have the minimum 1",
    ),
    "a lower floor": (
        changed(FLAG, "properties/session_number", minimum=1),
        changed(FLAG, "properties/session_number", minimum=0),
        "`session_number` is no longer sure to have the minimum 1, it is 0 now",
    ),
    "a higher ceiling": (
        changed(FLAG, "properties/session_number", maximum=9),
        changed(FLAG, "properties/session_number", maximum=10),
        "`session_number` is no longer sure to have the maximum 9, it is 10 now",
    ),
    "a ceiling less": (
        changed(FLAG, "properties/session_number", maximum=9),
        FLAG,
        "`session_number` is no longer sure to have the maximum 9",
    ),
    "deep inside": (
        FLAG,
        changed(FLAG, "$defs/Rule", required=["name", "version"]),
        "`rule.expected_false_flags_per_100` may be missing now",
    ),
    "columns in another order": (
        SUMMARY,
        changed(SUMMARY, "$defs/Day", prefixItems=SUMMARY["$defs"]["Day"]["prefixItems"][::-1]),
        '`days.*` had the columns "sessions_held", "checkins_completed", "repaired_flags", "unrepaired_flags" and has '
        '"unrepaired_flags", "repaired_flags", "checkins_completed", "sessions_held" now',
    ),
    "a column less": (
        SUMMARY,
        changed(SUMMARY, "$defs/Day", prefixItems=SUMMARY["$defs"]["Day"]["prefixItems"][:3]),
        '`days.*` had the columns "sessions_held", "checkins_completed", "repaired_flags", "unrepaired_flags" and has '
        '"sessions_held", "checkins_completed", "repaired_flags" now',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LESS_CERTAIN)
def test_what_readers_of_our_messages_rely_on_is_kept(what: str) -> None:
    old, new, sentence = LESS_CERTAIN[what]
    assert breaking_changes(old, new, both_ways=True) == [sentence]


def test_senders_do_not_mind_what_readers_would() -> None:
    loose = changed(CHECKIN, f"{DATA}/properties/rater", enum=["client", "observer", "therapist"])
    assert breaking_changes(CHECKIN, loose) == []
    assert breaking_changes(CHECKIN, loose, both_ways=True) == ['`data.rater` can be "observer" now']


def test_a_new_field_takes_nothing_away_from_readers() -> None:
    new = changed(SUMMARY, "properties", waiting={"type": "integer", "minimum": 0, "default": 0})
    assert breaking_changes(SUMMARY, new, both_ways=True) == []


def test_one_column_more_at_the_end_breaks_no_reader() -> None:
    columns = [*SUMMARY["$defs"]["Day"]["prefixItems"], {"type": "integer", "title": "sessions_missed"}]
    assert breaking_changes(SUMMARY, changed(SUMMARY, "$defs/Day", prefixItems=columns), both_ways=True) == []


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    tree: Schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"properties": {"child": {"$ref": "#/$defs/Node"}, "n": {"type": "number"}}}},
    }
    assert breaking_changes(tree, tree, both_ways=True) == []
    worse = changed(tree, "$defs/Node/properties/n", maximum=3)
    assert "`n` has the maximum 3 now" in breaking_changes(tree, worse)


@pytest.mark.parametrize("name", [*EVENT_TYPES, *OUTGOING])
def test_the_current_schemas_keep_every_promise_first_published(name: str) -> None:
    frozen, current = read_folder(FOLDER / "published"), read_folder(FOLDER)
    assert breaking_changes(frozen[f"{name}.json"], current[f"{name}.json"], both_ways=name in OUTGOING) == []


VALID = [(one.type, json.loads(one.value or b"")) for one in examples() if one.reason is None]
CURRENT = read_folder(FOLDER)
_KEYWORDS = (
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "required",
    "additionalProperties",
)
_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["string", "number", "integer", "null", "object", True, False]),
    st.integers(0, 300),
    st.lists(st.sampled_from(["client", "by", "revision", "extra", "type"]), min_size=1, max_size=2, unique=True),
)


@st.composite
def mutants(draw: st.DrawFn) -> tuple[str, Schema]:
    """The schema of some type with one keyword changed somewhere, or a property taken out."""
    name = draw(st.sampled_from(list(EVENT_TYPES)))
    mutant = deepcopy(CURRENT[f"{name}.json"])
    objects = [mutant, *mutant.get("$defs", {}).values()]
    properties = [field for one in objects for field in one["properties"].values() if "$ref" not in field]
    place = draw(st.sampled_from([*objects, *properties]))
    keyword, value = draw(st.sampled_from(_KEYWORDS)), draw(_VALUES)
    if _is_well_formed(keyword, value):
        place[keyword] = value
    return name, mutant


def _is_well_formed(keyword: str, value: Any) -> bool:
    if keyword == "const":
        return True
    kinds = {"type": str, "enum": list, "required": list, "additionalProperties": bool}
    return type(value) is kinds.get(keyword, int)


@settings(deadline=None)
@given(mutants())
def test_whatever_refuses_a_valid_example_counts_as_breaking(mutant: tuple[str, Schema]) -> None:
    name, schema = mutant
    refuses = [event for kind, event in VALID if kind == name and not Draft202012Validator(schema).is_valid(event)]
    if refuses:
        assert breaking_changes(CURRENT[f"{name}.json"], schema)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(autouse=True)
def no_repository_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a git hook the environment names the hook's repository; here it must be the test's own."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository on `main` that published one schema, frozen too."""
    schemas = tmp_path / "jsonschema"
    (schemas / "published").mkdir(parents=True)
    for place in (schemas, schemas / "published"):
        (place / "flag.json").write_text(json.dumps(FLAG))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return schemas


def test_nothing_changed_since_main_is_a_success(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], folder) == 0
    assert "is kept" in capsys.readouterr().out


def test_a_broken_promise_since_main_fails_and_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(folder, "switch", "-q", "-c", "work")
    (folder / "flag.json").write_text(json.dumps(changed(FLAG, "properties", team=...)))
    git(folder, "commit", "-q", "-a", "-m", "second")
    assert main([], folder) == 1
    assert capsys.readouterr().out == "flag.json: `team` has been removed\n"


def test_the_last_tag_comes_before_main(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(folder, "tag", "v1")
    (folder / "flag.json").unlink()
    git(folder, "commit", "-q", "-a", "-m", "second")
    assert main([], folder) == 1
    assert capsys.readouterr().out == "flag.json: has been removed\n"


def test_a_frozen_copy_may_not_be_touched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "published" / "flag.json").write_text(json.dumps(changed(FLAG, "", title="Banner")))
    assert main(["--base", "main"], folder) == 1
    assert "published/flag.json: has been changed" in capsys.readouterr().out


def test_a_revision_before_the_first_schema_promised_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(folder, "switch", "-q", "--orphan", "empty")
    git(folder, "commit", "-q", "--allow-empty", "-m", "nothing")
    git(folder, "switch", "-q", "main")
    assert main(["--base", "empty"], folder) == 0
    assert "Nothing had been promised" in capsys.readouterr().out


def test_an_unknown_revision_is_said_without_a_traceback(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--base", "never-was"], folder) == 2
    assert "Name a revision with --base REV." in capsys.readouterr().err


def test_outside_of_a_repository_the_way_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 2
    assert "Name a revision with --base REV." in capsys.readouterr().err
