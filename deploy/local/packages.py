"""Programs that come from the system's package manager: Java, Maven, Python's venv, Prometheus.

In: what is installed. Out: a path to the program. As root on Debian or Ubuntu the package is installed, and a line says
so; elsewhere one sentence names the command to run.
Never: an installation without root, or without a line about it.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.local.console import PartsError, announced
from pipeline.runtime.processes import last_lines

JAVA_MAJOR = 17
JAVA_PACKAGES = ("openjdk-21-jre-headless", "openjdk-17-jre-headless", "default-jre-headless")


@dataclass(frozen=True)
class InstallHint:
    """What a person installs where this program may not: packages of apt, formulas of Homebrew."""

    apt: str
    brew: str

    def command(self) -> str:
        """The command to type on this kind of system."""
        return f"brew install {self.brew}" if shutil.which("brew") else f"sudo apt-get install {self.apt}"


# A machine without Java usually has no Maven either; one command installs both.
JAVA_AND_MAVEN = InstallHint("default-jre-headless maven", "openjdk maven")


def java() -> Path:
    """A Java runtime of version 17 or newer, installed if possible."""
    found = installed_java()
    if found is None:
        install("Java 17 or newer", JAVA_PACKAGES, hint=JAVA_AND_MAVEN)
        found = installed_java()
    if found is None:
        raise PartsError("Java 17 or newer is still not found: set JAVA_HOME to a folder whose bin/java is one.")
    return found


def maven() -> Path:
    """Maven's command, installed if possible."""
    found = shutil.which("mvn")
    if found is None:
        install("Maven", ("maven",), hint=InstallHint("maven", "maven"))
        found = shutil.which("mvn")
    if found is None:
        raise PartsError("Maven is still not found: put its command mvn on the PATH.")
    return Path(found)


def installed_java() -> Path | None:
    """The first Java that is new enough (JAVA_HOME, the PATH, then the usual folders), or None."""
    for candidate in java_candidates():
        if candidate.exists() and java_major(candidate) >= JAVA_MAJOR:
            return candidate
    return None


def java_candidates() -> list[Path]:
    """Where a Java may be, in order of preference."""
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    candidates = [Path(home, "bin", "java")] if home else []
    candidates += [Path(on_path)] if on_path else []
    candidates += sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    return [*candidates, Path("/opt/homebrew/opt/openjdk/bin/java"), Path("/usr/local/opt/openjdk/bin/java")]


def java_major(command: Path) -> int:
    """The major version that a Java reports; 0 without one (macOS ships a placeholder)."""
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version.group(1)) if version else 0


def install(what: str, packages: Sequence[str], hint: InstallHint) -> None:
    """Install the first of the packages that the system offers, or name the command that does."""
    if not can_install():
        raise PartsError(f"{what} is missing: install it with `{hint.command()}` and try again.")
    read_package_lists()
    chosen = next((name for name in packages if offered(name)), packages[-1])
    with announced(f"{what} is missing: installing {chosen} with apt-get"):
        apt("install", "-y", "--no-install-recommends", chosen)


def unpacked_packages(what: str, packages: Sequence[str], folder: Path, prepare: Callable[[Path], None]) -> None:
    """Fetch those of the packages that the system offers and unpack them into the folder, without installing them.

    `prepare` makes the programs work in the unpacked folder, before that is renamed to `folder`.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise PartsError(f"{what} are missing: install them, so that their programs are on the PATH, and try again.")
    if can_install():
        read_package_lists()
    chosen = [name for name in packages if offered(name)]
    if not chosen:
        hint = InstallHint(" ".join(packages[:2]), "prometheus alertmanager")
        raise PartsError(f"{what} are missing: install them with `{hint.command()}` and try again.")
    with (
        announced(f"{what} are missing: unpacking {', '.join(chosen)} (45 MB)"),
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished,
    ):
        apt("download", *chosen, cwd=Path(unfinished))
        complete = Path(unfinished) / "part"
        for archive in sorted(Path(unfinished).glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", archive, complete], check=True)
        prepare(complete)
        complete.rename(folder)


@cache
def read_package_lists() -> None:
    """Update apt's lists of packages, once a run."""
    with announced("Reading the system's package lists with apt-get update"):
        apt("update")


def can_install() -> bool:
    """Whether this process may install system packages: as root, on a system with apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def offered(package: str) -> bool:
    """Whether apt can install a version of the package."""
    answer = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False)
    candidate = re.search(r"Candidate: (\S+)", answer.stdout)
    return candidate is not None and candidate.group(1) != "(none)"


def apt(*arguments: str, cwd: Path | None = None) -> None:
    """Run apt-get without questions, after any other apt has finished; its last lines become the error."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=cwd)
    if answer.returncode != 0:
        raise PartsError(f"`apt-get {' '.join(arguments)}` failed: {last_lines(answer.stdout + answer.stderr)}")
