"""What weights have heard: the clips that they, and those that they started from, were trained on.

A model of one split may be scored on another, as long as no test clip of that one was among its training clips; 139 of
the 200 test clips of one public four-speaker list are in the same authors' list of training clips for 33 speakers. A
checkpoint therefore carries a hash of every training clip, 8 bytes each, so that the question is answered wherever it
lands: without the corpus, for imported lists and for parts of a corpus alike.
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
class Heard:
    """The training part of one split."""

    corpus: str
    """Name of the corpus."""
    split: str
    """Name of the split."""
    division: str
    """16 hex digits that name its parts and ids."""
    listing: str | None
    """Title of the imported list, None for the split's own division."""
    clips: NDArray[np.int64]
    """(n,) hashes of the training clips' ids, sorted; empty for a split without a test part, such as those of speech to
    pre-train on: nothing of its corpus is ever scored."""

    @property
    def about(self) -> dict[str, str | None]:
        """All but the clips."""
        return {"corpus": self.corpus, "split": self.split, "division": self.division, "listing": self.listing}


def heard(table: SplitTable) -> Heard:
    """What training on a split hears."""
    span = table.span("train") if table.span("test") else range(0)
    clips = _hashes(islice(table.column("id"), span.start, span.stop))
    return Heard(corpus=table.corpus, split=table.name, division=table.division, listing=table.listing, clips=clips)


def joined(*pasts: Iterable[Heard]) -> tuple[Heard, ...]:
    """Several pasts as one, every division once."""
    return tuple({(item.corpus, item.division): item for past in pasts for item in past}.values())


def refuse_leak(past: Iterable[Heard], table: SplitTable) -> None:
    """UseError when a model of that past may not be scored on a split: it heard some of the test clips.

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


def _hashes(clips: Iterable[str]) -> NDArray[np.int64]:
    return np.sort(np.fromiter((_hash(clip) for clip in clips), np.int64))


def _hash(clip: str) -> int:
    return int.from_bytes(hashlib.sha256(clip.encode()).digest()[:8], "big", signed=True)
