"""Regression gate: the measured rows of a split against the baseline in git.

    accept(split)  -> results/baseline/<split>.csv, headed by who accepted it, why, protocol, recogniser, versions
    changes(split) -> every cell that moved, in either direction: a better number needs a look as much as a worse one
    gate(split)    -> the same, and CheckError naming all of them when there is any

Numbers of another protocol, recogniser or metric version are refused and not compared. A system that is measured and
not in the baseline (a user's, or a new variant) is no regression; `accept` takes it in.
"""

from __future__ import annotations

import csv
import io
import math
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from v2sbench import sheet
from v2sbench.metrics import METRICS
from v2sbench.rows import Row
from v2sbench.runtime import CheckError, UseError, atomic
from v2sbench.sheet import Table, precise

BASELINE = Path("results/baseline")
TOLERANCES: Mapping[str, float] = MappingProxyType({"MOS-LQO": 0.02, "raw MOS": 0.02, "%": 0.5, "dB": 0.02})
"""Unit -> how far a mean may move, either way, before it is a change: several times what another processor's rounding
moves on the same audio."""
DEFAULT_TOLERANCE = 0.005
"""Tolerance of a metric of any other unit, such as STOI."""
FIELDS = ("system", "metric", "value", "n", "n_failed")

Kind = Literal["worse", "better", "n changed", "missing"]

__all__ = [
    "BASELINE",
    "DEFAULT_TOLERANCE",
    "TOLERANCES",
    "Baseline",
    "Change",
    "accept",
    "changes",
    "gate",
    "read_baseline",
    "report",
]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One cell that is not what it was."""

    system: str
    """Row."""
    metric: str
    """Column."""
    kind: Kind
    """worse or better: the mean moved by more than the tolerance; n changed: other counts; missing: no such cell."""
    before: str
    """The baseline's value, or its counts."""
    now: str
    """The measured value, or its counts; empty when missing."""

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.kind:<9}  {self.system:<28} {self.metric:<9} {self.before} -> {self.now or 'nothing'}"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """An accepted table."""

    split: str
    """Split."""
    who: str
    """Who accepted it."""
    why: str
    """Why it replaced the one before."""
    protocol: str
    """Scoring protocol of all its rows."""
    asr: str
    """Recogniser of all its rows."""
    versions: Mapping[str, str]
    """Metric -> version."""
    cells: Mapping[tuple[str, str], tuple[float, int, int]]
    """(system, metric) -> (value, n, n_failed)."""


def gate(split: str, *, table: Table | None = None, baseline: Path = BASELINE) -> list[Change]:
    """Compare and return the empty list; CheckError that names every moved cell in one line when there is one.

    UseError when there is no baseline or nothing was measured.
    """
    found = changes(split, table=table, baseline=baseline)
    if found:
        cells = ", ".join(f"{change.system} {change.metric} {change.kind}" for change in found)
        raise CheckError(f"{split}: {len(found)} cells moved against the baseline: {cells}")
    return found


def report(split: str, found: Iterable[Change]) -> str:
    """What moved, one cell a line, and what to do about it."""
    lines = list(found)
    return "\n".join(
        [
            f"{split}: {len(lines)} cells moved against results/baseline/{split}.csv",
            *(f"  {change}" for change in lines),
            f"if this is meant: v2sbench accept {split} --why REASON",
        ]
    )


def changes(split: str, *, table: Table | None = None, baseline: Path = BASELINE) -> list[Change]:
    """Every cell of the baseline that moved, sorted by system and metric; CheckError when the two cannot be compared.

    table: the measured table if it is at hand, else it is built from the stored scores.
    """
    accepted = read_baseline(split, baseline)
    measured = {row.system: row for row in (table or sheet.build(split)).measured}
    _refuse_mixed(accepted, [row for row in measured.values() if row.system in {name for name, _ in accepted.cells}])
    found: list[Change] = []
    for (system, metric), (value, n, n_failed) in sorted(accepted.cells.items()):
        row = measured.get(system)
        cell = row.cells.get(metric) if row else None
        if cell is None:
            found.append(Change(system=system, metric=metric, kind="missing", before=precise(value), now=""))
            continue
        if (cell.n, cell.n_failed) != (n, n_failed):
            before, now = (f"n {kept}, failed {lost}" for kept, lost in ((n, n_failed), (cell.n, cell.n_failed)))
            found.append(Change(system=system, metric=metric, kind="n changed", before=before, now=now))
        if abs(cell.value - value) > TOLERANCES.get(METRICS[metric].unit, DEFAULT_TOLERANCE):
            kind: Kind = "better" if (cell.value > value) == METRICS[metric].higher_is_better else "worse"
            found.append(
                Change(system=system, metric=metric, kind=kind, before=precise(value), now=precise(cell.value))
            )
    return found


def _refuse_mixed(accepted: Baseline, measured: Iterable[Row]) -> None:
    """CheckError unless the rows were scored as the baseline's were."""
    for row in measured:
        pairs = [("protocol", accepted.protocol, row.protocol), ("recogniser", accepted.asr, row.asr)]
        pairs += [
            (f"version of {metric}", version, row.versions[metric])
            for metric, version in accepted.versions.items()
            if metric in row.versions
        ]
        for name, before, now in pairs:
            if before != now:
                raise CheckError(
                    f"{accepted.split}: the baseline is of another {name} ({before!r}) than {row.system} ({now!r}), so "
                    f"nothing was compared; score it alike, or run v2sbench accept {accepted.split} --why REASON"
                )


# ---------------------------------------------------------------- the file


def accept(
    split: str, why: str, *, who: str | None = None, table: Table | None = None, baseline: Path = BASELINE
) -> Path:
    """Make the measured table of a split its baseline; users' systems are left out.

    why: one line that stands in the file. who: defaults to the git author (environment or configuration).
    UseError when nothing was measured, the reason is empty, or rows were not scored alike.
    """
    if not why.strip() or "\n" in why:
        raise UseError(f"the reason must be one line, not {why!r}; give --why REASON")
    rows = [row for row in (table or sheet.build(split)).measured if row.group != "system"]
    if not rows:
        raise UseError(f"no variant or reference system was measured on {split}; run `dvc repro`")
    first = rows[0]
    for row in rows:
        if (row.protocol, row.asr, dict(row.versions)) != (first.protocol, first.asr, dict(first.versions)):
            raise UseError(
                f"{row.system} was not scored like {first.system} (protocol, recogniser or metric version); run "
                f"`v2sbench score {row.system} --split {split}`"
            )
    text = io.StringIO()
    text.write(f"# accepted by: {who or author()}\n# why: {why.strip()}\n# protocol: {first.protocol}\n")
    text.write(f"# asr: {first.asr}\n# metrics: {'; '.join(f'{k}={v}' for k, v in sorted(first.versions.items()))}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in rows:
        for metric, cell in row.cells.items():
            writer.writerow([row.system, metric, precise(cell.value), cell.n, cell.n_failed])
    path = baseline / f"{split}.csv"
    with atomic(path) as draft:
        draft.write_text(text.getvalue(), encoding="utf-8")
    return path


def read_baseline(split: str, baseline: Path = BASELINE) -> Baseline:
    """The accepted table of a split; UseError when there is none or the file is damaged."""
    path = baseline / f"{split}.csv"
    if not path.is_file():
        raise UseError(f"no baseline {path}; run `v2sbench accept {split} --why REASON` to make one")
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [text[2:].partition(":") for text in lines if text.startswith("# ")]
    head = {key: said.strip() for key, _, said in comments}
    try:
        cells = {}
        for line in csv.DictReader(text for text in lines if not text.startswith("#")):
            value = float(line["value"])
            if not math.isfinite(value) or line["metric"] not in METRICS:
                raise ValueError(f"system {line['system']}: {line['metric']} = {line['value']}")
            cells[line["system"], line["metric"]] = (value, int(line["n"]), int(line["n_failed"]))
        return Baseline(
            split=split,
            who=head["accepted by"],
            why=head["why"],
            protocol=head["protocol"],
            asr=head["asr"],
            versions={key: said for key, _, said in (part.partition("=") for part in head["metrics"].split("; "))},
            cells=cells,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UseError(f"{path} is damaged ({error}); take it back from git or run v2sbench accept {split}") from None


def author() -> str:
    """Name and address of whoever runs this, from git's environment variables or configuration."""
    parts = []
    for variable, key in (("GIT_AUTHOR_NAME", "user.name"), ("GIT_AUTHOR_EMAIL", "user.email")):
        text = os.environ.get(variable, "").strip() or _git_config(key)
        if not text:
            raise UseError(f"a baseline names who accepted it: run `git config {key} ...` or set {variable}")
        parts.append(text)
    return f"{parts[0]} <{parts[1]}>"


def _git_config(key: str) -> str:
    try:
        done = subprocess.run(["git", "config", key], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
