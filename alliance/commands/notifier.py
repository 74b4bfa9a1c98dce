"""`alliance notifier`: the process that sends open flags to Alertmanager, which sends the e-mails.

In: settings. Out: the notifier of `consumers.notifier`, until it is asked to end.
"""

import click

from alliance.commands.context import effective_settings, listening, stop_on_signal, version


@click.command()
def notifier() -> None:
    """Send each open flag to Alertmanager until a supervisor acknowledges it."""
    from consumers.notifier.run import run_notifier
    from pipeline.runtime.kafka_clients import client_options

    settings = effective_settings()
    with listening(settings, "notifier") as address:
        run_notifier(
            client_options(settings),
            alertmanagers=settings.alertmanagers,
            worklist_url=settings.worklist_url,
            address=address,
            version=version(),
            on_stop=stop_on_signal,
        )
