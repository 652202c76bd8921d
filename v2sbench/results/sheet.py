"""What a split's table says, before it is laid out: rows, comparisons, verdicts, and measured beside reported.

    build(split) -> Table -> csv_text, json_text (here), markdown, latex, console (tables.py)

The csv is the tidy long form, one line a system and metric, at twelve significant digits; the json holds what was
measured and nothing beside it, for programs that compare numbers. All are functions of the scores alone: no date, no
machine, so the same scores give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from v2sbench.results import claims as claims_module
from v2sbench.results import measured as results
from v2sbench.results import paired
from v2sbench.results import rows as rows_module
from v2sbench.results.claims import Pair, Verdict
from v2sbench.results.measured import Measured, group_of
from v2sbench.results.paired import Paired
from v2sbench.results.published import BARE_PESQ, REPORTED, Reported, read_reported
from v2sbench.results.rows import Row
from v2sbench.runtime import UseError, choose
from v2sbench.scoring.metrics import METRICS, PROTOCOLS

SHOWN = ("pesq_wb", "pesq_nb8", BARE_PESQ, "stoi", "estoi", "wer")
"""Metric columns of the tables for people, in the paper's order; those of another protocol follow. The csv has every
metric."""
CSV_FIELDS = (
    "split", "group", "system", "init", "identity", "vocoder", "metric", "value", "low", "high", "n", "n_failed",
    "value_floored", "value_utterance_mean", "reported", "difference", "protocol", "asr", "metric_version",
    "coverage", "grade", "source", "locator", "note",
)  # fmt: skip
BASE_FIELDS = ("base", "base_difference", "base_low", "base_high", "base_p_holm", "base_outcome")
"""Further fields of a table that has a base: the row minus the base, and what that says of the row."""
COMPARED = ("variant", "system")
"""Groups of rows that are compared with the base; ceilings and floors differ from everything."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A measured number beside the reported one of the system that it reimplements."""

    system: str
    """Variant."""
    metric: str
    """Metric of the reported number; `pesq` where its variant is unknown."""
    measured: float | None
    """What was measured here; None where the reported metric is none of ours or was not measured."""
    reported: Reported
    """The reported line."""
    difference: float | None
    """Measured minus reported; None unless both followed one protocol."""
    why_not: str
    """Why there is no difference."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Everything a split's table says."""

    split: str
    """Split."""
    rows: tuple[Row, ...]
    """Rows in order."""
    pairs: tuple[Pair, ...]
    """Measured variants compared pairwise."""
    verdicts: tuple[Verdict, ...]
    """The paper's claims about this split."""
    contrasts: tuple[Contrast, ...]
    """Measured against reported."""
    base: str = ""
    """The system that the others are compared with; empty for none."""
    marks: tuple[Paired[str], ...] = ()
    """Systems against the base, one comparison a metric."""
    columns: tuple[str, ...] = ()
    """Metrics that were asked for; the usual ones where empty."""
    systems: tuple[str, ...] = ()
    """Systems and methods that were asked for; all where empty."""
    folder: bool = False
    """Whether the scores are a folder's and no split's."""

    @property
    def shown(self) -> tuple[Row, ...]:
        """Rows that were asked for."""
        return tuple(row for row in self.rows if not self.systems or row.system in self.systems)

    @property
    def command(self) -> str:
        """What makes this table."""
        chosen = {"systems": self.systems, "columns": self.columns}
        options = [f"--{name} {','.join(names)}" for name, names in chosen.items() if names]
        usual = next((row.system for row in self.rows if row.group == "system"), "")
        options += [f"--base {self.base}"] if self.base and (options or self.base != usual) else []
        return " ".join(["v2sbench table", *(["--scores"] if self.folder else []), self.split, *options])

    @property
    def measured(self) -> tuple[Row, ...]:
        """Rows that were measured here."""
        return tuple(row for row in self.rows if row.group != "reported")

    @property
    def standard(self) -> Row | None:
        """The row whose protocol and recogniser are the table's: the ground truth's, else the first measured one."""
        return next((row for row in self.rows if row.system == "ground-truth"), next(iter(self.measured), None))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its columns: those that were asked for, else the usual ones of which a row has a value."""
        if self.columns:
            return self.columns
        usual = (*SHOWN, *(metric for row in self.measured for metric in PROTOCOLS[row.protocol].metrics))
        return tuple(dict.fromkeys(metric for metric in usual if any(metric in row.cells for row in self.shown)))

    def row(self, system: str) -> Row:
        """The measured row of a system; UseError when it was not scored."""
        for row in self.measured:
            if row.system == system:
                return row
        known = ", ".join(row.system for row in self.measured)
        raise UseError(f"{system!r} was not scored on {self.split} (scored: {known})")


def build(
    split: str,
    *,
    measured: Path = results.MEASURED,
    reported: Path | None = REPORTED,
    claims: Path | None = claims_module.CLAIMS,
    base: str | None = None,
    only: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Table:
    """The table of a split from the stored scores; UseError when there are none or one of the inputs is damaged.

    reported, claims: None for the scores of a folder, which are `measured`/`split` too but of no split. base: the
    system that variants and users' systems are compared with; the first of `only`, or of the users' systems where
    there is one, else none. only: the systems and methods that are shown. columns: the metrics that are shown.
    """
    systems = results.load(split, measured)
    lines = [line for line in read_reported(reported) if line.split == split] if reported else []
    _check(split, systems, {line.method for line in lines}, only, columns)
    base = _base(systems, base, only)
    found = rows_module.rows(split, systems=systems, reported=lines)
    contrasts = [
        _contrast(row, line)
        for row in found
        if row.group == "variant" and row.system in (only or systems)
        for line in lines
        if line.variant == row.system
    ]
    table = Table(
        split=split, rows=tuple(found), pairs=(), verdicts=(), contrasts=tuple(contrasts), base=base,
        columns=tuple(columns), systems=tuple(only), folder=reported is None,
    )  # fmt: skip
    shown = {name: systems[name] for name in systems if name in (only or systems)}
    pairs = claims_module.compare(split, shown, [metric for metric in table.metrics if metric in METRICS])
    known = claims_module.read_claims(claims) if claims and not (only or columns) else []
    verdicts = claims_module.judge(split, known, pairs)
    marks = _marks(table, systems) if base else []
    return replace(table, pairs=tuple(pairs), verdicts=tuple(verdicts), marks=tuple(marks))


def _check(
    split: str, systems: Mapping[str, Measured], methods: Iterable[str], only: Sequence[str], columns: Sequence[str]
) -> None:
    """UseError for a system or method, or a metric, that is not there."""
    for name in only:
        choose("system", name, dict.fromkeys((*systems, *methods)))
    for metric in columns:
        choose("metric", metric, dict.fromkeys((BARE_PESQ, *METRICS)))
        if metric in METRICS and not any(system.has(metric) for system in systems.values()):
            todo = f"v2sbench score SYSTEM --split {split} --metrics {metric}"
            raise UseError(f"no system of {split} was scored in {metric}; run: {todo}")


def _base(systems: Mapping[str, Measured], asked: str | None, only: Sequence[str]) -> str:
    """The system to compare with: what was asked for, else the first of `only`, else the first of the users'."""
    if asked is not None:
        choose("system", asked, systems)
        return asked
    usual = [name for name in systems if group_of(name) == "system"]
    chosen = [name for name in only if name in systems and group_of(name) in COMPARED]
    return next(iter(chosen if only else usual), "")


def _marks(table: Table, systems: Mapping[str, Measured]) -> list[Paired[str]]:
    """Every shown system against the base, in every shown metric that both were asked for."""
    clips, base = results.asked(systems), (table.base, systems[table.base])
    return paired.decide(
        paired.compare(table.split, metric, (row.system, systems[row.system]), base, clips)
        for row in table.shown
        if row.group in COMPARED and row.system != table.base
        for metric in table.metrics
        if metric in METRICS and systems[row.system].has(metric) and base[1].has(metric)
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


# ---------------------------------------------------------------- the tidy form


def csv_text(table: Table) -> str:
    """One line a system and metric, comma-separated, twelve significant digits, empty where unknown.

    A table with a base has BASE_FIELDS too: two tables without one have the same fields as ever.
    """
    stream = io.StringIO()
    fields = (*CSV_FIELDS, *(BASE_FIELDS if table.base else ()))
    writer = csv.DictWriter(stream, fields, lineterminator="\n")
    writer.writeheader()
    contrasts = {(item.system, item.metric): item for item in table.contrasts}
    marks = {(item.left, item.metric): item for item in table.marks}
    for row in table.shown:
        for metric, cell in row.cells.items():
            beside = contrasts.get((row.system, metric)) if row.group == "variant" else None
            writer.writerow(
                {
                    **{name: getattr(row, name) for name in ("split", "group", "system", "init", "identity", "vocoder",
                                                            "protocol", "coverage", "grade", "source", "locator",
                                                            "note")},
                    "metric": metric,
                    "value": precise(cell.value),
                    "low": precise(cell.low),
                    "high": precise(cell.high),
                    "n": "" if cell.n is None else cell.n,
                    "n_failed": "" if cell.n_failed is None else cell.n_failed,
                    "value_floored": precise(cell.floored),
                    "value_utterance_mean": precise(cell.utterance_mean),
                    "reported": precise(beside.reported.value) if beside else "",
                    "difference": precise(beside.difference) if beside else "",
                    "asr": row.asr if metric in METRICS and METRICS[metric].needs == "words" else "",
                    "metric_version": row.versions.get(metric, ""),
                    **_against(marks.get((row.system, metric)) if row.group != "reported" else None),
                }
            )  # fmt: skip
    return stream.getvalue()


def json_text(table: Table) -> str:
    """{system: {metric: value}} of the measured rows, sorted, twelve significant digits: what `dvc metrics` shows.

    A metric without a value is left out.
    """
    found = {row.system: {metric: float(precise(cell.value)) for metric, cell in row.cells.items()}
             for row in table.shown if row.group != "reported"}  # fmt: skip
    return json.dumps(found, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _against(mark: Paired[str] | None) -> dict[str, str]:
    """BASE_FIELDS of a cell; none of them where it was not compared."""
    if mark is None or mark.comparison is None:
        return {}
    found = mark.comparison
    numbers = (found.difference, found.low, found.high, mark.p_adjusted)
    return dict(zip(BASE_FIELDS, (mark.right, *map(precise, numbers), mark.outcome or ""), strict=True))


def precise(value: float | None) -> str:
    """Twelve significant digits: all that survives another machine's order of summation; empty for None."""
    return "" if value is None else f"{value:.12g}"
