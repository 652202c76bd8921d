"""Edits between what was to be said and what was understood; `means` makes rates of them.

reference, transcript --normalised elsewhere--> Words --> {"sub", "del", "ins", "words" or "chars"}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jiwer

from v2sbench.scoring.metrics.unusable import UnusableError


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was to be said and what was understood, both normalised."""

    reference: str
    """Text of the clip, or by some protocols the transcript of the real audio."""
    hypothesis: str
    """Transcript of the prediction."""


def word_edits(words: Words) -> dict[str, int]:
    """Substitutions, deletions, insertions and reference words of the best alignment of words."""
    return _edits(words, jiwer.process_words, "words", len(words.reference.split()))


def char_edits(words: Words) -> dict[str, int]:
    """The same of characters, blanks between words included: sub, del, ins, and chars of the reference."""
    return _edits(words, jiwer.process_characters, "chars", len(words.reference))


def same(words: Words) -> float:
    """100 where the transcript is the text, else 0: LRW's word accuracy, whose texts are one word."""
    _demand_text(words)
    return 100.0 if words.hypothesis == words.reference else 0.0


def _edits(words: Words, align: Callable[[str, str], Any], unit: str, count: int) -> dict[str, int]:
    _demand_text(words)
    if not words.hypothesis:  # there is nothing to align
        return {"sub": 0, "del": count, "ins": 0, unit: count}
    found = align(words.reference, words.hypothesis)
    return {"sub": found.substitutions, "del": found.deletions, "ins": found.insertions, unit: count}


def _demand_text(words: Words) -> None:
    if not words.reference:
        raise UnusableError("no-text")
