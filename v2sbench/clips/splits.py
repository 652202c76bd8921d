"""Splits on disk, and the order in which training visits them.

    split.tsv    one line a clip: part, id, speaker, shard, offset, sha256, frames, text; by part, then id
    split.json   which corpus and clips folder, how complete, and two digests
    speaker.npy  (rows, 256) float32, made by ``identity``: row i belongs to line i of split.tsv
    face.npy     (rows, 128) float32 likewise, added by ``v2sbench split S --face``; NaN where no face can be used

The lines stay on the disk and are parsed when they are asked for, since a split may have millions.

Training depends on this folder, not on the corpus: adding clips of another speaker retrains nothing. So this module
only reads; `prepare.write_split`, which asks the corpora, writes.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import Table
from v2sbench.runtime import UseError, choose

Subset = Literal["train", "val", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "val", "test")
"""Every part that a split may have, in the order of ``split.tsv``."""
DIMENSIONS = {"speaker": 256, "face": 128}
"""Kind of identity -> length of its embedding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One clip of a split: a line of ``split.tsv``."""

    subset: Subset
    id: str  # speaker/stem
    speaker: str
    shard: str  # file of the clips folder that holds the clip
    offset: int  # byte of the shard at which the sound starts
    sha256: str  # digest of sound, crops and still
    frames: int  # length in video frames
    text: str | None  # None when the corpus does not tell what is said


@dataclass(frozen=True, kw_only=True)
class SplitTable:
    """A split as it lies on disk."""

    folder: Path
    name: str
    corpus: str
    clips: Path  # folder of the prepared clips
    rows: Sequence[Row]  # by part (train, val, test), then id; row i belongs to row i of speaker.npy
    sizes: Mapping[str, int]  # clips here, for the parts that the split has
    coverage_label: str  # empty for a full split, else "partial 900/1000"
    digest: str  # 16 hex digits that name the parts, ids and contents
    division: str  # 16 hex digits that name the parts and ids alone (`Split.digest`)
    listing: str | None  # title of the imported list, None for the split's own division
    identity: str  # "seen" or "unseen" speakers in test
    grammar: str | None  # "grid" when all sentences obey that grammar
    wer: bool  # whether a word error rate is defined

    def span(self, name: str) -> range:
        """Places in `rows` of one part; empty for a part that the split has not."""
        if name not in SUBSETS:
            return range(0)
        order = SUBSETS.index(name)
        places = (
            bisect_left(self.rows, edge, key=lambda row: SUBSETS.index(row.subset)) for edge in (order, order + 1)
        )
        return range(*places)

    def subset(self, name: Subset) -> tuple[Row, ...]:
        """Rows of one part."""
        span = self.span(name)
        return tuple(self.rows[span.start : span.stop])

    def column(self, name: str) -> Iterator[str]:
        """One cell of every row, in order, as text: quicker than the rows themselves."""
        if isinstance(self.rows, Rows):
            return self.rows.lines.column(name)
        return (str(getattr(row, name)) for row in self.rows)

    def embeddings(self, kind: str = "speaker") -> NDArray[np.float32]:
        """Embeddings of a kind of `DIMENSIONS`, one a row: (rows, 256) or (rows, 128) float32 unit vectors.

        A row is NaN where the clip's face cannot be used. UseError when they are missing or of another split.
        """
        size = choose("identity", kind, DIMENSIONS)
        path = self.folder / f"{kind}.npy"
        todo = f"run: v2sbench split {self.name}" + (" --face" if kind == "face" else "")
        try:
            vectors: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UseError(f"no {kind} embeddings in {path}; {todo}") from error
        if vectors.shape != (len(self.rows), size):
            raise UseError(f"{path} is {vectors.shape} for {len(self.rows)} clips of {size} values; {todo}")
        return vectors if vectors.dtype == np.float32 else vectors.astype(np.float32)


COLUMNS = tuple(field.name for field in fields(Row))


class Rows(Sequence[Row]):
    """The rows of a ``split.tsv``, parsed one by one; picklable.  UseError for a line that cannot be parsed."""

    def __init__(self, lines: Table) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        """One row, or a tuple of them."""
        found = self.lines[index]
        return self._parse(found) if isinstance(found, str) else tuple(map(self._parse, found))

    def __iter__(self) -> Iterator[Row]:
        return map(self._parse, self.lines)

    def _parse(self, line: str) -> Row:
        try:
            return _row(line)
        except ValueError as error:
            folder = self.lines.path.parent
            raise UseError(f"the split in {folder} is damaged ({error}); run: v2sbench split {folder.name}") from error


def read_split(folder: Path | str) -> SplitTable:
    """The split in `folder`.  UseError when it is missing or damaged."""
    folder = Path(folder)
    try:
        about: dict[str, Any] = json.loads((folder / "split.json").read_text(encoding="utf-8"))
        rows = Rows(Table(folder / "split.tsv", COLUMNS))
        coverage = about.pop("coverage")
        table = SplitTable(
            folder=folder,
            clips=Path(os.path.normpath(folder / about.pop("clips"))),
            rows=rows,
            sizes={part: coverage[part][0] for part in SUBSETS if part in coverage},
            **about,
        )
        found = {part: len(table.span(part)) for part in table.sizes}
        if found != table.sizes or sum(found.values()) != len(rows):
            raise ValueError("split.tsv and split.json tell different sizes of its parts")
        return table
    except FileNotFoundError as error:
        raise UseError(f"no split in {folder}; run: v2sbench split {folder.name}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UseError(f"the split in {folder} is damaged ({error}); run: v2sbench split {folder.name}") from error


def _row(line: str) -> Row:
    part, name, speaker, shard, offset, sha256, frames, text = line.split("\t")
    if part not in SUBSETS:
        raise ValueError(f"unknown part {part!r}")
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name!r} names no clip")
    return Row(subset=part, id=name, speaker=speaker, shard=shard, offset=int(offset), sha256=sha256,
               frames=int(frames), text=text or None)  # fmt: skip
