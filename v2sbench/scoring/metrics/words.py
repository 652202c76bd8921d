"""Edits between what was to be said and what was understood: counted here, made into rates by `columns`.

reference, transcript --normalised elsewhere--> Words --> {"sub", "del", "ins", "words" or "chars"}
"""

from __future__ import annotations

from dataclasses import dataclass

import jiwer

from v2sbench.scoring.metrics.pair import MetricError


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was to be said and what was understood, both normalised."""

    reference: str
    """Text of the clip, or by some protocols the transcript of the real audio."""
    hypothesis: str
    """Transcript of the prediction."""


def word_edits(words: Words) -> dict[str, int]:
    """Substitutions, deletions, insertions and reference words of the best alignment of words."""
    _checked(words)
    if not words.hypothesis:
        count = len(words.reference.split())
        return {"sub": 0, "del": count, "ins": 0, "words": count}
    found = jiwer.process_words(words.reference, words.hypothesis)
    return {
        "sub": found.substitutions,
        "del": found.deletions,
        "ins": found.insertions,
        "words": found.hits + found.substitutions + found.deletions,
    }


def char_edits(words: Words) -> dict[str, int]:
    """The same of characters, the blanks between words among them: sub, del, ins, and chars of the reference."""
    _checked(words)
    if not words.hypothesis:
        return {"sub": 0, "del": len(words.reference), "ins": 0, "chars": len(words.reference)}
    found = jiwer.process_characters(words.reference, words.hypothesis)
    return {
        "sub": found.substitutions,
        "del": found.deletions,
        "ins": found.insertions,
        "chars": found.hits + found.substitutions + found.deletions,
    }


def same(words: Words) -> float:
    """100 where the transcript is the text, else 0: LRW's word accuracy, whose texts are one word."""
    _checked(words)
    return 100.0 if words.hypothesis == words.reference else 0.0


def _checked(words: Words) -> None:
    if not words.reference:
        raise MetricError("no-text")
