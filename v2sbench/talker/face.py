"""The moving half of a talking face: tracks of the mouth -> pictures and the 68 landmarks that belong to them.

In each picture the lower face is warped by the jaw, the mouth is drawn over it, the lids close now and then, the whole
head is moved a little, and the camera adds its noise.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import FPS
from v2sbench.talker.canvas import Array, Floats, UInt8, blend, blur, disc, fill, mix, shrink, spline, stroke
from v2sbench.talker.mouth import JAW_DROP, PATCH, Mouth, draw_mouth, mouth_of
from v2sbench.talker.portrait import CENTRE, EYE_Y, HEIGHT, MOUTH_Y, NOSE_Y, WIDTH, Looks, Portrait, draw

LIDS = 8
"""Steps from an open eye to a shut one."""
FACE = (int(CENTRE) - 96, int(NOSE_Y) - 14, 192, HEIGHT - int(NOSE_Y) + 14)
"""x, y, width, height of the part of the still head that the jaw warps, pixels."""
EYES = (int(CENTRE) - 80, int(EYE_Y) - 14, 160, 28)
"""x, y, width, height of the part with the eyes."""
HEAD = slice(50, 310)
"""Columns outside which there is never any of the head."""
MARGIN = 64
"""Pixels by which the sheet of camera noise is larger than a picture, each way."""


class Talker:
    """One speaker in front of the camera. Building it takes about half a second; keep it."""

    def __init__(self, looks: Looks) -> None:
        self.looks = looks
        self.portrait: Portrait = draw(looks)
        x, y, wide, high = FACE
        rows, columns = np.mgrid[y : y + high, x : x + wide].astype(np.float32)
        self._columns, self._rows = columns - x, rows - y
        points = np.stack([columns, rows], axis=-1)
        self._sag = self._jaw_weight(points).astype(np.float32)
        self._pull = self._cheek_weight(points).astype(np.float32)
        self._eyes = [self._draw_eyes(step / (LIDS - 1)) for step in range(LIDS)]
        self._brighter, self._darker = self._noise_sheets()

    def film(self, tracks: Array, noise: np.random.Generator) -> tuple[UInt8, Floats]:
        """Film one clip: (F, 8) tracks -> ((F, 288, 360, 3) RGB pictures, (F, 68, 2) landmarks in pixels).

        noise: draws the motion of the head, blinks, exposure and grain of this clip.
        """
        frames = len(tracks)
        motion = _sway(frames, noise)
        lids = _blinks(frames, noise)
        exposure = float(noise.uniform(0.96, 1.04))
        corners = noise.integers(0, MARGIN, (frames, 2))
        pictures = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
        marks = np.empty((frames, 68, 2), np.float32)
        for k in range(frames):
            head, still = self._pose(tracks[k], int(lids[k]))
            (a, b, right), (c, d, down) = motion[k]
            x, y = still.T
            marks[k] = np.stack([a * x + b * y + right, c * x + d * y + down], axis=-1)
            pictures[k] = self.portrait.room
            pictures[k][:, HEAD] = self._place(head, motion[k])
            cv2.convertScaleAbs(pictures[k], dst=pictures[k], alpha=exposure)
            top, left = corners[k]
            window = slice(top, top + HEIGHT), slice(left, left + WIDTH)
            cv2.add(pictures[k], self._brighter[window], dst=pictures[k])
            cv2.subtract(pictures[k], self._darker[window], dst=pictures[k])
        return pictures, marks

    def _place(self, head: UInt8, motion: Array) -> UInt8:
        """The head, moved, before the wall: (288, 260, 3), the columns HEAD."""
        left, right = HEAD.start, HEAD.stop
        (a, b, x), (c, d, y) = motion
        shifted = np.array([(a, b, x + a * left - left), (c, d, y + c * left)])
        columns = np.ascontiguousarray(head[:, left:right])
        moved = cv2.warpAffine(columns, shifted, (right - left, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        layer = np.asarray(moved, np.uint8)
        return blend(self.portrait.room[:, left:right], layer[..., :3], layer[..., 3])

    def _pose(self, shape: Array, lid: int) -> tuple[UInt8, Array]:
        """The head upright in its place: (288, 360, 4) RGBA and (68, 2) landmarks."""
        jaw, _, wide, rounded = (float(value) for value in shape[:4])
        drop, pull = JAW_DROP * jaw, 3.0 * wide - 5.0 * rounded
        head = self.portrait.head.copy()
        x, y, across, high = FACE
        head[y : y + high, x : x + across] = cv2.remap(
            self.portrait.head[y : y + high, x : x + across],
            self._columns - np.float32(pull) * self._pull,
            self._rows - np.float32(drop) * self._sag,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        x, y, across, high = EYES
        head[y : y + high, x : x + across, :3] = self._eyes[lid]
        mouth = mouth_of(self.looks, shape)
        x, y, across, high = PATCH
        patch = np.ascontiguousarray(head[y : y + high, x : x + across, :3])
        head[y : y + high, x : x + across, :3] = draw_mouth(patch, self.looks, mouth, shape)
        return head, self._landmarks(mouth, drop, pull, lid)

    def _landmarks(self, mouth: Mouth, drop: float, pull: float, lid: int) -> Array:
        skin = self.portrait.outline.copy()
        shift = np.stack([pull * self._cheek_weight(skin), drop * self._jaw_weight(skin)], axis=-1)
        lips = mouth.landmarks() + np.array([CENTRE, MOUTH_Y])
        eyes = self._eye_landmarks(lid / (LIDS - 1))
        return np.concatenate([skin + shift, self.portrait.brows, self.portrait.nose, eyes, lips])

    # ------------------------------------------------------------ how skin moves

    def _jaw_weight(self, points: Array | Floats) -> Array:
        """How much of the chin's way each point goes, 0 to 1: nothing at the nose and the ears, all at the chin."""
        top = NOSE_Y + 6
        down = np.clip((points[..., 1] - top) / (self.looks.chin - 14 - top), 0, 1)
        side = np.clip(1.18 - np.abs(points[..., 0] - CENTRE) / (self.looks.half_width * 1.05), 0, 1)
        weight: Array = (down * down * (3 - 2 * down)) * np.clip(side * 1.6, 0, 1)
        return weight

    def _cheek_weight(self, points: Array | Floats) -> Array:
        """How much the corner of the mouth pulls each point sideways, -1 to 1."""
        across = (points[..., 0] - CENTRE) / self.looks.mouth
        down = (points[..., 1] - MOUTH_Y) / 24
        pull: Array = np.sign(across) * np.exp(-0.5 * ((np.abs(across) - 1.25) / 0.5) ** 2 - 0.5 * down**2)
        return pull

    # ------------------------------------------------------------ eyes

    def _eye_landmarks(self, shut: float) -> Array:
        """(12, 2): landmarks 36 to 47 with the lids `shut` by 0 to 1."""
        size = self.looks.eye_size
        tall = size * 0.37 * (1 - 0.92 * shut)
        low = size * 0.10 + tall * 0.55
        ring = [(-1, 0.0), (-0.38, -tall), (0.38, -tall), (1, -0.6), (0.38, low), (-0.38, low)]
        right = np.array([(x * size, y + 2.4 * shut * (abs(x) < 1)) for x, y in ring])
        left = (right * np.array([-1, 1]))[[3, 2, 1, 0, 5, 4]]
        gap = np.array([self.looks.eye_gap, 0])
        middle = np.array([CENTRE, EYE_Y])
        return np.concatenate([left + middle - gap, right + middle + gap])

    def _draw_eyes(self, shut: float) -> UInt8:
        """(28, 160, 3) RGB: the part EYES of the head at one step of closing."""
        x, y, wide, high = EYES
        fine = 4
        still = self.portrait.head[y : y + high, x : x + wide, :3]
        band = np.asarray(cv2.resize(still, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR), np.uint8)
        crease = still.reshape(-1, 3).mean(axis=0) * 0.45
        corner = np.array([x, y])
        marks, opened = ((self._eye_landmarks(value) - corner) * fine for value in (shut, 0.0))
        for first, gaze in ((0, 0.3), (6, -0.3)):
            eye, middle = marks[first : first + 6], opened[first : first + 6].mean(axis=0) + np.array([gaze * fine, 0])
            upper, lower = spline(eye[[0, 1, 2, 3]], 24), spline(eye[[3, 4, 5, 0]], 24)
            layer = np.zeros(band.shape[:2], np.uint8)
            fill(layer, np.concatenate([upper, lower]), 255)
            band = blend(band, self._eyeball(band.shape, middle, upper, fine), blur(layer, fine * 0.35))
            layer = np.zeros(band.shape[:2], np.uint8)
            stroke(layer, upper, 255, round(fine * (1.9 if self.looks.feminine else 1.3)), smooth=True)
            band = mix(band, (38, 26, 22), blur(layer, fine * 0.3), 0.85)
            layer = np.zeros(band.shape[:2], np.uint8)
            stroke(layer, upper - np.array([0, 3.2 * fine * (1 - 0.6 * shut)]), 255, fine, smooth=True)
            stroke(layer, lower, 140, fine, smooth=True)
            band = mix(band, crease, blur(layer, fine * 0.5), 0.45)
        return shrink(band, wide, high)

    def _eyeball(self, shape: tuple[int, ...], middle: Array, upper: Array, fine: int) -> UInt8:
        """White, iris, pupil, glint, and the lid's shadow: a picture of this shape."""
        ball = np.full(shape, (212, 204, 198), np.uint8)
        radius, iris = self.looks.eye_size * 0.47 * fine, np.array(self.looks.iris) * 255
        for part, colour in ((1.0, iris * 0.5), (0.86, iris), (0.42, np.array([12, 10, 10]))):
            disc(ball, middle, radius * part, colour)
        glint = middle + radius * np.array([0.35 * np.sign(self.looks.light[0]), -0.4])
        disc(ball, glint, radius * 0.17, (250, 250, 250))
        shade = np.zeros(shape[:2], np.uint8)
        stroke(shade, upper, 255, 3 * fine, smooth=True)
        return mix(ball, (60, 45, 40), blur(shade, fine * 0.9), 0.55)

    # ------------------------------------------------------------ camera

    def _noise_sheets(self) -> tuple[UInt8, UInt8]:
        """Two (288 + 64, 360 + 64, 3): what the camera's noise adds and what it takes away; a little coloured."""
        source = np.random.default_rng(self.looks.seed + 1)
        size = HEIGHT + MARGIN, WIDTH + MARGIN
        grain = source.normal(0, self.looks.noise, (*size, 1)) + source.normal(0, self.looks.noise / 2, (*size, 3))
        return np.rint(np.maximum(grain, 0)).astype(np.uint8), np.rint(np.maximum(-grain, 0)).astype(np.uint8)


def _sway(frames: int, noise: np.random.Generator) -> Array:
    """(F, 2, 3): the head's similarity transform in each frame: a place for the clip, and slow sway around it."""
    time = np.arange(frames)[:, None] / FPS
    speed, phase = noise.uniform(0.15, 0.75, (3, 4)), noise.uniform(0, 2 * np.pi, (3, 4))
    sway = sum(np.sin(2 * np.pi * speed[k] * time + phase[k]) for k in range(3)) / 3  # (F, 4)
    place = np.clip(noise.normal(0, 1, 4), -2, 2)
    right, down, turn, size = (sway * np.array([3.5, 2.2, 0.022, 0.010]) + place * np.array([4, 3, 0.012, 0.012])).T
    cos, sin = (1 + size) * np.cos(turn), (1 + size) * np.sin(turn)
    x = CENTRE + right - (cos * CENTRE - sin * NOSE_Y)
    y = NOSE_Y + down - (sin * CENTRE + cos * NOSE_Y)
    return np.stack([np.stack([cos, -sin, x], axis=-1), np.stack([sin, cos, y], axis=-1)], axis=1)


def _blinks(frames: int, noise: np.random.Generator) -> NDArray[np.int64]:
    """(F,) steps of closing, 0 to LIDS - 1: a blink of a quarter of a second about every three seconds."""
    shut = np.zeros(frames)
    at = float(noise.uniform(-2.0, 3.0)) * FPS
    while at < frames + 4:
        shut = np.maximum(shut, np.clip(1.25 - np.abs(np.arange(frames) - at) / 2.6, 0, 1))
        at += float(noise.uniform(1.6, 4.5)) * FPS
    return np.rint(shut * (LIDS - 1)).astype(np.int64)
