"""What all dashboards share: names, links, units, thresholds, windows.

In: nothing. Out: one object.
Never: a query or a panel.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Page:
    """A dashboard's name, its place in a link, and what a link to it carries along."""

    uid: str
    title: str
    variables: tuple[str, ...] = ("team",)


@dataclass(frozen=True)
class ObservabilityConfig:
    """Change it here, run `make dashboards`, and every dashboard follows."""

    tags: tuple[str, ...] = ("alliance",)
    link_prefix: str = "/d/"
    datasource_type: str = "prometheus"
    #: The uid of the provisioned data source, and the default of the variable.
    datasource_uid: str = "prometheus"
    timezone: str = "utc"
    refresh: str = "1m"
    schema_version: int = 42

    practice: Page = Page("alliance-practice", "Alliance / Practice")
    therapists: Page = Page("alliance-therapists", "Alliance / Therapists", ("team", "therapist"))
    flags: Page = Page("alliance-flags", "Alliance / Flags and repair", ("team", "therapist"))
    quality: Page = Page("alliance-quality", "Alliance / Quality")
    pipeline: Page = Page("alliance-pipeline", "Alliance / Pipeline health")

    #: Share of the instrument's range, 0-1; the axis is always the whole of it.
    score_unit: str = "none"
    share_unit: str = "percentunit"
    count_unit: str = "short"
    seconds_unit: str = "s"

    #: SD of the cases' latest scores in the simulated practice, including forms filled in the wrong way round: they
    #: are part of what chance does to a mean.
    case_sd: float = 0.133
    #: Two-sided limits of a funnel: 95 % and 99.8 % (Spiegelhalter 2005, doi:10.1002/sim.1970).
    warning_z: float = 1.96
    control_z: float = 3.09

    completion_expected: float = 0.70
    completion_least: float = 0.50
    #: A flag should be acknowledged within the first, and never wait longer than the second.
    acknowledge_seconds: int = 24 * 3600
    acknowledge_seconds_most: int = 72 * 3600
    acknowledged_in_time_expected: float = 0.80
    acknowledged_in_time_least: float = 0.60
    #: Published work finds a little over half of ruptures repaired (Larsson et al. 2018: 58 %).
    repair_expected: float = 0.50
    repair_least: float = 0.35
    #: Since the newest event: a long weekend is quiet, more is not.
    fresh_seconds: int = 2 * 86400
    fresh_seconds_most: int = 4 * 86400
    #: From Kafka to the end of a stage.
    latency_seconds: float = 5.0
    latency_seconds_most: float = 30.0

    #: Windows of `increase`; everything faster takes `$__rate_interval`.
    windows: frozenset[str] = field(default_factory=lambda: frozenset({"7d", "28d", "90d", "$__range"}))

    @property
    def pages(self) -> tuple[Page, ...]:
        """In the order of the links on top of each dashboard."""
        return (self.practice, self.therapists, self.flags, self.quality, self.pipeline)


CONFIG = ObservabilityConfig()

GREEN, ORANGE, RED = "green", "orange", "red"
#: Colours of series: never of a state, and distinguishable for people who do not see red and green apart.
BLUE, GREY, PURPLE, TEAL = "#3274D9", "#8E8E8E", "#8F3BB8", "#1F8A8A"
#: From light to dark, so that the order shows without the hue; the word is always written beside it.
SEVERITY_COLOURS = {"watch": "#C9A100", "warning": "#E8710A", "urgent": "#A31621"}
