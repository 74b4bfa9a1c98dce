"""Every setting of every process, read from environment variables `ALLIANCE_…`.

In: an environment. Out: a frozen `Settings`, or `SettingsError`, which says which variable is wrong and what to do.
Never: read `os.environ` itself; the command gives it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PREFIX = "ALLIANCE_"
#: A wrong value is shown up to this length.
LONGEST_SHOWN = 100


class SettingsError(Exception):
    """A setting is wrong; the message says which and what to do."""


class Must(NamedTuple):
    """The form that the text of a setting must have, and its description for a person."""

    holds: Callable[[str], bool]
    words: str


def _like(pattern: str, words: str) -> Must:
    return Must(lambda text: re.fullmatch(pattern, text) is not None, words)


def _whole(least: int, most: int) -> Must:
    def holds(text: str) -> bool:
        return re.fullmatch(r"-?[0-9]{1,9}", text) is not None and least <= int(text) <= most

    return Must(holds, f"a whole number from {least:,} to {most:,}")


def _each(holds: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: all(holds(part.strip()) for part in text.split(","))


def _is_place(text: str) -> bool:
    """Whether it is host:port; an IPv6 address is in brackets."""
    host, _, port = text.rpartition(":")
    # A name that ends in a dot is complete: the resolver adds no domain to it.
    name = r"[^\s:/@.]{1,63}(\.[^\s:/@.]{1,63})*\.?|\[[0-9A-Fa-f:.]+\]"
    return re.fullmatch(name, host) is not None and PORT.holds(port)


def _is_web_place(text: str) -> bool:
    """Whether it is host:port, or an HTTP URL with or without a port."""
    if "://" not in text:
        return _is_place(text)
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in text
    except ValueError:
        return False


PORT = _whole(1, 65_535)
#: 0 means any free port.
OWN_PORT = _whole(0, 65_535)
BROKERS = Must(_each(_is_place), "host:port, or several separated by commas")
ALERTMANAGERS = Must(_each(_is_web_place), "http://host:port or host:port, or several separated by commas")
DATABASE = _like(
    r"sqlite(\+pysqlite)?://.*|postgresql(\+psycopg)?://.+",
    "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
)
HOST = _like(r"[\w%:-]{1,63}(\.[\w%:-]{1,63})*", "an address or a name of this machine")
VERSION = _like(
    r"[1-9][0-9]?(\.[0-9]{1,2}){1,2}|0\.([89]|1[01])(\.[0-9]{1,2})?", "a version such as 2.3 or 0.10.2, or empty"
)
APP_ID = _like(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", "at most 100 of letters, digits, dots, hyphens and underscores")
LINK = _like(r"https?://\S+", "an address such as https://worklist.example/flags, or empty")
LEVELS = _like(r"(?i)debug|info|warning|error", "debug, info, warning or error")


def _setting(default: object, doc: str, *, secret: bool = False, must: Must | None = None) -> Any:
    """A field with its documentation; `Any`, because the field's annotation says the type, as with `field` itself."""
    return field(default=default, metadata={"doc": doc, "secret": secret, "must": must})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Effective settings; each field is the variable `ALLIANCE_<FIELD IN CAPITALS>`."""

    kafka: str = _setting("127.0.0.1:9092", "Kafka broker, host:port (several: separated by commas)", must=BROKERS)
    kafka_api_version: str = _setting("", "the broker's API version, such as 2.3; empty: ask the broker", must=VERSION)
    database: str = _setting("sqlite:///alliance.sqlite", "SQLAlchemy URL of the store", secret=True, must=DATABASE)
    instruments: str = _setting("", "folder with the practice's own instrument definitions")
    prior: str = _setting("", "file with the practice's own prior, made by `alliance calibrate`")
    app_id: str = _setting("alliance", "name of the consumer groups and changelogs", must=APP_ID)
    partitions: int = _setting(
        8, "partitions of each topic, the same for `alliance topics` and every worker", must=_whole(1, 10_000)
    )
    replication: int = _setting(1, "replicas of each topic that `alliance topics` creates", must=_whole(1, 100))
    host: str = _setting("127.0.0.1", "address on which a process listens", must=HOST)
    gateway_port: int = _setting(8080, "port of the gateway", must=OWN_PORT)
    exporter_port: int = _setting(9108, "port of the exporter's /metrics", must=OWN_PORT)
    worker_port: int = _setting(9109, "port of the worker's /metrics and /health", must=OWN_PORT)
    store_port: int = _setting(9110, "port of the store's /metrics and /health", must=OWN_PORT)
    notifier_port: int = _setting(9111, "port of the notifier's /metrics and /health", must=OWN_PORT)
    alertmanager: str = _setting(
        "http://127.0.0.1:9093",
        "where the notifier sends open flags (several Alertmanagers: separated by commas)",
        secret=True,
        must=ALERTMANAGERS,
    )
    worklist_url: str = _setting(
        "",
        "the supervisors' worklist; an alert links to this address, a slash and the flag_id; empty: no link",
        must=LINK,
    )
    api_keys: str = _setting("", "file with one hashed API key in each line (`alliance key` makes one)")
    session_timeout_seconds: int = _setting(
        10,
        "after this long without a heartbeat, other workers or stores take over the partitions of a dead one",
        # Kafka's default for `group.min.session.timeout.ms` is 6 s; a broker may be configured for less.
        must=_whole(1, 1_800),
    )
    log_level: str = _setting(
        "warning", "least important messages that are logged: debug, info, warning or error", must=LEVELS
    )

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
        return [address.strip() for address in self.alertmanager.split(",")]

    def masked(self) -> dict[str, str]:
        """Every setting as text, passwords hidden."""
        return {
            PREFIX + setting.name.upper(): _mask(str(getattr(self, setting.name)))
            if setting.metadata["secret"]
            else str(getattr(self, setting.name))
            for setting in fields(self)
        }


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The current settings; an empty variable has its default. Raises `SettingsError` for a wrong variable."""
    known = {PREFIX + setting.name.upper(): setting for setting in fields(Settings)}
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise SettingsError(
                f"{name} is not a setting. Remove it or correct its name; `alliance doctor --help` lists all settings."
            )
        # docker-compose.yml passes a variable that is not set as an empty text.
        if text:
            values[known[name].name] = _read(name, text, known[name])
    return Settings(**values)


def _read(name: str, text: str, setting: Field[Any]) -> object:
    must: Must | None = setting.metadata["must"]
    if isinstance(setting.default, int):
        text = text.strip()
    if must is not None and not must.holds(text):
        given = "it is not" if setting.metadata["secret"] else f"it is {text[:LONGEST_SHOWN]!r}"
        example = f", for example to {setting.default}" if setting.default else ""
        raise SettingsError(f"{name} must be {must.words}; {given}. Change it{example}.")
    return int(text) if isinstance(setting.default, int) else text


def documentation() -> list[tuple[str, str, str]]:
    """Variable, default and meaning of every setting."""
    return [
        (PREFIX + setting.name.upper(), str(setting.default), str(setting.metadata["doc"]))
        for setting in fields(Settings)
    ]


def _mask(url: str) -> str:
    # As SQLAlchemy reads a URL: a slash in a password is a part of the password.
    without_password = re.sub(r"(://[^:/]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&][^&=]*(?:pass|secret|key)[^&=]*)=[^&]*", r"\1=***", without_password)
