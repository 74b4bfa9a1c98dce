"""The base image: a Debian made by debootstrap from the mirror that this machine's own apt names.

In: a running engine. Out: the image `alliance-images/base`.
Never: an address that is not this machine's own.
"""

import shutil
import subprocess
from pathlib import Path

from deploy.local.console import PartsError
from pipeline.runtime.processes import last_lines
from tests.images.engine import Engine, remove
from tests.images.machine import carried_files, debian_release

BASE = "alliance-images/base"


def make_base(engine: Engine) -> None:
    """Imports a minimal Debian that trusts the authorities which this machine trusts."""
    root = engine.folder / "root"
    codename, mirror = debian_release()
    words("debootstrap", "--variant=minbase", "--include=ca-certificates", codename, str(root), mirror)
    for file, place in carried_files().items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / place)
    words("chroot", str(root), "update-ca-certificates")
    archive = engine.folder / "root.tar"
    words("tar", "--one-file-system", "-C", str(root), "-c", "-f", str(archive), ".")
    engine.docker("import", archive, BASE)
    archive.unlink()
    remove(root)


def words(*command: str) -> None:
    """Runs a command that is only heard when it fails."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise PartsError(f"`{' '.join(command)}` failed: {last_lines(answer.stdout + answer.stderr, count=30)}")


def has_base(engine: Engine) -> bool:
    """Whether the engine has it already, in a folder that was kept."""
    return bool(engine.docker("images", "--quiet", BASE).strip())


def context(engine: Engine, source: Path, **beside: Path) -> Path:
    """A build context: a folder of `stand-ins/` with other files and folders copied beside its Dockerfile."""
    target = engine.folder / "contexts" / source.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for name, file in beside.items():
        if file.is_dir():
            shutil.copytree(file, target / name, symlinks=True)
        else:
            shutil.copy(file, target / name)
    return target
