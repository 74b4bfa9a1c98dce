"""`alliance calibrate EVENTS.jsonl --out PRIOR.json`.

In: a history. Out: the practice's own prior (variance components only, no figure of a case or a therapist), or one
sentence that says why there is too little to go by and what is used instead (exit code 1).
"""

import sys
from pathlib import Path

import click

from pipeline.commands.setup import effective_settings, known_instruments


@click.command()
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the prior here (ALLIANCE_PRIOR).")
def calibrate(events: Path, out: Path | None) -> None:
    """Estimate the practice's own prior from its history: variance components with their uncertainty."""
    from pipeline.backtest import calibration_cases, histories_of
    from pipeline.core.calibration import calibrate as run
    from pipeline.core.calibration import calibration_text
    from pipeline.core.prior import encode_prior

    with events.open("rb") as file:
        histories = histories_of((line for line in file if line.strip()), known_instruments(effective_settings()))
    found = run(calibration_cases(histories))
    click.echo(calibration_text(found))
    if found.refusal is not None:
        sys.exit(1)
    if out is not None:
        out.write_bytes(encode_prior(found.prior) + b"\n")
        click.echo(f"prior written to {out}; set ALLIANCE_PRIOR to it, for the worker and for backtests")
