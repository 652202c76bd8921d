"""The documents as their reader sees them: the commands that they show, what they link to, what they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.trees import ROOT

DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "models/README.md", "results/*/README.md")
    for path in ROOT.glob(pattern)
)
"""What people read; tables are written by the program and have tests of their own."""
PROGRAMS = ("bash", "dvc", "make", "pip", "pytest", "python", "v2sbench")
"""Whose name begins a command in running text."""
SHELLS = ("sh", "console")
"""Languages of fences that hold commands; in a console they stand behind a dollar sign."""
OTHERS = ("bibtex", "csv", "json", "python", "text", "toml", "yaml")
"""Languages of fences that hold none."""
SETTING = re.compile(r"[A-Z][A-Z0-9_]*=.*")
OPERATORS = ("&&", "||", "|", ";", "&")
GENERATED = ("models/weights/", "results/")
"""Paths that may be named without being there, since a command makes them."""
WRITTEN = ("models/v2a-mel-wide-speaker-scratch.yaml",)
"""Files that a recipe tells to write."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a document."""

    document: str
    words: tuple[str, ...]  # program and arguments, without settings of the environment before them
    fenced: bool  # in a block, to be typed as it is; otherwise in running text, perhaps with placeholders

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.words)}"


def read(document: str) -> str:
    """Text of a document."""
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, content) of every fenced block, and of every indented one ("sh") that begins with a program."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match[1], match[2]
    for match in re.finditer(r"(?<=\n\n)(?: {4}\S.*\n)+", prose(text)):
        if match[0].split()[0] in PROGRAMS:
            yield "sh", re.sub(r"^ {4}", "", match[0], flags=re.MULTILINE)


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """What stands in backticks in running text, each on one line."""
    lines = [line for line in prose(text).splitlines() if not line.startswith("    ")]
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", "\n".join(lines))]


def pieces(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of one shell line, without comments and settings of the environment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in OPERATORS:
            words.append(word)
            continue
        while words and SETTING.fullmatch(words[0]):
            del words[0]
        if words:
            yield tuple(words)
        words = []


@cache
def commands() -> tuple[Command, ...]:
    """Every command of every document, in its order."""
    found = []
    for document in DOCUMENTS:
        text = read(document)
        for language, content in blocks(text):
            if language in SHELLS:
                lines = content.replace("\\\n", " ").splitlines()
                typed = [line.removeprefix("$ ") for line in lines if language == "sh" or line.startswith("$ ")]
                for line in typed:
                    found += [Command(document=document, words=words, fenced=True) for words in pieces(line)]
        for span in spans(text):
            if span.split()[0] in PROGRAMS and len(span.split()) > 1:
                usage = re.sub(r"(?<!\S)\[|(?<=[^\]\w])\](?!\S)|(?<=[A-Z])\]+(?!\S)", "", span)
                found += [Command(document=document, words=words, fenced=False) for words in pieces(usage)]
    return tuple(found)


def links(text: str) -> list[str]:
    """Targets of links and pictures that lie in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(text)) + re.findall(r"(?:src|href)=\"([^\"]+)\"", prose(text))
    return [target for target in targets if not target.startswith("http")]


def anchors(text: str) -> set[str]:
    """What a link's `#...` may be: headings in lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_paths(text: str) -> Iterator[str]:
    """Paths below the repository's own folders, and files of its root, that stand in backticks or in commands."""
    own = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"build"}
    for span in spans(text):
        for word in span.split():
            head = word.split("/")[0]
            if "/" in word and (head in own or head == ".ci") and not re.search(r"[<>{}*$A-Z=]|\.\.\.", word):
                yield word.rstrip(".,:;)")


def exists(path: str) -> bool:
    """Whether a named path is there, or a command or the reader makes it."""
    return (ROOT / path).exists() or path.startswith(GENERATED) or path in WRITTEN


def root_relative(document: str, target: str) -> Path:
    """Where a link of a document leads."""
    return (ROOT / document).parent / target.split("#")[0]
