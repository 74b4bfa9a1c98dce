"""The image's health check, against the very server that every process answers with."""

import pytest
from prometheus_client import CollectorRegistry

from deploy.healthy import is_healthy, port_of
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.processes import free_port


def test_a_process_is_healthy_once_it_is_ready_and_waits_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    health = Health("worker")
    server = serve("127.0.0.1", 0, health, CollectorRegistry())
    try:
        assert not is_healthy(server.server_port)
        health.is_ready()
        assert is_healthy(server.server_port)
        health.waits_for("broker", "no broker answers")
        capsys.readouterr()
        assert not is_healthy(server.server_port)
        assert "no broker answers" in capsys.readouterr().out
    finally:
        server.shutdown()
        server.server_close()


def test_a_process_that_does_not_answer_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert not is_healthy(port)
    assert f"no process answers on port {port}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command_line",
    [
        b"/opt/alliance/bin/python\0/opt/alliance/bin/alliance\0worker\0",
        b"/sbin/docker-init\0--\0alliance\0worker\0",
        b"alliance\0worker\0--option\0",
    ],
)
def test_the_port_is_that_of_the_command_which_the_container_runs(command_line: bytes) -> None:
    assert port_of(command_line, {}) == 9109
    assert port_of(command_line, {"ALLIANCE_WORKER_PORT": "9999"}) == 9999
