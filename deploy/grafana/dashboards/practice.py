"""*Practice*: what directors open. How are alliance, completion and repair, and how do they change?

In: the exporter's sums and counts. Out: the dashboard.
Never: one therapist, one client.
"""

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.config import BLUE, CONFIG, GREY, PURPLE, TEAL
from deploy.grafana.dashboards.page import a_dashboard
from deploy.grafana.dashboards.panels import (
    About,
    PanelBuilder,
    Query,
    link_to,
    series,
    stat,
    state,
    table,
    with_key_link,
)
from deploy.grafana.dashboards.queries import NO_FLAG_WAITS, TEAMS, reference, share, state_above, state_below

SCORE, SHARE, SECONDS = CONFIG.score_unit, CONFIG.share_unit, CONFIG.seconds_unit
NUMBER, FEWEST = "Scored cases (n)", "Cases with an ingredient, the fewest (n)"
IN_TIME = CONFIG.acknowledge_seconds


def practice() -> dashboard.Dashboard:
    """The dashboard."""
    return a_dashboard(
        CONFIG.practice,
        "For directors: alliance, completion and repair in the whole practice, and how they change. Sums over "
        "therapists; no therapist's own figures.",
        "now-90d",
        [*_now(), *_trends(), _teams()],
    )


def _now() -> list[PanelBuilder]:
    return [
        stat(
            About(
                1,
                "Alliance now",
                "The mean of each case's latest client check-in, from 0 (worst) to 1 (best), over the scored cases of "
                "therapists with at least five of them. Clients tend to answer near the top.",
                "One reading means little. A fall of 0.03 or more that lasts four weeks in the trend below is worth a "
                "question.",
                "Look at the trend, then at the ingredients: which of the four falls?",
                (0, 0, 4, 7),
            ),
            [
                Query("Mean (0–1)", TEAMS.mean(), SCORE, 2),
                Query(NUMBER, TEAMS.total("scored_cases")),
                Query(
                    "of active cases",
                    share(TEAMS.total("scored_cases"), TEAMS.total("active_cases")),
                    SHARE,
                ),
            ],
            link_to(CONFIG.therapists, therapist="$__all"),
        ),
        stat(
            About(
                2,
                "Check-ins completed",
                "Sessions of the last 28 days with a scored client check-in, as a share of the sessions held.",
                f"Below {CONFIG.completion_expected:.0%} look closer; below {CONFIG.completion_least:.0%} the alliance "
                "figures no longer represent the practice, since unhappy clients answer less often.",
                "Open Quality: is it one team, or all? Ask how the check-in is offered.",
                (4, 0, 4, 7),
            ),
            [
                Query("of sessions held", TEAMS.completion(), SHARE),
                state(state_below(TEAMS.completion(), CONFIG.completion_expected, CONFIG.completion_least)),
                Query("Sessions held (n)", TEAMS.total("sessions_held")),
            ],
            link_to(CONFIG.quality),
        ),
        stat(
            About(
                3,
                "Cases with an open flag",
                "Active cases that look like a rupture right now, as a share of active cases. A flag is a reason for a "
                "conversation, not a failure: about one case in four meets a rupture.",
                "When the share rises for weeks while repair falls.",
                "Open Flags and repair: who waits, and for how long?",
                (8, 0, 4, 7),
            ),
            [
                Query("of active cases", TEAMS.flagged(), SHARE, 1),
                Query("Open flags", TEAMS.total("open_flag_cases", inner=("severity",))),
                Query("Active cases (n)", TEAMS.total("active_cases")),
            ],
            link_to(CONFIG.flags, therapist="$__all"),
        ),
        stat(
            About(
                4,
                "Ruptures repaired",
                "Flags that ended in the last 90 days with the score back at the case's own level, as a share of the "
                "flags that ended repaired or unrepaired.",
                f"Below {CONFIG.repair_expected:.0%} look closer, below {CONFIG.repair_least:.0%} act. Published work "
                "finds a little over half repaired. With fewer than 20 ended flags the share varies strongly.",
                "Talk about repair in supervision; see by team below.",
                (12, 0, 4, 7),
            ),
            [
                Query("of ended flags", TEAMS.repaired(), SHARE),
                state(state_below(TEAMS.repaired(), CONFIG.repair_expected, CONFIG.repair_least)),
                Query("Ended flags (n)", TEAMS.ended_flags()),
            ],
            link_to(CONFIG.flags, therapist="$__all"),
        ),
        stat(
            About(
                5,
                "Longest wait",
                "How long the flag that has waited longest has been open without an acknowledgement.",
                "Over a day look closer, over three days act: the alert reaches no one, or the supervisor is away.",
                "Open Flags and repair, find the therapist, and arrange cover.",
                (16, 0, 4, 7),
            ),
            [
                Query("unacknowledged", TEAMS.waiting(), SECONDS, 1, words=NO_FLAG_WAITS),
                state(state_above(TEAMS.waiting(), IN_TIME, CONFIG.acknowledge_seconds_most)),
                Query(
                    "therapists with one waiting (n)",
                    f"sum({TEAMS.each('oldest_unacknowledged_flag_timestamp_seconds')} > bool 0)",
                ),
            ],
            link_to(CONFIG.flags, therapist="$__all"),
        ),
        stat(
            About(
                6,
                "Acknowledged in a day",
                "Flags acknowledged in the last 28 days within 24 hours, as a share of those acknowledged. Flags that "
                "still wait are not in it: read it beside the longest wait.",
                f"Below {CONFIG.acknowledged_in_time_expected:.0%} look closer, below "
                f"{CONFIG.acknowledged_in_time_least:.0%} act.",
                "Check the on-call roster and who receives the alerts.",
                (20, 0, 4, 7),
            ),
            [
                Query("of acknowledged", _in_time(), SHARE),
                state(state_below(_in_time(), CONFIG.acknowledged_in_time_expected, CONFIG.acknowledged_in_time_least)),
                Query("Acknowledged (n)", TEAMS.acknowledged("28d")),
            ],
            link_to(CONFIG.flags, therapist="$__all"),
        ),
    ]


def _in_time() -> str:
    return share(TEAMS.acknowledged("28d", within=IN_TIME), TEAMS.acknowledged("28d"))


def _trends() -> list[PanelBuilder]:
    number = Query(NUMBER, TEAMS.total("scored_cases"), colour=GREY, on_the_right=True)
    return [
        series(
            About(
                7,
                "Alliance over time",
                "The mean of the latest client check-ins (left axis, always 0–1) and the number of cases behind it "
                "(right axis).",
                "A slope that lasts four weeks. If n jumps at the same moment, the cases have changed and not how "
                "clients feel.",
                "See which ingredient moves, then which team.",
                (0, 7, 12, 9),
            ),
            [Query("Mean alliance (0–1)", TEAMS.mean(), SCORE, 2, colour=BLUE), number],
            most=1,
            axis="alliance, 0–1",
        ),
        series(
            About(
                8,
                "The four ingredients",
                "Trust, empathy, goals and communication, each as the mean of the latest client check-ins (0–1) of the "
                "cases that answered it, and how many those are for the ingredient with the fewest.",
                "One line falls away from the other three.",
                "Make that ingredient the theme of the next team supervision.",
                (12, 7, 12, 9),
            ),
            [
                Query("{{ingredient}}", TEAMS.ingredient_means(), SCORE, 2),
                Query(FEWEST, f"min({TEAMS.ingredient_cases()})", colour=GREY, on_the_right=True),
            ],
            most=1,
            axis="alliance, 0–1",
        ),
        series(
            About(
                9,
                "Completion over time",
                "Share of sessions with a scored client check-in, over the 28 days before each point.",
                "The line crosses one of the named levels and stays there.",
                "Open Quality and compare the teams.",
                (0, 16, 12, 8),
            ),
            [
                Query("Completed", TEAMS.completion(), SHARE, colour=TEAL),
                Query(
                    "expected at least",
                    reference(CONFIG.completion_expected, TEAMS.total("active_cases")),
                    SHARE,
                    colour=GREY,
                    dashed=True,
                ),
                Query(
                    "act below",
                    reference(CONFIG.completion_least, TEAMS.total("active_cases")),
                    SHARE,
                    colour=PURPLE,
                    dashed=True,
                ),
            ],
            most=1,
        ),
        series(
            About(
                10,
                "Open flags and repair over time",
                "Share of active cases with an open flag, and share of ended flags that were repaired (90 days before "
                "each point).",
                "Open flags rise while repair falls.",
                "Open Flags and repair.",
                (12, 16, 12, 8),
            ),
            [
                Query("Cases with an open flag", TEAMS.flagged(), SHARE, colour=PURPLE),
                Query("Ended flags that were repaired", TEAMS.repaired(), SHARE, colour=TEAL),
            ],
            most=1,
        ),
    ]


def _teams() -> PanelBuilder:
    by = ("team",)
    panel = table(
        About(
            11,
            "Teams",
            "Each team's figures now and 28 days ago, in the order of their names. Every mean has its n beside it.",
            "A mean that moved by 0.03 or more with about the same n; completion or repair far below the other teams.",
            "Click a team to see this page for it alone. Teams see different clients: ask before concluding.",
            (0, 24, 24, 6),
        ),
        {"team": "Team"},
        [
            Query("Scored cases (n)", TEAMS.total("scored_cases", *by)),
            Query("Mean alliance (0–1)", TEAMS.mean(*by), SCORE, 2),
            Query("Mean 28 days ago", TEAMS.mean(*by, offset="28d"), SCORE, 2),
            Query("n 28 days ago", TEAMS.total("scored_cases", *by, offset="28d")),
            Query("Active cases", TEAMS.total("active_cases", *by)),
            Query("Sessions, 28 days (n)", TEAMS.total("sessions_held", *by)),
            Query("Completed", TEAMS.completion(*by), SHARE),
            Query("With an open flag", TEAMS.flagged(*by), SHARE, 1),
            Query("Ended flags, 90 days (n)", TEAMS.ended_flags(*by)),
            Query("Repaired", TEAMS.repaired(*by), SHARE),
        ],
        sort_by="Team",
    )
    return with_key_link(panel, "Team", "This page for the team", link_to(CONFIG.practice, team="${__value.text}"))
