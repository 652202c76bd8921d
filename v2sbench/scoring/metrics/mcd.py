"""Mel-cepstral distortion of one pair, frame by frame and without time warping: how far the colour of sound is off.

    waves at 16 kHz -> 25 ms windows every 5 ms -> one level -> power in 40 mel bands -> half its natural logarithm
      -> c_1 .. c_24, where log amplitude = c_0 + sum over d of c_d cos(pi d (band + 1/2) / 40)
    MCD = mean over frames of 10 / ln 10 * sqrt(2 * sum over d of (c_d - c'_d)^2)

The formula is Kubichek's (IEEE Pacific Rim Conference 1993) over the 24 coefficients that voice conversion counts
(Toda, Black, Tokuda, IEEE TASLP 15(8), 2007): the root mean square distance, in dB, of two smoothed spectra on the mel
axis. c_0 is left out, so gains do not matter. Papers analyse in different ways (filter banks, all-pass warping, other
orders), so no two of their MCDs compare. Nothing is warped in time: the video sets a prediction's timing. Frames are
those in which the reference is within 40 dB of its loudest, as for STOI.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from v2sbench.scoring.metrics.mel import triangles
from v2sbench.scoring.metrics.unusable import UnusableError

RATE = 16_000
"""Hz at which it is defined."""
WINDOW = 400
"""Samples of a frame, 25 ms."""
HOP = 80
"""Samples between frames, 5 ms."""
FFT = 512
BANDS = 40
"""Mel bands between 0 Hz and half the rate."""
ORDER = 24
"""Coefficients, without the 0th."""
RANGE = 40.0
"""dB under the loudest frame of the reference at which a frame counts as silent."""
LEVEL = 0.1
"""RMS to which the frames of every wave are brought."""
FLOOR = 1e-8
"""Power added to each band, so that nothing under 60 dB below that level is told apart."""

Wave = NDArray[np.float64]


def distortion(reference: NDArray[np.floating], prediction: NDArray[np.floating]) -> float:
    """MCD in dB of (T,) `prediction` against (T,) `reference` at RATE; 0 is the same, about 10 another sound.

    Raises UnusableError too-short under one frame; ValueError when the lengths differ.
    """
    if reference.shape != prediction.shape or reference.ndim != 1:
        raise ValueError(f"waves must be (T,) and equally long, not {reference.shape} and {prediction.shape}")
    if len(reference) < WINDOW:
        raise UnusableError("too-short")
    frames = _frames(reference)
    power = np.concatenate([frames[part].var(axis=1) for part in _parts(np.arange(len(frames)))])
    level = 10 * np.log10(power + np.finfo(np.float64).tiny)
    loud = np.flatnonzero(level > level.max() - RANGE)
    difference = mel_cepstra(reference, loud) - mel_cepstra(prediction, loud)
    return float(10 / np.log(10) * np.sqrt(2 * np.square(difference).sum(axis=1)).mean())


def mel_cepstra(wave: NDArray[np.floating], kept: NDArray[np.intp] | None = None) -> Wave:
    """(T,) at RATE -> (n, 24) mel-cepstral coefficients c_1 to c_24, without c_0; of the frames `kept`, or of all."""
    frames = _frames(wave)
    parts = _parts(np.arange(len(frames)) if kept is None else kept)
    level = np.sqrt(np.mean(np.concatenate([np.square(frames[part]).mean(axis=1) for part in parts])))
    window = (LEVEL / level if level else 0.0) * np.hanning(WINDOW)
    found = []
    for part in parts:
        power = np.abs(np.fft.rfft(frames[part] * window, FFT)) ** 2
        # einsum and not @: sums of BLAS depend on the number of threads
        bands = np.einsum("nf,bf->nb", power, _filters()) + FLOOR
        found.append(np.einsum("nb,db->nd", 0.5 * np.log(bands), _cosines()))
    return np.concatenate(found)


def _parts(frames: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Frames worked on at a time, so that memory does not grow with the clip."""
    return np.array_split(frames, 1 + len(frames) // 1024)


def _frames(wave: NDArray[np.floating]) -> Wave:
    """(T,) -> (n, 400) view."""
    return sliding_window_view(np.asarray(wave, np.float64), WINDOW)[::HOP]


@cache
def _filters() -> Wave:
    """(40, 257) triangles, equally wide on the mel scale; a sine of amplitude 1 has power 1/4 in the band around it."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1)
    return np.asarray(triangles(edges, FFT, RATE) / np.square(np.hanning(WINDOW).sum()))


@cache
def _cosines() -> Wave:
    """(24, 40): from log amplitudes of the bands to c_1 .. c_24."""
    order = np.arange(1, ORDER + 1)[:, None]
    return np.asarray(2 / BANDS * np.cos(np.pi * order * (np.arange(BANDS) + 0.5) / BANDS))
