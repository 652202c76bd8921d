"""Finds wavs under wrong names (clips, speakers or folders that were mixed up) and at a wrong rate.

    profile of each side: how loud each band is over time --> a prediction belongs to the reference it runs along with

A score alone does not tell a bad system from good files under wrong names. A prediction that runs along with another
clip's reference, and not with its own, does. So does one that runs along with its own only at another rate.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLOTS = 64
"""Moments of a profile: what comes later is not compared."""
SLOT = 0.04
"""Seconds of a moment."""
EDGES = (100.0, 250.0, 450.0, 700.0, 1050.0, 1500.0, 2200.0, 3300.0, 4000.0)
"""Edges of the bands in Hz, about equally wide to the ear."""
QUIET = 1e-3
"""Power below the loudest of a band that counts as silence: 30 dB, which noise on the line does not reach."""
MOST = 2048
"""Clips that are compared at most, so that neither memory nor time grows without end."""
FEWEST = 4
"""With fewer clips, chance may do it."""
ALIKE = 0.5
"""Correlation above which a prediction runs along with a reference."""
CLEARER = 0.2
"""By how much that must exceed the correlation with its own."""
AHEAD = 0.08
"""By how much it must exceed any third. In noise down to 0 dB nine in ten real clips are that far ahead with their own
reference, and one in twenty with a sentence that is only alike."""
SHARE = 0.25
"""Share of the clips above which it is no accident."""
LONGER = 0.02
"""Relative difference of two lengths up to which no header is doubted."""
ONE = 0.01
"""Relative difference up to which two factors are one."""


def profile(wave: NDArray[np.float32], rate: int) -> NDArray[np.float16]:
    """(T,) -> (512,) of unit length and no mean in any band: two profiles' product is their correlation."""
    frame = round(SLOT * rate)
    count = min(SLOTS, len(wave) // frame)
    out = np.zeros((len(EDGES) - 1, SLOTS), np.float32)
    if count > 1:
        spectrum = np.fft.rfft(wave[: count * frame].reshape(count, frame) * _window(frame))
        power = np.add.reduceat(spectrum.real**2 + spectrum.imag**2, _bins(frame, rate), axis=1)[:, :-1].T
        level = np.log10(power + QUIET * power.max(axis=1, keepdims=True) + np.finfo(np.float64).tiny)
        out[:, :count] = level - level.mean(axis=1, keepdims=True)
    length = float(np.sqrt(np.square(out).sum()))
    return np.asarray(out.ravel() / length if length else out.ravel(), np.float16)


class Stretch(NamedTuple):
    """A prediction played at another rate, so that it lasts as long as its reference."""

    rate: int
    """Hz in its header."""
    fitting: int
    """Hz at which it lasts as long."""
    correlation: float
    """With its reference, at that rate."""

    @property
    def factor(self) -> float:
        """Its length over the reference's."""
        return self.fitting / self.rate


def stretch(reference: NDArray[np.float16], seconds: float, wave: NDArray[np.float32], rate: int) -> Stretch | None:
    """(T,) prediction against the profile and length of its reference; None where both are about as long."""
    fitting = round(len(wave) / seconds)
    if abs(fitting / rate - 1) < LONGER or fitting <= 2 * EDGES[-2]:  # or too low a rate for the bands
        return None
    found = reference.astype(np.float32) @ profile(wave, fitting).astype(np.float32)
    return Stretch(rate, fitting, float(found))


@lru_cache(maxsize=4)
def _window(frame: int) -> NDArray[np.float64]:
    return np.hanning(frame)


@lru_cache(maxsize=4)
def _bins(frame: int, rate: int) -> NDArray[np.intp]:
    return np.asarray(np.minimum(np.round(np.array(EDGES) * frame / rate), frame // 2), np.intp)


class Agreement:
    """The profiles of a run's clips, and what looks mixed up in them."""

    def __init__(self) -> None:
        self._clips: list[str] = []
        self._profiles: list[NDArray[np.float16]] = []
        self._stretches: list[tuple[str, float, Stretch]] = []
        self._same = 0

    def add(
        self, clip: str, profiles: NDArray[np.float16] | None, same: bool, stretched: Stretch | None = None
    ) -> None:
        """Take a clip in. profiles: (2, 512) of reference and prediction. same: both files hold the same bytes."""
        self._same += same
        if profiles is not None and len(self._clips) < MOST:
            self._clips.append(clip)
            self._profiles.append(profiles)
            if stretched:
                reference, prediction = profiles.astype(np.float32)
                self._stretches.append((clip, float(reference @ prediction), stretched))

    def warnings(self) -> list[str]:
        """What looks mixed up, a sentence with its evidence each."""
        found = []
        if self._same:
            found.append(f"{self._same} predictions are their references, byte for byte: is --wavs the right folder?")
        if len(self._clips) >= FEWEST and (elsewhere := self._elsewhere()):
            found.append(elsewhere)
        if rate := self._wrong_rate():
            found.append(rate)
        return found

    def _wrong_rate(self) -> str:
        lost = [
            item
            for item in sorted(self._stretches)
            if item[2].correlation > ALIKE and item[2].correlation > item[1] + CLEARER
        ]
        middle = float(np.median([item[2].factor for item in lost])) if lost else 1.0
        lost = [item for item in lost if abs(item[2].factor / middle - 1) < ONE]
        if len(lost) < max(FEWEST, SHARE * len(self._clips)):
            return ""
        clip, own, worst = max(lost, key=lambda item: item[2].correlation - item[1])
        return (
            f"{len(lost)} of {len(self._clips)} predictions are {middle:.3f} times as long as their references and run "
            f"along with them only at another rate (e.g. {clip} at {worst.fitting:,} Hz: correlation "
            f"{worst.correlation:.2f}, at the {worst.rate:,} Hz of its header {own:.2f}): do the headers of "
            "predictions or references name a wrong rate?"
        )

    def _elsewhere(self) -> str:
        order = np.argsort(self._clips)
        clips = [self._clips[index] for index in order]
        both = np.stack([self._profiles[index] for index in order]).astype(np.float32)
        reference, prediction = both[:, 0], both[:, 1]
        own = np.einsum("nd,nd->n", reference, prediction)
        best, third, where = np.empty_like(own), np.empty_like(own), np.empty(len(own), np.intp)
        for start in range(0, len(own), 256):
            rows = slice(start, start + 256)
            found = prediction[rows] @ reference.T
            where[rows] = found.argmax(axis=1)
            third[rows], best[rows] = np.partition(found, -2, axis=1)[:, -2:].T
        lost = np.flatnonzero((best > ALIKE) & (best > own + CLEARER) & (best > third + AHEAD))
        if len(lost) < max(FEWEST, SHARE * len(clips)):
            return ""
        worst = lost[np.argmax(best[lost] - own[lost])]
        text = (
            f"{len(lost)} of {len(clips)} predictions run along with another clip's reference, not with their own "
            f"(e.g. {clips[worst]} with {clips[where[worst]]}: correlation {best[worst]:.2f}, with its own "
            f"{own[worst]:.2f})"
        )
        one, times = Counter(clips[where[index]] for index in lost).most_common(1)[0]
        if times > max(1, len(lost) / 2):
            return f"{text}: {times} of them with {one}: is one file there under many names?"
        moves = Counter((_speaker(clips[index]), _speaker(clips[where[index]])) for index in lost)
        across = {move: count for move, count in moves.items() if move[0] != move[1]}
        if sum(across.values()) > len(lost) / 2:
            mine, theirs = max(sorted(across), key=across.__getitem__)
            return f"{text}: are the files of speakers {mine} and {theirs} swapped?"
        return f"{text}: are the files under the wrong names?"


def _speaker(clip: str) -> str:
    return clip.rpartition("/")[0]
