"""STOI and ESTOI of one pair in one pass: resampling, silent-frame removal and band analysis are shared.

    waves -> 10 kHz -> frames without silence -> third-octave amplitudes (2, n, 15) -> segments of 30 frames
      STOI   Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011
      ESTOI  Jensen, Taal, IEEE TASLP 24(11), 2016

Equal to pystoi 0.4.1 within 1e-6. Two things differ, so that one input has one value: pystoi adds machine-epsilon
noise from numpy's global generator before it normalises, and here a row without variation correlates with nothing;
and no BLAS is called, whose sums depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from v2sbench.scoring.metrics.unusable import UnusableError

RATE = 10_000
"""Hz at which both measures are defined."""
FRAME = 256
"""Samples of a frame, 25.6 ms."""
HOP = 128
"""Samples between frames, 12.8 ms."""
FFT = 512
"""Points of the transform; frames are padded with zeros."""
BANDS = 15
"""Third-octave bands."""
LOWEST = 150.0
"""Hz, centre of the lowest band."""
SEGMENT = 30
"""Frames that are correlated at a time, 384 ms."""
RANGE = 40.0
"""dB under the loudest frame of the reference at which a frame counts as silent."""
CLIP = 1 + 10 ** (15 / 20)
"""How far a prediction may exceed the reference before STOI clips it: a signal-to-distortion ratio of -15 dB."""
EPS = float(np.finfo(np.float64).eps)
REACH = 400
"""Samples at RATE, 40 ms: one picture at 25 fps, how far `aligned` looks to either side."""
COARSE = 40
"""Samples between the shifts that are tried first, 4 ms: 10 ms cost a tenth of STOI, so no peak fits between two."""
FINE = 10
"""Samples between the shifts that are tried around the best of those, 1 ms."""
BLOCK = 128
"""Segments worked on at a time, so that memory does not grow with the clip and a block stays in the cache."""

Wave = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Intelligibility:
    """Both measures of one pair, each from -1 to 1."""

    stoi: float
    estoi: float
    frames: int
    """Frames of the reference that were not silent."""


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Both measures of one pair, each at the shift of the prediction that suits it best.

    The shifts are the seconds by which the prediction comes later than the reference; negative when it is early.
    """

    stoi: float
    estoi: float
    stoi_shift: float
    estoi_shift: float


def intelligibility(reference: NDArray[np.floating], prediction: NDArray[np.floating], rate: int) -> Intelligibility:
    """STOI and ESTOI of (T,) `prediction` against (T,) `reference`, both at `rate` Hz.

    Raises UnusableError too-short, when fewer than 30 frames are not silent; ValueError when the lengths differ.
    """
    pair = _at_rate(reference, prediction, rate)
    bands = _bands(pair, _loud(pair[0]))
    ((stoi, estoi),) = _measured(bands[0], [bands[1]]).tolist()
    return Intelligibility(stoi=stoi, estoi=estoi, frames=bands.shape[1] + 1)  # n overlapping frames, n - 1 joined ones


def aligned(reference: NDArray[np.floating], prediction: NDArray[np.floating], rate: int) -> Aligned:
    """The best STOI and the best ESTOI of (T,) `prediction` when it may be moved by up to 40 ms, both at `rate` Hz.

    Tries shifts of 4 ms (0 among them) and, around the best of these for either measure, of 1 ms; so neither value is
    under the plain one, and a better shift between the tried ones may be missed by half a millisecond. Silence is moved
    in from outside the prediction; the frames are those of the reference, as without a shift. Raises as
    `intelligibility`.
    """
    first, second = _at_rate(reference, prediction, rate)
    loud = _loud(first)
    bands = _bands(first[None], loud)[0]
    padded = np.pad(second, REACH)
    found: dict[int, tuple[float, float]] = {}

    def measure(shifts: Iterable[int]) -> None:
        new = [shift for shift in shifts if shift not in found]
        moved = [padded[None, REACH + shift : REACH + shift + len(first)] for shift in new]
        values = _measured(bands, [_bands(wave, loud)[0] for wave in moved])
        found.update(zip(new, map(tuple, values.tolist()), strict=True))

    def best(which: int) -> int:
        return max(found, key=lambda shift: (found[shift][which], -abs(shift)))

    measure(range(-REACH, REACH + 1, COARSE))
    for near in {best(0), best(1)}:
        measure(shift for shift in range(near + FINE - COARSE, near + COARSE, FINE) if abs(shift) <= REACH)
    plain, extended = best(0), best(1)
    return Aligned(stoi=found[plain][0], stoi_shift=plain / RATE, estoi=found[extended][1], estoi_shift=extended / RATE)


# ---------------------------------------------------------------- correlation


def _measured(reference: Wave, predictions: Sequence[Wave]) -> Wave:
    """(n, 15) amplitudes of a reference and of k predictions -> (k, 2): STOI and ESTOI of each."""
    if len(reference) < SEGMENT:
        raise UnusableError("too-short")
    x_all, *y_all = (_segments(bands) for bands in (reference, *predictions))
    sums, count = np.zeros((len(predictions), 2)), x_all.shape[1]
    for start in range(0, count, BLOCK):
        block = slice(start, start + BLOCK)
        x = np.ascontiguousarray(x_all[:, block])
        x_norm, limit, x_centred = _norm(x), x * CLIP, _centred(x)
        x_centred_norm, x_whitened = _norm(x_centred), _whitened(x_centred)
        weight = _inverse(_norm(x_whitened, "bst,bst->st"))
        for index, segments in enumerate(y_all):
            y = np.ascontiguousarray(segments[:, block])
            clipped = _centred(np.minimum(y * (x_norm / (_norm(y) + EPS))[..., None], limit))
            joint = np.einsum("bst,bst->bs", x_centred, clipped)
            sums[index, 0] += (joint / ((_norm(clipped) + EPS) * (x_centred_norm + EPS))).sum()
            whitened = _whitened(_centred(y))
            joint = np.einsum("bst,bst->st", x_whitened, whitened)
            sums[index, 1] += (joint * weight * _inverse(_norm(whitened, "bst,bst->st"))).sum()
    return np.asarray(sums / (count * BANDS, count * SEGMENT))


def _segments(bands: Wave) -> Wave:
    """(n, 15) -> (15, S, 30) view: segment s holds the frames s .. s + 29."""
    return sliding_window_view(np.ascontiguousarray(bands.T), SEGMENT, axis=1)


def _centred(x: Wave) -> Wave:
    """(15, S, 30) without the mean of each row."""
    return np.asarray(x - x.mean(axis=2, keepdims=True))


def _whitened(x: Wave) -> Wave:
    """(15, S, 30) centred rows -> rows of unit length, then columns without their mean."""
    rows = x * _inverse(_norm(x))[..., None]
    return np.asarray(rows - rows.mean(axis=0))


def _norm(x: Wave, over: str = "bst,bst->bs") -> Wave:
    """(15, S, 30) -> (15, S): length of each row, or (S, 30) of each column."""
    return np.asarray(np.sqrt(np.einsum(over, x, x)))


def _inverse(norm: Wave) -> Wave:
    """1 / norm, and 0 where the norm is no more than rounding: such a row correlates with nothing."""
    return np.asarray(np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > SEGMENT * EPS))


# ---------------------------------------------------------------- band analysis


def _loud(reference: Wave) -> NDArray[np.bool_]:
    """(T,) -> (n,): which frames are within RANGE of the loudest."""
    frames = _frames(reference[None])[0] * _window()
    if not len(frames):
        raise UnusableError("too-short")
    level = 20 * np.log10(np.sqrt(np.einsum("nt,nt->n", frames, frames)) + EPS)
    return np.asarray(level > level.max() - RANGE)


def _bands(waves: Wave, loud: NDArray[np.bool_]) -> Wave:
    """(k, T) -> (k, n, 15) third-octave amplitudes of the loud frames, which are joined first."""
    kept = (_frames(waves) * _window())[:, loud]
    joined = np.zeros((len(kept), (kept.shape[1] + 1) * HOP))
    joined[:, :-HOP] += kept[:, :, :HOP].reshape(len(kept), -1)
    joined[:, HOP:] += kept[:, :, HOP:].reshape(len(kept), -1)
    frames, edges = _frames(joined), _edges()
    parts = [np.zeros((len(waves), 0, BANDS))]
    for start in range(0, frames.shape[1], 4 * BLOCK):
        spectrum = np.fft.rfft(frames[:, start : start + 4 * BLOCK] * _window(), FFT)
        power = spectrum.real**2 + spectrum.imag**2
        parts.append(np.sqrt(np.add.reduceat(power[..., : edges[-1]], edges[:-1], axis=-1)))
    return np.concatenate(parts, axis=1)


def _frames(waves: Wave) -> Wave:
    """(k, T) -> (k, n, 256) view; the last start is under T - 256, as in the authors' program."""
    if waves.shape[1] <= FRAME:
        return np.zeros((len(waves), 0, FRAME))
    return sliding_window_view(waves, FRAME, axis=1)[:, : waves.shape[1] - FRAME : HOP]


@lru_cache(maxsize=1)
def _window() -> Wave:
    """Hann window whose ends are not zero."""
    return np.hanning(FRAME + 2)[1:-1]


@lru_cache(maxsize=1)
def _edges() -> NDArray[np.intp]:
    """(16,) first bin of each band, and the end of the last: the bins nearest to the third-octave edges."""
    bins = np.arange(FFT // 2 + 1) * (RATE / FFT)
    edges = LOWEST * 2.0 ** ((2 * np.arange(BANDS + 1) - 1) / 6)
    return np.asarray([np.argmin((bins - edge) ** 2) for edge in edges])


# ---------------------------------------------------------------- resampling


def _at_rate(reference: NDArray[np.floating], prediction: NDArray[np.floating], rate: int) -> Wave:
    """Two (T,) at `rate` -> (2, T') at 10 kHz by the filter of Octave's `resample`, as for the published values.

    A filter for each place between two samples, one product each: equal to scipy's `resample_poly`
    within 1e-14 in half its time, and without the import of scipy.signal, which takes a second.
    """
    if reference.shape != prediction.shape or reference.ndim != 1:
        raise ValueError(f"waves must be (T,) and equally long, not {reference.shape} and {prediction.shape}")
    pair = np.stack([reference, prediction]).astype(np.float64)
    if rate == RATE:
        return pair
    up, down = RATE // gcd(RATE, rate), rate // gcd(RATE, rate)
    reach, filters = _filters(up, down)
    windows = sliding_window_view(np.pad(pair, ((0, 0), (reach, reach + down))), 2 * reach + down, axis=1)[:, ::down]
    phases = [np.einsum("wnt,t->wn", windows[..., start : start + len(taps)], taps) for start, taps in filters]
    return np.stack(phases, axis=-1).reshape(2, -1)[:, : -(-pair.shape[1] * up // down)]


@lru_cache(maxsize=8)
def _filters(up: int, down: int) -> tuple[int, list[tuple[int, Wave]]]:
    """How many samples before a window of `down` are looked at; and for each of the `up` that are made of it, where a
    filter starts, and its taps: parts of one sinc with 60 dB of rejection under a Kaiser window.
    """
    rejection = 60.0
    stop = 1 / (2 * max(up, down))
    half = int(np.ceil((rejection - 8) / (28.714 * stop / 10)))
    time = np.arange(-half, half + 1)
    sinc = np.sinc(2 * stop * time) * np.kaiser(2 * half + 1, 0.1102 * (rejection - 8.7))
    sinc = sinc / sinc.sum() * up
    reach = half // up + 1
    filters = []
    for phase in range(up):
        place = half + down * phase - up * np.arange(-reach, reach + down)
        inside = np.flatnonzero((place >= 0) & (place < len(sinc)))
        filters.append((int(inside[0]), sinc[place[inside]]))
    return reach, filters
