"""A picture shows what a flag rests on: scores and what was expected, what is missing, and when it opened and ended."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alliance.evaluation.backtest import backtest
from alliance.evaluation.plots import FlagSpan, Picture, drawn, picture_of, plot_flagged, pyplot
from deploy.testbed.builders import Json, a_checkin, a_closure, a_held, a_missed, an_action
from pipeline.core.detection.history import Point
from schemas.flags import Flag


def a_drop(subject: str = "c-1") -> list[Json]:
    usual = [a_checkin(session, 9.0, subject=subject) for session in range(1, 5)]
    return [*usual, a_checkin(5, 4.0, subject=subject)]


def the_picture(events: Sequence[Json]) -> Picture:
    result = backtest(events)
    assert len({flag.case_id for flag in result.flags}) == 1
    return picture_of(result, result.flags[0].case_id, result.flags)


def an_episode() -> FlagSpan:
    return the_picture(a_drop()).spans[0]


def labels_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_what_a_flag_rests_on_is_in_its_picture() -> None:
    unscored = a_checkin(8, answers={"trust": 5.0})
    events = [
        *a_drop(),
        a_held(6),
        a_missed(7, id="first"),
        a_missed(7, id="second", by="therapist", time="2026-02-16T12:00:00Z"),
        unscored,
        a_checkin(4, 7.0, rater="therapist"),
    ]
    picture = the_picture(events)
    assert [point.score for point in picture.points] == [0.9, 0.9, 0.9, 0.9, 0.4]
    assert (picture.without_checkin, picture.without_score) == ([6], [7])
    assert picture.missed_by_client == [6.5]
    assert len(picture.missed_otherwise) == 1 and 6.5 < picture.missed_otherwise[0] < 7
    assert picture.therapist == [(4, 0.7)]
    assert picture.sessions == 7


def test_check_ins_with_invariant_answers_are_marked_unless_they_are_perfect() -> None:
    uneven = {"trust": 9.0, "empathy": 8.0, "goals": 9.0, "communication": 8.0}
    picture = the_picture(
        [
            a_checkin(1, 10.0),
            a_checkin(2, answers=uneven),
            a_checkin(3, answers={**uneven, "trust": 9.5}),
            a_checkin(4, answers={**uneven, "trust": 9.5}),
            a_checkin(5, 3.0),
            a_checkin(6, 2.0),
        ]
    )
    assert [number for number, _ in picture.invariant] == [4, 5, 6]


@pytest.mark.parametrize(
    ("later", "end"),
    [
        ([], None),
        ([a_checkin(6, 9.0), a_checkin(7, 9.0)], 7.0),
        ([a_held(session) for session in range(6, 14)], 11.0),
        ([a_held(6), a_closure(6)], 6.5),
        ([a_closure(5, time="2026-02-02T11:05:00.000001Z")], 5.5),
    ],
)
def test_an_episode_reaches_from_its_opening_to_its_end(later: list[Json], end: float | None) -> None:
    episode = the_picture([*a_drop(), *later]).spans[0]
    assert episode.start == 5
    if end == 11.0:
        # After six sessions without a repair; the exact one is the lifecycle's business.
        assert episode.end is not None and 10 < episode.end < 13
    else:
        assert episode.end == end


def test_a_dismissed_flag_ends_where_it_was_dismissed() -> None:
    flag_id = backtest(a_drop()).flags[0].flag_id
    episode = the_picture([*a_drop(), an_action("dismissed", flag_id, 5), a_held(6)]).spans[0]
    assert (episode.flag.status, episode.end) == ("dismissed", 5.5)


def test_the_axes_are_whole_sessions_and_the_whole_range() -> None:
    figure = drawn(the_picture(a_drop()))
    axes = figure.axes[0]
    figure.canvas.draw()
    assert axes.get_ylim() == (0.0, 1.0)
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert len(ticks) >= 3 and all(tick == int(tick) for tick in ticks)
    pyplot().close(figure)


def test_the_expected_score_stays_under_the_ceiling_in_a_band_of_the_usual_range() -> None:
    points = [Point(1, 0, 0.9, 0.8, 0.0), Point(2, 1, 1.0, 1.2, 0.0)]
    figure = drawn(Picture([an_episode()], points, 0.06, 2))
    axes = figure.axes[0]
    (line,) = [line for line in axes.lines if line.get_label() == "expected score"]
    assert list(line.get_ydata()) == [0.8, 1.0]
    corners = axes.collections[0].get_paths()[0].vertices
    assert sorted({round(float(y), 6) for x, y in corners if x == 1}) == [0.74, 0.86]
    assert sorted({round(float(y), 6) for x, y in corners if x == 2}) == [0.94, 1.0]
    pyplot().close(figure)


def test_what_is_seen_is_in_the_legend_and_a_check_in_on_a_reversed_scale_is_hollow_and_off_the_line() -> None:
    points = [Point(1, 0, 0.9, 0.9, 0.0), Point(2, 1, 0.1, 0.9, -9.0, True), Point(3, 2, 0.9, 0.9, 0.0)]
    picture = Picture(
        [FlagSpan(an_episode().flag, 1.0, 3.0)],
        points,
        0.06,
        5,
        without_checkin=[4],
        missed_by_client=[4.5],
        missed_otherwise=[4.7],
    )
    figure = drawn(picture)
    seen = labels_of(figure)
    assert {
        "client's score",
        "expected score",
        "flag opens",
        "flag ends",
        "probably on a reversed scale",
        "session without a client check-in",
        "appointment missed by the client",
        "appointment missed, not by the client",
    } <= set(seen)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["probably on a reversed scale"].get_markerfacecolor() == "white"
    assert list(lines["client's score"].get_xdata()) == [1, 3]
    assert list(lines["session without a client check-in"].get_xdata()) == [4]
    pyplot().close(figure)
    plain = drawn(the_picture(a_drop()))
    assert "flag ends" not in labels_of(plain) and "session without a client check-in" not in labels_of(plain)
    pyplot().close(plain)


def test_a_flag_without_checkins_has_a_picture_of_its_sessions() -> None:
    events: list[Json] = [*(a_held(session) for session in range(1, 14)), a_missed(13), a_missed(14, id="again")]
    picture = the_picture(events)
    assert picture.points == [] and picture.without_checkin == list(range(1, 14))
    figure = drawn(picture)
    axes = figure.axes[0]
    assert axes.get_ylim() == (0.0, 1.0)
    assert axes.get_xlim()[0] < 1 and axes.get_xlim()[1] > 13
    assert "no scored check-in of the client" in [text.get_text() for text in axes.texts]
    pyplot().close(figure)


def test_nothing_is_drawn_outside_the_axis() -> None:
    flag = an_episode().flag
    figure = drawn(Picture([FlagSpan(flag, 6.5, 7.5)], [], 0.06, 6, missed_by_client=[6.5, 6.9]))
    assert figure.axes[0].get_xlim()[1] > 7.5
    pyplot().close(figure)


def test_the_words_of_a_picture_are_the_flags_and_never_the_cases() -> None:
    secret = "c-who-is-it"
    result = backtest(a_drop(secret))
    flag: Flag = result.flags[0]
    figure = drawn(picture_of(result, secret, result.flags))
    words = " ".join(figure.get_suptitle().split())
    assert f"1 drop, {flag.severity}, opened at session 5; still open ({flag.flag_id})" in words
    assert flag.explanation in words
    assert secret not in words
    pyplot().close(figure)


def test_as_many_cases_are_drawn_as_wanted_and_pictures_of_an_earlier_run_go(tmp_path: Path) -> None:
    result = backtest([event for case in range(3) for event in a_drop(f"c-{case}")])
    mine = tmp_path / "flagged-mine.png"
    mine.write_bytes(b"kept")
    assert len(plot_flagged(result, tmp_path)) == 3
    drawn_files = plot_flagged(result, tmp_path, most=2)
    assert sorted(tmp_path.iterdir()) == [*drawn_files, mine]
    for file in drawn_files:
        head = file.read_bytes()[:24]
        assert head.startswith(b"\x89PNG") and struct.unpack(">II", head[16:24]) == (1100, 550)
