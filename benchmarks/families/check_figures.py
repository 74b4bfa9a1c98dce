"""Prints the figures of every family over a few seeds.

In: `python -m benchmarks.families.check_figures [seeds] [check-ins]`. Out: one row for each practice.
Never: a verdict.
"""

import sys

from benchmarks.families.figures import Figures, figures
from benchmarks.families.registry import FAMILIES

HEADER = (
    "family seed forms rupt step | mean perf betw with lag | log share SD <.03 .08 .18 > | offset SD | "
    "stiff >=10% >=50% | missing ± | <.9"
)


def row(name: str, seed: int, found: Figures) -> str:
    """One practice."""
    shares = " ".join(f"{value:4.2f}" for value in found.log_share_sds)
    offsets = " ".join(f"{value:4.3f}" for value in found.offset_sds)
    return (
        f"{name:23} {seed} {found.checkins:5} {found.ruptures:.2f} {found.step:.3f} | {found.mean:.2f} "
        f"{found.perfect:.2f} {found.between:.3f} {found.within:.3f} {found.lag:5.2f} | {shares} | {offsets} | "
        f"{found.stiff:.3f} {found.clients_tenth_stiff:.2f} {found.clients_half_stiff:.2f} | "
        f"{found.missing:.2f} {found.missing_sd:.2f} | {found.under_cutoff:.2f}"
    )


def main() -> None:
    """Print a few practices of every family."""
    seeds, checkins = (int(value) for value in (sys.argv[1:] + ["3", "3000"][len(sys.argv) - 1 :]))
    print(HEADER)
    for name, family in FAMILIES.items():
        for seed in range(1, seeds + 1):
            print(row(name, seed, figures(family.practice(seed, checkins))), flush=True)


if __name__ == "__main__":
    main()
