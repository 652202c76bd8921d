"""A split's table before it is laid out: rows of cells, comparisons, verdicts, and measured beside reported.

    Results (which split, where its scores lie) --table--> Table, for `tidy` and `layout`

Every clip of the ground truth is asked of every system: a clip without a line, or a line without the value, is a
failure that is counted; what it does to the mean is the protocol's rule (`scoring.column`), and under this
suite's own it enters none. The table is a function of the scores alone: no date, no machine, so the same scores give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev

from v2sbench.results import bootstrap, crossed
from v2sbench.results.claims import CLAIMS, Pair, Paired, Verdict, compare, decide, judge, neighbours, read_claims
from v2sbench.results.measured import MEASURED, Measured, Recipe, asked, group_of, load, order, recipes
from v2sbench.results.published import BARE_PESQ, REPORTED, Reported, read_reported
from v2sbench.runtime import UseError, choose, fold
from v2sbench.runtime.systems import GROUND_TRUTH, Variant
from v2sbench.scoring import METRICS, PROTOCOLS, Column

SHOWN = ("pesq_wb", "pesq_nb8", BARE_PESQ, "stoi", "estoi", "wer")
"""Metric columns of the tables for people, in the paper's order; those of another protocol follow. The csv has every
metric."""
COMPARED = ("variant", "system")
"""Groups of rows that are compared with the base; ceilings and floors differ from everything."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """A split, and the places of its scores, of the papers' numbers and of the claims; read once, when asked for."""

    split: str
    measured: Path = MEASURED
    published: Path | None = REPORTED  # None for the scores of a folder, which are of no split; so is `claims`
    claims: Path | None = CLAIMS
    single: bool = False  # a row a training, and not a row a recipe

    @cached_property
    def systems(self) -> dict[str, Measured]:
        """Every scored system by name, each training apart, in the order of the table; UseError when there is none."""
        return load(self.split, self.measured)

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """The same by recipe."""
        return recipes(self.systems, single=self.single)

    @cached_property
    def clips(self) -> list[str]:
        """The clips that every system is asked for."""
        return asked(self.systems)

    @cached_property
    def reported(self) -> list[Reported]:
        """The papers' numbers on this split."""
        lines = read_reported(self.published) if self.published else []
        return [line for line in lines if line.split == self.split]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One metric of one row."""

    value: float
    """Mean over utterances, or pooled rate in percent for the WER, averaged over trainings; or the reported number."""
    low: float | None = None  # ends of the 95 % interval, over utterances and trainings where there are several
    high: float | None = None
    spread: float | None = None  # standard deviation between trainings; None where there is one
    n: int | None = None  # utterances with a value, in the training with fewest; None for a reported number
    n_failed: int | None = None
    floored: float | None = None
    """The mean with every failure at the metric's floor, the score of a prediction without any speech; None when
    nothing failed, or for a WER when the number of words that were to be said is unknown."""
    utterance_mean: float | None = None
    """WER only: the mean of the utterances' own rates, which some papers print instead of the pooled one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system of a table."""

    split: str
    group: str  # key of GROUPS
    system: str  # a method of a paper, a variant, a reference, or a user's system
    cells: Mapping[str, Cell]  # metric -> cell; a metric that is not here is unknown
    init: str = ""
    identity: str = ""
    vocoder: str = ""
    protocol: str = ""
    asr: str = ""  # recogniser behind the WER
    versions: Mapping[str, str] = field(default_factory=dict)  # metric -> version of its definition
    missing: Mapping[str, str] = field(default_factory=dict)  # metric that was asked for and has no value -> why
    trainings: int | None = None  # None for a reported system
    coverage: str = ""  # `partial 900/1000`, or empty for a complete split
    n: int | None = None  # utterances asked for
    n_failed: int | None = None  # utterances of these without some metric's value, in the training with most of them
    grade: str = ""
    source: str = ""  # key in sources.bib
    locator: str = ""  # where in the source
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A measured number beside the reported one of the system that it reimplements."""

    system: str
    metric: str
    measured: float | None  # None where the reported metric is none of ours or was not measured
    reported: Reported
    difference: float | None  # measured minus reported; None unless both followed one protocol
    why_not: str  # why there is no difference


@dataclass(frozen=True, kw_only=True)
class Table:
    """Everything that a split's table says."""

    results: Results
    rows: tuple[Row, ...]
    contrasts: tuple[Contrast, ...] = ()
    pairs: tuple[Pair, ...] = ()  # variants that differ in one thing
    verdicts: tuple[Verdict, ...] = ()
    base: str = ""  # the system that the others are compared with; empty for none
    marks: tuple[Paired[str], ...] = ()  # systems against the base
    columns: tuple[str, ...] = ()  # metrics that were chosen; the usual ones where empty
    systems: tuple[str, ...] = ()  # systems and methods that were chosen; all where empty

    @property
    def split(self) -> str:
        """Name of the split, or of the folder of scores."""
        return self.results.split

    @property
    def shown(self) -> tuple[Row, ...]:
        """Rows that were asked for."""
        return tuple(row for row in self.rows if not self.systems or row.system in self.systems)

    @property
    def measured(self) -> tuple[Row, ...]:
        """Rows that were measured here."""
        return tuple(row for row in self.rows if row.group != "reported")

    @property
    def standard(self) -> Row | None:
        """The row whose protocol and recogniser are the table's: the ground truth's, else the first measured one."""
        return next((row for row in self.rows if row.system == GROUND_TRUTH), next(iter(self.measured), None))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its columns: those that were chosen, else the usual ones of which a row has a value."""
        if self.columns:
            return self.columns
        usual = (*SHOWN, *(metric for row in self.measured for metric in PROTOCOLS[row.protocol].metrics))
        return tuple(dict.fromkeys(metric for metric in usual if any(metric in row.cells for row in self.shown)))

    @property
    def command(self) -> str:
        """The command that makes this table."""
        chosen = {"systems": self.systems, "columns": self.columns}
        options = [f"--{name} {','.join(names)}" for name, names in chosen.items() if names]
        usual = next((row.system for row in self.rows if row.group == "system"), "")
        if self.base and (options or self.base != usual):
            options.append(f"--base {self.base}")
        if self.results.single:
            options.append("--trainings")
        where = self.split if self.results.published else f"--scores {self.split}"
        return " ".join(["v2sbench table", where, *options])

    def row(self, system: str) -> Row:
        """The measured row of a system; UseError when it was not scored."""
        for row in self.measured:
            if row.system == system:
                return row
        known = ", ".join(row.system for row in self.measured)
        raise UseError(f"{system!r} was not scored on {self.split} (scored: {known})")


def table(
    results: Results | str, *, base: str | None = None, only: Sequence[str] = (), columns: Sequence[str] = ()
) -> Table:
    """The table of a split from the stored scores; UseError when there are none or one of the inputs is damaged.

    results: a name stands for a split's own results. base: the system that variants and users' systems are compared
    with; the first of `only`, or of the users' systems where there is one, else none. only: the systems and methods
    that are shown. columns: the metrics that are shown.
    """
    if isinstance(results, str):
        results = Results(split=results)
    systems = results.recipes  # first of all, so that a split without scores is named
    _check(results, only, columns)
    base = _base(systems, base, only)
    rows = measured_rows(results.split, systems)
    contrasts = [
        _contrast(row, line)
        for row in rows
        if row.group == "variant" and row.system in (only or systems)
        for line in results.reported
        if line.variant == row.system
    ]
    bare = Table(
        results=results, rows=(*reported_rows(results.split, results.reported), *rows), contrasts=tuple(contrasts),
        base=base, columns=tuple(columns), systems=tuple(only),
    )  # fmt: skip
    own = [metric for metric in bare.metrics if metric in METRICS]
    shown = {name: scores for name, scores in systems.items() if name in (only or systems)}
    pairs = neighbours(results.split, shown, own)
    known = read_claims(results.claims) if results.claims and not (only or columns) else []
    marks = _marks(bare, own) if base else []
    verdicts = judge(results.split, known, pairs, systems)
    return replace(bare, pairs=tuple(pairs), verdicts=tuple(verdicts), marks=tuple(marks))


def _check(results: Results, only: Sequence[str], columns: Sequence[str]) -> None:
    """UseError for a system or method, or a metric, that is not there."""
    methods = [line.method for line in results.reported]
    for name in only:
        choose("system", name, dict.fromkeys((*results.recipes, *methods)))
    for metric in columns:
        choose("metric", metric, dict.fromkeys((BARE_PESQ, *METRICS)))
        if metric in METRICS and not any(system.has(metric) for system in results.recipes.values()):
            todo = f"v2sbench score SYSTEM --split {results.split} --metrics {metric}"
            raise UseError(f"no system of {results.split} was scored in {metric}; run: {todo}")


def _base(systems: Mapping[str, Recipe], asked_for: str | None, only: Sequence[str]) -> str:
    """The system to compare with: the one asked for, else the first of `only`, else the first of the users'."""
    if asked_for is not None:
        choose("system", asked_for, systems)
        return asked_for
    if only:
        return next((name for name in only if name in systems and group_of(name) in COMPARED), "")
    return next((name for name in systems if group_of(name) == "system"), "")


def _marks(table: Table, metrics: Sequence[str]) -> list[Paired[str]]:
    """Every shown system against the base, in every shown metric that both were asked for."""
    systems, clips = table.results.recipes, table.results.clips
    base = systems[table.base]
    return decide(
        compare(table.split, metric, (row.system, systems[row.system]), (table.base, base), clips)
        for row in table.shown
        if row.group in COMPARED and row.system != table.base
        for metric in metrics
        if systems[row.system].has(metric) and base.has(metric)
    )


def _contrast(row: Row, line: Reported) -> Contrast:
    cell = row.cells.get(line.metric)
    why_not = ""
    if line.metric == BARE_PESQ:
        why_not = "the source does not say which PESQ"
    elif row.protocol not in line.facts:
        why_not = f"the reported protocol is {line.protocol or 'unknown'}"
    elif line.metric == "wer" and f"asr={row.asr}" not in line.facts:
        why_not = "the reported recogniser is another one or unknown"
    elif cell is None:
        why_not = "not measured"
    difference = cell.value - line.value if cell and not why_not else None
    return Contrast(
        system=row.system, metric=line.metric, measured=cell.value if cell else None, reported=line,
        difference=difference, why_not=why_not,
    )  # fmt: skip


# ---------------------------------------------------------------- rows


def reported_rows(split: str, lines: Iterable[Reported]) -> list[Row]:
    """A row a reported system, first those that this suite reimplements; UseError for two values of one cell."""
    together: dict[tuple[str, ...], list[Reported]] = {}
    for line in sorted(lines, key=lambda line: line.variant is None):
        key = (line.method, line.init, line.identity, line.protocol, line.source, line.grade)
        together.setdefault(key, []).append(line)
    found = []
    for (method, init, identity, protocol, source, grade), members in together.items():
        cells = {line.metric: Cell(value=line.value) for line in members}
        if len(cells) != len(members):
            raise UseError(f"reported.csv has two values of one metric for {method} ({source}) on {split}")
        note = "; ".join(dict.fromkeys(line.note for line in members if line.note))
        row = Row(
            split=split, group="reported", system=method, cells=cells, init=init, identity=identity,
            protocol=protocol, grade=grade, source=source, locator=members[0].locator, note=note,
        )  # fmt: skip
        found.append(row)
    return found


def measured_rows(split: str, systems: Mapping[str, Recipe]) -> list[Row]:
    """A row a recipe, in the order of the table; all are asked for the same clips."""
    trainings = {item.system: item for system in systems.values() for item in system.trainings}
    clips = asked(trainings) if trainings else []
    words = {name: _reference_counts(trainings.values(), name) for name, item in METRICS.items() if item.per}
    return [_measured_row(split, systems[name], clips, words) for name in sorted(systems, key=order)]


def _measured_row(split: str, system: Recipe, clips: Sequence[str], words: Mapping[str, Mapping[str, int]]) -> Row:
    known = [metric for metric in METRICS if system.has(metric)]
    columns = {metric: system.columns(metric, clips, words.get(metric)) for metric in known}
    variant, meta = Variant.of(system.name), system.meta
    notes = {metric: next((item.note for item in found if item.note), "") for metric, found in columns.items()}
    return Row(
        split=split,
        group=group_of(system.name),
        system=system.name,
        cells={
            name: _cell(split, system, name, clips, found)
            for name, found in columns.items()
            if all(item.value is not None for item in found)
        },
        init=variant.init if variant else "",
        identity=variant.identity if variant else "",
        vocoder=meta.get("vocoder") or "",
        protocol=meta.get("protocol") or "",
        asr=meta.get("asr") or "",
        versions={name: str(version) for name, version in meta.get("metrics", {}).items()},
        missing={metric: note for metric, note in notes.items() if note},
        trainings=len(system.trainings),
        coverage=meta.get("coverage") or "",
        n=len(clips),
        n_failed=max(
            sum(any(line.get(metric) is None for metric in known) for line in training.asked(clips))
            for training in system.trainings
        ),
    )


def _cell(split: str, system: Recipe, metric: str, clips: Sequence[str], columns: Sequence[Column]) -> Cell:
    """The metric over `clips` and trainings, with its interval."""
    values = [item.value for item in columns if item.value is not None]
    top, bottom = system.shares(metric, clips)
    if len(columns) > 1:
        ends = crossed.interval(top, bottom)
    else:
        ends = bootstrap.interval(top[0], bottom[0], seed=fold(bootstrap.SEED, split, metric))
    low, high = ends or (None, None)
    pooled = METRICS[metric].per and system.rules.aggregation == "pooled"
    floored = [item.value if item.floored is None else item.floored for item in columns]
    failed = any(item.floored is not None for item in columns)
    return Cell(
        value=fmean(values), low=low, high=high, spread=stdev(values) if len(values) > 1 else None,
        n=min(item.n for item in columns), n_failed=max(item.n_failed for item in columns),
        floored=fmean(value for value in floored if value is not None) if failed else None,
        utterance_mean=fmean(float(item.rates(clips)[metric].mean()) for item in system.trainings) if pooled else None,
    )  # fmt: skip


def _reference_counts(systems: Iterable[Measured], metric: str) -> dict[str, int]:
    """Words, or characters, that were to be said in each clip, from whichever system has a rate of it."""
    per = METRICS[metric].per
    return {
        clip: line[metric][per]
        for system in systems
        for clip, line in system.lines.items()
        if line.get(metric) is not None
    }
