"""STOI and ESTOI of one pair in one pass: resampling, silent-frame removal and band analysis are shared.

    waves at RATE_IN -> 10 kHz -> frames without silence -> third-octave amplitudes (2, n, 15) -> segments of 30 frames
      STOI   Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011
      ESTOI  Jensen, Taal, IEEE TASLP 24(11), 2016

Equal to pystoi 0.4.1 within 1e-6. Two things differ, both for the sake of one value for one input: no noise is drawn
(pystoi adds machine-epsilon noise from numpy's global generator before it normalises; here a row without any variation
correlates with nothing instead of with that noise), and no BLAS is called, whose sums depend on the threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

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
"""Samples between the shifts that are tried first, 4 ms: a shift of 10 ms takes a tenth of STOI, so no peak of it fits
between two of them."""
FINE = 10
"""Samples between the shifts that are tried around the best of those, 1 ms: what a found shift is true to."""
BLOCK = 128
"""Segments worked on at a time, so that memory does not grow with the clip and the block stays in the cache."""

Wave = NDArray[np.float64]


class TooFewFramesError(ValueError):
    """Fewer than SEGMENT frames are left without silence: neither measure is defined."""


@dataclass(frozen=True, kw_only=True)
class Intelligibility:
    """Both measures of one pair."""

    stoi: float
    """Short-time objective intelligibility, -1 to 1."""
    estoi: float
    """Extended STOI, -1 to 1."""
    frames: int
    """Frames of the reference that were not silent."""


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Both measures of one pair, each at the shift of the prediction that suits it best."""

    stoi: float
    """The best STOI, -1 to 1."""
    estoi: float
    """The best ESTOI, -1 to 1."""
    stoi_shift: float
    """Seconds by which the prediction comes later than the reference, as STOI sees it; negative when it is early."""
    estoi_shift: float
    """The same as ESTOI sees it."""


def intelligibility(reference: NDArray[np.floating], prediction: NDArray[np.floating], rate: int) -> Intelligibility:
    """STOI and ESTOI of (T,) `prediction` against (T,) `reference`, both at `rate` Hz.

    Raises TooFewFramesError; ValueError when the lengths differ.
    """
    pair = _checked(reference, prediction, rate)
    bands = _bands(_joined(_frames(pair) * _window(), _loud(pair[0])))
    x_segments, y_segments = _segments(bands)
    count = x_segments.shape[1]
    plain = extended = 0.0
    for start in range(0, count, BLOCK):
        x, y = (np.ascontiguousarray(side[:, start : start + BLOCK]) for side in (x_segments, y_segments))
        more, extended_more = _correlations(_Block.of(x), y)
        plain += more
        extended += extended_more
    return Intelligibility(
        stoi=plain / (count * BANDS), estoi=extended / (count * SEGMENT), frames=bands.shape[1] + 1
    )  # n overlapping frames leave n - 1 whole ones once they are joined


def aligned(reference: NDArray[np.floating], prediction: NDArray[np.floating], rate: int) -> Aligned:
    """The best STOI and the best ESTOI of (T,) `prediction` when it may be moved by up to 40 ms, both at `rate` Hz.

    Tried are shifts of 4 ms (0 among them) and, around the best of these for either measure, of 1 ms; so neither value
    is under the plain one, and a better shift between the tried ones may be missed by half a millisecond. What is
    moved in from outside of the prediction is silence; the frames are those of the reference, as without a shift.
    Raises as `intelligibility`.
    """
    pair = _checked(reference, prediction, rate)
    loud = _loud(pair[0])
    x = _segments(_bands(_joined(_frames(pair[:1]) * _window(), loud)))[0]
    count = x.shape[1]
    padded = np.pad(pair[1:], ((0, 0), (REACH, REACH)))
    found: dict[int, tuple[float, float]] = {}

    def listen(shifts: Iterable[int]) -> None:
        """Measure at the shifts that are not in `found` yet, block by block."""
        new = [shift for shift in dict.fromkeys(shifts) if shift not in found]
        moved = [padded[:, REACH + shift : REACH + shift + pair.shape[1]] for shift in new]
        sides = [_segments(_bands(_joined(_frames(y) * _window(), loud)))[0] for y in moved]
        sums = np.zeros((len(new), 2))
        for start in range(0, count, BLOCK):
            block = _Block.of(np.ascontiguousarray(x[:, start : start + BLOCK]))
            sums += [_correlations(block, np.ascontiguousarray(y[:, start : start + BLOCK])) for y in sides]
        for shift, (plain, extended) in zip(new, sums, strict=True):
            found[shift] = (float(plain) / (count * BANDS), float(extended) / (count * SEGMENT))

    def best(measure: int) -> int:
        return max(found, key=lambda shift: (found[shift][measure], -abs(shift)))

    listen(range(-REACH, REACH + 1, COARSE))
    near = {best(0), best(1)}
    listen(shift + step for shift in near for step in range(FINE - COARSE, COARSE, FINE) if abs(shift + step) <= REACH)
    plain, extended = best(0), best(1)
    return Aligned(stoi=found[plain][0], stoi_shift=plain / RATE, estoi=found[extended][1], estoi_shift=extended / RATE)


def _checked(reference: NDArray[np.floating], prediction: NDArray[np.floating], rate: int) -> Wave:
    """Two (T,) at `rate` -> (2, T') at RATE; ValueError when the lengths differ."""
    if reference.shape != prediction.shape or reference.ndim != 1:
        raise ValueError(f"waves must be (T,) and equally long, not {reference.shape} and {prediction.shape}")
    return _to_rate(np.stack([reference, prediction]).astype(np.float64), rate)


def _segments(bands: Wave) -> Wave:
    """(k, n, 15) -> (k, 15, S, 30) view: segment s holds the frames s .. s + 29."""
    if bands.shape[1] < SEGMENT:
        raise TooFewFramesError(f"{bands.shape[1]} frames are left without silence, {SEGMENT} are needed")
    return sliding_window_view(np.ascontiguousarray(bands.transpose(0, 2, 1)), SEGMENT, axis=2)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """What both correlations take of a block of the reference's segments, (15, S, 30), whatever the prediction."""

    norm: Wave
    """(15, S) length of each row."""
    limit: Wave
    """(15, S, 30) to which the prediction is clipped."""
    centred: Wave
    """(15, S, 30) rows without their mean."""
    centred_norm: Wave
    """(15, S) length of those."""
    whitened: Wave
    """(15, S, 30) rows of unit length, then columns without their mean."""
    weight: Wave
    """(S, 30) 1 / length of those columns."""

    @classmethod
    def of(cls, x: Wave) -> _Block:
        """The block of amplitudes x, (15, S, 30)."""
        centred = x - x.mean(axis=2, keepdims=True)
        norm = _norm(centred)
        whitened = centred * _inverse(norm)[..., None]
        whitened -= whitened.mean(axis=0)
        weight = _inverse(np.sqrt(np.einsum("bst,bst->st", whitened, whitened)))
        return cls(norm=_norm(x), limit=x * CLIP, centred=centred, centred_norm=norm, whitened=whitened, weight=weight)


def _correlations(x: _Block, y: Wave) -> tuple[float, float]:
    """Sums of STOI's and ESTOI's correlations over a block; y: (15, S, 30) amplitudes of the prediction."""
    scale = x.norm / (_norm(y) + EPS)
    clipped = np.minimum(y * scale[..., None], x.limit)
    y0 = y - y.mean(axis=2, keepdims=True)
    clipped -= clipped.mean(axis=2, keepdims=True)
    joint = np.einsum("bst,bst->bs", x.centred, clipped)
    plain = (joint / ((_norm(clipped) + EPS) * (x.centred_norm + EPS))).sum()

    y0 *= _inverse(_norm(y0))[..., None]
    y0 -= y0.mean(axis=0)
    joint = np.einsum("bst,bst->st", x.whitened, y0)
    extended = (joint * x.weight * _inverse(np.sqrt(np.einsum("bst,bst->st", y0, y0)))).sum()
    return float(plain), float(extended)


def _norm(x: Wave) -> Wave:
    """(15, S, 30) -> (15, S): length of each row."""
    return np.asarray(np.sqrt(np.einsum("bst,bst->bs", x, x)))


def _inverse(norm: Wave) -> Wave:
    """1 / norm, and 0 where the norm is no more than rounding: such a row correlates with nothing."""
    return np.asarray(np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > SEGMENT * EPS))


# ---------------------------------------------------------------- band analysis


def _loud(reference: Wave) -> NDArray[np.bool_]:
    """(T,) -> (n,): which frames are within RANGE of the loudest."""
    frames = _frames(reference[None])[0] * _window()
    if not len(frames):
        raise TooFewFramesError(f"{len(reference)} samples at {RATE} Hz are under one frame of {FRAME}")
    level = 20 * np.log10(np.sqrt(np.einsum("nt,nt->n", frames, frames)) + EPS)
    return np.asarray(level > level.max() - RANGE)


def _joined(frames: Wave, loud: NDArray[np.bool_]) -> Wave:
    """(k, n, 256) windowed frames -> (k, T'): the loud ones, joined."""
    kept = frames[:, loud]
    count = kept.shape[1]
    joined = np.zeros((len(kept), (count + 1) * HOP))
    joined[:, :-HOP] += kept[:, :, :HOP].reshape(len(kept), -1)
    joined[:, HOP:] += kept[:, :, HOP:].reshape(len(kept), -1)
    return joined


def _bands(pair: Wave) -> Wave:
    """(k, T) -> (k, n, 15) third-octave amplitudes."""
    frames, edges = _frames(pair), _edges()
    parts = [np.zeros((len(pair), 0, BANDS))]
    for start in range(0, frames.shape[1], 4 * BLOCK):
        spectrum = np.fft.rfft(frames[:, start : start + 4 * BLOCK] * _window(), FFT)
        power = spectrum.real**2 + spectrum.imag**2
        parts.append(np.sqrt(np.add.reduceat(power[..., : edges[-1]], edges[:-1], axis=-1)))
    return np.concatenate(parts, axis=1)


def _frames(pair: Wave) -> Wave:
    """(k, T) -> (k, n, 256) view; the last start is under T - 256, as in the authors' program."""
    if pair.shape[1] <= FRAME:
        return np.zeros((len(pair), 0, FRAME))
    return sliding_window_view(pair, FRAME, axis=1)[:, : pair.shape[1] - FRAME : HOP]


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


def _to_rate(pair: Wave, rate: int) -> Wave:
    """(2, T) at `rate` -> 10 kHz by the filter of Octave's `resample`, which the published values were made with.

    One sum of products a phase of the filter: half the time of scipy's `resample_poly`, whose import alone takes as
    long as scoring fifteen clips. Equal to it within 1e-14.
    """
    if rate == RATE:
        return pair
    divisor = gcd(RATE, rate)
    up, down = RATE // divisor, rate // divisor
    taps = _octave_window(up, down) * up
    reach = len(taps) // 2 // up + 1
    windows = sliding_window_view(np.pad(pair, ((0, 0), (reach, reach + down))), 2 * reach + 1, axis=1)
    away = up * np.arange(-reach, reach + 1)  # of each sample in a window from its middle, at the common rate
    out = np.empty((2, -(-pair.shape[1] * up // down)))
    for phase in range(min(up, out.shape[1])):
        first, offset = divmod(phase * down, up)
        place = len(taps) // 2 + offset - away
        inside = np.flatnonzero((place >= 0) & (place < len(taps)))
        part = out[:, phase::up]
        chosen = windows[:, first::down, inside[0] : inside[-1] + 1][:, : part.shape[1]]
        part[:] = np.einsum("wnt,t->wn", chosen, taps[place[inside]])
    return out


@lru_cache(maxsize=8)
def _octave_window(up: int, down: int) -> Wave:
    """Kaiser-windowed sinc with 60 dB of rejection, of unit sum."""
    rejection = 60.0
    stop = 1 / (2 * max(up, down))
    half = np.ceil((rejection - 8) / (28.714 * stop / 10))
    time = np.arange(-half, half + 1)
    taps = np.sinc(2 * stop * time) * np.kaiser(2 * int(half) + 1, 0.1102 * (rejection - 8.7))
    return np.asarray(taps / taps.sum())
