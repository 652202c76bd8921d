"""A small parser of the LaTeX that the tables use: it refuses what LaTeX with booktabs would stumble over."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ARGUMENTS = {
    "begin": 1, "end": 1, "textbf": 1, "textit": 1, "textsuperscript": 1, "caption": 1, "label": 1, "cite": 1,
    "multicolumn": 3, "setlength": 2, "tabcolsep": 0, "tiny": 0,
    "centering": 0, "scriptsize": 0, "toprule": 0, "midrule": 0, "bottomrule": 0, "par": 0,
    "raggedright": 0, "textbackslash": 0, "textasciitilde": 0, "textasciicircum": 0, "dag": 0, "ddag": 0, "S": 0,
}  # fmt: skip
"""Command -> its arguments in braces; a command that is not here is none of booktabs' or of LaTeX's own."""
MATHS = ("uparrow", "downarrow", "bigtriangleup", "bigtriangledown")
"""Commands that stand between dollars only."""
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}$&%#_^~]|[^\\{}$&%#_^~]+", re.DOTALL)


def check(text: str) -> list[list[str]]:
    """The cells of every tabular row, after the whole of `text` was parsed; AssertionError names what is wrong."""
    assert text.isascii(), sorted(set(re.findall(r"[^\x00-\x7f]", text)))
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    tokens = TOKEN.findall(plain)
    assert "".join(tokens) == plain
    opened: list[str] = []
    maths = False
    for index, token in enumerate(tokens):
        if token == "{":
            opened.append("{")
        elif token == "}":
            assert opened.pop() == "{", "a brace closes an environment"
        elif token == "$":
            maths = not maths
        elif token in ("\\begin", "\\end"):
            name = tokens[index + 2]
            if token == "\\begin":
                opened.append(name)
            else:
                assert opened.pop() == name, f"{name} is closed and was not open"
        elif re.fullmatch(r"\\[a-zA-Z]+", token):
            known = MATHS if maths else tuple(ARGUMENTS)
            assert token[1:] in known, f"unknown command {token}{' in maths' if maths else ''}"
            if not maths:
                _braces(tokens, index + 1, ARGUMENTS[token[1:]])
        elif token == "&":
            assert opened[-1] == "tabular", "& outside of a table, or inside of a cell's braces"
        else:
            assert token not in ("%", "#", "_", "^", "~"), (
                f"bare {token} near {''.join(tokens[index - 3 : index + 3])!r}"
            )
            assert maths or not re.search("[<>]", token), f"bare < or > near {token!r}"
    assert not opened
    assert not maths
    return _rows(plain)


def _braces(tokens: list[str], index: int, count: int) -> None:
    for _ in range(count):
        assert tokens[index] == "{", f"{tokens[index - 1]} lacks an argument"
        depth = 1
        while depth:
            index += 1
            assert index < len(tokens), "a brace is never closed"
            depth += {"{": 1, "}": -1}.get(tokens[index], 0)
        index += 1


def _rows(text: str) -> list[list[str]]:
    """The rows of the one tabular, each of as many cells as it has columns; headings over several count for all."""
    (columns, body) = re.search(r"\\begin\{tabular\}\{([lrc]+)\}(.*)\\end\{tabular\}", text, re.DOTALL).groups()  # type: ignore[union-attr]
    found = []
    for row in re.split(r"\\\\\s*", re.sub(r"\\(top|mid|bottom)rule", "", body)):
        if not row.strip():
            continue
        assert not row.lstrip().startswith(("[", "*")), "an option of the line end before it"
        cells = [cell.strip() for cell in re.split(r"(?<!\\)&", row)]
        spans = [int(wide[1]) if (wide := re.match(r"\\multicolumn\{(\d+)\}", cell)) else 1 for cell in cells]
        assert sum(spans) == len(columns), row
        found.append(cells)
    return found


def typeset(text: str, folder: Path) -> str:
    """What pdflatex says of an article with this text; AssertionError with its message when it stops."""
    article = [
        "\\documentclass[twocolumn]{article}",
        "\\usepackage{booktabs}",
        "\\begin{document}",
        text,
        "\\end{document}",
    ]
    (folder / "table.tex").write_text("\n".join(article), encoding="ascii")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"], cwd=folder, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "table.pdf").stat().st_size
    return done.stdout
