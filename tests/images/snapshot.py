"""The working tree as a git repository of its own: what is committed, and what is not yet but would be.

In: the repository's root. Out: a bare repository to clone from.
Never: a change to the repository itself, a file that it ignores (passwords, keys, data).
"""

import os
import subprocess
from pathlib import Path

from deploy.local.places import ROOT

NOBODY = {"GIT_AUTHOR_NAME": "snapshot", "GIT_AUTHOR_EMAIL": "snapshot@localhost"}
NOBODY |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in NOBODY.items()}


def take_snapshot(folder: Path) -> Path:
    """A bare repository below the folder whose newest commit holds the working tree as it is now."""
    bare = folder / "snapshot.git"
    git("clone", "--quiet", "--bare", "--no-local", str(ROOT), str(bare))
    here = ("--git-dir", str(bare), "--work-tree", str(ROOT), "-c", "core.bare=false")
    git(*here, "add", "--all")
    git(*here, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", "The working tree")
    return bare


def clone(bare: Path, folder: Path) -> Path:
    """A checkout of the snapshot."""
    git("clone", "--quiet", str(bare), str(folder))
    return folder


def git(*arguments: str) -> None:
    """Runs git; its own words explain a failure."""
    subprocess.run(["git", *arguments], env={**os.environ, **NOBODY}, cwd=ROOT, check=True)
