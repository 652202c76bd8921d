"""Mel-cepstral distortion: a distance in dB between smoothed spectra, blind to gain and to pauses of the reference."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voices import noisy, voice
from v2sbench.scoring.metrics import UnusableError
from v2sbench.scoring.metrics.mcd import BANDS, ORDER, RATE, WINDOW, distortion, mel_cepstra


@pytest.mark.parametrize(("order", "amount"), [(1, 0.3), (2, 0.3), (5, -0.2)])
def test_a_filter_of_known_shape_has_a_known_distortion(order, amount):
    """A log amplitude of `amount` times the d-th cosine on the mel axis: 10 / ln 10 * sqrt(2) * |amount| dB."""
    noise = np.random.default_rng(0).standard_normal(RATE * 4)
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE)
    mel = np.log10(1 + frequency / 700) / np.log10(1 + RATE / 2 / 700) * (BANDS + 1)  # the first band's centre is 1
    gain = np.exp(amount * np.cos(np.pi * order * (mel - 0.5) / BANDS))
    coloured = np.fft.irfft(np.fft.rfft(noise) * gain)
    assert distortion(noise, coloured) == pytest.approx(10 / np.log(10) * np.sqrt(2) * abs(amount), rel=0.07)
    difference = (mel_cepstra(coloured) - mel_cepstra(noise)).mean(axis=0)
    assert np.abs(difference).argmax() == order - 1
    assert difference[order - 1] == pytest.approx(amount, rel=0.07)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), gain=st.floats(-60, 40), snr=st.floats(-5, 30))
def test_gains_do_not_matter(seed, gain, snr):
    reference = voice(0.6, seed)
    prediction = noisy(reference, snr, seed)
    plain = distortion(reference, prediction)
    assert distortion(reference, 10 ** (gain / 20) * prediction) == pytest.approx(plain, abs=1e-3)
    assert plain > 0
    assert distortion(reference, reference) == 0


def test_pauses_of_the_reference_are_left_out():
    """Noise where the reference is silent changes the spectra of the edges only."""
    word, pause = voice(1.0), np.zeros(RATE, np.float32)
    noise = 0.01 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    reference = np.concatenate([word, pause])
    whole = distortion(reference, np.concatenate([noisy(word, 20), pause]))
    assert whole == pytest.approx(distortion(word, noisy(word, 20)), rel=0.02)
    assert distortion(reference, np.concatenate([word, noise])) < 0.2 * whole
    assert distortion(reference, np.concatenate([word, 9 * noise])) < 0.2 * whole


def test_nothing_is_warped():
    word = voice(1.0)
    assert distortion(word[: -RATE // 10], word[RATE // 10 :]) > 1


def test_figures_of_the_public_pair(pesq_pair):
    clean, babble = (soundfile.read(path, dtype="float32")[0] for path in pesq_pair)
    noise = np.random.default_rng(0).standard_normal(len(clean))
    assert distortion(clean, babble) == pytest.approx(7.845, abs=0.005)
    assert distortion(clean, noise) == pytest.approx(13.87, abs=0.05)


def test_shapes_and_edges():
    wave = voice(0.5)
    assert mel_cepstra(wave).shape == (1 + (len(wave) - WINDOW) // 80, ORDER)
    with pytest.raises(UnusableError, match="too-short"):
        distortion(wave[: WINDOW - 1], wave[: WINDOW - 1])
    assert np.isfinite(distortion(wave, np.zeros_like(wave)))
    with pytest.raises(ValueError, match="equally long"):
        distortion(wave, wave[1:])
