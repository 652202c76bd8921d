"""68 landmarks a frame -> one transform a frame: misses filled, jitter smoothed, stable points onto a mean face.

The published mean-face file may not be used commercially.  `MEAN_FACE` is drawn from facial measurements instead:
rounded adult averages (women and men) after Farkas, Anthropometry of the Head and Face, 1994: outer eye corners 90 mm
apart, inner 32, mouth 52.5; below the eye line, the nose bridge's second point 12, the nose's base 46, the mouth 68.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import SIZE
from v2sbench.prepare.crops import PX_PER_MM, RoiError, Warps

STABLE = (28, 33, 36, 39, 42, 45, 48, 54)  # move little in speech: nose bridge and base, corners of eyes and mouth
MOUTH = slice(48, 68)  # the lips
WINDOW = 12  # frames over which landmarks are averaged
SPARE = 2  # frames by which the landmarks of a clip may be longer or shorter than it
FARTHEST = 1e5  # pixels from the picture's corner; a landmark beyond is no place in a picture
MEAN_FACE = np.array([(0, 12), (0, 46), (-45, 0), (-16, 0), (16, 0), (45, 0), (-26.25, 68), (26.25, 68)])
"""(8, 2) places of `STABLE` in mm: x to the picture's right and y down, from the middle between the eyes."""


def from_landmarks(landmarks: NDArray[np.floating], frames: int) -> Warps:
    """(n, 68, 2) landmarks in picture pixels, rows of NaN where a face was missed -> (frames, 2, 3) transforms.

    A file may be 2 frames longer or shorter than the picture (the last position is held).
    Raises RoiError: ``bad-landmarks`` for another shape or length, ``no-face`` when over half of the frames are missed.
    """
    if landmarks.ndim != 3 or landmarks.shape[1] != 68 or landmarks.shape[2] not in (2, 3):
        raise RoiError("bad-landmarks", f"the array is {landmarks.shape}, allowed is (frames, 68, 2)")
    if abs(len(landmarks) - frames) > SPARE:
        raise RoiError("bad-landmarks", f"{len(landmarks)} frames of landmarks for {frames} pictures")
    points = interpolate(np.asarray(landmarks[:, :, :2], np.float64))
    if np.abs(points).max() > FARTHEST:
        raise RoiError("bad-landmarks", f"a landmark {np.abs(points).max():.1e} pixels away, allowed is {FARTHEST:.0e}")
    points = smooth(points)
    points = points[np.minimum(np.arange(frames), len(points) - 1)]
    linear = _similarity(points[:, STABLE], MEAN_FACE * PX_PER_MM)
    centre = points[:, MOUTH].mean(axis=1)
    shift = SIZE / 2 - np.einsum("fij,fj->fi", linear, centre)
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def at_frames(rows: NDArray[np.float64], frames: int, shown: NDArray[np.intp] | None) -> NDArray[np.float64]:
    """(n, 68, 2) landmarks of the pictures of a film -> (frames or so, 68, 2), those of the frames at 25 fps.

    shown: `media.Recording.shown`, which picture of the film each frame shows. Rows may already be of the frames, as
    those of a film of 25 fps are; which of the two they are tells their number.
    """
    if shown is None or not len(shown):
        return rows
    pictures = int(shown[-1]) + 1
    apart = abs(len(rows) - pictures)
    if apart > abs(len(rows) - frames) or apart > -(-SPARE * pictures // frames):
        return rows
    return np.asarray(rows[np.minimum(shown, len(rows) - 1)])


def interpolate(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 68, 2) with missed frames (any NaN, or all zero) -> the same filled linearly, ends held.

    Raises RoiError ``no-face`` when over half of the frames are missed.
    """
    flat = landmarks.reshape(len(landmarks), -1)
    seen = np.isfinite(flat).all(axis=1) & (flat != 0).any(axis=1)
    if 2 * seen.sum() < len(flat) or not seen.any():
        raise RoiError("no-face", f"landmarks in {int(seen.sum())} of {len(flat)} frames")
    at, where = np.arange(len(flat)), np.flatnonzero(seen)
    filled = np.stack([np.interp(at, where, column) for column in flat[seen].T], axis=1)
    return filled.reshape(landmarks.shape)


def smooth(landmarks: NDArray[np.float64], window: int = WINDOW) -> NDArray[np.float64]:
    """(F, 68, 2) -> the same, each frame the mean of frames k-6 .. k+5 (for 12), as many as there are at the ends."""
    total = np.cumsum(np.concatenate([np.zeros_like(landmarks[:1]), landmarks]), axis=0)
    at = np.arange(len(landmarks))
    low = np.maximum(at - window // 2, 0)
    high = np.minimum(at + (window + 1) // 2, len(landmarks))
    return np.asarray((total[high] - total[low]) / (high - low)[:, None, None])


def _similarity(points: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares rotation and scale of (F, n, 2) onto (n, 2): (F, 2, 2).  As complex numbers: one factor a frame."""
    source = points[..., 0] + 1j * points[..., 1]
    goal = target[:, 0] + 1j * target[:, 1]
    source = source - source.mean(axis=1, keepdims=True)
    size = (np.abs(source) ** 2).sum(axis=1)
    if (size < 1).any():
        raise RoiError("bad-landmarks", "all stable points fall together")
    factor = (source.conj() * (goal - goal.mean())).sum(axis=1) / size
    return np.stack([np.stack([factor.real, -factor.imag], -1), np.stack([factor.imag, factor.real], -1)], axis=1)
