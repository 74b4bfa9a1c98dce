"""The product's rules in practices to which they were not tuned, beside the field's best rule.

In: options: seed, sizes, families. Out: tables; with --write, the measured section of docs/benchmarks/families.md.
Never: a date, or the time that it took, on the page: the same command writes the same page.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from rich.console import Console
from rich.progress import track

from benchmarks.detection_page import with_section
from benchmarks.families.candidate import CandidateFor
from benchmarks.families.case import Family
from benchmarks.families.measure import Row, Sizes, measure
from benchmarks.families.page import lines
from benchmarks.families.registry import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "families.md"
QUICK = Sizes(history=600, judged=600)


def seeds_of(family: str, seed: int, practices: int) -> list[int]:
    """The seeds of a family's practices; each draws other numbers for the family's laws."""
    chance = random.Random(f"{seed} {family}")
    return [chance.randrange(2**31) for _ in range(practices)]


def candidate_named(name: str) -> CandidateFor:
    """The function of this name, MODULE:FUNCTION, that returns the candidate for each group."""
    module, _, function = name.partition(":")
    return cast(CandidateFor, getattr(import_module(module), function))


def measured(given: argparse.Namespace, folder: Path) -> list[Row]:
    """Measure each chosen family, with a progress bar on a terminal."""
    console = Console(stderr=True)
    chosen: list[Family] = [FAMILIES[name] for name in given.only or FAMILIES]
    sizes = QUICK if given.quick else Sizes(given.history, given.judged)
    practices = 1 if given.quick else given.practices
    return [
        measure(family, seeds_of(family.name, given.seed, practices), sizes, folder, given.candidate)
        for family in track(chosen, "families", console=console, disable=not console.is_terminal)
    ]


def candidate_name(given: argparse.Namespace) -> str | None:
    """The candidate's own name, if one is measured."""
    return given.candidate(next(iter(FAMILIES.values())).group).name if given.candidate else None


def section(rows: Sequence[Row], given: argparse.Namespace) -> Iterator[str]:
    """The measured part of the page."""
    command = " ".join(["python -m benchmarks.families", *sys.argv[1:]])
    seeds = ", ".join(f"{row.family} {seeds_of(row.family, given.seed, row.practices)}" for row in rows)
    yield from (
        "## Measured",
        "",
        f"`{command}`",
        "",
        *lines(rows, candidate_name(given)),
        "",
        f"Seeds of the practices: {seeds}.",
    )


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m benchmarks.families")
    options.add_argument("--quick", action="store_true", help="one small practice of each family, about a minute")
    options.add_argument("--seed", type=int, default=1, help="from this number the seed of every practice is drawn")
    options.add_argument("--practices", type=int, default=2, help="practices of each family")
    options.add_argument("--history", type=int, default=3000, help="check-ins to calibrate on, in each practice")
    options.add_argument("--judged", type=int, default=3000, help="check-ins to judge, in each practice")
    options.add_argument("--only", nargs="+", choices=sorted(FAMILIES), metavar="FAMILY", help="only these families")
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the practices' events and truth here")
    options.add_argument(
        "--candidate",
        type=candidate_named,
        metavar="MODULE:FUNCTION",
        help="measure a detector too: a function from the judged group to a `benchmarks.families.candidate.Candidate`",
    )
    options.add_argument("--write", action="store_true", help=f"renew the measured section of {PAGE.name}")
    return options


def main() -> int:
    """Measure, print, and write the page if that is asked for."""
    given = _options().parse_args()
    with TemporaryDirectory() as temporary:
        rows = measured(given, given.keep or Path(temporary))
    print("\n".join(lines(rows, candidate_name(given))))
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_section(page, "measured", section(rows, given)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
