"""`alliance send FILE`.

In: a file of CloudEvents (JSON lines), or CSV with a mapping. Out: records in Kafka; a line that says how many were
sent and refused; exit code 0 all sent, 1 some refused, 2 not finished.
"""

import sys
import time
from pathlib import Path

import click

from alliance.commands.context import OperatorError, effective_settings, known_instruments, with_broker


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="For CSV: a TOML mapping."
)
@click.option("--bad", type=click.Path(dir_okay=False, path_type=Path), help="Write refused lines to this new file.")
@click.option("--from-line", type=click.IntRange(min=1), default=1, help="Continue from this line.")
def send(file: Path, mapping: Path | None, bad: Path | None, from_line: int) -> None:
    """Send a file of events, or `-` for standard input; see docs/integrators.md."""
    from pipeline.ingest.files.csv_mapping import MappingError, load_mapping
    from pipeline.ingest.files.report import ConsoleReport, bad_lines_file
    from pipeline.ingest.files.sender import BadLinesError, send_file
    from pipeline.runtime.kafka_clients import close_producer, make_producer

    settings = effective_settings()
    instruments = known_instruments(settings)
    file = Path("/dev/stdin") if file == Path("-") else file
    try:
        loaded = None if mapping is None else load_mapping(mapping)
        kept = None if bad is None else bad_lines_file(bad, loaded)
        producer = with_broker(settings, lambda: make_producer(settings))
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
        close_producer(producer, 5.0)
    except MappingError as error:
        raise OperatorError(str(error)) from None
    except BadLinesError as error:
        raise OperatorError(f"{error}.") from None
    except OSError as error:
        raise OperatorError(f"The file cannot be read ({error.strerror}). Check its name and permissions.") from None
    if from_line > 1 and outcome.exit_code == 0 and not outcome.sent:
        raise OperatorError(f"The file has nothing at line {from_line} or after it. Check --from-line.")
    _print_last(outcome.closing_line)
    sys.exit(outcome.exit_code)


def _print_last(line: str) -> None:
    """On stdout, or else on stderr. If both are gone, the exit code still says how it ended."""
    from pipeline.ingest.files.report import discard_output

    for stream in (sys.stdout, sys.stderr):
        try:
            click.echo(line, file=stream)
        except OSError:
            discard_output(stream)
        else:
            return
