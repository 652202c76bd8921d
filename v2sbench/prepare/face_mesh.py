"""Face mesh: 468 points of a face, found once and followed from picture to picture, as 68 landmarks in iBUG order.

    picture -> 128x128 -> detector: boxes and their eyes -> square around the largest face, its eyes level
    picture, square -> 192x192 -> 468 points, and whether a face is there -> square around them, for the next picture

Both networks are MediaPipe's (short-range BlazeFace, Bazarevsky et al. 2019; face mesh, Kartynnik et al. 2019), under
Apache-2.0, read out of its wheel and run by OpenCV on one thread; the package itself is not imported.  While the mesh
sees a face, the detector is not asked.  When it does not, the detector looks at the same picture; where that finds
nothing either, the picture is missed.  Every second picture is looked at, what lies between is linear.

On 35 clips of 8 GRID speakers (`benchmarks/speed_roi.py`; 2,625 pictures) no face is missed, at 1.6 ms a picture; with
decoding and crops 17 times real time on one core.  Crops as from a look at every picture have their corners within .38
pixels (95 %; .96 at most).  Against dlib's 68 points in 175 of the pictures: the mouth's middle within 2.0 pixels of
the crop across and 3.3 down (of it 1.6 in all, by what is called the upper lip's edge), the size within 3.5 % (95 %).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import UInt8
from v2sbench.prepare.crops import Warps, cut
from v2sbench.prepare.landmarks import from_landmarks, interpolate
from v2sbench.runtime import UseError, sha256_file

INSTALL = "pip install --no-deps mediapipe==0.10.21"
"""Brings the networks; without its dependencies, which are not needed and hold numpy below 2."""
DETECTOR = "face_detection/face_detection_short_range.tflite"  # below mediapipe/modules
MESH = "face_landmark/face_landmark.tflite"
DIGESTS = {  # SHA-256, since other networks give other crops
    DETECTOR: "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    MESH: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
}
DETECTOR_PX, MESH_PX = 128, 192  # height and width of the pictures that the networks look at
GRID = ((16, 2), (8, 6))  # the detector's answers: cells across, and boxes in each
OVERLAP = 0.3  # boxes that share more than this of their union show one face, and are averaged
MARGIN = 1.5  # side of the square in which the mesh looks, relative to the face's box, as in its training
STRIDE = 2  # one of so many pictures is looked at; those between are interpolated

_JAW = (127, 234, 93, 58, 172, 136, 149, 176, 152, 400, 378, 365, 397, 288, 323, 454, 356)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_NOSE = (168, 197, 195, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_LIPS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
IBUG = _JAW + _BROWS + _NOSE + _EYES + _LIPS  # the mesh's points for landmarks 0 to 67; checked against dlib's
RIGHT_EYE, LEFT_EYE = 33, 263  # the mesh's points at the eyes' outer corners, the one on the picture's left first

Points = NDArray[np.float64]
"""(n, 2) places in a picture in pixels, x and y, whole numbers at the pixels' centres."""


@dataclass(frozen=True, kw_only=True)
class Square:
    """Where in a picture a face is looked at."""

    centre: Points  # (2,) in pixels
    side: float  # in pixels
    angle: float  # radians by which the line from eye to eye is turned, clockwise as seen

    def warp(self, size: int) -> NDArray[np.float64]:
        """(2, 3) transform from the picture to `size` x `size` pixels in which the eyes are level."""
        scale = size / self.side
        c, s = scale * np.cos(self.angle), scale * np.sin(self.angle)
        linear = np.array([[c, s], [-s, c]])
        return np.column_stack([linear, (size - 1) / 2 - linear @ self.centre])


class FaceMesh:
    """The detector and the mesh: 68 landmarks a picture."""

    def __init__(self, detector: Path, mesh: Path) -> None:
        """Read the two files; OpenCV runs them on one thread, here and in all that it does."""
        cv2.setNumThreads(1)
        self.detector = cv2.dnn.readNetFromTFLite(str(detector))
        self.mesh = cv2.dnn.readNetFromTFLite(str(mesh))
        self.anchors = np.concatenate([_anchors(*layer) for layer in GRID])
        self.turn = Lock()  # a network holds its input, and workers of a cluster may be threads

    def detect(self, picture: UInt8) -> Square | None:
        """(H, W) uint8 grey -> the square around its largest face, None where there is none.

        Faces below a tenth or so of the whole picture are found in parts of it, looked at where the whole shows none.
        """
        for parts in _searched(*picture.shape):
            faces = [face for part in parts for face in self._detect(picture, part)]
            if faces:
                return max(faces, key=lambda face: face.side)
        return None

    def _detect(self, picture: UInt8, part: Square) -> Iterator[Square]:
        """Squares around the faces in a level square of a picture."""
        view = 2 * _view(picture, part.warp(DETECTOR_PX), DETECTOR_PX) - 1
        scores, boxes = self._run(self.detector, view, "classificators", "regressors")
        scale = part.side / DETECTOR_PX
        for face in _faces(scores, boxes.reshape(-1, 8, 2), self.anchors):
            found = _square_of(face)
            centre = (found.centre - (DETECTOR_PX - 1) / 2) * scale + part.centre
            yield Square(centre=centre, side=found.side * scale, angle=found.angle)

    def look(self, picture: UInt8, square: Square) -> Points | None:
        """(H, W) uint8 grey -> (468, 2) points of the face in the square, None where the mesh sees none."""
        warp = square.warp(MESH_PX)
        points, seen = self._run(self.mesh, _view(picture, warp, MESH_PX), "conv2d_21", "conv2d_31")
        if seen[0] <= 0:  # the logarithm of its odds
            return None
        within = points.reshape(-1, 3)[:, :2] - 0.5  # the mesh counts from the pixels' edges
        return np.asarray((within - warp[:, 2]) @ np.linalg.inv(warp[:, :2]).T)

    def _run(self, network: cv2.dnn.Net, view: NDArray[np.float32], *answers: str) -> list[NDArray[np.float64]]:
        """A network's named answers to a view, each in one row of numbers."""
        with self.turn:
            network.setInput(view)
            return [np.array(answer, np.float64).ravel() for answer in network.forward(answers)]

    def follow(self, pictures: Sequence[UInt8] | UInt8) -> NDArray[np.float64]:
        """(n, H, W) uint8 grey pictures, in order -> (n, 68, 2) landmarks in pixels, NaN where a face was missed."""
        out = np.full((len(pictures), len(IBUG), 2), np.nan)
        square: Square | None = None
        for k, picture in enumerate(pictures):
            points = self.look(picture, square) if square else None
            if points is None and (square := self.detect(picture)):
                points = self.look(picture, square)
            square = None if points is None else _around(points)
            if points is not None:
                out[k] = points[list(IBUG)]
        return out


def find_by_mesh(frames: UInt8) -> Warps:
    """(F, H, W) grey pictures -> (F, 2, 3) transforms.

    Raises RoiError ``no-face`` when no face is seen in over half of the pictures looked at, UseError when the networks
    are missing.
    """
    looked = np.unique([*range(0, len(frames), STRIDE), len(frames) - 1])
    rows = interpolate(load_mesh().follow([frames[k] for k in looked])).reshape(len(looked), -1)
    at = np.arange(len(frames))
    between = np.stack([np.interp(at, looked, column) for column in rows.T], axis=1)
    return from_landmarks(between.reshape(len(frames), len(IBUG), 2), len(frames))


@lru_cache(maxsize=1)
def load_mesh() -> FaceMesh:
    """The networks; UseError names the install where they are missing, or are not those that the crops are known by."""
    spec = importlib.util.find_spec("mediapipe")
    folder = Path(spec.origin).with_name("modules") if spec and spec.origin else None
    if folder is None or not all((folder / name).is_file() for name in DIGESTS):
        raise UseError(f"the face mesh needs its networks: {INSTALL} (or give --roi haar, or landmarks of your own)")
    for name, digest in DIGESTS.items():
        if sha256_file(folder / name) != digest:
            raise UseError(f"{folder / name} is not that of mediapipe 0.10.21; run: {INSTALL}")
    return FaceMesh(folder / DETECTOR, folder / MESH)


def _searched(height: int, width: int) -> Iterator[list[Square]]:
    """Where the detector looks: at the whole, in squares of its shorter side, in squares of half of that."""
    middle = np.array([width - 1, height - 1]) / 2
    yield [Square(centre=middle, side=float(max(height, width)), angle=0.0)]
    for side in (min(height, width), min(height, width) / 2):
        across, down = (
            np.linspace(side / 2, length - side / 2, max(1, round(2 * length / side) - 1)) - 0.5
            for length in (width, height)
        )  # half of each is in the next
        yield [Square(centre=np.array([x, y]), side=float(side), angle=0.0) for y in down for x in across]


def _anchors(cells: int, boxes: int) -> Points:
    """(cells * cells * boxes, 2) middles of the detector's cells in its pixels, row by row."""
    rows, columns = np.mgrid[0:cells, 0:cells]
    middles = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * (DETECTOR_PX / cells)
    return np.repeat(middles, boxes, axis=0)


def _faces(scores: NDArray[np.float64], boxes: NDArray[np.float64], anchors: Points) -> Iterator[NDArray[np.float64]]:
    """The detector's answers, (896,) log odds and (896, 8, 2) middle, size and six points, as one (8, 2) a face."""
    probable = scores > 0
    scores, boxes = 1 / (1 + np.exp(-scores[probable].clip(max=100))), boxes[probable].copy()
    boxes[:, [0, *range(2, 8)]] += anchors[probable, None] - 0.5  # here too, from edges to middles
    while len(boxes):
        low, high = boxes[:, 0] - boxes[:, 1] / 2, boxes[:, 0] + boxes[:, 1] / 2
        best = int(scores.argmax())
        shared = (np.minimum(high, high[best]) - np.maximum(low, low[best])).clip(min=0).prod(axis=1)
        areas = boxes[:, 1].prod(axis=1)
        same = shared > OVERLAP * (areas + areas[best] - shared)
        same[best] = True
        yield np.average(boxes[same], axis=0, weights=scores[same])
        scores, boxes = scores[~same], boxes[~same]


def _square_of(face: NDArray[np.float64]) -> Square:
    """(8, 2): middle, size, two eyes and other points of a detected face -> where the mesh is to look."""
    return Square(centre=face[0], side=MARGIN * float(face[1].max()), angle=_turn(face[2], face[3]))


def _around(points: Points) -> Square:
    """(468, 2) points of a face in one picture -> where the mesh is to look in the next."""
    low, high = points.min(axis=0), points.max(axis=0)
    turn = _turn(points[RIGHT_EYE], points[LEFT_EYE])
    return Square(centre=(low + high) / 2, side=MARGIN * float((high - low).max()), angle=turn)


def _turn(right: Points, left: Points) -> float:
    """Radians by which the line between two (2,) eyes is turned."""
    return float(np.arctan2(left[1] - right[1], left[0] - right[0]))


def _view(picture: UInt8, warp: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """What a network looks at: (1, 3, size, size) in 0 to 1, grey where it expects colours."""
    out = np.empty((size, size), np.uint8)
    cut(picture, warp, out)
    return np.ascontiguousarray(np.broadcast_to(out.astype(np.float32) / 255, (1, 3, size, size)))
