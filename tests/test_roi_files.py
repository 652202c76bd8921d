"""Landmark files: every kind that labs share, and pickles that want to run something."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.marks import mean_landmarks, picture_of, turned
from tests.miniatures.mp4 import NTSC, write_mp4
from v2sbench.corpora.folder import LANDMARK_SUFFIXES
from v2sbench.prepare import landmark_files as files
from v2sbench.prepare import landmarks, media
from v2sbench.prepare import mouths as roi
from v2sbench.prepare.crops import RoiError
from v2sbench.prepare.landmark_files import read_landmarks

CLIP = np.repeat(turned(mean_landmarks(), 1.5, 0, (180, 80))[None], 5, axis=0) + np.arange(5)[:, None, None]
WITH_DEPTH = np.pad(CLIP, ((0, 0), (0, 0), (0, 1)), constant_values=7)
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def refusal(path) -> str:
    with pytest.raises(RoiError) as caught:
        read_landmarks(path)
    assert caught.value.reason == "bad-landmarks"
    assert str(path) in caught.value.detail
    return caught.value.detail


def pickled(tmp_path, content, protocol=4):
    path = tmp_path / "a.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


def unframed(content: bytes) -> bytes:
    """A pickle of protocol 4 or 5 of one frame without that frame, so that its text may change in length."""
    return content[:2] + content[11:] if content[2:3] == b"\x95" else content


# ---------------------------------------------------------------- what is read


def test_corpora_look_for_what_can_be_read():
    assert tuple(files.KINDS) == LANDMARK_SUFFIXES


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "named.npz", "three.npy", "BIG.NPY"])
def test_arrays(tmp_path, name):
    if name == "a.npz":
        np.savez(tmp_path / name, marks=CLIP)
    elif name == "named.npz":
        np.savez(tmp_path / name, score=np.ones(5), data=CLIP)
    else:
        with open(tmp_path / name, "wb") as file:
            np.save(file, WITH_DEPTH if name == "three.npy" else CLIP)
    np.testing.assert_array_equal(read_landmarks(tmp_path / name), CLIP)


HOLDERS = {
    "array": lambda: CLIP,
    "float32": lambda: CLIP.astype(np.float32),
    "whole numbers": lambda: CLIP.astype(np.int32),
    "big-endian": lambda: CLIP.astype(">f8"),
    "other order": lambda: np.asfortranarray(CLIP),
    "not contiguous": lambda: np.repeat(CLIP, 2, axis=0)[::2],
    "depth": lambda: WITH_DEPTH,
    "arrays": lambda: [*CLIP],
    "tuple": lambda: (*CLIP,),
    "dict": lambda: {"speaker/clip.mp4": CLIP},
    "of several": lambda: {"scores": [1.0] * 5, "landmarks": [*CLIP]},
    "objects": lambda: np.array([*CLIP, None], dtype=object)[:5],
    "lists": lambda: CLIP.tolist(),
    "one array twice": lambda: [CLIP[0], CLIP[0]],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_pickles(tmp_path, holder, protocol):
    value = HOLDERS[holder]()
    expected = np.array([CLIP[0]] * 2) if holder == "one array twice" else CLIP
    tolerance = {"float32": 1e-5, "whole numbers": 1}.get(holder, 0)
    np.testing.assert_allclose(read_landmarks(pickled(tmp_path, value, protocol)), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickles_of_numpy_1(tmp_path, protocol):
    content = unframed(pickle.dumps([None, *CLIP.astype(np.float32)], protocol))
    new, old = b"numpy._core", b"numpy.core"
    for module in (b".multiarray", b".numeric"):
        content = content.replace(new + module + b"\n", old + module + b"\n")  # protocols 0 to 3
        lengths = (b"\x8c" + bytes([len(stem + module)]) + stem + module for stem in (new, old))
        content = content.replace(*lengths)
    assert (new not in content, old in content) == (True, True)
    rows = read_landmarks(pickled(tmp_path, content))
    assert np.isnan(rows[0]).all()
    np.testing.assert_allclose(rows[1:], CLIP, atol=1e-5)


def test_pickles_of_python_2(tmp_path):
    """Their bytes are text of another kind."""
    raw = CLIP.astype("<f4").tobytes()
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x05KDK\x02\x87"
        b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", len(raw)) + raw + b"tb."
    )  # fmt: skip
    np.testing.assert_allclose(read_landmarks(pickled(tmp_path, content)), CLIP, atol=1e-5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_missed_faces_are_filled_in(tmp_path, protocol):
    path = pickled(tmp_path, [CLIP[0], None, CLIP[2], CLIP[3], None], protocol)
    rows = read_landmarks(path)
    assert np.isnan(rows).all(axis=(1, 2)).tolist() == [False, True, False, False, True]
    filled = landmarks.interpolate(rows)
    np.testing.assert_allclose(filled[:4], CLIP[:4])
    np.testing.assert_allclose(filled[4], CLIP[3])


def lrw(clip):
    """As published for LRW: of every picture a list of its faces, each a dict; None or nothing for a missed one."""
    face = {"id": 0, "facial_landmarks": None, "scores": np.ones(1), "bbox": [1.0, 2.0, 3.0, 4.0], "yaw": 0.0}
    rows = [[face | {"facial_landmarks": points}, face | {"facial_landmarks": points + 9}] for points in clip]
    return [rows[0], None, *rows[2:-1], []]


@pytest.mark.parametrize("suffix", LANDMARK_SUFFIXES)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_objects_in_any_kind_of_file(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    held = np.empty(len(CLIP), object)
    held[:] = lrw(CLIP.astype(kind))
    with path.open("wb") as file:
        match suffix:
            case ".npy":
                np.save(file, held)
            case ".npz":
                np.savez(file, data=held)
            case _:
                pickle.dump(held, file)
    rows = read_landmarks(path)
    assert np.isnan(rows).all(axis=(1, 2)).tolist() == [False, True, False, False, True]
    np.testing.assert_allclose(rows[[0, 2, 3]], CLIP[[0, 2, 3]], atol=1e-5)


def test_a_published_file(faulty_files):
    assert read_landmarks(faulty_files / "b08-lrw-landmarks-objects.npz").shape == (29, 68, 2)


@pytest.mark.parametrize("suffix", LANDMARK_SUFFIXES)
def test_crops_from_a_file(tmp_path, suffix):
    points = turned(mean_landmarks(), 1.5, 0, (180, 80))
    path = tmp_path / f"a{suffix}"
    marks = np.repeat(points[None], 30, axis=0)
    if suffix == ".pkl":
        path.write_bytes(pickle.dumps([*marks]))
    else:
        (np.save if suffix == ".npy" else np.savez)(path, marks)
    crops = roi.mouth_roi(np.repeat(picture_of(points)[None], 30, axis=0), landmarks=path)
    assert (crops.shape, crops.dtype) == ((30, 96, 96), np.uint8)
    assert (crops[3, 48, 48], crops[3, 5, 5]) == (255, 40)


# ---------------------------------------------------------------- what is refused


class Runs:
    """Pickled, it is a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("place", ["alone", "in the list", "in the array"])
def test_nothing_is_run(tmp_path, protocol, place):
    trap = tmp_path / "trap"
    evil = Runs(os.mkdir, str(trap))
    held = {"alone": evil, "in the list": [*CLIP, evil], "in the array": np.array([evil, None], dtype=object)}[place]
    path = pickled(tmp_path, held, protocol)
    assert f"{os.mkdir.__module__}.mkdir" in refusal(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists()  # the trap is one


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_nothing_is_run_in_an_array_of_objects(tmp_path, suffix):
    trap, path = tmp_path / "trap", tmp_path / f"a{suffix}"
    with path.open("wb") as file:
        (np.save if suffix == ".npy" else np.savez)(file, np.array([Runs(os.mkdir, str(trap)), None], dtype=object))
    assert f"{os.mkdir.__module__}.mkdir" in refusal(path)
    assert not trap.exists()


def test_objects_are_no_pointers(tmp_path):
    """A type of objects without its flags makes numpy's own classes read any bytes as pointers."""
    assert "'O8'" in refusal(pickled(tmp_path, pickle.dumps([CLIP[0]], 2).replace(b"f8", b"O8")))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Runs(eval, "1"), "builtins.eval"),
        (Runs(getattr, "", "join"), "builtins.getattr"),
        (Runs(np.load, "a.npy"), "numpy.load"),
        (Runs(__import__, "os"), "__import__"),
        (OrderedDict(a=CLIP), "collections.OrderedDict"),
        (io.BytesIO(b"1"), "_io.BytesIO"),
        (np.ma.masked_array(CLIP), "_mareconstruct"),
    ],
)
def test_the_refused_is_named(tmp_path, value, named):
    detail = refusal(pickled(tmp_path, value))
    assert named in detail
    assert "nothing is run" in detail


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "nonetype"),
        (7, "int"),
        ("text", "str"),
        ([], "empty"),
        ({}, "nothing"),
        ({"a": CLIP, "b": CLIP}, "'a', 'b'"),
        (CLIP[:, :67], "(5, 67, 2)"),
        (CLIP[:0], "(0, 68, 2)"),
        (CLIP[0], "(68, 2)"),
        (CLIP > 0, "'b1'"),
        (CLIP.astype(complex), "'c16'"),
        (CLIP.astype(str), "'U32'"),
        (np.dtype("f4"), "dtype"),
        (np.float64(3), "()"),
        (np.ndarray, "type"),
        ([CLIP[0], CLIP[1, :5]], "entry 1 is an array (5, 2)"),
        ([CLIP[0], [1, 2]], "entry 1 is a list of 2"),
        ([CLIP[0], [[1, 2]] * 67 + [[1, "x"]]], "entry 1 is a list of 68"),
        ([[*CLIP]], "entry 0 is a list of 5"),
        ([CLIP[0], "no face"], "entry 1 is a str"),
        (np.array([[CLIP[0], None], [None, None]], dtype=object), "(2, 2) Python objects"),
    ],
)
def test_other_content_is_refused(tmp_path, value, said):
    assert said in refusal(pickled(tmp_path, value))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "exhausted"),
        (b"no pickle", "cannot be read"),
        (pickle.dumps(CLIP)[:-100], "cannot be read"),
        (b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"1.", "cannot be read"),  # a terabyte of bytes, it says
        (b"\x80\x02Nr\xff\xff\xff\xff.", "item 4294967295"),  # or of memory for what was seen before
        (b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.", "without its content"),  # an array of 16 GB
        (b"\x80\x02U\x01aQ.", "persistent"),
        (b"\x80\x02\x82\x01.", "extension"),
    ],
)
def test_damaged_and_hostile_pickles(tmp_path, content, said):
    assert said in refusal(pickled(tmp_path, content))


@given(st.data())
@settings(max_examples=150)
def test_a_changed_pickle_is_read_or_refused(tmp_path_factory, data):
    """No byte of it can make anything else happen than rows or a RoiError."""
    content = bytearray(pickle.dumps([CLIP[0].astype(np.float32), None], data.draw(st.sampled_from(PROTOCOLS))))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 320) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed.pkl"
    path.write_bytes(bytes(content))
    with contextlib.suppress(RoiError):
        assert read_landmarks(path).shape[1:] == (68, 2)


@pytest.mark.parametrize("content", [None, b"", b"no array", "two"])
def test_broken_arrays_name_the_reason(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "two":
        np.savez(path, a=np.ones(3), b=np.ones(3))
    elif content is not None:
        path.write_bytes(content)
    refusal(path)


# ---------------------------------------------------------------- at the film's own rate

SHOWN = np.floor(np.arange(75) / 25 * 30_000 / 1001).astype(int)
"""Which of 90 pictures at 29.97 a second each frame shows."""


def numbered(rows):
    """Landmarks that lie further right by their number."""
    return np.repeat(mean_landmarks()[None] + 300, rows, axis=0) + np.arange(rows)[:, None, None] * [1, 0]


@pytest.mark.parametrize("rows", [88, 89, 90, 91, 92])
def test_landmarks_of_29_97_pictures_a_second(rows):
    at25 = landmarks.at_frames(numbered(rows), 75, SHOWN)
    np.testing.assert_allclose(at25, numbered(92)[np.minimum(SHOWN, rows - 1)])
    assert len(landmarks.from_landmarks(at25, 75)) == 75


@pytest.mark.parametrize("rows", [73, 75, 77])
def test_landmarks_of_the_frames_stay(rows):
    np.testing.assert_array_equal(landmarks.at_frames(numbered(rows), 75, SHOWN), numbered(rows))
    np.testing.assert_array_equal(landmarks.at_frames(numbered(rows), 75, None), numbered(rows))


@pytest.mark.parametrize("rows", [60, 82, 100])
def test_landmarks_of_another_film_are_refused(rows):
    with pytest.raises(RoiError, match=f"{rows} frames of landmarks for 75"):
        landmarks.from_landmarks(landmarks.at_frames(numbered(rows), 75, SHOWN), 75)


def test_landmarks_of_a_damaged_film():
    """Of 75 pictures 4 are lost and the ones before held: rows of those that are left follow the picture."""
    shown = np.sort(np.concatenate([np.arange(71), [20, 20, 20, 20]]))
    np.testing.assert_allclose(landmarks.at_frames(numbered(71), 75, shown), numbered(71)[shown])
    np.testing.assert_allclose(landmarks.at_frames(numbered(75), 75, shown), numbered(75))


def test_a_film_at_29_97_with_landmarks_of_its_own(tmp_path):
    """A disc that moves with its landmarks stays in the crop's middle; by rows taken as 25 a second it would not."""
    marks = turned(mean_landmarks(), 1, 0, (100, 40)) + np.arange(60)[:, None, None] * [0.5, 0]
    film = tmp_path / "film.mp4"
    pictures = np.repeat(np.stack([picture_of(points, (160, 256)) for points in marks])[..., None], 3, axis=-1)
    write_mp4(film, pictures, np.zeros(48_000, np.float32), NTSC)
    np.save(tmp_path / "marks.npy", marks)
    recording = media.decode(film)
    assert recording.shown is not None
    assert len(recording.frames) == 50
    crops = roi.mouth_roi(recording.frames, landmarks=tmp_path / "marks.npy", shown=recording.shown)
    for picture in crops[8:-8].astype(float):
        bright = np.clip(picture - 128, 0, None)
        assert bright.sum(axis=0) @ np.arange(96) / bright.sum() == pytest.approx(48, abs=1)
    with pytest.raises(RoiError, match="60 frames of landmarks for 50 pictures"):
        roi.mouth_roi(recording.frames, landmarks=tmp_path / "marks.npy")
