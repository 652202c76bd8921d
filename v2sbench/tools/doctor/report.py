"""What an examination found, as plain data: the fields below are the keys of ``v2sbench doctor CORPUS --json``.

Keys are only ever added; `SCHEMA` counts a change of meaning. docs/doctor.md explains them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

SCHEMA = 1
"""Version of the JSON report."""
Depth = Literal["names", "headers", "deep"]
"""How far files were looked into: their names and sizes; headers and time stamps; all that `prepare` does."""
VERDICTS = ("usable", "usable in part", "not usable")
"""By exit code."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing wrong with one clip or file."""

    name: str
    """Clip id, or path below the corpus folder."""
    reason: str
    """As in ``quarantine.tsv``, or why the scan could not use the file."""
    detail: str = ""
    """What was seen."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the diagnosis."""

    weight: Literal[0, 1, 2]
    """0: good to know; 1: usable in part; 2: not usable. The greatest is the exit code."""
    text: str
    """What was found and, where there is something, what to do."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """A spread of times, in milliseconds."""

    low: float
    """The smallest."""
    median: float
    """The middle one."""
    high: float
    """The greatest."""
    bins: Mapping[int, int]
    """Middle of a bin -> clips in it; bins are 20 ms (half a frame) wide, the outermost take all that is beyond."""

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Histogram | None:
        """Of times in seconds; None of none."""
        values = np.sort([1000 * value for value in seconds])
        if not len(values):
            return None
        places = np.clip(np.rint(values / 20) * 20, -500, 500).astype(int)
        bins = {int(place): int(count) for place, count in zip(*np.unique(places, return_counts=True), strict=True)}
        low, middle, high = (round(float(value), 3) for value in (values[0], np.median(values), values[-1]))
        return cls(low=low, median=middle, high=high, bins=bins)


@dataclass(frozen=True, kw_only=True)
class SplitCover:
    """How much of a split is here."""

    parts: Mapping[str, tuple[int, int | None]]
    """Part -> (clips here, clips in a full copy or None)."""
    exact: bool
    """Whether the second numbers hold for each part; otherwise only their sum does."""
    label: str
    """Empty for a complete split or one without a fixed size, else ``partial 900/1000``."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What names and sizes tell: no media file was opened."""

    layout: str
    """Where the clips lie, with counts."""
    clips: int
    """Usable clips."""
    expected: int | None
    """Clips of a full copy; None where no count is known."""
    speakers: Mapping[str, tuple[int, int | None]]
    """Speaker -> (clips here, clips in a full copy or None)."""
    missing: int | None
    """Clips that a full copy has more, summed over speakers; a surplus fills no gap elsewhere."""
    lacking: tuple[str, ...]
    """Parts of a mix of corpora of which nothing is here."""
    absent: tuple[str, ...]
    """Ids of missing clips, as far as they can be named: by ``--list``, or by word times that lie here."""
    listed: int | None
    """Clips of that list; None without one."""
    problems: tuple[Case, ...]
    """Files that look like clips and cannot be used."""
    superseded: int
    """Further copies of a clip, passed over."""
    texts: int
    """Clips whose words are known."""
    aligned: int
    """Clips with word times."""
    moved: int
    """Those whose word times lie under another speaker and were found by the sentence's name."""
    landmarks: int
    """Clips with precomputed landmarks."""
    splits: Mapping[str, SplitCover]
    """Split -> how much of it is here."""


@dataclass(frozen=True, kw_only=True)
class Media:
    """What the files tell."""

    files: int
    """Files looked into."""
    seconds: float
    """Length of all usable ones together, as declared."""
    faults: tuple[Case, ...]
    """Clips that cannot be used."""
    damaged: tuple[Case, ...]
    """Clips that can, though their file has lost something."""
    sizes: Mapping[str, int]
    """``360x288`` -> files."""
    fps: Mapping[str, int]
    """Declared frames a second -> files."""
    pictures: Mapping[str, int]
    """Pictures in a file -> files."""
    sound: Mapping[str, int]
    """``44100 Hz x 2`` (rate, channels) -> files."""
    codecs: Mapping[str, int]
    """``mpeg1video + mp2`` -> files."""
    gap_ms: Histogram | None
    """By how much the sound ends before the picture."""
    offset_ms: Histogram | None
    """By how much the sound starts after the picture."""
    odd: tuple[Case, ...]
    """Clips of another number of pictures than at least nine tenths of the corpus have."""
    astray: tuple[Case, ...]
    """Clips whose sound starts more than a frame from the picture's start."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What `prepare` made of the corpus."""

    folder: str
    """Where the prepared clips lie."""
    roi: str
    """The landmark provider they were made with."""
    clips: int
    """How many there are."""
    seconds: float
    """Their length."""
    quarantined: tuple[Case, ...]
    """Clips and files that could not be prepared."""
    damaged: tuple[Case, ...]
    """Clips prepared from files that had lost something."""
    checked: int
    """Clips whose stored bytes were compared with their digest: a sample, or all when deep."""
    broken: tuple[str, ...]
    """Those of them whose bytes have changed or cannot be read."""
    unprepared: tuple[str, ...]
    """Clips of the corpus that are neither prepared nor quarantined."""
    gone: tuple[str, ...]
    """Prepared clips whose media file is no longer there."""


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """The whole report on one corpus."""

    corpus: str
    """Its name."""
    title: str
    """For people."""
    root: str
    """The folder."""
    licence: str
    """What its owners allow, in a few words."""
    note: str
    """The same in a sentence or two."""
    depth: Depth
    """How far files were looked into."""
    names: Names
    """What names and sizes tell."""
    media: Media | None
    """What the files tell; None when only names were looked at, or there is no clip."""
    prepared: Prepared | None
    """What `prepare` made of it; None when it did not run yet."""
    findings: tuple[Finding, ...]
    """The diagnosis, gravest first."""

    @property
    def code(self) -> int:
        """0 usable, 1 usable in part, 2 not usable."""
        return max((finding.weight for finding in self.findings), default=0)

    @property
    def verdict(self) -> str:
        """The same in words."""
        return VERDICTS[self.code]

    def json(self) -> str:
        """One JSON object, keys as the fields here, with ``schema``, ``code`` and ``verdict``."""
        told: dict[str, Any] = {"schema": SCHEMA, "code": self.code, "verdict": self.verdict, **asdict(self)}
        return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
