"""A newcomer's machine: a container with Debian's Python, make and git, in which the project is cloned.

In: a running engine, a repository. Out: the output of the README's commands there.
Never: a file of this machine except the repository and the settings of its package clients (`machine.carried_files`).
"""

from pathlib import Path

from tests.images.engine import Engine
from tests.images.stand_ins import BARE

CONTAINER = "alliance-images-bare"
CHECKOUT = "/srv/alliance-monitor"


class BareMachine:
    """One container, kept up for several commands, as a machine is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(self, repository: Path) -> None:
        """Starts it and clones the repository there."""
        mounted = f"{repository}:/repository:ro"
        self._engine.docker("run", "--detach", "--init", "--name", CONTAINER, "--volume", mounted, BARE)
        self._engine.docker("exec", CONTAINER, "git", "clone", "--quiet", "/repository", CHECKOUT)

    def run(self, *command: str) -> tuple[int, str]:
        """Runs a command in the clone and shows its lines; its exit code and all that it said."""
        return self._engine.stream(["docker", "exec", "--workdir", CHECKOUT, CONTAINER, *command])

    def has(self, program: str) -> bool:
        """Whether a program is installed there."""
        there = self._engine.docker("exec", CONTAINER, "sh", "-c", f"command -v {program} || true")
        return bool(there.strip())

    def remove(self) -> None:
        """Ends it for good."""
        self._engine.docker("rm", "--force", CONTAINER)
