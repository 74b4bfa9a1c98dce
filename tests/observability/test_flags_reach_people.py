"""A flag on the log reaches a webhook through the real Alertmanager, once, and ends there once it is acknowledged."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from deploy.local.parts import program
from deploy.testbed.alertmanager import Alertmanager
from deploy.testbed.builders import a_checkin, an_action
from deploy.testbed.flags import a_flag, flag_record, tombstone
from deploy.testbed.kafka import Kafka, Record, produce, records_of
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from deploy.testbed.webhook import Webhook
from schemas.topics import FLAGS
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

AWAY_SECONDS = sized(10.0, 60.0)
FLAG_COUNT = 500
KILLS = 5


@pytest.fixture
def system(broker_of_my_own: Kafka, alertmanager: Alertmanager, processes: Processes, tmp_path: Path) -> System:
    """Topics, and a notifier that tells the Alertmanager of them."""
    settings = {
        "ALLIANCE_ALERTMANAGER": alertmanager.url,
        "ALLIANCE_WORKLIST_URL": "https://worklist.practice.invalid/flags",
    }
    made = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite", **settings)
    return made.create_topics().start("notifier").wait_until_healthy("notifier")


def send(system: System, *records: Record) -> None:
    produce(system.bootstrap, FLAGS, records)


def told(webhook: Webhook, status: str, *flags: str, timeout: float = 60) -> None:
    """Return when the webhook has received each of these flags with this status."""
    wait_until(
        lambda: set(flags) <= set(webhook.flags(status)),
        timeout,
        lambda: f"{sorted(set(flags) - set(webhook.flags(status)))[:5]} {status} at the webhook",
    )


def held(alertmanager: Alertmanager) -> list[tuple[str, str]]:
    """Flag and severity of each alert that has not ended."""
    return sorted((one["labels"]["flag_id"], one["labels"]["severity"]) for one in alertmanager.alerts())


def test_a_rupture_reaches_the_supervisor_and_its_acknowledgement_ends_it(system: System, webhook: Webhook) -> None:
    system.start("worker").wait_until_healthy("worker")
    system.send([*(a_checkin(session, 9.0) for session in range(1, 5)), a_checkin(5, 3.0)])
    wait_until(lambda: webhook.notices, 60, lambda: system.logs())
    (notice,) = webhook.notices
    assert (notice.path, notice.status) == ("/on-call", "firing")
    assert set(notice.labels) == {"alertname", "team", "therapist", "kind", "severity", "flag_id"}
    (flag,) = records_of(system.bootstrap, FLAGS)
    assert flag.key is not None
    assert flag.key.decode() == notice.labels["flag_id"]
    assert notice.annotations["worklist_url"].endswith("/" + notice.labels["flag_id"])
    system.send([an_action("acknowledged", notice.labels["flag_id"], 5)])
    told(webhook, "resolved", notice.labels["flag_id"])
    everything = "\n".join(webhook.bodies)
    assert flag.value is not None
    for secret in (json.loads(flag.value)["case_id"], json.loads(flag.value)["explanation"], "s-5"):
        assert f'"{secret}"' not in everything
        assert len(secret) < 5 or secret not in everything


def test_a_flag_goes_to_whom_its_severity_says(system: System, webhook: Webhook) -> None:
    severities = ("watch", "warning", "urgent")
    send(system, *(flag_record(a_flag(number, severity=one)) for number, one in enumerate(severities)))
    told(webhook, "firing", "f-0", "f-1", "f-2")
    assert {one.labels["severity"]: one.receiver for one in webhook.notices} == {
        "watch": "supervision-mail",
        "warning": "supervision",
        "urgent": "on-call",
    }


def test_what_ended_while_no_notifier_ran_ends_with_the_next_one(
    system: System, webhook: Webhook, alertmanager: Alertmanager
) -> None:
    send(system, *(flag_record(a_flag(number)) for number in range(4)))
    told(webhook, "firing", "f-0", "f-1", "f-2", "f-3")
    system.kill("notifier")
    send(system, flag_record(a_flag(0, version=2, status="acknowledged")), tombstone(1))
    send(system, flag_record(a_flag(2, version=2, status="retracted")))
    system.start("notifier")
    told(webhook, "resolved", "f-0", "f-1", "f-2")
    assert held(alertmanager) == [("f-3", "urgent")]


def test_a_flag_that_grows_graver_is_told_of_again_and_stands_there_once(
    system: System, webhook: Webhook, alertmanager: Alertmanager
) -> None:
    send(system, flag_record(a_flag(severity="warning")))
    told(webhook, "firing", "f-1")
    send(system, flag_record(a_flag(version=2)))
    wait_until(lambda: any(one.receiver == "on-call" for one in webhook.notices), 30, "the urgent flag")
    wait_until(
        lambda: held(alertmanager) == [("f-1", "urgent")], 30, lambda: f"one alert; there are {held(alertmanager)}"
    )


def test_two_notifiers_tell_of_a_flag_once(
    system: System, webhook: Webhook, alertmanager: Alertmanager, processes: Processes
) -> None:
    other = System(processes, system.bootstrap, system.database, ALLIANCE_ALERTMANAGER=alertmanager.url)
    other.start("notifier").wait_until_healthy("notifier")
    send(system, *(flag_record(a_flag(number)) for number in range(20)))
    told(webhook, "firing", *(f"f-{number}" for number in range(20)))
    send(system, *(flag_record(a_flag(number, version=2, status="dismissed")) for number in range(20)))
    told(webhook, "resolved", *(f"f-{number}" for number in range(20)))
    assert set(Counter(webhook.flags("firing")).values()) == {1}


def test_a_silence_keeps_a_therapists_flags_quiet_and_no_other(
    system: System, webhook: Webhook, alertmanager: Alertmanager
) -> None:
    words = ["silence", "add", "--comment=on leave", "--author=test", "--duration=1h", 'therapist="t-quiet"']
    subprocess.run(
        [program("amtool"), f"--alertmanager.url={alertmanager.url}", *words], check=True, capture_output=True
    )
    send(system, flag_record(a_flag(1, therapist_id="t-quiet")), flag_record(a_flag(2)))
    told(webhook, "firing", "f-2")
    wait_until(lambda: len(held(alertmanager)) == 2, 30, "both flags at Alertmanager")
    states = {one["labels"]["flag_id"]: one["status"]["state"] for one in alertmanager.alerts()}
    assert states == {"f-1": "suppressed", "f-2": "active"}
    assert "f-1" not in webhook.flags("firing")


def test_not_one_of_500_flags_is_lost_or_told_twice(
    system: System, webhook: Webhook, alertmanager: Alertmanager
) -> None:
    """The notifier is killed five times, Alertmanager is away for a while; then a fifth is acknowledged."""
    batches = 2 * KILLS
    numbers = [range(FLAG_COUNT * one // batches, FLAG_COUNT * (one + 1) // batches) for one in range(batches)]
    for count, batch in enumerate(numbers):
        if count == batches // 2:
            told(webhook, "firing", *(f"f-{number}" for number in range(FLAG_COUNT // 2)))
            wait_until(
                lambda: alertmanager.notification_count() >= FLAG_COUNT // 2, 30, "Alertmanager to note what it sent"
            )
            alertmanager.stop()
        send(system, *(flag_record(a_flag(number, therapist_id=f"t-{number % 9}")) for number in batch))
        if count % 2:
            system.kill("notifier")
            system.start("notifier")
        if count == batches // 2:
            wait_until(lambda: waited(system) >= AWAY_SECONDS, AWAY_SECONDS + 30, "the notifier to say that it waits")
    alertmanager.start()
    everyone = [f"f-{number}" for number in range(FLAG_COUNT)]
    told(webhook, "firing", *everyone, timeout=120)
    send(
        system,
        *(
            flag_record(a_flag(number, version=2, status="acknowledged", therapist_id=f"t-{number % 9}"))
            for number in range(0, FLAG_COUNT, 5)
        ),
    )
    told(webhook, "resolved", *everyone[::5], timeout=120)
    assert Counter(webhook.flags("firing")) == Counter(everyone)
    assert Counter(webhook.flags("resolved")) == Counter(everyone[::5])


def waited(system: System) -> float:
    """For how long the notifier says that it waits for Alertmanager."""
    parts = {one["part"]: one["seconds"] for one in system.health("notifier").get("waiting_for", [])}
    return float(parts.get("alertmanager", 0))


def test_an_alertmanager_that_finds_fault_with_what_we_send_stops_the_notifier_and_says_so(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    with Webhook(status=400) as refusing:
        address = {"ALLIANCE_ALERTMANAGER": refusing.url()}
        system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/s.sqlite", **address)
        system.create_topics()
        send(system, flag_record(a_flag()))
        system.start("notifier")
        assert system.running["notifier"].wait(60) == 1
    assert "Alertmanager answers 400" in system.log_of("notifier")


@pytest.mark.parametrize("room", ["notifier", "exporter"])
def test_started_before_its_topics_a_process_waits_says_so_and_goes_on(
    room: str, broker_of_my_own: Kafka, alertmanager: Alertmanager, processes: Processes, tmp_path: Path
) -> None:
    address = {"ALLIANCE_ALERTMANAGER": alertmanager.url}
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/s.sqlite", **address)
    system.start(room)
    wait_until(lambda: '"topics"' in str(system.get(room, "/health")), 60, lambda: system.log_of(room))
    assert system.metric(room, "alliance_process_waiting_seconds").keys() == {'{part="topics"}'}
    system.create_topics().wait_until_healthy(room)
    assert system.metric(room, "alliance_process_waiting_seconds") == {}
