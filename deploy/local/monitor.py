"""What Prometheus and Alertmanager have in common as local servers.

In: a program, its arguments, a folder for the data. Out: a server on the loopback interface that is ready. Never:
another interface, a process left behind.
"""

import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import reaper
from deploy.local.child import Child
from deploy.local.console import PartsError
from deploy.local.parts import program
from deploy.local.ports import LOOPBACK, free_port, is_free

START_SECONDS = 60


class Monitor:
    """One server, on the given data folder, or on a temporary one of its own; its configuration lies in the folder."""

    name = ""
    configuration = ""

    def __init__(self, configuration: str, data: Path | None = None, *, port: int | None = None) -> None:
        self._temporary = data is None
        self.home = data if data is not None else Path(tempfile.mkdtemp(prefix=f"alliance-{self.name}-"))
        self.home.mkdir(parents=True, exist_ok=True)
        if self._temporary:
            reaper.watch("folder", self.home)
        self.port = port if port is not None else free_port()
        (self.home / self.configuration).write_text(configuration)
        self._server: Child | None = None

    @property
    def address(self) -> str:
        """host:port, the same after a restart."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{self.address}"

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._server is not None and self._server.running

    def arguments(self) -> list[str]:
        """What stands behind the program's name."""
        raise NotImplementedError

    def start(self) -> Self:
        """Starts the server and returns once it is ready."""
        if not is_free(self.port):
            raise PartsError(f"{self.address} is taken: stop the server there, or choose another port.")
        if self._server is None:
            command = [str(program(self.name)), *self.arguments()]
            self._server = Child(self.name, command, self.home / f"{self.name}.log", cwd=self.home)
        self._server.start()
        self._server.wait_until_ready(self._is_ready, START_SECONDS)
        return self

    def stop(self) -> None:
        """Ends it in good order; start() goes on with the same data and port."""
        self._child().stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._child().kill()

    def restart(self) -> None:
        """Stops it if it runs, then starts it on the same data and port."""
        self.stop()
        self.start()

    def output(self) -> str:
        """What it wrote since its latest start."""
        return self._child().output()

    def close(self) -> None:
        """Ends it for good; a temporary folder goes with it."""
        if self._server is not None:
            self.kill() if self._temporary else self.stop()
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)
            reaper.forget("folder", self.home)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _child(self) -> Child:
        if self._server is None:
            raise RuntimeError(f"this {self.name} was never started")
        return self._server

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
