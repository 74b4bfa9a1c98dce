"""What this machine must be and have for `make test-images`: Debian, root, no Docker engine, free ports, four packages.

In: the running system. Out: installed packages, the place where its own apt finds Debian; else one sentence.
Never: an address of our own, a change to an engine that was not started here.
"""

import platform
import shutil
import subprocess
from pathlib import Path

import yaml

from deploy.local.console import PartsError, run_for_person, say
from deploy.local.packages import InstallHint, can_install, install
from deploy.local.places import ROOT
from pipeline.runtime.processes import LOOPBACK, is_free

#: Program -> the package that brings it.
PROGRAMS = {
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "iptables-save": "iptables",
    "ip": "iproute2",
    "git": "git",
}
BY_HAND = InstallHint(" ".join(PROGRAMS.values()), "nothing: it needs Debian")
COMPOSE_FILE = ROOT / "docker-compose.yml"


def check() -> None:
    """Leaves the machine able to run the test, or says in one sentence what is in the way."""
    if "debian" not in release_fields().get("ID", "") or not can_install():
        raise PartsError(
            "This test starts a Docker engine of its own and makes its images with debootstrap: run it as root on a "
            "Debian (a virtual machine, say); `make test` needs neither."
        )
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            install(package, (package,), hint=BY_HAND)
    forbid_other_engines()
    forbid_taken_ports()


def release_fields() -> dict[str, str]:
    """What the system says of itself; empty where it does not."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def forbid_other_engines() -> None:
    """A second engine would empty the firewall chains of the first."""
    for command in Path("/proc").glob("[0-9]*/comm"):
        if command.read_text().strip() == "dockerd":
            raise PartsError(
                f"A Docker engine runs here already (process {command.parent.name}), and two would share one set of "
                "firewall chains: stop it first (`systemctl stop docker docker.socket`)."
            )


def forbid_taken_ports() -> None:
    """The compose file publishes its own ports, and the test takes it as it is."""
    for port in published_ports():
        if not is_free(port):
            raise PartsError(f"{LOOPBACK}:{port} is taken, and docker-compose.yml publishes it: stop the server there.")


def published_ports() -> list[int]:
    """The ports of this machine that the compose file takes."""
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"].values()
    return [int(port.split(":")[1]) for service in services for port in service.get("ports", [])]


def debian_release() -> tuple[str, str]:
    """The release that runs here and the mirror that its own apt takes it from."""
    codename = release_fields()["VERSION_CODENAME"]
    command = ["apt-get", "indextargets", "--format", "$(CODENAME) $(ORIGIN) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        found, origin, uri = line.split(" ", 2)
        if (found, origin) == (codename, "Debian"):
            return codename, uri
    raise PartsError(f"apt knows no Debian mirror of {codename}: `apt-get update`, then try again.")


def carried_files() -> dict[Path, str]:
    """Settings of this machine's package clients that those in containers need too: file -> its place there."""
    home = Path.home()
    candidates = {
        Path("/etc/pip.conf"): "etc/pip.conf",
        home / ".config/pip/pip.conf": "root/.config/pip/pip.conf",
        home / ".m2/settings.xml": "root/.m2/settings.xml",
    }
    authorities = Path("/usr/local/share/ca-certificates").glob("*.crt")
    candidates.update({file: str(file.relative_to("/")) for file in authorities})
    return {file: place for file, place in candidates.items() if file.is_file()}


def main() -> None:
    """Checks, and says so."""
    check()
    say("This machine can run the test of the images.")


if __name__ == "__main__":
    run_for_person(main)
