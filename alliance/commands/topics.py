"""`alliance topics`.

In: settings. Out: the topics in Kafka; exit code 2 if a replay is not finished and `--after-replay` was asked for.
Never: delete a topic, or change one that exists except with `--after-replay`.
"""

import click

from alliance.commands.context import OperatorError, ask_database, effective_settings, engine_of, with_broker
from pipeline.runtime.settings import Settings


@click.command()
@click.option("--for-replay", is_flag=True, help="For `alliance replay`: the events topic keeps records of any age.")
@click.option("--after-replay", is_flag=True, help="Give the events topic its usual retention, once all of it is read.")
def topics(for_replay: bool, after_replay: bool) -> None:
    """Create the topics that do not exist yet."""
    from pipeline.runtime.topic_admin import create_topics

    settings = effective_settings()
    created = with_broker(settings, lambda: create_topics(settings, for_replay))
    if after_replay:
        _end_replay(settings)
    click.echo("\n".join(f"created {name}" for name in created) or "all topics exist")


def _end_replay(settings: Settings) -> None:
    from alliance.replay.target import backlog
    from pipeline.runtime.topic_admin import end_replay

    store = engine_of("ALLIANCE_DATABASE", settings.database)
    left = with_broker(settings, lambda: ask_database("ALLIANCE_DATABASE", lambda: backlog(settings, store)))
    if not left.is_empty:
        raise OperatorError(
            f"The worker still has {left.of_worker:,} records to process and the store {left.of_store:,}. Run this "
            "again when both have finished, or Kafka will delete old records before they are read."
        )
    with_broker(settings, lambda: end_replay(settings))
