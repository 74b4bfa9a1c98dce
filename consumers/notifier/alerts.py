"""Which alerts there should be, and how an alert looks. Pure.

In: flag snapshots in the order of their partition, an instant. Out: what has begun and what has ended; the JSON of
Alertmanager's API v2.
Never: a case, a client, a score, or the flag's explanation, which holds scores; a label that changes while the flag
stays the same, since the labels are the alert's identity.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from schemas.flags import Flag

ALERT_NAME = "AllianceFlag"
SUMMARY = "A case may be a rupture: look at the worklist, acknowledge the flag, talk."
RUNBOOK = f"docs/runbooks/{ALERT_NAME}.md"
#: An alert that nobody re-sends is over after this; longer than any restart of the notifier should take.
LEASE = timedelta(hours=1)

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Alert:
    """One open flag; equal are those with the same labels."""

    flag_id: str
    team: str
    therapist: str
    kind: str
    severity: str
    opened_at: datetime = field(compare=False)

    @property
    def labels(self) -> dict[str, str]:
        """What Alertmanager routes, groups, silences and recognises it by."""
        return {
            "alertname": ALERT_NAME,
            "team": self.team,
            "therapist": self.therapist,
            "kind": self.kind,
            "severity": self.severity,
            "flag_id": self.flag_id,
        }


def alert_of(flag: Flag) -> Alert | None:
    """The alert that a snapshot asks for; None when nobody need be told (any more)."""
    if flag.status != "open":
        return None
    return Alert(flag.flag_id, flag.team, flag.therapist_id, flag.kind, flag.severity, flag.opened_at)


def alert_from(labels: Mapping[str, str], started_at: datetime) -> Alert:
    """An alert as Alertmanager tells of it."""
    flag_id, team, therapist, kind, severity = (
        labels.get(name, "") for name in ("flag_id", "team", "therapist", "kind", "severity")
    )
    return Alert(flag_id, team, therapist, kind, severity, started_at)


def begun(alert: Alert, now: datetime, worklist_url: str) -> Json:
    """What is sent as long as the flag is open."""
    return _body(alert, min(alert.opened_at, now), now + LEASE, worklist_url)


def ended(alert: Alert, now: datetime, worklist_url: str) -> Json:
    """What is sent when it is over."""
    return _body(alert, min(alert.opened_at, now), now, worklist_url)


def _body(alert: Alert, starts_at: datetime, ends_at: datetime, worklist_url: str) -> Json:
    annotations = {"summary": SUMMARY, "runbook_url": RUNBOOK}
    link = link_to(alert, worklist_url)
    if link:
        annotations["worklist_url"] = link
    return {
        "labels": alert.labels,
        "annotations": annotations,
        "startsAt": starts_at.isoformat(),
        "endsAt": ends_at.isoformat(),
        "generatorURL": link,
    }


def link_to(alert: Alert, worklist_url: str) -> str:
    """The flag in the worklist; empty where there is no worklist."""
    return f"{worklist_url.rstrip('/')}/{quote(alert.flag_id, safe='')}" if worklist_url else ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a snapshot changes; a flag that has grown graver ends one alert and begins another."""

    ended: Alert | None = None
    begun: Alert | None = None


class Board:
    """The newest snapshot of each flag, as far as alerts go."""

    def __init__(self) -> None:
        self.open: dict[str, Alert] = {}
        self._versions: dict[str, int] = {}

    def take(self, flag_id: str, flag: Flag | None) -> Change:
        """Keep the newest; None (a tombstone) ends the flag for good, whatever is read again after an outage."""
        version = sys.maxsize if flag is None else flag.version
        if self._versions.get(flag_id, 0) >= version:
            return Change()
        self._versions[flag_id] = version
        before = self.open.pop(flag_id, None)
        after = None if flag is None else alert_of(flag)
        if after is not None:
            self.open[flag_id] = after
        return Change() if before == after else Change(before, after)

    def is_over(self, alert: Alert) -> bool:
        """Whether the flag is known not to be open."""
        return alert.flag_id in self._versions and alert.flag_id not in self.open
