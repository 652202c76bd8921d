"""What a split's table says, before it is laid out: rows, comparisons, verdicts, and measured beside reported.

    build(split) -> Table -> csv_text (here), markdown, latex, console (tables.py)

The csv is the tidy long form, one line a system and metric, at twelve significant digits. Both are functions of the
scores alone: no date, no machine, so the same scores give the same bytes.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from v2sbench import claims as claims_module
from v2sbench import results
from v2sbench import rows as rows_module
from v2sbench.claims import Pair, Verdict
from v2sbench.metrics import METRICS
from v2sbench.results import BARE_PESQ, Reported
from v2sbench.rows import Row
from v2sbench.runtime import UseError

SHOWN = ("pesq_wb", "pesq_nb8", BARE_PESQ, "stoi", "estoi", "wer")
"""Metric columns of the tables for people, in the paper's order; the csv has every metric."""
CSV_FIELDS = (
    "split", "group", "system", "init", "identity", "vocoder", "metric", "value", "low", "high", "n", "n_failed",
    "value_floored", "value_utterance_mean", "reported", "difference", "protocol", "asr", "metric_version",
    "coverage", "grade", "source", "locator", "note",
)  # fmt: skip

__all__ = ["CSV_FIELDS", "SHOWN", "Contrast", "Table", "build", "csv_text", "precise"]


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
        """The shown metrics of which some row has a value."""
        return tuple(metric for metric in SHOWN if any(metric in row.cells for row in self.rows))

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
    reported: Path = results.REPORTED,
    claims: Path = claims_module.CLAIMS,
) -> Table:
    """The table of a split from the stored scores; UseError when there are none or one of the inputs is damaged."""
    systems = results.load(split, measured)
    lines = results.read_reported(reported)
    found = rows_module.rows(split, systems=systems, reported=lines)
    pairs = claims_module.compare(split, systems, [metric for metric in SHOWN if metric in METRICS])
    verdicts = claims_module.judge(split, claims_module.read_claims(claims), pairs)
    contrasts = [
        _contrast(row, line)
        for row in found
        if row.group == "variant"
        for line in lines
        if line.split == split and line.variant == row.system
    ]
    return Table(
        split=split, rows=tuple(found), pairs=tuple(pairs), verdicts=tuple(verdicts), contrasts=tuple(contrasts)
    )


def _contrast(row: Row, line: Reported) -> Contrast:
    cell = row.cells.get(line.metric)
    facts = [part.strip() for part in line.protocol.split(";") if part.strip()]
    why_not = ""
    if line.metric == BARE_PESQ:
        why_not = "the source does not say which PESQ"
    elif row.protocol not in facts:
        why_not = f"the reported protocol is {line.protocol or 'unknown'}"
    elif line.metric == "wer" and f"asr={row.asr}" not in facts:
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
    """One line a system and metric, comma-separated, twelve significant digits, empty where unknown."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    contrasts = {(item.system, item.metric): item for item in table.contrasts}
    for row in table.rows:
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
                    "asr": row.asr if metric == "wer" else "",
                    "metric_version": row.versions.get(metric, ""),
                }
            )  # fmt: skip
    return stream.getvalue()


def precise(value: float | None) -> str:
    """Twelve significant digits: all that survives another machine's order of summation; empty for None."""
    return "" if value is None else f"{value:.12g}"
