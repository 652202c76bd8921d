"""Mouth crops: pictures (F, H, W) -> (F, 96, 96) grey, one provider interface, one scale.

A provider looks at a clip and returns one similarity transform a frame, from picture pixels to crop pixels.  In the
crop the mouth's centre is at (48, 48), the eyes are level, and one millimetre of an average face is `PX_PER_MM` pixels:
a mouth is 50-61 pixels wide, 52-64 % of the crop, and 56 on average over GRID speakers, whichever provider found it.

* ``precomputed``: 68 landmarks a frame (iBUG order) from a file.  The field's recipe: linear interpolation over missed
  frames, 12-frame smoothing, least-squares similarity of the stable points onto a mean face, patch centred on points
  48-67.  Centre and transform are both of the smoothed landmarks: a patch that follows every frame's own mouth would
  hide the very motion that is to be read.
* ``haar``: for clips without landmarks, one face box for the whole clip: OpenCV's frontal-face cascade on 9 pictures,
  the median of the boxes that agree.  Within it the lip line is the darkest row near its usual place, and the mouth's
  middle is the centroid of motion.  Level and scale come from the box, so a tilted head stays tilted.

Accuracy of ``haar``, against dlib landmarks on 272 clips of 8 GRID speakers, in crop pixels: vertical median .6, 95 %
1.8, worst 5; horizontal .9 / 2.3 / 5 (without the refinement 5 / 9 / 12 and 4 / 6 / 8); scale within 4 % (one sigma).

The published mean-face file may not be used commercially.  `MEAN_FACE` is drawn from facial measurements instead:
rounded adult averages (women and men) after Farkas, Anthropometry of the Head and Face, 1994: outer eye corners 90 mm
apart, inner 32, mouth 52.5; below the eye line, the nose bridge's second point 12, the nose's base 46, the mouth 68.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.media import UInt8
from v2sbench.runtime import UseError, choose

SIZE = 96
"""Height and width of a crop in pixels."""
PX_PER_MM = 1.17
"""Crop pixels per millimetre of an average face."""
STABLE = (28, 33, 36, 39, 42, 45, 48, 54)
"""Landmarks that move little in speech: nose bridge, nose base, eye corners, mouth corners."""
MOUTH = slice(48, 68)
"""Landmarks of the lips."""
WINDOW = 12
"""Frames over which landmarks are averaged."""
MEAN_FACE = np.array([(0, 12), (0, 46), (-45, 0), (-16, 0), (16, 0), (45, 0), (-26.25, 68), (26.25, 68)])
"""(8, 2) places of `STABLE` in mm: x to the picture's right and y down, from the middle between the eyes."""

SAMPLED = 9
"""Pictures in which ``haar`` looks for a face."""
BOX_PX = 204
"""Crop pixels across the cascade's face box: its width is 185 mm of an average face (outer eye corners at 48.5 %)."""
LIP_LINE, LIP_SPREAD = 0.815, 0.05
"""Usual height of the lip line in the face box, and its spread, in box widths from the top."""
LIP_WEIGHT = 0.03
"""Relative darkness that one squared spread away from the usual height must be worth."""

Warps = NDArray[np.float64]
"""(F, 2, 3) similarity transforms from picture pixels (x, y, 1) to crop pixels."""


class RoiError(Exception):
    """No mouth can be cropped; `reason` is ``no-face`` or ``bad-landmarks``, `detail` says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[RoiError], tuple[str, str]]:
        """Rebuild from both parts, so that the error crosses process borders."""
        return type(self), (self.reason, self.detail)


def mouth_roi(frames: UInt8, *, landmarks: Path | None = None, provider: str = "auto") -> UInt8:
    """(F, H, W) uint8 grey pictures -> (F, 96, 96) uint8 grey crops around the mouth.

    provider: a name of `PROVIDERS`, or ``auto``: ``precomputed`` where there are landmarks, else ``haar``.
    Raises RoiError when no face is found or the landmarks cannot be used, UseError for an unknown provider.
    """
    if provider == "auto":
        provider = "precomputed" if landmarks is not None else "haar"
    return crop(frames, choose("ROI provider", provider, PROVIDERS)(frames, landmarks))


def crop(frames: UInt8, warps: Warps) -> UInt8:
    """(F, H, W) pictures and (F, 2, 3) transforms -> (F, 96, 96); shrinking averages pixels, edges are continued."""
    out = np.empty((len(frames), SIZE, SIZE), np.uint8)
    for k, (frame, warp) in enumerate(zip(frames, warps, strict=True)):
        scale = float(np.hypot(warp[0, 0], warp[1, 0]))
        if scale < 0.75:  # bilinear reading would skip pixels
            shape = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
            factors = np.array([frame.shape[1] / shape[0], frame.shape[0] / shape[1]])
            frame = cv2.resize(frame, shape, interpolation=cv2.INTER_AREA)
            linear = warp[:, :2] * factors
            warp = np.column_stack([linear, warp[:, 2] + warp[:, :2] @ (factors - 1) / 2])
        cv2.warpAffine(frame, warp, (SIZE, SIZE), dst=out[k], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out


# Landmarks


def from_landmarks(landmarks: NDArray[np.floating], frames: int) -> Warps:
    """(n, 68, 2) landmarks in picture pixels, rows of NaN where a face was missed -> (frames, 2, 3) transforms.

    A file may be 2 frames longer or shorter than the picture (the last position is held).
    Raises RoiError: ``bad-landmarks`` for another shape or length, ``no-face`` when over half of the frames are missed.
    """
    if landmarks.ndim != 3 or landmarks.shape[1] != 68 or landmarks.shape[2] not in (2, 3):
        raise RoiError("bad-landmarks", f"the array is {landmarks.shape}, allowed is (frames, 68, 2)")
    if abs(len(landmarks) - frames) > 2:
        raise RoiError("bad-landmarks", f"{len(landmarks)} frames of landmarks for {frames} pictures")
    points = smooth(interpolate(np.asarray(landmarks[:, :, :2], np.float64)))
    points = points[np.minimum(np.arange(frames), len(points) - 1)]
    linear = _similarity(points[:, STABLE], MEAN_FACE * PX_PER_MM)
    centre = points[:, MOUTH].mean(axis=1)
    shift = SIZE / 2 - np.einsum("fij,fj->fi", linear, centre)
    return np.concatenate([linear, shift[:, :, None]], axis=2)


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


def precomputed(frames: UInt8, landmarks: Path | None) -> Warps:
    """Provider: landmarks of a ``.npy``, or of a ``.npz`` (its array ``landmarks``, or its only one); no pickles."""
    if landmarks is None:
        raise RoiError("bad-landmarks", "the clip came with no landmarks")
    try:
        data = np.load(landmarks, allow_pickle=False)
        if isinstance(data, np.lib.npyio.NpzFile):
            with data:
                name = "landmarks" if "landmarks" in data.files or len(data.files) != 1 else data.files[0]
                data = data[name]
        data = np.asarray(data, np.float64)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise RoiError("bad-landmarks", f"{landmarks}: {error}") from error
    return from_landmarks(data, len(frames))


# Face box


def haar(frames: UInt8, landmarks: Path | None = None) -> Warps:
    """Provider: one transform for the whole clip, from OpenCV's frontal-face cascade."""
    left, top, width = face_box(frames)
    x, y = _mouth(frames, left, top, width)
    scale = BOX_PX / width
    warp = np.array([[scale, 0, SIZE / 2 - scale * x], [0, scale, SIZE / 2 - scale * y]])
    return np.broadcast_to(warp, (len(frames), 2, 3)).copy()


def face_box(frames: UInt8) -> tuple[float, float, float]:
    """(left, top, width) in pixels of the square face box of a clip, the median of the detections that agree.

    Boxes agree when their centres are within a fifth of their width and their widths within a quarter.  They must agree
    in more than half of the sampled pictures, else RoiError ``no-face``.
    """
    picked = np.unique(np.linspace(0, len(frames) - 1, SAMPLED).round().astype(int))
    shrink = min(1.0, 288 / min(frames.shape[1:]))
    found = []
    for k in picked:
        picture = frames[k]
        if shrink < 1:
            picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        smallest = min(picture.shape) // 6
        boxes = _cascade().detectMultiScale(picture, 1.1, 5, minSize=(smallest, smallest))
        found += [(int(k), x / shrink, y / shrink, w / shrink) for x, y, w, _ in boxes]
    detections = np.array(found, np.float64).reshape(-1, 4)
    best = np.zeros(len(detections), bool)
    for box in detections:
        apart = np.hypot(*(detections[:, 1:3] + detections[:, 3:] / 2 - box[1:3] - box[3] / 2).T)
        agree = (apart < box[3] / 5) & (np.abs(np.log(detections[:, 3] / box[3])) < np.log(1.25))
        if len(np.unique(detections[agree, 0])) > len(np.unique(detections[best, 0])):
            best = agree
    count = len(np.unique(detections[best, 0]))
    if 2 * count <= len(picked):
        raise RoiError("no-face", f"a face at one place in {count} of {len(picked)} sampled pictures")
    left, top, width = np.median(detections[best, 1:], axis=0)
    return float(left), float(top), float(width)


def _mouth(frames: UInt8, left: float, top: float, width: float) -> tuple[float, float]:
    """Picture place (x, y) of the mouth's centre in a face box: darkest row for y, centroid of squared motion for x."""
    size = 64  # of a patch that covers .6 box widths: x .2 to .8, y .55 to 1.15
    scale = size / (0.6 * width)
    warp = np.array([[scale, 0, -scale * (left + 0.2 * width)], [0, scale, -scale * (top + 0.55 * width)]])
    patch = np.stack(
        [cv2.warpAffine(frame, warp, (size, size), borderMode=cv2.BORDER_REPLICATE) for frame in frames]
    ).astype(np.float32)
    across = 0.2 + 0.6 * (np.arange(size) + 0.5) / size
    down = 0.55 + 0.6 * (np.arange(size) + 0.5) / size
    middle = np.abs(across - 0.505) < 0.16
    rows = patch[:, :, middle].mean(axis=(0, 2))[:, None]
    fine = cv2.GaussianBlur(rows, (1, 13), 0, sigmaY=1.5)[:, 0]
    coarse = cv2.GaussianBlur(rows, (1, 63), 0, sigmaY=8)[:, 0]
    near = (down > 0.68) & (down < 0.98)
    cost = (fine / np.maximum(coarse, 1) - 1 + LIP_WEIGHT * ((down - LIP_LINE) / LIP_SPREAD) ** 2)[near]
    y = float(down[near][cost.argmin()]) + 0.0067  # the lips' centre is a little below the line between them
    x = 0.505
    if len(frames) > 1:
        moving = (np.abs(np.diff(patch, axis=0)).mean(axis=0) ** 2)[(down > 0.66) & (down < 1.02)][
            :, (across > 0.36) & (across < 0.66)
        ]
        if moving.sum() > 0:
            x = float((moving.sum(axis=0) * across[(across > 0.36) & (across < 0.66)]).sum() / moving.sum())
    return left + x * width, top + y * width


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    cv2.setNumThreads(1)  # detections are grouped in the order in which threads find them
    path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
    if not path.is_file():
        raise UseError(
            f"OpenCV {cv2.__version__} comes without {path.name}; run: pip install 'opencv-python-headless<5'"
        )
    return cv2.CascadeClassifier(str(path))


PROVIDERS: dict[str, Callable[[UInt8, Path | None], Warps]] = {"haar": haar, "precomputed": precomputed}
"""Name -> function from pictures and the clip's landmark file to transforms.  A detector is one more entry; it may
end in `from_landmarks`."""
