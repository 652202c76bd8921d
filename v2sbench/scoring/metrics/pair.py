"""Two waves that may be compared: guarded, at one rate and one length, with the work that metrics share done once.

    (wave, Hz) twice --check--> --resample--> --align--> Pair

What cannot be scored is an error with a reason of REASONS, which becomes the status of the clip; never a number.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import resample
from v2sbench.scoring.metrics.pesq import SHORTEST, Mode, NoMosError, mos
from v2sbench.scoring.metrics.stoi import Aligned, Intelligibility, TooFewFramesError, aligned, intelligibility
from v2sbench.scoring.protocols import DEFAULT, LENGTHS, PROTOCOLS, Protocol

Wave = NDArray[np.float32]
"""(T,) float32, mono."""
Reason = Literal[
    "missing", "unreadable", "not-finite", "silent", "too-short", "too-long", "no-utterances", "pesq-failed",
    "no-text", "no-transcript",
]  # fmt: skip
REASONS: tuple[Reason, ...] = Reason.__args__  # type: ignore[attr-defined]
"""Every reason for which a value can be missing; with `reference-` before it when the reference is at fault."""

NOTES = ("padded", "stoi_shift", "estoi_shift")
"""Keys of `Pair.notes`: zeros appended to the prediction, in samples at the protocol's rate, negative where it was cut;
and the seconds by which it comes late, as the aligned measures see it."""
SILENT_RMS = 1e-4
"""-80 dBFS, three steps of 16-bit PCM: below it a wave holds rounding, which PESQ would lift to speech and score."""


class MetricError(Exception):
    """One metric has no value for one clip; `reason` is one of REASONS."""

    def __init__(self, reason: Reason) -> None:
        """reason: one of REASONS."""
        super().__init__(reason)
        self.reason: Reason = reason


class UnusableError(Exception):
    """A wave cannot be scored at all; `status` is one of REASONS, with `reference-` before it for a reference."""

    def __init__(self, status: str) -> None:
        """status: what stands in the clip's line."""
        super().__init__(status)
        self.status = status


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


def check(wave: NDArray[np.floating], rate: int) -> None:
    """Raise UnusableError when (T,) `wave` at `rate` is not-finite, silent or too-short for any metric."""
    if len(wave) < SHORTEST * rate:
        raise UnusableError("too-short")
    if not np.isfinite(wave).all():
        raise UnusableError("not-finite")
    if np.sqrt(np.mean(np.square(wave, dtype=np.float64))) < SILENT_RMS:
        raise UnusableError("silent")


class Pair:
    """A reference and a prediction that can be scored: one rate, one length, neither silent; shared work done once."""

    def __init__(self, reference: Wave, prediction: Wave, rate: int, padded: int = 0) -> None:
        """Waves that are already checked and aligned; `Pair.of` makes them so."""
        self.reference, self.prediction, self.rate, self.padded = reference, prediction, rate, padded

    @classmethod
    def of(
        cls, reference: tuple[Wave, int], prediction: tuple[Wave, int], rules: Protocol = PROTOCOLS[DEFAULT]
    ) -> Pair:
        """A pair by the rules of a protocol, from two (wave, Hz) of any rates and lengths.

        Raises UnusableError: not-finite, silent or too-short, with `reference-` before it when the reference is.
        """
        for prefix, (wave, rate) in (("reference-", reference), ("", prediction)):
            _check_named(prefix, wave, rate)
        first, second, padded = align(resample(*reference, rules.rate), resample(*prediction, rules.rate), rules.length)
        for prefix, wave in (("reference-", first), ("", second)):  # a cut may leave nothing but silence
            _check_named(prefix, wave, rules.rate)
        return cls(first, second, rules.rate, padded)

    @property
    def notes(self) -> dict[str, float]:
        """What a line of scores says beside the scores, under the keys of NOTES."""
        found: dict[str, float] = {"padded": self.padded}
        if (best := self.__dict__.get("aligned")) is not None:  # only where somebody asked for it
            found |= {"stoi_shift": best.stoi_shift, "estoi_shift": best.estoi_shift}
        return found

    def at(self, rate: int) -> tuple[Wave, Wave]:
        """Reference and prediction at `rate` Hz."""
        if rate == self.rate:
            return self.reference, self.prediction
        if rate not in self._others:
            self._others[rate] = (
                resample(self.reference, self.rate, rate),
                resample(self.prediction, self.rate, rate),
            )
        return self._others[rate]

    @cached_property
    def _others(self) -> dict[int, tuple[Wave, Wave]]:
        return {}

    def mos(self, rate: int, mode: Mode) -> float:
        """PESQ at `rate` Hz, computed once."""
        if (rate, mode) not in self._mos:
            try:
                self._mos[rate, mode] = mos(*self.at(rate), rate, mode)
            except NoMosError as error:
                self._mos[rate, mode] = MetricError(error.reason)
        found = self._mos[rate, mode]
        if isinstance(found, MetricError):
            raise found
        return found

    @cached_property
    def _mos(self) -> dict[tuple[int, Mode], float | MetricError]:
        return {}

    @cached_property
    def intelligibility(self) -> Intelligibility:
        """STOI and ESTOI together."""
        try:
            return intelligibility(self.reference, self.prediction, self.rate)
        except TooFewFramesError:
            raise MetricError("too-short") from None

    @cached_property
    def aligned(self) -> Aligned:
        """The best STOI and ESTOI within 40 ms, and at which shifts."""
        try:
            return aligned(self.reference, self.prediction, self.rate)
        except TooFewFramesError:
            raise MetricError("too-short") from None

    @cached_property
    def wrapped(self) -> Intelligibility:
        """STOI and ESTOI of both waves as 16-bit integers after a scaling by 2^16: from half of full scale it wraps."""
        try:
            return intelligibility(_wrapped(self.reference), _wrapped(self.prediction), self.rate)
        except TooFewFramesError:
            raise MetricError("too-short") from None


def _wrapped(wave: Wave) -> Wave:
    """(T,) -> (T,): what is left of round(wave * 2^16) in 16 bits."""
    return np.round(wave.astype(np.float64) * 2**16).astype(np.int64).astype(np.int16).astype(np.float32)


def _check_named(prefix: str, wave: Wave, rate: int) -> None:
    try:
        check(wave, rate)
    except UnusableError as error:
        raise UnusableError(f"{prefix}{error.status}") from None
