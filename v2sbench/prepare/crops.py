"""What every provider ends in: a similarity transform a frame, and what is cut from the picture under it.

picture, transform -> 96x96 crop of the mouth
                   -> 192x192 still of the face
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import SIZE, UInt8

PX_PER_MM = 1.17  # crop pixels per millimetre of an average face

STILL = 192  # height and width of a face still in pixels
STILL_PX_PER_MM = 0.8  # still pixels per millimetre of an average face: a still shows 240 mm
STILL_MOUTH = (96.0, 121.6)  # the mouth's centre in a still; the eyes are 54 pixels higher, the face in the middle

LARGE = 0.4  # a picture that is shrunk below this is cut to the part that is seen first, which saves most of the time

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


def crop(frames: UInt8, warps: Warps) -> UInt8:
    """(F, H, W) pictures and (F, 2, 3) transforms -> (F, 96, 96); shrinking averages pixels, edges are continued."""
    out = np.empty((len(frames), SIZE, SIZE), np.uint8)
    for k, (frame, warp) in enumerate(zip(frames, warps, strict=True)):
        cut(frame, warp, out[k])
    return out


def face_still(frame: UInt8, warp: NDArray[np.float64]) -> UInt8:
    """(H, W) picture and its (2, 3) transform to a mouth crop -> (192, 192) grey still of the whole face.

    The mouth's centre, the face's size and, where the provider knows it, its upright are those of the crop.
    """
    scale = STILL_PX_PER_MM / PX_PER_MM
    place = scale * warp
    place[:, 2] += np.array(STILL_MOUTH) - scale * SIZE / 2
    still = np.empty((STILL, STILL), np.uint8)
    cut(frame, place, still)
    return still


def cut(frame: UInt8, warp: NDArray[np.float64], out: UInt8) -> None:
    """Fill the square `out` from a picture under a similarity transform (2, 3)."""
    scale = float(np.hypot(warp[0, 0], warp[1, 0]))
    if scale < 0.75:  # bilinear reading would skip pixels
        if scale < LARGE:
            frame, warp = _part(frame, warp, len(out))
        shape = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
        factors = np.array([frame.shape[1] / shape[0], frame.shape[0] / shape[1]])
        frame = np.asarray(cv2.resize(frame, shape, interpolation=cv2.INTER_AREA), np.uint8)
        linear = warp[:, :2] * factors
        warp = np.column_stack([linear, warp[:, 2] + warp[:, :2] @ (factors - 1) / 2])
    cv2.warpAffine(frame, warp, out.shape, dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _part(frame: UInt8, warp: NDArray[np.float64], size: int) -> tuple[UInt8, NDArray[np.float64]]:
    """The part of a picture that `size` x `size` pixels under a transform show, and the transform from there."""
    corners = np.array([(-1, -1), (size, -1), (-1, size), (size, size)]) - warp[:, 2]
    places = corners @ np.linalg.inv(warp[:, :2]).T
    spare = 2 / np.hypot(*warp[:, 0])  # two pixels of what is made, so that edges are only continued at the picture's
    sides = np.array(frame.shape[1::-1])
    low = np.clip(np.floor(places.min(axis=0) - spare).astype(int), 0, sides - 1)
    high = np.clip(np.ceil(places.max(axis=0) + spare).astype(int) + 1, low + 1, sides)
    part = frame[low[1] : high[1], low[0] : high[0]]
    return part, np.column_stack([warp[:, :2], warp[:, 2] + warp[:, :2] @ low])


def scaled(centres: NDArray[np.float64], scale: float, size: int) -> Warps:
    """Transforms that scale, and move (F, 2) picture places to the middle of a square of `size` pixels."""
    warps = np.zeros((len(centres), 2, 3))
    warps[:, 0, 0] = warps[:, 1, 1] = scale
    warps[:, :, 2] = size / 2 - scale * centres
    return warps
