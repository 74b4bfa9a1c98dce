"""One Alertmanager over HTTP, API v2.

In: alerts as JSON. Out: that it has taken them, and which of ours it holds.
Never: follow a redirect; take an answer that is not a success for one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from consumers.notifier.alerts import ALERT_NAME, Alert, Json, alert_from

SECONDS = 5.0
#: So many alerts a request: well under a megabyte.
MOST_ALERTS = 500
#: It has understood us and says that what we sent is wrong: a bug, waiting cannot mend it.
OUR_FAULT = (400, 422)
FILTER = quote(f'alertname="{ALERT_NAME}"')


class Away(Exception):
    """It does not answer, or not as an Alertmanager does; nothing counts as taken."""


class Refused(Exception):
    """It says that an alert is malformed."""


@dataclass(frozen=True, slots=True)
class Held:
    """An alert that it holds as firing."""

    alert: Alert
    updated_at: datetime


class Alertmanager:
    """Connects anew for each request; the address is host:port or a URL with a path before /api."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.place = parts.netloc.rpartition("@")[2]
        self._path = parts.path.rstrip("/")

    def post(self, alerts: Sequence[Json]) -> None:
        """Returns when it has taken all of them; raises `Away` or `Refused`."""
        for start in range(0, len(alerts), MOST_ALERTS):
            self._request("POST", "/api/v2/alerts", json.dumps(alerts[start : start + MOST_ALERTS]))

    def held(self) -> list[Held]:
        """Our alerts that have not ended for it, silenced and inhibited ones too."""
        try:
            answer = json.loads(self._request("GET", f"/api/v2/alerts?filter={FILTER}"))
        except ValueError:
            raise Away("it does not answer as an Alertmanager") from None
        return [_held(one) for one in answer]

    def _request(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = self._connect(self.place, timeout=SECONDS)
        try:
            connection.request(method, self._path + path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            raise Away(f"no answer ({type(error).__name__})") from None
        finally:
            connection.close()
        if response.status in OUR_FAULT and method == "POST":
            raise Refused(f"Alertmanager answers {response.status} to what we sent")
        if not 200 <= response.status < 300:
            raise Away(f"it answers {response.status}")
        return answer


def _held(one: Mapping[str, Any]) -> Held:
    alert = alert_from(one["labels"], datetime.fromisoformat(one["startsAt"]))
    return Held(alert, datetime.fromisoformat(one["updatedAt"]))
