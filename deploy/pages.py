"""The table of settings in `docs/operations/install.md`, made from the settings themselves.

In: `pipeline.runtime.settings.documentation()` and the page. Out: the page with its table made again;
`python -m deploy.pages` writes it.
Never: another word of the page.
"""

from deploy.local.places import ROOT
from pipeline.runtime.settings import documentation

PAGE = ROOT / "docs" / "operations" / "install.md"
START, END = "<!-- generated: settings -->\n", "<!-- end: settings -->"


def settings_table() -> str:
    """One row per setting, in the order of the code."""
    rows = [f"| `{variable}` | {_default(default)} | {meaning} |\n" for variable, default, meaning in documentation()]
    return "".join(["| variable | default | meaning |\n", "| --- | --- | --- |\n", *rows])


def _default(text: str) -> str:
    return f"`{text}`" if text else "(empty)"


def page(text: str) -> str:
    """The page with a new table."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{PAGE.name} has lost the markers of its table of settings")
    return before + start + settings_table() + end + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
