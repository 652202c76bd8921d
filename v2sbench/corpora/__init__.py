"""Corpora: what a clip, a split and a corpus are, which ones there are, and where they lie on this disk.

A corpus is one value of :class:`Corpus`. A module of this package adds some by a tuple ``CORPORA``; another
distribution adds some by an entry point of the group ``v2sbench.corpora`` that loads to such a tuple. Nothing else
has to be edited: ``v2sbench list corpora``, the contract tests and every stage see what was found.

Names of clips are ``speaker/stem`` everywhere. A split is a function of those names, so a partial copy of a corpus
agrees with the full one about every clip that it has.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from v2sbench.corpora.remote import UNSAID, Access
from v2sbench.runtime import UseError, choose, short_digest

__all__ = [
    "CORPORA",
    "SUBSETS",
    "Clip",
    "Corpus",
    "Coverage",
    "KnownList",
    "Problem",
    "Scan",
    "Split",
    "Subset",
    "corpus",
    "digest_of",
    "discover",
    "folder_of",
    "root_of",
    "scan_of",
    "split",
    "splits",
]

Subset = Literal["train", "val", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "val", "test")
"""Every part that a split may have, in the order in which they are printed."""

ENTRY_POINTS = "v2sbench.corpora"
"""Entry-point group by which another distribution adds corpora."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One utterance of a corpus as it lies on the disk."""

    id: str
    """``speaker/stem``, unique in the corpus."""
    speaker: str
    """Who speaks; the first part of `id`."""
    media: Path
    """The file that holds the sound, and the picture when `video` is true."""
    text: str | None
    """What is said, in lower-case words separated by one space; None when the corpus does not tell."""
    video: bool
    """Whether `media` has a picture."""
    landmarks: Path | None = None
    """Precomputed face landmarks, one (frames, 68, 2) array in pixels, when the corpus came with some."""
    align: Path | None = None
    """Word times, when the corpus came with some."""
    start: float | None = None
    """Seconds in `media` at which the clip begins; None: with the file."""
    end: float | None = None
    """Seconds in `media` at which it ends; None: with the file."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that looks like a clip and cannot be used as one."""

    path: Path
    """The file."""
    reason: str
    """Why, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What one corpus folder holds, from names and sizes alone: no file is opened but for its text."""

    clips: tuple[Clip, ...]
    """Usable clips, sorted by id."""
    problems: tuple[Problem, ...]
    """Unusable files, sorted by path."""
    layout: str
    """The layout that was recognised, for the eye: ``sN/*.mpg (32870)``."""
    superseded: tuple[Path, ...] = ()
    """Further copies of a clip, passed over for a better one of the same id."""
    absent: tuple[str, ...] = ()
    """Ids of clips that something else in the folder names, word times for instance, and that are not there; sorted."""

    @property
    def counts(self) -> dict[str, int]:
        """Clips of each speaker."""
        return dict(Counter(clip.speaker for clip in self.clips))


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
    grammar: Literal["grid"] | None = None
    """The closed grammar that all sentences obey, if any."""

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
        """The same of what `assign` gave."""
        have = Counter(parts.values())
        return Coverage(parts={part: (have[part], full) for part, full in self.expected.items()}, exact=self.exact)

    def digest(self, ids: Iterable[str]) -> str:
        """First 16 hex digits of the SHA-256 of the sorted ``part<tab>id`` lines: names this very division."""
        return digest_of(self.assign(ids))


def digest_of(parts: Mapping[str, Subset]) -> str:
    """`Split.digest` of what `Split.assign` gave."""
    return short_digest(f"{part}\t{name}" for name, part in parts.items())


@dataclass(frozen=True, kw_only=True)
class KnownList:
    """A published list of clips that is not shipped, but recognised by its digest when a user imports it."""

    name: str
    """What its authors call it."""
    subset: Subset | None
    """The part that it is; None for a list of several parts."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One corpus: how to read its folder, what a full copy holds, and how it is divided."""

    name: str
    """Folder name under ``$V2S_DATA`` and name on the command line."""
    title: str
    """For people."""
    licence: str
    """What its owners allow, in a few words."""
    url: str
    """Where it is described or given out; "" for a corpus made here."""
    kind: Literal["audio-visual", "audio"]
    """Whether clips have a picture."""
    scan: Callable[[Path], Scan]
    """Reads the folder. Never fails on a bad file: that is a :class:`Problem`."""
    splits: tuple[Split, ...]
    """Its divisions; an audio-only corpus has one with train and val, for pre-training."""
    is_id: Callable[[str], bool]
    """Whether a clip of the corpus could have this id; imported lists are checked by it."""
    inventory: Mapping[str, int] = field(default_factory=dict)
    """Speaker -> usable clips of a full copy; empty when there is no fixed or no measured count."""
    total: int | None = None
    """Clips of a full copy where only their sum is published, for the eye: nothing is held to be missing by it."""
    generate: Callable[..., object] | None = None
    """Embedded corpora: ``generate(root, **size)`` makes the corpus at `root` unless it is there with that size."""
    known_lists: Mapping[str, KnownList] = field(default_factory=dict)
    """Digest (first 16 hex of the SHA-256 of the sorted lines) -> a published list."""
    access: Access = UNSAID
    """What its owners allow, and how to get it; empty says that nobody wrote it down here."""
    parts: tuple[str, ...] = ()
    """Names of the corpora that this one is made of, for a mix: it has no files of its own."""

    @property
    def embedded(self) -> bool:
        """Whether the project makes this corpus itself."""
        return self.generate is not None

    def counts(self, scan: Scan) -> dict[str, tuple[int, int | None]]:
        """Speaker -> (clips here, clips in a full copy or None), over the speakers of either, in natural order."""
        have = scan.counts
        speakers = sorted(set(have) | set(self.inventory), key=lambda name: (len(name), name))
        return {speaker: (have.get(speaker, 0), self.inventory.get(speaker)) for speaker in speakers}


if TYPE_CHECKING:
    CORPORA: Mapping[str, Corpus]
    """Every corpus that was found, by name: the same as ``discover()``."""
else:

    def __getattr__(name: str) -> object:
        if name == "CORPORA":  # found on first use, since the modules of the package import this one
            return discover()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def collect(sources: Iterable[tuple[str, Iterable[Corpus]]]) -> dict[str, Corpus]:
    """Corpora by name, sorted, from (where from, corpora) pairs.

    Raises UseError when two of them have one name, or two splits have, or a split is filed under another corpus.
    """
    found: dict[str, tuple[str, Corpus]] = {}
    owners: dict[str, str] = {}
    for source, corpora in sources:
        for item in corpora:
            if item.name in found:
                raise UseError(f"two corpora are named {item.name!r}: in {found[item.name][0]} and in {source}")
            found[item.name] = (source, item)
            for part in item.splits:
                if part.name in owners:
                    raise UseError(f"two splits are named {part.name!r}: of {owners[part.name]} and of {item.name}")
                if part.corpus != item.name:
                    raise UseError(f"split {part.name!r} of corpus {item.name!r} says it divides {part.corpus!r}")
                owners[part.name] = item.name
    return {name: found[name][1] for name in sorted(found)}


@functools.cache
def discover() -> Mapping[str, Corpus]:
    """Every corpus: of this package's modules, then of the entry points. Read once a process."""
    sources: list[tuple[str, Iterable[Corpus]]] = []
    for info in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        module = importlib.import_module(info.name)
        sources.append((info.name, getattr(module, "CORPORA", ())))
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
        except Exception as error:
            raise UseError(f"corpus plug-in {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
        sources.append((entry.value, loaded))
    return MappingProxyType(collect(sources))


def corpus(name: str) -> Corpus:
    """The corpus of that name; UseError with the nearest name otherwise."""
    return choose("corpus", name, discover())


def splits() -> dict[str, Split]:
    """Every split of every corpus, by name."""
    return {part.name: part for item in discover().values() for part in item.splits}


def split(name: str) -> Split:
    """The split of that name; UseError with the nearest name otherwise."""
    return choose("split", name, splits())


def folder_of(item: Corpus, root: Path | str | None = None) -> Path:
    """Where a corpus lies or should lie: `root` if given, else ``data/<name>`` if embedded, else ``$V2S_DATA/<name>``.

    ``V2S_DATA`` is ``data`` when unset.
    """
    lake = "data" if item.embedded else os.environ.get("V2S_DATA") or "data"
    return Path(root) if root is not None else Path(lake) / ("" if item.parts else item.name)


def root_of(item: Corpus, root: Path | str | None = None) -> Path:
    """The folder of a corpus, `folder_of`, to read from.

    That of an embedded corpus is not looked at: it may not have been made yet, and ``item.generate(root, ...)`` makes
    it. Any other must be there and hold something, else UseError.
    """
    path = folder_of(item, root)
    if item.embedded:
        return path
    remedy = (
        f"v2sbench fetch {item.name} {'downloads it' if item.access.files else 'says how to get it'}; or say where it "
        f"is: v2sbench prepare {item.name} --root DIR (or V2S_DATA)"
    )
    if not path.exists():
        raise UseError(f"corpus {item.name}: no folder {path}; {remedy}")
    if not path.is_dir():
        raise UseError(f"corpus {item.name}: {path} is not a folder; {remedy}")
    if all(entry.startswith(".") for entry in os.listdir(path)):
        raise UseError(f"corpus {item.name}: the folder {path} is empty; {remedy}")
    return path


def scan_of(item: Corpus, root: Path | str | None = None) -> Scan:
    """``item.scan`` of ``root_of(item, root)``; UseError when not one clip is found there."""
    path = root_of(item, root)
    if not path.is_dir():
        raise UseError(f"corpus {item.name}: not made yet at {path}; run: v2sbench prepare {item.name}")
    scan = item.scan(path)
    if not scan.clips:
        first = f", e.g. {scan.problems[0].path}: {scan.problems[0].reason}" if scan.problems else ""
        raise UseError(
            f"corpus {item.name}: no clip under {path} ({len(scan.problems)} unusable files{first}); "
            f"say where the corpus is: v2sbench prepare {item.name} --root DIR"
        )
    return scan
