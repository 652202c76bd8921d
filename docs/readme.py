"""Fills README.md's tables from the files they name: `python docs/readme.py` writes, `--check` only tells."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
REGION = re.compile(r"(<!-- table (\S+?)(?: \"([^\"\n]+)\")?: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
"""A region: file, perhaps a heading in it, and what stands between the two comments."""


def first_table(text: str, heading: str | None = None) -> str:
    """The lines of the first Markdown table, or of the first under a heading."""
    if heading:
        text = text.split(f"\n## {heading}\n", 1)[1]
    return re.search(r"(?:^\|.*\n)+", text, re.MULTILINE).group()  # type: ignore[union-attr]


def filled(text: str) -> str:
    """The README's text with every region replaced by its file's table; empty where there is no such file yet."""

    def region(match: re.Match[str]) -> str:
        source = README.parent / match[2]
        table = f"\n{first_table(source.read_text(encoding='utf-8'), match[3])}\n" if source.exists() else ""
        return f"{match[1]}{table}{match[4]}"

    return REGION.sub(region, text)


if __name__ == "__main__":
    before = README.read_text(encoding="utf-8")
    after = filled(before)
    if "--check" in sys.argv and before != after:
        sys.exit("README.md: a table is not that of its file; run: make readme")
    README.write_text(after, encoding="utf-8")
