"""Tidy rows of a table: stored results, aggregated.

    rows(split) -> one `Row` a system, one `Cell` a metric

Every clip of the ground truth is asked of every system: a clip without a line, or a line without the value, is a
failure that is counted; what it does to the mean is the protocol's to say (`metrics.column`), and under this suite's
own it enters none. `Cell.floored` is the mean with failures at the metric's floor, which is what a prediction without
any speech in it scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from v2sbench import runtime
from v2sbench.results import bootstrap as stats
from v2sbench.results.bootstrap import SEED
from v2sbench.results.measured import Measured, Variant, asked, group_of, order
from v2sbench.results.published import Reported
from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS


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
    missing: Mapping[str, str]
    """Metric that was asked for and has no value -> why."""
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
    counts = {name: _reference_counts(systems.values(), name) for name, item in METRICS.items() if item.per}
    found += [_measured_row(split, systems[name], clips, counts) for name in sorted(systems, key=order)]
    return found


def _reported_rows(split: str, lines: Sequence[Reported]) -> list[Row]:
    together: dict[tuple[str, ...], list[Reported]] = {}
    for line in sorted(lines, key=lambda line: line.variant is None):  # what this suite reimplements comes first
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
                protocol=protocol, versions={}, missing={}, grade=grade, source=source, locator=members[0].locator,
                note="; ".join(dict.fromkeys(line.note for line in members if line.note)),
            )
        )  # fmt: skip
    return found


def _measured_row(split: str, system: Measured, clips: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> Row:
    cells = {
        metric: cell for metric in METRICS if (cell := _cell(split, system, metric, clips, counts.get(metric, {})))
    }
    known = [metric for metric in METRICS if system.has(metric)]
    failed = sum(any(line.get(metric) is None for metric in known) for line in system.asked(clips))
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
        n_failed=failed,
        missing={metric: note for metric in known if (note := system.column(metric, clips).note)},
    )


def _cell(split: str, system: Measured, metric: str, clips: Sequence[str], words: Mapping[str, int]) -> Cell | None:
    """The metric over `clips`; None when it was not asked for or has no value."""
    if not system.has(metric):
        return None
    column = system.column(metric, clips, words)
    if column.value is None:
        return None
    tops, bottoms = system.shares(metric, clips)
    estimate = stats.bootstrap_ratio(tops, bottoms, seed=runtime.fold(SEED, split, metric))
    pooled = METRICS[metric].per and system.rules.aggregation == "pooled"
    rates = [top / bottom for top, bottom in zip(tops, bottoms, strict=True) if top is not None and bottom]
    return Cell(
        value=column.value,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        n=column.n,
        n_failed=column.n_failed,
        floored=column.floored,
        utterance_mean=math.fsum(rates) / len(rates) if pooled else None,
    )


def _reference_counts(systems: Iterable[Measured], metric: str) -> dict[str, int]:
    """Words, or characters, that were to be said in each clip, from whichever system has a rate of it."""
    per = METRICS[metric].per
    return {
        clip: line[metric][per]
        for system in systems
        for clip, line in system.lines.items()
        if per and line.get(metric) is not None
    }
