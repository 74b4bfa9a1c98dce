"""`alliance store`: the process that keeps the archive, flags, therapists and refused records in SQL.

In: settings. Out: the store of `consumers.store`, until it is asked to end; exit code 2 if it cannot begin.
Never: skip records that Kafka deleted before they were read, unless `--accept-gap` says so.
"""

import click

from alliance.commands.context import (
    OperatorError,
    effective_settings,
    engine_of,
    known_instruments,
    listening,
    stop_on_signal,
    version,
)


@click.command()
@click.option("--accept-gap", is_flag=True, help="Continue although Kafka deleted records before they were read.")
def store(accept_gap: bool) -> None:
    """Keep accepted events, flags, therapists and refused records in SQL."""
    from consumers.start_positions import LogIsShorter, LogStartsLater
    from consumers.store.database import UnusableDatabase
    from consumers.store.run import run_store
    from pipeline.runtime.kafka_clients import client_options

    settings = effective_settings()
    try:
        with listening(settings, "store") as address:
            run_store(
                engine_of("ALLIANCE_DATABASE", settings.database),
                client_options(settings),
                known_instruments(settings),
                address=address,
                group=f"{settings.app_id}-store",
                session_timeout_seconds=settings.session_timeout_seconds,
                accepts_gap=accept_gap,
                version=version(),
                on_stop=stop_on_signal,
            )
    except (LogIsShorter, LogStartsLater) as error:
        raise OperatorError(str(error)) from None
    except UnusableDatabase as error:
        raise OperatorError(f"ALLIANCE_DATABASE {error}.") from None
