"""What `alliance rejected list` shows: a table where there is room for it, lines for programs elsewhere."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from alliance.commands.rejected import LEAST_WIDTH, show
from alliance.replay.rejected import RejectedId, RejectedRow
from schemas.refusals import SENTENCES, Reason
from schemas.topics import EVENTS

RECEIVED = datetime(2026, 3, 2, 16, 5, 9, tzinfo=UTC)
DETAIL = "data.answers[...] is not as the schema says"
ROWS = [
    RejectedRow(
        RejectedId(EVENTS, 3, 10**9 + at), reason, DETAIL, SENTENCES[reason], RECEIVED, RECEIVED if at else None
    )
    for at, reason in enumerate(Reason)
]


def shown(width: int, is_terminal: bool) -> str:
    screen = io.StringIO()
    show(ROWS, Console(file=screen, width=width, force_terminal=is_terminal, color_system=None))
    return screen.getvalue()


@pytest.mark.parametrize("width", [LEAST_WIDTH, 100, 200])
def test_on_a_terminal_every_reason_and_place_is_whole_and_every_reason_has_its_sentence(width: int) -> None:
    words = shown(width, is_terminal=True).split()
    for row in ROWS:
        assert {row.reason.value, f"{row.reason.value}:", str(row.id.offset), "2026-03-02"} <= {*words}
    assert DETAIL in shown(200, is_terminal=True)


@pytest.mark.parametrize(("width", "is_terminal"), [(200, False), (20, False), (LEAST_WIDTH - 1, True)])
def test_in_a_pipe_or_without_room_each_record_is_a_line_of_fields(width: int, is_terminal: bool) -> None:
    lines = [line.split("\t") for line in shown(width, is_terminal).splitlines()]
    assert lines[1] == ["2026-03-02 16:05:09", "3", "1000000001", "too-large", DETAIL, "2026-03-02 16:05"]
    assert [line[3] for line in lines] == [*Reason]
    assert lines[0][5] == ""
