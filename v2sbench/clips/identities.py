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
"""Of rows of a split, ascending."""


NOBODY: Places = np.zeros(0, np.int64)


BLOCK = 1 << 14
"""Vectors that are looked at together where all are."""


class Identities:
    """Whose embedding stands for a clip's speaker: one of another clip, and without speakers never of its own voice.

    Nothing changes after construction: training and validation, and threads, may share one.
    """

    def __init__(self, table: SplitTable, seed: int, kind: str = "speaker") -> None:
        """table: a split with its embeddings; seed: of the draws; kind: of `DIMENSIONS`."""
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

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return DIMENSIONS[self.kind]

    def draw(self, index: int, *turn: object) -> NDArray[np.float32]:
        """(dim,) embedding of another clip of row `index`'s speaker: a training one where there is one.

        turn: what the draw depends on beside seed and clip (a training step; nothing in synthesis).
        UseError when the speaker has no other clip, copies of the same file not counted, since identity must not come
        from the target. In an `anonymous` split there are no speakers: the clip's own face, or the mean voice.
        """
        if self.anonymous:
            own: NDArray[np.float32] = self.vectors[index]
            return own if self.kind == "face" and np.isfinite(own).all() else self._mean
        mate = self.mate(index, *turn)
        return self.vectors[mate]  # type: ignore[no-any-return]

    def mate(self, index: int, *turn: object) -> int:
        """The row that `draw` takes."""
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
        option = "--voice WAV" if self.kind == "speaker" else "--face IMAGE"
        raise UseError(
            f"clip {row.id!r} of split {self.table.name!r}: its speaker has no other clip to take the identity "
            f"({self.kind}) from; leave the clip out, or give one with `v2sbench speak {option}`"
        )

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
