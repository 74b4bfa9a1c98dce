"""`docs/operations.md` and the settings and commands are one."""

import re

import pytest

from alliance.cli import main
from deploy.pages import PAGE, page

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_of_settings_is_what_the_settings_say() -> None:
    assert page(TEXT) == TEXT, "bring it up to date with `python -m deploy.pages`"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`alliance ([a-z]+)", TEXT))))
def test_every_command_that_the_page_names_exists(command: str) -> None:
    assert command in main.commands


def test_a_page_without_its_markers_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="markers"):
        page("# A page\n")
