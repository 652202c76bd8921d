"""Tidy rows of a table: stored results, aggregated.

    rows(split) -> one `Row` a system, one `Cell` a metric

Every clip of the ground truth is asked of every system: a clip without a line, or a line without the value, is a
failure that is counted and enters no mean. `Cell.floored` is the mean with failures at the metric's floor, which is
what a prediction without any speech in it scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from v2sbench import runtime, stats
from v2sbench.metrics import METRICS
from v2sbench.results import Measured, Reported, Variant, asked, group_of, order
from v2sbench.runtime import UseError

SEED = 1
"""Seed of every interval: a constant, so that no profile moves a digit of a table."""

__all__ = ["SEED", "Cell", "Row", "rows"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One metric of one row."""

    value: float
    """Mean over utterances, pooled rate in percent for the WER, or the reported number."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    n: int | None = None
    """Utterances with a value; None for a reported number."""
    n_failed: int | None = None
    """Utterances without one."""
    floored: float | None = None
    """The mean with every failure at the metric's floor; None when nothing failed, or for a WER when the number of
    words that were to be said is unknown."""
    utterance_mean: float | None = None
    """WER only: the mean of the utterances' own rates, which some papers print instead of the pooled one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system of a table."""

    split: str
    """Split."""
    group: str
    """Key of GROUPS."""
    system: str
    """Name: a method of a paper, a variant, a reference, or a user's system."""
    cells: Mapping[str, Cell]
    """Metric -> cell; a metric that is not here is unknown."""
    init: str = ""
    """Where the decoder's weights came from."""
    identity: str = ""
    """Kind of identity embedding."""
    vocoder: str = ""
    """What turned mels into samples."""
    protocol: str = ""
    """Scoring protocol."""
    asr: str = ""
    """Recogniser behind the WER."""
    versions: Mapping[str, str]
    """Metric -> version of its definition."""
    coverage: str = ""
    """`partial 900/1000`, or empty for a complete split."""
    n: int | None = None
    """Utterances asked for."""
    n_failed: int | None = None
    """Utterances of these without some metric's value."""
    grade: str = ""
    """Grade of a reported row."""
    source: str = ""
    """Key in sources.bib."""
    locator: str = ""
    """Where in the source."""
    note: str = ""
    """Anything a reader must know."""


def rows(split: str, *, systems: Mapping[str, Measured], reported: Iterable[Reported]) -> list[Row]:
    """Every row of a split's table, in order: reported, measured variants, ceilings, floors, users' systems.

    systems: as from `load`; reported: lines of any split, of which those of this one are taken.
    """
    found = _reported_rows(split, [line for line in reported if line.split == split])
    clips = asked(systems) if systems else []
    words = _reference_words(systems.values())
    found += [_measured_row(split, systems[name], clips, words) for name in sorted(systems, key=order)]
    return found


def _reported_rows(split: str, lines: Sequence[Reported]) -> list[Row]:
    together: dict[tuple[str, ...], list[Reported]] = {}
    for line in lines:
        key = (line.method, line.init, line.identity, line.protocol, line.source, line.grade)
        together.setdefault(key, []).append(line)
    found = []
    for (method, init, identity, protocol, source, grade), members in together.items():
        cells = {line.metric: Cell(value=line.value) for line in members}
        if len(cells) != len(members):
            raise UseError(f"reported.csv has two values of one metric for {method} ({source}) on {split}")
        found.append(
            Row(
                split=split, group="reported", system=method, cells=cells, init=init, identity=identity,
                protocol=protocol, versions={}, grade=grade, source=source, locator=members[0].locator,
                note="; ".join(dict.fromkeys(line.note for line in members if line.note)),
            )
        )  # fmt: skip
    return found


def _measured_row(split: str, system: Measured, clips: Sequence[str], words: Mapping[str, int]) -> Row:
    cells = {metric: cell for metric in METRICS if (cell := _cell(split, system, metric, clips, words))}
    failed = {
        clip
        for metric in METRICS
        if system.has(metric)
        for clip, value in zip(clips, system.values(metric, clips), strict=True)
        if value is None
    }
    variant = Variant.of(system.system)
    meta = system.meta
    return Row(
        split=split,
        group=group_of(system.system),
        system=system.system,
        cells=cells,
        init=variant.init if variant else "",
        identity=variant.identity if variant else "",
        vocoder=meta.get("vocoder") or "",
        protocol=meta.get("protocol") or "",
        asr=meta.get("asr") or "",
        versions={name: str(version) for name, version in meta.get("metrics", {}).items()},
        coverage=meta.get("coverage") or "",
        n=len(clips),
        n_failed=len(failed),
    )


def _cell(split: str, system: Measured, metric: str, clips: Sequence[str], words: Mapping[str, int]) -> Cell | None:
    """The metric over `clips`; None when it was not asked for or never succeeded."""
    if not system.has(metric):
        return None
    values, weights = system.values(metric, clips), system.weights(metric, clips)
    seed = runtime.fold(SEED, split, metric)
    estimate = stats.bootstrap_ratio(values, weights, seed=seed)
    if estimate is None:
        return None
    kept = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None and weight]
    floored: float | None = None
    lost = [clip for clip, value in zip(clips, values, strict=True) if value is None]
    costs = [words.get(clip) for clip in lost] if metric == "wer" else [1] * len(lost)
    known = [cost for cost in costs if cost is not None]
    if lost and len(known) == len(lost):
        top = math.fsum([value for value, _ in kept] + [METRICS[metric].floor * cost for cost in known])
        floored = top / (math.fsum(weight for _, weight in kept) + sum(known))
    return Cell(
        value=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        n_failed=estimate.n_failed,
        floored=floored,
        utterance_mean=math.fsum(v / w for v, w in kept) / len(kept) if metric == "wer" else None,
    )


def _reference_words(systems: Iterable[Measured]) -> dict[str, int]:
    """Reference words of each clip, from whichever system has a WER for it."""
    return {
        clip: line["wer"]["words"]
        for system in systems
        for clip, line in system.lines.items()
        if line.get("wer") is not None
    }
