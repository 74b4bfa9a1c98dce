"""The table of settings is what the settings say, and every command that a page names exists."""

import re

import pytest

from alliance.cli import main
from deploy.local.places import ROOT
from deploy.pages import PAGE, page

TEXT = PAGE.read_text(encoding="utf-8")
#: A command in a line, perhaps with a setting before it.
COMMAND = re.compile(r"`(?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?alliance ([a-z]+)")
EVERY_PAGE = "".join(path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_table_of_settings_is_what_the_settings_say() -> None:
    assert page(TEXT) == TEXT, "bring it up to date with `python -m deploy.pages`"


@pytest.mark.parametrize("command", sorted(set(COMMAND.findall(EVERY_PAGE))))
def test_every_command_that_a_page_names_exists(command: str) -> None:
    assert command in main.commands


def test_a_page_without_its_markers_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="markers"):
        page("# A page\n")
