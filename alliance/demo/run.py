"""Setting up the demonstration: a log, a folder, the processes; and taking all of it down again.

In: what the person asked for, a screen, a flag that says stop. Out: a demonstration that runs, and how it ended.
Never: a process or a folder left behind (unless asked to keep it, or something went wrong and it holds the logs).
"""

import tempfile
import threading
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from alliance.demo.children import Children
from alliance.demo.endings import Stopped
from alliance.demo.event_log import Log, embedded_log, real_log
from alliance.demo.ports import LOOPBACK, free_ports
from alliance.demo.screens import Screen
from alliance.demo.stage import Scene, Stage, Wanted
from alliance.demo.summary import Outcome
from pipeline.ingest.gateway.api_keys import make_key
from pipeline.runtime.settings import PREFIX, Settings

ROOMS = ("worker", "store", "exporter", "gateway")
STORE_FILE = "store.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person asked for."""

    wanted: Wanted
    keep: bool = False
    broker: str = ""
    into_existing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How it ended: where the folder is if it stays, and the outcome, if it was not stopped before there was one."""

    kept: Path | None
    outcome: Outcome | None


def demonstrate(options: Options, screen: Screen, stop: threading.Event) -> Result:
    """Run until `stop` is set or, with `once`, until all is done. Raises `DemoError`."""
    began, outcome = monotonic(), None
    with suppress(Stopped), ExitStack() as stack:
        log = stack.enter_context(real_log(options.broker, options.into_existing) if options.broker else embedded_log())
        folder = Path(tempfile.mkdtemp(prefix="alliance-demo-"))
        settings, key = _settings(log, folder)
        children = stack.enter_context(Children(folder, as_environment(settings)))
        if options.keep:
            children.keep_folder()
        stage = Stage(options.wanted, _scene(log, settings, folder, key), children, screen, stop, began)
        stack.enter_context(closing(stage))
        stack.enter_context(screen)
        outcome = stage.run()
    return Result(kept=folder if options.keep else None, outcome=outcome)


def _settings(log: Log, folder: Path) -> tuple[Settings, str]:
    """The settings of all processes, and the one API key of the gateway."""
    worker, store, exporter, gateway = free_ports(len(ROOMS))
    key, line = make_key("demo")
    keys = folder / "api-keys"
    keys.write_text(f"{line}\n")
    settings = replace(
        log.settings,
        database=f"sqlite:///{folder / STORE_FILE}",
        host=LOOPBACK,
        worker_port=worker,
        store_port=store,
        exporter_port=exporter,
        gateway_port=gateway,
        api_keys=str(keys),
    )
    return settings, key


def _scene(log: Log, settings: Settings, folder: Path, key: str) -> Scene:
    missing = _missing_for_the_gateway()
    rooms = [room for room in ROOMS if room != "gateway" or not missing]
    return Scene(
        log=log,
        settings=settings,
        folder=folder,
        database=folder / STORE_FILE,
        addresses={room: f"http://{LOOPBACK}:{getattr(settings, f'{room}_port')}" for room in rooms},
        gateway_remark=missing or f"API key {key}",
    )


def _missing_for_the_gateway() -> str:
    """Why there is no gateway; empty when there can be one."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    return f"left out, it needs {' and '.join(missing)}: pip install 'alliance-monitor[gateway]'" if missing else ""


def as_environment(settings: Settings) -> dict[str, str]:
    """Settings as the environment variables that they are read from."""
    return {PREFIX + one.name.upper(): str(getattr(settings, one.name)) for one in fields(settings)}
