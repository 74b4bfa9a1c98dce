"""*Therapists*: a fair comparison, or none. Each therapist's mean against the number of cases behind it.

In: the exporter's sums and counts after disclosure control. Out: the dashboard.
Never: a rank, a colour for high or low, a row for a therapist whose scores are held back.
"""

from grafana_foundation_sdk.models import dashboard

from deploy.grafana.dashboards.config import BLUE, CONFIG, GREY, PURPLE, TEAL
from deploy.grafana.dashboards.page import a_dashboard
from deploy.grafana.dashboards.panels import (
    About,
    PanelBuilder,
    Query,
    funnel,
    link_to,
    series,
    stat,
    table,
    with_key_link,
    words,
)
from deploy.grafana.dashboards.queries import TEAMS, THERAPISTS, interval_end, limit, outside, share

SCORE, SHARE = CONFIG.score_unit, CONFIG.share_unit
KEYS = {"therapist": "Therapist", "team": "Team"}
NUMBER = THERAPISTS.each("scored_cases")
MEAN = share(THERAPISTS.each("score_points"), NUMBER)
#: The practice (or the teams chosen), with which each therapist is compared.
CENTRE = TEAMS.mean()
WARNING, CONTROL = CONFIG.warning_z, CONFIG.control_z
FEWEST = "Cases with an ingredient, the fewest (n)"
GREYS = (GREY, GREY, GREY)

HOW_TO_READ = """\
**Fewer cases, more chance.** A mean over 6 cases swings widely without anything behind it; one over 30 hardly does.
The funnel shows how far chance alone reaches at each number of cases: 19 of 20 therapists are between the inner
lines, 998 of 1000 between the outer lines. A point inside says nothing about the therapist. A point outside, above
or below, is a reason to ask what is different there: clients, setting, how the check-in is offered, last of all the
work.

Therapists with fewer than 5 scored clients are not shown. There is no ranking."""


def therapists() -> dashboard.Dashboard:
    """The dashboard."""
    return a_dashboard(
        CONFIG.therapists,
        "For directors and QI: each therapist's mean against the number of cases behind it, with the limits of chance. "
        "No ranks; no therapist with fewer than five scored clients.",
        "now-90d",
        [_how_to_read(), *_counts(), _funnel(), _table(), _over_time(), _ingredients()],
    )


def _how_to_read() -> PanelBuilder:
    return words(
        About(
            1,
            "How to read this page",
            "What a difference between two therapists can and cannot mean.",
            "When it is used to rank therapists.",
            "Read it before the first look, and again before the first conclusion.",
            (0, 0, 16, 6),
        ),
        HOW_TO_READ,
    )


def _counts() -> list[PanelBuilder]:
    shown = f"(count({NUMBER}) or vector(0))"
    active = f"count({THERAPISTS.each('active_cases')} > 0)"
    return [
        stat(
            About(
                2,
                "Who is shown",
                "Therapists with scores on this page, and those whose scores are held back because fewer than five of "
                "their clients have a score.",
                "When more than a few are held back for months: check-ins are missing.",
                "Open Quality and look at completion.",
                (16, 0, 4, 6),
            ),
            [Query("shown", shown), Query("held back", f"{active} - {shown}")],
            link_to(CONFIG.quality),
        ),
        stat(
            About(
                3,
                "Outside chance",
                "Therapists outside the outer (99.8 %) limits, on either side. By chance alone it would be 1 in 500.",
                "When it is not 0; outside the inner limits expect 1 in 20.",
                "Look the therapist up in the table and ask, together, what is different there.",
                (20, 0, 4, 6),
            ),
            [
                Query("outside 99.8 % limits", f"sum({_outside(CONTROL)})"),
                Query("outside 95 % limits", f"sum({_outside(WARNING)})"),
                Query("therapists shown (n)", f"count({NUMBER})"),
            ],
        ),
    ]


def _outside(z: float) -> str:
    return outside(MEAN, limit(CENTRE, NUMBER, -z), limit(CENTRE, NUMBER, z))


def _funnel() -> PanelBuilder:
    def line(name: str, z: float, colour: str) -> Query:
        return Query(name, limit(CENTRE, NUMBER, z), SCORE, 3, colour=colour, dashed=True)

    return funnel(
        About(
            4,
            "Mean alliance against number of scored cases",
            "One point per therapist: how many scored cases (across) and their mean (up, always 0–1). The lines are "
            "the limits of chance around the mean of the teams chosen.",
            "A point outside the outer lines, on either side.",
            "Hover for the pseudonym, look it up in the table, and ask what is different there.",
            (0, 6, 24, 11),
        ),
        Query("Scored cases (n)", NUMBER),
        Query("Mean alliance (0–1)", MEAN, SCORE, 3, colour=BLUE),
        [
            line("99.8 % limit, upper", CONTROL, PURPLE),
            line("95 % limit, upper", WARNING, TEAL),
            Query("Mean of the teams chosen", limit(CENTRE, NUMBER, 0), SCORE, 3, colour=GREY),
            line("95 % limit, lower", -WARNING, TEAL),
            line("99.8 % limit, lower", -CONTROL, PURPLE),
        ],
        KEYS,
    )


def _table() -> PanelBuilder:
    def shown(metric: str, *labels: str) -> str:
        """Only beside a score: a therapist whose scores are held back has no row."""
        each = THERAPISTS.each(metric, *labels)
        return f"{each} and on (team, therapist) {NUMBER}"

    completed = share(THERAPISTS.each("checkins_completed"), THERAPISTS.each("sessions_held"))
    panel = table(
        About(
            5,
            "Therapists with at least five scored clients",
            "In the order of their pseudonyms. The interval is the likely range of the therapist's own mean (95 %); "
            "the limits are what chance allows around the mean of the teams chosen, at this n.",
            "Where the last column says so. Overlapping intervals are not a difference.",
            "Click a pseudonym to see that therapist's flags. Talk with the person, not about the number.",
            (0, 17, 24, 13),
        ),
        KEYS,
        [
            Query("Scored cases (n)", NUMBER),
            Query("Mean (0–1)", MEAN, SCORE, 2),
            Query("Interval from", interval_end(MEAN, NUMBER, -WARNING), SCORE, 2),
            Query("Interval to", interval_end(MEAN, NUMBER, WARNING), SCORE, 2),
            Query("95 % limit, lower", limit(CENTRE, NUMBER, -WARNING), SCORE, 2),
            Query("95 % limit, upper", limit(CENTRE, NUMBER, WARNING), SCORE, 2),
            Query("Sessions, 28 days (n)", shown("sessions_held")),
            Query("Completed", f"{completed} and on (team, therapist) {NUMBER}", SHARE),
            Query(
                "Reading",
                f"{_outside(WARNING)} + {_outside(CONTROL)}",
                words=("within chance", "outside 95 %: 1 in 20 by chance", "outside 99.8 %: ask together"),
                colours=GREYS,
                width=260,
            ),
        ],
        sort_by="Therapist",
    )
    url = link_to(CONFIG.flags, therapist="${__value.text}")
    return with_key_link(panel, "Therapist", "Flags and repair of this therapist", url)


def _over_time() -> PanelBuilder:
    mean, number = THERAPISTS.mean(), THERAPISTS.total("scored_cases")
    return series(
        About(
            6,
            "The therapists chosen, over time",
            "Mean of the latest client check-ins of the therapists chosen above, the range of chance around it (95 %), "
            "and the number of cases behind it. Choose one therapist to see only that one.",
            "When the band moves for more than four weeks and n stays about the same.",
            "Compare with the ingredients beside it.",
            (0, 30, 12, 9),
        ),
        [
            Query("Mean alliance (0–1)", mean, SCORE, 2, colour=BLUE),
            Query("95 % interval, upper", interval_end(mean, number, WARNING), SCORE, 2, colour=TEAL, dashed=True),
            Query("95 % interval, lower", interval_end(mean, number, -WARNING), SCORE, 2, colour=TEAL, dashed=True),
            Query("Scored cases (n)", number, colour=GREY, on_the_right=True),
        ],
        most=1,
        axis="alliance, 0–1",
    )


def _ingredients() -> PanelBuilder:
    return series(
        About(
            7,
            "Their four ingredients, over time",
            "Trust, empathy, goals and communication of the therapists chosen, each as the mean of the cases that "
            "answered it, and how many those are for the ingredient with the fewest.",
            "One line falls away from the other three for more than four weeks.",
            "Offer it as a theme for supervision.",
            (12, 30, 12, 9),
        ),
        [
            Query("{{ingredient}}", THERAPISTS.ingredient_means(), SCORE, 2),
            Query(FEWEST, f"min({THERAPISTS.ingredient_cases()})", colour=GREY, on_the_right=True),
        ],
        most=1,
        axis="alliance, 0–1",
    )
