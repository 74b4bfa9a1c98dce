"""Runner: the project's own worker, on either engine, with the agent `cases` alone or with both agents.

In: a task; the engine (`sets`, `events`), then `both` for both agents. Out: until killed, the worker's job.
Never: the worker's HTTP pages, which nobody asks here.
"""

import sys

import faust

from benchmarks.peers.task import given
from pipeline.core.detection.prior import DEFAULT_PRIOR
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from pipeline.runtime.settings import Settings
from pipeline.worker.app import create_app
from pipeline.worker.faust.resume_endpoint import ResumeEndpoint
from schemas.instruments.registry import load_instruments


def main() -> None:
    """Work."""
    task, engine, is_whole = given(), sys.argv[2], "both" in sys.argv[3:]
    settings = Settings(
        kafka=task.bootstrap,
        app_id=task.name,
        partitions=task.partitions,
        session_timeout_seconds=task.session_seconds,
        engine=engine,
    )
    app = create_app(
        settings,
        load_instruments(None),
        DEFAULT_PRIOR,
        Health("worker"),
        Meters("benchmark"),
        ResumeEndpoint(),
        events=task.source,
        only_cases=not is_whole,
    )
    app.conf.consumer_max_fetch_size = task.fetch_bytes
    faust.Worker(app, loglevel="warning", redirect_stdouts=False, quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
