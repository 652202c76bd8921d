"""A film whose clicks and flashes are at known times, to see what decoding makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.miniatures.mp4 import SOUND_RATE, write_mp4
from v2sbench.audio import FPS, RATE
from v2sbench.prepare.media import decode


@dataclass(frozen=True, kw_only=True)
class Film:
    """What was written and what was decoded, in seconds from the picture's start."""

    shown: NDArray[np.float64]
    """When each white picture and its click begin in the file."""
    heard: NDArray[np.float64]
    """When the clicks are loudest after decoding."""
    flashes: NDArray[np.float64]
    """When the white pictures begin after decoding."""
    frames: int
    """Decoded pictures."""
    samples: int
    """Decoded samples at 24 kHz."""


def click_and_flashes(fps: Fraction, seconds: int, edits: bool, path: Path) -> Film:
    """Write and decode `seconds` of black and silence, but in the middle of each two white pictures and a click."""
    white = [round((k + 0.5) * fps) for k in range(seconds)]
    frames = np.zeros((round(seconds * fps), 64, 64, 3), np.uint8)
    wave = np.zeros(SOUND_RATE * seconds, np.float32)
    for k in white:
        frames[k : k + 2] = 255  # two, since 40 ms may pass between two looks at 33 ms pictures
        at = float(k / fps) * SOUND_RATE
        span = np.arange(int(at) - 40, int(at) + 41)
        wave[span] = 0.8 * np.exp(-0.5 * ((span - at) / 4) ** 2)
    write_mp4(path, frames, wave, fps, edits=edits)
    recording = decode(path)
    assert recording.frames is not None
    assert recording.wave is not None
    assert not recording.damage
    bright = recording.frames.mean(axis=(1, 2)) > 128
    loud = [int(np.abs(recording.wave[k * RATE : (k + 1) * RATE]).argmax()) for k in range(seconds)]
    return Film(
        shown=np.array([float(k / fps) for k in white]),
        heard=np.array([k + at / RATE for k, at in enumerate(loud)]),
        flashes=(np.flatnonzero(bright[1:] & ~bright[:-1]) + 1) / FPS,
        frames=len(recording.frames),
        samples=len(recording.wave),
    )
