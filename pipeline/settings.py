"""Every setting of every process, read from environment variables `ALLIANCE_…`.

In: an environment. Out: one frozen `Settings`, or one sentence that says which variable is wrong and what to do.
Never: read the environment anywhere else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

PREFIX = "ALLIANCE_"


class SettingsError(Exception):
    """A setting is wrong; the message says which and what to do."""


#: `must` of a setting: what its text looks like, and how a person is told.
BROKERS = (r"\s*\S+:\d+\s*(,\s*\S+:\d+\s*)*", "host:port, or several separated by commas")
ENGINES = (r"sets|events", "sets or events")


def _setting(default: object, doc: str, *, secret: bool = False, must: tuple[str, str] | None = None) -> object:
    return field(default=default, metadata={"doc": doc, "secret": secret, "must": must})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Effective settings; each field is the variable `ALLIANCE_<FIELD IN CAPITALS>`."""

    kafka: str = _setting(  # type: ignore[assignment]
        "127.0.0.1:9092", "broker, host:port (several: separated by commas)", must=BROKERS
    )
    kafka_api_version: str = _setting(  # type: ignore[assignment]
        "", "pin the broker's API version, such as 2.3; empty: ask the broker"
    )
    database: str = _setting(  # type: ignore[assignment]
        "sqlite:///alliance.sqlite", "SQLAlchemy URL of the store", secret=True
    )
    instruments: str = _setting("", "folder with a practice's own instrument definitions")  # type: ignore[assignment]
    prior: str = _setting("", "file with the practice's own prior, made by `alliance calibrate`")  # type: ignore[assignment]
    app_id: str = _setting("alliance", "name of the consumer groups and changelogs")  # type: ignore[assignment]
    partitions: int = _setting(8, "partitions of each topic, the same for `alliance topics` and every worker")  # type: ignore[assignment]
    replication: int = _setting(1, "replicas of each topic, when `alliance topics` makes them")  # type: ignore[assignment]
    host: str = _setting("127.0.0.1", "address on which a process listens")  # type: ignore[assignment]
    gateway_port: int = _setting(8080, "port of the gateway")  # type: ignore[assignment]
    exporter_port: int = _setting(9108, "port of the exporter's /metrics")  # type: ignore[assignment]
    worker_port: int = _setting(9109, "port of the worker's /metrics and /health")  # type: ignore[assignment]
    store_port: int = _setting(9110, "port of the store's /metrics and /health")  # type: ignore[assignment]
    notifier_port: int = _setting(9111, "port of the notifier's /metrics and /health")  # type: ignore[assignment]
    alertmanager: str = _setting(  # type: ignore[assignment]
        "http://127.0.0.1:9093",
        "where the notifier sends open flags (several Alertmanagers: separated by commas)",
        secret=True,
    )
    worklist_url: str = _setting(  # type: ignore[assignment]
        "", "the supervisors' worklist; with a slash and the flag_id after it, an alert's link; empty: no link"
    )
    api_keys: str = _setting("", "file with one hashed API key a line (`alliance key` makes one)")  # type: ignore[assignment]
    session_timeout_seconds: int = _setting(  # type: ignore[assignment]
        10, "after this long without a heartbeat a dead worker's or store's partitions go to another"
    )
    engine: str = _setting(  # type: ignore[assignment]
        "sets",
        "how a worker takes records: sets (all that was fetched at once); events (one by one) only to compare with",
        must=ENGINES,
    )
    log_level: str = _setting("warning", "debug, info, warning or error")  # type: ignore[assignment]

    @property
    def instruments_folder(self) -> Path | None:
        """The practice's own definitions, if there are any."""
        return Path(self.instruments) if self.instruments else None

    @property
    def api_version(self) -> tuple[int, ...] | None:
        """The pinned API version as kafka-python takes it."""
        if not self.kafka_api_version:
            return None
        return tuple(int(part) for part in self.kafka_api_version.split("."))

    @property
    def alertmanagers(self) -> list[str]:
        """Each Alertmanager's address."""
        return [one.strip() for one in self.alertmanager.split(",")]

    def masked(self) -> dict[str, str]:
        """Every setting as text, passwords hidden."""
        return {
            PREFIX + one.name.upper(): _mask(str(getattr(self, one.name)))
            if one.metadata["secret"]
            else str(getattr(self, one.name))
            for one in fields(self)
        }


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings in force; raises `SettingsError` for an unknown or unreadable variable."""
    known = {PREFIX + one.name.upper(): one for one in fields(Settings)}
    values: dict[str, object] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise SettingsError(
                f"{name} is no setting; `alliance doctor --help` lists them. Remove it or mend its name."
            )
        values[known[name].name] = _read(name, text, known[name].default, known[name].metadata["must"])
    return Settings(**values)  # type: ignore[arg-type]


def _read(name: str, text: str, default: object, must: tuple[str, str] | None) -> object:
    if must is not None and not re.fullmatch(must[0], text):
        raise SettingsError(f"{name} must be {must[1]}; it is not. Set it so, such as {default}.")
    if not isinstance(default, int):
        return text
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number; it is not. Set it to one, such as {default}.") from None


def documentation() -> list[tuple[str, str, str]]:
    """Variable, default and meaning of every setting."""
    return [(PREFIX + one.name.upper(), str(one.default), str(one.metadata["doc"])) for one in fields(Settings)]


def _mask(url: str) -> str:
    # As SQLAlchemy reads it, to which a slash in a password is one more character of it.
    without_password = re.sub(r"(://[^:/]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&][^&=]*(?:pass|secret|key)[^&=]*)=[^&]*", r"\1=***", without_password)
