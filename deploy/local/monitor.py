"""What Prometheus and Alertmanager have in common as local servers.

In: a program, its arguments, a folder for the data. Out: a server on the loopback interface that is ready.
Never: another interface; a process left behind.
"""

import urllib.error
import urllib.request
from abc import abstractmethod
from pathlib import Path
from typing import Self

from deploy.local.parts import program
from deploy.local.server import LocalServer
from pipeline.runtime.processes import Child

START_SECONDS = 60


class Monitor(LocalServer):
    """One server on the given data folder or a temporary one, which also holds its configuration."""

    configuration = ""

    def __init__(self, configuration: str, data: Path | None = None, *, port: int | None = None) -> None:
        super().__init__(data, port)
        (self.home / self.configuration).write_text(configuration)

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{self.address}"

    @abstractmethod
    def arguments(self) -> list[str]:
        """The arguments after the program's name."""

    def folder_to_run_in(self, program: Path) -> Path:
        """The working folder; all paths in the arguments are absolute."""
        return self.home

    def start(self) -> Self:
        """Start the server; return once it is ready."""
        self._check_port()
        if self._server is None:
            found = program(self.name)
            self._server = Child(self.name, [found, *self.arguments()], self.log, cwd=self.folder_to_run_in(found))
        self._server.start()
        self._server.wait_until_ready(self._is_ready, START_SECONDS)
        return self

    def output(self) -> str:
        """What it wrote since its latest start."""
        return self._child().output()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
