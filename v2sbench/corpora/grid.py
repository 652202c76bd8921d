"""GRID: 33 speakers, 1,000 six-word sentences each, and everything that lies on disks in its layout.

One scan reads every layout in the wild, since it asks only three things of a file: its name is a GRID stem, its
nearest ``sN`` folder is the speaker, its suffix is a video's:

    Sheffield   sN/video/mpg_6000/STEM.mpg   sN/video/STEM.mpg   sN/STEM.mpg     sN/align/STEM.align
    Zenodo      sN/STEM.mpg   sN/sN/STEM.mpg   alignments/sN/STEM.align   alignments/alignments/sN/STEM.align
    derived     .mp4 and .avi transcodes of either; any part of either
    landmarks   landmarks/sN/STEM.npz (or .npy, .pkl), one (frames, 68, 2) array in pixels (not of the distribution)

The 25 kHz wav files beside them are end-pointed, so they do not run with the picture: the sound of the video is used.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path

from v2sbench.corpora.corpus import UNSAID, Access, Clip, Corpus, KnownList, Problem, Remote, Scan
from v2sbench.corpora.folder import LANDMARK_SUFFIXES, File, Found, files, scan_of_found
from v2sbench.corpora.grid_grammar import fault_of, text_of
from v2sbench.corpora.splits import Split, Subset, overlap_split, seen_split, unseen_split

# ---------------------------------------------------------------- the folder

_SPEAKER = re.compile(r"s[1-9][0-9]?", re.IGNORECASE)
_ARCHIVE = re.compile(r"(s[1-9][0-9]?)\..*(zip|tar|gz)", re.IGNORECASE)
_HIGH_QUALITY = "mpg_6000"
_SUFFIXES = (".mpg", ".mpeg", ".mp4", ".avi")
"""Videos, best first: an original before a transcode of it."""


def _speaker_of(file: File) -> str | None:
    """The nearest folder above that is named like a speaker."""
    return next((part.lower() for part in reversed(file.parts) if _SPEAKER.fullmatch(part)), None)


def scan(root: Path, *, speakers: Collection[str] | None = None, shared: bool = False) -> Scan:
    """Find the clips below `root`, from names and sizes; no file is opened.

    speakers: who may be there; anybody else's files are problems. None: any ``sN``.
    shared: whether two speakers may say one sentence. In GRID nobody does, which is used twice: word times are found by
        stem alone when the speaker's own folder lacks them (Zenodo's alignment folders lie under wrong speakers), and
        a sentence under two speakers is a problem (one copy is misfiled, and would be a leak).
    """
    videos: defaultdict[str, list[tuple[str, File]]] = defaultdict(list)
    aligns: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    landmarks: dict[str, Path] = {}
    archives: list[tuple[str, Path]] = []
    problems: list[Problem] = []
    for file in files(root):
        speaker, stem = _speaker_of(file), file.stem.lower()
        if file.suffix in _SUFFIXES:
            fault = fault_of(file.stem)
            reason = file.fault or fault or _misplaced(speaker, speakers)
            if reason or speaker is None:
                problems.append(Problem(path=file.path, reason=reason or "", foreign=fault is not None))
            else:
                videos[stem].append((speaker, file))
        elif file.suffix == ".align" and file.size:
            aligns[stem].setdefault(speaker or "", file.path)
        elif file.suffix in LANDMARK_SUFFIXES and file.size and speaker and "landmarks" in file.parts:
            landmarks[f"{speaker}/{stem}"] = file.path
        elif match := _ARCHIVE.fullmatch(file.path.name):
            archives.append((match[1].lower(), file.path))

    found: list[Found] = []
    for stem, copies in videos.items():
        said_by = sorted({speaker for speaker, _ in copies})
        if len(said_by) > 1 and not shared:
            reason = f"the same sentence lies under {' and '.join(said_by)}: one is misfiled"
            problems += [Problem(path=file.path, reason=reason) for _, file in copies]
            continue
        for speaker, file in copies:
            name = f"{speaker}/{stem}"
            clip = Clip(
                id=name,
                speaker=speaker,
                media=file.path,
                text=text_of(stem),
                video=True,
                landmarks=landmarks.get(name),
                align=_align_of(speaker, aligns.get(stem, {}), shared),
            )
            found.append(Found(clip=clip, pattern=_pattern(file), rank=_rank(file)))
    clips = [item.clip for item in found]
    present = {clip.speaker for clip in clips}
    problems += [Problem(path=path, reason="archive not unpacked") for who, path in archives if who not in present]
    return scan_of_found(found, problems, absent=() if shared else _absent(clips, aligns))


def _rank(file: File) -> tuple[int, ...]:
    """Best first. The 360x288 original goes before the 720x576 one: it is what every speaker has at Zenodo, and a
    corpus of one quality is worth more here than the pixels, of which the mouth patch keeps 96 x 96.
    """
    return (_SUFFIXES.index(file.suffix), int(_HIGH_QUALITY in file.parts))


def _pattern(file: File) -> str:
    """``sN/video/*.mpg``."""
    folders = ["sN" if _SPEAKER.fullmatch(part) else part for part in file.parts]
    return "/".join([*folders, f"*{file.suffix}"])


def _absent(clips: Iterable[Clip], aligns: Mapping[str, Mapping[str, Path]]) -> set[str]:
    """Sentences with word times here and no video.

    A folder of word times may lie under a wrong speaker (Zenodo's do): its owner is who said most of its other
    sentences. Where no sentence of a folder is here, nobody can say who owns it.
    """
    owners = {clip.id.split("/")[1]: clip.speaker for clip in clips}
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for stem, lying in aligns.items():
        for folder in lying:
            folders[folder].append(stem)
    absent: set[str] = set()
    for stems in folders.values():
        votes = Counter(owners[stem] for stem in stems if stem in owners)
        if votes:
            owner = votes.most_common(1)[0][0]
            absent.update(f"{owner}/{stem}" for stem in stems if stem not in owners and fault_of(stem) is None)
    return absent


def _misplaced(speaker: str | None, speakers: Collection[str] | None) -> str | None:
    if speaker is None:
        return "in no speaker's folder (s1, s2, ...)"
    if speakers is not None and speaker not in speakers:
        return f"{speaker} is no speaker of this corpus"
    return None


def _align_of(speaker: str, candidates: Mapping[str, Path], shared: bool) -> Path | None:
    """The speaker's own file, else (no two speakers sharing sentences) the only one of that stem anywhere."""
    if speaker in candidates:
        return candidates[speaker]
    return next(iter(candidates.values())) if not shared and len(candidates) == 1 else None


# ---------------------------------------------------------------- the corpus

INVENTORY: Mapping[str, int] = {
    f"s{k}": {4: 999, 7: 999, 8: 889, 15: 983}.get(k, 1_000) for k in range(1, 35) if k != 21
}
"""Usable clips of each speaker in a full copy: 32,870 of 33 speakers. s21 was only ever recorded in sound."""

GRID4 = ("s1", "s2", "s4", "s29")
"""The four speakers of the literature."""
OVERLAP_TEST = 255
"""Sentences a speaker that the overlapped-speakers protocol tests on."""
S24_PART: Subset = "train"
"""Where s24 goes in grid33-unseen. Some authors may have had it in "val"; ``unseen(s24="val")`` is that division."""


def _who(numbers: str) -> tuple[str, ...]:
    return tuple(f"s{number}" for number in numbers.split())


def unseen(*, s24: Subset = S24_PART) -> Split:
    """grid33-unseen: 16 / 7 / 10 whole speakers, with s24 where you want it."""
    parts: dict[Subset, tuple[str, ...]] = {
        "train": _who("1 3 5 6 7 8 10 12 14 16 17 22 26 28 32"),
        "val": _who("9 20 23 27 29 30 34"),
        "test": _who("2 4 11 13 15 18 19 25 31 33"),
    }
    parts[s24] = (*parts[s24], "s24")
    return unseen_split(
        "grid33-unseen",
        "grid",
        f"33 speakers, those of the test part unheard in training (s24 in {s24})",
        parts=parts,
        inventory=INVENTORY,
        grammar="grid",
    )


def _seen(name: str, description: str, speakers: Collection[str] | None) -> Split:
    return seen_split(name, "grid", description, speakers=speakers, inventory=INVENTORY, grammar="grid")


SPLITS: tuple[Split, ...] = (
    _seen("grid1-seen", "speaker s1, unseen sentences, 90-5-5: the s1 part of grid4-seen", ("s1",)),
    _seen("grid4-seen", "speakers s1 s2 s4 s29, unseen sentences, 90-5-5", GRID4),
    _seen("grid33-seen", "33 speakers, unseen sentences, 90-5-5", tuple(INVENTORY)),
    unseen(),
    overlap_split(
        "grid33-overlap",
        "grid",
        f"33 speakers, {OVERLAP_TEST} sentences of each for test, the rest to train on: not the paper's division",
        inventory=INVENTORY,
        test=OVERLAP_TEST,
        grammar="grid",
    ),
)

KNOWN_LISTS: Mapping[str, KnownList] = {
    "626cd5f00d601b0a": KnownList(name="train_4", subset="train"),
    "13cea23750445c0a": KnownList(name="val_4", subset="val"),
    "76426b89d7b9a455": KnownList(name="test_4", subset="test"),
    "e4b94fafc2d0a23b": KnownList(name="overlap_train", subset="train"),
    "9fcfc0368495d947": KnownList(name="overlap_val", subset="test"),
    "23e6df61463ab2e4": KnownList(name="unseen_splits", subset=None),
}
"""Published lists (CC BY-NC, so not shipped) by digest. overlap_val is what that protocol tests on."""


def _is_id(clip: str, *, speakers: Collection[str] | None) -> bool:
    speaker, _, stem = clip.partition("/")
    known = speaker in speakers if speakers is not None else bool(_SPEAKER.fullmatch(speaker))
    return known and clip == clip.lower() and fault_of(stem) is None


def grid_corpus(
    name: str,
    *,
    title: str,
    licence: str,
    url: str = "",
    splits: tuple[Split, ...],
    inventory: Mapping[str, int] | None = None,
    shared: bool = False,
    generate: Callable[..., object] | None = None,
    known_lists: Mapping[str, KnownList] | None = None,
    access: Access = UNSAID,
) -> Corpus:
    """A corpus in GRID's layout and grammar.

    inventory: speaker -> clips of a full copy; without one any speaker ``sN`` is accepted and no count is expected.
    shared: whether two speakers may say one sentence (see `scan`).
    generate: for an embedded corpus, what makes it.
    """
    speakers = frozenset(inventory) if inventory else None
    return Corpus(
        name=name,
        title=title,
        licence=licence,
        url=url,
        kind="audio-visual",
        scan=partial(scan, speakers=speakers, shared=shared),
        splits=splits,
        is_id=partial(_is_id, speakers=speakers),
        inventory=dict(inventory or {}),
        generate=generate,
        known_lists=dict(known_lists or {}),
        access=access,
    )


def _remote(part: str, speaker: str = "") -> Remote:
    # Addresses as public download scripts have them (graded: read in five of them). Digests and sizes are not written
    # down: the record's own list of files, which is read instead, gives them (its form: read in one such script).
    return Remote(
        url=f"https://zenodo.org/records/3625687/files/{part}.zip?download=1",
        part=part,
        speaker=speaker,
        index="https://zenodo.org/api/records/3625687",
    )


ACCESS = Access(
    note="CC BY 4.0: any use with attribution (JASA 120, 2006).",
    steps=(
        "the archives are s1.zip ... s34.zip (there is no s21) and alignments.zip of the record above",
        "unpack them into one folder: s1/*.mpg, alignments/s1/*.align and so on",
    ),
    files=(*(_remote(speaker, speaker) for speaker in INVENTORY), _remote("alignments")),
)
"""Not fetched: audio_25k.zip, whose sound does not run with the picture."""

CORPORA = (
    grid_corpus(
        "grid",
        title="GRID audio-visual sentence corpus",
        licence="CC BY 4.0",
        url="https://zenodo.org/records/3625687",
        splits=SPLITS,
        inventory=INVENTORY,
        known_lists=KNOWN_LISTS,
        access=ACCESS,
    ),
)
