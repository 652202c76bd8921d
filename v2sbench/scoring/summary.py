"""What a scoring came to: for people on the terminal, and for tables in the .meta.json."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from v2sbench import runtime
from v2sbench.scoring.metrics import METRICS, Column, Protocol, column
from v2sbench.scoring.plan import Plan
from v2sbench.scoring.scores import Line, iter_scores


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a scoring came to; `str()` of it is for people."""

    out: Path
    """The scores."""
    system: str
    """Whose they are."""
    protocol: str
    """By which rules."""
    clips: int
    """Lines."""
    kept: int
    """Lines taken over from an earlier run."""
    statuses: Mapping[str, int]
    """Status -> clips."""
    columns: Mapping[str, Column]
    """Metric -> its number by the rules of the protocol, and the clips in it."""
    unused: int
    """Audio files of the system that no clip asked for."""
    asr: str | None
    """Recogniser and normaliser."""
    missing: tuple[str, ...] = ()
    """Clips without a prediction, the first few."""
    warnings: tuple[str, ...] = ()
    """What looks wrong with the folders, and why."""

    def __str__(self) -> str:
        """A line a metric, and what went wrong."""
        lines = [f"{self.out}: {self.clips} clips of {self.system}" + (f", {self.kept} kept" if self.kept else "")]
        width = max([16, *(len(heading(name)) for name in self.columns)])
        for name, found in self.columns.items():
            value = "-" if found.value is None else f"{found.value:.3f}"
            failed = f", failed {found.n_failed}" if found.n_failed else ""
            note = f" ({found.note})" if found.note and found.n else ""
            lines.append(f"  {heading(name):{width}} {value:>8}  n {found.n}{failed}{note}")
        if self.asr:
            lines.append(f"  recogniser {self.asr}")
        if bad := [f"{count} {status}" for status, count in sorted(self.statuses.items()) if status != "ok"]:
            lines.append(f"  not ok: {', '.join(bad)}")
        if self.missing:
            more = self.statuses["missing"] - len(self.missing)
            lines.append(f"  missing: {', '.join(self.missing)}" + (f" and {more} more" if more else ""))
        if self.unused:
            lines.append(f"  {self.unused} audio files belong to no clip")
        return "\n".join(lines + [f"  WARNING: {warning}" for warning in self.warnings])


def heading(metric: str) -> str:
    """What a metric's number is called."""
    item = METRICS[metric]
    return f"{item.column} {item.unit}" if item.unit == "%" else item.column


def summary(plan: Plan, out: Path, system: str, kept: int, unused: int, warnings: Sequence[str]) -> Summary:
    """The sum of the lines that stand in `out`."""
    statuses = Counter(line["status"] for line in iter_scores(out))
    missing = [line["clip"] for line in iter_scores(out) if line["status"] == "missing"][:3]
    return Summary(
        out=out, system=system, protocol=plan.rules.name, clips=statuses.total(), kept=kept, statuses=statuses,
        columns={name: _column(plan.rules, name, out) for name in plan.metrics}, unused=unused, asr=plan.asr_id,
        missing=tuple(missing), warnings=tuple(warnings),
    )  # fmt: skip


def _column(rules: Protocol, name: str, out: Path) -> Column:
    """A column of stored lines, of each of which only what the column is made of is held."""
    wanted = {"clip", "errors", name}

    def lines() -> Iterator[Line]:
        for line in iter_scores(out):
            yield {key: value for key, value in line.items() if key in wanted}

    return column(rules, name, lines())


def spread(found: Sequence[Summary]) -> list[list[str]]:
    """One system under several protocols, or several under one: rows of a table, its heading first.

    A cell is the number, with `*` where clips failed and `-` where the protocol has none, though it has the metric.
    """
    names = list(dict.fromkeys(name for item in found for name in item.columns))
    rows = [["system", "protocol", *map(heading, names), "failed"]]
    for item in found:
        failed = max((cell.n_failed for cell in item.columns.values()), default=0)
        rows.append([item.system, item.protocol, *(_cell(item.columns.get(name)) for name in names), str(failed)])
    return rows


def _cell(cell: Column | None) -> str:
    if cell is None:
        return ""
    return ("-" if cell.value is None else f"{cell.value:.3f}") + ("*" if cell.n_failed else "")


def meta(plan: Plan, system: str, clips: int) -> dict[str, Any]:
    """What is true of every line."""
    return {
        "system": system,
        "protocol": plan.rules.name,
        "aggregation": plan.rules.aggregation,
        "asr": plan.asr_id,
        "normaliser": plan.normaliser or None,
        "metrics": {name: METRICS[name].version for name in plan.metrics},
        "clips": clips,
        "environment": _machine(plan),
    }


def _machine(plan: Plan) -> dict[str, str]:
    """What the scores depend on beside the versions of the metrics; PyTorch is asked only where it was at work."""
    if plan.listener is not None and not plan.in_workers:
        return runtime.environment()
    found = {name: version(name) for name in ("numpy", "scipy", "soundfile")}
    return {"python": platform.python_version(), "machine": platform.machine()} | found
