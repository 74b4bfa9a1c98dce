"""`alliance calibrate EVENTS.jsonl --out PRIOR.json`.

In: a history. Out: the practice's own prior (variance components only, no figure of a case or a therapist), estimated
from one instrument. If the data do not allow an estimate: a sentence that says why, and exit code 1.
Never: mix instruments in one estimate.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from alliance.commands.backtest import read_history, require_accepted
from alliance.commands.context import OperatorError, effective_settings, known_instruments
from alliance.commands.files import FILE, HISTORY, check_output, write_output


@click.command()
@click.argument("events", type=HISTORY)
@click.option("--out", type=FILE, help="Write the prior here (ALLIANCE_PRIOR).")
@click.option("--instrument", metavar="NAME", help="Estimate from this instrument, if the history has several.")
def calibrate(events: Path, out: Path | None, instrument: str | None) -> None:
    """Estimate the practice's own prior from its history: variance components with their uncertainty."""
    from alliance.evaluation.backtest import (
        calibration_cases,
        counted,
        histories_of,
        refusal_lines,
        scored_by_instrument,
    )
    from alliance.evaluation.calibration import calibrate as run
    from alliance.evaluation.calibration import calibration_text
    from pipeline.core.detection.prior import DEFAULT_MODEL, encode_prior, measurement_models

    instruments = known_instruments(effective_settings())
    if out is not None:
        check_output("--out", out, events)
    histories = read_history(events, lambda lines: histories_of(lines, instruments))
    require_accepted(events, histories)
    counts = scored_by_instrument(histories)
    chosen = _chosen(counts, instrument)
    model = measurement_models(instruments).get(chosen or "", DEFAULT_MODEL)
    found = run(calibration_cases(histories, chosen, model))
    click.echo("\n".join(refusal_lines(histories)))
    if chosen is not None:
        click.echo(f"estimated from {counted(counts[chosen], 'scored check-in')} of {chosen} alone")
    click.echo(calibration_text(found))
    if found.refusal is not None:
        sys.exit(1)
    click.echo("This prior applies to every instrument, no matter which one it was estimated from.")
    if out is not None:
        write_output("--out", out, lambda file: file.write(encode_prior(found.prior) + b"\n"))
        click.echo(f"prior written to {out}; set ALLIANCE_PRIOR to this file for the worker and for backtests")


def _chosen(counts: Mapping[str, int], asked: str | None) -> str | None:
    """The instrument to estimate from; None if nothing was scored and none was named. Raises `OperatorError`."""
    held = ", ".join(f"{name} ({count} scored check-ins)" for name, count in counts.items()) or "none"
    if asked is None and len(counts) > 1:
        raise OperatorError(
            f"The history has several instruments, and a prior is estimated from one: {held}. "
            "Name it with --instrument NAME."
        )
    if asked is not None and asked not in counts:
        raise OperatorError(
            f"The history has no scored check-in of {asked}; it has {held}. Name one of those with --instrument."
        )
    return asked if asked is not None else next(iter(counts), None)
