"""Mapping files as people write them: a wrong one is reported with the place and what to do."""

from pathlib import Path

import pytest

from pipeline.ingest.files.csv_mapping import MappingError, load_mapping
from tests.pipeline.ingest.files.test_row_mapper import GERMAN, complaint


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('team = "nord"', "", "data: team is missing; name its column, or give it one value for all rows"),
        ('team = "nord"', 'team = "nord"\nfloor = "2"', 'data: "floor" is not a field of this type'),
        ('"alliance.checkin.submitted.v1"', '"checkin"', 'event.type: "checkin" is not an event type'),
        ('id = { column = "Nr" }', 'id = "1"', "Expected `object`, got `str` - at `$.event.id`"),
        ('id = { column = "Nr" }', "id = {}", "event.id: name either a column or columns"),
        ('id = { column = "Nr" }', 'id = { colum = "Nr" }', "unknown field `colum`"),
        (', zone = "Europe/Berlin"', "", "event.time: the format has no offset (%z)"),
        ('"Europe/Berlin"', '"Europe/Bonn"', "event.time.zone: there is no time zone of that name"),
        ('"Europe/Berlin"', '"../etc"', "event.time.zone: there is no time zone of that name"),
        ('"cp1252"', '"cp12520"', "file.encoding: there is no encoding of that name"),
        ('"cp1252"', '"base64"', "file.encoding: there is no encoding of that name"),
        ('"cp1252"', '"a\\u0000"', "file.encoding: there is no encoding of that name"),
        ('"cp1252"', '"utf-16"', "file.encoding: it does not contain ASCII unchanged; save the file as UTF-8"),
        ('"cp1252"', '"utf-7"', "file.encoding: it does not contain ASCII unchanged; save the file as UTF-8"),
        ('delimiter = ";"', 'delimiter = ";;"', "file.delimiter: it must be one character"),
        ('delimiter = ";"', "delimiter = '\"'", "file.delimiter: it must be one character, and not a quotation mark"),
        ('delimiter = ";"', 'delimiter = "\\n"', "file.delimiter: it must be one character, and not a quotation mark"),
        ("[answers]", "[answers", "docs/integrators.md shows the form"),
        ('trust = "F1"\nempathy = "F2"\ngoals = "F3"\ncommunication = "F4"', "", "answers: there are none"),
    ],
)
def test_a_wrong_mapping_is_reported_with_the_place_and_what_to_do(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in GERMAN
    assert expected in complaint(tmp_path, GERMAN.replace(old, new))


def test_a_mapping_file_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(tmp_path / "none.toml")
