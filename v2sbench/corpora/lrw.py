"""LRW: words cut from British television, 1.16 s a clip with the word in its middle.

    lipread_mp4/WORD/{train,val,test}/WORD_NNNNN.mp4   with   WORD_NNNNN.txt   beside it      (also lrw_mp4/WORD/...)

500 words, 800-1,000 training clips of each, 50 for validation and 50 for test; 256x256, 25 fps, 29 pictures. The folder
is the division, so the name of a clip holds it: ``ABOUT_test_00001/ABOUT_00001``. One's own landmarks may lie under
landmarks/WORD/{train,val,test}/WORD_NNNNN.npz (or .npy, .pkl).

Nobody knows who speaks in a clip. So every clip stands for a speaker of its own, and no other clip is ever taken for
the same person's. A model is then given the clip's own face or the mean voice of the training clips
(`identity.Identities`); the word would be no speaker, since a thousand people say it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from v2sbench.corpora import SUBSETS, Clip, Corpus, Problem, Scan, Split, Subset
from v2sbench.corpora.folder import LANDMARK_SUFFIXES, File, files
from v2sbench.corpora.remote import Access

SECONDS = 29 / 25
"""Length of every clip."""

_STEM = re.compile(r"([A-Z]+)_(\d{5})")
_SPEAKER = re.compile(r"([A-Z]+)_(train|val|test)_(\d{5})")
_DURATION = re.compile(r"Duration:\s*(\d+(?:\.\d+)?) seconds\s*")
_DURATION_LINE = 5


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """When the word of a clip is said."""

    duration: float
    """Seconds that the word lasts, as the corpus tells."""

    @property
    def start(self) -> float:
        """Seconds from the clip's start: the word lies in the middle. 0 for one that fills the clip."""
        return max(0.0, (SECONDS - self.duration) / 2)

    @property
    def end(self) -> float:
        """Seconds from the clip's start."""
        return min(SECONDS, (SECONDS + self.duration) / 2)


def read_word(path: Path) -> Spoken:
    """The word's place, from the text beside a clip (`Clip.align`), whose line 5 is ``Duration: 0.53 seconds``.

    ValueError with file and line for anything else there, OSError for a missing file.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    line = lines[_DURATION_LINE - 1] if len(lines) >= _DURATION_LINE else ""
    match = _DURATION.fullmatch(line)
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{path}, line {_DURATION_LINE}: {line!r} is not `Duration: SECONDS seconds`")
    return Spoken(duration=float(match[1]))


def scan(root: Path) -> Scan:
    """Find the clips below `root`, wherever in it the folders of words begin; no file is opened.

    A video whose name is no clip's, that is empty, or that lies under another word than its name says or in none of
    train, val and test, is a problem. A clip found twice (lipread_mp4 beside lrw_mp4) counts once, the first by path.
    """
    copies: defaultdict[str, list[File]] = defaultdict(list)
    problems: list[Problem] = []
    texts: dict[Path, Path] = {}
    landmarks: dict[str, Path] = {}
    for file in files(root):
        if file.suffix == ".mp4":
            if reason := file.fault or _fault(file):
                problems.append(Problem(path=file.path, reason=reason))
            else:
                copies[_id(file)].append(file)
        elif file.suffix == ".txt" and file.size:
            texts[file.path.with_suffix("")] = file.path
        elif file.suffix in LANDMARK_SUFFIXES and file.size and "landmarks" in file.parts and _fault(file) is None:
            landmarks[_id(file)] = file.path
    clips: list[Clip] = []
    superseded: list[Path] = []
    layouts: Counter[str] = Counter()
    for name, (best, *others) in copies.items():
        superseded += [file.path for file in others]
        layouts["/".join([*best.parts[:-2], "WORD", best.parts[-1], "*.mp4"])] += 1
        clips.append(
            Clip(
                id=name,
                speaker=name.split("/", 1)[0],
                media=best.path,
                text=best.stem.split("_", 1)[0].lower(),
                video=True,
                landmarks=landmarks.get(name),
                align=texts.get(best.path.with_suffix("")),
            )
        )
    return Scan(
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        problems=tuple(sorted(problems, key=lambda problem: str(problem.path))),
        layout=", ".join(f"{pattern} ({count})" for pattern, count in layouts.most_common()),
        superseded=tuple(superseded),
    )


def _fault(file: File) -> str | None:
    match = _STEM.fullmatch(file.stem)
    if match is None:
        return f"not a clip's name: {file.stem!r} is not WORD_NNNNN"
    if len(file.parts) < 2 or file.parts[-1] not in SUBSETS:
        return "not in a folder train, val or test of its word"
    return None if file.parts[-2] == match[1] else f"not in the folder {match[1]} that its name tells"


def _id(file: File) -> str:
    """``ABOUT_test_00001/ABOUT_00001`` for ABOUT/test/ABOUT_00001.mp4."""
    word, number = file.stem.split("_", 1)
    return f"{word}_{file.parts[-1]}_{number}/{file.stem}"


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    match = _SPEAKER.fullmatch(speaker)
    return match is not None and stem == f"{match[1]}_{match[3]}"


def _by_folder(clip: str) -> Subset | None:
    match = _SPEAKER.fullmatch(clip.split("/", 1)[0])
    return next((part for part in SUBSETS if match and match[2] == part), None)


CORPORA = (
    Corpus(
        name="lrw",
        title="LRW: Lip Reading in the Wild",
        licence="by agreement with the BBC; nothing may be redistributed",
        url="https://www.robots.ox.ac.uk/~vgg/data/lip_reading/lrw1.html",
        kind="audio-visual",
        scan=scan,
        splits=(
            Split(
                name="lrw-unseen",
                corpus="lrw",
                description="500 words, the corpus's own folders train, val and test",
                identity="unseen",
                # No counts: nobody gives the exact number of training clips, and copies differ by what was filtered.
                expected=dict.fromkeys(SUBSETS),
                subset=_by_folder,
            ),
        ),
        is_id=_is_id,
        access=Access(
            note="By agreement between your institution and BBC Research & Development: academic research only. "
            "Nothing may be passed on, neither clips nor pictures of them.",
            steps=(
                "ask for the data sharing agreement at https://www.bbc.co.uk/rd/projects/lip-reading-datasets, have it "
                "signed by who may sign for your institution, and send it in",
                "with the user name and password that come back, download all parts lrw-v1-part* from the page above",
                "join and unpack them: cat lrw-v1-part* > lrw-v1.tar && tar -xf lrw-v1.tar",
            ),
        ),
    ),
)
