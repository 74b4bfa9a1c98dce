"""A real Prometheus with a history put into it, and its answers.

In: OpenMetrics text with timestamps. Out: a server on 127.0.0.1 that answers for any moment of that history.
Never: a scrape; a server left behind.
"""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local.parts import program
from deploy.testbed.processes import Process
from pipeline.runtime.processes import LOOPBACK, free_port, is_listening

Labels = dict[str, str]
READY_SECONDS = 30


class Prometheus:
    """Started on a folder of blocks; answers queries at moments of the past."""

    def __init__(self, folder: Path, lookback: str = "5m") -> None:
        self._folder = folder
        self._lookback = lookback
        self._port = free_port()
        self._process: Process | None = None

    def fill(self, history: Path) -> None:
        """Turn OpenMetrics text into blocks; only before the start."""
        command = [str(program("promtool")), "tsdb", "create-blocks-from", "openmetrics"]
        # One block for all of it: two-hour blocks would read the text once for each.
        command += ["--quiet", "--max-block-duration=8760h", str(history), str(self._folder / "data")]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def __enter__(self) -> Self:
        config = self._folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 30s}\n", encoding="utf-8")
        command = [
            str(program("prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--query.lookback-delta={self._lookback}",
            f"--web.listen-address={LOOPBACK}:{self._port}",
        ]
        self._process = Process("prometheus", command, self._folder / "prometheus.log")
        self._process.start()
        self._process.wait_until_ready(self._is_ready, READY_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    def instant(self, expression: str, at: datetime) -> list[dict[str, Any]]:
        """The result vector at a moment."""
        return self._result("query", query=expression, time=f"{at.timestamp():.3f}")

    def range(self, expression: str, start: datetime, end: datetime, step: int) -> list[dict[str, Any]]:
        """The result matrix between two moments; the step is in seconds."""
        return self._result(
            "query_range",
            query=expression,
            start=f"{start.timestamp():.3f}",
            end=f"{end.timestamp():.3f}",
            step=str(step),
        )

    def label_values(self, label: str, selector: str, start: datetime, end: datetime) -> list[str]:
        """The values that a label has in the series selected."""
        asked = {"match[]": selector, "start": f"{start.timestamp():.3f}", "end": f"{end.timestamp():.3f}"}
        found: list[str] = self._ask(f"label/{label}/values", asked)["data"]
        return found

    def _result(self, path: str, **asked: str) -> list[dict[str, Any]]:
        answer = self._ask(path, asked)
        complaints = [*answer.get("warnings", ()), *answer.get("infos", ())]
        assert not complaints, f"{asked['query']}\n{complaints}"
        data = answer["data"]
        assert data["resultType"] in ("vector", "matrix"), f"{asked['query']} is a {data['resultType']}"
        found: list[dict[str, Any]] = data["result"]
        return found

    def _ask(self, path: str, asked: Labels) -> dict[str, Any]:
        url = f"http://{LOOPBACK}:{self._port}/api/v1/{path}?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{asked}\n{error.read().decode()}") from error

    def _is_ready(self) -> bool:
        if not is_listening(self._port):
            return False
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False
