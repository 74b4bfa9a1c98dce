"""The gateway: events over HTTP.

In: `POST /v1/events` with an API key. Out: records on `alliance.events.v1`, and 202 once the broker has all of them;
`/health`, `/ready`, `/metrics` and the description of all this.
Never: anything of a body, a key or a case in a log line or a URL.
"""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from kafka import KafkaProducer
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException

from pipeline.ingest.gateway import openapi, problems
from pipeline.ingest.gateway.api_keys import Keys, KeysError
from pipeline.ingest.gateway.forwarder import Forwarder
from pipeline.ingest.gateway.metrics import GatewayMeters
from pipeline.ingest.gateway.submit import DEFAULT_LIMITS, GatewayContext, Limits, submit
from pipeline.runtime.health import Health, WaitingCollector
from pipeline.runtime.kafka_clients import make_producer
from pipeline.runtime.settings import Settings
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments
from schemas.topics import EVENTS

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 15

_bearer = HTTPBearer(auto_error=False, description="An API key made with `alliance key NAME`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def create_gateway(
    settings: Settings,
    instruments: Mapping[str, Instrument],
    keys: Keys,
    new_producer: Callable[[], KafkaProducer],
    clock_ms: Callable[[], int],
    *,
    version: str = "0+unknown",
    limits: Limits = DEFAULT_LIMITS,
    topic: str = EVENTS,
) -> FastAPI:
    """An ASGI app; its lifespan watches the broker and makes the producer. `clock_ms`: milliseconds since 1970 UTC."""
    health = Health("gateway")
    forwarder = Forwarder(
        topic,
        settings.kafka,
        new_producer,
        health,
        ack_seconds=limits.ack_seconds,
        probe_seconds=limits.probe_seconds,
    )
    context = GatewayContext(
        keys=keys,
        instruments=instruments,
        clock_ms=clock_ms,
        limits=limits,
        forwarder=forwarder,
        meters=GatewayMeters(version),
    )
    app = _bare_app(version, forwarder, health)
    _add_event_route(app, context)
    _add_health_routes(app, health, context.meters)
    app.add_exception_handler(HTTPException, _not_found)
    # Set here and not as `openapi_extra`: FastAPI leaves out of that what is null, and an answer may be null.
    app.openapi()["paths"]["/v1/events"]["post"]["requestBody"] = openapi.REQUEST_BODY
    return app


def serve(settings: Settings, listener: socket.socket, *, version: str = "0+unknown") -> None:
    """Run the gateway on this socket until SIGTERM or Ctrl-C.

    Raises `KeysError` or `InstrumentError` for a mistake that an operator can fix.
    """
    if not settings.api_keys:
        raise KeysError(
            "The gateway accepts nothing without an API key. Make one with `alliance key NAME`, put its line into a "
            "file, and set ALLIANCE_API_KEYS to that file."
        )
    app = create_gateway(
        settings,
        load_instruments(settings.instruments_folder),
        Keys.read(Path(settings.api_keys)),
        lambda: make_producer(settings),
        lambda: time.time_ns() // 1_000_000,
        version=version,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        # As uvicorn itself ends a process whose lifespan failed.
        sys.exit(3)


def _bare_app(version: str, forwarder: Forwarder, health: Health) -> FastAPI:
    def report_end(task: asyncio.Task[None]) -> None:
        """Only a bug ends the watch; `/health` says so until an operator restarts the process."""
        if not task.cancelled():
            log.critical("the watch over the broker has ended", exc_info=task.exception())
            health.waits_for("gateway", "it no longer watches the broker; restart it")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(forwarder.run())
        watching.add_done_callback(report_end)
        health.waits_for("broker", "no broker has answered yet")
        health.is_ready()
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await forwarder.close()

    return FastAPI(
        title="Alliance Monitor gateway",
        version=version,
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )


def _add_event_route(app: FastAPI, context: GatewayContext) -> None:
    @app.post(
        "/v1/events",
        status_code=202,
        summary="Send one event or a batch",
        responses=openapi.RESPONSES,
    )
    async def send_events(request: Request, credentials: Credentials) -> Response:
        started, status = time.perf_counter(), 500
        try:
            response = await submit(context, request, credentials)
            status = response.status_code
            return response
        finally:
            context.meters.answered(status, time.perf_counter() - started)


def _add_health_routes(app: FastAPI, health: Health, meters: GatewayMeters) -> None:
    meters.registry.register(WaitingCollector(health))

    @app.head("/health", include_in_schema=False)
    @app.head("/ready", include_in_schema=False)
    @app.get("/health", summary="Whether the gateway is healthy; 503 while it waits for the broker")
    @app.get("/ready", summary="Whether the gateway accepts events at this moment; 503 if not")
    async def report() -> Response:
        is_healthy, content = health.report()
        return problems.json_response(200 if is_healthy else 503, content)

    @app.get("/metrics", summary="For Prometheus")
    async def metrics(request: Request) -> Response:
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encoder(meters.registry), headers={"Content-Type": content_type})


async def _not_found(_: Request, error: Exception) -> Response:
    """What the router itself refuses, without repeating the address."""
    assert isinstance(error, HTTPException)
    problem = problems.method_not_allowed() if error.status_code == 405 else problems.not_found()
    return problems.problem_response(problem, error.headers)
