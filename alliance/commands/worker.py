"""`alliance worker`: the process that turns events into flags and summaries.

In: settings. Out: the worker of `pipeline.worker`, until it is asked to end.
Never: start without the topics.
"""

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from alliance.commands.context import (
    OperatorError,
    effective_settings,
    known_instruments,
    known_prior,
    listening,
    version,
)
from pipeline.runtime.settings import Settings

if TYPE_CHECKING:
    from pipeline.runtime.health import Health

log = logging.getLogger(__name__)


@click.command()
def worker() -> None:
    """Process the stream: check-ins to flags and summaries."""
    from pipeline.runtime.health import Health
    from pipeline.runtime.http import serve
    from pipeline.runtime.metrics import Meters
    from pipeline.worker.app import create_app, run_app
    from pipeline.worker.faust.resume_endpoint import ResumeEndpoint

    settings = effective_settings()
    instruments, prior = known_instruments(settings), known_prior(settings)
    health, meters, resume = Health("worker"), Meters(version()), ResumeEndpoint()
    with listening(settings, "worker") as address:
        serve(*address, health, meters.registry, post=resume.reply)
    _wait_for_topics(settings, health)
    run_app(create_app(settings, instruments, prior, health, meters, resume), settings.log_level)


def _wait_for_topics(settings: Settings, health: "Health") -> None:
    """Wait for the broker; raises `OperatorError` if a topic is missing."""
    missing = _missing_topics(settings, health)
    if missing is None:
        log.warning("No broker answers. The worker waits for one; nothing is lost.")
    while missing is None:
        threading.Event().wait(1.0)
        missing = _missing_topics(settings, health)
    if missing:
        raise OperatorError(f"These topics do not exist: {', '.join(missing)}. Create them with `alliance topics`.")


def _missing_topics(settings: Settings, health: "Health") -> list[str] | None:
    """The topics that do not exist, or None while no broker answers."""
    from kafka.errors import KafkaError

    from pipeline.runtime.broker_probe import probe_broker
    from pipeline.runtime.topic_admin import missing_topics

    # Without a broker, kafka-python takes half a minute to say so when it is asked for topics.
    if probe_broker(settings.kafka, health):
        with suppress(KafkaError):
            return missing_topics(settings)
        health.waits_for("broker", "no broker answers")
    return None
