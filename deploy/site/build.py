"""Builds the documentation into `site/`: `make docs`.

In: `mkdocs.yml` and every Markdown page. Out: static pages with search, complete without the internet.
Never: a site with a broken link (the build ends with code 2 and names it), a package in `.venv`.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local import venv
from deploy.local.console import PartsError, announced, run_for_person
from deploy.local.places import ROOT, fingerprint, one_at_a_time, parts_folder

CONFIGURATION = ROOT / "mkdocs.yml"
#: What the site shows: the pages at the top and the folder `docs`, at the same relative places, so that links hold.
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
#: `docs_dir` of `mkdocs.yml`, which may not be the repository itself.
SOURCE = ROOT / ".parts" / "site-source"
SITE = ROOT / "site"
LOCK = Path(__file__).parent / "requirements.lock"
#: A script, picture, font or style that a page would fetch from another server. Links for readers are allowed.
LOADED_FROM_ELSEWHERE = re.compile(r"""\ssrc=["']?(?:https?:)?//|<link[^>]+href=["']?(?:https?:)?//""")


def build() -> None:
    """Copies the pages, and builds the site strictly."""
    zensical = _builder()
    copy_pages(SOURCE)
    command = [str(zensical), "build", "--strict", "--clean", "-f", str(CONFIGURATION)]
    if subprocess.run(command, check=False, cwd=ROOT).returncode != 0:
        raise PartsError("The site was not built. Correct the links that are listed above, then run `make docs` again.")
    if pages := pages_that_load_from_elsewhere(SITE):
        raise PartsError(f"These pages load something from another server: {', '.join(pages)}. Correct mkdocs.yml.")
    sys.stdout.write("The site is in site/. To read it with search: python3 -m http.server -d site -b 127.0.0.1 8000\n")


def copy_pages(folder: Path) -> None:
    """Leaves in the folder the pages of the repository and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder / "docs")
    for page in PAGES:
        shutil.copy(ROOT / page, folder / page)


def pages_that_load_from_elsewhere(site: Path) -> list[str]:
    """Which pages would not look the same without the internet."""
    pages = sorted(site.rglob("*.html"))
    return [str(page.relative_to(site)) for page in pages if LOADED_FROM_ELSEWHERE.search(page.read_text("utf-8"))]


def _builder() -> Path:
    """The builder in an environment of its own, made again when its lock changes."""
    environment = parts_folder() / "site-venv"
    stamp, wanted = environment / "made-from", fingerprint(LOCK)
    with one_at_a_time("site-venv"):
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(environment, ignore_errors=True)
            python = str(environment / "bin" / "python")
            with announced("Installing the builder of the site"):
                venv.run([sys.executable, "-m", "venv", str(environment)])
                venv.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", str(LOCK)])
            stamp.write_text(wanted)
    return environment / "bin" / "zensical"


if __name__ == "__main__":
    run_for_person(build)
