"""What every local server has in common: a folder, a port, a start and an end.

In: a folder for the data, or None for a temporary one; a port, or None for a free one. Out: a server to start, kill and
restart on the same data and port.
Never: a temporary folder left behind; an ended process that it did not start.
"""

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.console import PartsError
from pipeline.runtime.processes import LOOPBACK, Child, free_port, is_free, leave_to_reaper, take_from_reaper


class LocalServer(ABC):
    """One server, on the given data folder or on a temporary one."""

    name = ""

    def __init__(self, data: Path | None, port: int | None) -> None:
        self._temporary = data is None
        self.home = data if data is not None else Path(tempfile.mkdtemp(prefix=f"alliance-{self.name}-"))
        self.home.mkdir(parents=True, exist_ok=True)
        if self._temporary:
            leave_to_reaper("folder", self.home)
        self.port = port if port is not None else free_port()
        self._server: Child | None = None

    @property
    def address(self) -> str:
        """host:port, the same after a restart."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the server's process runs."""
        return self._server is not None and self._server.running

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child().pid

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.home / f"{self.name}.log"

    @abstractmethod
    def start(self) -> Self:
        """Start the server; return once it accepts requests."""

    def stop(self) -> None:
        """Shut the server down; start() uses the same data and port again."""
        self._child().stop()

    def kill(self) -> None:
        """SIGKILL: the server ends at once, its data folder stays as it is."""
        self._child().kill()

    def restart(self) -> None:
        """Stop it if it runs, then start it on the same data and port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good and remove a temporary folder."""
        if self._server is not None:
            self.kill() if self._temporary else self.stop()
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)
            take_from_reaper("folder", self.home)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _check_port(self) -> None:
        if not is_free(self.port):
            raise PartsError(f"{self.address} is taken: stop the server there, or choose another port.")

    def _child(self) -> Child:
        if self._server is None:
            raise RuntimeError(f"this {self.name} was never started")
        return self._server
