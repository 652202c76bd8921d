"""The clips that weights, and the weights that they started from, were trained on.

A model of one split may be scored on another, as long as no test clip of that one was among its training clips; 139 of
the 200 test clips of one public four-speaker list are in the same authors' list of training clips for 33 speakers. So
a weights file carries a hash of every training clip, 8 bytes each, and the question is answered wherever the file goes:
without the corpus, for imported lists and for parts of a corpus alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.splits import SplitTable
from v2sbench.runtime import UseError


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedOn:
    """The training part of one split."""

    corpus: str
    split: str
    division: str
    """16 hex digits that name the split's parts and ids."""
    listing: str | None
    """Title of the imported list; None for the split's own division."""
    clips: NDArray[np.int64]
    """(n,) hashes of the training clips' ids, sorted; empty for a split without a test part, such as those of speech to
    pre-train on: nothing of its corpus is ever scored."""

    @property
    def about(self) -> dict[str, str | None]:
        """Everything except the clips."""
        return {"corpus": self.corpus, "split": self.split, "division": self.division, "listing": self.listing}


def trained_on(table: SplitTable) -> TrainedOn:
    """The training clips of a split."""
    span = table.span("train") if table.span("test") else range(0)
    ids = islice(table.column("id"), span.start, span.stop)
    clips = np.sort(np.fromiter(map(_hash, ids), np.int64))
    return TrainedOn(corpus=table.corpus, split=table.name, division=table.division, listing=table.listing, clips=clips)


def joined(*pasts: Iterable[TrainedOn]) -> tuple[TrainedOn, ...]:
    """Several pasts as one, every division once."""
    return tuple({(item.corpus, item.division): item for past in pasts for item in past}.values())


def refuse_leak(past: Iterable[TrainedOn], table: SplitTable) -> None:
    """UseError when weights with that past may not be scored on a split, because they saw some of its test clips.

    Different corpora share no clip, whatever the names.
    """
    tested = [row.id for row in table.subset("test")]
    hashes = np.array([_hash(clip) for clip in tested], np.int64)
    for item in past:
        if item.corpus != table.corpus:
            continue
        found = [tested[place] for place in np.flatnonzero(np.isin(hashes, item.clips))]
        if found:
            raise UseError(
                f"these weights were trained on {item.split}, and so on {len(found)} test clips of {table.name} "
                f"({', '.join(found[:3])}{', ...' if len(found) > 3 else ''}); score them with --split {item.split}"
            )


def _hash(clip: str) -> int:
    return int.from_bytes(hashlib.sha256(clip.encode()).digest()[:8], "big", signed=True)
