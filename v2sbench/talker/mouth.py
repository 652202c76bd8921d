"""The mouth: eight channels -> outlines of the lips -> a picture of lips, teeth and tongue.

Teeth of the upper row are fixed to the skull, those of the lower row to the jaw; what is seen of them and of the tongue
is what the lips leave open.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from v2sbench.talker.canvas import Array, UInt8, blend, blur, disc, fill, mix, oval, shrink, stroke
from v2sbench.talker.portrait import CENTRE, MOUTH_Y, Looks
from v2sbench.talker.visemes import CHANNELS

JAW_DROP = 15.0
"""Pixels that the chin goes down when `jaw` is 1."""
APERTURE = 25.0
"""Pixels between the lips in the middle when `open` is 1, for a mouth of usual size."""
USUAL = 30.0
"""Pixels: half the width of a mouth of usual size."""
BITE_Y = 1.5
"""Pixels below the lips' line at which the upper teeth end."""
FINE = 2
"""Pixels of the drawing in one pixel of the picture, each way."""
PATCH = (int(CENTRE) - 44, int(MOUTH_Y) - 24, 88, 76)
"""x, y, width, height of the drawing in the still head, pixels."""

_ORIGIN = np.array([CENTRE - PATCH[0], MOUTH_Y - PATCH[1]])
_CANVAS = (PATCH[3] * FINE, PATCH[2] * FINE)
_POINTS = 25
_S = np.linspace(-1, 1, _POINTS)
_OUTER_TOP = [round((s + 1) * 12) for s in (-1, -0.58, -0.25, 0, 0.25, 0.58, 1)]
_OUTER_LOW = [round((s + 1) * 12) for s in (0.58, 0.25, 0, -0.25, -0.58)]
_INNER_TOP = [round((s + 1) * 12) for s in (-1, -0.42, 0, 0.42, 1)]
_INNER_LOW = [round((s + 1) * 12) for s in (0.42, 0, -0.42)]

_DARK, _TONGUE = (44, 14, 16), (160, 72, 74)
_UPPER_ROW, _LOWER_ROW = (236, 228, 214), (214, 204, 190)


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
        outer = self.upper_out[_OUTER_TOP], self.lower_out[_OUTER_LOW]
        inner = self.upper_in[_INNER_TOP], self.lower_in[_INNER_LOW]
        return np.concatenate([*outer, *inner])


def mouth_of(looks: Looks, shape: Array) -> Mouth:
    """The outlines for one row of a track, (8,) channels as in CHANNELS."""
    jaw, open_, wide, rounded, press, bite, _, _ = (float(value) for value in shape)
    apart = APERTURE * open_ * max(0.0, 1 - press) * (looks.mouth / USUAL) * (1 - 0.1 * rounded)
    half = looks.mouth * (1 + 0.15 * wide - 0.36 * rounded - 0.05 * jaw)
    upper = looks.upper_lip * (1 - 0.12 * open_ - 0.50 * press + 0.35 * rounded + 0.1 * bite)
    lower = looks.lower_lip * (1 - 0.10 * open_ - 0.45 * press + 0.28 * rounded - 0.50 * bite)
    rise = 0.20 * apart + 3.6 * bite
    fall = (1 - bite) * 0.80 * apart + bite * (BITE_Y + 0.8)
    spread = max(wide, 0)
    x = half * _S * (1 + looks.skew * 0.125 * (_S + 1) * spread)
    corner = (1.8 * jaw - 1.4 * wide * (0.6 + 2 * _S * looks.skew)) * _S**2
    inside = np.clip(1 - np.abs(_S / 0.94) ** (2.6 - 0.5 * rounded + 0.5 * spread), 0, 1)
    outside = 1 - np.abs(_S) ** (2.0 - 0.3 * rounded)
    bow = 1 - (0.20 - 0.12 * rounded) * np.exp(-((_S / 0.13) ** 2)) - 0.20 * np.abs(_S)
    belly = 1 - np.abs(_S) ** 2.4
    seam = corner + 0.6 * (1 - np.abs(_S)) * (1 - open_)
    return Mouth(
        half=half,
        upper_out=np.stack([x, corner - rise * inside - upper * bow * outside], axis=-1),
        upper_in=np.stack([x * 0.985, seam - rise * inside], axis=-1),
        lower_in=np.stack([x * 0.985, seam + fall * inside], axis=-1),
        lower_out=np.stack([x, corner + fall * inside + lower * belly], axis=-1),
        gap=0.6 + (JAW_DROP + 1) * jaw,
        teeth=BITE_Y - 4.2 * rounded + 1.0 * bite,
    )


def draw_mouth(skin: UInt8, looks: Looks, mouth: Mouth, shape: Array) -> UInt8:
    """The mouth over its patch of skin: (76, 88, 3) RGB -> the same. shape: (8,), as given to `mouth_of`."""
    upper_out, upper_in, lower_in, lower_out = (
        (curve + _ORIGIN) * FINE for curve in (mouth.upper_out, mouth.upper_in, mouth.lower_in, mouth.lower_out)
    )
    lips = _lips(looks, upper_out, upper_in, lower_in, lower_out, shine=float(shape[3]))
    inside = _cavity(mouth, shape)
    shade = np.zeros(_CANVAS, np.uint8)
    stroke(shade, upper_in, 255, round(2.2 * FINE))
    inside = mix(inside, (40, 14, 14), blur(shade, 0.8 * FINE), 0.55)
    opening = np.zeros(_CANVAS, np.uint8)
    fill(opening, np.concatenate([upper_in, lower_in[::-1]]), 255)
    stroke(opening, (upper_in + lower_in) / 2, 255, FINE // 2 + 1)
    drawn = blend(lips, inside, np.asarray(cv2.blur(opening, (FINE, FINE)), np.uint8))
    cover = np.zeros(_CANVAS, np.uint8)
    fill(cover, np.concatenate([upper_out, lower_out[::-1]]), 255)
    wide, high = PATCH[2:]
    shadow = tuple(255 * part * dim for part, dim in zip(looks.skin, (0.42, 0.34, 0.30), strict=True))
    skin = mix(skin, shadow, _thrown(mouth), 0.50)
    return blend(skin, shrink(drawn, wide, high), shrink(blur(cover, 0.55 * FINE), wide, high))


def _lips(looks: Looks, upper_out: Array, upper_in: Array, lower_in: Array, lower_out: Array, *, shine: float) -> UInt8:
    """Red: the upper lip in its own shade, light on the lower one, more of it (`shine`, 0 to 1) when protruded."""

    def between(upper: Array, lower: Array, low: float, high: float) -> Array:
        """The band from share `low` to share `high` of the way from one edge to the other."""
        return np.concatenate([upper + (lower - upper) * low, (upper + (lower - upper) * high)[::-1]])

    tone = np.array(looks.lips) * 255
    across = 1 + 0.10 * looks.light[0] * np.linspace(-1, 1, _CANVAS[1])[None, :, None]
    lips = np.empty((*_CANVAS, 3), np.uint8)
    lips[:] = np.clip(tone * across, 0, 255)
    fill(lips, between(upper_out, upper_in, 0, 1), tone * 0.80)
    fill(lips, between(upper_out, upper_in, 0.55, 1), tone * 0.62)
    fill(lips, between(lower_in, lower_out, 0, 0.2), tone * 0.80)
    fill(lips, between(lower_in[5:20], lower_out[5:20], 0.32, 0.62), tone * (1.16 + 0.12 * shine) + 18)
    fill(lips, between(lower_in, lower_out, 0.85, 1), tone * 0.78)
    return blur(lips, 0.85 * FINE)


def _thrown(mouth: Mouth) -> UInt8:
    """(76, 88): the shadows that the lips throw on the skin, below the lower lip and at the corners."""
    shadow = np.zeros((PATCH[3], PATCH[2]), np.uint8)
    below = _ORIGIN + np.array([0, mouth.lower_out[_POINTS // 2, 1] + 3.0])
    oval(shadow, below, mouth.half * 0.62, 2.6, 255, smooth=True)
    for corner, outwards in ((mouth.upper_out[0], -2.0), (mouth.upper_out[-1], 2.0)):
        disc(shadow, corner + _ORIGIN + np.array([outwards, 0]), 2.2, 200)
    return blur(shadow, 2.2)


def _cavity(mouth: Mouth, shape: Array) -> UInt8:
    """All that could be seen between the lips, as if they were not there."""
    channel = dict(zip(CHANNELS, map(float, shape), strict=True))
    tip, front = channel["tip"], channel["front"]
    inside = np.empty((*_CANVAS, 3), np.uint8)
    inside[:] = _DARK
    half, floor = mouth.half, mouth.teeth + mouth.gap

    def tongue(y: float, wide: float, high: float, light: float) -> None:
        oval(inside, (np.array([0, y]) + _ORIGIN) * FINE, wide * FINE, high * FINE, np.array(_TONGUE) * light)

    bed = floor + 4.5 - 2.0 * front
    tongue(bed, half * 0.72, 7.5, 0.85)
    tongue(bed - 0.8, half * 0.50, 5.5, 1.0)
    if tip > 0.25 and front < 0.55:  # behind the teeth
        raised = floor + 4 + tip * (mouth.teeth - 3 - floor)
        tongue(raised + 4.5, half * 0.50, 6.0, 0.93)
        tongue(raised + 3.0, half * 0.36, 3.6, 1.22)
    _row(inside, half * 0.86, mouth.teeth, -11.0, 1.6, np.array(_UPPER_ROW))
    _row(inside, half * 0.74, floor, 11.0, -0.8, np.array(_LOWER_ROW))
    if front > 0.15:  # on or between the teeth
        out = min(1.0, (front - 0.15) / 0.6)
        middle = mouth.teeth + 0.2 + 1.6 * (1 - out) + 0.25 * mouth.gap
        tongue(middle + 0.5, half * (0.30 + 0.22 * out), 1.2 + 2.5 * out, 1.12)
        tongue(middle, half * (0.22 + 0.20 * out), 0.8 + 1.6 * out, 1.28)
    return blur(inside, 0.45 * FINE)


def _row(canvas: UInt8, half: float, edge: float, tall: float, curl: float, colour: Array) -> None:
    """One row of teeth: its free edge at y = `edge`, the gums `tall` pixels from there, ends curled by `curl`."""
    s = np.linspace(-1, 1, 21)
    free = np.stack([half * s, edge - curl * s**2], axis=-1)
    rooted = free + np.array([0, tall])
    fill(canvas, (np.concatenate([free, rooted[::-1]]) + _ORIGIN) * FINE, colour)
    for start, dim in ((0.58, 0.84), (0.80, 0.58)):  # darker towards the corners
        for side in (-half, half):
            near, far = edge - curl * start**2, edge + tall
            x = side * start, side * 1.02
            part = np.array([(x[0], near), (x[1], near), (x[1], far), (x[0], far)])
            fill(canvas, (part + _ORIGIN) * FINE, colour * dim)
    for cut in (-0.52, -0.27, 0.0, 0.27, 0.52):
        ends = np.array([(half * cut, edge - curl * cut**2), (half * cut, edge + tall)])
        stroke(canvas, (ends + _ORIGIN) * FINE, colour * 0.80, 1)
