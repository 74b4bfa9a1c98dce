"""`POST /resume/PARTITION` and `alliance resume`: what an operator is answered."""

import asyncio
import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry

from alliance.commands.context import OperatorError
from alliance.commands.resume import ask_worker
from pipeline.runtime.health import Health
from pipeline.runtime.http import Reply, serve
from pipeline.worker.faust.resume_endpoint import NOT_YET, UNKNOWN, ResumeEndpoint


@pytest.fixture
def endpoint() -> Iterator[tuple[ResumeEndpoint, str]]:
    """An endpoint behind a real server, and its address."""
    endpoint = ResumeEndpoint()
    server = serve("127.0.0.1", 0, Health("worker"), CollectorRegistry(), post=endpoint.reply)
    yield endpoint, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_endpoint_answers_from_the_apps_own_loop(endpoint: tuple[ResumeEndpoint, str]) -> None:
    resume_endpoint, address = endpoint
    assert ask_worker(address, 3) == NOT_YET

    async def resume(partition: int) -> Reply:
        return Reply(200 if partition == 3 else 409, f"{partition} in {threading.current_thread().name}")

    async def run() -> list[tuple[int, str]]:
        resume_endpoint.connect(resume)
        return [await asyncio.to_thread(ask_worker, address, partition) for partition in (3, 4)]

    here = threading.current_thread().name
    assert asyncio.run(run()) == [(200, f"3 in {here}"), (409, f"4 in {here}")]


@pytest.mark.parametrize("path", ["/resume/", "/resume/x", "/resume/-1", "/elsewhere", "/resume/1/2"])
def test_any_other_post_is_answered_in_a_sentence(endpoint: tuple[ResumeEndpoint, str], path: str) -> None:
    connection = HTTPConnection(endpoint[1], timeout=5)
    connection.request("POST", path)
    answer = connection.getresponse()
    assert (answer.status, answer.read().decode().strip()) == UNKNOWN
    connection.close()


def test_a_process_that_accepts_no_post_says_so() -> None:
    server = serve("127.0.0.1", 0, Health("store"), CollectorRegistry())
    assert ask_worker(f"127.0.0.1:{server.server_port}", 3) == (404, "This address accepts no POST.")
    server.shutdown()
    server.server_close()


def test_a_worker_that_does_not_answer_is_named_with_the_next_step() -> None:
    with pytest.raises(OperatorError, match=r"No worker answers at 127\.0\.0\.1:1\. .*--worker"):
        ask_worker("127.0.0.1:1", 3)
