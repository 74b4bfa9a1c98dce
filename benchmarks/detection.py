"""Ruptures caught at equal false-alarm rates: the product, the rules used in the field, and a bound.

In: options: a grid of simulated practices (ceiling x depth x autocorrelation x missing check-ins), seeds. Out: a table;
with --write, a section of docs/benchmarks/detection.md.
Never: compute a figure: `detection_practice` simulates, `detection_measure` and `detection_default` count,
`detection_page` writes the text.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from benchmarks.detection_measure import Row, measure
from benchmarks.detection_page import (
    CEILINGS,
    HEAD,
    conditions_line,
    default_section,
    lines_of,
    measured_section,
    regimes_section,
    summary,
    summary_section,
    with_section,
)
from benchmarks.detection_practice import FINEST_STEP, Conditions, Regime, calibrated, practice
from pipeline.core.detection.prior import DEFAULT_PRIOR, measurement_models

DEPTHS = (1.5, 2.5, 4.0)
AUTOCORRELATIONS = (0.0, 0.3, 0.45)
MISSINGNESS = ("random", "informative")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "detection.md"


def regimes(is_quick: bool) -> Iterator[Regime]:
    """The whole grid, or one practice for each ceiling and depth."""
    for ceiling, depth, autocorrelation, missingness in product(CEILINGS, DEPTHS, AUTOCORRELATIONS, MISSINGNESS):
        if not is_quick or (autocorrelation, missingness) == (0.3, "informative"):
            yield ceiling, depth, autocorrelation, missingness


def measured(conditions: Conditions, given: argparse.Namespace) -> list[Row]:
    """All regimes under these conditions, each printed as soon as it is measured."""
    priors = {ceiling: calibrated(ceiling, conditions) for ceiling in CEILINGS} if given.calibrated else {}
    has_bound = not (given.quick or given.no_bound)
    rows = []
    print(HEAD)
    for regime in regimes(given.quick):
        models = measurement_models(conditions.instruments, priors.get(regime[0], DEFAULT_PRIOR))
        practices = [practice(regime, seed, conditions, models) for seed in range(1, conditions.seeds + 1)]
        rows.append(measure(regime, practices, has_bound))
        print("\n".join(lines_of(rows[-1])), flush=True)
    return rows


def write(parts: Sequence[tuple[Conditions, Sequence[Row]]], given: argparse.Namespace, seconds: float) -> None:
    """Renew the section of the page that these options measure."""
    conditions, rows = parts[0]
    size = (
        f"{conditions.seeds} seeds x {conditions.therapists} therapists x {conditions.weeks} weeks for each of "
        f"{len(rows)} regimes"
    )
    head = conditions_line(" ".join(["python -m benchmarks.detection", *sys.argv[1:]]), size, seconds)
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if given.therapist_checkins:
        section = summary_section("Measured with therapists' check-ins", head, [("", rows)])
        page = with_section(page, "measured with therapists", section)
    elif given.calibrated:
        section = summary_section("Measured with a calibrated prior", head, [("", rows)])
        page = with_section(page, "measured calibrated", section)
    elif given.answers_step != [FINEST_STEP]:
        each = [(f"{round(10 / part.answers_step) + 1} answers to each question:", rows) for part, rows in parts]
        page = with_section(page, "measured coarse", summary_section("Measured on coarse scales", head, each))
    else:
        page = with_section(page, "measured", measured_section(rows, head))
        page = with_section(page, "every regime", regimes_section(rows))
    PAGE.write_text(page, encoding="utf-8")


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m benchmarks.detection")
    options.add_argument("--quick", action="store_true", help="nine regimes, smaller practices, no bound")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--therapists", type=int, default=0)
    options.add_argument("--weeks", type=int, default=26)
    options.add_argument("--no-bound", action="store_true", help="without the classifier (needs scikit-learn)")
    options.add_argument("--write", action="store_true", help=f"renew the section of {PAGE.name} that this measures")
    options.add_argument("--calibrated", action="store_true", help="each ceiling with the prior of another practice")
    options.add_argument("--therapist-checkins", action="store_true", help="practices in which therapists answer too")
    options.add_argument(
        "--answers-step",
        type=float,
        nargs="+",
        default=[FINEST_STEP],
        metavar="S",
        help="answers rounded to steps of this size, of 10: 1 for whole numbers, 2.5 for five answers; one run each",
    )
    given = options.parse_args()
    kinds = given.calibrated + given.therapist_checkins + (given.answers_step != [FINEST_STEP])
    if given.write and kinds > 1:
        options.error("--write takes one of --calibrated, --therapist-checkins and --answers-step: a section for each")
    return given


def main() -> int:
    """Measure and print."""
    given = _options()
    started = time.perf_counter()
    parts = []
    for step in given.answers_step:
        conditions = Conditions(
            seeds=given.seeds,
            therapists=given.therapists or (6 if given.quick else 12),
            weeks=given.weeks,
            therapist_checkins=given.therapist_checkins,
            answers_step=step,
        )
        parts.append((conditions, measured(conditions, given)))
        print("\n".join(["", *summary(parts[-1][1]), "", *default_section(parts[-1][1]), ""]), flush=True)
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s")
    if given.write:
        write(parts, given, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
