"""Mouth crops: the landmark recipe as laws, crops and stills, and what chooses between providers."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import PROJECT
from tests.marks import applied, mean_landmarks, turned
from v2sbench import cli
from v2sbench.prepare import clips, crops, landmarks
from v2sbench.prepare import mouths as roi
from v2sbench.prepare.crops import PX_PER_MM, STILL_MOUTH, RoiError, face_still
from v2sbench.prepare.landmarks import MEAN_FACE, MOUTH, STABLE
from v2sbench.runtime import UseError

# ---------------------------------------------------------------- landmarks


@given(
    st.floats(0.3, 6),
    st.floats(-60, 60),
    st.tuples(st.floats(-200, 900), st.floats(-200, 900)),
)
def test_size_tilt_and_place_are_taken_off(scale, degrees, shift):
    points = turned(mean_landmarks(), scale, degrees, shift)
    warps = landmarks.from_landmarks(np.repeat(points[None], 20, axis=0), 20)
    mapped = applied(warps[7], points)
    np.testing.assert_allclose(mapped[MOUTH].mean(axis=0), [48, 48], atol=1e-6)
    np.testing.assert_allclose(mapped[54] - mapped[48], [52.5 * PX_PER_MM, 0], atol=1e-6)


def test_the_warp_is_a_similarity():
    draw = np.random.default_rng(1)
    warps = landmarks.from_landmarks(draw.uniform(0, 300, (9, 68, 2)), 9)
    for linear in warps[:, :, :2]:
        size = linear @ linear.T
        np.testing.assert_allclose(size, np.eye(2) * size[0, 0], atol=1e-9)
        assert np.linalg.det(linear) > 0


def test_least_squares_agree_with_a_solver():
    draw = np.random.default_rng(2)
    points = turned(mean_landmarks(), 1.7, 12, (200, 150)) + draw.normal(0, 3, (68, 2))
    warp = landmarks.from_landmarks(points[None], 1)[0]
    stable = points[list(STABLE)]
    x, y, one, zero = *stable.T, np.ones(8), np.zeros(8)
    system = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, *_ = np.linalg.lstsq(system, (MEAN_FACE * PX_PER_MM).T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(warp[:, :2], [[a, -b], [b, a]], atol=1e-9)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_interpolation_is_linear_and_holds_the_ends(frames, seed):
    draw = np.random.default_rng(seed)
    line = np.arange(frames)[:, None, None] * draw.uniform(-1, 1, (68, 2)) + draw.uniform(1, 50, (68, 2))
    missed = draw.random(frames) < 0.3
    if 2 * missed.sum() > frames or missed.all():
        missed[:] = False
    holes = line.copy()
    holes[missed] = np.nan
    filled = landmarks.interpolate(holes)
    seen = np.flatnonzero(~missed)
    inside = slice(seen[0], seen[-1] + 1)
    np.testing.assert_allclose(filled[inside], line[inside])
    np.testing.assert_allclose(filled[: seen[0]], np.broadcast_to(line[seen[0]], filled[: seen[0]].shape))
    np.testing.assert_allclose(filled[seen[-1] :], np.broadcast_to(line[seen[-1]], filled[seen[-1] :].shape))


def test_rows_of_zeros_are_missed_frames():
    points = np.ones((5, 68, 2))
    points[2] = 0
    np.testing.assert_array_equal(landmarks.interpolate(points), np.ones((5, 68, 2)))


@given(st.integers(1, 50), st.integers(1, 20))
def test_smoothing_is_the_mean_of_a_window(frames, window):
    points = np.random.default_rng(frames).uniform(0, 300, (frames, 68, 2))
    smooth = landmarks.smooth(points, window)
    for k in range(frames):
        inside = points[max(0, k - window // 2) : k + (window + 1) // 2]
        np.testing.assert_allclose(smooth[k], inside.mean(axis=0))


def test_smoothing_takes_off_the_jitter_and_keeps_the_head():
    draw = np.random.default_rng(3)
    still = np.repeat(turned(mean_landmarks(), 1.5, 0, (180, 140))[None], 75, axis=0)
    still[:, :, 0] += np.linspace(0, 20, 75)[:, None]
    clean = landmarks.from_landmarks(still, 75)
    noisy = landmarks.from_landmarks(still + draw.normal(0, 1, still.shape), 75)
    pairs = enumerate(zip(clean, noisy, strict=True))
    moved = [applied(a, still[k])[MOUTH] - applied(b, still[k])[MOUTH] for k, (a, b) in pairs]
    assert np.abs(np.mean(moved, axis=1)).max() < 1
    centres = np.array([applied(warp, still[k])[MOUTH].mean(axis=0) for k, warp in enumerate(clean)])
    np.testing.assert_allclose(centres[10:-10], 48, atol=0.5)


@pytest.mark.parametrize(
    ("shape", "frames"), [((75, 67, 2), 75), ((75, 68), 75), ((75, 68, 4), 75), ((70, 68, 2), 75), ((0, 68, 2), 75)]
)
def test_other_shapes_are_refused(shape, frames):
    with pytest.raises(RoiError) as caught:
        landmarks.from_landmarks(np.ones(shape), frames)
    assert caught.value.reason == "bad-landmarks"


@pytest.mark.parametrize("value", [2e5, -1e300])
def test_places_far_outside_are_refused(value):
    points = np.repeat(mean_landmarks()[None] + 100, 75, axis=0)
    points[40, 3] = value
    with pytest.raises(RoiError, match="pixels away"):
        landmarks.from_landmarks(points, 75)


@given(st.integers(1, 40), st.floats(0.1, 1e5), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_any_places_give_a_transform_or_a_reason(frames, reach, seed):
    draw = np.random.default_rng(seed)
    points = draw.uniform(-reach, reach, (frames, 68, 2)).astype(draw.choice([np.float32, np.float64]))
    points[draw.random(frames) < 0.3] = draw.choice([np.nan, np.inf, 0])
    try:
        warps = landmarks.from_landmarks(points, frames)
    except RoiError:
        return
    assert np.isfinite(warps).all()
    assert (np.linalg.det(warps[:, :, :2]) > 0).all()


def test_points_that_fall_together_are_refused():
    with pytest.raises(RoiError, match="fall together"):
        landmarks.from_landmarks(np.ones((75, 68, 2)), 75)


@pytest.mark.parametrize(("missed", "refused"), [(37, False), (38, True), (75, True)])
def test_mostly_missed_is_no_face(missed, refused):
    points = np.repeat(mean_landmarks()[None] + 100, 75, axis=0)
    points[:missed] = np.nan
    if not refused:
        assert len(landmarks.from_landmarks(points, 75)) == 75
        return
    with pytest.raises(RoiError) as caught:
        landmarks.from_landmarks(points, 75)
    assert caught.value.reason == "no-face"


def test_a_file_may_be_two_frames_off():
    points = np.repeat(mean_landmarks()[None] + 100, 73, axis=0)
    assert len(landmarks.from_landmarks(points, 75)) == 75
    assert len(landmarks.from_landmarks(points, 72)) == 72


def test_precomputed_without_a_file_is_no_other_provider():
    with pytest.raises(RoiError, match="no landmarks"):
        roi.mouth_roi(np.zeros((10, 48, 64), np.uint8), provider="precomputed")


def test_unknown_provider():
    with pytest.raises(UseError, match="did you mean 'haar'"):
        roi.mouth_roi(np.zeros((10, 48, 64), np.uint8), provider="har")


def test_auto_takes_landmarks_where_there_are_some(monkeypatch):
    for name in roi.PROVIDERS:
        monkeypatch.setitem(roi.PROVIDERS, name, lambda frames, path, shown, name=name: (name, path, shown))
    picture, path, shown = np.zeros((10, 48, 64), np.uint8), Path("a.npz"), np.arange(10)
    assert roi.find_mouth(picture) == ("mesh", None, None)
    assert roi.find_mouth(picture, landmarks=path, shown=shown) == ("precomputed", path, shown)
    assert roi.find_mouth(picture, landmarks=path, provider="haar") == ("haar", path, None)


def test_prepare_takes_the_provider_from_the_profile(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(clips, "prepare", lambda *_, roi, **__: asked.append(roi))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").touch()
    line = ["prepare", "grid", "--root", "raw"]
    assert cli.main(line) == 0
    profile = (PROJECT / "profiles" / "grid1.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(re.sub(r"(?m)^roi: \w+", "roi: precomputed", profile), encoding="utf-8")
    assert cli.main(line) == 0
    assert cli.main([*line, "--roi", "haar"]) == 0
    assert asked == ["auto", "precomputed", "haar"]


def test_errors_cross_processes():
    error = pickle.loads(pickle.dumps(RoiError("no-face", "nobody")))
    assert (error.reason, error.detail, str(error)) == ("no-face", "nobody", "no-face: nobody")


# ---------------------------------------------------------------- crops


@pytest.mark.parametrize("scale", [0.2, 0.5, 0.74, 0.76, 1.0, 2.5])
def test_the_centre_stays_the_centre_at_every_scale(scale):
    """Shrinking goes through an averaged copy of the picture; both ways agree to a fifth of a pixel."""
    rows, columns = np.mgrid[0:400, 0:600]
    picture = (255 * np.exp(-((columns - 301.0) ** 2 + (rows - 199.0) ** 2) / (2 * (6 / scale) ** 2))).astype(np.uint8)
    warp = np.array([[[scale, 0, 48 - scale * 301], [0, scale, 48 - scale * 199]]])
    crop = roi.crop(picture[None], warp)[0].astype(float)
    at = np.arange(96)
    assert crop.sum(axis=0) @ at / crop.sum() == pytest.approx(48, abs=0.2)
    assert crop.sum(axis=1) @ at / crop.sum() == pytest.approx(48, abs=0.2)


def test_shrinking_averages():
    stripes = np.zeros((400, 400), np.uint8)
    stripes[:, ::2] = 255
    crop = roi.crop(stripes[None], np.array([[[0.25, 0, 0], [0, 0.25, 0]]]))[0]
    assert np.ptp(crop.astype(int)) <= 2


@given(
    st.floats(0.05, 0.39), st.floats(-180, 180), st.tuples(st.floats(-200, 1400), st.floats(-200, 900)),
)  # fmt: skip
@settings(max_examples=40)
def test_of_a_large_picture_only_a_part_is_shrunk(scale, degrees, centre):
    """It shows what the whole would, at the picture's edges and beyond them, too."""
    rows, columns = np.mgrid[0:700, 0:1200]
    picture = (128 + 60 * np.sin(rows / 40) + 60 * np.cos(columns / 55)).astype(np.uint8)
    turn = turned(np.eye(2), scale, degrees, (0, 0)).T
    warp = np.column_stack([turn, 48 - turn @ centre])[None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "LARGE", 0)
        expected = roi.crop(picture[None], warp)[0].astype(int)
    apart = np.abs(roi.crop(picture[None], warp)[0] - expected)
    assert apart.mean() < 1
    assert np.percentile(apart, 99) <= 0.35 / scale + 2


# ---------------------------------------------------------------- stills


@given(st.floats(0.5, 4), st.floats(-40, 40))
@settings(max_examples=20)
def test_in_a_still_the_face_is_level_and_of_one_size(scale, degrees):
    """White discs at the outer corners of the eyes come to lie 72 pixels apart, 54 above the mouth's middle."""
    points = turned(mean_landmarks(), scale, degrees, (150 * scale, 100 * scale))
    picture = np.full((round(300 * scale), round(300 * scale)), 40, np.uint8)
    for x, y in points[[36, 45]]:
        cv2.circle(picture, (round(x), round(y)), max(2, round(4 * scale)), 255, -1)
    bright = face_still(picture, landmarks.from_landmarks(points[None], 1)[0]) > 140
    left, right = (np.argwhere(half).mean(axis=0) for half in (bright[:, :96], bright[:, 96:]))
    np.testing.assert_allclose([left, right + np.array([0, 96])], [(67.2, 60), (67.2, 132)], atol=1.6)


@pytest.mark.parametrize("scale", [0.5, 1.3, 5.0])
def test_a_still_is_cut_where_it_is_said(scale):
    points = turned(mean_landmarks(), scale, 8, (160 * scale, 120 * scale))
    shape = round(288 * scale), round(360 * scale)
    picture = np.full(shape, 40, np.uint8)
    cv2.circle(picture, [round(v) for v in points[MOUTH].mean(axis=0)], max(2, round(5 * scale)), 255, -1)
    warp = landmarks.from_landmarks(points[None], 1)[0]
    kept = warp.copy()
    rows, columns = np.nonzero(face_still(picture, warp) > 150)
    np.testing.assert_allclose((columns.mean(), rows.mean()), STILL_MOUTH, atol=1.5)
    np.testing.assert_array_equal(warp, kept)
