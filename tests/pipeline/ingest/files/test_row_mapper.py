"""CSV rows as practices export them, and the events that they become."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.files.csv_mapping import MappingError, load_mapping
from pipeline.ingest.files.row_mapper import RowError, RowMapper
from schemas.refusals import Reason

GERMAN = """
[file]
delimiter = ";"
encoding = "cp1252"
decimal = ","

[event]
type = "alliance.checkin.submitted.v1"
source = "/export/praxis"
id = { column = "Nr" }
subject = { column = "Fall" }
time = { columns = ["Datum", "Uhrzeit"], format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin" }

[data]
session_id = { columns = ["Fall", "Sitzung"], separator = "-" }
therapist_id = { column = "Therapeut" }
team = "nord"
rater = { column = "Wer", values = { K = "client", T = "therapist" } }
instrument = "checkin-4/1"
revision = { column = "Fassung" }

[answers]
trust = "F1"
empathy = "F2"
goals = "F3"
communication = "F4"
"""
HEADER = ["Nr", "Fall", "Datum", "Uhrzeit", "Sitzung", "Therapeut", "Wer", "Fassung", "F1", "F2", "F3", "F4", "Notiz"]
ROW = ["17", "c-1", "02.03.2026", "17:05", "4", "t-7", "K", "", "8,5", "9", "", " 7 ", "nicht gesendet"]


def mapper(folder: Path, text: str = GERMAN, header: list[str] | None = None) -> RowMapper:
    file = folder / "mapping.toml"
    file.write_text(text, encoding="utf-8")
    return RowMapper(load_mapping(file), header or HEADER)


def row(**cells: str) -> list[str]:
    return [cells.get(name, cell) for name, cell in zip(HEADER, ROW, strict=True)]


def refusal(folder: Path, text: str = GERMAN, **cells: str) -> RowError:
    with pytest.raises(RowError) as caught:
        mapper(folder, text).event(row(**cells))
    return caught.value


def complaint(folder: Path, text: str, header: list[str] | None = None) -> str:
    with pytest.raises(MappingError) as caught:
        mapper(folder, text, header)
    return str(caught.value)


def test_a_row_becomes_a_check_in(tmp_path: Path) -> None:
    assert msgspec.json.decode(mapper(tmp_path).event(ROW)) == {
        "specversion": "1.0",
        "type": "alliance.checkin.submitted.v1",
        "id": "17",
        "source": "/export/praxis",
        "subject": "c-1",
        "time": "2026-03-02T17:05:00+01:00",
        "data": {
            "session_id": "c-1-4",
            "therapist_id": "t-7",
            "team": "nord",
            "rater": "client",
            "instrument": "checkin-4/1",
            "answers": {"trust": 8.5, "empathy": 9, "goals": None, "communication": 7},
        },
    }


def test_a_column_that_the_mapping_does_not_name_goes_nowhere(tmp_path: Path) -> None:
    assert b"nicht gesendet" not in mapper(tmp_path).event(ROW)


def test_the_same_row_is_the_same_event_whenever_it_is_sent(tmp_path: Path) -> None:
    assert mapper(tmp_path).event(ROW) == mapper(tmp_path).event(list(ROW))


def test_a_whole_number_field_is_a_number(tmp_path: Path) -> None:
    assert msgspec.json.decode(mapper(tmp_path).event(row(Fassung="2")))["data"]["revision"] == 2


def test_summer_time_is_known_and_an_hour_that_comes_twice_is_the_first(tmp_path: Path) -> None:
    event = mapper(tmp_path).event
    assert msgspec.json.decode(event(row(Datum="02.07.2026")))["time"].endswith("T17:05:00+02:00")
    assert msgspec.json.decode(event(row(Datum="25.10.2026", Uhrzeit="02:30")))["time"].endswith("T02:30:00+02:00")


def test_iso_times_carry_their_own_offset(tmp_path: Path) -> None:
    text = GERMAN.replace(
        'columns = ["Datum", "Uhrzeit"], format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin"', 'column = "Datum"'
    )
    event = mapper(tmp_path, text).event(row(Datum="2026-03-02T17:05:00.25-03:00"))
    assert msgspec.json.decode(event)["time"] == "2026-03-02T17:05:00.250000-03:00"
    error = refusal(tmp_path, text, Datum="2026-03-02T17:05:00")
    assert (error.reason, error.detail) == (
        Reason.NOT_A_CLOUDEVENT,
        "column Datum: no offset, and the mapping names no zone",
    )


@pytest.mark.parametrize(
    "wrong", ["2026-03-02x17:05Z", "2026-W10-1T17:05Z", "20260302T1705Z", "2026-03-02T17Z", "٢026-03-02"]
)
def test_what_only_looks_like_iso_is_refused(tmp_path: Path, wrong: str) -> None:
    text = GERMAN.replace(
        'columns = ["Datum", "Uhrzeit"], format = "%d.%m.%Y %H:%M", zone = "Europe/Berlin"',
        'column = "Datum", zone = "Europe/Berlin"',
    )
    assert refusal(tmp_path, text, Datum=wrong).detail == "column Datum: not a time of the mapping's format"
    for right in ("2026-03-02", "2026-03-02 17:05", "2026-03-02T17:05:00,5Z", "2026-03-02T17:05+0100"):
        mapper(tmp_path, text).event(row(Datum=right))


def test_with_a_decimal_point_a_comma_is_reported(tmp_path: Path) -> None:
    text = GERMAN.replace('decimal = ","', "")
    assert refusal(tmp_path, text).detail == 'column F1: not a number, the mapping says decimal = "."'


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_the_ends_of_the_calendar_break_nothing(tmp_path: Path, year: str) -> None:
    for day in ("01.01.", "31.12."):
        mapper(tmp_path).event(row(Datum=day + year))


def test_one_file_may_hold_several_types(tmp_path: Path) -> None:
    text = """
    [event]
    type = { column = "what", values = { held = "alliance.session.held.v1", end = "alliance.case.closed.v1" } }
    source = "/export"
    id = { columns = ["case", "day", "what"] }
    subject = { column = "case" }
    time = { column = "day", format = "%Y-%m-%d", zone = "UTC" }
    [data]
    session_id = { columns = ["case", "day"] }
    therapist_id = { column = "who" }
    team = { column = "team", default = "none" }
    reason = { column = "why" }
    """
    event = mapper(tmp_path, text, ["what", "case", "day", "who", "team", "why"]).event
    assert msgspec.json.decode(event(["held", "c-1", "2026-03-02", "t-1", "", ""]))["data"] == {
        "session_id": "c-1/2026-03-02",
        "therapist_id": "t-1",
        "team": "none",
    }
    closed = msgspec.json.decode(event(["end", "c-1", "2026-03-09", "t-1", "north", "planned"]))
    assert closed["id"] == "c-1/2026-03-09/end"
    assert closed["data"] == {"therapist_id": "t-1", "reason": "planned"}


@pytest.mark.parametrize(
    ("cells", "reason", "detail"),
    [
        ({"F1": "acht"}, Reason.INVALID_DATA, "column F1: not a number"),
        ({"F1": "8.5"}, Reason.INVALID_DATA, 'column F1: not a number, the mapping says decimal = ","'),
        ({"F1": "8,5,1"}, Reason.INVALID_DATA, "column F1: not a number"),
        ({"F1": "9" * 5000}, Reason.INVALID_DATA, "column F1: a number too large"),
        ({"F1": "9" * 400 + ",5"}, Reason.INVALID_DATA, "column F1: a number too large"),
        ({"F1": "nan"}, Reason.INVALID_DATA, "column F1: not a number"),
        ({"F1": "1e3"}, Reason.INVALID_DATA, "column F1: not a number"),
        ({"F1": "1_0"}, Reason.INVALID_DATA, "column F1: not a number"),
        ({"F1": "٣"}, Reason.INVALID_DATA, "column F1: not a number"),
        ({"Datum": "2026-03-02"}, Reason.NOT_A_CLOUDEVENT, "column Datum, Uhrzeit: not a time of the mapping's format"),
        ({"Datum": "31.02.2026"}, Reason.NOT_A_CLOUDEVENT, "column Datum, Uhrzeit: not a time of the mapping's format"),
        ({"Wer": "X"}, Reason.INVALID_DATA, "column Wer: a value that the mapping does not name"),
        ({"Fassung": "zwei"}, Reason.INVALID_DATA, "data.revision: not a whole number"),
        ({"Fassung": "9" * 5000}, Reason.INVALID_DATA, "data.revision: not a whole number"),
        (
            {"Datum": "29.03.2026", "Uhrzeit": "02:30"},
            Reason.NOT_A_CLOUDEVENT,
            "column Datum, Uhrzeit: a time that the change of clocks skips",
        ),
        ({"Fall": "\udce9"}, Reason.NOT_JSON, "a cell is not in the encoding that the mapping names"),
    ],
)
def test_a_cell_that_cannot_be_read_refuses_its_row(
    tmp_path: Path, cells: dict[str, str], reason: Reason, detail: str
) -> None:
    error = refusal(tmp_path, GERMAN, **cells)
    assert (error.reason, error.detail) == (reason, detail)


def test_a_row_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="12 cells, the header 13"):
        mapper(tmp_path).event(ROW[:-1])


def test_an_empty_cell_leaves_its_field_out_and_is_never_made_up(tmp_path: Path) -> None:
    assert "therapist_id" not in msgspec.json.decode(mapper(tmp_path).event(row(Therapeut="")))["data"]
    assert msgspec.json.decode(mapper(tmp_path).event(row(Nr="")))["id"] == ""


def test_a_column_that_the_file_lacks_or_has_twice_is_named_and_nothing_else_of_the_file(tmp_path: Path) -> None:
    missing = complaint(tmp_path, GERMAN, ["17", "Anna Beispiel", *HEADER[2:]])
    assert 'no column "Nr"' in missing
    assert "Anna" not in missing
    assert 'two columns "F1"' in complaint(tmp_path, GERMAN, [*HEADER, "F1"])


@given(st.lists(st.text(max_size=20), min_size=len(HEADER), max_size=len(HEADER)))
def test_no_row_breaks_it_and_no_error_repeats_a_cell(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    planted = [f"canary{cell}" if at != 1 else cell for at, cell in enumerate(cells)]
    try:
        mapper(tmp_path_factory.mktemp("mapping")).event(planted)
    except RowError as error:
        assert "canary" not in f"{error} {error.detail}"
