"""What the miniatures show and sound like: a flat drawn face at a known place, its landmarks, and chords."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from v2sbench.runtime import rng

Points = NDArray[np.float64]

WIDTH, HEIGHT = 360, 288
"""Pixels of a GRID picture."""
FRAMES = 75
"""Pictures of a GRID clip, 3 s at 25 a second."""
GRID_RATE = 44_100
"""Hz of a GRID clip's sound."""
GRID_SAMPLES = 131_328
"""Samples of a GRID clip's sound at 44.1 kHz: 22 ms shorter than its picture, as in the real files."""
CENTRE = np.array([180.0, 140.0])
"""Pixels, (x, y): the middle of the drawn face."""
FACE = 70.0
"""Pixels: half the drawn face's width."""


def face_landmarks(opening: NDArray[np.float64]) -> NDArray[np.float32]:
    """68 points in the usual order on the drawn face: (F,) mouth openings in [0, 1] -> (F, 68, 2) float32, pixels."""

    def arc(centre: tuple[float, float], radii: tuple[float, float], start: float, end: float, count: int) -> Points:
        angles = np.radians(np.linspace(start, end, count, endpoint=abs(end - start) < 360))
        return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=-1)

    def face(opened: float) -> Points:
        gap = 0.03 + 0.15 * opened
        parts = [
            arc((0, 0), (1, 1.25), 180, 0, 17),  # jaw, from the image's left
            arc((-0.45, -0.4), (0.25, 0.1), 180, 360, 5),  # brows
            arc((0.45, -0.4), (0.25, 0.1), 180, 360, 5),
            np.stack([np.zeros(4), np.linspace(-0.3, 0.15, 4)], axis=-1),  # bridge of the nose
            np.stack([np.linspace(-0.18, 0.18, 5), np.full(5, 0.25)], axis=-1),  # its base
            arc((-0.42, -0.25), (0.16, 0.07), 180, 540, 6),  # eyes
            arc((0.42, -0.25), (0.16, 0.07), 180, 540, 6),
            arc((0, 0.6), (0.35, 0.12 + gap), 180, 540, 12),  # lips, outside
            arc((0, 0.6), (0.28, gap), 180, 540, 8),  # and inside
        ]
        return np.concatenate(parts)

    return np.stack([CENTRE + FACE * face(float(value)) for value in opening]).astype(np.float32)


def face_picture(opening: NDArray[np.float64], hue: int) -> NDArray[np.uint8]:
    """The drawn face: (F,) mouth openings in [0, 1], a background in [0, 255] -> (F, 288, 360, 3) RGB uint8."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    across, down = (x - CENTRE[0]) / FACE, (y - CENTRE[1]) / FACE

    def ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((across - centre[0]) / radii[0]) ** 2 + ((down - centre[1]) / radii[1]) ** 2 <= 1
        return inside

    base = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    base[:] = (60, hue, 160)
    base[ellipse((0, 0), (1, 1.25))] = (215, 170, 145)
    for side in (-1, 1):
        base[ellipse((side * 0.42, -0.25), (0.16, 0.07))] = (245, 245, 245)
        base[ellipse((side * 0.42, -0.25), (0.06, 0.06))] = (50, 40, 30)
        base[ellipse((side * 0.45, -0.45), (0.25, 0.05))] = (80, 55, 40)
    base[ellipse((0, 0.22), (0.18, 0.06))] = (180, 130, 110)
    pictures = np.repeat(base[None], len(opening), axis=0)
    for picture, value in zip(pictures, opening, strict=True):
        gap = 0.03 + 0.15 * float(value)
        picture[ellipse((0, 0.6), (0.35, 0.12 + gap))] = (185, 70, 80)
        picture[ellipse((0, 0.6), (0.28, gap))] = (60, 15, 20)
    return pictures


def chord(name: str, samples: int, rate: int) -> NDArray[np.float32]:
    """(samples,) float32 in [-1, 1]: three partials with a slow swell, other ones for other names."""
    draw = rng(0, "fake", name)
    seconds = np.arange(samples) / rate
    pitch = draw.uniform(100, 220)
    partials = sum(np.sin(2 * np.pi * pitch * k * seconds + draw.uniform(0, 6)) / k for k in (1, 2, 3))
    swell = 0.55 - 0.45 * np.cos(2 * np.pi * draw.uniform(1.5, 3) * seconds)
    return np.asarray(0.2 * swell * partials, np.float32)
