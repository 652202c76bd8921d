"""What a clip and a corpus are, what a folder of one holds, and how it is obtained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from v2sbench.corpora.splits import Split, Subset


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One utterance of a corpus as it lies on the disk."""

    id: str
    """``speaker/stem``, unique in the corpus."""
    speaker: str
    media: Path
    """The file that holds the sound, and the picture when `video` is true."""
    text: str | None
    """What is said, in lower-case words separated by one space; None where nothing reads it or nobody wrote it."""
    video: bool
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
    reason: str
    """Why, in a few words."""
    foreign: bool = False
    """Whether no clip of the corpus is named so: many of these mean that the folder holds something else."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What one corpus folder holds, from names and sizes alone: no file is opened but for its text."""

    clips: tuple[Clip, ...]
    """Usable clips, sorted by id."""
    problems: tuple[Problem, ...]
    """Unusable files, sorted by path."""
    layout: str
    """The layout that was recognised, for people: ``sN/*.mpg (32870)``."""
    superseded: tuple[Path, ...] = ()
    """Further copies of a clip, passed over for a better one of the same id."""
    absent: tuple[str, ...] = ()
    """Ids of clips that something else in the folder names, word times for instance, and that are not there; sorted."""

    @property
    def counts(self) -> dict[str, int]:
        """Clips of each speaker."""
        return dict(Counter(clip.speaker for clip in self.clips))


@dataclass(frozen=True, kw_only=True)
class KnownList:
    """A published list of clips that is not shipped, but recognised by its digest when a user imports it."""

    name: str
    """What its authors call it."""
    subset: Subset | None
    """The part that it is; None for a list of several parts."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """One file of a corpus at its publisher's. ValueError for a digest or an address that cannot be one."""

    url: str
    part: str
    """What ``--parts`` calls it: ``s1``, ``dev-clean``."""
    size: int | None = None
    """Bytes; None where no source gives them."""
    digest: str = ""
    """``md5:`` or ``sha256:`` and the hex digits, as published; "" where they are not known here."""
    index: str = ""
    """URL of the publisher's own list of digests, read when the file is downloaded; "" where there is none."""
    into: str = ""
    """Folder below the corpus' folder to unpack in; "" is the corpus' folder."""
    speaker: str = ""
    """Who speaks in it, where the archives are cut by speaker; "" is everybody."""

    def __post_init__(self) -> None:
        kind, _, digits = self.digest.partition(":")
        length = {"md5": 32, "sha256": 64}.get(kind)
        if self.digest and (len(digits) != length or set(digits) - set("0123456789abcdef")):
            raise ValueError(f"{self.url}: {self.digest!r} is not md5: or sha256: and its lower-case hex digits")
        if not self.name or urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"{self.url!r} is no http or https address of a file")

    @property
    def name(self) -> str:
        """The file's name: the last part of the address."""
        return unquote(urlsplit(self.url).path).rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Access:
    """What the owners of a corpus allow, and how to get it. `v2sbench fetch` downloads by it, the doctor quotes it."""

    note: str = ""
    """The licence, in a sentence or two for whoever is about to use the corpus."""
    steps: tuple[str, ...] = ()
    """What a person has to do to get it, in order; where there are `files`, what `fetch` does not do."""
    files: tuple[Remote, ...] = ()
    """What anybody may download; empty for a corpus that is given by agreement, or that is made here."""

    def __post_init__(self) -> None:
        for values in ([file.part for file in self.files], [file.name for file in self.files]):
            if len(set(values)) < len(values):
                raise ValueError(f"two files of one name among {', '.join(values)}")


UNSAID = Access()
"""The access of a corpus where nobody wrote it down."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One corpus: how to read its folder, what a full copy holds, and how it is divided."""

    name: str
    """Folder name under ``$V2S_DATA`` and name on the command line."""
    title: str
    licence: str
    """What its owners allow, in a few words."""
    url: str
    """The page that describes it or gives it out; "" for a corpus made here."""
    kind: Literal["audio-visual", "audio"]
    scan: Callable[[Path], Scan]
    """Reads the folder. Never fails on a bad file: that is a `Problem`."""
    splits: tuple[Split, ...]
    """Its divisions; an audio-only corpus has one with train and val, for pre-training."""
    is_id: Callable[[str], bool]
    """Whether a clip of the corpus could have this id; imported lists are checked by it."""
    inventory: Mapping[str, int] = field(default_factory=dict)
    """Speaker -> usable clips of a full copy; empty when there is no fixed or no measured count."""
    total: int | None = None
    """Clips of a full copy where only their sum is published, for people: nothing counts as missing by it."""
    generate: Callable[..., object] | None = None
    """Embedded corpora: ``generate(root, **size)`` makes the corpus at `root` unless it is there with that size."""
    known_lists: Mapping[str, KnownList] = field(default_factory=dict)
    """Digest (first 16 hex of the SHA-256 of the sorted lines) -> a published list."""
    access: Access = UNSAID
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
