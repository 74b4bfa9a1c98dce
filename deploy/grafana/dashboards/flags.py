"""*Flags and repair*: what supervisors open. Which flags wait, for how long, and how do they end?

In: the exporter's timely counts of flags. Out: the dashboard.
Never: a case, a client, a flag's own text (that is in the worklist).
"""

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.config import (
    CONFIG,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SEVERITY_COLOURS,
    TEAL,
)
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
    timeline,
    with_key_link,
)
from deploy.grafana.dashboards.queries import (
    NO_FLAG_WAITS,
    TEAMS,
    THERAPISTS,
    reference,
    share,
    state_above,
    state_below,
)

SHARE, SECONDS = CONFIG.share_unit, CONFIG.seconds_unit
IN_TIME, MOST = CONFIG.acknowledge_seconds, CONFIG.acknowledge_seconds_most
SEVERITIES = ("urgent", "warning", "watch")


def flags() -> dashboard.Dashboard:
    """The dashboard."""
    return a_dashboard(
        CONFIG.flags,
        "For supervisors: open flags, how long they wait, whether they are repaired. Cases are in the worklist, "
        "never here.",
        "now-28d",
        [*_now(), _who(), *_trends(), _rows()],
    )


def open_flags(severity: str) -> str:
    """Open flags of one severity; 0 without any."""
    return f"sum({each_with(severity)})"


def each_with(severity: str) -> str:
    """Open flags of one severity, for each therapist."""
    selector = THERAPISTS.matching(f'severity="{severity}"')
    return f"max by (team, therapist) (alliance_therapist_open_flag_cases{selector})"


def _now() -> list[PanelBuilder]:
    in_time = share(TEAMS.acknowledged("28d", within=IN_TIME), TEAMS.acknowledged("28d"))
    return [
        stat(
            About(
                1,
                "Open flags",
                "Cases that look like a rupture right now, by severity. A flag ends when it is repaired, ends "
                "unrepaired, or is dismissed.",
                "Any urgent flag: it needs a conversation today.",
                "Open the worklist (the alert leads there), acknowledge, and talk with the therapist.",
                (0, 0, 6, 7),
            ),
            [Query(severity, open_flags(severity)) for severity in SEVERITIES],
        ),
        stat(
            About(
                2,
                "Longest wait",
                "How long the flag that has waited longest has been open without an acknowledgement.",
                "Over a day look closer; over three days act.",
                "Find the therapist in the table below, acknowledge, or arrange cover.",
                (6, 0, 6, 7),
            ),
            [
                Query("unacknowledged", THERAPISTS.waiting(), SECONDS, 1, words=NO_FLAG_WAITS),
                state(state_above(THERAPISTS.waiting(), IN_TIME, MOST)),
                Query(
                    "therapists with one waiting (n)",
                    f"sum({THERAPISTS.each('oldest_unacknowledged_flag_timestamp_seconds')} > bool 0)",
                ),
            ],
        ),
        stat(
            About(
                3,
                "Acknowledged in a day (teams)",
                "Flags of the teams chosen that were acknowledged in the last 28 days: the share within 24 hours. "
                "Flags that still wait are not in it.",
                f"Below {CONFIG.acknowledged_in_time_expected:.0%} look closer, below "
                f"{CONFIG.acknowledged_in_time_least:.0%} act.",
                "Check the on-call roster and who receives the alerts.",
                (12, 0, 6, 7),
            ),
            [
                Query("of acknowledged", in_time, SHARE),
                state(state_below(in_time, CONFIG.acknowledged_in_time_expected, CONFIG.acknowledged_in_time_least)),
                Query("Acknowledged (n)", TEAMS.acknowledged("28d")),
            ],
        ),
        stat(
            About(
                4,
                "Repaired",
                "Flags of the therapists chosen that ended in the last 90 days: the share that ended repaired.",
                f"Below {CONFIG.repair_expected:.0%} look closer, below {CONFIG.repair_least:.0%} act; with fewer than "
                "20 ended flags the share varies strongly.",
                "Make repair a theme of supervision. One therapist's share comes from too few flags for a conclusion.",
                (18, 0, 6, 7),
            ),
            [
                Query("of ended flags", THERAPISTS.repaired(), SHARE),
                state(state_below(THERAPISTS.repaired(), CONFIG.repair_expected, CONFIG.repair_least)),
                Query("Ended flags (n)", THERAPISTS.ended_flags()),
            ],
        ),
    ]


def _who() -> PanelBuilder:
    any_open = f"sum by (team, therapist) ({THERAPISTS.each('open_flag_cases', 'severity')}) > 0"
    waiting = f"time() - ({THERAPISTS.each('oldest_unacknowledged_flag_timestamp_seconds')} > 0)"
    panel = table(
        About(
            5,
            "Who has open flags",
            "Therapists with at least one open flag, in the order of their pseudonyms: how many of each severity, and "
            "how long the longest has waited without an acknowledgement (– means that all are acknowledged).",
            "Where the last column says “act now”.",
            "Talk with the therapist today, then acknowledge. Click a pseudonym to see this page for that therapist.",
            (0, 7, 24, 13),
        ),
        {"therapist": "Therapist", "team": "Team"},
        [
            *(
                Query(severity.capitalize(), f"{each_with(severity)} and on (team, therapist) ({any_open})")
                for severity in SEVERITIES
            ),
            Query("Longest wait unacknowledged", waiting, SECONDS, 1),
            Query(
                "State",
                f"(({waiting}) > bool {IN_TIME}) + (({waiting}) > bool {MOST})",
                words=("within a day", "over a day: look closer", "over three days: act now"),
                colours=(GREEN, ORANGE, RED),
                width=240,
            ),
        ],
        sort_by="Therapist",
    )
    url = link_to(CONFIG.flags, therapist="${__value.text}")
    return with_key_link(panel, "Therapist", "This page for the therapist", url)


def _trends() -> list[PanelBuilder]:
    beside = TEAMS.total("active_cases")
    return [
        series(
            About(
                6,
                "Open flags over time",
                "Cases with an open flag, by severity. Lines are not stacked.",
                "Urgent ones that stay.",
                "The lowest panel shows which therapists they belong to.",
                (0, 20, 12, 8),
            ),
            [Query(severity, open_flags(severity), colour=SEVERITY_COLOURS[severity]) for severity in SEVERITIES],
        ),
        series(
            About(
                7,
                "Longest unacknowledged wait, by team",
                "For each team, how long its longest waiting flag had waited at that moment.",
                "A line that rises and does not fall: no one acknowledges the flags.",
                "Arrange cover for that team.",
                (12, 20, 12, 8),
            ),
            [
                Query("{{team}}", TEAMS.waiting("team"), SECONDS),
                Query("look closer above", reference(IN_TIME, beside), SECONDS, colour=GREY, dashed=True),
                Query("act above", reference(MOST, beside), SECONDS, colour=PURPLE, dashed=True),
            ],
        ),
        series(
            About(
                8,
                "From flag to acknowledgement (7 days)",
                "The flags that were acknowledged in the 7 days before each point: half of them within the lower line, "
                "nine in ten within the upper line. Right axis: their number.",
                "The upper line stays above a day. With few flags the lines vary strongly.",
                "Check the on-call roster. Flags that still wait are not in it: see the longest wait.",
                (0, 28, 12, 8),
            ),
            [
                Query("nine in ten within", TEAMS.acknowledge_quantile(0.9, "7d"), SECONDS, colour=PURPLE),
                Query("half within", TEAMS.acknowledge_quantile(0.5, "7d"), SECONDS, colour=TEAL),
                Query("Acknowledged (n)", TEAMS.acknowledged("7d"), colour=GREY, on_the_right=True),
            ],
        ),
        series(
            About(
                9,
                "How flags ended (90 days)",
                "Flags that ended in the 90 days before each point, repaired and unrepaired.",
                "Unrepaired overtakes repaired.",
                "Make repair a theme of supervision.",
                (12, 28, 12, 8),
            ),
            [
                Query("repaired", THERAPISTS.total("repaired_flags"), colour=TEAL),
                Query("unrepaired", THERAPISTS.total("unrepaired_flags"), colour=PURPLE),
            ],
        ),
    ]


def _rows() -> PanelBuilder:
    parts = [
        f"{weight} * ({each_with(severity)} > bool 0)"
        for weight, severity in ((1, "watch"), (2, "warning"), (4, "urgent"))
    ]
    # The highest bit of a number from 0 to 7: 0, 1, 2 or 3.
    highest = f"floor(log2(2 * ({' + '.join(parts)}) + 1))"
    return timeline(
        About(
            10,
            "Most severe open flag of each therapist, over time",
            "For each therapist, the highest severity open at that moment, written as a word; a blank stretch has "
            "nothing to show.",
            "“urgent” for a long time: no flag was repaired or dismissed.",
            "Talk with the therapist about what would help, and record what was done.",
            (0, 36, 24, 12),
        ),
        Query(
            "{{therapist}}",
            highest,
            words=("none", "watch", "warning", "urgent"),
            colours=("#E8E8E8", SEVERITY_COLOURS["watch"], SEVERITY_COLOURS["warning"], SEVERITY_COLOURS["urgent"]),
        ),
    )
