"""Every answer of the gateway except 202: what is wrong with a request, and what its sender can do.

In: a request that is not accepted, or refusals of the events in it. Out: JSON with `reason`, `detail` and `sentence`.
Never: repeat anything that was received.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from fastapi import Response

from pipeline.core.acceptance import Refusal
from schemas.refusals import SENTENCES, Reason

RETRY_AFTER_SECONDS = 5
#: These refusals say that the body could not be read as an event. Every other refusal is a 422.
_STATUS_OF_REFUSAL = {Reason.EMPTY: 400, Reason.NOT_JSON: 400, Reason.TOO_DEEP: 400, Reason.TOO_LARGE: 413}


class HttpReason(StrEnum):
    """What can be wrong with a request, apart from the events in it: a closed list."""

    UNAUTHORIZED = "unauthorized"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    TOO_MANY_EVENTS = "too-many-events"
    BAD_HEADER = "bad-header"
    CUT_OFF = "cut-off"
    TOO_SLOW = "too-slow"
    REFUSED_EVENTS = "refused-events"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"


class HttpProblem(Exception):
    """A request that is not accepted: HTTP status, reason, the place that is wrong, and a sentence for a person."""

    def __init__(self, status: int, reason: Reason | HttpReason, detail: str, sentence: str) -> None:
        super().__init__(f"{status} {reason}: {detail}")
        self.status = status
        self.reason = reason
        self.detail = detail
        self.sentence = sentence


def unauthorized() -> HttpProblem:
    """The API key is missing or unknown."""
    sentence = "Send the header `Authorization: Bearer KEY` with an API key that this gateway knows."
    return HttpProblem(401, HttpReason.UNAUTHORIZED, "authorization", sentence)


def too_large(most_bytes: int) -> HttpProblem:
    """The body is over its limit."""
    sentence = (
        f"The body is larger than {most_bytes // 1024} KiB. Send one check-in in each event, and fewer events in each "
        "batch."
    )
    return HttpProblem(413, Reason.TOO_LARGE, f"over {most_bytes} bytes", sentence)


def too_slow(seconds: float) -> HttpProblem:
    """The body did not arrive in time."""
    sentence = f"The body did not arrive within {seconds:g} s. Send it again, with less in one request."
    return HttpProblem(408, HttpReason.TOO_SLOW, "the body", sentence)


def cut_off() -> HttpProblem:
    """The sender ended the connection."""
    sentence = "The connection ended before the body was complete. Send the request again."
    return HttpProblem(400, HttpReason.CUT_OFF, "the body", sentence)


def too_many_events(most_events: int) -> HttpProblem:
    """The batch is over its limit."""
    sentence = f"A batch holds at most {most_events} events. Send the others in further requests."
    return HttpProblem(413, HttpReason.TOO_MANY_EVENTS, f"over {most_events} events", sentence)


def unsupported(detail: str, sentence: str) -> HttpProblem:
    """A media type, charset or encoding that the gateway does not read."""
    return HttpProblem(415, HttpReason.UNSUPPORTED_MEDIA_TYPE, detail, sentence)


def bad_header(detail: str, sentence: str) -> HttpProblem:
    """A header that breaks the rules of HTTP or of the CloudEvents binding."""
    return HttpProblem(400, HttpReason.BAD_HEADER, detail, sentence)


def not_an_event(detail: str, sentence: str) -> HttpProblem:
    """A body or headers in which there is no CloudEvent."""
    return HttpProblem(400, Reason.NOT_A_CLOUDEVENT, detail, sentence)


def unreadable(error: Exception) -> HttpProblem:
    """The body is not JSON, or it is nested too deeply; `error` is the decoder's."""
    reason = Reason.TOO_DEEP if isinstance(error, RecursionError) else Reason.NOT_JSON
    return HttpProblem(400, reason, "the body", SENTENCES[reason])


def not_found() -> HttpProblem:
    """An unknown address."""
    sentence = "There is nothing at this address. POST events to /v1/events; /docs describes the rest."
    return HttpProblem(404, HttpReason.NOT_FOUND, "path", sentence)


def method_not_allowed() -> HttpProblem:
    """A known address with the wrong method."""
    sentence = "This address accepts another method. POST events to /v1/events, and GET everything else."
    return HttpProblem(405, HttpReason.METHOD_NOT_ALLOWED, "method", sentence)


def problem_response(problem: HttpProblem, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that is not accepted."""
    extra = dict(headers or {})
    if problem.status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="alliance"'
    content = {"reason": problem.reason, "detail": problem.detail, "sentence": problem.sentence}
    return json_response(problem.status, content, extra)


def unavailable_response() -> Response:
    """The answer while the broker does not acknowledge."""
    sentence = "The broker has not confirmed. Send the same again in a few seconds; duplicates change nothing."
    problem = HttpProblem(503, HttpReason.UNAVAILABLE, "the broker", sentence)
    return problem_response(problem, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def refused_event_response(refusal: Refusal) -> Response:
    """The answer to a request whose only event was refused."""
    return json_response(_STATUS_OF_REFUSAL.get(refusal.reason, 422), _content_of(refusal))


def refused_batch_response(refusals: Mapping[int, Refusal]) -> Response:
    """The answer to a batch: each refusal with its place in the batch, from 0. Nothing of the batch was sent."""
    sentence = "Nothing of this batch was accepted. Fix the events listed here and send the whole batch again."
    content = {
        "reason": HttpReason.REFUSED_EVENTS,
        "detail": f"{len(refusals)} events",
        "sentence": sentence,
        "events": [{"index": index, **_content_of(refusal)} for index, refusal in refusals.items()],
    }
    return json_response(422, content)


def json_response(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """Any answer in JSON."""
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def _content_of(refusal: Refusal) -> dict[str, str]:
    return {"reason": refusal.reason, "detail": refusal.detail, "sentence": SENTENCES[refusal.reason]}
