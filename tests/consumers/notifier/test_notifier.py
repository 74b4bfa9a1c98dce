"""From a flag to Alertmanager: labels, text, when an alert starts and ends, and answers that are not Alertmanager's."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.alertmanager import Alertmanager, AlertmanagerUnavailable, MalformedAlert
from consumers.notifier.alerts import EXPIRES_AFTER, Alert, AlertChange, OpenFlags, alert_of, firing, resolved
from deploy.testbed.flags import OPENED_AT, a_flag
from schemas.flags import KINDS, SEVERITIES, STATUSES, Flag

NOW = datetime(2026, 2, 2, 12, 0, tzinfo=UTC)
WORKLIST = "https://worklist.practice.invalid/flags"


def alert(**overrides: object) -> Alert:
    found = alert_of(a_flag(**overrides))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_an_alert_says_where_to_look_and_nothing_about_the_case() -> None:
    assert firing(alert(), NOW, WORKLIST) == {
        "labels": {
            "alertname": "AllianceFlag",
            "team": "north",
            "therapist": "t-1",
            "kind": "drop",
            "severity": "urgent",
            "flag_id": "f-1",
        },
        "annotations": {
            "summary": "A case may be in a rupture. Open it in the worklist, acknowledge the flag, and talk about it.",
            "runbook_url": "docs/runbooks/AllianceFlag.md",
            "worklist_url": "https://worklist.practice.invalid/flags/f-1",
        },
        "startsAt": OPENED_AT.isoformat(),
        "endsAt": (NOW + EXPIRES_AFTER).isoformat(),
        "generatorURL": "https://worklist.practice.invalid/flags/f-1",
    }


def test_without_a_worklist_there_is_no_link() -> None:
    body = firing(alert(), NOW, "")
    assert body["generatorURL"] == ""
    assert "worklist_url" not in str(body["annotations"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_no_score_case_or_explanation_is_in_an_alert(kind: str, severity: str) -> None:
    flag = a_flag(kind=kind, severity=severity)
    text = json.dumps([send(alert(kind=kind, severity=severity), NOW, WORKLIST) for send in (firing, resolved)])
    for secret in (flag.case_id, "0.31", "0.92", flag.explanation, flag.suggestion):
        assert secret not in text


def test_an_alert_ends_now_and_an_alert_of_tomorrow_starts_now() -> None:
    assert resolved(alert(), NOW, "")["endsAt"] == NOW.isoformat()
    early = firing(alert(opened_at=datetime(2026, 2, 3, tzinfo=UTC)), NOW, "")
    assert early["startsAt"] == NOW.isoformat()


@pytest.mark.parametrize("status", STATUSES)
def test_only_an_open_flag_needs_an_alert(status: str) -> None:
    assert (alert_of(a_flag(status=status)) is not None) is (status == "open")


def test_an_alert_starts_once_and_ends_when_the_flag_is_acknowledged() -> None:
    flags = OpenFlags()
    first = a_flag()
    assert flags.update("f-1", first) == AlertChange(started=alert())
    assert flags.update("f-1", first) == AlertChange()
    assert flags.update("f-1", a_flag(version=2, updated_at=NOW)) == AlertChange(), (
        "nothing that an alert shows has changed"
    )
    assert flags.update("f-1", a_flag(version=3, status="acknowledged")) == AlertChange(ended=alert())
    assert flags.update("f-1", first) == AlertChange(), "an old snapshot, read again"
    assert flags.alerts == {}
    assert flags.is_closed(alert())


def test_when_the_severity_rises_one_alert_ends_and_another_starts() -> None:
    flags = OpenFlags()
    flags.update("f-1", a_flag(severity="warning"))
    change = flags.update("f-1", a_flag(version=2))
    assert change == AlertChange(ended=alert(severity="warning"), started=alert())


def test_the_alert_of_an_erased_flag_ends_and_no_old_snapshot_brings_it_back() -> None:
    flags = OpenFlags()
    flags.update("f-1", a_flag())
    assert flags.update("f-1", None) == AlertChange(ended=alert())
    assert flags.update("f-1", a_flag()) == AlertChange()
    assert flags.alerts == {}


SNAPSHOTS = st.builds(
    lambda number, version, status, severity: a_flag(number, version=version, status=status, severity=severity),
    st.integers(1, 3),
    st.integers(1, 6),
    st.sampled_from(STATUSES),
    st.sampled_from(SEVERITIES),
)


@given(st.lists(SNAPSHOTS, max_size=20))
def test_changes_add_up_to_the_open_flags_and_reading_everything_again_changes_nothing(snapshots: list[Flag]) -> None:
    flags, active = OpenFlags(), set[Alert]()
    for flag in snapshots:
        change = flags.update(flag.flag_id, flag)
        if change.ended is not None:
            active.remove(change.ended)
        if change.started is not None:
            assert change.started not in active
            active.add(change.started)
        assert active == set(flags.alerts.values())
    assert all(flags.update(flag.flag_id, flag) == AlertChange() for flag in snapshots)


@pytest.fixture
def answering() -> Iterator[tuple[Alertmanager, list[int]]]:
    """Something at an address that answers with the statuses of the list, one after another."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(statuses.pop(0))
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(statuses.pop(0))
            self.end_headers()
            self.wfile.write(b"<html>a proxy</html>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Alertmanager(f"127.0.0.1:{server.server_port}"), statuses
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500, 503])
def test_an_answer_without_success_counts_as_unavailable(
    answering: tuple[Alertmanager, list[int]], status: int
) -> None:
    alertmanager, statuses = answering
    statuses.append(status)
    with pytest.raises(AlertmanagerUnavailable, match=str(status)):
        alertmanager.post([firing(alert(), NOW, "")])


def test_an_answer_that_the_request_is_wrong_is_a_bug(answering: tuple[Alertmanager, list[int]]) -> None:
    alertmanager, statuses = answering
    statuses.append(400)
    with pytest.raises(MalformedAlert):
        alertmanager.post([firing(alert(), NOW, "")])


def test_a_web_page_is_not_a_list_of_alerts(answering: tuple[Alertmanager, list[int]]) -> None:
    alertmanager, statuses = answering
    statuses.append(200)
    with pytest.raises(AlertmanagerUnavailable, match="does not answer as an Alertmanager"):
        alertmanager.active()


def test_without_a_process_at_the_address_alertmanager_is_unavailable() -> None:
    with pytest.raises(AlertmanagerUnavailable, match="no answer"):
        Alertmanager("http://127.0.0.1:1/prefix/").post([firing(alert(), NOW, "")])
