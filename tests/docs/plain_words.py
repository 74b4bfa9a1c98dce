"""Words and phrases that have a plainer one, and where they are in what people read.

In: Markdown, Python, YAML and TOML. Out: each place, with the better word.
Never: a list of places that are allowed; a standard use of a word is part of its pattern.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Word(NamedTuple):
    """What to avoid, what to write instead, and a sentence in which it must be found."""

    pattern: str
    better: str
    example: str


WORDS = (
    Word(r"\banew\b", "again, new", "The table is made anew."),
    Word(r"\bmend(s|ed|ing|able)?\b", "fix, correct", "Mend the record."),
    Word(r"(?<!there )(?-i:\bis none\b)|\bnone of ours\b", "is not a …", "The file is none."),
    Word(r"\btold\b|\btells? of\b", "reported, published, sent", "A flag that was told of."),
    Word(r"\blies?\b|\blay\b", "is", "What lies in the log."),
    Word(r"\bstands?\b(?!-| alone| by\b)|\bstood\b", "is", "It stands on the page."),
    Word(r"\b(go|goes|went|gone|going) on\b", "continue", "The worker goes on."),
    Word(r"(?<!encryption )(?<!encrypted )(?<!data )\bat rest\b", "idle", "A worker at rest."),
    Word(r"\bunder ?way\b", "in flight, in progress", "The batch under way."),
    Word(r"\bpass(es|ed|ing)? over\b", "skip", "Records are passed over."),
    Word(r"\blets? (it |them |all )?pass\b", "accept", "It lets all pass."),
    Word(r"\bso (many|few)\b|\bso much\b(?! as)", "up to N", "It brings so many records."),
    Word(r"\bsomebody\b|\bnobody\b", "the actor (a supervisor, an operator); no one", "Somebody must look."),
    Word(r"\bwhoever\b", "anyone who", "Whoever reads it."),
    Word(r"(?-i:(^|[.:;!?] +|\n *)Of) (?!course)", "If …, For …", "It waits. Of two flags one wins."),
    Word(r"\bheirs?\b", "subclass", "An heir of the class."),
    Word(r"\bseams?\b", "internal API", "The seam into the library."),
    Word(r"\bthe own\b", "its own", "Compared with the own ratings."),
    Word(r"\bby hand\b", "manually", "Written by hand."),
    Word(r"\bcom(es?|ing) late\b|\bcame late\b", "arrives late", "An event that comes late."),
    Word(r"\bforgiving\b", "lenient", "A forgiving decoder."),
    Word(r"\bdoors?\b|\bdoorway\b", "gateway and send, way in", "Refused at the door."),
    Word(r"(?<!waiting )\brooms?\b(?! for\b)(?! on\b)", "package, module", "The rooms of the project."),
    Word(r"\bhouse\b", "project", "The plan of the house."),
    Word(r"\bours\b", "this project's", "An error of ours."),
    Word(r"\bspent\b", "muted", "A spent kind opens no flag."),
    Word(r"\bbest of all\b", "(leave it out)", "Best of all is a test."),
    Word(r"\bthereof\b|\btherein\b|\bhereof\b", "of it, in it", "The parts thereof."),
    Word(r"\bnought\b|\bnaught\b", "0, nothing", "It counts for nought."),
)
PATTERNS = tuple((re.compile(word.pattern, re.IGNORECASE), word.better) for word in WORDS)
#: Code in a line of Markdown, and the target of a link.
CODE = re.compile(r"`[^`]*`|\]\([^)]*\)")


def places(path: Path) -> Iterator[str]:
    """Each place in a file that has a plainer word."""
    for line, text in texts(path.suffix, path.read_text(encoding="utf-8")):
        for pattern, better in PATTERNS:
            for found in pattern.finditer(text):
                around = text[max(0, found.start() - 30) : found.end() + 30].replace("\n", " ")
                yield f"{path}:{line}: {found[0].strip()!r}, better: {better} (… {around} …)"


def texts(suffix: str, content: str) -> Iterator[tuple[int, str]]:
    """What people read in a file, with its line: of Python docstrings, strings and comments; of Markdown no code."""
    if suffix == ".py":
        yield from _python(content)
    elif suffix == ".md":
        yield from _markdown(content)
    else:
        yield from enumerate(content.split("\n"), 1)


def _python(content: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ")


def _markdown(content: str) -> Iterator[tuple[int, str]]:
    is_code = False
    for line, text in enumerate(content.split("\n"), 1):
        if text.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield line, CODE.sub("", text)
