"""The face mesh: its geometry as laws, its search on made-up networks, and what it finds on drawn and on real faces."""

from __future__ import annotations

import importlib.machinery
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marks import applied
from v2sbench.prepare import face_mesh as mesh
from v2sbench.prepare import media
from v2sbench.prepare import mouths as roi
from v2sbench.prepare.crops import RoiError
from v2sbench.prepare.face_mesh import FaceMesh, Square
from v2sbench.prepare.landmarks import MOUTH, from_landmarks
from v2sbench.runtime import UseError, rng
from v2sbench.talker.face import Talker
from v2sbench.talker.portrait import looks_of
from v2sbench.talker.visemes import tracks
from v2sbench.talker.voice import Phone


@pytest.fixture(scope="module")
def networks():
    mesh.load_mesh.cache_clear()
    try:
        return mesh.load_mesh()
    except UseError as error:
        pytest.skip(str(error))


# ---------------------------------------------------------------- geometry


@given(
    st.tuples(st.floats(-500, 2500), st.floats(-500, 2500)), st.floats(10, 3000), st.floats(-3.1, 3.1),
    st.sampled_from([128, 192]),
)  # fmt: skip
def test_a_square_fills_the_view_with_its_eyes_level(centre, side, angle, size):
    square = Square(centre=np.array(centre), side=side, angle=angle)
    along = np.array([np.cos(angle), np.sin(angle)]) * side / 2
    down = np.array([-along[1], along[0]])
    corners = np.stack([square.centre, square.centre - along, square.centre + along, square.centre + down])
    middle = (size - 1) / 2
    expected = [(middle, middle), (-0.5, middle), (size - 0.5, middle), (middle, size - 0.5)]
    np.testing.assert_allclose(applied(square.warp(size), corners), expected, atol=1e-6)


# ---------------------------------------------------------------- the search


class Scripted(FaceMesh):
    """Networks that answer as told: one entry a look, whether a face is there; and one a search."""

    def __init__(self, looks, searches):
        self.looks, self.searches, self.squares = list(looks), list(searches), []

    def detect(self, picture):
        return Square(centre=np.zeros(2), side=100.0, angle=0.0) if self.searches.pop(0) else None

    def look(self, picture, square):
        self.squares.append(square)
        if not self.looks.pop(0):
            return None
        points = np.zeros((468, 2)) + picture[0, 0]
        points[0], points[mesh.LEFT_EYE] = picture[0, 0] + 40, picture[0, 0] + [10, 10]
        return points


def film(count):
    return np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)


def test_a_face_is_found_once_and_followed():
    networks = Scripted([True] * 5, [True])
    rows = networks.follow(film(5))
    assert rows.shape == (5, 68, 2)
    np.testing.assert_array_equal(rows[:, 36, 0], np.arange(5))
    assert networks.searches == []
    follows = networks.squares[3]
    np.testing.assert_allclose(follows.centre, 2 + 20)
    assert follows.side == pytest.approx(60)
    assert follows.angle == pytest.approx(np.pi / 4)


def test_a_lost_face_is_searched_in_the_same_picture():
    networks = Scripted([True, False, True, True], [True, True])
    assert np.isfinite(networks.follow(film(3))).all()
    assert [square.side for square in networks.squares] == pytest.approx([100, 60, 100, 60])


def test_misses_are_rows_of_nan():
    """Nothing detected in pictures 0 and 3; in picture 2 a box in which the mesh sees no face."""
    networks = Scripted([True, False, False, True], [False, True, True, False, True])
    seen = np.isfinite(networks.follow(film(5))).all(axis=(1, 2))
    assert seen.tolist() == [False, True, False, False, True]
    assert (networks.looks, networks.searches) == ([], [])


@pytest.mark.parametrize("frames", [1, 2, 3, 10, 75])
def test_every_other_picture_is_looked_at_and_the_last(monkeypatch, frames):
    looked = []

    class Still(FaceMesh):
        def __init__(self):
            pass

        def follow(self, pictures):
            looked.extend(picture[0, 0].item() for picture in pictures)
            face = np.random.default_rng(0).uniform(0, 100, (68, 2))
            return face + 3.0 * np.stack(pictures)[:, 0, :1, None]

    monkeypatch.setattr(mesh, "load_mesh", Still)
    warps = mesh.find_by_mesh(film(frames))
    assert looked == sorted({*range(0, frames, 2), frames - 1})
    face = np.random.default_rng(0).uniform(0, 100, (68, 2))
    whole = from_landmarks(face + 3.0 * np.arange(frames)[:, None, None], frames)
    np.testing.assert_allclose(warps, whole, atol=1e-9)


def test_a_clip_that_is_mostly_missed_is_no_face(monkeypatch):
    monkeypatch.setattr(mesh, "load_mesh", lambda: Scripted([True, False], [True] + [False] * 5))
    with pytest.raises(RoiError, match="landmarks in 1 of 5 frames"):
        mesh.find_by_mesh(film(9))


# ---------------------------------------------------------------- the networks' files


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(mesh.importlib.util, "find_spec", lambda _: None)
    mesh.load_mesh.cache_clear()
    with pytest.raises(UseError, match="pip install --no-deps mediapipe"):
        roi.mouth_roi(np.zeros((2, 48, 64), np.uint8))
    mesh.load_mesh.cache_clear()


def test_networks_of_another_version_are_refused(monkeypatch, tmp_path):
    for name in mesh.DIGESTS:
        path = tmp_path / "modules" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"other weights")
    spec = importlib.machinery.ModuleSpec("mediapipe", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(mesh.importlib.util, "find_spec", lambda _: spec)
    mesh.load_mesh.cache_clear()
    with pytest.raises(UseError, match=r"short_range\.tflite is not that of mediapipe"):
        mesh.load_mesh()
    mesh.load_mesh.cache_clear()


# ---------------------------------------------------------------- drawn faces


def drawn(number):
    """(14, 288, 360) grey pictures of an embedded speaker, and the landmarks that they were drawn by."""
    phones = [Phone(name=n, start=0.1 * k, end=0.1 * k + 0.1, word=0, stressed=False) for k, n in enumerate("paIml")]
    pictures, marks = Talker(looks_of(1, number, number % 2 == 0)).film(
        tracks(phones, 14, offset=0.1), rng(1, "film", number)
    )
    return np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]), marks


@pytest.fixture(scope="module")
def talker():
    return drawn(3)


@pytest.mark.parametrize("number", [3, 8])
def test_a_drawn_face_is_cropped_as_by_its_own_landmarks(networks, number):
    pictures, marks = drawn(number)
    found, true = roi.find_mouth(pictures), from_landmarks(marks, len(pictures))
    for k in range(len(pictures)):
        centre = marks[k, MOUTH].mean(axis=0)
        np.testing.assert_allclose(applied(found[k], centre), applied(true[k], centre), atol=5)
        assert np.linalg.det(found[k, :, :2]) == pytest.approx(np.linalg.det(true[k, :, :2]), rel=0.1)


@pytest.mark.parametrize("canvas", [(1080, 1920), (2160, 3840), (640, 360)])
def test_a_face_anywhere_in_a_large_picture(networks, talker, canvas):
    """The same pictures larger, tilted and off the middle of a grey one: the points come along."""
    picture = talker[0][3]
    angle, scale = np.radians(12), 1.2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    warp = np.column_stack([turn, (canvas[1] * 0.5 - 150, canvas[0] * 0.5 - 180)])
    moved = cv2.warpAffine(picture, warp, canvas[::-1], borderValue=90)
    there = networks.follow(moved[None])[0]
    here = networks.follow(picture[None])[0]
    assert np.abs(there - applied(warp, here)).max() < 10
    assert np.abs(there - applied(warp, here)).mean() < 3


ACROSS = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip
"""Of every landmark, the one on the other side of the face."""


def test_landmarks_stand_for_one_part_of_the_face_each(networks, talker):
    """In the mirrored picture every landmark lies where the one across lay, and eyes, nose and lips are in order."""
    picture = talker[0][3]
    here, there = (networks.follow(np.ascontiguousarray(view)[None])[0] for view in (picture, picture[:, ::-1]))
    there[:, 0] = 359 - there[:, 0]
    assert len({*mesh.IBUG}) == 68
    assert np.abs(there[ACROSS] - here).max() < 8
    assert np.abs(there[ACROSS] - here).mean() < 2
    assert (np.diff(here[[36, 39, 27, 42, 45], 0]) > 8).all()
    assert (np.diff(here[[27, 28, 29, 30, 33, 51, 57, 8], 1]) > 0).all()


def test_of_two_faces_the_larger_is_taken(networks, talker):
    picture = talker[0][3]
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    both = np.full((288, 560), 90, np.uint8)
    both[60:204, 10:190] = small
    both[:, 200:] = picture
    square = networks.detect(both)
    assert square is not None
    alone = networks.detect(picture)
    assert alone is not None
    np.testing.assert_allclose(square.centre - [200, 0], alone.centre, atol=8)


def test_threads_share_the_networks(networks, talker):
    films = [talker[0][::2], talker[0][1::2], talker[0][::-3], talker[0][::4]]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(networks.follow, films))
    for rows, film_ in zip(together, films, strict=True):
        np.testing.assert_array_equal(rows, networks.follow(film_))


@pytest.mark.parametrize("shape", [(288, 360), (1080, 1920), (16, 16)])
def test_no_face_in_noise(networks, shape):
    noise = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    with pytest.raises(RoiError) as caught:
        roi.mouth_roi(noise)
    assert caught.value.reason == "no-face"


# ---------------------------------------------------------------- real faces

CLIPS = ["s1/bbaf2n.mp4", "s4/bbilzs.mp4", "s30/*.mpg", "s2/*.mpg"]


def real_pictures(grid_root, clip):
    paths = sorted(grid_root.glob(clip))
    if not paths:
        pytest.skip(f"{clip} is not in this copy of GRID")
    return media.decode(paths[0], audio=False).frames


@pytest.mark.real
@pytest.mark.parametrize("provider", ["haar", "mesh"])
@pytest.mark.parametrize("clip", CLIPS)
def test_real_faces(networks, grid_root, clip, provider):
    """In a crop of a real face the lips lie in the middle: darker than what is above and below, and moving."""
    crops = roi.mouth_roi(real_pictures(grid_root, clip), provider=provider).astype(float)
    assert crops.shape == (75, 96, 96)
    moving = np.abs(np.diff(crops, axis=0)).mean(axis=0)
    assert moving[30:70, 22:74].mean() > 1.2 * moving[:20].mean()
    rows = crops[:, :, 36:60].mean(axis=(0, 2))
    assert 38 <= 30 + rows[30:66].argmin() <= 56


@pytest.mark.real
@pytest.mark.parametrize("clip", CLIPS)
def test_both_detectors_agree(networks, grid_root, clip):
    """To a few pixels of the crop in place; in size to what the box leaves open, 14 % in the worst of these."""
    pictures = real_pictures(grid_root, clip)
    by_mesh, by_box = (roi.find_mouth(pictures, provider=name) for name in ("mesh", "haar"))
    middle = np.stack([np.linalg.solve(warp[:, :2], 48 - warp[:, 2]) for warp in by_mesh])
    apart = np.stack([applied(warp, point) for warp, point in zip(by_box, middle, strict=True)]) - 48
    assert np.abs(np.median(apart, axis=0)).max() < 4
    sizes = np.linalg.det(by_mesh[:, :, :2]) / np.linalg.det(by_box[:, :, :2])
    assert np.sqrt(np.median(sizes)) == pytest.approx(1, abs=0.16)


@pytest.mark.real
def test_every_second_picture_is_enough(networks, grid_root, monkeypatch):
    """Corners of the crop move by under a pixel, a fifth of one on average, against a look at every picture."""
    pictures = real_pictures(grid_root, CLIPS[1])
    sparse = roi.find_mouth(pictures)
    monkeypatch.setattr(mesh, "STRIDE", 1)
    dense = roi.find_mouth(pictures)
    corners = np.array([(0, 0), (95, 0), (0, 95), (95, 95)])
    back = [np.linalg.solve(warp[:, :2], (corners - warp[:, 2]).T).T for warp in dense]
    apart = np.abs(np.stack([applied(warp, places) for warp, places in zip(sparse, back, strict=True)]) - corners)
    assert apart.max() < 1.5
    assert apart.mean() < 0.25
