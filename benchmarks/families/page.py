"""The results of the families benchmark as Markdown: what the command prints, and its section of the page.

In: rows of families. Out: lines of Markdown.
Never: a figure that is not in a row.
"""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.families.judge import Counts
from benchmarks.families.measure import PRICES, Row, geometric_mean, ratio

CaughtBy = Callable[[Row, float], Counts]


def lines(rows: Sequence[Row], candidate: str | None = None) -> Iterator[str]:
    """All tables."""
    yield from own_limit_table(rows)
    yield from ("", *group_table(rows, "At the product's own limit, by group", _at_own_limit), "")
    yield from equal_prices_table(rows, "the product's rules", lambda row, price: row.product[price])
    if candidate is not None:
        yield ""
        yield from equal_prices_table(rows, candidate, lambda row, price: row.candidate[price])
        yield ""
        yield from group_table(rows, f"{candidate} at 2 false flags, by group", _candidate_at_two)


def own_limit_table(rows: Sequence[Row]) -> Iterator[str]:
    """The product as it is, and the field's best rule at the same number of false flags."""
    yield from (
        "At the product's own limit, calibrated on other cases of the same practice; pairs are *all ruptures / "
        "withdrawals*:",
        "",
        "| group | family | calibrated | ruptures | false flags per 100 (worst practice) | caught "
        "| the field's best rule at as many | ratio |",
        "|---" * 8 + "|",
    )
    for row in rows:
        of_field, name = row.best_at_own_limit()
        yield (
            f"| {row.group} | {row.family} | {row.calibrated} of {row.practices} | {_whole(row.planted)} "
            f"| {row.false_per_100:.2f} ({row.most_false_per_100:.2f}) | {_pair(row.at_own_limit.share(row.planted))} "
            f"| {_pair(of_field.share(row.planted))} {name} | {_pair(_at_own_limit(row))} |"
        )
    yield from ("", f"* The product's own limit: {_summary([_at_own_limit(row) for row in rows])}")
    worst = max(row.most_false_per_100 for row in rows)
    over = sum(row.false_per_100 > 2 for row in rows)
    yield (
        f"* More than 2.0 false flags per 100 check-ins in {over} of {len(rows)} families; "
        f"the most in a practice: {worst:.2f}."
    )


def group_table(rows: Sequence[Row], title: str, ratio_of: Callable[[Row], Counts]) -> Iterator[str]:
    """The ratio to the field: geometric mean of each group's families, and the worst of them."""
    yield from (
        f"{title}, over the field's best rule: geometric mean (worst family), *all ruptures* and *withdrawals*:",
        "",
        "| group | families | all ruptures | withdrawals |",
        "|---" * 4 + "|",
    )
    for group in dict.fromkeys(row.group for row in rows):
        ratios = [ratio_of(row) for row in rows if row.group == group]
        yield f"| {group} | {len(ratios)} | " + " | ".join(_mean_and_worst(ratios)) + " |"


def equal_prices_table(rows: Sequence[Row], name: str, caught_by: CaughtBy) -> Iterator[str]:
    """Caught at 1, 2 and 3 false flags per 100 check-ins, beside the field's best rule."""
    prices = ", ".join(f"{price:g}" for price in PRICES)
    yield from (
        f"At equal numbers of false flags ({prices} per 100 check-ins): {name}, and in brackets the field's best rule:",
        "",
        "| family | " + " | ".join(f"{price:g} false" for price in PRICES) + " | ratio at 2 |",
        "|---" * (len(PRICES) + 2) + "|",
    )
    for row in rows:
        cells = [
            f"{_pair(caught_by(row, price).share(row.planted))} ({_pair(row.best_at(price)[0].share(row.planted))})"
            for price in PRICES
        ]
        yield f"| {row.family} | {' | '.join(cells)} | {_pair(_ratio_at(row, 2.0, caught_by))} |"
    yield ""
    for price in PRICES:
        yield f"* {price:g} false: {_summary([_ratio_at(row, price, caught_by) for row in rows])}"


def _ratio_at(row: Row, price: float, caught_by: CaughtBy) -> Counts:
    return ratio(caught_by(row, price), row.best_at(price)[0], row.planted)


def _at_own_limit(row: Row) -> Counts:
    return ratio(row.at_own_limit, row.best_at_own_limit()[0], row.planted)


def _candidate_at_two(row: Row) -> Counts:
    return _ratio_at(row, 2.0, lambda of_row, price: of_row.candidate[price])


def _summary(ratios: Sequence[Counts]) -> str:
    both, withdrawal = _mean_and_worst(ratios)
    return f"ratio to the field's best rule, geometric mean (worst family): {both}; withdrawals {withdrawal}."


def _mean_and_worst(ratios: Sequence[Counts]) -> tuple[str, str]:
    both, withdrawal = [found.both for found in ratios], [found.withdrawal for found in ratios]
    return (
        f"{geometric_mean(both):.2f} ({min(both):.2f})",
        f"{geometric_mean(withdrawal):.2f} ({min(withdrawal):.2f})",
    )


def _pair(pair: Counts) -> str:
    return f"{pair.both:.2f} / {pair.withdrawal:.2f}"


def _whole(pair: Counts) -> str:
    return f"{pair.both:.0f} / {pair.withdrawal:.0f}"
