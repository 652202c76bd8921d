"""The ways in which corpora are divided: by a hash of each clip, by speaker, by rank.

Every draw is ``unit(SEED, corpus, "seen", clip id)``: one number in [0, 1) a clip, for ever. The seed is a constant and
no setting, since two people's numbers compare only on one division. All hash splits of a corpus read the same number,
so a clip is never in the training part of one and in the test part of another, whichever speakers they take.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Literal

from v2sbench.corpora import SUBSETS, Split, Subset
from v2sbench.runtime import unit

SEED = 2
"""Of every division in the suite. The first from 0 up that divides 900 real clips of s1 nearly 90-5-5 (801 / 50 / 49);
chosen before anything was trained, and not to be moved: every stored number rests on it.
"""
SHARES = (0.90, 0.05, 0.05)
"""Training, validation and test shares of a seen split."""

Grammar = Literal["grid"] | None


def place(corpus: str, clip: str) -> float:
    """The clip's number in [0, 1): low is training, high is test."""
    return unit(SEED, corpus, "seen", clip)


def speaker_of(clip: str) -> str:
    """``s1/bbaf2n`` -> ``s1``."""
    return clip.split("/", 1)[0]


def apportion(total: int, shares: Sequence[float]) -> list[int]:
    """`total` in whole parts near `shares` (which sum to 1), by largest remainder; the parts sum to `total`."""
    exact = [total * share for share in shares]
    parts = [int(value + 1e-9) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda k: (parts[k] - exact[k], k))
    for k in by_remainder[: total - sum(parts)]:
        parts[k] += 1
    return parts


def seen_split(
    name: str,
    corpus: str,
    description: str,
    *,
    speakers: Collection[str] | None = None,
    inventory: Mapping[str, int] | None = None,
    shares: tuple[float, float, float] = SHARES,
    wer: bool = True,
    grammar: Grammar = None,
) -> Split:
    """Clips of `speakers` (None: all) drawn one by one into train, val and test with probabilities `shares`.

    Membership depends on the clip's id alone, so it does not move when clips are missing. The price: part sizes are
    binomial (50 +- 7 test clips of 1,000), so of `expected` only the sum over the parts is exact.
    `inventory` gives speaker -> clips of a full copy; without one nothing is expected.
    """
    counts: dict[Subset, int | None] = dict.fromkeys(SUBSETS)
    if inventory:
        total = sum(count for speaker, count in inventory.items() if speakers is None or speaker in speakers)
        counts = dict(zip(SUBSETS, apportion(total, shares), strict=True))
    members = None if speakers is None else frozenset(speakers)
    return Split(
        name=name,
        corpus=corpus,
        description=description,
        identity="seen",
        expected=counts,
        exact=False,
        subset=partial(_by_hash, corpus=corpus, speakers=members, edges=(shares[0], shares[0] + shares[1])),
        wer=wer,
        grammar=grammar,
    )


def _by_hash(clip: str, *, corpus: str, speakers: frozenset[str] | None, edges: tuple[float, float]) -> Subset | None:
    if speakers is not None and speaker_of(clip) not in speakers:
        return None
    where = place(corpus, clip)
    return "train" if where < edges[0] else "val" if where < edges[1] else "test"


def unseen_split(
    name: str,
    corpus: str,
    description: str,
    *,
    parts: Mapping[Subset, Collection[str]],
    inventory: Mapping[str, int] | None = None,
    wer: bool = True,
    grammar: Grammar = None,
) -> Split:
    """Whole speakers in each part: nobody of the test part is heard in training. ValueError for a speaker in two."""
    table: dict[str, Subset] = {}
    for part, speakers in parts.items():
        for speaker in speakers:
            if speaker in table:
                raise ValueError(f"split {name}: speaker {speaker} is in {table[speaker]} and in {part}")
            table[speaker] = part
    counts: dict[Subset, int | None] = dict.fromkeys(parts)
    if inventory:
        counts = {part: sum(inventory[speaker] for speaker in speakers) for part, speakers in parts.items()}
    return Split(
        name=name,
        corpus=corpus,
        description=description,
        identity="unseen",
        expected=counts,
        subset=partial(_by_speaker, table=table),
        wer=wer,
        grammar=grammar,
    )


def _by_speaker(clip: str, *, table: Mapping[str, Subset]) -> Subset | None:
    return table.get(speaker_of(clip))


def overlap_split(
    name: str,
    corpus: str,
    description: str,
    *,
    inventory: Mapping[str, int],
    test: int,
    wer: bool = True,
    grammar: Grammar = None,
) -> Split:
    """Of every speaker the `test` clips with the highest numbers for test, the rest for training, no validation.

    A speaker of whom n of N clips are here gives round(test x n / N), so the part keeps its share; a clip near that
    edge may then lie on the other side than in a full copy, and the table says ``partial``. Whatever is here, clips
    that seen splits test on (numbers from 0.95) are never trained on: a model of this split may be scored on theirs.
    Speakers outside `inventory` are outside the split.
    """
    total = sum(inventory.values())
    return Split(
        name=name,
        corpus=corpus,
        description=description,
        identity="seen",
        expected={"train": total - test * len(inventory), "test": test * len(inventory)},
        draw=partial(_by_rank, corpus=corpus, inventory=dict(inventory), test=test),
        wer=wer,
        grammar=grammar,
    )


def _by_rank(clips: Sequence[str], *, corpus: str, inventory: Mapping[str, int], test: int) -> dict[str, Subset]:
    parts: dict[str, Subset] = {}
    for speaker, group in groupby(sorted(clips, key=lambda clip: (speaker_of(clip), clip)), key=speaker_of):
        full = inventory.get(speaker)
        if full is None:
            continue
        ranked = sorted(((place(corpus, clip), clip) for clip in group), reverse=True)
        share = min(test, int(test * len(ranked) / full + 0.5))
        tested_elsewhere = sum(where >= SHARES[0] + SHARES[1] for where, _ in ranked)
        edge = max(share, tested_elsewhere)
        for k, (_, clip) in enumerate(ranked):
            parts[clip] = "test" if k < edge else "train"
    return parts


def pretraining_split(name: str, corpus: str, description: str, *, val: float = 0.01) -> Split:
    """All clips of an audio-only corpus: a share `val` of them, drawn one by one, for validation, the rest to train on.

    No test part: nothing is scored on it. No counts are expected, since any part of such a corpus will do.
    """
    return Split(
        name=name,
        corpus=corpus,
        description=description,
        identity="seen",
        expected={"train": None, "val": None},
        exact=False,
        subset=partial(_by_hash, corpus=corpus, speakers=None, edges=(1 - val, 1.0)),
        wer=False,
    )
