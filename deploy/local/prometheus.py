"""A real Prometheus on this machine.

In: the program that `parts.py` finds or fetches, a configuration. Out: a server on the loopback interface; answers to
queries.
Never: another interface; the machine's own configuration of Prometheus.
"""

import json
import urllib.parse
import urllib.request
from typing import Any

from deploy.local.monitor import Monitor


class Prometheus(Monitor):
    """One server; paths in its configuration are relative to its folder or absolute."""

    name = "prometheus"
    configuration = "prometheus.yml"

    def arguments(self) -> list[str]:
        """Alerts are sent again after seconds; Prometheus' default of a minute is for thousands of them."""
        return [
            f"--config.file={self.home / self.configuration}",
            f"--storage.tsdb.path={self.home / 'data'}",
            f"--web.listen-address={self.address}",
            "--rules.alert.resend-delay=5s",
            "--log.level=warn",
        ]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query: `metric` and `value` each."""
        result: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return result

    def values(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """The result of an instant query, by labels."""
        return {
            frozenset((name, value) for name, value in series["metric"].items() if name != "__name__"): float(
                series["value"][1]
            )
            for series in self.query(expression)
        }

    def firing(self) -> list[dict[str, str]]:
        """The labels of the alerts that fire."""
        return [alert["labels"] for alert in self._get("alerts")["alerts"] if alert["state"] == "firing"]

    def _get(self, what: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
