"""What a scoring came to: for people on the terminal, and for tables in the .meta.json."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from v2sbench import runtime
from v2sbench.scoring.means import Column, column
from v2sbench.scoring.metrics import METRICS
from v2sbench.scoring.plan import Method
from v2sbench.scoring.scores import Line, iter_scores

DOUBTFUL = {
    "opposite-phase": "hold two channels that cancel each other out: score one of them, or turn one over",
    "unscaled": "hold 16-bit numbers in samples of 32 bits: divide by 32,768 and write floats, or write 16 bits",
}
"""Status -> what is wrong with the files, where the user can mend it."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a scoring came to; `str()` makes it readable."""

    out: Path
    """The file of scores."""
    system: str
    protocol: str
    clips: int
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


def summary(method: Method, out: Path, system: str, kept: int, unused: int, warnings: Sequence[str]) -> Summary:
    """The sum of the lines that stand in `out`."""
    clips: dict[str, list[str]] = {}  # status -> clips
    scaled: dict[str, float] = {}  # clip -> peak
    for line in iter_scores(out):
        clips.setdefault(line["status"], []).append(line["clip"])
        if peak := max(line.get("scaled", 0.0), line.get("scaled_ref", 0.0)):
            scaled[line["clip"]] = peak
    return Summary(
        out=out,
        system=system,
        protocol=method.rules.name,
        clips=sum(map(len, clips.values())),
        kept=kept,
        statuses=Counter({status: len(names) for status, names in clips.items()}),
        columns={name: _column(method, name, out) for name in method.metrics},
        unused=unused,
        asr=method.asr_id,
        missing=tuple(clips.get("missing", [])[:3]),
        warnings=(*warnings, *_doubts(clips, scaled)),
    )


def _doubts(clips: Mapping[str, Sequence[str]], scaled: Mapping[str, float]) -> Iterator[str]:
    """What is wrong with single files, in a sentence each."""
    if scaled:
        worst = max(scaled, key=scaled.__getitem__)
        yield (
            f"{len(scaled)} clips exceed full scale (e.g. {worst}, peak {scaled[worst]:g}) and were divided by their "
            "peak: samples of float files must lie within -1 and 1"
        )
    for status, names in clips.items():
        if what := DOUBTFUL.get(status.removeprefix("reference-")):
            files = "references" if status.startswith("reference-") else "predictions"
            yield f"{len(names)} {files} (e.g. {names[0]}) {what}"


def _column(method: Method, name: str, out: Path) -> Column:
    """A column of stored lines; only what it is made of is held of each."""
    wanted = ("clip", "errors", name)
    lines: Iterator[Line] = ({key: line[key] for key in wanted if key in line} for line in iter_scores(out))
    return column(method.rules, name, lines)


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


def meta(method: Method, system: str, clips: int) -> dict[str, Any]:
    """What is true of every line."""
    return {
        "system": system,
        "protocol": method.rules.name,
        "aggregation": method.rules.aggregation,
        "asr": method.asr_id,
        "normaliser": method.normaliser or None,
        "metrics": method.versions,
        "clips": clips,
        "environment": _machine(method),
    }


def _machine(method: Method) -> dict[str, str]:
    """What the scores depend on beside the versions of the metrics; PyTorch is asked only where it was at work."""
    made = {"commit": runtime.revision(), "date": date.today().isoformat(), "processor": runtime.processor()}
    if method.listener is not None and not method.in_workers:
        return runtime.environment() | made
    found = {name: version(name) for name in ("numpy", "scipy", "soundfile")}
    return {"python": platform.python_version(), "machine": platform.machine()} | found | made
