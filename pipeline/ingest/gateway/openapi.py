"""The OpenAPI description of `POST /v1/events`: bodies with examples, and every answer.

In: the media types of the binding. Out: fragments of OpenAPI 3.1 for FastAPI.
Never: a real person's data (every example is made up).
"""

from typing import Any

from pipeline.ingest.gateway.http_binding import BATCHED, STRUCTURED

Fragment = dict[str, Any]

CHECKIN: Fragment = {
    "specversion": "1.0",
    "id": "0b6f3c1e-1",
    "source": "/practice-system",
    "type": "alliance.checkin.submitted.v1",
    "subject": "case-3f9a",
    "time": "2026-03-02T16:05:00+01:00",
    "data": {
        "session_id": "session-88c1",
        "therapist_id": "therapist-07",
        "team": "north",
        "rater": "client",
        "instrument": "checkin-4/1",
        "answers": {"trust": 8.5, "empathy": 9, "goals": 7, "communication": None},
    },
}
SESSION_HELD: Fragment = {
    "specversion": "1.0",
    "id": "0b6f3c1e-2",
    "source": "/practice-system",
    "type": "alliance.session.held.v1",
    "subject": "case-3f9a",
    "time": "2026-03-02T16:00:00+01:00",
    "data": {"session_id": "session-88c1", "therapist_id": "therapist-07", "team": "north"},
}

_EVENT: Fragment = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time"],
    "description": "A CloudEvent; schemas/jsonschema has the JSON Schema of each type.",
}

REQUEST_BODY: Fragment = {
    "required": True,
    "content": {
        STRUCTURED: {"schema": _EVENT, "examples": {"check-in": {"value": CHECKIN}}},
        BATCHED: {
            "schema": {"type": "array", "items": _EVENT},
            "examples": {"session and check-in": {"value": [SESSION_HELD, CHECKIN]}},
        },
        "application/json": {
            "schema": {"type": "object", "description": "Only the data; the attributes are ce- headers."},
            "examples": {"data of a check-in": {"value": CHECKIN["data"]}},
        },
    },
}

_PROBLEM: Fragment = {
    "type": "object",
    "required": ["reason", "detail", "sentence"],
    "properties": {
        "reason": {"type": "string", "description": "From a closed list."},
        "detail": {"type": "string", "description": "The place that is wrong; never a value."},
        "sentence": {"type": "string", "description": "What is wrong and what to do, for people."},
        "events": {
            "type": "array",
            "description": "For a batch: each refused event.",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer", "description": "Its place in the batch, from 0."},
                    "reason": {"type": "string"},
                    "detail": {"type": "string"},
                    "sentence": {"type": "string"},
                },
            },
        },
    },
}


def _problem(description: str) -> Fragment:
    return {"description": description, "content": {"application/json": {"schema": _PROBLEM}}}


RESPONSES: dict[int | str, Fragment] = {
    202: {
        "description": "The broker has acknowledged every event.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"accepted": {"type": "integer"}}},
                "example": {"accepted": 1},
            }
        },
    },
    400: _problem("The request cannot be read as CloudEvents over HTTP. Fix it before you send it again."),
    401: _problem("The API key is missing or unknown. Fix it."),
    408: _problem("The body did not arrive in time. Send it again."),
    413: _problem("An event is too large, or a batch is too large or has too many events. Send less in one request."),
    415: _problem("The gateway does not read this media type, charset or encoding. Fix the headers."),
    422: _problem(
        "An event was refused; nothing of a batch was accepted. Fix the events and send the whole batch again."
    ),
    503: _problem("The broker has not acknowledged. Send the same again after Retry-After; duplicates change nothing."),
}

DESCRIPTION = (
    "Accepts check-ins and everything else that happens to a case. Events are CloudEvents 1.0, in the structured, "
    "binary or batched mode of the HTTP binding. The answer 202 means that the broker has acknowledged all of them."
)
