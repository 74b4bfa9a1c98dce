"""Fetches the real servers into `.parts`: Apache Kafka's jars and, if they are not installed, the programs of
PostgreSQL, Prometheus and Alertmanager.

In: `deploy/kafka/pom.xml` and `deploy/postgres/pom.xml` (exact versions), the settings of Maven and apt. Out: folders
named after their pom, either complete or absent.
Never: an address of a repository; an incomplete folder; an installed package or a started service for Prometheus (its
package is only unpacked).
"""

import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from deploy.local.console import PartsError, announced, run_for_person, say
from deploy.local.packages import java, maven, unpacked_packages
from deploy.local.places import ROOT, fingerprint, one_at_a_time, parts_folder
from pipeline.runtime.processes import last_lines

KAFKA_POM = ROOT / "deploy" / "kafka" / "pom.xml"
POSTGRES_POM = ROOT / "deploy" / "postgres" / "pom.xml"
POSTGRES_PROGRAMS = ("initdb", "postgres")
READABLE_BY_ALL = 0o755
#: `promtool` is a package of its own since Debian 13.
MONITORING_PACKAGES = ("prometheus", "prometheus-alertmanager", "promtool")
#: Debian names Alertmanager's program after its package.
MONITORING_PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
}


def kafka_jars() -> Path:
    """The folder with the broker's jars."""
    return fetched("kafka", KAFKA_POM, "Fetching Apache Kafka through Maven (45 MB)", copy_dependencies)


def postgres_binaries() -> Path:
    """The folder with initdb and postgres: an installed server's, else one fetched through Maven."""
    installed = installed_postgres()
    return installed if installed is not None else fetched_postgres()


def fetched_postgres() -> Path:
    """The bin folder of the PostgreSQL that comes through Maven."""
    what = "Fetching PostgreSQL through Maven (15 MB)"
    return fetched("postgres", POSTGRES_POM, what, unpack_postgres) / "bin"


def installed_postgres() -> Path | None:
    """The bin folder of a PostgreSQL server that the system has; the newest if there are several."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=release, reverse=True)
    return next((folder for folder in [*folders, *configured_postgres()] if is_server(folder)), None)


def release(folder: Path) -> float:
    """The release in a path such as …/postgresql/15/bin; 0 if the path names no release."""
    name = folder.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0


def configured_postgres() -> list[Path]:
    """The folder that pg_config names, if it is installed."""
    command = shutil.which("pg_config")
    if command is None:
        return []
    answer = subprocess.run([command, "--bindir"], capture_output=True, text=True, check=False)
    return [Path(answer.stdout.strip())] if answer.returncode == 0 else []


def is_server(folder: Path) -> bool:
    """Whether the folder holds a server, not only a client."""
    return all(os.access(folder / program, os.X_OK) for program in POSTGRES_PROGRAMS)


def fetched(name: str, pom: Path, what: str, fill: Callable[[Path, Path], None]) -> Path:
    """The folder of a part; filled under a lock into a folder beside it and renamed when complete."""
    part = parts_folder() / f"{name}-{fingerprint(pom)}"
    if part.is_dir():
        return part
    with one_at_a_time(name):
        if not part.is_dir():
            with (
                announced(what),
                tempfile.TemporaryDirectory(dir=parts_folder(), prefix=f".{name}-") as unfinished,
            ):
                complete = Path(unfinished) / "part"
                complete.mkdir(mode=READABLE_BY_ALL)
                fill(pom, complete)
                complete.rename(part)
    return part


def unpack_postgres(pom: Path, folder: Path) -> None:
    """Unpack the archive inside the one jar of the pom into the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        copy_dependencies(pom, Path(scratch), f"-Dpostgres.platform={postgres_platform()}")
        jar = next(Path(scratch).glob("*.jar"))
        with zipfile.ZipFile(jar) as archive:
            inner = next(name for name in archive.namelist() if name.endswith(".txz"))
            with archive.open(inner) as packed:
                unpack(packed, folder)


def unpack(packed: IO[bytes], folder: Path) -> None:
    """Unpack a tar.xz; if this Python has a filter against paths that lead outside, use it."""
    try:
        with tarfile.open(fileobj=packed, mode="r|xz") as archive:
            archive.extraction_filter = getattr(tarfile, "tar_filter", None)
            archive.extractall(folder)
    except tarfile.CompressionError as error:
        raise PartsError(
            "This Python cannot unpack .xz: install a PostgreSQL server, or a Python with lzma."
        ) from error


def program(name: str) -> Path:
    """prometheus, promtool, alertmanager or amtool: from the PATH, under any of its names, else Debian's, unpacked."""
    for word in MONITORING_PROGRAMS[name]:
        found = shutil.which(word)
        if found is not None:
            return Path(found)
    folder = parts_folder() / "monitoring"
    if not folder.is_dir():
        with one_at_a_time("monitoring"):
            if not folder.is_dir():
                unpacked_packages(
                    "Prometheus and Alertmanager", MONITORING_PACKAGES, folder, use_templates_in_working_folder
                )
    return next(folder / "usr" / "bin" / word for word in MONITORING_PROGRAMS[name] if is_program(folder, word))


def use_templates_in_working_folder(folder: Path) -> None:
    """Make Debian's Alertmanager look for its templates in its working folder and not in /usr/share.

    The path is part of the program, so another path of the same length replaces it.
    """
    alertmanager = folder / "usr" / "bin" / "prometheus-alertmanager"
    built_in = b"/usr/share/prometheus/alertmanager"
    here = b"./" * (len(built_in) // 2)
    assert len(here) == len(built_in)
    alertmanager.write_bytes(alertmanager.read_bytes().replace(built_in, here))


def templates_beside(alertmanager: Path) -> Path | None:
    """The templates of an unpacked Alertmanager; None if it is installed and finds them itself."""
    folder = alertmanager.parents[1] / "share" / "prometheus" / "alertmanager"
    return folder if folder.is_relative_to(parts_folder()) else None


def is_program(folder: Path, word: str) -> bool:
    """Whether unpacked packages hold a program of this name."""
    return os.access(folder / "usr" / "bin" / word, os.X_OK)


def postgres_platform() -> str:
    """The name of this kind of machine among the published PostgreSQL binaries."""
    machine = {"x86_64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}.get(platform.machine())
    system = platform.system().lower()
    if machine is None or system not in ("linux", "darwin"):
        raise PartsError(f"No PostgreSQL binaries for {system} on {platform.machine()}: install a PostgreSQL server.")
    return f"{system}-{machine}"


def copy_dependencies(pom: Path, folder: Path, *definitions: str) -> None:
    """Copy the jars of a pom, and all that they need, into the folder with Maven."""
    goal: Sequence[str] = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", *definitions]
    environment = {**os.environ, "JAVA_HOME": str(java().resolve().parents[1])}
    command = [str(maven()), "-q", "-B", "-f", str(pom), *goal]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise PartsError(f"Maven could not fetch {pom.parent.name}: {last_lines(answer.stdout + answer.stderr)}")


def main() -> None:
    """Make sure that every server is there, and say where."""
    say(f"Java: {java()}")
    say(f"Apache Kafka: {kafka_jars()}")
    say(f"PostgreSQL: {postgres_binaries()}")
    for name in MONITORING_PROGRAMS:
        say(f"{name}: {program(name)}")


if __name__ == "__main__":
    run_for_person(main)
