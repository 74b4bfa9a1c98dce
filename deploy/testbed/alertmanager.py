"""A real Alertmanager with the shipped routes, which notifies a webhook.

In: `deploy/alertmanager/alertmanager.yml`, a webhook. Out: a configuration with the same routes and inhibition, in
which each receiver is a path of the webhook, at any hour and after short waits.
Never: a route that is not shipped.
"""

from typing import Any

import yaml

from deploy.local.alertmanager import Alertmanager
from deploy.local.places import ROOT
from deploy.testbed.webhook import Webhook

__all__ = ["Alertmanager", "configuration"]

SHIPPED = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"


def configuration(webhook: Webhook, *, group_wait: str | None = "1s", group_interval: str = "1s") -> str:
    """The shipped file with other receivers and shorter waits; a wait of 0s stays 0s."""
    settings: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    settings["global"] = {"resolve_timeout": "5m"}
    settings["receivers"] = [
        {"name": name, "webhook_configs": [{"url": webhook.url(f"/{name}"), "send_resolved": True}]}
        for name in (receiver["name"] for receiver in settings["receivers"])
    ]
    for route in (settings["route"], *settings["route"]["routes"]):
        route.pop("active_time_intervals", None)
        route["group_interval"] = group_interval
        if group_wait is not None and route.get("group_wait") != "0s":
            route["group_wait"] = group_wait
    return yaml.safe_dump(settings)
