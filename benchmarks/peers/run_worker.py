"""Runner: the project's own worker with the agent `cases` alone or with both agents, or fetching single events.

In: a task; then `both` for both agents, `events` to fetch single events. Out: the worker's job, until it is killed.
Never: serve the worker's HTTP pages.
"""

import sys

import faust

from benchmarks.peers.task import given
from deploy.testbed.per_event import fetch_single_events
from pipeline.core.detection.prior import DEFAULT_PRIOR
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from pipeline.runtime.settings import Settings
from pipeline.worker.app import create_app
from pipeline.worker.faust.resume_endpoint import ResumeEndpoint
from schemas.instruments.registry import load_instruments


def main() -> None:
    """Work."""
    task, words = given(), sys.argv[2:]
    if "events" in words:
        fetch_single_events()
    settings = Settings(
        kafka=task.bootstrap,
        app_id=task.name,
        partitions=task.partitions,
        session_timeout_seconds=task.session_seconds,
    )
    app = create_app(
        settings,
        load_instruments(None),
        DEFAULT_PRIOR,
        Health("worker"),
        Meters("benchmark"),
        ResumeEndpoint(),
        events=task.source,
        only_cases="both" not in words,
    )
    app.conf.consumer_max_fetch_size = task.fetch_bytes
    faust.Worker(app, loglevel="warning", redirect_stdouts=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
