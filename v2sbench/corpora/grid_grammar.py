"""GRID's sentences: a closed grammar of six words, and the file name (stem) of each tells its text.

No label file is needed: over 32,870 published labels the stem's text never disagreed with the label.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from v2sbench.runtime import UseError

DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Words of the signs 1 to 9, in order; the sign z is "zero"."""
GRAMMAR: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("command", {"b": "bin", "l": "lay", "p": "place", "s": "set"}),
    ("colour", {"b": "blue", "g": "green", "r": "red", "w": "white"}),
    ("preposition", {"a": "at", "b": "by", "i": "in", "w": "with"}),
    ("letter", {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"}),
    ("digit", {"z": "zero", **{str(k): word for k, word in enumerate(DIGITS, 1)}}),
    ("adverb", {"a": "again", "n": "now", "p": "please", "s": "soon"}),
)
"""The six slots of a sentence in order: name, and sign in the stem -> word. 64,000 sentences in all."""

_SIGNS = tuple({word: sign for sign, word in words.items()} for _, words in GRAMMAR)


class NotGridError(UseError, ValueError):
    """A name or a text outside the grammar: whether a user's or a caller's, the message says which sign or word."""


def fault_of(stem: str) -> str | None:
    """Why `stem` names no GRID sentence; None when it does."""
    if len(stem) != len(GRAMMAR):
        return f"not a GRID stem: {stem!r} has {len(stem)} signs, not {len(GRAMMAR)}"
    for k, (sign, (slot, words)) in enumerate(zip(stem.lower(), GRAMMAR, strict=True), 1):
        if sign not in words:
            return f"not a GRID stem: {stem!r}, sign {k} is {sign!r}, a {slot} is one of {''.join(words)}"
    return None


def text_of(stem: str) -> str:
    """``bbaf2n`` -> ``bin blue at f two now``. NotGridError, saying which sign is wrong, for any other name."""
    if fault := fault_of(stem):
        raise NotGridError(fault)
    return " ".join(words[sign] for sign, (_, words) in zip(stem.lower(), GRAMMAR, strict=True))


def stem_of(text: str) -> str:
    """``bin blue at f two now`` -> ``bbaf2n``, the inverse of `text_of`. NotGridError for any other text."""
    said = text.lower().split()
    if len(said) != len(GRAMMAR):
        raise NotGridError(f"not a GRID sentence: {text!r} has {len(said)} words, not {len(GRAMMAR)}")
    for word, (slot, words), signs in zip(said, GRAMMAR, _SIGNS, strict=True):
        if word not in signs:
            raise NotGridError(f"not a GRID sentence: {text!r}, {word!r} is no {slot} ({', '.join(words.values())})")
    return "".join(signs[word] for word, signs in zip(said, _SIGNS, strict=True))


def stems() -> Iterable[str]:
    """All 64,000 stems, in the order of the grammar."""
    return map("".join, itertools.product(*(words for _, words in GRAMMAR)))


ALIGN_RATE = 25_000
"""Units a second in ``.align`` files of word times, whatever the rate of the sound: 1,000 a video frame."""
