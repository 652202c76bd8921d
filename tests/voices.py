"""Waves that are enough like speech for PESQ and STOI: voiced syllables of changing pitch and colour, with pauses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import write_wav
from v2sbench.runtime import rng

RATE = 16_000


def voice(seconds: float = 2.0, seed: int = 0, rate: int = RATE) -> NDArray[np.float32]:
    """(seconds * rate,) float32, peak 0.5."""
    draw = rng(seed, "voice")
    count = int(seconds * rate)
    time = np.arange(count) / rate
    syllables = max(1, int(seconds * 5))
    knots = np.linspace(0, seconds, syllables + 1)
    pitch = np.interp(time, knots, draw.uniform(90, 220, syllables + 1))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    first, second = (
        np.interp(time, knots, draw.uniform(low, high, syllables + 1)) for low, high in ((250, 900), (900, 2600))
    )
    wave = np.zeros(count)
    for harmonic in range(1, 36):
        frequency = harmonic * pitch
        level = 1 / (1 + ((frequency - first) / 120) ** 2) + 0.6 / (1 + ((frequency - second) / 200) ** 2)
        wave += np.where(frequency < 0.45 * rate, level, 0) * np.sin(harmonic * phase)
    loudness = np.abs(np.sin(np.pi * syllables * time / seconds)) ** 1.5 * np.interp(
        time, knots, draw.uniform(0.3, 1, syllables + 1)
    )
    wave = wave * loudness + 1e-3 * draw.standard_normal(count)
    return np.asarray(0.5 * wave / np.abs(wave).max(), np.float32)


def noisy(wave: NDArray[np.float32], snr: float, seed: int = 0) -> NDArray[np.float32]:
    """`wave` with white noise at `snr` dB."""
    noise = rng(seed, "noise").standard_normal(len(wave))
    gain = np.sqrt(np.mean(wave**2)) * 10 ** (-snr / 20)
    return np.asarray(wave + gain * noise, np.float32)


def folders(
    root: Path, count: int, *, speakers: int = 1, seconds: float = 1.0, rate: int = 24_000
) -> tuple[Path, Path]:
    """`count` clips a speaker named s<k>/clip<i>: references in root/refs, the same with noise in root/wavs."""
    refs, wavs = root / "refs", root / "wavs"
    for speaker in range(1, speakers + 1):
        for index in range(count):
            wave = voice(seconds, 100 * speaker + index, rate)
            name = f"s{speaker}/clip{index:02d}.wav"
            write_wav(refs / name, wave, rate)
            write_wav(wavs / name, noisy(wave, 15, index), rate)
    return wavs, refs
