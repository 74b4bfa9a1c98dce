"""`alliance resume PARTITION`.

In: a partition of the events topic that a worker has stopped. Out: one sentence; exit code 2 when the worker says no.
Never: touch the log; the worker itself goes on.
"""

from http.client import HTTPConnection, HTTPException

import click

from alliance.commands.context import OperatorError, effective_settings
from pipeline.runtime.settings import Settings

#: The worker waits for the batch under way and for the broker.
PATIENCE_SECONDS = 60.0


@click.command()
@click.argument("partition", type=click.IntRange(min=0))
@click.option("--worker", metavar="HOST:PORT", help="The worker that has the partition. Default: from the settings.")
def resume(partition: int, worker: str | None) -> None:
    """Let a partition go on that was stopped because it brought too many bad records."""
    address = worker or own_worker(effective_settings())
    status, sentence = asked(address, partition)
    if status != 200:
        raise OperatorError(sentence)
    click.echo(sentence)


def own_worker(settings: Settings) -> str:
    """Where the worker of these settings answers; one that listens everywhere answers here as well."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host
    return f"{host}:{settings.worker_port}"


def asked(address: str, partition: int) -> tuple[int, str]:
    """What a worker answers: status and sentence; raises `OperatorError` when there is none."""
    try:
        connection = HTTPConnection(address, timeout=PATIENCE_SECONDS)
        connection.request("POST", f"/resume/{partition}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, HTTPException):
        raise OperatorError(
            f"No worker answers at {address}. Start one, or name another with --worker HOST:PORT."
        ) from None
