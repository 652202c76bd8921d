"""STOI and ESTOI in one pass: equal to pystoi, one value for one input."""

from __future__ import annotations

import numpy as np
import pystoi
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voices import noisy, voice
from v2sbench.scoring.metrics import UnusableError
from v2sbench.scoring.metrics.stoi import BLOCK, HOP, RATE, REACH, SEGMENT, aligned, intelligibility


def theirs(reference, prediction, rate):
    return (
        pystoi.stoi(reference, prediction, rate),
        pystoi.stoi(reference, prediction, rate, extended=True),
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rate=st.sampled_from([8_000, 10_000, 16_000, 22_050, 24_000, 44_100]),
    seconds=st.floats(0.8, 3.5),
    snr=st.floats(-20, 40),
    gaps=st.integers(0, 4),
)
def test_equal_to_pystoi(seed, rate, seconds, snr, gaps):
    draw = np.random.default_rng(seed)
    reference = draw.standard_normal(int(seconds * rate))
    for _ in range(gaps):  # pauses in the reference, so that frames are removed
        start = draw.integers(0, len(reference))
        reference[start : start + rate // 10] *= 1e-4
    prediction = reference + 10 ** (-snr / 20) * draw.standard_normal(len(reference))
    found = intelligibility(reference, prediction, rate)
    assert (found.stoi, found.estoi) == pytest.approx(theirs(reference, prediction, rate), abs=1e-6)


def test_equal_to_pystoi_on_speech_and_over_many_blocks(pesq_pair):
    clean, babble = (soundfile.read(path, dtype="float32")[0] for path in pesq_pair)
    long = voice(8.0)
    for reference, prediction in ((clean, babble), (babble, clean), (clean, clean), (long, noisy(long, 5))):
        found = intelligibility(reference, prediction, 16_000)
        assert (found.stoi, found.estoi) == pytest.approx(theirs(reference, prediction, 16_000), abs=1e-6)
    assert found.frames > 3 * BLOCK


def test_the_global_generator_is_left_alone():
    reference = voice()
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first = intelligibility(reference, noisy(reference, 0), 16_000)
    assert (np.random.get_state()[1] == before).all()
    assert intelligibility(reference, noisy(reference, 0), 16_000) == first


def test_a_hole_in_the_prediction_correlates_with_nothing():
    """Pystoi fills rows without variation with random noise; the mean of its draws is the value here."""
    reference = voice(2.0)
    prediction = noisy(reference, 10)
    prediction[8_000:20_000] = 0
    drawn = [pystoi.stoi(reference, prediction, 16_000, extended=True) for _ in range(20)]
    assert np.ptp(drawn) > 1e-6
    found = intelligibility(reference, prediction, 16_000)
    assert found.estoi == pytest.approx(np.mean(drawn), abs=3 * np.std(drawn))
    assert found.stoi == pytest.approx(pystoi.stoi(reference, prediction, 16_000), abs=1e-6)


def test_silence_is_decided_by_the_reference():
    reference = np.concatenate([voice(1.0), np.zeros(16_000, np.float32)])
    loud_tail = reference.copy()
    loud_tail[20_000:] = voice(0.75, 5)  # 0.25 s after the reference has ended
    assert intelligibility(reference, loud_tail, 16_000).stoi > 0.99


@pytest.mark.parametrize("samples", [0, 1, 256, 4_000])
def test_too_few_frames_are_an_error_not_a_score(samples):
    wave = voice(1.0, rate=10_000)[:samples]
    with pytest.raises(UnusableError, match="too-short"):
        intelligibility(wave, wave, 10_000)


def test_the_limit_is_thirty_joined_frames():
    wave = np.random.default_rng(0).standard_normal(HOP * (SEGMENT + 1) + 129)
    assert intelligibility(wave, wave, 10_000).stoi == pytest.approx(1)
    shorter = wave[: len(wave) - HOP]
    with pytest.raises(UnusableError, match="too-short"):
        intelligibility(shorter, shorter, 10_000)


# ---------------------------------------------------------------- aligned in time


def late(wave, samples):
    """`wave` that comes `samples` later, or earlier when negative; silence moves in."""
    padded = np.pad(wave, REACH * 2)
    return padded[2 * REACH - samples : 2 * REACH - samples + len(wave)]


@settings(max_examples=15, deadline=None)
@given(milliseconds=st.integers(-40, 40), seed=st.integers(0, 99))
def test_a_shift_of_whole_milliseconds_is_found(milliseconds, seed):
    reference = voice(1.5, seed, RATE)
    found = aligned(reference, late(reference, milliseconds * RATE // 1000), RATE)
    assert (found.stoi_shift, found.estoi_shift) == pytest.approx((milliseconds / 1000,) * 2)
    assert (found.stoi, found.estoi) == pytest.approx((1, 1), abs=0.02), "but for what was moved out"


@pytest.mark.parametrize("delay", [0, 33, -171, 399])
def test_the_search_misses_nothing_that_trying_all_would_find(delay):
    """Against every millisecond of the 40 to either side; delays between them in samples of .1 ms."""
    reference = voice(1.5, 3, RATE)
    prediction = late(noisy(reference, 10), delay)
    every = [
        intelligibility(reference, late(prediction, -shift), RATE) for shift in range(-REACH, REACH + 1, RATE // 1000)
    ]
    found = aligned(reference, prediction, RATE)
    assert found.stoi == pytest.approx(max(one.stoi for one in every), abs=1e-9)
    assert found.estoi == pytest.approx(max(one.estoi for one in every), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999), rate=st.sampled_from([8_000, 16_000, 24_000]))
def test_no_aligned_value_is_under_the_plain_one(seed, rate):
    reference, other = voice(1.0, seed, rate), voice(1.0, seed + 1, rate)
    plain, best = intelligibility(reference, other, rate), aligned(reference, other, rate)
    assert best.stoi >= plain.stoi - 1e-12
    assert best.estoi >= plain.estoi - 1e-12
    assert max(abs(best.stoi_shift), abs(best.estoi_shift)) <= REACH / RATE


def test_further_than_a_picture_is_not_searched(pesq_pair):
    """80 ms late: .319 as it is, and better within 40 ms but far from 1."""
    clean = soundfile.read(pesq_pair[0], dtype="float32")[0]
    found = aligned(clean, np.concatenate([np.zeros(80 * 16, np.float32), clean[: -80 * 16]]), 16_000)
    assert 0.4 < found.stoi < 0.6
    assert found.stoi_shift == pytest.approx(0.04)


def test_unequal_lengths_and_too_few_frames_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        intelligibility(np.ones(5_000), np.ones(5_001), 10_000)
    with pytest.raises(UnusableError, match="too-short"):
        aligned(voice(0.3), voice(0.3), 16_000)
    with pytest.raises(ValueError, match="equally long"):
        aligned(voice(1.0), voice(1.1), 16_000)
