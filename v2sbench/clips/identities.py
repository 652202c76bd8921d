"""Whose embedding stands for a clip's speaker: that of another clip, so that identity never comes from the target."""

from __future__ import annotations

import logging
from bisect import bisect_left
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.splits import DIMENSIONS, SplitTable
from v2sbench.runtime import UseError, fold

_LOG = logging.getLogger(__name__)

Places = NDArray[np.int64]
"""Ascending places of rows of a split."""
NOBODY: Places = np.zeros(0, np.int64)
BLOCK = 1 << 14  # vectors that are looked at together where all are


class Identities:
    """Whose embedding stands for a clip's speaker: one of another clip, and without speakers never of its own voice.

    Nothing changes after construction: training and validation, and threads, may share one.
    """

    def __init__(self, table: SplitTable, seed: int, kind: str = "speaker") -> None:
        """table: a split with its embeddings; seed: of the draws; kind: a key of `DIMENSIONS`.

        Clips whose speaker has no other clip are counted here, and told in one warning: they take the mean of the
        training speakers.  UseError where that mean would be such a clip's own voice.
        """
        self.table, self.seed, self.kind = table, seed, kind
        self.vectors = table.embeddings(kind)
        finite = [np.isfinite(self.vectors[at : at + BLOCK]).all(axis=1) for at in range(0, len(self.vectors), BLOCK)]
        usable = np.concatenate([np.zeros(0, bool), *finite])
        train = np.zeros(len(usable), bool)
        train[table.span("train")] = True
        numbers: dict[str, int] = {}
        speakers = np.fromiter((numbers.setdefault(name, len(numbers)) for name in table.column("speaker")), np.int64)
        self.all = _places(speakers, usable, numbers)
        self.heard = _places(speakers, usable & train, numbers)
        self.prints = np.fromiter((int(sha256[:16], 16) for sha256 in table.column("sha256")), np.uint64)
        self.copies = _copies(self.prints)
        self.anonymous = len(numbers) == len(table.rows) > 1
        """Whether nobody knows who speaks: no two clips of the split have one speaker."""
        if self.anonymous:
            instead = "its own face" if kind == "face" else "the mean voice of the training clips"
            _LOG.warning("split %s names no speaker twice: every clip's identity is %s", table.name, instead)
        else:
            self._check_lone(_lone(speakers, usable, self.prints, len(numbers)))

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return DIMENSIONS[self.kind]

    def _check_lone(self, lone: Places) -> None:
        if not len(lone):
            return
        for index in map(int, lone):
            row = self.table.rows[index]
            if not self.heard.keys() - {row.speaker}:
                option = "--voice WAV" if self.kind == "speaker" else "--face IMAGE"
                raise UseError(
                    f"clip {row.id!r} of split {self.table.name!r}: its speaker has no other clip to take the identity "
                    f"({self.kind}) from, nor is there another training speaker; leave the clip out, or give one with "
                    f"`v2sbench speak {option}`"
                )
        _LOG.warning(
            "split %s: %d clips have no other clip of their speaker (the first is %s); their identity is the mean %s "
            "of the training speakers", self.table.name, len(lone), self.table.rows[int(lone[0])].id,
            "voice" if self.kind == "speaker" else "face",
        )  # fmt: skip

    def draw(self, index: int, *turn: object) -> NDArray[np.float32]:
        """(dim,) embedding of another clip of row `index`'s speaker: a training one where there is one.

        turn: what the draw depends on beside seed and clip (a training step; nothing in synthesis).
        A clip whose speaker has no other clip, copies of the same file not counted, takes the mean of the training
        speakers, since identity must not come from the target. So does every clip of an `anonymous` split, or it takes
        its own face.
        """
        own: NDArray[np.float32] = self.vectors[index]
        if self.anonymous:
            return own if self.kind == "face" and np.isfinite(own).all() else self._mean
        mate = self.mate(index, *turn)
        return self._mean if mate is None else self.vectors[mate]

    def mate(self, index: int, *turn: object) -> int | None:
        """The row that `draw` takes, None when the speaker has no other clip."""
        row = self.table.rows[index]
        for pool in (self.heard, self.all):
            mates = pool.get(row.speaker, NOBODY)
            same = self.copies.get(int(self.prints[index]), (index,))
            barred = [at for copy in same if (at := _place(mates, copy)) is not None]
            if len(mates) > len(barred):
                chosen = fold(self.seed, "identity", row.id, *turn) % (len(mates) - len(barred))
                for at in barred:  # ascending: count over those that are left
                    chosen += at <= chosen
                return int(mates[chosen])
        return None

    @cached_property
    def _mean(self) -> NDArray[np.float32]:
        return self.mean()

    def mean(self) -> NDArray[np.float32]:
        """(dim,) unit mean of the training speakers: the identity when nobody gives one."""
        if not self.heard:
            raise UseError(f"split {self.table.name!r} has no training clips to take a mean {self.kind} from")
        speakers = [self.vectors[rows].mean(axis=0) for _, rows in sorted(self.heard.items())]
        total = np.sum(speakers, axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def _places(speakers: NDArray[np.int64], chosen: NDArray[np.bool_], numbers: dict[str, int]) -> dict[str, Places]:
    """Speaker -> the ascending places of the chosen rows, for those who have some."""
    places = np.flatnonzero(chosen)
    order = places[np.argsort(speakers[places], kind="stable")]
    ends = np.cumsum(np.bincount(speakers[places], minlength=len(numbers)))
    starts = np.concatenate([[0], ends])
    return {name: order[starts[at] : ends[at]] for name, at in numbers.items() if ends[at] > starts[at]}


def _lone(speakers: NDArray[np.int64], usable: NDArray[np.bool_], prints: NDArray[np.uint64], count: int) -> Places:
    """Places of the rows whose speaker has no usable clip of another content."""
    lowest, highest = np.full(count, np.iinfo(np.uint64).max), np.zeros(count, np.uint64)
    np.minimum.at(lowest, speakers[usable], prints[usable])
    np.maximum.at(highest, speakers[usable], prints[usable])
    low, high = lowest[speakers], highest[speakers]
    return np.flatnonzero((low > high) | ((low == high) & (low == prints)))


def _copies(prints: NDArray[np.uint64]) -> dict[int, tuple[int, ...]]:
    """Fingerprint -> the places of all rows that have it, for those that several have."""
    order = np.argsort(prints, kind="stable")
    again = np.flatnonzero(prints[order][1:] == prints[order][:-1]) + 1
    found: dict[int, tuple[int, ...]] = {}
    for at in again:
        first = int(prints[order[at]])
        found[first] = (*found.get(first, (int(order[at - 1]),)), int(order[at]))
    return found


def _place(ascending: Places, value: int) -> int | None:
    """Where a value stands in a list, None where it does not."""
    at = bisect_left(ascending, value)
    return at if at < len(ascending) and ascending[at] == value else None
