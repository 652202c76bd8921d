"""TCD-TIMIT: three professional lipspeakers and 59 volunteers reading TIMIT's sentences, from two cameras.

    lipspeakers/Lipspkr{1,2,3}/Clips/{straightcam,30degcam}/{sa1,sa2,siNNN,sxNNN}.mp4   with .wav and .txt beside it
    volunteers/{01M ... 59F}/Clips/{straightcam,30degcam}/...

Taken are the picture and the sound of the straight camera's MP4 (1920x1080, about 29.97 fps, put on 25 by time stamps);
the other camera's clips are passed over. One's own landmarks, landmarks/SPEAKER/STEM.npz (or .npy, .pkl), are of the
film's own pictures, or of its frames at 25 fps.

Volunteer 30F is named 30M in some copies, and is 30F here. 27M, 35M and 53M are outside every split.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from v2sbench.corpora.corpus import Access, Clip, Corpus, Problem, Scan
from v2sbench.corpora.folder import LANDMARK_SUFFIXES, File, Found, files, read_text, scan_of_found, words_of
from v2sbench.corpora.splits import SHARES, SUBSETS, Split, Subset, apportion, part_at, place, unseen_split

LIPSPEAKERS = ("Lipspkr1", "Lipspkr2", "Lipspkr3")
"""The professionals, 377 sentences each."""
TRAIN = (
    "01M", "02M", "03F", "04M", "05F", "06M", "07F", "10M", "11F", "12M", "13F", "14M", "16M", "17F", "19M", "20M",
    "21M", "22M", "23M", "24M", "26M", "29M", "30F", "31F", "32F", "37F", "38F", "39M", "40F", "42M", "43F", "46F",
    "47M", "48M", "50F", "51F", "52M", "57M", "59F",
)  # fmt: skip
"""Volunteers of its training part."""
TEST = (
    "08F", "09F", "15F", "18M", "25M", "28M", "33F", "34M", "36F",
    "41M", "44F", "45F", "49F", "54M", "55F", "56M", "58F",
)  # fmt: skip
"""Volunteers of the official speaker-independent test part."""
LEFT_OUT = ("27M", "35M", "53M")
"""Volunteers that the official division leaves out."""

INVENTORY: Mapping[str, int] = {
    **dict.fromkeys(LIPSPEAKERS, 377),
    **dict.fromkeys((*TRAIN, *TEST), 98),
    "30F": 97,
    "42M": 88,
}
"""Clips of each speaker in a full copy, without those left out: 6,608. The division's 3,822 training clips count the 11
of 30F and 42M that no copy has.
"""

# ---------------------------------------------------------------- the folder

_CAMERA, _OTHER_CAMERA = "straightcam", "30degcam"
_SPEAKERS = {name.lower(): name for name in (*LIPSPEAKERS, *TRAIN, *TEST, *LEFT_OUT)} | {"30m": "30F"}
_STEM = re.compile(r"sa[12]|s[ix][1-9]\d{0,3}")
_TIMES = re.compile(r"^\s*\d+(?:\.\d+)?\s+\d+(?:\.\d+)?\s+")


def _speaker_of(parts: tuple[str, ...]) -> str | None:
    return next((_SPEAKERS[part.lower()] for part in reversed(parts) if part.lower() in _SPEAKERS), None)


def _camera_of(parts: tuple[str, ...]) -> str | None:
    return next((part.lower() for part in reversed(parts) if part.lower() in (_CAMERA, _OTHER_CAMERA)), None)


def scan(root: Path) -> Scan:
    """Find the clips below `root`, from names and sizes; only texts are opened.

    Problems are: a video that is no sentence's, is empty, or lies under no speaker or camera; a clip of which only the
    other camera's video is here; a camera's archive that was not unpacked; a text without a sentence in it (its clip
    stays, without a text).
    """
    straight: defaultdict[str, list[File]] = defaultdict(list)
    others: defaultdict[str, list[File]] = defaultdict(list)
    texts: dict[Path, Path] = {}
    landmarks: dict[str, Path] = {}
    archives: list[File] = []
    problems: list[Problem] = []
    for file in files(root):
        name = f"{_speaker_of(file.parts)}/{file.stem.lower()}"
        if file.suffix == ".mp4":
            if reason := file.fault or _fault(file):
                problems.append(Problem(path=file.path, reason=reason, foreign=not _STEM.fullmatch(file.stem.lower())))
            else:
                (straight if _camera_of(file.parts) == _CAMERA else others)[name].append(file)
        elif file.suffix == ".txt" and file.size:
            texts[file.path.with_suffix("")] = file.path
        elif file.suffix in LANDMARK_SUFFIXES and file.size and "landmarks" in file.parts:
            landmarks[name] = file.path
        elif file.path.name.lower() == f"{_CAMERA}.zip":
            archives.append(file)

    present = {name.split("/")[0] for name in straight}
    for file in archives:
        if _speaker_of(file.parts) not in present:
            problems.append(Problem(path=file.path, reason="archive not unpacked"))
    superseded: list[Path] = []
    for name, copies in others.items():
        if name in straight:
            superseded += [file.path for file in copies]
        else:
            reason = f"only the other camera's video is here; unpack {_CAMERA}.zip"
            problems += [Problem(path=file.path, reason=reason) for file in copies]

    found: list[Found] = []
    for name, (best, *copies) in straight.items():
        superseded += [file.path for file in copies]
        text = None
        if written := texts.get(best.path.with_suffix("")):
            try:
                text = _sentence(written)
            except ValueError as error:
                problems.append(Problem(path=written, reason=str(error)))
        clip = Clip(
            id=name,
            speaker=name.split("/")[0],
            media=best.path,
            text=text,
            video=True,
            landmarks=landmarks.get(name),
        )
        found.append(Found(clip=clip, pattern=_pattern(best)))
    return scan_of_found(found, problems, superseded=superseded)


def _fault(file: File) -> str | None:
    if _STEM.fullmatch(file.stem.lower()) is None:
        return f"not a sentence's name: {file.stem!r} is not sa1, sa2, siNNN or sxNNN"
    if _speaker_of(file.parts) is None:
        return "in no speaker's folder (Lipspkr1, 01M, ...)"
    return None if _camera_of(file.parts) else f"in no camera's folder ({_CAMERA}, {_OTHER_CAMERA})"


def _pattern(file: File) -> str:
    """``lipspeakers/SPEAKER/Clips/straightcam/*.mp4``."""
    return "/".join([*("SPEAKER" if part.lower() in _SPEAKERS else part for part in file.parts), f"*{file.suffix}"])


def _sentence(path: Path) -> str:
    """The words of a clip's text. ValueError when there are none.

    TIMIT's own texts have two times before the sentence, as word lists have before each word: those are dropped. No
    sentence of TIMIT has a digit, so what has one is not a text.
    """
    text = words_of(" ".join(_TIMES.sub("", line) for line in read_text(path).split("\n")))
    if not text or any(sign.isdigit() for sign in text):
        raise ValueError("no sentence in it")
    return text


# ---------------------------------------------------------------- the corpus


def _lipspeaker_part(clip: str) -> Subset | None:
    """By sentence, not by clip: whoever says one, it is in one part. sa1 and sa2, which all say, are training ones."""
    speaker, _, stem = clip.partition("/")
    if speaker not in LIPSPEAKERS:
        return None
    if stem in ("sa1", "sa2"):
        return "train"
    return part_at(place("tcdtimit", stem))


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    return speaker in _SPEAKERS.values() and _STEM.fullmatch(stem) is not None


CORPORA = (
    Corpus(
        name="tcdtimit",
        title="TCD-TIMIT",
        licence="by agreement with its owners, not to be passed on",
        url="https://sigmedia.tcd.ie/",
        kind="audio-visual",
        scan=scan,
        splits=(
            Split(
                name="tcdtimit3-seen",
                corpus="tcdtimit",
                description="three lipspeakers, unseen sentences, 90-5-5",
                identity="seen",
                expected=dict(zip(SUBSETS, apportion(sum(INVENTORY[who] for who in LIPSPEAKERS), SHARES), strict=True)),
                exact=False,
                subset=_lipspeaker_part,
            ),
            unseen_split(
                "tcdtimit-volunteers-unseen",
                "tcdtimit",
                "56 volunteers, the 17 of the official test part unheard in training, no validation",
                parts={"train": TRAIN, "test": TEST},
                inventory=INVENTORY,
            ),
        ),
        is_id=_is_id,
        inventory=INVENTORY,
        access=Access(
            note="By agreement with Trinity College Dublin: academic research only, not to be passed on.",
            steps=(
                "ask for access with the address of your institution: by an account at the page above or, "
                "should that be gone, by letter as https://sigmedia.tv/datasets/tcd_timit/ says",
                "download each speaker's straightcam.zip, of lipspeakers and volunteers, and the label files",
                "unpack each into its speaker's folder: lipspeakers/Lipspkr1/Clips/straightcam/*.mp4",
            ),
        ),
    ),
)
