"""Reconstruction losses: what they are blind to, what a known change costs, and an independent computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.fft import dct

from v2sbench.audio import RATE
from v2sbench.nets.cards import LossWeights
from v2sbench.train.losses import BANDS, CEPSTRA, FLOOR, POWER, RESOLUTIONS, SpectralLosses

ALL = LossWeights(power=1.0, mfcc=1.0, stft=1.0)


def noise(seed: int, samples: int = 9600, level: float = 0.1) -> torch.Tensor:
    """(2, samples) Gaussian noise."""
    return level * torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


def terms(predicted: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    return {name: float(value) for name, value in SpectralLosses(ALL)(predicted, target).items()}


def test_the_terms_are_those_that_the_card_weighs() -> None:
    for wanted in (("power",), ("mfcc",), ("stft",), ("power", "stft")):
        losses = SpectralLosses(LossWeights(**dict.fromkeys(wanted, 0.5)))
        assert tuple(losses(noise(0), noise(1))) == wanted
    assert not SpectralLosses(LossWeights(l1=1.0))(noise(0), noise(1))
    assert not SpectralLosses(ALL).state_dict(), "nothing of it belongs into a checkpoint"


def test_equal_waves_cost_nothing() -> None:
    assert terms(noise(0), noise(0)) == {"power": 0.0, "mfcc": 0.0, "stft": 0.0}


def test_polarity_does_not_matter() -> None:
    assert terms(-noise(0), noise(0)) == pytest.approx({"power": 0.0, "mfcc": 0.0, "stft": 0.0}, abs=1e-6)


@pytest.mark.parametrize("degrees", [30, 90])
def test_phase_does_not_matter(degrees: int) -> None:
    """Noise between 0.5 and 11.5 kHz with all its phases turned: another wave, the same magnitudes."""
    spectrum = torch.fft.rfft(noise(0) * torch.hann_window(9600))
    hertz = torch.arange(4801) * RATE / 9600
    spectrum[:, (hertz < 500) | (hertz > 11_500)] = 0
    turn = torch.polar(torch.tensor(1.0), torch.tensor(math.radians(degrees)))
    plain, turned = torch.fft.irfft(spectrum), torch.fft.irfft(spectrum * turn)
    assert float((plain - turned).std() / plain.std()) > 0.5
    other = terms(noise(1), noise(0))
    for name, value in terms(turned, plain).items():
        assert value < 0.05 * other[name], name


@settings(max_examples=10)
@given(st.floats(0.2, 5.0))
def test_gain_costs_its_power_in_decades(gain: float) -> None:
    """White noise far above the floor: every bin moves by the same 2 log10 gain, a factor 10 by 2 decades."""
    cost = terms(gain * noise(0), noise(0))["power"]
    assert cost == pytest.approx(2 * abs(math.log10(gain)), rel=2e-3, abs=1e-5)


def test_gain_moves_the_first_cepstral_coefficient_only() -> None:
    """log10 gain in all 80 bands is sqrt(80) log10 gain in coefficient 0 of the orthonormal DCT."""
    cost = terms(noise(0, level=1.0), noise(0, level=0.1))["mfcc"]
    assert cost == pytest.approx(math.sqrt(BANDS) / CEPSTRA, rel=1e-3)


def test_below_the_floor_nothing_costs() -> None:
    quiet = terms(1e-9 * noise(0), torch.zeros(2, 9600))
    assert quiet["power"] == quiet["mfcc"] == 0.0
    assert quiet["stft"] < 1e-3


@pytest.mark.parametrize("target", [torch.zeros(2, 4800), noise(1, 4800)], ids=["silence", "noise"])
@pytest.mark.parametrize("level", [0.0, 1e-8, 1e-3, 1.0])
def test_gradients_are_finite_for_silence_too(level: float, target: torch.Tensor) -> None:
    predicted = noise(0, 4800, level).requires_grad_()
    loss = torch.stack(list(SpectralLosses(ALL)(predicted, target).values())).sum()
    loss.backward()
    assert bool(torch.isfinite(loss))
    assert predicted.grad is not None
    assert bool(torch.isfinite(predicted.grad).all())


def magnitude(wave: NDArray[np.float64], size: int, hop: int, window: int) -> NDArray[np.float64]:
    """(T,) -> (1 + T / hop, 1 + size / 2), frame by frame: a periodic Hann window in the middle of `size` samples."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    left = (size - window) // 2
    shape = np.pad(hann, (left, size - window - left))
    padded = np.pad(wave, size // 2)
    frames = [padded[start : start + size] * shape for start in range(0, len(wave) + 1, hop)]
    return np.abs(np.fft.rfft(np.stack(frames), axis=1)) * 4 / window


def slaney_bank() -> NDArray[np.float64]:
    """(513, 80) triangles of Slaney's auditory toolbox: linear to 1 kHz, then 27 steps a factor 6.4; unit sum."""

    def hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    top = 15 + 27 * math.log(RATE / 2 / 1000) / math.log(6.4)
    edges = hertz(np.linspace(0, top, BANDS + 2))
    bins = np.arange(POWER[0] // 2 + 1) * RATE / POWER[0]
    rising = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return triangles / triangles.sum(axis=0)  # type: ignore[no-any-return]


def by_hand(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> dict[str, float]:
    """The three terms of one clip, in double precision with NumPy and SciPy."""
    ours, theirs = (np.maximum(magnitude(wave, *POWER), FLOOR) for wave in (predicted, target))
    cepstra = [
        dct(np.log10(np.maximum(spectrum @ slaney_bank(), FLOOR)), norm="ortho", axis=1)[:, :CEPSTRA]
        for spectrum in (ours, theirs)
    ]
    stft = []
    for shape in RESOLUTIONS:
        one, other = magnitude(predicted, *shape), magnitude(target, *shape)
        logs = np.abs(np.log(np.maximum(one, FLOOR)) - np.log(np.maximum(other, FLOOR))).mean()
        stft.append(np.linalg.norm(other - one) / np.linalg.norm(other) + logs)
    return {
        "power": float(np.abs(np.log10(ours**2) - np.log10(theirs**2)).mean()),
        "mfcc": float(np.abs(cepstra[0] - cepstra[1]).mean()),
        "stft": float(np.mean(stft)),
    }


def test_terms_equal_an_independent_computation() -> None:
    time = np.arange(9600) / RATE
    predicted = 0.2 * np.sin(2 * np.pi * 300 * time) + noise(2, level=0.02)[0].double().numpy()
    target = 0.3 * np.sin(2 * np.pi * 440 * time) * (time < 0.3) + noise(3, level=0.01)[0].double().numpy()
    found = terms(*(torch.from_numpy(wave).float()[None] for wave in (predicted, target)))
    assert found == pytest.approx(by_hand(predicted, target), rel=1e-3)
