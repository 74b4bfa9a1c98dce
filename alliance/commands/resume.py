"""`alliance resume PARTITION`.

In: a partition of the events topic that a worker has paused. Out: a sentence; exit code 2 if the worker refuses.
Never: write to Kafka; the worker itself resumes.
"""

from http.client import HTTPConnection, HTTPException

import click

from alliance.commands.context import OperatorError, effective_settings
from pipeline.runtime.settings import Settings

#: The worker first finishes the batch in progress, which may have to wait for the broker.
PATIENCE_SECONDS = 60.0


@click.command()
@click.argument("partition", type=click.IntRange(min=0))
@click.option(
    "--worker", metavar="HOST:PORT", help="The worker that has the partition (default: the one of the settings)."
)
def resume(partition: int, worker: str | None) -> None:
    """Resume a partition that was paused because too many of its records were refused."""
    address = worker or own_worker(effective_settings())
    status, sentence = ask_worker(address, partition)
    if status != 200:
        raise OperatorError(sentence)
    click.echo(sentence)


def own_worker(settings: Settings) -> str:
    """Where the worker of these settings answers; one that listens on all addresses answers on this machine too."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host
    return f"{host}:{settings.worker_port}"


def ask_worker(address: str, partition: int) -> tuple[int, str]:
    """The answer of a worker: status and sentence. Raises `OperatorError` if none answers."""
    try:
        connection = HTTPConnection(address, timeout=PATIENCE_SECONDS)
        connection.request("POST", f"/resume/{partition}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, HTTPException):
        raise OperatorError(
            f"No worker answers at {address}. Start one, or name another with --worker HOST:PORT."
        ) from None
