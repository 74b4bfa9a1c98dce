"""The screen of the demonstration: it is drawn at any size, and it never shows a case."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from alliance.demo.screen import Lines, Terminal, screen
from alliance.demo.snapshot import Endpoint, FlagUpdate, Latency, Phase, PublishedTherapist, Snapshot

CASE = "c-0123abcd"
AT = datetime(2026, 11, 4, 13, 24, tzinfo=UTC)


def an_update(number: int = 1, **overrides: Any) -> FlagUpdate:
    facts: dict[str, Any] = {
        "number": number,
        "at": AT,
        "change": "open",
        "kind": "drop",
        "severity": "urgent",
        "team": "north",
        "therapist": "t-07",
        "session_number": 5,
        "explanation": "The check-in after session 5 was far lower than expected (0.41, expected 0.93).",
    }
    return FlagUpdate(**(facts | overrides))


def a_therapist(name: str = "t-07", **overrides: Any) -> PublishedTherapist:
    facts: dict[str, Any] = {
        "therapist": name,
        "team": "north",
        "mean": 0.93,
        "scored_cases": 21,
        "active_cases": 28,
        "sessions_held": 80,
        "checkins_completed": 57,
        "open_flags": {"urgent": 3, "watch": 2},
    }
    return PublishedTherapist(**(facts | overrides))


def a_snapshot(**overrides: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "phase": Phase.LIVE,
        "practice": "A practice that does not exist",
        "to_send": 42_000,
        "sent": 35_000,
        "to_store": 41_600,
        "stored": 34_500,
        "summarised": 34_400,
        "per_second": 31.4,
        "to_row": Latency(p50=0.051, p99=0.239, events=412),
        "to_flag": Latency(p50=0.3, p99=1.25, events=412),
        "clock": AT,
        "live_flags": 8,
        "flag_count": 550,
        "flag_updates": (an_update(2, change="repaired"), an_update(1)),
        "therapists": tuple(a_therapist(f"t-{number:02d}") for number in range(1, 41)),
        "endpoints": (Endpoint(name="gateway", health="ok", url="http://127.0.0.1:20001/docs"),),
        "folder": "/tmp/alliance-demo-x",
    }
    return Snapshot(**(facts | overrides))


def drawn(snapshot: Snapshot, width: int = 150, height: int = 45, second: float = 0.0) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False, record=True)
    console.print(screen(snapshot, width, height, second), height=height)
    return console.export_text()


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (100, 32), (150, 45), (240, 70)])
@pytest.mark.parametrize("phase", list(Phase))
def test_it_is_drawn_in_every_phase_at_every_size(size: tuple[int, int], phase: Phase) -> None:
    for snapshot in (Snapshot(phase=phase, practice="p"), a_snapshot(phase=phase)):
        lines = drawn(snapshot, *size).splitlines()
        assert lines and max(map(len, lines)) <= size[0]
        assert len(lines) <= max(size[1], 24)


def test_a_snapshot_has_no_field_for_a_case() -> None:
    fields = {
        *FlagUpdate.__dataclass_fields__,
        *PublishedTherapist.__dataclass_fields__,
        *Snapshot.__dataclass_fields__,
    }
    assert not {name for name in fields if "case_id" in name or "client" in name or "session_id" in name}
    assert CASE not in drawn(a_snapshot())


def test_a_flag_is_shown_with_its_kind_severity_therapist_and_explanation() -> None:
    text = drawn(a_snapshot())
    assert "opened       urgent  drop        t-07 (north), session 5" in text
    assert "(0.41, expected 0.93)" in text
    assert "repaired     urgent  drop" in text


def test_every_mean_has_its_n_beside_it_and_what_is_not_published_is_not_shown() -> None:
    text = drawn(a_snapshot(therapists=(a_therapist(), a_therapist("t-08", mean=None, scored_cases=None))))
    assert "t-07      north    0.93  21     57/80    3   -   2" in text
    assert "t-08      north       -   -     57/80" in text


def test_pages_turn_until_every_therapist_was_there_in_the_order_of_pseudonyms() -> None:
    seen: list[str] = []
    for page in range(6):
        text = drawn(a_snapshot(flag_updates=()), 100, 40, second=6.0 * page)
        seen += [word for word in text.split() if word.startswith("t-") and word not in seen]
    assert seen == [f"t-{number:02d}" for number in range(1, 41)]


def test_how_long_an_event_takes_is_shown_only_when_events_do_not_queue() -> None:
    assert "accepted to row p50 51 ms p99 239 ms, to flag p50 300 ms p99 1.2 s" in drawn(a_snapshot())
    assert "p50" not in drawn(a_snapshot(phase=Phase.HISTORY))


def test_the_terminal_gets_its_screen_back() -> None:
    output = io.StringIO()
    with Terminal(Console(file=output, force_terminal=True, width=100, height=30)) as terminal:
        terminal.show(a_snapshot())
    assert output.getvalue().startswith("\x1b[?1049h")
    assert output.getvalue().endswith("\x1b[?1049l")


def test_in_a_pipe_each_phase_is_written_once_and_each_change_of_the_live_weeks_once() -> None:
    lines: list[str] = []
    with Lines(lines.append) as pipe:
        pipe.show(a_snapshot(phase=Phase.HISTORY, flag_updates=(an_update(1),)))
        for _ in range(2):
            pipe.show(
                a_snapshot(phase=Phase.LIVE, flag_updates=(an_update(3, change="repaired"), an_update(2), an_update(1)))
            )
    assert lines.count("Live: the last weeks, faster than real time.") == 1
    assert any("8 still live;" in line for line in lines)  # some of them may be acknowledged
    changes = [line for line in lines if " flag " in line and "urgent drop, t-07" in line]
    assert [line.split(" flag ")[1].split(":")[0] for line in changes] == ["opened", "repaired"]
