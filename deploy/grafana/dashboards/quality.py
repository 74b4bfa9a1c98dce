"""*Quality*: what the QI team opens. Do enough clients answer, and what do the rules flag?

In: the exporter's counts. Out: the dashboard.
Never: a score of a therapist (that is *Therapists*, with its limits).
"""

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.config import BLUE, CONFIG, GREY, PURPLE, TEAL
from deploy.grafana.dashboards.page import a_dashboard
from deploy.grafana.dashboards.panels import (
    About,
    PanelBuilder,
    Query,
    bars,
    link_to,
    series,
    stat,
    state,
    table,
    with_key_link,
)
from deploy.grafana.dashboards.queries import TEAMS, outside, reference, share, state_below

SHARE = CONFIG.share_unit
HELD, COMPLETED = TEAMS.total("sessions_held"), TEAMS.total("checkins_completed")


def quality() -> dashboard.Dashboard:
    """The dashboard."""
    return a_dashboard(
        CONFIG.quality,
        "For the QI team: completion, kinds of flags, and how many flags the rules raise. A rule is changed only after "
        "a backtest over last year.",
        "now-90d",
        [*_now(), *_completion(), _by_therapist(), *_flags()],
    )


def _rate() -> str:
    """Flags per 100 scored check-ins of the last 28 days."""
    return f"100 * {share(TEAMS.flags_opened('28d'), COMPLETED)}"


def _now() -> list[PanelBuilder]:
    return [
        stat(
            About(
                1,
                "Completion",
                "Sessions of the last 28 days with a scored client check-in, as a share of sessions held.",
                f"Below {CONFIG.completion_expected:.0%} look closer; below {CONFIG.completion_least:.0%} act.",
                "See by team and therapist below, and ask how the check-in is offered.",
                (0, 0, 6, 6),
            ),
            [
                Query("of sessions held", TEAMS.completion(), SHARE),
                state(state_below(TEAMS.completion(), CONFIG.completion_expected, CONFIG.completion_least)),
                Query("Sessions held (n)", HELD),
            ],
        ),
        stat(
            About(
                2,
                "Coverage of the scores",
                "Scored cases behind the published means, as a share of active cases.",
                "Below a half: the means then represent only the minority that answers.",
                "Raise completion before comparing anything.",
                (6, 0, 6, 6),
            ),
            [
                Query(
                    "of active cases",
                    share(TEAMS.total("scored_cases"), TEAMS.total("active_cases")),
                    SHARE,
                ),
                Query("Scored cases", TEAMS.total("scored_cases")),
                Query("Active cases (n)", TEAMS.total("active_cases")),
            ],
        ),
        stat(
            About(
                3,
                "Flags per 100 check-ins",
                "Flags opened in the last 28 days for every 100 scored client check-ins: the work that the rules "
                "cause.",
                "When supervisors no longer read them. Each rule states how many false flags it expects.",
                "Run a stricter rule over last year with `alliance backtest` before switching it on.",
                (12, 0, 6, 6),
            ),
            [
                Query("per 100 check-ins", _rate(), CONFIG.score_unit, 1),
                Query("Flags opened", TEAMS.flags_opened("28d")),
                Query("Check-ins (n)", COMPLETED),
            ],
        ),
        stat(
            About(
                4,
                "Repair",
                "Flags that ended in the last 90 days: the share that ended repaired.",
                f"Below {CONFIG.repair_expected:.0%} look closer, below {CONFIG.repair_least:.0%} act.",
                "Open Flags and repair.",
                (18, 0, 6, 6),
            ),
            [
                Query("of ended flags", TEAMS.repaired(), SHARE),
                state(state_below(TEAMS.repaired(), CONFIG.repair_expected, CONFIG.repair_least)),
                Query("Ended flags (n)", TEAMS.ended_flags()),
            ],
            link_to(CONFIG.flags, therapist="$__all"),
        ),
    ]


def _completion() -> list[PanelBuilder]:
    beside = TEAMS.total("active_cases")
    return [
        series(
            About(
                5,
                "Completion by team",
                "Share of sessions with a scored client check-in over the 28 days before each point, for each team.",
                "One team moves away from the others, or all cross a named level.",
                "Ask the team how and when the check-in is offered.",
                (0, 6, 12, 9),
            ),
            [
                Query("{{team}}", TEAMS.completion("team"), SHARE),
                Query(
                    "expected at least",
                    reference(CONFIG.completion_expected, beside),
                    SHARE,
                    colour=GREY,
                    dashed=True,
                ),
                Query(
                    "act below",
                    reference(CONFIG.completion_least, beside),
                    SHARE,
                    colour=PURPLE,
                    dashed=True,
                ),
            ],
            most=1,
        ),
        series(
            About(
                6,
                "Sessions and check-ins",
                "Sessions held and scored client check-ins in the 28 days before each point: the n behind completion.",
                "The two lines drift apart, or sessions fall without a holiday.",
                "A sudden fall in both: look at Pipeline health first.",
                (12, 6, 12, 9),
            ),
            [
                Query("Sessions held", HELD, colour=BLUE),
                Query("Check-ins completed", COMPLETED, colour=TEAL),
            ],
        ),
    ]


def _by_therapist() -> PanelBuilder:
    held, done = TEAMS.each("sessions_held"), TEAMS.each("checkins_completed")
    completion, centre = share(done, held), f"scalar({TEAMS.completion()})"

    def bound(z: float) -> str:
        return f"clamp({centre} + {z} * sqrt({centre} * (1 - {centre}) / ({held} > 0)), 0, 1)"

    low, high = bound(-CONFIG.control_z), bound(CONFIG.control_z)
    panel = table(
        About(
            7,
            "Completion by therapist",
            "In the order of pseudonyms: sessions held in 28 days, the share with a check-in, and the range that "
            "chance allows around the share of the teams chosen (99.8 %) at this n.",
            "Where the last column says so, on either side: very high can mean that forms are filled in together.",
            "Ask how the check-in is offered there. Click a pseudonym for that therapist's page.",
            (0, 15, 14, 13),
        ),
        {"therapist": "Therapist", "team": "Team"},
        [
            Query("Sessions (n)", f"{held} > 0"),
            Query("Completed", completion, SHARE),
            Query("Chance from", low, SHARE),
            Query("Chance to", high, SHARE),
            Query(
                "Reading",
                outside(completion, low, high),
                words=("within chance", "outside: ask"),
                colours=(GREY, GREY),
                width=150,
            ),
        ],
        sort_by="Therapist",
    )
    url = link_to(CONFIG.therapists, therapist="${__value.text}")
    return with_key_link(panel, "Therapist", "This therapist", url)


def _flags() -> list[PanelBuilder]:
    return [
        bars(
            About(
                8,
                "Flags opened in 90 days, by kind",
                "Which rule opened the flag: a drop, a slide over several sessions and so on. The number is at the end "
                "of the bar.",
                "One kind makes up nearly everything: its rule may be too sensitive here.",
                "See the rule's page under docs, then `alliance backtest`.",
                (14, 15, 10, 6),
            ),
            Query("{{kind}}", f"{TEAMS.flags_opened('90d', 'kind')} > 0", colour=BLUE),
        ),
        bars(
            About(
                9,
                "Flags opened in 90 days, by severity",
                "How severe they were when they opened. The number is at the end of the bar.",
                "Mostly urgent: the word loses its meaning.",
                "Review the severities of the rules before people stop trusting them.",
                (14, 21, 10, 7),
            ),
            Query("{{severity}}", f"{TEAMS.flags_opened('90d', 'severity')} > 0", colour=BLUE),
        ),
        series(
            About(
                10,
                "Flags per 100 check-ins over time",
                "Flags opened in the 28 days before each point for every 100 scored check-ins of those days.",
                "A step: a rule, an instrument or a team's way of asking has changed on that day.",
                "Find out what changed; run the old rule over the same weeks with `alliance backtest`.",
                (0, 28, 12, 8),
            ),
            [Query("per 100 check-ins", _rate(), CONFIG.score_unit, 1, colour=PURPLE)],
        ),
        series(
            About(
                11,
                "Flags opened in 7 days, by kind",
                "Flags opened in the 7 days before each point, by their kind.",
                "A kind disappears or takes over.",
                "Compare with completion: without check-ins the rules see nothing.",
                (12, 28, 12, 8),
            ),
            [Query("{{kind}}", f"{TEAMS.flags_opened('7d', 'kind')} > 0")],
        ),
    ]
