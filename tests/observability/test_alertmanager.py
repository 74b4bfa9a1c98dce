"""`deploy/alertmanager/alertmanager.yml`: valid, every alert goes to whom the table says, every secret is a file."""

import re
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from deploy.local.alertmanager import Alertmanager
from deploy.local.parts import program
from deploy.local.places import ROOT

FILE = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
SETTINGS: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))

FLAG = {"alertname": "AllianceFlag", "team": "north", "therapist": "t-1", "kind": "drop", "flag_id": "f-1"}
#: Labels of an alert -> its receivers.
ROUTES: list[tuple[Mapping[str, str], str]] = [
    ({**FLAG, "severity": "urgent"}, "on-call"),
    ({**FLAG, "severity": "urgent", "team": "south"}, "on-call"),
    ({**FLAG, "severity": "warning"}, "supervision"),
    ({**FLAG, "severity": "watch"}, "supervision-mail"),
    ({"alertname": "AllianceFlagUnacknowledged", "audience": "supervision", "severity": "warning"}, "supervision"),
    ({"alertname": "AllianceFlagUnacknowledged", "audience": "supervision", "severity": "critical"}, "escalation"),
    ({"alertname": "AllianceCheckinsCollapsed", "audience": "quality", "severity": "warning"}, "quality-mail"),
    ({"alertname": "AllianceDataStale", "audience": "platform", "severity": "warning", "team": "north"}, "platform"),
    ({"alertname": "AllianceMetricsAbsent", "audience": "platform", "severity": "critical"}, "platform-on-call"),
    ({"alertname": "AllianceFlagsUndelivered", "audience": "platform", "severity": "critical"}, "platform-on-call"),
    ({"alertname": "AllianceWatchdog", "audience": "platform", "severity": "none"}, "dead-mans-switch"),
    ({"alertname": "SomethingElse"}, "platform"),
]


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The outcome of a command of amtool."""
    return subprocess.run([program("amtool"), *arguments], capture_output=True, text=True, check=False)


def test_amtool_finds_nothing_wrong() -> None:
    answer = amtool("check-config", str(FILE))
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(("labels", "receiver"), ROUTES, ids=lambda one: one if isinstance(one, str) else None)
def test_an_alert_goes_to_whom_the_table_says(labels: Mapping[str, str], receiver: str) -> None:
    words = [f"{name}={value}" for name, value in labels.items()]
    answer = amtool("config", "routes", "test", f"--config.file={FILE}", f"--verify.receivers={receiver}", *words)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_it_starts_with_the_file_as_it_is_shipped_before_any_secret_is_there() -> None:
    with Alertmanager(FILE.read_text(encoding="utf-8")) as server:
        assert server.alerts() == []


def test_every_receiver_is_in_the_table_and_every_one_has_a_way_to_tell() -> None:
    assert {receiver["name"] for receiver in SETTINGS["receivers"]} == {name for _, name in ROUTES}
    assert all(len(receiver) > 1 for receiver in SETTINGS["receivers"])


def test_an_urgent_flag_waits_for_nothing_and_stands_alone() -> None:
    (urgent,) = [one for one in SETTINGS["route"]["routes"] if 'severity="urgent"' in one["matchers"]]
    assert urgent["group_wait"] == "0s"
    assert "flag_id" in urgent["group_by"]
    assert "active_time_intervals" not in urgent, "a flag that is urgent is urgent at night"


def test_a_single_flag_is_inhibited_by_nothing() -> None:
    assert all('alertname!="AllianceFlag"' in rule["target_matchers"] for rule in SETTINGS["inhibit_rules"])


def test_every_secret_is_a_file_and_every_address_a_placeholder() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert not re.search(r"(password|routing_key|service_key|credentials|token|secret):\s", text)
    for url in re.findall(r"https?://([^/\s]+)", text) + re.findall(r"@([\w.]+)", text):
        assert url.endswith(".invalid"), url
