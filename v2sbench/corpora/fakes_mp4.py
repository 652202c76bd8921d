"""Miniatures of the corpora that come as MP4 (H.264 picture, AAC sound): TCD-TIMIT and LRW, for tests.

An AAC encoder puts 1,024 samples of its own before the sound (priming). The files written here say so by an edit list,
as what FFmpeg writes does, so that a reader that goes by time stamps finds every sample at its place.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2sbench.corpora.fakes import chord, face_landmarks, face_picture
from v2sbench.runtime import atomic, rng

NTSC = Fraction(30_000, 1001)
"""Frames a second of a TCD-TIMIT picture, about 29.97."""
AAC_FRAME = 1024
"""Samples in one AAC packet, and of priming."""
SOUND_RATE = 48_000
"""Hz of the miniatures' sound."""
LRW_FRAMES = 29
"""Pictures of an LRW clip, 1.16 s at 25 a second."""

UInt8 = NDArray[np.uint8]
Box = tuple[slice, slice]


def write_mp4(
    path: Path, frames: UInt8, wave: NDArray[np.float32], fps: Fraction, rate: int = SOUND_RATE, *, edits: bool = True
) -> None:
    """Write an MP4 of H.264 with B-pictures, 4:2:0, and mono AAC; both begin at time 0.

    frames: (F, H, W, 3) RGB uint8, H and W even.  wave: (T,) float32 in [-1, 1] at `rate` Hz.  fps: pictures a second.
    edits: whether an edit list tells of the priming; without one the whole file is shifted instead, so that no time
    stamp is negative, and the picture starts after the file does.
    """
    import av

    with atomic(path) as draft:
        moved = {} if edits else {"use_editlist": "0"}
        with av.open(str(draft), "w", format="mp4", options={"fflags": "+bitexact", **moved}) as container:
            video: Any = container.add_stream("libx264", rate=fps)
            video.height, video.width, video.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
            video.codec_context.thread_count = 1
            video.options = {"preset": "veryfast", "crf": "20", "bf": "2"}
            audio: Any = container.add_stream("aac", rate=rate)
            audio.layout, audio.bit_rate = "mono", 128_000
            audio.options = {"flags": "+bitexact"}
            packets: list[Any] = []
            for k, rgb in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
                picture.pts, picture.time_base = k, 1 / fps
                packets += video.encode(picture)
            packets += video.encode(None)
            padded = np.zeros(ceil(len(wave) / AAC_FRAME) * AAC_FRAME, np.float32)
            padded[: len(wave)] = wave
            for start in range(0, len(padded), AAC_FRAME):
                block = padded[None, start : start + AAC_FRAME]
                sound = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = rate, start, Fraction(1, rate)
                packets += audio.encode(sound)
            packets += audio.encode(None)
            for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
                container.mux(packet)


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
    from v2sbench.audio import write_wav

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
