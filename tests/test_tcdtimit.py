"""TCD-TIMIT: its layout and defects, texts, divisions, and 29.97 fps with AAC sound on our clock."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clock import click_and_flashes
from tests.leaks import leaked
from tests.miniatures import fake
from tests.miniatures.mp4 import NTSC
from tests.trees import touch
from v2sbench.audio import FPS, RATE, read_wav
from v2sbench.corpora import Clip, Scan, corpus, scan_of, split
from v2sbench.corpora.tcdtimit import INVENTORY, LEFT_OUT, LIPSPEAKERS, TEST, TRAIN, scan
from v2sbench.prepare.media import decode, probe

SEEN, UNSEEN = "tcdtimit3-seen", "tcdtimit-volunteers-unseen"
STRAIGHT = "lipspeakers/Lipspkr1/Clips/straightcam"
OTHER = "lipspeakers/Lipspkr1/Clips/30degcam"
ids = st.tuples(
    st.sampled_from([*LIPSPEAKERS, *TRAIN, *TEST, *LEFT_OUT]),
    st.one_of(st.sampled_from(["sa1", "sa2"]), st.builds("s{}{}".format, st.sampled_from("ix"), st.integers(1, 2342))),
).map("/".join)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tcdtimit")
    fake("tcdtimit", root)
    return root


# ---------------------------------------------------------------- the folder


def test_the_miniature(miniature: Path) -> None:
    found = scan_of(corpus("tcdtimit"), miniature)
    assert {clip.id: clip.text for clip in found.clips} == {
        "08F/sa1": "she had your dark suit in greasy wash water all year",
        "Lipspkr1/sa1": "she had your dark suit in greasy wash water all year",
        "Lipspkr1/sx21": "the lamp in the hall is lit",
        "Lipspkr2/si999": "don't the boats come back at noon",
    }
    assert [path.relative_to(miniature).as_posix() for path in found.superseded] == [f"{OTHER}/sa1.mp4"]
    assert found.layout == (
        "lipspeakers/SPEAKER/Clips/straightcam/*.mp4 (3), volunteers/SPEAKER/Clips/straightcam/*.mp4 (1)"
    )
    assert all(clip.landmarks for clip in found.clips)


def test_media_of_the_miniature(miniature: Path) -> None:
    path = miniature / STRAIGHT / "sa1.mp4"
    info = probe(path)
    assert (info.video_codec, info.audio_codec, info.rate) == ("h264", "aac", 48_000)
    assert info.fps == pytest.approx(29.97, abs=0.001)
    recording = decode(path)
    assert recording.frames is not None
    assert recording.frames.shape == (25, 198, 352)  # 30 x 33.37 ms = 1.001 s: 1 ms is no picture
    assert not recording.damage
    with np.load(miniature / "landmarks/Lipspkr1/sa1.npz") as stored:
        assert stored["landmarks"].shape == (25, 68, 2)
    beside, rate = read_wav(path.with_suffix(".wav"))
    assert (len(beside), rate) == (48_000, 48_000)


def test_other_cases_and_deeper_folders_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "Volunteers/01m/Clips/StraightCam/SA1.MP4", "volunteers/59F/Clips/straightcam/straightcam/sx1.mp4")
    assert [clip.id for clip in scan(tmp_path).clips] == ["01M/sa1", "59F/sx1"]


def test_30m_is_30f(tmp_path: Path) -> None:
    touch(tmp_path, "volunteers/30M/Clips/straightcam/si12.mp4", "volunteers/30F/Clips/straightcam/si12.mp4")
    found = scan(tmp_path)
    assert [clip.id for clip in found.clips] == ["30F/si12"]
    assert len(found.superseded) == 1


def test_unusable_files_are_problems_and_fatal_to_nothing(tmp_path: Path) -> None:
    touch(tmp_path, f"{STRAIGHT}/sx1.mp4", f"{STRAIGHT}/sy1.mp4", f"{STRAIGHT}/sa3.mp4", f"{OTHER}/sx2.mp4")
    touch(tmp_path, "volunteers/60F/Clips/straightcam/sx1.mp4", "lipspeakers/Lipspkr2/Clips/sx1.mp4", "sx9.mp4")
    touch(tmp_path, "volunteers/02M/Clips/straightcam.zip", "lipspeakers/Lipspkr1/Clips/straightcam.zip")
    touch(tmp_path, f"{STRAIGHT}/sx3.mp4", data="")
    found = scan(tmp_path)
    assert [clip.id for clip in found.clips] == ["Lipspkr1/sx1"]
    reasons = {problem.path.relative_to(tmp_path).as_posix(): problem.reason for problem in found.problems}
    assert reasons == {
        f"{STRAIGHT}/sy1.mp4": "not a sentence's name: 'sy1' is not sa1, sa2, siNNN or sxNNN",
        f"{STRAIGHT}/sa3.mp4": "not a sentence's name: 'sa3' is not sa1, sa2, siNNN or sxNNN",
        f"{STRAIGHT}/sx3.mp4": "empty file",
        f"{OTHER}/sx2.mp4": "only the other camera's video is here; unpack straightcam.zip",
        "volunteers/60F/Clips/straightcam/sx1.mp4": "in no speaker's folder (Lipspkr1, 01M, ...)",
        "lipspeakers/Lipspkr2/Clips/sx1.mp4": "in no camera's folder (straightcam, 30degcam)",
        "sx9.mp4": "in no speaker's folder (Lipspkr1, 01M, ...)",
        "volunteers/02M/Clips/straightcam.zip": "archive not unpacked",
    }


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("She had your dark suit.\n", "she had your dark suit"),
        ("0 46797 She had your dark suit.\n", "she had your dark suit"),
        ("0.1 0.4 She\n0.4 0.62 had\n", "she had"),
        ("Don't ask me to carry\nan oily rag like that.", "don't ask me to carry an oily rag like that"),
        ("12 25\n", None),
        ("...\n", None),
        ("She had\N{LINE SEPARATOR}your", "she had your"),
    ],
)
def test_texts(tmp_path: Path, written: str, text: str | None) -> None:
    touch(tmp_path, f"{STRAIGHT}/sx1.mp4")
    touch(tmp_path, f"{STRAIGHT}/sx1.txt", data=written)
    found = scan(tmp_path)
    assert [clip.text for clip in found.clips] == [text]
    assert [problem.reason for problem in found.problems] == ([] if text else ["no sentence in it"])


def test_a_text_that_is_not_utf_8_costs_the_text_alone(tmp_path: Path) -> None:
    touch(tmp_path, f"{STRAIGHT}/sx1.mp4", f"{STRAIGHT}/sx2.mp4")
    touch(tmp_path, f"{STRAIGHT}/sx1.txt", data="caf\xe9".encode("latin-1"))
    found = scan(tmp_path)
    assert [(clip.id, clip.text) for clip in found.clips] == [("Lipspkr1/sx1", None), ("Lipspkr1/sx2", None)]
    assert [problem.path.name for problem in found.problems] == ["sx1.txt"]


# ---------------------------------------------------------------- divisions


@pytest.fixture(scope="module")
def full() -> list[str]:
    """Ids with the true counts; the sentences are made up, and shared by some."""
    names = {**INVENTORY, **dict.fromkeys(LEFT_OUT, 98)}
    found = []
    for k, (speaker, count) in enumerate(sorted(names.items())):
        sentences = ["sa1", "sa2", *(f"si{1 + (k * 331 + j) % 2342}" for j in range(count - 2))]
        found += [f"{speaker}/{stem}" for stem in sentences]
    return found


def test_counts(full: list[str]) -> None:
    seen = split(SEEN).coverage(full)
    assert dict(split(SEEN).expected) == {"train": 1018, "val": 57, "test": 56}
    assert (seen.have, seen.label) == (1131, "")
    for have, expected in seen.parts.values():
        assert expected is not None
        assert abs(have - expected) < 40
    unseen = split(UNSEEN).coverage(full)
    assert unseen.parts == {"train": (3_811, 3_811), "test": (1_666, 1_666)}  # the protocol's 3,822 less 11 missing
    assert unseen.label == ""
    assert (len(TRAIN), len(TEST), len(LEFT_OUT)) == (39, 17, 3)
    assert sorted(int(name[:2]) for name in (*TRAIN, *TEST, *LEFT_OUT)) == list(range(1, 60))
    clips = [Clip(id=name, speaker=name.split("/")[0], media=Path(), text=None, video=True) for name in full]
    counts = corpus("tcdtimit").counts(Scan(clips=tuple(clips), problems=(), layout=""))
    assert [counts[name] for name in ("42M", "Lipspkr1", "01M")] == [(88, 88), (377, 377), (98, 98)]


@given(st.lists(ids, max_size=80))
def test_a_sentence_is_in_one_part_whoever_says_it(names: list[str]) -> None:
    parts = split(SEEN).assign(names)
    assert set(parts) == {name for name in names if name.split("/")[0] in LIPSPEAKERS}
    where: dict[str, set[str]] = {}
    for name, part in parts.items():
        where.setdefault(name.split("/")[1], set()).add(part)
    assert all(len(found) == 1 for found in where.values())
    assert all(where.get(stem, {"train"}) == {"train"} for stem in ("sa1", "sa2"))
    assert split(SEEN).assign(names[: len(names) // 2]).items() <= parts.items()


@given(st.lists(ids, max_size=80))
def test_volunteers_of_test_are_unheard(names: list[str]) -> None:
    parts = split(UNSEEN).assign(names)
    assert {name.split("/")[0] for name, part in parts.items() if part == "test"} <= set(TEST)
    assert not {name.split("/")[0] for name, part in parts.items() if part == "train"} & set(TEST)
    assert set(parts) == {name for name in names if name.split("/")[0] not in (*LIPSPEAKERS, *LEFT_OUT)}
    assert not leaked(parts, split(SEEN).assign(names))
    assert all(corpus("tcdtimit").is_id(name) for name in names)


def test_ids() -> None:
    is_id = corpus("tcdtimit").is_id
    wrong = "30M/sa1 01m/sa1 60F/sa1 00M/sa1 Lipspkr4/sa1 02F/sa1 01M/sa3 01M/sx0 01M/SX1 sa1"
    assert not any(map(is_id, wrong.split()))
    assert split(UNSEEN).assign(["30M/sx1", "x/sx1"]) == {}


def test_divisions_are_frozen() -> None:
    """A change of seed, salt or hash would orphan every stored number."""
    names = [f"Lipspkr1/s{kind}{k}" for kind, count in (("i", 2342), ("x", 450)) for k in range(1, count + 1)]
    assert Counter(split(SEEN).assign(names).values()) == {"train": 2506, "val": 141, "test": 145}
    assert split(SEEN).digest(names) == "cbacf71d6146c907"


# ---------------------------------------------------------------- the clock


@pytest.mark.parametrize("edits", [True, False])
@pytest.mark.parametrize(("fps", "seconds", "frames"), [(NTSC, 6, 151), (Fraction(25), 3, 75)], ids=["here", "lrw"])
def test_picture_and_sound_stay_together_with_aac(
    tmp_path: Path, fps: Fraction, seconds: int, frames: int, edits: bool
) -> None:
    film = click_and_flashes(fps, seconds, edits, tmp_path / "film.mp4")
    assert film.frames == frames  # 180 pictures at 29.97 fps last 6.006 s
    assert film.samples >= seconds * RATE
    assert np.abs(film.heard - film.shown).max() * RATE <= 1.5
    # a picture is first seen at the first 25th of a second that it covers; stamps may be off by 2 ms
    assert film.flashes.tolist() == (np.ceil((film.shown - 0.002) * FPS) / FPS).tolist()
