"""`POST /v1/events`, step by step: authenticate, read, check every event, send all of them, answer.

In: a request and its credentials. Out: 202 once the broker has acknowledged every event; else the answer that says why.
Never: send a part of a batch; put anything of a body, a key or a case into an answer or a metric.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from starlette.requests import ClientDisconnect

from pipeline.core.acceptance import Refusal
from pipeline.ingest.admission import AdmittedRecord, admit
from pipeline.ingest.gateway import problems
from pipeline.ingest.gateway.api_keys import Keys
from pipeline.ingest.gateway.forwarder import BrokerUnavailable, Forwarder
from pipeline.ingest.gateway.http_binding import Mode, events_of, mode_of
from pipeline.ingest.gateway.metrics import GatewayMeters
from pipeline.ingest.gateway.problems import HttpProblem, HttpReason
from schemas.instruments.definition import Instrument
from schemas.topics import MAX_EVENT_BYTES

#: How much of the body of a request that is not accepted is read and discarded before the connection is closed.
DISCARD_BYTES = 4 * 1024 * 1024
DISCARD_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may contain, and how long each step may take."""

    event_bytes: int = MAX_EVENT_BYTES
    batch_bytes: int = 1024 * 1024
    batch_events: int = 500
    body_seconds: float = 30.0
    ack_seconds: float = 10.0
    probe_seconds: float = 2.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayContext:
    """What the gateway needs to answer a request."""

    keys: Keys
    instruments: Mapping[str, Instrument]
    clock_ms: Callable[[], int]
    limits: Limits
    forwarder: Forwarder
    meters: GatewayMeters


async def submit(
    context: GatewayContext, request: Request, credentials: HTTPAuthorizationCredentials | None
) -> Response:
    """Answer one request with events."""
    stream = request.stream()
    try:
        _authenticate(context.keys, credentials)
        mode = mode_of(request.headers.raw)
        most_bytes = context.limits.batch_bytes if mode is Mode.BATCHED else context.limits.event_bytes
        body = await _read(request, stream, most_bytes, context.limits.body_seconds)
        events = events_of(mode, request.headers.raw, body, context.limits.batch_events)
        return await _send(context, mode, events)
    except HttpProblem as problem:
        may_stay_open = problem.reason is not HttpReason.TOO_SLOW and await _has_ended(request, stream)
        return problems.problem_response(problem, {} if may_stay_open else {"Connection": "close"})
    except BrokerUnavailable:
        return problems.unavailable_response()


def _authenticate(keys: Keys, credentials: HTTPAuthorizationCredentials | None) -> None:
    if credentials is None or keys.sender(credentials.credentials) is None:
        raise problems.unauthorized()


async def _read(request: Request, stream: AsyncIterator[bytes], most_bytes: int, seconds: float) -> bytes:
    """The body within its limits. A declared length can only refuse the body; what counts is what arrives."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise problems.too_large(most_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in stream:
                body += chunk
                if len(body) > most_bytes:
                    raise problems.too_large(most_bytes)
    except TimeoutError:
        raise problems.too_slow(seconds) from None
    except ClientDisconnect:
        raise problems.cut_off() from None
    return bytes(body)


async def _send(context: GatewayContext, mode: Mode, events: list[bytes]) -> Response:
    """Check all events with one clock reading; send all of them, or none."""
    now_ms = context.clock_ms()
    verdicts = [admit(event, now_ms, context.instruments) for event in events]
    refusals = {index: verdict for index, verdict in enumerate(verdicts) if isinstance(verdict, Refusal)}
    for refusal in refusals.values():
        context.meters.refused(refusal.reason)
    if refusals:
        is_batch = mode is Mode.BATCHED
        return problems.refused_batch_response(refusals) if is_batch else problems.refused_event_response(refusals[0])
    await context.forwarder.deliver([verdict for verdict in verdicts if isinstance(verdict, AdmittedRecord)])
    context.meters.acknowledged(len(events))
    return problems.json_response(202, {"accepted": len(events)})


async def _has_ended(request: Request, body: AsyncIterator[bytes]) -> bool:
    """Discard the rest of the body, within limits: a sender that is still sending does not read the answer."""
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
