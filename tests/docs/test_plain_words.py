"""Markdown, docstrings, comments, and each text of the product, of `deploy` and of `benchmarks` are in plain words."""

import re
from pathlib import Path

import pytest

from deploy.local.places import ROOT
from tests.docs.plain_words import WORDS, Word, places

PRODUCT = ("alliance", "consumers", "pipeline", "schemas")
SUFFIXES = (".py", ".md", ".yml", ".yaml", ".toml")
#: A variable is named after the thing that it holds.
NAMELESS = re.compile(r"\bfor one in\b|\bone = |\blambda one\b")


def files_in(folder: str) -> list[Path]:
    """The files in a folder that people read."""
    return sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES and "json" not in path.parts)


@pytest.mark.parametrize("folder", [*PRODUCT, "benchmarks", "deploy", "docs"])
def test_a_folder_is_in_plain_words(folder: str) -> None:
    files = files_in(folder)
    assert files
    assert [place for path in files for place in places(path)] == []


def test_the_pages_and_settings_at_the_top_are_in_plain_words() -> None:
    files = [path for path in sorted(ROOT.iterdir()) if path.suffix in SUFFIXES]
    assert ROOT / "README.md" in files
    assert [place for path in files for place in places(path)] == []


@pytest.mark.parametrize("word", WORDS, ids=lambda word: str(word.better))
@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".md", "# A page\n\n{}\n"),
        (".yml", "summary: {}\n"),
        (".py", '"""{}"""\n'),
        (".py", 'MESSAGE = "{}"\n'),
        (".py", "x = 1  # {}\n"),
    ],
)
def test_each_word_is_found_where_people_read_it(word: Word, suffix: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / f"planted{suffix}"
    path.write_text(content.format(word.example), encoding="utf-8")
    assert any(f"better: {word.better}" in place for place in places(path))


@pytest.mark.parametrize(
    "sentence",
    ["Encryption at rest is the disk's.", "A stand-in for the waiting room.", "Of course.", "There is room for more."],
)
def test_the_usual_meaning_of_a_word_is_allowed(sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"{sentence}\n```\nmended in code\n```\nAlso `door` in a line.\n", encoding="utf-8")
    assert list(places(path)) == []


def test_no_variable_of_the_product_is_called_one() -> None:
    product = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    assert [str(path) for path in product if NAMELESS.search(path.read_text(encoding="utf-8"))] == []
