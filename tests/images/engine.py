"""A Docker engine of the test's own: its data, its socket and its pid file in one folder.

In: a folder. Out: a running engine, answers of `docker`.
Never: an engine that was not started here; a network address to listen on; a firewall rule or a network device that
outlives it.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deploy.local.console import PartsError, say
from pipeline.runtime.processes import Child, last_lines

START_SECONDS = 60
STOP_SECONDS = 60
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = "docker0"
#: The tables that an engine writes its rules into.
TABLES = ("nat", "filter")


class Engine:
    """One engine; what `start` began, also when it failed half-way, `close` ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid_file = folder / "engine.pid"
        self._socket = f"unix://{folder}/engine.sock"
        places = {"data-root": folder / "data", "exec-root": folder / "exec", "pidfile": self.pid_file}
        command = ["dockerd", f"--host={self._socket}", *(f"--{name}={place}" for name, place in places.items())]
        self._child = Child("The Docker engine", command, folder / "engine.log")
        self._network = Network()

    @property
    def environment(self) -> dict[str, str]:
        """For clients: this engine, and the builder that needs no plug-in."""
        return {**os.environ, "DOCKER_HOST": self._socket, "DOCKER_BUILDKIT": "0", "COMPOSE_HTTP_TIMEOUT": "300"}

    def docker(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """What a docker command answers; a sentence with its last words when it fails."""
        return self.run(["docker", *arguments], stdin=stdin).stdout

    def run(
        self, command: Sequence[str | Path], *, stdin: str | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a client of this engine."""
        answer = subprocess.run(
            command, input=stdin, env=self.environment, capture_output=True, text=True, check=False, cwd=cwd
        )
        if answer.returncode != 0:
            said = last_lines(answer.stdout + answer.stderr, count=40)
            raise PartsError(f"`{' '.join(map(str, command))}` ended with {answer.returncode}: {said}")
        return answer

    def stream(self, command: Sequence[str | Path]) -> tuple[int, str]:
        """Runs a client and shows its lines as they come; its exit code and all that it said."""
        said: list[str] = []
        with subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as client:  # fmt: skip
            for line in client.stdout or ():
                said.append(line)
                say(f"    | {line.rstrip()}")
        return client.returncode, "".join(said)

    def build(self, tag: str, context: Path) -> None:
        """An image from a folder with its Dockerfile."""
        self.docker("build", "--force-rm", "--tag", tag, context)

    def is_ready(self) -> bool:
        """Whether it answers."""
        return subprocess.run(["docker", "version"], env=self.environment, capture_output=True).returncode == 0

    def start(self) -> None:
        """Starts it and returns once it answers."""
        self._child.start()
        self._child.wait_until_ready(self.is_ready, START_SECONDS)
        if self.pid_file.read_text().strip() != str(self._child.pid):
            raise PartsError(f"{self.pid_file} names another process than the engine that was started.")

    def close(self) -> None:
        """Ends its containers and itself, by its process id, and puts back what it changed in the network."""
        self._remove_containers()
        self._child.stop(grace_seconds=STOP_SECONDS)
        self._network.restore()
        unmount_below(self.folder)

    def _remove_containers(self) -> None:
        # The engine leaves their processes running when it stops in any other way.
        with suppress(PartsError):
            found = self.docker("ps", "--all", "--quiet").split()
            if found:
                self.docker("rm", "--force", *found)
            self.docker("network", "prune", "--force")


class Network:
    """The firewall, the forwarding switch and the bridge, as they are when this is made: before the engine starts."""

    def __init__(self) -> None:
        self._rules = "".join(_answer("iptables-save", "--table", table) for table in TABLES)
        self._forwarding = FORWARDING.read_text()
        self._had_bridge = bridge_is_there()

    def restore(self) -> None:
        """As remembered."""
        subprocess.run(["iptables-restore"], input=self._rules, text=True, check=True)
        FORWARDING.write_text(self._forwarding)
        if bridge_is_there() and not self._had_bridge:
            _answer("ip", "link", "delete", BRIDGE)


def bridge_is_there() -> bool:
    """Whether the machine has the device that an engine makes."""
    return Path("/sys/class/net", BRIDGE).exists()


def unmount_below(folder: Path) -> None:
    """Lets go of what a stopped engine leaves mounted, the deepest first."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted(mounts, key=len, reverse=True):
        if Path(mount).is_relative_to(folder):
            _answer("umount", mount)


def remove(folder: Path) -> None:
    """Deletes a temporary folder of root's, with nothing mounted below it."""
    unmount_below(folder)
    shutil.rmtree(folder)


def _answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
