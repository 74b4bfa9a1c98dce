"""Decides which flags need an alert, and writes the alert for Alertmanager. Pure.

In: flag snapshots in the order of their partition, an instant. Out: alerts that start and end; the JSON of
Alertmanager's API v2.
Never: a case, a client, a score, or the flag's explanation, which contains scores; a label that changes while the flag
stays the same, because the labels are the alert's identity.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from schemas.flags import Flag

ALERT_NAME = "AllianceFlag"
SUMMARY = "A case may be in a rupture. Open it in the worklist, acknowledge the flag, and talk about it."
RUNBOOK = f"docs/runbooks/{ALERT_NAME}.md"
#: An alert that no notifier sends again ends after this time, which is longer than a restart of the notifier takes.
EXPIRES_AFTER = timedelta(hours=1)

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Alert:
    """The alert of one open flag. Alerts with the same labels are equal."""

    flag_id: str
    team: str
    therapist: str
    kind: str
    severity: str
    opened_at: datetime = field(compare=False)

    @property
    def labels(self) -> dict[str, str]:
        """By these Alertmanager routes, groups, silences and recognises the alert."""
        return {
            "alertname": ALERT_NAME,
            "team": self.team,
            "therapist": self.therapist,
            "kind": self.kind,
            "severity": self.severity,
            "flag_id": self.flag_id,
        }


def alert_of(flag: Flag) -> Alert | None:
    """The alert for this snapshot; None if the flag does not wait for an acknowledgement."""
    if flag.status != "open":
        return None
    return Alert(flag.flag_id, flag.team, flag.therapist_id, flag.kind, flag.severity, flag.opened_at)


def alert_from(labels: Mapping[str, str], started_at: datetime) -> Alert:
    """The alert with these labels, as Alertmanager reports it."""
    flag_id, team, therapist, kind, severity = (
        labels.get(name, "") for name in ("flag_id", "team", "therapist", "kind", "severity")
    )
    return Alert(flag_id, team, therapist, kind, severity, started_at)


def firing(alert: Alert, now: datetime, worklist_url: str) -> Json:
    """What is sent while the flag is open."""
    return _body(alert, min(alert.opened_at, now), now + EXPIRES_AFTER, worklist_url)


def resolved(alert: Alert, now: datetime, worklist_url: str) -> Json:
    """What is sent when the flag is no longer open."""
    return _body(alert, min(alert.opened_at, now), now, worklist_url)


def _body(alert: Alert, starts_at: datetime, ends_at: datetime, worklist_url: str) -> Json:
    annotations = {"summary": SUMMARY, "runbook_url": RUNBOOK}
    link = worklist_link(alert, worklist_url)
    if link:
        annotations["worklist_url"] = link
    return {
        "labels": alert.labels,
        "annotations": annotations,
        "startsAt": starts_at.isoformat(),
        "endsAt": ends_at.isoformat(),
        "generatorURL": link,
    }


def worklist_link(alert: Alert, worklist_url: str) -> str:
    """The address of the flag in the worklist; empty if there is no worklist."""
    return f"{worklist_url.rstrip('/')}/{quote(alert.flag_id, safe='')}" if worklist_url else ""


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What a snapshot changes. A flag whose severity has risen ends one alert and starts another."""

    ended: Alert | None = None
    started: Alert | None = None


class OpenFlags:
    """The alert of each flag that is open according to its newest snapshot."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self._versions: dict[str, int] = {}

    def update(self, flag_id: str, flag: Flag | None) -> AlertChange:
        """Keep the newest snapshot. None (a tombstone) ends the flag for good, even if old snapshots are read again."""
        version = sys.maxsize if flag is None else flag.version
        if self._versions.get(flag_id, 0) >= version:
            return AlertChange()
        self._versions[flag_id] = version
        before = self.alerts.pop(flag_id, None)
        after = None if flag is None else alert_of(flag)
        if after is not None:
            self.alerts[flag_id] = after
        return AlertChange() if before == after else AlertChange(before, after)

    def is_closed(self, alert: Alert) -> bool:
        """Whether the alert's flag is known and not open."""
        return alert.flag_id in self._versions and alert.flag_id not in self.alerts
