"""Miniatures of the corpora with a picture: GRID, TCD-TIMIT and LRW."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.miniatures.drawing import FRAMES, GRID_RATE, GRID_SAMPLES, chord, face_landmarks, face_picture
from tests.miniatures.mp4 import NTSC, SOUND_RATE, write_mp4
from v2sbench.audio import write_wav
from v2sbench.corpora.grid_grammar import ALIGN_RATE, text_of
from v2sbench.runtime import atomic, rng
from v2sbench.talker.films import write_mpeg1

LRW_FRAMES = 29
"""Pictures of an LRW clip, 1.16 s at 25 a second."""

UInt8 = NDArray[np.uint8]
Box = tuple[slice, slice]


def fake_grid(root: Path) -> None:
    """Zenodo's layout: s1 with two clips, s2 with one; word times beside them; landmarks, which real GRID lacks."""
    for speaker, stem in (("s1", "bbaf2n"), ("s1", "prwqzs"), ("s2", "lgix9p")):
        name = f"{speaker}/{stem}"
        opening = 0.5 - 0.5 * np.cos(np.arange(FRAMES) * rng(0, "mouth", name).uniform(0.4, 0.8))
        hue = int(rng(0, "hue", name).integers(40, 200))
        video = root / speaker / f"{stem}.mpg"
        video.parent.mkdir(parents=True, exist_ok=True)
        write_mpeg1(video, face_picture(opening, hue), chord(name, GRID_SAMPLES, GRID_RATE), GRID_RATE)
        write_align(root / "alignments" / speaker / f"{stem}.align", text_of(stem).split())
        with atomic(root / "landmarks" / speaker / f"{stem}.npz") as path, open(path, "wb") as handle:
            np.savez(handle, landmarks=face_landmarks(opening))


def write_align(path: Path, words: Sequence[str]) -> None:
    """Words of equal length between half a second and two and a half, in GRID's format."""
    step = 2 * ALIGN_RATE // len(words)
    start = ALIGN_RATE // 2
    rows = [f"0 {start} sil"]
    rows += [f"{start + k * step} {start + (k + 1) * step} {word}" for k, word in enumerate(words)]
    rows += [f"{start + len(words) * step} {3 * ALIGN_RATE} sil"]
    with atomic(path) as draft:
        draft.write_text("".join(f"{row}\n" for row in rows), encoding="ascii")


def _face(name: str, frames: int, box: Box) -> tuple[UInt8, NDArray[np.float32]]:
    """A drawn face, mouth moving, and its landmarks in the pixels of `box` of GRID's miniature picture."""
    opening = 0.5 - 0.5 * np.cos(np.arange(frames) * rng(0, "mouth", name).uniform(0.4, 0.8))
    down, across = box
    pictures = face_picture(opening, int(rng(0, "hue", name).integers(40, 200)))[:, down, across]
    return pictures, face_landmarks(opening) - np.array([across.start, down.start], np.float32)


def _save_landmarks(path: Path, landmarks: NDArray[np.float32]) -> None:
    with atomic(path) as draft, open(draft, "wb") as handle:
        np.savez(handle, landmarks=landmarks)


def _save_text(path: Path, text: str) -> None:
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


def fake_tcdtimit(root: Path) -> None:
    """Two lipspeakers and a volunteer, 1 s a clip, with wavs, texts and phones; landmarks, which the real one lacks.

    One clip comes from both cameras. Pictures are 352x198 for the real 1920x1080.
    """
    sentences = {
        ("lipspeakers", "Lipspkr1", "sa1"): "She had your dark suit in greasy wash water all year.",
        ("lipspeakers", "Lipspkr1", "sx21"): "The lamp in the hall is lit.",
        ("lipspeakers", "Lipspkr2", "si999"): "Don't the boats come back at noon?",
        ("volunteers", "08F", "sa1"): "She had your dark suit in greasy wash water all year.",
    }
    labels: dict[str, list[str]] = {"lipspeakers": ["#!MLF!#"], "volunteers": ["#!MLF!#"]}
    for (group, speaker, stem), text in sentences.items():
        name = f"{speaker}/{stem}"
        pictures, landmarks = _face(name, 30, (slice(40, 238), slice(4, 356)))
        wave = chord(name, SOUND_RATE, SOUND_RATE)
        for camera in ("straightcam", "30degcam") if name == "Lipspkr1/sa1" else ("straightcam",):
            folder = root / group / speaker / "Clips" / camera
            write_mp4(folder / f"{stem}.mp4", pictures, wave, NTSC)
            write_wav(folder / f"{stem}.wav", wave, SOUND_RATE)
            _save_text(folder / f"{stem}.txt", f"{text}\n")
        seen = [int(k * NTSC / 25) for k in range(25)]  # landmarks are of the pictures after decoding, 25 a second
        _save_landmarks(root / "landmarks" / speaker / f"{stem}.npz", landmarks[seen])
        labels[group] += [f'"/data/{group}/{speaker}/Clips/straightcam/{stem}.rec"', "0 2500000 sil"]
        labels[group] += ["2500000 7500000 ah", "7500000 10000000 sil", "."]
    for group, lines in labels.items():
        _save_text(root / f"{group.removesuffix('s')}_labelfiles.mlf", "".join(f"{line}\n" for line in lines))


def fake_lrw(root: Path) -> None:
    """Two words, a clip in each of their three folders, all of one number; landmarks, which the real one lacks."""
    for word, seconds in (("ABOUT", 0.53), ("YEARS", 0.34)):
        for part in ("train", "val", "test"):
            name = f"{word}/{part}/{word}_00001"
            pictures, landmarks = _face(name, LRW_FRAMES, (slice(12, 268), slice(52, 308)))
            wave = chord(name, SOUND_RATE * LRW_FRAMES // 25, SOUND_RATE)
            write_mp4(root / "lipread_mp4" / f"{name}.mp4", pictures, wave, Fraction(25))
            notes = [f"Note {number}: made for tests" for number in range(1, 5)]  # the real ones say where it was aired
            _save_text(root / "lipread_mp4" / f"{name}.txt", "\n".join([*notes, f"Duration: {seconds} seconds\n"]))
            _save_landmarks(root / "landmarks" / f"{name}.npz", landmarks)
