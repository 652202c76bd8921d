"""Splits: what a division of a corpus is, and the ways in which corpora are divided (by hash, by speaker, by rank).

A split is a pure function of clip ids, so a partial copy of a corpus agrees with the full one about every clip that it
has. Every draw is ``unit(SEED, corpus, "seen", clip id)``: one number in [0, 1) a clip, for ever. The seed is a
constant and no setting, since two people's numbers compare only on one division. All hash splits of a corpus read the
same number, so a clip is never in the training part of one and in the test part of another, whichever speakers they
take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal

from v2sbench.runtime import short_digest, unit

Subset = Literal["train", "val", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "val", "test")
"""Every part that a split may have, in the order in which they are printed."""
Grammar = Literal["grid"] | None
"""The closed grammar that all sentences obey, if any."""

SEED = 2
"""The first seed from 0 up that divides 900 real clips of s1 nearly 90-5-5 (801 / 50 / 49); chosen before anything was
trained, and never to be moved: every stored number rests on it.
"""
SHARES = (0.90, 0.05, 0.05)
"""Training, validation and test shares of a seen split."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of a split is here."""

    parts: Mapping[str, tuple[int, int | None]]
    """Subset -> (clips here, clips in a full corpus or None when a full corpus has no fixed size)."""
    exact: bool = True
    """Whether the second numbers are exact for each part; otherwise only their sum is."""
    lacking: tuple[str, ...] = ()
    """Corpora of a mix that are not here."""

    @property
    def have(self) -> int:
        """Clips here, over all parts."""
        return sum(have for have, _ in self.parts.values())

    @property
    def expected(self) -> int | None:
        """Clips of the split in a full corpus; None without a fixed size."""
        counts = [expected for _, expected in self.parts.values()]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def label(self) -> str:
        """Empty when complete or without a fixed size, else ``partial 900/1000``; a surplus fills no gap elsewhere.

        ``partial, without vctk, swc`` for a mix.
        """
        if self.lacking:
            return f"partial, without {', '.join(self.lacking)}"
        total = self.expected
        if total is None:
            return ""
        covered = sum(min(have, full or 0) for have, full in self.parts.values()) if self.exact else self.have
        return "" if covered >= total else f"partial {covered}/{total}"


@dataclass(frozen=True, kw_only=True)
class Split:
    """A division of a corpus into parts: a pure function of clip ids, the same on every machine.

    Exactly one of `subset` and `draw` is given. Both must be picklable (module functions, `functools.partial`).
    """

    name: str
    """As in ``--split NAME``."""
    corpus: str
    """Name of the corpus that is divided."""
    description: str
    """One line for ``v2sbench list splits``."""
    identity: Literal["seen", "unseen"]
    """Whether the speakers of the test part are heard in training."""
    expected: Mapping[Subset, int | None]
    """The parts that there are -> clips of each in a full corpus (None: a corpus without a fixed size)."""
    exact: bool = True
    """Whether `expected` holds for each part, or (False: parts drawn clip by clip) exactly only for their sum."""
    subset: Callable[[str], Subset | None] | None = None
    """Clip id -> its part, None for a clip outside the split. The usual case."""
    draw: Callable[[Sequence[str]], Mapping[str, Subset]] | None = None
    """All clip ids, sorted -> parts of those inside; for a split that needs the whole list of a speaker."""
    wer: bool = True
    """Whether a word error rate is defined (there are texts, and somebody to score them against)."""
    grammar: Grammar = None

    def __post_init__(self) -> None:
        if (self.subset is None) == (self.draw is None):
            raise ValueError(f"split {self.name}: give either subset or draw")
        if not self.expected or any(part not in SUBSETS for part in self.expected):
            raise ValueError(f"split {self.name}: parts are {list(self.expected)}, allowed are {list(SUBSETS)}")

    def assign(self, ids: Iterable[str]) -> dict[str, Subset]:
        """Part of every clip that is inside the split, sorted by (part, id); the order of `ids` does not matter."""
        names = sorted(set(ids))
        if self.draw is not None:
            parts = dict(self.draw(names))
        else:
            assert self.subset is not None  # __post_init__
            parts = {name: part for name in names if (part := self.subset(name)) is not None}
        return dict(sorted(parts.items(), key=lambda item: (SUBSETS.index(item[1]), item[0])))

    def coverage(self, ids: Iterable[str]) -> Coverage:
        """How many of the split's clips are among `ids`."""
        return self.coverage_of(self.assign(ids))

    def coverage_of(self, parts: Mapping[str, Subset]) -> Coverage:
        """`coverage` of what `assign` gave."""
        have = Counter(parts.values())
        return Coverage(parts={part: (have[part], full) for part, full in self.expected.items()}, exact=self.exact)

    def digest(self, ids: Iterable[str]) -> str:
        """First 16 hex digits of the SHA-256 of the sorted ``part<tab>id`` lines: names this very division."""
        return digest_of(self.assign(ids))


def digest_of(parts: Mapping[str, Subset]) -> str:
    """`Split.digest` of what `Split.assign` gave."""
    return short_digest(f"{part}\t{name}" for name, part in parts.items())


# ---------------------------------------------------------------- how corpora are divided


def place(corpus: str, clip: str) -> float:
    """The clip's number in [0, 1): low is training, high is test."""
    return unit(SEED, corpus, "seen", clip)


EDGES = (SHARES[0], SHARES[0] + SHARES[1])
"""Numbers at which validation and test begin."""


def part_at(where: float, edges: tuple[float, float] = EDGES) -> Subset:
    """The part of a clip with this number."""
    if where < edges[0]:
        return "train"
    return "val" if where < edges[1] else "test"


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
        grammar=grammar,
    )


def _by_hash(clip: str, *, corpus: str, speakers: frozenset[str] | None, edges: tuple[float, float]) -> Subset | None:
    if speakers is not None and speaker_of(clip) not in speakers:
        return None
    return part_at(place(corpus, clip), edges)


def unseen_split(
    name: str,
    corpus: str,
    description: str,
    *,
    parts: Mapping[Subset, Collection[str]],
    inventory: Mapping[str, int] | None = None,
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
        tested_elsewhere = sum(where >= EDGES[1] for where, _ in ranked)
        edge = max(share, tested_elsewhere)
        for k, (_, clip) in enumerate(ranked):
            parts[clip] = "test" if k < edge else "train"
    return parts


def pretraining_split(corpus: str, title: str, *, val: float = 0.01) -> Split:
    """All clips of an audio-only corpus, under its own name: a share `val` for validation, the rest to train on.

    Clips are drawn one by one. There is no test part, since nothing is scored on it, and no counts are expected, since
    any part of such a corpus will do.
    """
    return Split(
        name=corpus,
        corpus=corpus,
        description=f"{title}: pre-training, {val:.0%} for validation, no test",
        identity="seen",
        expected={"train": None, "val": None},
        exact=False,
        subset=partial(_by_hash, corpus=corpus, speakers=None, edges=(1 - val, 1.0)),
        wer=False,
    )
