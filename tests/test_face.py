"""Mouth shapes, the tracks that they make, and the face that shows them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from v2sbench.runtime import rng
from v2sbench.talker.face import HEAD, Talker
from v2sbench.talker.mouth import mouth_of
from v2sbench.talker.portrait import HEIGHT, WIDTH, draw, looks_of
from v2sbench.talker.visemes import CHANNELS, PHONEMES, VISEMES, Manner, tracks, visemes_of
from v2sbench.talker.voice import Phone

Array = NDArray[np.float64]
LOOKS = looks_of(1, 1, True)
AT = {name: k for k, name in enumerate(CHANNELS)}


def phones(*names: str, each: float = 0.12) -> list[Phone]:
    """Phonemes one after the other, of equal length."""
    return [Phone(name=n, start=k * each, end=(k + 1) * each, word=0, stressed=False) for k, n in enumerate(names)]


def middle(name: str, before: str = "@", after: str = "@") -> Array:
    """The mouth in the middle of a phoneme of 120 ms between two others: (8,)."""
    return tracks(phones(before, name, after), 30, offset=0.12)[7]


@pytest.fixture(scope="module")
def talker() -> Talker:
    return Talker(LOOKS)


# ---------------------------------------------------------------- visemes


def test_sixteen_shapes_all_used() -> None:
    assert len(VISEMES) == 16
    assert {shape for shapes in PHONEMES.values() for shape in shapes} == set(VISEMES)


@pytest.mark.parametrize("alike", ["p b m", "f v", "T D", "t d n", "s z", "k g h", "S tS dZ"])
def test_sounds_that_look_alike_have_one_shape(alike: str) -> None:
    assert len({PHONEMES[name] for name in alike.split()}) == 1


def test_shapes_are_told_apart() -> None:
    """Between the same neighbours, every two shapes differ clearly in some channel."""
    shown = {
        PHONEMES[name][0]: middle(name)
        for name in ["p", "f", "T", "t", "l", "s", "S", "r", "w", "k", "i:", "I", "E", "V", "A:", "O:"]
    }
    assert set(shown) == set(VISEMES)
    names = sorted(shown)
    for k, one in enumerate(names):
        for other in names[:k]:
            assert np.abs(shown[one] - shown[other]).max() > 0.12, (one, other)


def test_lips_close_teeth_bite_tongue_shows() -> None:
    for vowel in ("i:", "A:", "u:", "E"):
        assert middle("p", vowel, vowel)[AT["press"]] > 0.9
        assert middle("f", vowel, vowel)[AT["bite"]] > 0.8
        assert middle("T", vowel, vowel)[AT["front"]] > 0.7
        assert middle("l", vowel, vowel)[AT["tip"]] > 0.7
    assert middle("u:")[AT["round"]] > 0.8 > 0.2 > middle("i:")[AT["round"]]
    assert middle("A:")[AT["jaw"]] > 0.75 > 0.3 > middle("i:")[AT["jaw"]]


def test_neighbours_colour_a_sound() -> None:
    """Lips of /k/ are those of the vowels around it; those of /p/ stay closed."""
    between_oo, between_ee = (middle("k", vowel, vowel) for vowel in ("u:", "i:"))
    assert between_oo[AT["round"]] > between_ee[AT["round"]] + 0.4
    assert between_ee[AT["wide"]] > between_oo[AT["wide"]] + 0.4


def test_rounding_begins_before_the_vowel_and_a_closure_before_its_burst() -> None:
    track = tracks(phones("s", "s", "u:", each=0.2), 30, offset=0.2)  # frame k is at (k + 0.5) / 25 s; /u:/ from 0.6 s
    assert track[13, AT["round"]] > track[8, AT["round"]] + 0.2
    track = tracks(phones("A:", "b", "A:", each=0.2), 30, offset=0.2)  # the burst is at 0.4 s
    assert track[9, AT["press"]] > 0.6


def test_a_diphthong_glides() -> None:
    track = tracks(phones("aI", each=0.4), 20, offset=0.16)
    assert track[6, AT["jaw"]] > track[11, AT["jaw"]] + 0.3
    assert track[11, AT["wide"]] > track[6, AT["wide"]] + 0.3


def test_silence_is_a_closed_mouth() -> None:
    for track in (tracks([], 5), tracks(phones("A:"), 60, offset=1.0)[[0, 5, -1]]):
        assert np.abs(track[:, AT["open"]]).max() < 0.05
        assert np.abs(track[:, AT["jaw"]]).max() < 0.05


def test_the_clip_does_not_depend_on_where_it_is_cut() -> None:
    whole = tracks(phones("p", "l", "eI", "s"), 40, offset=0.2)
    np.testing.assert_allclose(tracks(phones("p", "l", "eI", "s"), 25, offset=0.2), whole[:25])
    np.testing.assert_allclose(tracks(phones("p", "l", "eI", "s"), 30, offset=0.0), whole[5:35], atol=1e-9)


@given(st.lists(st.sampled_from(sorted(PHONEMES)), max_size=12), st.floats(0.02, 0.3), st.integers(0, 99))
def test_tracks_stay_in_range_and_move_smoothly(names: list[str], each: float, seed: int) -> None:
    manner = Manner(gain=(1.15,) * 8, reach=0.85, spread=0.05)
    frames = 10 + round(25 * each * len(names))
    track = tracks(phones(*names, each=each), frames, offset=0.1, manner=manner, noise=rng(seed, "test"))
    assert track.shape == (frames, 8)
    assert np.isfinite(track).all()
    assert track.max() <= 1.1
    assert np.delete(track, AT["wide"], axis=1).min() >= 0
    assert track.min() >= -1


def test_an_unknown_phoneme_is_named() -> None:
    with pytest.raises(ValueError, match=r"'Q'.*no viseme"):
        visemes_of(phones("Q")[0])


# ---------------------------------------------------------------- the mouth


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8), st.floats(-1, 1), st.integers(1, 19))
def test_lips_never_cross(values: list[float], wide: float, number: int) -> None:
    shape = np.array(values)
    shape[AT["wide"]] = wide
    mouth = mouth_of(looks_of(1, number, number % 2 == 0), shape)
    edges = [mouth.upper_out, mouth.upper_in, mouth.lower_in, mouth.lower_out]
    inner = slice(2, -2)
    for above, below in pairwise(edges):
        assert (below[inner, 1] - above[inner, 1] > -0.7).all()
    assert mouth.landmarks().shape == (20, 2)


def test_pressed_lips_are_shut_and_round_ones_narrow() -> None:
    shape = np.zeros(8)
    shape[AT["open"]] = 1
    wide_open = mouth_of(LOOKS, shape)
    assert (wide_open.lower_in - wide_open.upper_in)[12, 1] > 18
    shape[AT["press"]] = 1
    assert np.abs(mouth_of(LOOKS, shape).lower_in - mouth_of(LOOKS, shape).upper_in).max() < 1e-9
    shape[AT["round"]] = 1
    assert mouth_of(LOOKS, shape).half < 0.75 * wide_open.half


# ---------------------------------------------------------------- pictures


def film(talker: Talker, shape: Array, frames: int = 1) -> tuple[Array, Array]:
    pictures, marks = talker.film(np.repeat(shape[None], frames, axis=0), rng(3, "test"))
    return pictures.astype(np.float64), marks.astype(np.float64)


def opened(**channels: float) -> Array:
    shape = np.zeros(8)
    for name, value in channels.items():
        shape[AT[name]] = value
    return shape


def inside_of(picture: Array, marks: Array) -> Array:
    """Mean RGB between the lips."""
    centre = marks[60:68].mean(axis=0)
    x, y = np.rint(centre).astype(int)
    return picture[y - 2 : y + 3, x - 4 : x + 5].mean(axis=(0, 1))


def test_pictures_and_landmarks_have_grids_shape(talker: Talker) -> None:
    pictures, marks = talker.film(np.zeros((3, 8)), rng(1, "test"))
    assert pictures.shape == (3, HEIGHT, WIDTH, 3)
    assert pictures.dtype == np.uint8
    assert marks.shape == (3, 68, 2)
    assert marks.dtype == np.float32
    assert ((marks >= 0) & (marks < (WIDTH, HEIGHT))).all()


def test_the_same_clip_twice(talker: Talker) -> None:
    track = tracks(phones("p", "l", "eI"), 12, offset=0.1)
    first, again, other = (talker.film(track, rng(seed, "test")) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    np.testing.assert_array_equal(Talker(LOOKS).film(track, rng(1, "test"))[0], first[0])


def test_the_mouth_is_large_enough_to_be_read(talker: Talker) -> None:
    _, marks = film(talker, opened())
    width = np.linalg.norm(marks[0, 54] - marks[0, 48])
    assert 50 < width < 70
    assert 140 < np.linalg.norm(marks[0, 16] - marks[0, 0]) < 185


def test_teeth_tongue_and_throat_are_seen(talker: Talker) -> None:
    bite, tongue, throat = (
        inside_of(picture[0], marks[0])
        for picture, marks in (
            film(talker, opened(bite=1, jaw=0.1, open=0.1)),
            film(talker, opened(front=1, tip=0.7, jaw=0.17, open=0.35)),
            film(talker, opened(jaw=0.9, open=0.9)),
        )
    )
    assert bite.min() > 130  # white
    assert tongue[0] > 1.5 * tongue[1] > 75  # pink
    assert throat.max() < 100  # dark


def test_the_chin_follows_the_jaw_and_nothing_else_moves(talker: Talker) -> None:
    _, shut = film(talker, opened())
    _, wide = film(talker, opened(jaw=1, open=0.9))
    moved = (wide - shut)[0]
    assert 12 < moved[8, 1] < 18
    assert np.abs(moved[:2]).max() < 1
    assert np.abs(moved[17:48]).max() < 0.01


def test_landmarks_lie_on_what_they_name(talker: Talker) -> None:
    """The dark pupils are between the eyes' landmarks, the red lips inside the mouth's."""
    pictures, marks = film(talker, opened())
    picture, points = pictures[0], marks[0]
    for first in (36, 42):
        x, y = np.rint(points[first : first + 6].mean(axis=0)).astype(int)
        assert picture[y - 2 : y + 3, x - 2 : x + 3].min() < 70
    x, y = np.rint((points[57] + points[66]) / 2).astype(int)
    lip, cheek = picture[y, x], picture[y, x - 60]
    assert lip[0] / lip[1] > cheek[0] / cheek[1] + 0.2


def test_eyes_close_now_and_then(talker: Talker) -> None:
    _, marks = film(talker, opened(), frames=200)
    height = np.linalg.norm(marks[:, 37] - marks[:, 41], axis=-1)
    assert height.min() < 0.4 * np.median(height)
    assert (height > 0.8 * np.median(height)).mean() > 0.8


@pytest.mark.parametrize("number", [2, 4, 6, 12])
def test_every_face_is_its_own_and_stays_in_its_columns(number: int) -> None:
    looks = looks_of(1, number, number in (4, 12))
    portrait = draw(looks)
    assert portrait.head.shape == (HEIGHT, WIDTH, 4)
    columns = np.flatnonzero(portrait.head[..., 3].max(axis=0))
    assert HEAD.start + 20 <= columns.min()
    assert columns.max() <= HEAD.stop - 20
    assert looks == looks_of(1, number, number in (4, 12))
    assert looks != looks_of(2, number, number in (4, 12))
