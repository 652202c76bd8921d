"""What is measured on one clip, a line of METRICS each; and PROTOCOLS, which fix what two numbers must share.

    reference, prediction --Pair.of--> one rate, one length, guarded --Metric.compute--> float      (needs "pair")
    reference text, transcript ------> Words ------------------------Metric.compute--> edit counts  (needs "words")

A metric that cannot be computed raises `MetricError` with a reason; it never returns a number in its stead. A further
metric is a further line of METRICS, a further protocol a further line of PROTOCOLS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

import jiwer
import numpy as np
from numpy.typing import NDArray

from v2sbench.mos import SHORTEST, Mode, NoMosError, mos
from v2sbench.pcm import resample
from v2sbench.runtime import choose
from v2sbench.stoi import Intelligibility, TooFewFramesError, intelligibility

__all__ = [
    "LENGTHS",
    "METRICS",
    "PROTOCOLS",
    "REASONS",
    "Metric",
    "MetricError",
    "Pair",
    "Protocol",
    "UnusableError",
    "Words",
    "align",
    "check",
    "metric",
    "protocol",
]

Wave = NDArray[np.float32]
"""(T,) float32, mono."""
Reason = Literal[
    "missing", "unreadable", "not-finite", "silent", "too-short", "too-long", "no-utterances", "pesq-failed",
    "no-text", "no-transcript",
]  # fmt: skip
REASONS: tuple[Reason, ...] = Reason.__args__  # type: ignore[attr-defined]
"""Every reason for which a value can be missing; with `reference-` before it when the reference is at fault."""

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


# ---------------------------------------------------------------- protocols

LENGTHS: dict[str, Callable[[int, int], int]] = {
    "reference": lambda reference, prediction: reference,
}
"""Length policy -> samples of both waves, from those of reference and prediction; what lacks is filled with zeros."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What must be equal before two numbers may be subtracted."""

    name: str
    """Name with version: any change of meaning is a new name."""
    description: str
    """One line for people."""
    rate: int
    """Hz to which both waves are brought before anything else."""
    metrics: tuple[str, ...]
    """Metrics computed unless others are asked for; they also say which PESQ this is."""
    length: str
    """Key of LENGTHS: what happens when the lengths differ."""
    failure: Literal["counted"]
    """counted: a failed metric has no value, enters no mean and is counted beside it."""
    words: Literal["text"]
    """What the transcript is compared with: the sentence that was to be said."""
    normalisers: Mapping[Literal["grid", "open"], str]
    """Normaliser of GRID sentences and of other text, both keys of asr.NORMALISERS."""
    aggregation: str
    """How a column is made of utterances."""


PROTOCOLS: dict[str, Protocol] = {
    item.name: item
    for item in (
        Protocol(
            name="v2sbench-1",
            description="16 kHz, padded or cut to the reference, failures counted, WER against the text, pooled",
            rate=16_000,
            metrics=("pesq_wb", "pesq_nb8", "stoi", "estoi", "wer"),
            length="reference",
            failure="counted",
            words="text",
            normalisers={"grid": "grid-strict-v1", "open": "plain-v1"},
            aggregation="mean over utterances; WER pooled over words",
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol of that name; UseError with the nearest one otherwise."""
    return choose("protocol", name, PROTOCOLS)


# ---------------------------------------------------------------- a pair of waves


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
        cls, reference: tuple[Wave, int], prediction: tuple[Wave, int], rules: Protocol = PROTOCOLS["v2sbench-1"]
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
        """PESQ at `rate` Hz."""
        try:
            return mos(*self.at(rate), rate, mode)
        except NoMosError as error:
            raise MetricError(error.reason) from None

    @cached_property
    def intelligibility(self) -> Intelligibility:
        """STOI and ESTOI together."""
        try:
            return intelligibility(self.reference, self.prediction, self.rate)
        except TooFewFramesError:
            raise MetricError("too-short") from None


def _check_named(prefix: str, wave: Wave, rate: int) -> None:
    try:
        check(wave, rate)
    except UnusableError as error:
        raise UnusableError(f"{prefix}{error.status}") from None


@dataclass(frozen=True, kw_only=True)
class Words:
    """What was to be said and what was understood, both normalised."""

    reference: str
    """Text of the clip."""
    hypothesis: str
    """Transcript of the prediction."""


# ---------------------------------------------------------------- words


def _edits(words: Words) -> dict[str, int]:
    """Substitutions, deletions, insertions and reference words; rates are made of them later, pooled."""
    if not words.reference:
        raise MetricError("no-text")
    if not words.hypothesis:
        count = len(words.reference.split())
        return {"sub": 0, "del": count, "ins": 0, "words": count}
    found = jiwer.process_words(words.reference, words.hypothesis)
    return {
        "sub": found.substitutions,
        "del": found.deletions,
        "ins": found.insertions,
        "words": found.hits + found.substitutions + found.deletions,
    }


# ---------------------------------------------------------------- the metrics


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column."""

    name: str
    """Key in a line of scores."""
    column: str
    """Heading in tables."""
    unit: str
    """Unit of the printed value, empty for none."""
    higher_is_better: bool
    """Direction."""
    low: float
    """Lowest value that can come out."""
    high: float
    """Highest value that can come out."""
    floor: float
    """What a failed utterance counts as in a floor-scored mean: that of a prediction without any speech in it."""
    needs: Literal["pair", "words"]
    """What `compute` takes: a `Pair` or `Words`."""
    version: str
    """Version of the definition and of the library behind it: other digits are another version."""
    compute: Callable[[Any], Any]
    """The score: a float, or for `words` the edit counts. Raises MetricError."""


def _pesq_line(name: str, column: str, rate: int, mode: Mode) -> Metric:
    return Metric(
        name=name, column=column, unit="MOS-LQO", higher_is_better=True, low=1.0, high=4.65, floor=1.0, needs="pair",
        version=f"1 pesq {version('pesq')}", compute=lambda pair: pair.mos(rate, mode),
    )  # fmt: skip


def _stoi_line(name: str, column: str, compute: Callable[[Pair], float]) -> Metric:
    return Metric(
        name=name, column=column, unit="", higher_is_better=True, low=-1.0, high=1.0, floor=0.0, needs="pair",
        version="1", compute=compute,
    )  # fmt: skip


METRICS: dict[str, Metric] = {
    item.name: item
    for item in (
        _pesq_line("pesq_wb", "PESQ-WB", 16_000, "wb"),
        _pesq_line("pesq_nb", "PESQ-NB (16 kHz)", 16_000, "nb"),
        _pesq_line("pesq_nb8", "PESQ-NB", 8_000, "nb"),
        _stoi_line("stoi", "STOI", lambda pair: pair.intelligibility.stoi),
        _stoi_line("estoi", "ESTOI", lambda pair: pair.intelligibility.estoi),
        Metric(
            name="wer", column="WER", unit="%", higher_is_better=False, low=0.0, high=float("inf"), floor=100.0,
            needs="words", version=f"1 jiwer {version('jiwer')}", compute=_edits,
        ),
    )
}  # fmt: skip


def metric(name: str) -> Metric:
    """The metric of that name; UseError with the nearest one otherwise."""
    return choose("metric", name, METRICS)
