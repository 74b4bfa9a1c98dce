"""No client or case identifier in a metric, a log line, an alert or a URL: planted strings are looked for."""

from pathlib import Path

import pytest

from deploy.testbed.alertmanager import Alertmanager
from deploy.testbed.builders import a_checkin, a_closure, a_held, an_erasure, value_of
from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from deploy.testbed.webhook import Webhook

pytestmark = pytest.mark.kafka

CANARY = "canary7f3a"


def test_no_case_session_or_check_in_appears_in_metrics_logs_alerts_or_health(
    broker_of_my_own: Kafka, processes: Processes, webhook: Webhook, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    system = System(
        processes,
        broker_of_my_own.bootstrap,
        f"sqlite:///{tmp_path}/store.sqlite",
        ALLIANCE_LOG_LEVEL="debug",
        ALLIANCE_ALERTMANAGER=alertmanager.url,
        ALLIANCE_WORKLIST_URL="https://worklist.practice.invalid/flags",
    )
    system.create_topics().start("worker", "store", "exporter", "notifier")
    events = []
    for case in range(8):
        subject = f"case-{CANARY}-{case}"
        for session in range(1, 7):
            planted = {"session_id": f"session-{CANARY}-{case}-{session}", "source": f"urn:{CANARY}"}
            events.append(a_held(session, subject=subject, **planted))
            score = 9.0 if session < 5 else 3.0
            named = f"{CANARY}-{case}-{session}"
            events.append(a_checkin(session, score, subject=subject, checkin_id=named, **planted))
    events.append(a_closure(6, subject=f"case-{CANARY}-1"))
    events.append(an_erasure(6, subject=f"case-{CANARY}-2"))
    system.send(events)
    bad = [
        (f"case-{CANARY}-3".encode(), value_of(a_checkin(1, 99.0, subject=f"case-{CANARY}-3", source=f"urn:{CANARY}"))),
        (f"other-{CANARY}".encode(), value_of(a_checkin(1, subject=f"case-{CANARY}-3"))),
        (f"case-{CANARY}-3".encode(), f'{{"{CANARY}":'.encode()),
    ]
    system.send_records(bad)
    wait_until(lambda: system.counts().get("rejected") == len(bad), 60, lambda: system.logs())
    wait_until(lambda: system.counts().get("flags", 0) >= 7, 60, "flags in the store")
    wait_until(lambda: 't-1"' in system.get("exporter", "/metrics")[1], 60, "the therapist in /metrics")
    wait_until(lambda: len(set(webhook.flags("firing"))) >= 6, 60, "open flags at the webhook")
    assert CANARY not in "\n".join(webhook.bodies)
    assert CANARY not in str(alertmanager.alerts())
    for room in ("worker", "store", "exporter", "notifier"):
        for path in ("/metrics", "/health"):
            _, body = system.get(room, path)
            assert body
            assert CANARY not in body, f"{room}{path}"
    logged = system.logs()
    assert CANARY not in logged, [line for line in logged.splitlines() if CANARY in line][:3]
