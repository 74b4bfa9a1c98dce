"""What the gateway's OpenAPI description says of `POST /v1/events`: bodies with examples, and every answer.

In: nothing. Out: fragments of OpenAPI 3.1 for FastAPI.
Never: behaviour; a real person's data (every example is made up).
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
    "description": "A CloudEvent; the JSON Schemas of the data lie in schemas/jsonschema.",
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
            "schema": {"type": "object", "description": "The data alone; the attributes come as ce- headers."},
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
        "description": "Every event is in the log, acknowledged by the broker.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"accepted": {"type": "integer"}}},
                "example": {"accepted": 1},
            }
        },
    },
    400: _problem("Not to be read as CloudEvents over HTTP. Mend the request; do not repeat it as it is."),
    401: _problem("No API key, or one that is not known here."),
    408: _problem("The body did not come in time. Send again."),
    413: _problem("Too large, or too many events for one batch."),
    415: _problem("A media type, charset or encoding that is not taken."),
    422: _problem("Read, but refused. Of a batch nothing was kept: mend it and send the whole batch again."),
    503: _problem("Not acknowledged by the broker. Send the same again after Retry-After: duplicates change nothing."),
}

DESCRIPTION = (
    "The door for check-ins and everything else that happens to a case. Events are CloudEvents 1.0, in the structured, "
    "binary or batched mode of the HTTP binding. 202 means that the broker holds all of them."
)
