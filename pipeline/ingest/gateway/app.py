"""The gateway: events over HTTP.

In: `POST /v1/events` with an API key. Out: records on `alliance.events.v1`, and 202 once the broker holds all of them.
Never: 202 for a record that is not acknowledged; half a batch sent; anything of a body, a key or a case in an answer, a
log line, a metric or a URL.
"""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from kafka import KafkaProducer
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pipeline.core.acceptance import Refusal
from pipeline.ingest.admission import Outgoing, record_of
from pipeline.ingest.gateway import openapi
from pipeline.ingest.gateway.api_keys import Keys, KeysError
from pipeline.ingest.gateway.forwarder import BrokerAway, Forwarder
from pipeline.ingest.gateway.http_binding import BindingError, HttpReason, Mode, events_of, mode_of
from pipeline.ingest.gateway.metrics import GatewayMeters
from pipeline.runtime.health import Health, WaitingCollector
from pipeline.runtime.kafka_clients import make_producer
from pipeline.runtime.settings import Settings
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments
from schemas.refusals import SENTENCES, Reason
from schemas.topics import EVENTS, MAX_EVENT_BYTES

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
SHUTDOWN_SECONDS = 15
#: So much of the body of a request that is not taken is read and forgotten; then the connection is closed.
DISCARD_BYTES = 4 * 1024 * 1024
DISCARD_SECONDS = 5.0
#: Refusals that say that the body could not even be read; every other one is a 422.
_REFUSED_STATUS = {Reason.EMPTY: 400, Reason.NOT_JSON: 400, Reason.TOO_DEEP: 400, Reason.TOO_LARGE: 413}

_bearer = HTTPBearer(auto_error=False, description="An API key made with `alliance key NAME`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may bring, and how long things may take."""

    event_bytes: int = MAX_EVENT_BYTES
    batch_bytes: int = 1024 * 1024
    batch_events: int = 500
    body_seconds: float = 30.0
    ack_seconds: float = 10.0
    probe_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What it takes to answer a request."""

    keys: Keys
    instruments: Mapping[str, Instrument]
    clock_ms: Callable[[], int]
    limits: Limits
    forwarder: Forwarder
    meters: GatewayMeters


def create_gateway(
    settings: Settings,
    instruments: Mapping[str, Instrument],
    keys: Keys,
    make_producer: Callable[[], KafkaProducer],
    clock_ms: Callable[[], int],
    *,
    version: str = "0+unknown",
    limits: Limits = Limits(),
    topic: str = EVENTS,
) -> FastAPI:
    """An ASGI app; its lifespan watches the broker and makes the producer. `clock_ms`: milliseconds since 1970 UTC."""
    health = Health("gateway")
    forwarder = Forwarder(
        topic,
        settings.kafka,
        make_producer,
        health,
        ack_seconds=limits.ack_seconds,
        probe_seconds=limits.probe_seconds,
    )
    desk = _Desk(
        keys=keys,
        instruments=instruments,
        clock_ms=clock_ms,
        limits=limits,
        forwarder=forwarder,
        meters=GatewayMeters(version),
    )
    app = _bare_app(version, forwarder, health)
    _add_events(app, desk)
    _add_reports(app, health, desk.meters)
    app.add_exception_handler(HTTPException, _no_such_place)
    # Here and not as `openapi_extra`, of which FastAPI leaves out what is null: an answer may be.
    app.openapi()["paths"]["/v1/events"]["post"]["requestBody"] = openapi.REQUEST_BODY
    return app


def serve(settings: Settings, listener: socket.socket, *, version: str = "0+unknown") -> None:
    """Run the gateway on this socket until SIGTERM or Ctrl-C.

    Raises `KeysError` or `InstrumentError` for what a person can mend.
    """
    if not settings.api_keys:
        raise KeysError(
            "The gateway takes nothing without an API key. Make one with `alliance key NAME`, put its line into a "
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
        sys.exit(3)


def _bare_app(version: str, forwarder: Forwarder, health: Health) -> FastAPI:
    def watch_ended(task: asyncio.Task[None]) -> None:
        """A bug ended it: say so, loudly, until somebody restarts the process."""
        if not task.cancelled():
            log.critical("the watch over the broker has ended", exc_info=task.exception())
            health.waits_for("gateway", "it no longer watches the broker; restart it")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(forwarder.run())
        watching.add_done_callback(watch_ended)
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


def _add_events(app: FastAPI, desk: _Desk) -> None:
    @app.post(
        "/v1/events",
        status_code=202,
        summary="Send one event or a batch",
        responses=openapi.RESPONSES,
    )
    async def send_events(request: Request, credentials: Credentials) -> Response:
        started, status = time.perf_counter(), 500
        try:
            response = await _take(desk, request, credentials)
            status = response.status_code
            return response
        finally:
            desk.meters.answered(status, time.perf_counter() - started)


def _add_reports(app: FastAPI, health: Health, meters: GatewayMeters) -> None:
    meters.registry.register(WaitingCollector(health))

    @app.head("/health", include_in_schema=False)
    @app.head("/ready", include_in_schema=False)
    @app.get("/health", summary="How the gateway is; 503 while it waits for the broker")
    @app.get("/ready", summary="Whether events are taken at this moment; 503 when not")
    async def report() -> Response:
        is_well, content = health.report()
        return _json(200 if is_well else 503, content)

    @app.get("/metrics", summary="For Prometheus")
    async def metrics(request: Request) -> Response:
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encoder(meters.registry), headers={"Content-Type": content_type})


async def _take(desk: _Desk, request: Request, credentials: HTTPAuthorizationCredentials | None) -> Response:
    """Admit, read, judge all of it, send all of it, answer."""
    stream = request.stream()
    try:
        _admit(desk.keys, credentials)
        mode = mode_of(request.headers.raw)
        most_bytes = desk.limits.batch_bytes if mode is Mode.BATCHED else desk.limits.event_bytes
        body = await _read(request, stream, most_bytes, desk.limits.body_seconds)
        events = events_of(mode, request.headers.raw, body, desk.limits.batch_events)
        now_ms = desk.clock_ms()
        verdicts = [record_of(event, now_ms, desk.instruments) for event in events]
        refused = {index: verdict for index, verdict in enumerate(verdicts) if isinstance(verdict, Refusal)}
        if refused:
            return _refused(desk, mode, refused)
        await desk.forwarder.deliver([verdict for verdict in verdicts if isinstance(verdict, Outgoing)])
    except BindingError as error:
        is_over = error.reason is not HttpReason.TOO_SLOW and await _has_ended(request, stream)
        return _problem(error, {} if is_over else {"Connection": "close"})
    except BrokerAway:
        return _problem(_away(), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    desk.meters.kept(len(events))
    return _json(202, {"accepted": len(events)})


def _admit(keys: Keys, credentials: HTTPAuthorizationCredentials | None) -> None:
    if credentials is None or keys.sender(credentials.credentials) is None:
        raise BindingError(
            401,
            HttpReason.UNAUTHORIZED,
            "authorization",
            "Send the header Authorization: Bearer with an API key that this gateway knows.",
        )


async def _read(request: Request, stream: AsyncIterator[bytes], most_bytes: int, seconds: float) -> bytes:
    """The body, as long as it keeps within its limits; a declared length is not believed, only heeded."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in stream:
                body += chunk
                if len(body) > most_bytes:
                    raise _too_large(most_bytes)
    except TimeoutError:
        sentence = f"The body had not come in {seconds:g} s; send again, less at once."
        raise BindingError(408, HttpReason.TOO_SLOW, "the body", sentence) from None
    except ClientDisconnect:
        raise BindingError(
            400, HttpReason.CUT_OFF, "the body", "The connection ended inside the body; send again."
        ) from None
    return bytes(body)


async def _has_ended(request: Request, body: AsyncIterator[bytes]) -> bool:
    """Discard what is still to come, within reason: a sender in the midst of its body does not look for an answer."""
    if "expect" in request.headers:
        return False
    discarded = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            async for chunk in body:
                discarded += len(chunk)
                if discarded > DISCARD_BYTES:
                    return False
    except (TimeoutError, ClientDisconnect):
        return False
    return True


def _refused(desk: _Desk, mode: Mode, refused: Mapping[int, Refusal]) -> Response:
    """One event: its refusal. A batch: every refusal with its place; nothing of the batch was sent."""
    for verdict in refused.values():
        desk.meters.refused(verdict.reason)
    if mode is not Mode.BATCHED:
        verdict = refused[0]
        return _json(_REFUSED_STATUS.get(verdict.reason, 422), _content(verdict))
    return _json(
        422,
        {
            "reason": HttpReason.REFUSED_EVENTS,
            "detail": f"{len(refused)} events",
            "sentence": "Nothing of this batch was kept; mend the events listed here and send the whole batch again.",
            "events": [{"index": index, **_content(verdict)} for index, verdict in refused.items()],
        },
    )


def _content(verdict: Refusal) -> dict[str, str]:
    return {"reason": verdict.reason, "detail": verdict.detail, "sentence": SENTENCES[verdict.reason]}


def _too_large(most_bytes: int) -> BindingError:
    return BindingError(
        413,
        Reason.TOO_LARGE,
        f"over {most_bytes} bytes",
        f"The body is larger than {most_bytes // 1024} KiB; send one check-in per event, and smaller batches.",
    )


def _away() -> BindingError:
    return BindingError(
        503,
        HttpReason.UNAVAILABLE,
        "the broker",
        "The broker has not confirmed; send the same again in a few seconds, duplicates change nothing.",
    )


def _problem(error: BindingError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for a request that was not taken."""
    extra = dict(headers or {})
    if error.status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="alliance"'
    content = {"reason": error.reason, "detail": error.detail, "sentence": error.sentence}
    return _json(error.status, content, extra)


async def _no_such_place(_: Request, error: Exception) -> Response:
    """What the router itself refuses, without repeating what was asked for."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        sentence = "This address takes another method; POST events to /v1/events, GET everything else."
        problem = BindingError(405, HttpReason.METHOD_NOT_ALLOWED, "method", sentence)
    else:
        sentence = "There is nothing at this address; events go to /v1/events, and /docs describes the rest."
        problem = BindingError(404, HttpReason.NOT_FOUND, "path", sentence)
    return _problem(problem, error.headers)


def _json(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")
