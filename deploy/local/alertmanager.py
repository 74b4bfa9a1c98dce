"""A real Alertmanager on this machine.

In: the program that `parts.py` finds or fetches, a configuration. Out: a server on the loopback interface.
Never: another interface, a cluster.
"""

import json
import urllib.request
from pathlib import Path
from typing import Any

from deploy.local.monitor import Monitor
from deploy.local.parts import templates_beside


class Alertmanager(Monitor):
    """One server, without gossip."""

    name = "alertmanager"
    configuration = "alertmanager.yml"

    def arguments(self) -> list[str]:
        """Its notification log and silences are kept in its folder over a restart; alerts are not."""
        return [
            f"--config.file={self.home / self.configuration}",
            f"--storage.path={self.home / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def folder_to_run_in(self, program: Path) -> Path:
        """The folder in which an unpacked Alertmanager finds its templates."""
        return templates_beside(program) or self.home

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that have not ended, as its API shows them."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            held: list[dict[str, Any]] = json.load(answer)
        return held

    def notification_count(self) -> float:
        """How many notifications it has sent to webhooks and recorded as sent."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        name = 'alertmanager_notification_latency_seconds_count{integration="webhook"}'
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)
