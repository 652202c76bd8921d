"""Where every value of a card is from, read out of the comments of its file.

A comment behind each value of a card says where the value is from, or why it is no hyperparameter:

    # primary: why     read in the paper's abstract or in released code
    # secondary: why   quoted by someone who had the paper's text
    # assumed: why     from the group's other work or from common practice
    # unused: why      belongs to a part that this variant does not have
    # neutral: why     changes no weight: logs, speed
    # as above         the comment of the line above holds here too

Keys that only say which variant it is (`base`, `family`, `source`, `init`, `freeze`) need none. A semicolon divides
two comments on one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from v2sbench.nets import MODELS

GRADES = ("primary", "secondary", "assumed", "unused", "neutral")
VARIANT = ("base", "family", "source", "init", "freeze")
LINE = re.compile(r"(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.+))?")
REASON = re.compile(rf"({'|'.join(GRADES)}): (.+)")


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value that a card's own file sets."""

    card: str
    """Name of the card."""
    key: str
    """Dotted key, e.g. `arch.mel.hop`."""
    text: str
    """The value as the file has it."""
    reasons: tuple[tuple[str, str], ...]
    """(grade, why) pairs; none only for keys of VARIANT."""


def read_values(name: str, folder: Path = MODELS) -> list[Value]:
    """Values of a card's own file, in its order; ValueError names the line whose value has no reason."""
    values: list[Value] = []
    path: list[str] = []
    above: str | None = None
    for number, line in enumerate((folder / f"{name}.yaml").read_text(encoding="utf-8").splitlines(), start=1):
        where = f"models/{name}.yaml:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None or len(match["indent"]) > 2 * len(path) or len(match["indent"]) % 2:
            raise ValueError(f"{where}: not `key: value  # grade: why`, two spaces a level: {line!r}")
        path = [*path[: len(match["indent"]) // 2], match["key"]]
        text = match["value"].strip()
        if not text:  # a section
            continue
        comment = above if match["comment"] == "as above" else match["comment"]
        reasons = tuple(map(_reason, re.split(rf"; (?=(?:{'|'.join(GRADES)}):)", comment))) if comment else ()
        if not all(reasons) or not (reasons or path[-1] in VARIANT):
            raise ValueError(f"{where}: {'.'.join(path)} needs a comment `# {', '.join(GRADES)}: why` or `# as above`")
        values.append(Value(card=name, key=".".join(path), text=text, reasons=reasons))
        above = comment
    return values


def _reason(text: str) -> tuple[str, str]:
    """`assumed: why` -> ("assumed", "why"); () when no grade leads it."""
    match = REASON.fullmatch(text)
    return (match[1], match[2].strip()) if match and not match[2].startswith("as above") else ()  # type: ignore[return-value]
