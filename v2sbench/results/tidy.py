"""A table as a data frame, a line a system and metric: the csv."""

from __future__ import annotations

from typing import Any

from v2sbench.results.claims import Paired
from v2sbench.results.table import Table
from v2sbench.scoring import METRICS

CSV_FIELDS = (
    "split", "group", "system", "init", "identity", "vocoder", "metric", "value", "low", "high", "spread", "trainings",
    "n", "n_failed",
    "value_floored", "value_utterance_mean", "reported", "difference", "protocol", "asr", "metric_version",
    "coverage", "grade", "source", "locator", "note",
)  # fmt: skip
BASE_FIELDS = ("base", "base_difference", "base_low", "base_high", "base_p_holm", "base_outcome")
"""Further fields of a table that has a base: the row minus the base, and the outcome for the row."""


def tidy(table: Table) -> Any:
    """The shown rows as a data frame, a line a system and metric: the csv. The gate holds two of them together.

    Columns are CSV_FIELDS; a table with a base has BASE_FIELDS too.
    """
    import pandas as pd

    contrasts = {(item.system, item.metric): item for item in table.contrasts}
    marks = {(item.left, item.metric): item for item in table.marks}
    lines = []
    for row in table.shown:
        for metric, cell in row.cells.items():
            line = {**vars(row), **vars(cell), "metric": metric, "value_floored": cell.floored}
            line["value_utterance_mean"] = cell.utterance_mean
            line["asr"] = row.asr if metric in METRICS and METRICS[metric].needs == "words" else ""
            line["metric_version"] = row.versions.get(metric, "")
            if row.group == "variant" and (beside := contrasts.get((row.system, metric))):
                line |= {"reported": beside.reported.value, "difference": beside.difference}
            if row.group != "reported" and (mark := marks.get((row.system, metric))):
                line |= _against(mark)
            lines.append(line)
    frame = pd.DataFrame(lines, columns=[*CSV_FIELDS, *(BASE_FIELDS if table.base else ())])
    return frame.astype({"n": "Int64", "n_failed": "Int64", "trainings": "Int64"})


def _against(mark: Paired[str]) -> dict[str, Any]:
    """BASE_FIELDS of a cell; none of them where it was not compared."""
    found = mark.comparison
    if found is None:
        return {}
    numbers = (found.difference, found.low, found.high, mark.p_adjusted)
    return dict(zip(BASE_FIELDS, (mark.right, *numbers, mark.outcome or ""), strict=True))


def precise(value: float | None) -> str:
    """Twelve significant digits: all that survives another machine's order of summation; empty for None."""
    return "" if value is None else f"{value:.12g}"
