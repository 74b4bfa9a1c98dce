"""`alliance exporter`: the process that shows flags and published therapist figures to Prometheus.

In: settings. Out: the exporter of `consumers.exporter`, until it is asked to end.
"""

import click

from alliance.commands.context import effective_settings, listening, stop_on_signal, version


@click.command()
def exporter() -> None:
    """Serve /metrics for Prometheus."""
    from consumers.exporter.run import run_exporter
    from pipeline.runtime.kafka_clients import client_options

    settings = effective_settings()
    with listening(settings, "exporter") as address:
        run_exporter(client_options(settings), address=address, version=version(), on_stop=stop_on_signal)
