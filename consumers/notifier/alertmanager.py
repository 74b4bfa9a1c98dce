"""Talks to one Alertmanager over HTTP, API v2.

In: alerts as JSON. Out: whether it has accepted them; which flags' alerts it has as active.
Never: follow a redirect; treat an answer without a success status as success.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from consumers.notifier.alerts import ALERT_NAME, Alert, Json, alert_from

TIMEOUT_SECONDS = 5.0
#: Up to 500 alerts a request, which is well under a megabyte.
MOST_ALERTS = 500
#: The statuses that say that the request itself is wrong: a bug, so waiting does not help.
BAD_REQUEST_STATUSES = (400, 422)
FILTER = quote(f'alertname="{ALERT_NAME}"')


class AlertmanagerUnavailable(Exception):
    """It does not answer, or not as an Alertmanager does. None of the alerts counts as accepted."""


class MalformedAlert(Exception):
    """Alertmanager says that an alert is malformed, which is a bug here."""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that Alertmanager has as firing."""

    alert: Alert
    updated_at: datetime


class Alertmanager:
    """Opens a new connection for each request. The address is host:port, or a URL with a path before /api."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.place = parts.netloc.rpartition("@")[2]
        self._path = parts.path.rstrip("/")

    def post(self, alerts: Sequence[Json]) -> None:
        """Return when it has accepted all of them; raises `AlertmanagerUnavailable` or `MalformedAlert`."""
        for start in range(0, len(alerts), MOST_ALERTS):
            self._request("POST", "/api/v2/alerts", json.dumps(alerts[start : start + MOST_ALERTS]))

    def active(self) -> list[ActiveAlert]:
        """Its alerts of flags that have not ended, with those that it silences or inhibits."""
        try:
            answer = json.loads(self._request("GET", f"/api/v2/alerts?filter={FILTER}"))
        except ValueError:
            raise AlertmanagerUnavailable("it does not answer as an Alertmanager") from None
        return [_active(alert) for alert in answer]

    def _request(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = self._connect(self.place, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, self._path + path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            raise AlertmanagerUnavailable(f"no answer ({type(error).__name__})") from None
        finally:
            connection.close()
        if response.status in BAD_REQUEST_STATUSES and method == "POST":
            raise MalformedAlert(f"Alertmanager answers {response.status} to the alerts of the notifier")
        if not 200 <= response.status < 300:
            raise AlertmanagerUnavailable(f"it answers {response.status}")
        return answer


def _active(gettable: Mapping[str, Any]) -> ActiveAlert:
    alert = alert_from(gettable["labels"], datetime.fromisoformat(gettable["startsAt"]))
    return ActiveAlert(alert, datetime.fromisoformat(gettable["updatedAt"]))
