"""Face box: the mouth in clips of a face seen from the front, found with OpenCV alone.

OpenCV's frontal-face cascade looks at 9 pictures. Of the boxes that agree, the width is the median, and the place is
interpolated between pictures. Within the box, for the whole clip, the lip line is the darkest row near its usual place
and the mouth's middle the centroid of motion. A tilted head stays tilted.

Against dlib landmarks in 9 pictures of each of 272 clips of 8 GRID speakers, in crop pixels: median .9 across and .8
down, 95 % 2.8 and 2.6, worst 5.8 (a box that stands still: 1.2, 4.1, 21).  The size is right over speakers, not over
clips: against the face mesh it is 7.6 % off on average and 19 % at most (35 clips, `benchmarks/speed_roi.py`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import SIZE, UInt8
from v2sbench.prepare.crops import RoiError, Warps, face_still, scaled
from v2sbench.runtime import UseError

SAMPLED = 9  # pictures of a clip in which a face is looked for
BOX_PX = 204  # crop pixels across the cascade's face box: makes GRID's mouths as large as landmarks do, 56 on average
LIP_MIDDLE = 0.505  # usual middle of the mouth in the face box, in box widths from the left
LIP_LINE, LIP_SPREAD = 0.815, 0.05  # usual height of the lip line, in box widths from the top, and its spread
LIP_WEIGHT = 0.03  # relative darkness that one squared spread away from the usual height must be worth


def find_by_box(frames: UInt8) -> Warps:
    """(F, H, W) grey pictures -> (F, 2, 3) transforms: one size and one place in the face box for the whole clip.

    Raises RoiError ``no-face``, as `face_box` does.
    """
    corners, width = face_box(frames)
    x, y = _mouth(frames, corners, width)
    return scaled(corners + width * np.array([x, y]), BOX_PX / width, SIZE)


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
    return face_still(picture, scaled(mouth, BOX_PX / width, SIZE)[0])


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
    warps = scaled(corners + width * np.array([0.5, 0.85]), size / (part * width), size)
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
