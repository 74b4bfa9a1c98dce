"""The gateway and a broker that is not there, goes, and comes back."""

import os
import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from deploy.testbed.builders import a_held, value_of
from deploy.testbed.gateway import Gateway, a_gateway
from deploy.testbed.kafka import Kafka, create_topics, records_of, unique_name
from deploy.testbed.senders import an_impatient_producer
from deploy.testbed.waiting import wait_until
from pipeline.ingest.gateway.submit import Limits
from pipeline.runtime.processes import LOOPBACK, free_port

pytestmark = pytest.mark.kafka

QUICK = Limits(ack_seconds=2.0, probe_seconds=0.1)


def event(number: int) -> bytes:
    return value_of(a_held(subject=f"case-{number % 5}", id=f"e-{number}"))


def is_waiting_for(gateway: Gateway, part: str) -> bool:
    answer = gateway.get("/health")
    return answer.status_code == 503 and any(waiting["part"] == part for waiting in answer.json()["waiting_for"])


def assert_unavailable(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["reason"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_it_starts_without_a_broker_says_so_and_ends_cleanly(tmp_path: Path) -> None:
    with a_gateway(tmp_path, f"{LOOPBACK}:{free_port()}", "nowhere", limits=QUICK) as gateway:
        assert_unavailable(gateway.post(event(1)))
        assert is_waiting_for(gateway, "broker")
        assert gateway.get("/ready").status_code == 503
        assert gateway.get("/metrics").status_code == 200


def test_an_open_port_that_does_not_answer_is_not_a_broker(tmp_path: Path) -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        a_gateway(tmp_path, f"{LOOPBACK}:{silent.getsockname()[1]}", "nowhere", limits=QUICK) as gateway,
    ):
        assert_unavailable(gateway.post(event(1)))
        assert is_waiting_for(gateway, "broker")


def test_it_waits_for_the_topic_and_continues_by_itself(kafka: Kafka, tmp_path: Path) -> None:
    topic = unique_name("gateway-later")
    options = {"limits": QUICK, "make_producer": lambda: an_impatient_producer(kafka.bootstrap)}
    with a_gateway(tmp_path, kafka.bootstrap, topic, **options) as gateway:
        wait_until(lambda: is_waiting_for(gateway, "topic"), 20, lambda: gateway.get("/health").text)
        assert_unavailable(gateway.post(event(1)))
        create_topics(kafka.bootstrap, {topic: 1})
        gateway.wait_until_ready()
        assert gateway.post(event(1)).status_code == 202


def test_a_killed_broker_means_503_never_202_and_then_it_recovers(broker_of_my_own: Kafka, tmp_path: Path) -> None:
    topic = unique_name("gateway-outage")
    create_topics(broker_of_my_own.bootstrap, {topic: 4})
    options = {"limits": QUICK, "make_producer": lambda: an_impatient_producer(broker_of_my_own.bootstrap)}
    with a_gateway(tmp_path, broker_of_my_own.bootstrap, topic, **options) as gateway:
        gateway.wait_until_ready()
        confirmed = []
        for number in range(20):
            assert gateway.post(event(number)).status_code == 202
            confirmed.append(event(number))
        broker_of_my_own.kill()
        assert_unavailable(gateway.post(event(100)))
        wait_until(lambda: is_waiting_for(gateway, "broker"), 20, lambda: gateway.get("/health").text)
        assert_unavailable(gateway.post(event(101)))
        wait_until(no_old_producer, 20, "the records in flight to expire")
        broker_of_my_own.start()
        gateway.wait_until_ready()
        for number in range(200, 220):
            assert gateway.post(event(number)).status_code == 202
            confirmed.append(event(number))
        kept = {record.value for record in records_of(broker_of_my_own.bootstrap, topic)}
        assert kept >= set(confirmed)
        assert event(101) not in kept


def no_old_producer() -> bool:
    return not any(thread.name == "old producer" for thread in threading.enumerate())


def test_a_broker_that_hangs_for_a_while_means_503_and_then_it_recovers(
    broker_of_my_own: Kafka, tmp_path: Path
) -> None:
    topic = unique_name("gateway-hang")
    create_topics(broker_of_my_own.bootstrap, {topic: 1})
    options = {"limits": QUICK, "make_producer": lambda: an_impatient_producer(broker_of_my_own.bootstrap)}
    with a_gateway(tmp_path, broker_of_my_own.bootstrap, topic, **options) as gateway:
        gateway.wait_until_ready()
        assert gateway.post(event(1)).status_code == 202
        os.kill(broker_of_my_own.pid, signal.SIGSTOP)
        try:
            assert_unavailable(gateway.post(event(2)))
            wait_until(lambda: not no_old_producer(), 20, "the record to expire")
        finally:
            os.kill(broker_of_my_own.pid, signal.SIGCONT)
        wait_until(lambda: gateway.post(event(3)).status_code == 202, 30, "an event to be kept again")
        assert {event(1), event(3)} <= {record.value for record in records_of(broker_of_my_own.bootstrap, topic)}


def test_every_202_given_while_it_stops_is_in_the_log(kafka: Kafka, tmp_path: Path) -> None:
    topic = unique_name("gateway-stop")
    create_topics(kafka.bootstrap, {topic: 4})
    confirmed: list[bytes] = []

    def send_until_it_is_gone(url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
        with httpx.Client(base_url=url, headers=headers) as client:
            number = 0
            while True:
                try:
                    answer = client.post("/v1/events", content=event(number))
                except httpx.TransportError:
                    return
                if answer.status_code == 202:
                    confirmed.append(event(number))
                number += 1

    with a_gateway(tmp_path, kafka.bootstrap, topic) as gateway:
        gateway.wait_until_ready()
        sender = threading.Thread(target=send_until_it_is_gone, args=(gateway.url, gateway.key))
        sender.start()
        wait_until(lambda: len(confirmed) > 20, 30, "some events to be kept")
    sender.join(30)
    assert not sender.is_alive()
    assert set(confirmed) <= {record.value for record in records_of(kafka.bootstrap, topic)}
