"""Files under wrong names are told by what they run along with; a bad system under right names is not accused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.voices import RATE, noisy, voice
from v2sbench.runtime import rng
from v2sbench.scoring.wrong_files import FEWEST, MOST, Agreement, profile, stretch

CLIPS = [f"s{speaker}/clip{index}" for speaker in (1, 2) for index in range(6)]


@pytest.fixture(scope="module")
def waves():
    """Clip -> what is said in it."""
    return {clip: voice(2.0, seed) for seed, clip in enumerate(CLIPS)}


def warned(waves, predictions, clips=None):
    """Warnings where each clip's prediction is what `predictions` has under its name."""
    agreement = Agreement()
    for clip in clips or waves:
        both = np.stack([profile(waves[clip], RATE), profile(predictions[clip], RATE)])
        agreement.add(clip, both, same=False)
    return agreement.warnings()


def renamed(waves, pairs):
    """Noisy predictions, of which some stand under other clips' names."""
    source = dict(pairs)
    return {clip: noisy(waves[source.get(clip, clip)], 5, 1) for clip in waves}


def test_a_profile_is_of_unit_length_and_ignores_level():
    wave = voice(1.0)
    one = profile(wave, RATE).astype(np.float64)
    assert one.shape == (512,)
    assert np.sum(one**2) == pytest.approx(1, abs=1e-2)
    assert one @ profile(0.01 * wave, RATE) == pytest.approx(1, abs=1e-2)
    assert abs(one @ profile(voice(1.0, 9), RATE)) < 0.9


@pytest.mark.parametrize("wave", [np.zeros(RATE, np.float32), np.zeros(10, np.float32), np.ones(RATE, np.float32)])
def test_a_profile_of_nothing_is_finite(wave):
    assert np.isfinite(profile(wave, RATE)).all()


def test_right_names_are_not_accused_however_bad_the_system(waves):
    assert not warned(waves, renamed(waves, {}))
    assert not warned(waves, waves)
    draw = rng(1, "noise")
    assert not warned(waves, {clip: draw.standard_normal(2 * RATE).astype(np.float32) for clip in waves})


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (CLIPS[:1] * 12, "11 of them with s1/clip0: is one file there under many names?"),
        (CLIPS[1:] + CLIPS[:1], "under the wrong names?"),
        (CLIPS[6:] + CLIPS[:6], "are the files of speakers s1 and s2 swapped?"),
    ],
    ids=["one under all", "slipped by one", "speakers swapped"],
)
def test_wrong_names_are_told_with_the_evidence(waves, sources, says):
    (said,) = warned(waves, renamed(waves, zip(CLIPS, sources, strict=True)))
    assert "of 12 predictions run along with another clip's reference" in said
    assert says in said


def test_few_wrong_names_may_be_chance(waves):
    swapped = renamed(waves, [(CLIPS[0], CLIPS[1]), (CLIPS[1], CLIPS[0])])
    assert not warned(waves, swapped)
    assert not warned(waves, renamed(waves, itertools.pairwise(CLIPS)), CLIPS[: FEWEST - 1])


@pytest.mark.parametrize(
    ("change", "told"),
    [(lambda wave: wave[: len(wave) * 3 // 4], 0), (lambda wave: np.tile(wave, 2), 0), (lambda wave: wave[::2], 1)],
    ids=["ends early", "goes on", "at half the rate"],
)
def test_another_length_is_a_wrong_rate_only_where_the_sound_says_so(waves, change, told):
    agreement = Agreement()
    for clip, wave in waves.items():
        own, other = profile(wave, RATE), change(noisy(wave, 5, 1))
        agreement.add(clip, np.stack([own, profile(other, RATE)]), False, stretch(own, 2.0, other, RATE))
    assert [said.startswith("12 of 12 predictions are 0.500 times as long") for said in agreement.warnings()] == (
        [True] * told
    )


def test_the_order_of_the_clips_changes_nothing(waves):
    predictions = renamed(waves, zip(CLIPS, CLIPS[1:] + CLIPS[:1], strict=True))
    assert warned(waves, predictions) == warned(waves, predictions, CLIPS[::-1])


def test_references_given_as_predictions():
    agreement = Agreement()
    agreement.add("a", None, same=True)
    assert agreement.warnings() == ["1 predictions are their references, byte for byte: is --wavs the right folder?"]


def test_no_more_is_held_than_is_compared(waves):
    """What comes after the first 2,048 is not looked at."""
    agreement, nothing = Agreement(), np.zeros((2, 512), np.float16)
    for index in range(MOST):
        agreement.add(str(index), nothing, same=False)
    other = profile(waves[CLIPS[0]], RATE)
    for clip in CLIPS[1:]:
        agreement.add(clip, np.stack([profile(waves[clip], RATE), other]), same=False)
    assert not agreement.warnings()
