"""The face box, on drawn faces and boxes of a made-up cascade."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from v2sbench.prepare import face_box as facebox
from v2sbench.prepare import mouths as roi
from v2sbench.prepare.crops import PX_PER_MM, STILL, STILL_PX_PER_MM, RoiError
from v2sbench.prepare.face_box import picture_still


@pytest.mark.parametrize("shape", [(288, 360), (1080, 1920)])
def test_no_face_in_noise(shape):
    noise = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    with pytest.raises(RoiError) as caught:
        roi.mouth_roi(noise, provider="haar")
    assert caught.value.reason == "no-face"


class Detector:
    """Stands for the cascade: answers with the given boxes, one list a picture."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def detectMultiScale(self, picture, *_, **__):
        return np.array(self.answers.pop(0)).reshape(-1, 4)


def boxes_of(monkeypatch, answers, shape=(20, 288, 360)):
    detector = Detector(*answers)
    monkeypatch.setattr(facebox, "_cascade", lambda: detector)
    return facebox.face_box(np.zeros(shape, np.uint8))


def test_boxes_of_the_wrong_size_or_place_are_outvoted(monkeypatch):
    good, large, away = (100, 60, 140, 140), (60, 20, 220, 220), (10, 10, 140, 140)
    corners, width = boxes_of(monkeypatch, [[good], [large], [good], [away, good], [], [good], [good], [large], [good]])
    assert width == 140
    np.testing.assert_allclose(corners, np.broadcast_to((100, 60), (20, 2)))


@pytest.mark.parametrize("found", [0, 1, 4])
def test_too_few_that_agree_are_no_face(monkeypatch, found):
    answers = [[(100, 60, 140, 140)] if k < found else [(10 + 30 * k, 5, 60 + 20 * k, 60 + 20 * k)] for k in range(9)]
    with pytest.raises(RoiError, match="of 9 sampled"):
        boxes_of(monkeypatch, answers)


def test_the_box_follows_the_head_at_one_size(monkeypatch):
    answers = [[(100 + 2 * k, 60, 140 + k % 2, 140 + k % 2)] for k in range(9)]
    corners, width = boxes_of(monkeypatch, answers, (81, 288, 360))
    assert width == 140
    np.testing.assert_allclose(corners[:, 0], np.linspace(100, 116, 81), atol=0.6)


def test_large_pictures_are_searched_small(monkeypatch):
    corners, width = boxes_of(monkeypatch, [[(100, 60, 140, 140)]] * 9, (9, 1152, 1440))
    assert width == 560
    np.testing.assert_allclose(corners[0], (400, 240))


def test_drawn_mouth_is_found_in_the_box(monkeypatch):
    """A moving dark mouth off its usual place in the box lands in the crop's middle."""
    frames = np.full((20, 288, 360), 170, np.uint8)
    for k, frame in enumerate(frames):
        cv2.ellipse(frame, (176, 174), (22, 3 + k % 5), 0, 0, 360, 60, -1)
    monkeypatch.setattr(facebox, "_cascade", lambda: Detector(*[[(110, 60, 140, 140)]] * 9))
    crops = roi.mouth_roi(frames, provider="haar")
    rows, columns = np.nonzero(crops[12] < 100)
    assert abs(columns.mean() - 48) < 3
    assert abs(rows.mean() - 48) < 3
    np.testing.assert_array_equal(crops.shape, (20, 96, 96))


def test_of_a_picture_the_largest_face_is_taken(monkeypatch):
    picture = np.zeros((288, 360), np.uint8)
    picture[60:200, 100:240] = 200
    monkeypatch.setattr(facebox, "_cascade", lambda: Detector([(0, 0, 60, 60), (100, 60, 140, 140), (300, 10, 50, 50)]))
    still = picture_still(picture)
    assert still.shape == (STILL, STILL)
    rows, columns = np.nonzero(still > 100)
    width = 140 * facebox.BOX_PX / 140 / PX_PER_MM * STILL_PX_PER_MM
    assert np.ptp(columns) == pytest.approx(width, abs=2)
    assert columns.mean() == pytest.approx(96, abs=2)
    assert 75 < rows.mean() < 90


def test_a_picture_without_a_face(monkeypatch):
    monkeypatch.setattr(facebox, "_cascade", lambda: Detector([]))
    with pytest.raises(RoiError, match="no frontal face in the picture of 360x288"):
        picture_still(np.zeros((288, 360), np.uint8))
