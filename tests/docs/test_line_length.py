"""Markdown lines have up to 120 characters, apart from tables, links, code and what a command wrote."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.places import ROOT

MOST = 120
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
#: What cannot be wrapped: a target of a link, with the text before it, and code in one line.
UNBREAKABLE = re.compile(r"\[[^\]]*\]\([^)]*\)|`[^`]*`|https?://\S+")


def long_lines(text: str) -> Iterator[int]:
    """The numbers of the lines that are too long though they could be wrapped."""
    is_code = is_measured = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif line.startswith("<!-- "):
            is_measured = line.endswith("begin -->")
        elif len(line) > MOST and not (is_code or is_measured) and _could_be_wrapped(line):
            yield number


def _could_be_wrapped(line: str) -> bool:
    """Whether a space outside of links and code leaves a piece that fits."""
    if line.startswith(("|", "#", "![")):
        return False
    indent = len(line) - len(line.lstrip())
    without = UNBREAKABLE.sub(lambda found: "x" * len(found[0]), line)
    return " " in without[indent : MOST + 1].strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_of_a_page_is_too_long(page: Path) -> None:
    assert list(long_lines(page.read_text(encoding="utf-8"))) == [], f"wrap these lines of {page.name} at {MOST}"


def test_a_line_that_is_too_long_is_found_and_a_table_a_link_and_code_are_not() -> None:
    long = "word " * 30
    assert list(long_lines(f"# A page\n{long}\n")) == [2]
    assert list(long_lines(f"<!-- measured: begin -->\n{long}\n<!-- measured: end -->\n{long}\n")) == [4]
    assert list(long_lines(f"| {long} |\n```\n{long}\n```\n[{long}](page.md)\n`{long}`\n")) == []
