"""Mouth crops: pictures (F, H, W) -> (F, 96, 96) grey, one provider interface, one scale.

    landmark file --files----> 68 points a frame --\
    pictures ------mesh------> 68 points a frame ---landmarks--> transforms --crops--> mouths (F, 96, 96), a face still
    pictures ------facebox---> a box, its lips ----------------/

A provider looks at a clip and returns one similarity transform a frame, from picture pixels to crop pixels.  In the
crop the mouth's centre is at (48, 48), the eyes are level, and a millimetre of an average face is `PX_PER_MM` pixels:
whichever provider found it, a mouth is 50-61 pixels wide and 56 on average over GRID speakers.

* ``precomputed``: 68 landmarks a picture (iBUG order) from a file.  The field's recipe: linear interpolation over
  missed frames, 12-frame smoothing, least-squares similarity of the stable points onto a mean face, patch centred on
  points 48-67. The centre, too, is of the smoothed landmarks: a patch that follows the mouth in every frame would hide
  the very motion that a model reads.
* ``mesh``: the same, with landmarks from a face detector and a face mesh.
* ``haar``: a face box and the lips in it, for faces seen from the front; needs no other package.

The same transform places the face: `face_still` cuts it from one picture for the face embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import UInt8
from v2sbench.prepare.crops import RoiError, Warps, crop
from v2sbench.prepare.face_box import find_by_box
from v2sbench.prepare.face_mesh import find_by_mesh
from v2sbench.prepare.landmark_files import read_landmarks
from v2sbench.prepare.landmarks import at_frames, from_landmarks
from v2sbench.runtime import choose

Shown = NDArray[np.intp]  # (F,) which of a film's own pictures each frame at 25 fps shows, `media.Recording.shown`


def mouth_roi(
    frames: UInt8, *, landmarks: Path | None = None, provider: str = "auto", shown: Shown | None = None
) -> UInt8:
    """(F, H, W) uint8 grey pictures -> (F, 96, 96) uint8 crops of the mouth; arguments, errors: `find_mouth`."""
    return crop(frames, find_mouth(frames, landmarks=landmarks, provider=provider, shown=shown))


def find_mouth(
    frames: UInt8, *, landmarks: Path | None = None, provider: str = "auto", shown: Shown | None = None
) -> Warps:
    """(F, H, W) uint8 grey pictures -> (F, 2, 3) transforms from picture to mouth crop.

    provider: a name of `PROVIDERS`, or ``auto``: ``precomputed`` where there are landmarks, else ``mesh``.
    shown: where given, landmarks may be of the film's own pictures, at whatever rate they come.
    Raises RoiError when no face is found or the landmarks cannot be used; UseError for an unknown provider, and where
    the networks of ``mesh`` are missing.
    """
    if provider == "auto":
        provider = "mesh" if landmarks is None else "precomputed"
    return choose("ROI provider", provider, PROVIDERS)(frames, landmarks, shown)


def _precomputed(frames: UInt8, landmarks: Path | None, shown: Shown | None) -> Warps:
    if landmarks is None:
        raise RoiError("bad-landmarks", "the clip came with no landmarks")
    return from_landmarks(at_frames(read_landmarks(landmarks), len(frames), shown), len(frames))


PROVIDERS: dict[str, Callable[[UInt8, Path | None, Shown | None], Warps]] = {
    "haar": lambda frames, *_: find_by_box(frames),
    "mesh": lambda frames, *_: find_by_mesh(frames),
    "precomputed": _precomputed,
}  # name -> pictures, the clip's landmark file and which pictures they are -> transforms
