"""PromQL, put together.

In: metric names, scopes, windows. Out: expressions that are right with one exporter and with two.
Never: a mean of means; a sum over therapists before `max by (team, therapist)`; a score without its count beside it.
"""

from dataclasses import dataclass

from deploy.grafana.dashboards.config import CONFIG

PREFIX = "alliance_therapist_"


@dataclass(frozen=True)
class Scope:
    """Whose figures: the teams chosen, or the therapists chosen among them."""

    matchers: tuple[str, ...]

    def matching(self, *more: str) -> str:
        """A selector's braces."""
        return "{" + ", ".join((*self.matchers, *more)) + "}"

    def each(self, metric: str, *labels: str, offset: str = "") -> str:
        """One figure per therapist, from whichever exporter."""
        shift = f" offset {offset}" if offset else ""
        by = ", ".join(("team", "therapist", *labels))
        return f"max by ({by}) ({PREFIX}{metric}{self.matching()}{shift})"

    def total(self, metric: str, *by: str, inner: tuple[str, ...] = (), offset: str = "") -> str:
        """The sum over therapists, by some labels or in all."""
        return sum_by(self.each(metric, *inner, offset=offset), *by)

    def mean(self, *by: str, offset: str = "") -> str:
        """Points over cases: the mean of the latest scores."""
        points = self.total("score_points", *by, offset=offset)
        return share(points, self.total("scored_cases", *by, offset=offset))

    def ingredient_cases(self) -> str:
        """Cases behind each ingredient: a scored check-in need not have all of them."""
        return self.total("ingredient_scored_cases", "ingredient", inner=("ingredient",))

    def ingredient_means(self) -> str:
        """Points over the cases that have them, ingredient by ingredient."""
        return share(self.total("ingredient_points", "ingredient", inner=("ingredient",)), self.ingredient_cases())

    def completion(self, *by: str) -> str:
        """Sessions with a scored client check-in among sessions held, 28 days."""
        return share(self.total("checkins_completed", *by), self.total("sessions_held", *by))

    def flagged(self, *by: str) -> str:
        """Active cases with a live flag among active cases."""
        return share(self.total("open_flag_cases", *by, inner=("severity",)), self.total("active_cases", *by))

    def ended_flags(self, *by: str) -> str:
        """Flags of the last 90 days that ended repaired or unrepaired."""
        return f"({self.total('repaired_flags', *by)} + {self.total('unrepaired_flags', *by)})"

    def repaired(self, *by: str) -> str:
        """The repaired among them."""
        return share(self.total("repaired_flags", *by), self.ended_flags(*by))

    def waiting(self, *by: str) -> str:
        """Seconds that the longest waiting unacknowledged flag has waited; 0 if none waits."""
        oldest = self.each("oldest_unacknowledged_flag_timestamp_seconds")
        grouped = f" by ({', '.join(by)})" if by else ""
        return f"(time() - min{grouped} ({oldest} > 0)) or {self.total('active_cases', *by)} * 0"

    def flags_opened(self, window: str, *by: str) -> str:
        """Flags opened in a window. Every exporter counts them all, so they are not added up over exporters."""
        counter = f"increase(alliance_flags_opened_total{self.matching()}[{window}])"
        return sum_by(f"max by (team, kind, severity) ({counter})", *by)

    def acknowledged(self, window: str, *by: str, within: int | None = None) -> str:
        """Flags acknowledged in a window, all of them or those within this many seconds."""
        name = "alliance_flag_acknowledge_seconds_"
        selector = (
            f"bucket{self.matching(f'le={chr(34)}{within:.1f}{chr(34)}')}" if within else f"count{self.matching()}"
        )
        return sum_by(f"max by (team) (increase({name}{selector}[{window}]))", *by)

    def acknowledge_quantile(self, quantile: float, window: str) -> str:
        """The seconds within which this share of the acknowledged flags was acknowledged."""
        counter = f"increase(alliance_flag_acknowledge_seconds_bucket{self.matching()}[{window}])"
        return f"histogram_quantile({quantile}, sum by (le) (max by (team, le) ({counter})))"


TEAMS = Scope(('team=~"$team"',))
THERAPISTS = Scope(('team=~"$team"', 'therapist=~"$therapist"'))


def sum_by(expression: str, *by: str) -> str:
    """A sum, by some labels or in all."""
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"


def share(part: str, whole: str) -> str:
    """Part over whole; nothing where the whole is zero."""
    return f"{part} / ({whole} > 0)"


def state_below(value: str, expected: float, least: float) -> str:
    """0 as expected, 1 below what is expected, 2 below the least."""
    return f"(({value}) < bool {expected}) + (({value}) < bool {least})"


def state_above(value: str, expected: float, most: float) -> str:
    """0 as expected, 1 above what is expected, 2 above the most."""
    return f"(({value}) > bool {expected}) + (({value}) > bool {most})"


def limit(centre: str, count: str, z: float, *, sd: float = CONFIG.case_sd) -> str:
    """centre + z * sd / sqrt(n), kept within 0 and 1; `centre` is one number for all."""
    return f"clamp(scalar({centre}) + {z * sd:.4f} / sqrt({count}), 0, 1)"


def interval_end(mean: str, count: str, z: float, *, sd: float = CONFIG.case_sd) -> str:
    """mean + z * sd / sqrt(n) for each therapist's own mean, kept within 0 and 1."""
    return f"clamp({mean} + {z * sd:.4f} / sqrt({count}), 0, 1)"


def outside(value: str, low: str, high: str) -> str:
    """1 where the value is outside, else 0."""
    return f"(({value} < bool {low}) + ({value} > bool {high}))"


#: Shown instead of a wait of 0 seconds.
NO_FLAG_WAITS = ("no flag waits",)


def reference(value: float, beside: str) -> str:
    """A level to compare with, drawn as a separate series so that the legend names it."""
    return f"0 * ({beside}) + {value:g}"
