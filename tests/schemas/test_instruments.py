"""Instrument definitions: the shipped ones hold, and a wrong one is refused with file, place and way out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.instruments.arithmetic import score
from schemas.instruments.definition import INGREDIENTS
from schemas.instruments.registry import InstrumentError, fingerprint, ignored_files, load_instrument, load_instruments

SHIPPED = load_instruments(None)
GUIDE = Path(__file__).parents[2] / "docs" / "instruments.md"

VALID = """\
id = "mood-2/1"
name = "Two questions"
minimum = 0
maximum = 4
decimals = 0
validated = false

[licence]
status = "open"
notice = "Ours."

[[items]]
id = "heard"
ingredients = ["empathy"]
client = "I was heard."

[[items]]
id = "rushed"
ingredients = ["communication", "goals"]
reversed = true

[missing]
total_at_least = 2

[cutoff]
below = 5
source = "A guess."

[standard_error]
raw = 0.8
source = "A guess."

[[vectors]]
name = "one good, one bad"
answers = { heard = 4, rushed = 4 }
total = 0.5
ingredients = { empathy = 1, goals = 0, communication = 0 }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes the valid definition, with one passage replaced, into a practice's folder."""

    def write(old: str = "", new: str = "", name: str = "mood.toml") -> Path:
        assert old in VALID
        file = tmp_path / name
        file.write_text(VALID.replace(old, new, 1), encoding="utf-8")
        return file

    return write


def test_three_instruments_are_shipped_and_each_proves_itself_with_examples() -> None:
    assert list(SHIPPED) == ["checkin-4/1", "srs/3", "wai-sr/1"]
    for instrument in SHIPPED.values():
        assert len(instrument.vectors) >= 4
        assert any(vector.total is None for vector in instrument.vectors)


def test_only_the_practices_own_check_in_carries_wording_and_it_carries_all_of_it() -> None:
    for name, instrument in SHIPPED.items():
        spoken = [item.client is not None and item.therapist is not None for item in instrument.items]
        silent = [item.client is None and item.therapist is None for item in instrument.items]
        assert all(spoken) if name == "checkin-4/1" else all(silent)
        assert instrument.licence.status == ("open" if name == "checkin-4/1" else "restricted")


def test_the_practices_own_check_in_is_marked_as_not_validated() -> None:
    checkin = SHIPPED["checkin-4/1"]
    assert not checkin.validated
    assert "Apache-2.0" in checkin.licence.notice
    assert [item.id for item in checkin.items] == list(INGREDIENTS)


def test_the_wai_sr_is_scored_interleaved_and_not_in_blocks() -> None:
    members = {
        rule.ingredient: [int(item.removeprefix("i")) for item in rule.items]
        for rule in SHIPPED["wai-sr/1"].ingredient_rules
    }
    assert members == {
        "trust": [3, 5, 7, 9],
        "empathy": [3, 5, 7, 9],
        "goals": [4, 6, 8, 11],
        "communication": [1, 2, 10, 12],
    }


@pytest.mark.parametrize("missing", range(1, 13))
def test_the_wai_sr_prorates_any_single_missing_item(missing: int) -> None:
    instrument = SHIPPED["wai-sr/1"]
    answers = {item.id: 4.0 for number, item in enumerate(instrument.items, 1) if number != missing}
    scores = score(instrument, answers)
    assert scores.total == 0.75
    assert set(scores.ingredients.values()) == {0.75}


def test_the_srs_cut_off_is_36_and_36_itself_is_not_under_it() -> None:
    srs = SHIPPED["srs/3"]
    assert srs.cutoff is not None
    assert (srs.cutoff.below, srs.cutoff_share) == (36, 0.9)
    totals = {vector.name.split(":")[0]: score(srs, vector.answers).total for vector in srs.vectors}
    assert totals["exactly 36"] == srs.cutoff_share
    assert totals["35.9"] == 0.8975


def test_no_cut_off_is_shipped_for_the_wai_sr_because_none_is_validated() -> None:
    assert SHIPPED["wai-sr/1"].cutoff_share is None


def test_a_practices_own_instrument_stands_beside_the_shipped_ones(write: Callable[..., Path]) -> None:
    folder = write().parent
    instruments = load_instruments(folder)
    assert set(instruments) == {*SHIPPED, "mood-2/1"}
    own = instruments["mood-2/1"]
    assert (own.cutoff_share, own.standard_error_share) == (0.625, 0.1)
    assert own.items[1].reversed


def test_the_example_in_the_guide_is_a_valid_instrument(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.toml").write_text(block, encoding="utf-8")
    assert set(load_instruments(tmp_path)) > set(SHIPPED)


def test_hidden_and_foreign_files_in_the_folder_are_left_alone(write: Callable[..., Path]) -> None:
    folder = write().parent
    (folder / "._mood.toml").write_bytes(b"\x00\x05\x16\x07")
    (folder / "README.md").write_text("Ours.")
    assert "mood-2/1" in load_instruments(folder)
    assert ignored_files(folder) == []


def test_what_is_not_read_is_named(write: Callable[..., Path]) -> None:
    folder = write(name="mood.tml").parent
    (folder / "old").mkdir()
    assert set(load_instruments(folder)) == set(SHIPPED)
    assert ignored_files(folder) == ["mood.tml", "old"]
    assert ignored_files(None) == []


def test_a_definition_in_capitals_is_read(write: Callable[..., Path]) -> None:
    assert "mood-2/1" in load_instruments(write(name="MOOD.TOML").parent)


def test_a_mark_at_the_beginning_that_says_utf_8_is_no_content(tmp_path: Path) -> None:
    file = tmp_path / "mood.toml"
    file.write_text(VALID, encoding="utf-8-sig")
    assert load_instrument(file).id == "mood-2/1"


def test_instruments_are_frozen(write: Callable[..., Path]) -> None:
    instrument: Any = load_instrument(write())
    with pytest.raises(AttributeError):
        instrument.maximum = 5
    with pytest.raises(TypeError):
        SHIPPED["mood-2/1"] = instrument  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'id = "mood-2/1"',
            'id = "Mood 2"',
            "id: 'Mood 2' is not an id; write it as name/version, such as 'my-checkin/1'.",
        ),
        ('"Two questions"', '" "', "name: it is empty; give the name of the instrument."),
        (
            'notice = "Ours."',
            'notice = ""',
            "licence.notice: it is empty; say who owns the instrument and on which terms.",
        ),
        ("maximum = 4", "maximum = 0", "maximum: 0 is not above the minimum 0; swap or correct them."),
        ("maximum = 4", "maximum = inf", "maximum: inf cannot end a scale; give a number within a million of 0."),
        ("minimum = 0", "minimum = nan", "minimum: nan cannot end a scale; give a number within a million of 0."),
        ("decimals = 0", "decimals = 9", "decimals: 9 is not a resolution; give a whole number from 0 to 3."),
        ("decimals = 0", "decimals = -1", "decimals: -1 is not a resolution; give a whole number from 0 to 3."),
        ("maximum = 4", "maximum = 4.5", "maximum: 4.5 is finer than the resolution; raise decimals or round it."),
        ("maximum = 4", "maximum = 99999", "decimals: the scale has more than 10000 steps; use fewer decimals."),
        (
            'id = "heard"',
            'id = "Heard!"',
            "[[items]] no. 1, id: 'Heard!' is not an id; use lower-case letters, digits and _.",
        ),
        ('id = "rushed"', 'id = "heard"', "[[items]] no. 2, id: 'heard' is used twice; give every item its own id."),
        (
            '["empathy"]',
            '["warmth"]',
            "[[items]] no. 1, ingredients: 'warmth' is not an ingredient; "
            "use one or more of trust, empathy, goals, communication.",
        ),
        (
            '["empathy"]',
            "[]",
            "[[items]] no. 1, ingredients: the list is empty; "
            "name one or more of trust, empathy, goals, communication.",
        ),
        (
            '["empathy"]',
            '["empathy", "empathy"]',
            "[[items]] no. 1, ingredients: 'empathy' is named twice; name it once.",
        ),
        (
            'status = "open"',
            'status = "restricted"',
            "[[items]] no. 1: wording of a restricted instrument; "
            "take it out, or set licence.status to 'open' if the wording may be passed on.",
        ),
        (
            "total_at_least = 2",
            "total_at_least = 3",
            "missing.total_at_least: 3 of 2 items is impossible; give a number from 1 to 2.",
        ),
        (
            "total_at_least = 2",
            "total_at_least = 2\ningredient_at_least = { goals = 2 }",
            "missing.ingredient_at_least.goals: 2 of 1 items is impossible; give a number from 1 to 1.",
        ),
        (
            "total_at_least = 2",
            "total_at_least = 2\ningredient_at_least = { trust = 1 }",
            "missing.ingredient_at_least.trust: no item has this ingredient; remove the line or correct the name.",
        ),
        (
            "below = 5",
            "below = 9",
            "cutoff.below: 9 leaves all totals on one side; "
            "the sum of the items runs from 0 to 8, so give a value above 0 and at most 8.",
        ),
        (
            "below = 5",
            "below = 0",
            "cutoff.below: 0 leaves all totals on one side; "
            "the sum of the items runs from 0 to 8, so give a value above 0 and at most 8.",
        ),
        (
            'below = 5\nsource = "A guess."',
            'below = 5\nsource = ""',
            "cutoff.source: it is empty; say where the value comes from.",
        ),
        (
            "raw = 0.8",
            "raw = 0",
            "standard_error.raw: 0 cannot be a standard error; give a value above 0 and below 8.",
        ),
        (
            'raw = 0.8\nsource = "A guess."',
            'raw = 0.8\nsource = "  "',
            "standard_error.source: it is empty; say where the value comes from.",
        ),
        (
            "total = 0.5",
            "total = 0.25",
            "[[vectors]] no. 1, total: the example says 0.25, the rules give 0.5; correct the one that is wrong.",
        ),
        (
            "total = 0.5",
            "",
            "[[vectors]] no. 1, total: the example says no score, the rules give 0.5; correct the one that is wrong.",
        ),
        (
            "goals = 0, ",
            "trust = 0, goals = 0, ",
            "[[vectors]] no. 1, ingredients.trust: the example says 0, the rules give no score; "
            "correct the one that is wrong.",
        ),
        (
            "heard = 4, rushed",
            "heard = 4.5, rushed",
            "[[vectors]] no. 1, answers: item heard of mood-2/1 takes whole numbers from 0 to 4; correct the answers.",
        ),
        (
            "heard = 4, rushed",
            "seen = 4, rushed",
            "[[vectors]] no. 1, answers: mood-2/1 has only the items heard, rushed; correct the answers.",
        ),
        ('name = "Two questions"\n', "", "top level: missing key `name`; docs/instruments.md shows an example."),
        (
            'ingredients = ["empathy"]',
            'ingredient = "empathy"',
            "[[items]] no. 1: unknown key `ingredient`; docs/instruments.md shows an example.",
        ),
        (
            "total_at_least = 2",
            "total_at_least = 2\nprorate = true",
            "missing: unknown key `prorate`; docs/instruments.md shows an example.",
        ),
        (
            "maximum = 4",
            'maximum = "four"',
            "maximum: expected a number, got text in quotes; docs/instruments.md shows an example.",
        ),
        (
            'ingredients = ["empathy"]',
            "ingredients = [1]",
            "[[items]] no. 1, ingredients no. 1: expected text in quotes, got a whole number; "
            "docs/instruments.md shows an example.",
        ),
        (
            "heard = 4, rushed",
            'heard = "4", rushed',
            "[[vectors]] no. 1, answers: expected a number, got text in quotes; docs/instruments.md shows an example.",
        ),
        (
            'status = "open"',
            'status = "free"',
            "licence.status: 'free' is not a status; use 'open' or 'restricted'.",
        ),
        (
            "decimals = 0",
            f"decimals = 0x{'f' * 5000}",
            "decimals: the number is too large; give a small one.",
        ),
        (
            "total_at_least = 2",
            f"total_at_least = 2\ningredient_at_least = {{ goals = 0x{'f' * 5000} }}",
            "missing.ingredient_at_least.goals: the number is too large; give a small one.",
        ),
        (
            'name = "Two questions"',
            "name = Two questions",
            "line 2, column 8: not TOML (Invalid value); docs/instruments.md shows an example.",
        ),
    ],
)
def test_a_wrong_definition_is_refused_with_file_place_and_way_out(
    write: Callable[..., Path], old: str, new: str, sentence: str
) -> None:
    file = write(old, new)
    with pytest.raises(InstrumentError) as refused:
        load_instruments(file.parent)
    assert str(refused.value) == f"{file}, {sentence}"


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (f"decimals = {'9' * 5000}", "it has a number with thousands of digits; write a shorter one."),
        (f"decimals = {'[' * 5000}{']' * 5000}", "lists or tables are nested too deeply; docs/"),
    ],
)
def test_what_python_gives_up_on_is_refused_too(write: Callable[..., Path], new: str, sentence: str) -> None:
    file = write("decimals = 0", new)
    with pytest.raises(InstrumentError) as refused:
        load_instruments(file.parent)
    assert str(refused.value).startswith(f"{file}: {sentence}")


def test_anchors_are_wording_too(write: Callable[..., Path]) -> None:
    file = write('status = "open"', 'status = "restricted"')
    text = file.read_text().replace('client = "I was heard."\n', "")
    file.write_text(text + '[anchors]\nlowest = "never"\nhighest = "always"\n')
    with pytest.raises(InstrumentError, match="anchors: wording of a restricted instrument; take it out"):
        load_instrument(file)


def test_an_instrument_without_items_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    items = re.compile(r"\[\[items\]\].*?(?=\[missing\])", re.DOTALL)
    file.write_text(items.sub("", VALID).replace("[licence]", "items = []\n\n[licence]"))
    with pytest.raises(InstrumentError, match=r"items: there are none; add an \[\[items\]\] table for each question"):
        load_instrument(file)


def test_a_shipped_instrument_cannot_be_redefined(write: Callable[..., Path]) -> None:
    file = write('id = "mood-2/1"', 'id = "srs/3"')
    with pytest.raises(InstrumentError) as refused:
        load_instruments(file.parent)
    assert str(refused.value) == (
        f"{file}, id: 'srs/3' is a shipped instrument and cannot be redefined; "
        "give yours another name, such as 'my-srs/3'."
    )


def test_two_files_of_a_practice_cannot_define_the_same_instrument(write: Callable[..., Path]) -> None:
    first, second = write(name="a.toml"), write(name="b.toml")
    with pytest.raises(InstrumentError) as refused:
        load_instruments(first.parent)
    assert str(refused.value) == (
        f"{second}, id: 'mood-2/1' is already defined in {first}; give one of the two another id."
    )


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError, match="there is no such folder; create it, or leave ALLIANCE_INSTRUMENTS"):
        load_instruments(tmp_path / "nowhere")


def test_a_file_that_is_not_text_or_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('id = "größe/1"'.encode("latin-1"))
    with pytest.raises(InstrumentError, match=r"latin.toml, byte 9: not UTF-8; save the file as UTF-8\."):
        load_instruments(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(
        InstrumentError, match=r"folder.toml: cannot be read \(Is a directory\); move it out of the folder\."
    ):
        load_instruments(tmp_path)


def test_the_fingerprint_is_short_and_does_not_depend_on_the_order(write: Callable[..., Path]) -> None:
    instruments = load_instruments(write().parent)
    print_of_all = fingerprint(instruments)
    assert re.fullmatch("[0-9a-f]{12}", print_of_all)
    assert fingerprint(dict(reversed(list(instruments.items())))) == print_of_all
    assert fingerprint(SHIPPED) != print_of_all


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("I was heard.", "I felt heard.", False),
        ('"Two questions"', '"Both questions"', False),
        ("A guess.", "A study.", False),
        ("below = 5", "below = 6", True),
        ("raw = 0.8", "raw = 0.9", True),
        ("total_at_least = 2", "total_at_least = 1", True),
        ('["empathy"]', '["empathy", "trust"]', True),
        ('["communication", "goals"]', '["goals", "communication"]', False),
    ],
)
def test_the_fingerprint_follows_the_rules_and_not_the_wording(
    write: Callable[..., Path], old: str, new: str, changes: bool
) -> None:
    without_example = re.sub(r"\[\[vectors\]\].*", "", VALID, flags=re.DOTALL)
    file = write()
    file.write_text(without_example)
    before = fingerprint(load_instruments(file.parent))
    file.write_text(without_example.replace(old, new, 1))
    assert (fingerprint(load_instruments(file.parent)) != before) is changes
