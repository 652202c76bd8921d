"""The moving half of a talking face: tracks of the mouth -> pictures and the 68 landmarks that belong to them.

In each picture the lower face is warped by the jaw, the mouth (teeth, tongue, lips) is drawn over it three times as
fine as the picture, the lids close now and then, the whole head is moved a little, and the camera adds its noise.
Teeth of the upper row are fixed to the skull, those of the lower row to the jaw; what is seen of them and of the tongue
is what the lips leave open.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.corpora.talker.portrait import (
    CENTRE,
    EYE_Y,
    HEIGHT,
    MOUTH_Y,
    NOSE_Y,
    WIDTH,
    Array,
    Floats,
    Looks,
    Portrait,
    UInt8,
    draw,
    spline,
)
from v2sbench.corpora.talker.visemes import CHANNELS
from v2sbench.pcm import FPS

__all__ = ["Mouth", "Talker", "mouth_of"]

JAW_DROP = 15.0
"""Pixels that the chin goes down when `jaw` is 1."""
APERTURE = 25.0
"""Pixels between the lips in the middle when `open` is 1."""
BITE_Y = 1.5
"""Pixels below the lips' line at which the upper teeth end."""
FINE = 3
"""Pixels of the mouth's drawing in one pixel of the picture, each way."""
LIDS = 8
"""Steps from an open eye to a shut one."""
PATCH = (int(CENTRE) - 44, int(MOUTH_Y) - 24, 88, 76)
"""x, y, width, height of the mouth's drawing in the still head, pixels."""
FACE = (int(CENTRE) - 96, int(NOSE_Y) - 14, 192, 288 - int(NOSE_Y) + 14)
"""x, y, width, height of the part of the still head that the jaw warps."""


@dataclass(frozen=True, kw_only=True)
class Mouth:
    """The outlines of one mouth shape, in pixels from the middle of the lips' line (x right, y down)."""

    half: float
    """Half the width."""
    upper_out: Array
    """(25, 2): upper edge of the upper lip, from the image's left corner to the right one."""
    upper_in: Array
    """(25, 2): lower edge of the upper lip."""
    lower_in: Array
    """(25, 2): upper edge of the lower lip."""
    lower_out: Array
    """(25, 2): lower edge of the lower lip."""
    gap: float
    """Between the upper and the lower row of teeth."""
    teeth: float
    """Y of the upper teeth's edge."""

    def landmarks(self) -> Array:
        """(20, 2): landmarks 48 to 67."""
        index = lambda *s: [round((v + 1) * 12) for v in s]  # noqa: E731 - positions -1 to 1 on the curves
        outer = [self.upper_out[index(-1, -0.58, -0.25, 0, 0.25, 0.58, 1)], self.lower_out[index(0.58, 0.25, 0, -0.25, -0.58)]]
        inner = [self.upper_in[index(-1, -0.42, 0, 0.42, 1)], self.lower_in[index(0.42, 0, -0.42)]]
        return np.concatenate(outer + inner)


def mouth_of(looks: Looks, shape: Array) -> Mouth:
    """The outlines for one row of a track, (8,) channels as in CHANNELS."""
    jaw, open_, wide, round_, press, bite, _, _ = (float(value) for value in shape)
    apart = APERTURE * open_ * max(0.0, 1 - press) * (looks.mouth / 30) * (1 - 0.1 * round_)
    half = looks.mouth * (1 + 0.15 * wide - 0.36 * round_ - 0.05 * jaw)
    upper = looks.upper_lip * (1 - 0.12 * open_ - 0.50 * press + 0.35 * round_ + 0.1 * bite)
    lower = looks.lower_lip * (1 - 0.10 * open_ - 0.45 * press + 0.28 * round_ - 0.50 * bite)
    rise = 0.20 * apart + 3.6 * bite
    fall = (1 - bite) * 0.80 * apart + bite * (BITE_Y + 0.8)
    s = np.linspace(-1, 1, 25)
    x = half * s * (1 + looks.skew * 0.25 * (s + 1) * max(wide, 0) * 0.5)
    corner = (1.8 * jaw - 1.4 * wide * (0.6 + 0.4 * s * looks.skew * 5)) * np.abs(s) ** 2
    power = 2.6 - 0.5 * round_ + 0.5 * max(wide, 0)
    inside = np.clip(1 - np.abs(s / 0.94) ** power, 0, 1)
    outside = 1 - np.abs(s) ** (2.0 - 0.3 * round_)
    bow = 1 - (0.20 - 0.12 * round_) * np.exp(-((s / 0.13) ** 2)) - 0.20 * np.abs(s)
    belly = 1 - np.abs(s) ** 2.4
    x_in = x * 0.985
    return Mouth(
        half=half,
        upper_out=np.stack([x, corner - (rise * inside + upper * bow * outside)], axis=-1),
        upper_in=np.stack([x_in, corner - rise * inside + 0.6 * (1 - np.abs(s)) * (1 - open_)], axis=-1),
        lower_in=np.stack([x_in, corner + fall * inside + 0.6 * (1 - np.abs(s)) * (1 - open_)], axis=-1),
        lower_out=np.stack([x, corner + fall * inside + lower * belly], axis=-1),
        gap=0.6 + (JAW_DROP + 1) * jaw,
        teeth=BITE_Y - 3.2 * round_ + 1.0 * bite,
    )


class Talker:
    """One speaker in front of the camera. Building it takes about half a second; keep it."""

    def __init__(self, looks: Looks) -> None:
        self.looks = looks
        self.portrait: Portrait = draw(looks)
        x, y, wide, high = FACE
        grid_y, grid_x = np.mgrid[y : y + high, x : x + wide].astype(np.float32)
        self._grid = grid_x - x, grid_y - y
        points = np.stack([grid_x, grid_y], axis=-1)
        self._sag = self._jaw_weight(points).astype(np.float32)
        self._pull = self._cheek_weight(points).astype(np.float32)
        self._eyes = [self._eye_band(k / (LIDS - 1)) for k in range(LIDS)]
        self._grain = self._noise_tile()

    # ------------------------------------------------------------ how skin moves

    def _jaw_weight(self, points: Array | Floats) -> Array:
        """How much of the chin's way each point goes, 0 to 1: nothing at the nose and the ears, all at the chin."""
        down = np.clip((points[..., 1] - (NOSE_Y + 6)) / (self.looks.chin - 14 - NOSE_Y - 6), 0, 1)
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
        size, tall = self.looks.eye_size, self.looks.eye_size * 0.42 * (1 - 0.92 * shut)
        low = self.looks.eye_size * 0.10 + tall * 0.55
        ring = [(-1, 0.0), (-0.38, -tall), (0.38, -tall), (1, -0.6), (0.38, low), (-0.38, low)]
        right: Array = np.array([(x * size, y + 2.4 * shut * (abs(x) < 1)) for x, y in ring])
        left = (right * [-1, 1])[[3, 2, 1, 0, 5, 4]]
        return np.concatenate([left + [CENTRE - self.looks.eye_gap, EYE_Y], right + [CENTRE + self.looks.eye_gap, EYE_Y]])

    def _eye_band(self, shut: float) -> UInt8:
        """Rows EYE_Y - 14 to EYE_Y + 14 of the head, RGB, with the eyes at one step of closing."""
        top, high, fine = int(EYE_Y) - 14, 28, 4
        band = cv2.resize(self.portrait.head[top : top + high, :, :3], None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR)
        skin = band.copy()
        marks = (self._eye_landmarks(shut) - [0, top]) * fine
        opened = (self._eye_landmarks(0) - [0, top]) * fine
        for k, gaze in ((0, 0.3), (6, -0.3)):
            eye, whole = marks[k : k + 6], opened[k : k + 6]
            upper, lower = spline(eye[[0, 1, 2, 3]], 24), spline(eye[[3, 4, 5, 0]], 24)
            cover = np.zeros(band.shape[:2], np.uint8)
            _fill(cover, np.concatenate([upper, lower]), 255)
            ball = np.full_like(band, (226, 220, 214))
            middle, radius = whole.mean(axis=0) + [gaze * fine, 0], self.looks.eye_size * 0.44 * fine
            for part, colour in ((1.0, np.array(self.looks.iris) * 130), (0.86, np.array(self.looks.iris) * 255), (0.42, (12, 10, 10))):
                cv2.circle(ball, _fixed(middle), round(radius * part * 16), tuple(map(float, colour)), -1, cv2.LINE_AA, 4)
            glint = middle + [radius * 0.35 * np.sign(self.looks.light[0]), -radius * 0.4]
            cv2.circle(ball, _fixed(glint), round(radius * 0.17 * 16), (250, 250, 250), -1, cv2.LINE_AA, 4)
            shade = np.zeros(band.shape[:2], np.uint8)
            cv2.polylines(shade, [_fixed_all(upper)], False, 255, 3 * fine, cv2.LINE_AA, 4)
            ball = _mix(ball, (60, 45, 40), cv2.GaussianBlur(shade, (0, 0), fine * 0.9), 0.55)
            band = _blend(band, ball, cv2.GaussianBlur(cover, (0, 0), fine * 0.35))
            lash = np.zeros(band.shape[:2], np.uint8)
            cv2.polylines(lash, [_fixed_all(upper)], False, 255, round(fine * (1.9 if self.looks.feminine else 1.3)), cv2.LINE_AA, 4)
            band = _mix(band, (38, 26, 22), cv2.GaussianBlur(lash, (0, 0), fine * 0.3), 0.85)
            fold = np.zeros(band.shape[:2], np.uint8)
            cv2.polylines(fold, [_fixed_all(upper + [0, -3.2 * fine * (1 - 0.6 * shut)])], False, 255, fine, cv2.LINE_AA, 4)
            cv2.polylines(fold, [_fixed_all(lower)], False, 140, fine, cv2.LINE_AA, 4)
            band = _mix(band, tuple(skin.reshape(-1, 3).mean(axis=0) * 0.45), cv2.GaussianBlur(fold, (0, 0), fine * 0.5), 0.45)
        return np.asarray(cv2.resize(band, (WIDTH, high), interpolation=cv2.INTER_AREA), np.uint8)

    # ------------------------------------------------------------ camera

    def _noise_tile(self) -> NDArray[np.int16]:
        """(288 + 64, 360 + 64, 3): grain, a little coloured, a little soft."""
        draw_ = np.random.default_rng(self.looks.seed + 1)
        grey = draw_.normal(0, self.looks.noise, (HEIGHT + 64, WIDTH + 64, 1))
        colour = draw_.normal(0, self.looks.noise * 0.5, (HEIGHT + 64, WIDTH + 64, 3))
        return np.asarray(np.rint(grey + colour), np.int16)

    def film(self, tracks: Array, noise: np.random.Generator) -> tuple[UInt8, Floats]:
        """Film one clip: (F, 8) tracks -> ((F, 288, 360, 3) RGB pictures, (F, 68, 2) landmarks in pixels).

        noise: draws the motion of the head, blinks, brows, exposure and grain of this clip.
        """
        frames = len(tracks)
        motion = self._motion(frames, noise)
        lids = _blinks(frames, noise)
        exposure = float(noise.uniform(0.96, 1.04))
        corners = noise.integers(0, 64, (frames, 2))
        pictures = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
        marks = np.empty((frames, 68, 2), np.float32)
        for k in range(frames):
            head, still = self._pose(tracks[k], int(lids[k]))
            marks[k] = still @ motion[k, :, :2].T + motion[k, :, 2]
            moved = cv2.warpAffine(head, motion[k], (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            picture = _blend(self.portrait.room, moved[..., :3], moved[..., 3])
            y, x = corners[k]
            if exposure != 1:
                picture = cv2.convertScaleAbs(picture, alpha=exposure)
            cv2.add(picture, self._grain[y : y + HEIGHT, x : x + WIDTH], dst=pictures[k], dtype=cv2.CV_8U)
        return pictures, marks

    def _motion(self, frames: int, noise: np.random.Generator) -> Array:
        """(F, 2, 3): the head's similarity transform in each frame: a place for the clip, and slow sway around it."""
        time = np.arange(frames)[:, None] / FPS
        speed, phase = noise.uniform(0.15, 0.75, (3, 4)), noise.uniform(0, 2 * np.pi, (3, 4))
        sway = np.sin(2 * np.pi * speed * time[..., None] + phase).sum(axis=1) / 3  # (F, 4)
        place = noise.normal(0, 1, 4)
        right, down, roll, size = (sway * [3.5, 2.2, 0.022, 0.010] + place * [4, 3, 0.012, 0.012]).T
        scale, turn = 1 + np.clip(size, -0.05, 0.04), roll
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        pivot = np.array([CENTRE, NOSE_Y])
        rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
        shift = pivot + np.stack([right, down], -1) - np.stack([(rotation[:, k] * pivot).sum(-1) for k in (0, 1)], -1)
        return np.concatenate([rotation, shift[..., None]], axis=-1)

    # ------------------------------------------------------------ one picture

    def _pose(self, shape: Array, lid: int) -> tuple[UInt8, Array]:
        """The head upright in its place: (288, 360, 4) RGBA and (68, 2) landmarks."""
        jaw, _, wide, round_ = (float(value) for value in shape[:4])
        drop, pull = JAW_DROP * jaw, 3.0 * wide - 5.0 * round_
        head = self.portrait.head.copy()
        x, y, across, high = FACE
        grid_x, grid_y = self._grid
        head[y : y + high, x : x + across] = cv2.remap(
            self.portrait.head[y : y + high, x : x + across], grid_x - pull * self._pull, grid_y - drop * self._sag,
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        top = int(EYE_Y) - 14
        head[top : top + 28, 100:260, :3] = self._eyes[lid][:, 100:260]
        mouth = mouth_of(self.looks, shape)
        x, y, across, high = PATCH
        head[y : y + high, x : x + across, :3] = self._draw_mouth(head[y : y + high, x : x + across, :3], mouth, shape)
        return head, self._landmarks(mouth, drop, pull, lid)

    def _landmarks(self, mouth: Mouth, drop: float, pull: float, lid: int) -> Array:
        skin = self.portrait.outline.copy()
        skin[:, 1] += drop * self._jaw_weight(skin)
        skin[:, 0] += pull * self._cheek_weight(skin)
        lips = mouth.landmarks() + [CENTRE, MOUTH_Y]
        eyes = self._eye_landmarks(lid / (LIDS - 1))
        return np.concatenate([skin, self.portrait.brows, self.portrait.nose, eyes, lips])

    def _draw_mouth(self, skin: UInt8, mouth: Mouth, shape: Array) -> UInt8:
        """Lips, and what is between them, over a patch of skin: (76, 88, 3) -> the same."""
        looks = self.looks
        value = dict(zip(CHANNELS, map(float, shape), strict=True))
        x, y, across, high = PATCH
        origin = np.array([CENTRE - x, MOUTH_Y - y])
        size = (high * FINE, across * FINE)

        def curve(points: Array) -> Array:
            return (points + origin) * FINE

        upper_out, upper_in = curve(mouth.upper_out), curve(mouth.upper_in)
        lower_in, lower_out = curve(mouth.lower_in), curve(mouth.lower_out)
        # the lips: red, the upper one in its own shade, light on the lower one
        tone = np.array(looks.lips) * 255
        lit = 1 + 0.10 * looks.light[0] * np.linspace(-1, 1, size[1])[None, :, None]
        lips = np.empty((*size, 3), np.uint8)
        lips[:] = np.clip(tone * lit, 0, 255)
        _fill(lips, np.concatenate([upper_out, upper_in[::-1]]), tone * 0.80)
        edge = upper_in * 0.55 + upper_out * 0.45
        _fill(lips, np.concatenate([edge, upper_in[::-1]]), tone * 0.62)
        _fill(lips, np.concatenate([lower_in, (lower_in * 0.8 + lower_out * 0.2)[::-1]]), tone * 0.80)
        shine = tone * (1.16 + 0.12 * value["round"]) + 18
        middle = slice(5, 20)
        _fill(lips, np.concatenate([(lower_in * 0.68 + lower_out * 0.32)[middle], (lower_in * 0.38 + lower_out * 0.62)[middle][::-1]]), shine)
        _fill(lips, np.concatenate([(lower_in * 0.15 + lower_out * 0.85), lower_out[::-1]]), tone * 0.78)
        lips = cv2.GaussianBlur(lips, (0, 0), 0.85 * FINE)
        # between the lips
        between = np.concatenate([upper_in, lower_in[::-1]])
        inside = self._cavity(mouth, value, size, origin)
        shade = np.zeros(size, np.uint8)
        cv2.polylines(shade, [_fixed_all(upper_in)], False, 255, round(2.2 * FINE), cv2.LINE_8, 4)
        shade = cv2.GaussianBlur(shade, (0, 0), 0.8 * FINE)
        inside = _mix(inside, (40, 14, 14), shade, 0.55)
        gap = np.zeros(size, np.uint8)
        _fill(gap, between, 255)
        cv2.polylines(gap, [_fixed_all(upper_in * 0.5 + lower_in * 0.5)], False, 255, FINE // 2 + 1, cv2.LINE_8, 4)
        drawn = _blend(lips, inside, cv2.blur(gap, (FINE, FINE)))
        cover = np.zeros(size, np.uint8)
        _fill(cover, np.concatenate([upper_out, lower_out[::-1]]), 255)
        cover = cv2.resize(cv2.GaussianBlur(cover, (0, 0), 0.55 * FINE), (across, high), interpolation=cv2.INTER_AREA)
        drawn = cv2.resize(drawn, (across, high), interpolation=cv2.INTER_AREA)
        # shadows that the lips throw on the skin
        low = np.zeros((high, across), np.uint8)
        bottom = float(mouth.lower_out[12, 1]) + origin[1]
        cv2.ellipse(low, _fixed(np.array([origin[0], bottom + 3.0])), _fixed(np.array([mouth.half * 0.62, 2.6])), 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
        for side in (0, 24):
            spot = mouth.upper_out[side] + origin + [(-2.0, 2.0)[side > 0], 0]
            cv2.circle(low, _fixed(spot), round(2.2 * 16), 200, -1, cv2.LINE_AA, 4)
        low = cv2.GaussianBlur(low, (0, 0), 2.2)
        skin = _mix(skin, tuple(np.array(looks.skin) * 255 * np.array([0.42, 0.34, 0.30])), low, 0.50)
        return _blend(skin, drawn, cover)

    def _cavity(self, mouth: Mouth, value: dict[str, float], size: tuple[int, int], origin: Array) -> UInt8:
        """All that could be seen between the lips, as if they were not there: (228, 264, 3)."""
        inside = np.empty((*size, 3), np.uint8)
        inside[:] = (44, 14, 16)
        half = mouth.half

        def oval(x: float, y: float, wide: float, high: float, colour: tuple[int, int, int]) -> None:
            middle = (np.array([x, y]) + origin) * FINE
            cv2.ellipse(inside, _fixed(middle), _fixed(np.array([wide, high]) * FINE), 0, 0, 360, colour, -1, cv2.LINE_8, 4)

        floor = mouth.teeth + mouth.gap
        tip, front = value["tip"], value["front"]
        bed = floor + 4.5 - 2.0 * front
        oval(0, bed, half * 0.72, 7.5, (138, 58, 60))
        oval(0, bed - 0.8, half * 0.50, 5.5, (160, 72, 74))
        raised = floor + 4 + tip * (mouth.teeth + 1.0 - floor - 4)
        if tip > 0.25 and front < 0.55:  # the tip behind the teeth
            oval(0, raised + 4.5, half * 0.50, 6.0, (150, 66, 68))
            oval(0, raised + 3.0, half * 0.36, 3.6, (186, 96, 96))
        self._row(inside, origin, half * 0.86, mouth.teeth, -11.0, 1.6, (236, 228, 214))
        self._row(inside, origin, half * 0.74, floor, 11.0, -0.8, (214, 204, 190))
        if front > 0.15:  # the tip on or between the teeth
            out = min(1.0, (front - 0.15) / 0.6)
            oval(0, mouth.teeth + 0.7 + 1.6 * (1 - out) + 0.25 * mouth.gap, half * (0.30 + 0.22 * out), 1.2 + 2.5 * out, (176, 82, 84))
            oval(0, mouth.teeth + 0.2 + 1.6 * (1 - out) + 0.25 * mouth.gap, half * (0.22 + 0.20 * out), 0.8 + 1.6 * out, (206, 116, 114))
        return np.asarray(cv2.GaussianBlur(inside, (0, 0), 0.45 * FINE), np.uint8)

    @staticmethod
    def _row(
        canvas: UInt8, origin: Array, half: float, edge: float, tall: float, curl: float, colour: tuple[int, int, int]
    ) -> None:
        """One row of teeth: its free edge at y = `edge`, the gums `tall` pixels from there, ends curled by `curl`."""
        s = np.linspace(-1, 1, 21)
        free = np.stack([half * s, edge - curl * s**2], axis=-1)
        gums = np.stack([half * s, edge + tall - curl * s**2], axis=-1)
        _fill(canvas, (np.concatenate([free, gums[::-1]]) + origin) * FINE, colour)
        for side in (-1.0, 1.0):  # darker towards the corners
            for start, dim in ((0.58, 0.84), (0.80, 0.58)):
                part = np.array([(side * half * start, 0), (side * half * 1.02, 0), (side * half * 1.02, 1), (side * half * start, 1)])
                part[:, 1] = edge + part[:, 1] * tall - curl * (start**2 if start < 0.7 else 0.8)
                _fill(canvas, (part + origin) * FINE, np.array(colour) * dim)
        for cut in (-0.52, -0.27, 0.0, 0.27, 0.52):
            ends = np.array([(half * cut, edge - curl * cut**2), (half * cut, edge + tall)])
            cv2.polylines(canvas, [_fixed_all((ends + origin) * FINE)], False, tuple(v * 0.80 for v in colour), 1, cv2.LINE_8, 4)


# ---------------------------------------------------------------- drawing


def _fixed(point: Array) -> tuple[int, int]:
    """A point in pixels -> OpenCV's fixed point with four binary places."""
    return round(float(point[0]) * 16), round(float(point[1]) * 16)


def _fixed_all(points: Array) -> NDArray[np.int32]:
    return np.rint(points * 16).astype(np.int32)


def _fill(canvas: UInt8, polygon: Array, colour: Array | tuple[float, ...] | int) -> None:
    value = colour if isinstance(colour, int) else tuple(min(255.0, float(part)) for part in colour)
    cv2.fillPoly(canvas, [_fixed_all(polygon)], value, cv2.LINE_8, 4)


def _blend(below: UInt8, above: UInt8, cover: UInt8) -> UInt8:
    """`above` over `below` (H, W, 3) where `cover` (H, W) is 255."""
    three = cv2.merge([cover, cover, cover])
    return np.asarray(cv2.add(cv2.multiply(above, three, scale=1 / 255), cv2.multiply(below, 255 - three, scale=1 / 255)), np.uint8)


def _mix(below: UInt8, colour: tuple[float, ...], cover: UInt8, strength: float) -> UInt8:
    """A flat colour over `below` where `cover` is 255, at most by `strength`."""
    flat = np.empty_like(below)
    flat[:] = [min(255.0, part) for part in colour]
    return _blend(below, flat, cv2.convertScaleAbs(cover, alpha=strength))


def _blinks(frames: int, noise: np.random.Generator) -> NDArray[np.int64]:
    """(F,) steps of closing, 0 to LIDS - 1: a blink of a quarter of a second about every three seconds."""
    shut = np.zeros(frames)
    at = float(noise.uniform(-2.0, 3.0)) * FPS
    while at < frames + 4:
        shut = np.maximum(shut, np.clip(1.25 - np.abs(np.arange(frames) - at) / 2.6, 0, 1))
        at += float(noise.uniform(1.6, 4.5)) * FPS
    return np.rint(shut * (LIDS - 1)).astype(np.int64)
