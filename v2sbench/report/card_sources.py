"""Where every value of a card comes from, as the comments of its file say.

    # primary: why     read in the paper's abstract or in released code
    # secondary: why   quoted by someone who had the paper's text
    # assumed: why     from the group's other work or from common practice
    # unused: why      belongs to a part that this variant does not have
    # neutral: why     changes no weight: logs, speed
    # as above         the comment of the value above holds here too

The comment stands behind the value, or behind the key of a list in lines of its own. A semicolon divides two comments
on one line. Keys that only say which variant it is (`base`, `family`, `source`, `init`, `freeze`) need none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2sbench.nets import MODELS

GRADES = ("primary", "secondary", "assumed", "unused", "neutral")
VARIANT = ("base", "family", "source", "init", "freeze")
REASON = re.compile(rf"({'|'.join(GRADES)}): (.+)")
NEXT_REASON = re.compile(rf"; (?=(?:{'|'.join(GRADES)}):)")


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value that a card's own file sets."""

    card: str
    key: str  # dotted, such as `arch.mel.hop`
    text: str  # the value as the file has it
    reasons: tuple[tuple[str, str], ...]  # (grade, why) pairs; empty when the file gives none


def read_values(name: str, folder: Path = MODELS) -> list[Value]:
    """Values of a card's own file, in its order. The file must be a card that `load_card` takes."""
    from ruamel.yaml import YAML

    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    values: list[Value] = []
    above = ""
    for key, value, comment in _leaves(YAML().load(text), text.splitlines()):
        if comment != "as above":
            above = comment
        reasons = [REASON.fullmatch(part) for part in NEXT_REASON.split(above)]
        pairs = tuple((found[1], found[2].strip()) for found in reasons if found)
        values.append(Value(card=name, key=key, text=value, reasons=pairs))
    return values


def _leaves(section: Any, lines: list[str], path: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, text, comment) of everything in a section that is no section itself."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, lines, f"{path}{key}.")
            continue
        if isinstance(value, list):
            text = f"[{', '.join(map(str, value))}]"
        else:
            line, column = section.lc.value(key)
            text = lines[line][column:].split(" #")[0].strip()
        behind = section.ca.items.get(key, [None] * 3)[2]  # where ruamel keeps the comment behind a value
        comment = behind.value.splitlines()[0] if behind else ""
        yield f"{path}{key}", text, comment.lstrip("# ").rstrip()
