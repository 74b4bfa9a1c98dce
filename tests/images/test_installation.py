"""The compose file, whole: from an event at the gateway to a row, a series and an alert, and through a restart.

The tests are in the order of an installation's life, and each begins where the one before it ended.
"""

from time import time
from typing import Any

from deploy.testbed.builders import ITEMS, Json, a_checkin, a_held, an_action
from deploy.testbed.waiting import wait_until
from tests.images.installation import WORKLIST, Installation
from tests.images.steps import step

THERAPIST = "t-images"
#: As many as it takes for scores to be published; with one more it would depend on the order how many are.
CASES = 5
SESSIONS = 6
TIPPED = "c-images-0"
#: 0.9 of the range in sum.
ANSWERS = (9.4, 9.1, 8.9, 8.6)
#: Prometheus scrapes every 30 s.
SCRAPED_SECONDS = 120
READ_SECONDS = 60
CHANGED_BY_A_SESSION = {"events", "sessions", "therapists"}


def a_practice() -> list[Json]:
    """One therapist with enough clients to be shown, all of them content."""
    return [
        event for case in range(CASES) for session in range(1, SESSIONS + 1) for event in a_good_session(case, session)
    ]


def a_good_session(case: int, session: int) -> tuple[Json, Json]:
    """Held and answered, as well as ever in sum; never twice in a row with the same answers, which would be a sign."""
    shift = session % len(ANSWERS)
    answers = dict(zip(ITEMS, ANSWERS[shift:] + ANSWERS[:shift], strict=True))
    whose: dict[str, Any] = {"subject": f"c-images-{case}", "session_id": f"s-{case}-{session}", "therapist": THERAPIST}
    return a_held(session, **whose), a_checkin(session, **{**whose, "answers": answers})


def a_rupture() -> list[Json]:
    """One of them, all at once, is not."""
    return [a_checkin(SESSIONS + 1, 4.0, subject=TIPPED, therapist=THERAPIST)]


def test_every_health_check_is_healthy(installation: Installation) -> None:
    assert installation.states() == installation.wanted_states()


def test_every_process_runs_as_a_user_without_rights_on_a_file_system_that_it_cannot_write(
    installation: Installation,
) -> None:
    for process in installation.processes():
        status = dict(line.split(":\t", 1) for line in _status_of_first_process(installation, process))
        assert status["Uid"].split() == ["10001"] * 4, process
        assert status["Gid"].split() == ["10001"] * 4, process
        assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0, process
        assert status["NoNewPrivs"] == "1", process
        refused = installation.inside(process, "sh", "-c", "touch /opt/alliance/x 2>&1 || true")
        assert "Read-only file system" in refused, process


def _status_of_first_process(installation: Installation, process: str) -> list[str]:
    return installation.inside(process, "cat", "/proc/1/status").splitlines()


def test_who_has_no_key_is_turned_away_and_nothing_is_kept(installation: Installation) -> None:
    assert installation.post_with({}, a_practice()).status_code == 401
    assert installation.post_with({"Authorization": "Bearer made-up"}, a_practice()).status_code == 401
    assert installation.count("events") == 0


def test_a_checkin_at_the_gateway_becomes_a_row_in_postgresql(installation: Installation) -> None:
    events = a_practice()
    with step("check-ins from the gateway to PostgreSQL"):
        answer = installation.post(events)
        assert (answer.status_code, answer.json()) == (202, {"accepted": len(events)})
        wait_until(
            lambda: installation.count("events") == len(events), READ_SECONDS, lambda: installation.logs()[-6000:]
        )
    assert installation.count("checkins") == CASES * SESSIONS
    assert installation.count("rejected") == 0
    assert installation.count("flags") == 0


def test_it_becomes_a_series_in_prometheus(installation: Installation) -> None:
    with step("check-ins from the gateway to Prometheus"):
        wait_until(lambda: THERAPIST in shown(installation), SCRAPED_SECONDS, lambda: installation.logs()[-6000:])
    assert shown(installation)[THERAPIST] == CASES
    assert installation.series("alliance_therapist_score_points")[THERAPIST] == 4.5
    wait_until(lambda: scraped_processes(installation) == len(installation.processes()), SCRAPED_SECONDS, "all of them")


def test_a_rupture_becomes_a_flag_and_is_told(installation: Installation) -> None:
    with step("a rupture from the gateway to a flag in PostgreSQL"):
        assert installation.post(a_rupture()).status_code == 202
        wait_until(lambda: installation.count("flags"), READ_SECONDS, lambda: installation.logs()[-6000:])
    (row,) = installation.rows("SELECT flag_id, case_id, therapist_id, kind, status FROM flags")
    flag_id, *rest = row.split("|")
    assert rest == [TIPPED, THERAPIST, "drop", "open"]
    flag_reaches_the_receiver(installation, flag_id)


def flag_reaches_the_receiver(installation: Installation, flag_id: str) -> None:
    """Through the notifier and Alertmanager, with a link to the flag in the worklist that .env names."""
    with step("from the flag to the webhook receiver"):
        wait_until(lambda: flag_id in installation.received(), 90, lambda: installation.received()[-2000:])
    assert f"{WORKLIST}/{flag_id}" in installation.received()
    assert TIPPED not in installation.received()


def test_no_log_line_names_a_case(installation: Installation) -> None:
    assert "c-images-" not in installation.logs()


def test_down_and_up_again_lose_nothing(installation: Installation) -> None:
    wait_until(lambda: installation.has_read(len(sent())), READ_SECONDS, "store and worker to have read all events")
    before, scores, moment = installation.checksums(), shown(installation), time()
    with step("docker-compose down, the volumes stay"):
        installation.down()
    assert installation.states() == {}
    with step("docker-compose up again, until every health check is healthy"):
        installation.up()
    up_again_at = time()
    assert installation.checksums() == before
    assert shown(installation, at=moment) == scores
    wait_until(lambda: scraped_at(installation) > up_again_at, SCRAPED_SECONDS, "the therapist in a new scrape")
    assert shown(installation) == scores


def test_a_duplicate_changes_nothing_and_a_new_event_does(installation: Installation) -> None:
    before = installation.checksums()
    with step("every event once more, then one new one"):
        assert installation.post(sent()).status_code == 202
        read_twice = 2 * len(sent())
        wait_until(lambda: installation.has_read(read_twice), READ_SECONDS, "the duplicates to be read")
        assert installation.checksums() == before
        assert installation.post([a_held(SESSIONS + 2, subject=TIPPED, therapist=THERAPIST)]).status_code == 202
        wait_until(lambda: installation.has_read(read_twice + 1), READ_SECONDS, "the new event to be read")
    wait_until(lambda: changed(before, installation.checksums()) >= CHANGED_BY_A_SESSION, READ_SECONDS, "its rows")


def test_who_acknowledges_the_flag_ends_its_alert(installation: Installation) -> None:
    (flag_id,) = installation.rows("SELECT flag_id FROM flags WHERE status = 'open'")
    assert flag_id in installation.alerting_flags()
    with step("from the acknowledgement to the end of the alert"):
        taken_on = an_action("acknowledged", flag_id, SESSIONS + 2, subject=TIPPED)
        assert installation.post([taken_on]).status_code == 202
        wait_until(lambda: flag_id not in installation.alerting_flags(), READ_SECONDS, "the alert to end")
    wait_until(lambda: installation.rows("SELECT status FROM flags") == ["acknowledged"], READ_SECONDS, "its row")


def sent() -> list[Json]:
    """What the first tests have sent, up to the restart."""
    return [*a_practice(), *a_rupture()]


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The tables whose rows differ."""
    return {name for name, digest in before.items() if after[name] != digest}


def shown(installation: Installation, at: float | None = None) -> dict[str, float]:
    """How many scored clients Prometheus shows, by therapist."""
    return installation.series("max by (team, therapist) (alliance_therapist_scored_cases)", at)


def scraped_processes(installation: Installation) -> float:
    """How many of the project's processes Prometheus reaches."""
    jobs = "|".join(installation.processes())
    return installation.series(f'count(up{{job=~"{jobs}"}} == 1)').get("", 0.0)


def scraped_at(installation: Installation) -> float:
    """When Prometheus last saw the therapist, in seconds since 1970; 0 if not of late."""
    return installation.series("max by (therapist) (timestamp(alliance_therapist_scored_cases))").get(THERAPIST, 0.0)
