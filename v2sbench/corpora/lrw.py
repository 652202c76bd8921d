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
from pathlib import Path

from v2sbench.corpora.corpus import Access, Clip, Corpus, Problem, Scan
from v2sbench.corpora.folder import LANDMARK_SUFFIXES, File, Found, files, scan_of_found
from v2sbench.corpora.splits import SUBSETS, Split, Subset

_STEM = re.compile(r"([A-Z]+)_(\d{5})")
_SPEAKER = re.compile(r"([A-Z]+)_(train|val|test)_(\d{5})")


def scan(root: Path) -> Scan:
    """Find the clips below `root`, wherever in it the folders of words begin; no file is opened.

    A video whose name is no clip's, that is empty, or that lies under another word than its name says or in none of
    train, val and test, is a problem. A clip found twice (lipread_mp4 beside lrw_mp4) counts once, the first by path.
    """
    videos: list[File] = []
    problems: list[Problem] = []
    notes: dict[Path, Path] = {}
    landmarks: dict[str, Path] = {}
    for file in files(root):
        if file.suffix == ".mp4":
            if reason := file.fault or _fault(file):
                problems.append(Problem(path=file.path, reason=reason, foreign=_STEM.fullmatch(file.stem) is None))
            else:
                videos.append(file)
        elif file.suffix == ".txt" and file.size:
            notes[file.path.with_suffix("")] = file.path
        elif file.suffix in LANDMARK_SUFFIXES and file.size and "landmarks" in file.parts and _fault(file) is None:
            landmarks[_id(file)] = file.path
    found: list[Found] = []
    for file in videos:
        name = _id(file)
        clip = Clip(
            id=name,
            speaker=name.split("/")[0],
            media=file.path,
            text=file.stem.split("_")[0].lower(),
            video=True,
            landmarks=landmarks.get(name),
            align=notes.get(file.path.with_suffix("")),
        )
        found.append(Found(clip=clip, pattern="/".join([*file.parts[:-2], "WORD", file.parts[-1], "*.mp4"])))
    return scan_of_found(found, problems)


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
