"""Why a value is missing: the one error of everything that measures, and its reasons."""

from __future__ import annotations

REASONS = (
    "missing",  # no file
    "unreadable",  # no audio in it
    "not-finite",
    "silent",
    "opposite-phase",  # two channels that cancel each other out
    "unscaled",  # 16-bit numbers in samples of 32 bits
    "too-short",
    "too-long",
    "no-utterances",  # PESQ finds no speech in the reference
    "pesq-failed",
    "no-text",
    "no-transcript",
)
"""Every reason; with `reference-` before it when the reference is at fault."""


class UnusableError(Exception):
    """A wave, or a metric on it, has no value; `reason` is one of REASONS, perhaps with `reference-` before it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
