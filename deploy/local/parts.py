"""Fetches the real parts into `.parts`: Apache Kafka's jars and, where they are not installed, PostgreSQL's,
Prometheus' and Alertmanager's programs.

In: `deploy/kafka/pom.xml` and `deploy/postgres/pom.xml` (exact versions), Maven's own settings, apt's. Out: folders
that are complete or absent, named after the pom they came from.
Never: an address of a repository, a folder half filled; a service started or a package installed for Prometheus (it
is unpacked, and nothing else).
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
#: Debian calls Alertmanager's program as its package.
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
    """The release in a path such as …/postgresql/15/bin; 0 if it names no release."""
    name = folder.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0


def configured_postgres() -> list[Path]:
    """What pg_config says, where there is one."""
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
    """Takes the archive out of the one jar of the pom and unpacks it into the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        copy_dependencies(pom, Path(scratch), f"-Dpostgres.platform={postgres_platform()}")
        jar = next(Path(scratch).glob("*.jar"))
        with zipfile.ZipFile(jar) as archive:
            inner = next(name for name in archive.namelist() if name.endswith(".txz"))
            with archive.open(inner) as packed:
                unpack(packed, folder)


def unpack(packed: IO[bytes], folder: Path) -> None:
    """Unpacks a tar.xz; with Python's guard against paths that lead outside, where this Python has it."""
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
                unpacked_packages("Prometheus and Alertmanager", MONITORING_PACKAGES, folder, look_for_templates_here)
    return next(folder / "usr" / "bin" / word for word in MONITORING_PROGRAMS[name] if is_program(folder, word))


def look_for_templates_here(folder: Path) -> None:
    """Lets Debian's Alertmanager look for its templates in its working folder: it would in /usr/share alone.

    The path is built into the program, so another of the same length takes its place.
    """
    alertmanager = folder / "usr" / "bin" / "prometheus-alertmanager"
    built_in = b"/usr/share/prometheus/alertmanager"
    here = b"./" * (len(built_in) // 2)
    assert len(here) == len(built_in)
    alertmanager.write_bytes(alertmanager.read_bytes().replace(built_in, here))


def templates_beside(alertmanager: Path) -> Path | None:
    """The templates of an unpacked Alertmanager; None where it was installed and knows by itself."""
    folder = alertmanager.parents[1] / "share" / "prometheus" / "alertmanager"
    return folder if folder.is_relative_to(parts_folder()) else None


def is_program(folder: Path, word: str) -> bool:
    """Whether unpacked packages hold a program of this name."""
    return os.access(folder / "usr" / "bin" / word, os.X_OK)


def postgres_platform() -> str:
    """This machine's name among the published PostgreSQL binaries."""
    machine = {"x86_64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}.get(platform.machine())
    system = platform.system().lower()
    if machine is None or system not in ("linux", "darwin"):
        raise PartsError(f"No PostgreSQL binaries for {system} on {platform.machine()}: install a PostgreSQL server.")
    return f"{system}-{machine}"


def copy_dependencies(pom: Path, folder: Path, *definitions: str) -> None:
    """Lets Maven put the jars of a pom, and all they need, into the folder."""
    goal: Sequence[str] = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", *definitions]
    environment = {**os.environ, "JAVA_HOME": str(java().resolve().parents[1])}
    command = [str(maven()), "-q", "-B", "-f", str(pom), *goal]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise PartsError(f"Maven could not fetch {pom.parent.name}: {last_lines(answer.stdout + answer.stderr)}")


def main() -> None:
    """Makes sure that every part is there and says where."""
    say(f"Java: {java()}")
    say(f"Apache Kafka: {kafka_jars()}")
    say(f"PostgreSQL: {postgres_binaries()}")
    for name in MONITORING_PROGRAMS:
        say(f"{name}: {program(name)}")


if __name__ == "__main__":
    run_for_person(main)
