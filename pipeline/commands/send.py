"""`alliance send FILE`.

In: a file of CloudEvents (JSON lines), or CSV with a mapping. Out: records on the log; a line that tells what became of
the file; exit code 0 all sent, 1 some refused, 2 not finished.
"""

import sys
import time
from pathlib import Path

import click

from pipeline.commands.setup import Mendable, effective_settings, known_instruments, with_broker


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="For CSV: a TOML mapping."
)
@click.option("--bad", type=click.Path(dir_okay=False, path_type=Path), help="Write refused lines to this new file.")
@click.option("--from-line", type=click.IntRange(min=1), default=1, help="Go on from this line.")
def send(file: Path, mapping: Path | None, bad: Path | None, from_line: int) -> None:
    """Put a file of events on the log; see docs/sending.md."""
    from pipeline.doors import log
    from pipeline.doors.mapping import MappingError, load_mapping
    from pipeline.doors.producers import close
    from pipeline.doors.send import send_file
    from pipeline.doors.send_report import BadFileError, ConsoleReport, bad_file

    settings = effective_settings()
    instruments = known_instruments(settings)
    try:
        loaded = None if mapping is None else load_mapping(mapping)
        kept = None if bad is None else bad_file(bad, file, loaded)
        producer = with_broker(settings, lambda: log.producer(settings))
        with ConsoleReport(file, kept) as report:
            outcome = send_file(
                file,
                producer,
                instruments,
                loaded,
                report=report,
                clock_ms=lambda: time.time_ns() // 1_000_000,
                from_line=from_line,
            )
        close(producer, 5.0)
    except (MappingError, BadFileError) as error:
        raise Mendable(str(error)) from None
    except OSError as error:
        raise Mendable(f"The file cannot be read ({error.strerror}). Check its name and rights.") from None
    click.echo(outcome.closing_line)
    sys.exit(outcome.exit_code)
