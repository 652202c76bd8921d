"""Mouth crops: pictures (F, H, W) -> (F, 96, 96) grey, one provider interface, one scale.

A provider looks at a clip and returns one similarity transform a frame, from picture pixels to crop pixels.  In the
crop the mouth's centre is at (48, 48), the eyes are level, and one millimetre of an average face is `PX_PER_MM` pixels:
a mouth is 50-61 pixels wide, 52-64 % of the crop, and 56 on average over GRID speakers, whichever provider found it.

* ``precomputed``: 68 landmarks a frame (iBUG order) from a file.  The field's recipe: linear interpolation over missed
  frames, 12-frame smoothing, least-squares similarity of the stable points onto a mean face, patch centred on points
  48-67.  Centre and transform are both of the smoothed landmarks: a patch that follows every frame's own mouth would
  hide the very motion that is to be read.
* ``haar``: for clips without landmarks, a face box: OpenCV's frontal-face cascade on 9 pictures, of the boxes that
  agree the median width, and the place interpolated between pictures.  Within it, for the whole clip, the lip line is
  the darkest row near its usual place and the mouth's middle the centroid of motion.  A tilted head stays tilted.

The same transform places the face: `face_still` cuts it from one picture, for the face embedding; no second search.

Accuracy of ``haar``, against dlib landmarks in 9 pictures of each of 272 clips of 8 GRID speakers, in crop pixels:
median .9 across and .8 down, 95 % 2.8 and 2.6, worst 5.8 (a box that stands still: 1.2, 4.1, 21); scale within 4 %.

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

STILL = 192
"""Height and width of a face still in pixels."""
STILL_PX_PER_MM = 0.8
"""Still pixels per millimetre of an average face: 240 mm in all; GRID's faces come in .76 a millimetre."""
STILL_MOUTH = (96.0, 121.6)
"""Where the mouth's centre is in a still; the eyes are 54 pixels higher, so that the face is in the middle."""

SAMPLED = 9
"""Pictures in which ``haar`` looks for a face."""
BOX_PX = 204
"""Crop pixels across the cascade's face box: makes GRID's mouths the size that landmarks make them, 56 on average."""
LIP_MIDDLE = 0.505
"""Usual middle of the mouth in the face box, in box widths from the left."""
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
    return crop(frames, find_mouth(frames, landmarks=landmarks, provider=provider))


def find_mouth(frames: UInt8, *, landmarks: Path | None = None, provider: str = "auto") -> Warps:
    """(F, H, W) uint8 grey pictures -> (F, 2, 3) transforms to mouth crops; the rest as for `mouth_roi`."""
    if provider == "auto":
        provider = "precomputed" if landmarks is not None else "haar"
    return choose("ROI provider", provider, PROVIDERS)(frames, landmarks)


def crop(frames: UInt8, warps: Warps) -> UInt8:
    """(F, H, W) pictures and (F, 2, 3) transforms -> (F, 96, 96); shrinking averages pixels, edges are continued."""
    out = np.empty((len(frames), SIZE, SIZE), np.uint8)
    for k, (frame, warp) in enumerate(zip(frames, warps, strict=True)):
        _warp(frame, warp, out[k])
    return out


def face_still(frame: UInt8, warp: NDArray[np.float64]) -> UInt8:
    """(H, W) picture and its (2, 3) transform to a mouth crop -> (192, 192) grey still of the whole face.

    The mouth's centre, the face's size and, where the provider knows it, its upright are those of the crop.
    """
    scale = STILL_PX_PER_MM / PX_PER_MM
    place = scale * warp
    place[:, 2] += np.array(STILL_MOUTH) - scale * SIZE / 2
    still = np.empty((STILL, STILL), np.uint8)
    _warp(frame, place, still)
    return still


def _warp(frame: UInt8, warp: NDArray[np.float64], out: UInt8) -> None:
    """Fill the square `out` from a picture under a similarity transform (2, 3)."""
    scale = float(np.hypot(warp[0, 0], warp[1, 0]))
    if scale < 0.75:  # bilinear reading would skip pixels
        shape = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        factors = np.array([frame.shape[1] / shape[0], frame.shape[0] / shape[1]])
        frame = np.asarray(cv2.resize(frame, shape, interpolation=cv2.INTER_AREA), np.uint8)
        linear = warp[:, :2] * factors
        warp = np.column_stack([linear, warp[:, 2] + warp[:, :2] @ (factors - 1) / 2])
    cv2.warpAffine(frame, warp, out.shape, dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


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
    """Provider: one size and one mouth place a clip, in a face box from OpenCV's cascade that follows the head."""
    corners, width = face_box(frames)
    x, y = _mouth(frames, corners, width)
    return _scaled(corners + width * np.array([x, y]), BOX_PX / width, SIZE)


def _scaled(centres: NDArray[np.float64], scale: float, size: int) -> Warps:
    """Transforms that scale, and move (F, 2) picture places to the middle of a square of `size` pixels."""
    warps = np.zeros((len(centres), 2, 3))
    warps[:, 0, 0] = warps[:, 1, 1] = scale
    warps[:, :, 2] = size / 2 - scale * centres
    return warps


def face_box(frames: UInt8) -> tuple[NDArray[np.float64], float]:
    """Square face box of a clip: its top left corner in every frame, (F, 2) pixels, and its width.

    The width is the median of the detections that agree; the corner moves linearly between the sampled pictures.
    Boxes agree when their centres are within a fifth of their width and their widths within a quarter.  They must agree
    in more than half of the sampled pictures, else RoiError ``no-face``.
    """
    picked = np.unique(np.linspace(0, len(frames) - 1, SAMPLED).round().astype(int))
    found = [(int(k), *box) for k in picked for box in _boxes(frames[k])]
    detections = np.array(found, np.float64).reshape(-1, 4)
    best = detections[:0]
    for box in detections:
        apart = np.hypot(*(detections[:, 1:3] - box[1:3]).T)
        agree = (apart < box[3] / 5) & (np.abs(np.log(detections[:, 3] / box[3])) < np.log(1.25))
        if len(np.unique(detections[agree, 0])) > len(np.unique(best[:, 0])):
            best = detections[agree]
    seen = np.unique(best[:, 0])
    if 2 * len(seen) <= len(picked):
        raise RoiError("no-face", f"a face at one place in {len(seen)} of {len(picked)} sampled pictures")
    width = float(np.median(best[:, 3]))
    centres = np.array([best[best[:, 0] == k, 1:3].mean(axis=0) for k in seen])
    moving = np.stack([np.interp(np.arange(len(frames)), seen, column) for column in centres.T], axis=1)
    return moving - width / 2, width


def picture_still(picture: UInt8) -> UInt8:
    """(H, W) uint8 grey picture of a face -> (192, 192) still, by the largest box of the cascade and no film.

    Raises RoiError ``no-face`` when there is none.
    """
    boxes = _boxes(picture)
    if not boxes:
        height, width = picture.shape
        raise RoiError("no-face", f"no frontal face in the picture of {width}x{height}")
    x, y, width = max(boxes, key=lambda box: (box[2], box))
    mouth = np.array([[x + width * (LIP_MIDDLE - 0.5), y + width * (LIP_LINE - 0.5)]])
    return face_still(picture, _scaled(mouth, BOX_PX / width, SIZE)[0])


def _boxes(picture: UInt8) -> list[tuple[float, float, float]]:
    """Face boxes of the cascade in one picture: centre x and y, and width, in its pixels."""
    shrink = min(1.0, 288 / min(picture.shape))
    if shrink < 1:
        picture = np.asarray(cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    smallest = min(picture.shape) // 6
    boxes = _cascade().detectMultiScale(picture, 1.1, 5, minSize=(smallest, smallest))
    return [((x + w / 2) / shrink, (y + w / 2) / shrink, w / shrink) for x, y, w, _ in boxes]


def _mouth(frames: UInt8, corners: NDArray[np.float64], width: float) -> tuple[float, float]:
    """Place (x, y) of the mouth's centre in the face box, in box widths: x by motion, y by the darkest row."""
    size, part = 64, 0.6  # a patch that covers .6 box widths: x .2 to .8, y .55 to 1.15
    warps = _scaled(corners + width * np.array([0.5, 0.85]), size / (part * width), size)
    patch = np.stack(
        [
            cv2.warpAffine(frame, warp, (size, size), borderMode=cv2.BORDER_REPLICATE)
            for frame, warp in zip(frames, warps, strict=True)
        ]
    ).astype(np.float32)
    across, down = (start + part * (np.arange(size) + 0.5) / size for start in (0.2, 0.55))
    rows = patch[:, :, np.abs(across - LIP_MIDDLE) < 0.16].mean(axis=(0, 2))[:, None]
    fine, coarse = (
        cv2.GaussianBlur(rows, (1, 8 * taps + 1), 0, sigmaY=sigma)[:, 0] for taps, sigma in ((2, 1.5), (8, 8))
    )
    darker = fine / np.maximum(coarse, 1) - 1 + LIP_WEIGHT * ((down - LIP_LINE) / LIP_SPREAD) ** 2
    darker[np.abs(down - 0.83) > 0.15] = np.inf
    y = float(down[darker.argmin()]) + 0.0067  # the lips' centre is a little below the line between them
    columns = np.abs(across - 0.51) < 0.15
    moved = np.abs(np.diff(patch, axis=0)).sum(axis=0)[np.abs(down - 0.84) < 0.18][:, columns] ** 2
    x = float(moved.sum(axis=0) @ across[columns] / moved.sum()) if moved.sum() > 0 else LIP_MIDDLE
    return x, y


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
