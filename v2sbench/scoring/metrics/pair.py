"""Two waves that may be compared: guarded, at one rate and one length, with the work that metrics share done once.

    (wave, Hz) twice --check--> --resample--> --align--> Pair

What cannot be scored is an error with a reason of REASONS, which becomes the status of the clip; never a number.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import Wave, resample
from v2sbench.scoring.metrics.pesq import SHORTEST, Mode, mos
from v2sbench.scoring.metrics.stoi import Aligned, Intelligibility, aligned, intelligibility
from v2sbench.scoring.metrics.unusable import UnusableError
from v2sbench.scoring.protocols import DEFAULT, LENGTHS, PROTOCOLS, Protocol

NOTES = ("padded", "stoi_shift", "estoi_shift", "scaled", "scaled_ref")
"""What a line says beside its scores. padded: zeros appended to the prediction, in samples at the protocol's rate,
negative where it was cut. stoi_shift, estoi_shift: seconds by which it comes late, as the aligned measures see it.
scaled, scaled_ref: the peak over full scale by which a float file was divided."""
SILENT_RMS = 1e-4
"""-80 dBFS, three steps of 16-bit PCM: below it a wave holds rounding, which PESQ would lift to speech and score."""


def align(reference: Wave, prediction: Wave, length: str = "reference") -> tuple[Wave, Wave, int]:
    """Both waves at one length, and how far the prediction was from it: the only place where lengths meet.

    length: key of LENGTHS. Returns reference, prediction (both (T,)), and the zeros appended to the prediction in
    samples; negative when it was cut.
    """
    samples = LENGTHS[length](len(reference), len(prediction))
    return _fit(reference, samples), _fit(prediction, samples), samples - len(prediction)


def _fit(wave: Wave, samples: int) -> Wave:
    lacking = samples - len(wave)
    return np.pad(wave, (0, lacking)) if lacking > 0 else wave[:samples]


def check(wave: NDArray[np.floating], rate: int, side: str = "") -> None:
    """Raise UnusableError when (T,) `wave` at `rate` is too-short, not-finite or silent; `side` stands before that."""
    if len(wave) < SHORTEST * rate:
        raise UnusableError(f"{side}too-short")
    if not np.isfinite(wave).all():
        raise UnusableError(f"{side}not-finite")
    if np.sqrt(np.mean(np.square(wave, dtype=np.float64))) < SILENT_RMS:
        raise UnusableError(f"{side}silent")


class Pair:
    """A reference and a prediction that can be scored: one rate, one length, neither silent; shared work done once."""

    def __init__(self, reference: Wave, prediction: Wave, rate: int, padded: int = 0) -> None:
        """Waves that are already checked and aligned; `Pair.of` makes them so."""
        self.reference, self.prediction, self.rate, self.padded = reference, prediction, rate, padded
        self._resampled: dict[int, tuple[Wave, Wave]] = {rate: (reference, prediction)}
        self._mos: dict[tuple[int, Mode], float | UnusableError] = {}

    @classmethod
    def of(
        cls, reference: tuple[Wave, int], prediction: tuple[Wave, int], rules: Protocol = PROTOCOLS[DEFAULT]
    ) -> Pair:
        """A pair by the rules of a protocol, from two (wave, Hz) of any rates and lengths.

        Raises UnusableError: not-finite, silent or too-short, with `reference-` before it when the reference is.
        """
        check(*reference, "reference-")
        check(*prediction)
        first, second, padded = align(resample(*reference, rules.rate), resample(*prediction, rules.rate), rules.length)
        check(first, rules.rate, "reference-")  # a cut may leave nothing but silence
        check(second, rules.rate)
        return cls(first, second, rules.rate, padded)

    @property
    def notes(self) -> dict[str, float]:
        """What a line of scores says beside the scores, under keys of NOTES."""
        found: dict[str, float] = {"padded": self.padded}
        if (best := self.__dict__.get("aligned")) is not None:  # only where somebody asked for it
            found |= {"stoi_shift": best.stoi_shift, "estoi_shift": best.estoi_shift}
        return found

    def at(self, rate: int) -> tuple[Wave, Wave]:
        """Reference and prediction at `rate` Hz, resampled once."""
        if rate not in self._resampled:
            first, second = (resample(wave, self.rate, rate) for wave in (self.reference, self.prediction))
            self._resampled[rate] = first, second
        return self._resampled[rate]

    def mos(self, rate: int, mode: Mode) -> float:
        """PESQ at `rate` Hz, computed once."""
        if (rate, mode) not in self._mos:
            try:
                self._mos[rate, mode] = mos(*self.at(rate), rate, mode)
            except UnusableError as error:
                self._mos[rate, mode] = error
        found = self._mos[rate, mode]
        if isinstance(found, UnusableError):
            raise found
        return found

    @cached_property
    def intelligibility(self) -> Intelligibility:
        """STOI and ESTOI together."""
        return intelligibility(self.reference, self.prediction, self.rate)

    @cached_property
    def aligned(self) -> Aligned:
        """The best STOI and ESTOI within 40 ms, and at which shifts."""
        return aligned(self.reference, self.prediction, self.rate)

    @cached_property
    def wrapped(self) -> Intelligibility:
        """STOI and ESTOI of both waves as 16-bit integers after a scaling by 2^16: from half of full scale it wraps."""
        return intelligibility(_wrapped(self.reference), _wrapped(self.prediction), self.rate)


def _wrapped(wave: Wave) -> Wave:
    """(T,) -> (T,): what is left of round(wave * 2^16) in 16 bits."""
    return np.round(wave.astype(np.float64) * 2**16).astype(np.int64).astype(np.int16).astype(np.float32)
