"""The site shows every page, and its builder has exact versions and no addresses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.places import ROOT
from deploy.site.build import LOCK, SITE, SOURCE, copy_pages, pages_that_load_from_elsewhere

CONFIGURATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def pages_in(nav: Any) -> list[str]:
    """Every page that the navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in pages_in(part)]


def test_the_navigation_names_every_page_once(tmp_path: Path) -> None:
    copy_pages(tmp_path / "source")
    pages = sorted(str(page.relative_to(tmp_path / "source")) for page in (tmp_path / "source").rglob("*.md"))
    assert sorted(pages_in(CONFIGURATION["nav"])) == pages


def test_the_configuration_builds_what_was_copied_into_the_ignored_folder() -> None:
    assert ROOT / CONFIGURATION["docs_dir"] == SOURCE
    assert ROOT / CONFIGURATION["site_dir"] == SITE
    assert "/site/\n" in (ROOT / ".gitignore").read_text(encoding="utf-8")


def test_the_builder_is_pinned_with_hashes_and_without_an_address() -> None:
    lock = LOCK.read_text(encoding="utf-8")
    pinned = LOCK.with_suffix(".in").read_text(encoding="utf-8").splitlines()[-1]
    assert f"{pinned} " in lock
    assert lock.count(" --hash=sha256:".strip()) > lock.count("==") > 5
    assert "://" not in lock


@pytest.mark.parametrize(
    ("html", "loads"),
    [
        ('<script src="https://example.org/a.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/a.css">', True),
        ('<a href="https://example.org">a link</a><script src="assets/a.js"></script>', False),
    ],
)
def test_a_page_that_loads_something_from_elsewhere_is_found(html: str, loads: bool, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(html, encoding="utf-8")
    assert pages_that_load_from_elsewhere(tmp_path) == (["index.html"] if loads else [])
