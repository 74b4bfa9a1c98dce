"""`alliance gateway`: the process that accepts check-ins over HTTP.

In: settings. Out: the gateway of `pipeline.ingest.gateway`, until it is asked to end; exit code 2 if it cannot begin.
"""

import click

from alliance.commands.context import OperatorError, effective_settings, known_instruments, listening, version


@click.command()
def gateway() -> None:
    """Accept check-ins over HTTP."""
    try:
        from pipeline.ingest.gateway.app import serve
    except ImportError as error:
        raise OperatorError(
            f"The gateway needs {error.name}. Install it with `pip install 'alliance-monitor[gateway]'`."
        ) from None
    from pipeline.ingest.gateway.api_keys import KeysError
    from pipeline.runtime.http import listen

    settings = effective_settings()
    known_instruments(settings)
    with listening(settings, "gateway") as address:
        listener = listen(*address)
    try:
        serve(settings, listener, version=version())
    except KeysError as error:
        raise OperatorError(str(error)) from None
