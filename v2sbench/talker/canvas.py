"""Drawing on 8-bit pictures: what the face's modules share. Points are (x, y) in pixels, with fractions."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

Colour = Sequence[float] | Array | float
_SHIFT, _UNITS = 4, 16
"""OpenCV's fixed point: four binary places."""


def spline(points: Sequence[tuple[float, float]] | Array, count: int, *, closed: bool = False) -> Array:
    """A Catmull-Rom curve through `points`: (count, 2) points on it, evenly spaced in the parameter."""
    knots = np.asarray(points, np.float64)
    n = len(knots)
    place = np.linspace(0, n if closed else n - 1, count, endpoint=not closed)
    left = np.minimum(place.astype(int), n - 1 if closed else n - 2)
    t = (place - left)[:, None]
    steps = [left + k for k in (-1, 0, 1, 2)]
    a, b, c, d = (knots[step % n] if closed else knots[np.clip(step, 0, n - 1)] for step in steps)
    curve: Array = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return curve


def _fixed(points: Array) -> NDArray[np.int32]:
    return np.rint(points * _UNITS).astype(np.int32)


def _value(colour: Colour) -> tuple[float, ...]:
    return tuple(min(255.0, float(part)) for part in np.atleast_1d(colour))


def fill(canvas: UInt8, polygon: Array, colour: Colour) -> None:
    """Fill a closed polygon, (N, 2)."""
    cv2.fillPoly(canvas, [_fixed(polygon)], _value(colour), cv2.LINE_8, _SHIFT)


def stroke(canvas: UInt8, line: Array, colour: Colour, thick: int, *, smooth: bool = False) -> None:
    """Draw an open line, (N, 2), `thick` pixels wide."""
    cv2.polylines(canvas, [_fixed(line)], False, _value(colour), thick, cv2.LINE_AA if smooth else cv2.LINE_8, _SHIFT)


def oval(canvas: UInt8, middle: Array, wide: float, high: float, colour: Colour, *, smooth: bool = False) -> None:
    """Fill an upright ellipse with these half axes."""
    x, y = (int(value) for value in _fixed(middle))
    axes = round(wide * _UNITS), round(high * _UNITS)
    kind = cv2.LINE_AA if smooth else cv2.LINE_8
    cv2.ellipse(canvas, (x, y), axes, 0, 0, 360, _value(colour), -1, kind, _SHIFT)


def disc(canvas: UInt8, middle: Array, radius: float, colour: Colour) -> None:
    """Fill a circle."""
    oval(canvas, middle, radius, radius, colour, smooth=True)


def blur(picture: UInt8, sigma: float) -> UInt8:
    """Soften by a Gaussian of `sigma` pixels, cut off at about two of them for speed."""
    size = 2 * max(1, round(1.8 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(picture, (size, size), sigma), np.uint8)


def shrink(picture: UInt8, wide: int, high: int) -> UInt8:
    """Fewer pixels, each the mean of those under it."""
    return np.asarray(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)


def blend(below: UInt8, above: UInt8, cover: UInt8) -> UInt8:
    """`above` over `below` (H, W, 3) where `cover` (H, W) is 255."""
    shown = cv2.merge([cover, cover, cover])
    first = cv2.multiply(above, shown, scale=1 / 255)
    return np.asarray(cv2.add(first, cv2.multiply(below, 255 - shown, scale=1 / 255)), np.uint8)


def mix(below: UInt8, colour: Colour, cover: UInt8, strength: float) -> UInt8:
    """A flat colour over `below` (H, W, 3), by `strength` where `cover` (H, W) is 255."""
    flat = np.empty_like(below)
    flat[:] = _value(colour)
    return blend(below, flat, np.asarray(cv2.convertScaleAbs(cover, alpha=strength), np.uint8))
