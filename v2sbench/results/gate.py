"""The regression gate: a split's table against the one that somebody looked at and accepted.

    accept(split, why) -> results/baseline/<split>.csv              who, what changed, why, how it was measured, cells
                          results/baseline/<split>.utterances.tsv   the same by utterance, six digits
    check(split)       -> Checked: every cell that is not what it was, and the utterances behind it

Both rest on one comparison, `compared`. It is two-sided: a better number needs a look as much as a worse one. For
`check`, a cell of another protocol, recogniser or metric version is refused and not compared, which is a failure too.
A system that is measured and not in the baseline is no regression; `accept` takes it in. The files belong into git, so
a change of a number is reviewed like one of the code. `gate_files` reads and writes them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tabulate import tabulate

from v2sbench.results.gate_files import (
    BASELINE,
    FIELDS,
    KEY,
    RULES,
    Baseline,
    author,
    read_baseline,
    read_utterances,
    write_baseline,
    write_utterances,
)
from v2sbench.results.measured import group_of, order
from v2sbench.results.table import Results, Table, tidy
from v2sbench.results.table import table as make_table
from v2sbench.results.wording import digits, heard
from v2sbench.runtime import UseError
from v2sbench.scoring import METRICS

TOLERANCES: Mapping[str, float] = MappingProxyType({"MOS-LQO": 0.02, "raw MOS": 0.02, "%": 0.5, "dB": 0.02})
"""Unit -> how far a mean may move, either way, before it is a change: several times what another processor's rounding
moves on the same audio."""
DEFAULT_TOLERANCE = 0.005
"""Tolerance of a metric of any other unit, such as STOI."""
NOTHING = "nothing changed"
NAMED = 4
"""Cells of a kind that a baseline's head names; the others it counts."""
CLIPS = 3
"""Utterances that a changed cell names."""
KINDS = ("worse", "better", "n changed", "missing", "refused")
"""Changes that fail the gate."""
TOLD = {
    "added": "added", "missing": "removed", "better": "moved", "worse": "moved", "n changed": "recounted",
    "within tolerance": "within tolerance",
}  # fmt: skip
"""Every kind of change that is not refused -> its name in a baseline's head."""
HEADER = ("", "system", "metric", "before", "now", "difference", "tolerance", "clips that moved most")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One cell that is not what it was."""

    system: str
    metric: str
    kind: str  # one of KINDS or TOLD
    before: str = ""  # the baseline's value, counts, or rule
    now: str = ""  # the measured one; empty when missing
    difference: float | None = None  # now minus before, where a value moved
    clips: tuple[str, ...] = ()  # the utterances behind it, those that moved most first, each with its step


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A split's scores, held against its baseline."""

    baseline: Baseline
    file: Path
    cells: int  # cells of the baseline that were looked at
    changes: tuple[Change, ...]  # by system and metric; none where the gate is passed
    new: tuple[str, ...]  # measured systems that the baseline does not have
    utterances: bool  # whether the baseline has scores by utterance


def tolerance(metric: str) -> float:
    """How far the metric's mean may move, in its unit."""
    return TOLERANCES.get(METRICS[metric].unit, DEFAULT_TOLERANCE)


def moved(metric: str, before: float, now: float) -> str:
    """`better`, `worse`, or empty where the mean moved by no more than the tolerance."""
    if abs(now - before) <= tolerance(metric):
        return ""
    return "better" if (now > before) == METRICS[metric].higher_is_better else "worse"


# ---------------------------------------------------------------- the two verbs


def accept(
    source: str | Table, why: str, *, who: str | None = None, systems: Sequence[str] = (), baseline: Path = BASELINE
) -> Baseline:
    """Make measured numbers the baseline of a split; returns what was written.

    source: the split, or its table if it is at hand. systems: only these, a user's own among them; what the baseline
    has of others stays. Without any: variants, references, and the users' systems that are in the baseline already. A
    file with the same numbers is not written anew. why: one line that stands in the file. who: defaults to the git
    author. UseError when nothing was measured, the reason is no line, or rows were not scored alike.
    """
    import pandas as pd

    if not why.strip() or "\n" in why:
        raise UseError(f"the reason must be one line, not {why!r}; give --why REASON")
    table = make_table(source) if isinstance(source, str) else source
    split = table.split
    before = read_baseline(split, baseline) if (baseline / f"{split}.csv").is_file() else None
    names = _chosen(table, systems, before.systems if before else [])
    cells, fresh = _only(_measured(table), names), _utterances(table.results, names)
    if systems and before:
        kept = [name for name in before.systems if name not in names]
        cells = _sorted(pd.concat([_only(before.cells, kept), cells]))
    _check_alike(cells, split)
    changed = _summed_up(before, cells)
    new = Baseline(split=split, who=who or author(), why=why.strip(), changed=changed, cells=cells)
    if changed != NOTHING:
        write_baseline(new, baseline)
    known = read_utterances(split, baseline)
    if known is not None:
        fresh = pd.concat([_only(known, [name for name in new.systems if name not in names]), fresh])
    write_utterances(split, fresh.loc[sorted(fresh.index, key=lambda key: (order(key[0]), key[1]))], baseline)
    return new


def check(source: str | Table, *, only: Sequence[str] = (), baseline: Path = BASELINE) -> Checked:
    """Compare every cell of the baseline with the measured one.

    source: the split, or its table if it is at hand. only: the systems to look at; all of the baseline's where empty.
    UseError when there is no baseline, `only` names a system that it lacks, or nothing was measured.
    """
    split = source if isinstance(source, str) else source.split
    accepted, known = read_baseline(split, baseline), read_utterances(split, baseline)
    if absent := [name for name in only if name not in accepted.systems]:
        raise UseError(
            f"{', '.join(absent)}: not in {baseline / split}.csv; take in what was measured: "
            f"v2sbench accept {split} --systems {','.join(absent)} --why REASON"
        )
    table = make_table(source) if isinstance(source, str) else source
    names = list(only) or accepted.systems
    cells = _only(accepted.cells, names)
    changes = [change for change in compared(cells, _only(_measured(table), names), RULES) if change.kind in KINDS]
    if known is not None:
        now = _utterances(table.results, [name for name in names if name in table.results.systems])
        changes = [_explained(change, known, now) for change in changes]
    new = [row.system for row in table.measured if row.system not in accepted.systems and not only]
    return Checked(
        baseline=accepted, file=baseline / f"{split}.csv", cells=len(cells), changes=tuple(changes), new=tuple(new),
        utterances=known is not None,
    )  # fmt: skip


# ---------------------------------------------------------------- the one comparison


def compared(before: Any, now: Any, rules: Sequence[str] = ()) -> list[Change]:
    """All differences of two frames of cells, by system and metric.

    rules: columns that must be equal, else a cell is refused and not compared.
    """
    both = _sorted(before.join(now.add_suffix("_now"), how="outer"))
    return [change for key, row in both.iterrows() for change in _changes(key, row, rules)]


def _changes(key: tuple[str, str], row: Any, rules: Sequence[str]) -> list[Change]:
    """The changes of one cell: none, or up to two."""
    system, metric = key
    then, now = row["value"], row["value_now"]
    cell = Change(system=system, metric=metric, kind="missing", before=_text(metric, then))
    if math.isnan(now):
        return [cell]
    if math.isnan(then):
        return [replace(cell, kind="added", before="", now=_text(metric, now))]
    for rule in rules:
        if row[rule] != row[f"{rule}_now"]:
            return [replace(cell, kind="refused", before=f"{rule} {row[rule]}", now=f"{rule} {row[f'{rule}_now']}")]
    found = []
    if then != now:
        kind = moved(metric, then, now) or "within tolerance"
        found.append(replace(cell, kind=kind, now=_text(metric, now), difference=now - then))
    counts = [f"n {row[f'n{end}']:.0f}, failed {row[f'n_failed{end}']:.0f}" for end in ("", "_now")]
    if counts[0] != counts[1]:
        found.append(replace(cell, kind="n changed", before=counts[0], now=counts[1]))
    return found


def _explained(change: Change, known: Any, measured: Any) -> Change:
    """The change with the utterances behind it."""
    if change.kind in ("missing", "refused"):
        return change
    before, now = (_scores(frame, change) for frame in (known, measured))
    if change.kind == "n changed":
        said = [f"{clip} lost" for clip in sorted(set(before) - set(now))]
        said += [f"{clip} new" for clip in sorted(set(now) - set(before))]
    else:
        steps = {clip: now[clip] - before[clip] for clip in before if clip in now}
        least = 1e-5 * max((abs(value) for value in before.values()), default=0.0)  # what six digits may hide
        ranked = sorted(steps, key=lambda clip: (-abs(steps[clip]), clip))
        said = [f"{clip} {_text(change.metric, steps[clip], '+')}" for clip in ranked if abs(steps[clip]) > least]
    return replace(change, clips=tuple(said[:CLIPS]) or ("none of them",))


def _scores(frame: Any, change: Change) -> dict[str, float]:
    """Clip -> score of the change's cell."""
    if change.system not in frame.index.get_level_values("system") or change.metric not in frame:
        return {}
    return dict(frame.loc[change.system, change.metric].dropna())


def _summed_up(before: Baseline | None, cells: Any) -> str:
    """The changes that an accepted table makes, in one line."""
    if before is None:
        return f"first baseline, {len(cells)} cells of {cells.index.get_level_values('system').nunique()} systems"
    found: dict[str, list[str]] = {kind: [] for kind in TOLD.values()}
    for change in compared(before.cells, cells):
        name = f"{change.system} {change.metric}"
        if change.kind in ("better", "worse"):
            name += f" {change.before} -> {change.now} ({change.kind})"
        if change.kind == "n changed":
            name += f" {change.before} -> {change.now}"
        found[TOLD[change.kind]].append(name)
    parts = []
    for kind, names in found.items():
        if names:
            parts.append(f"{len(names)} {kind} ({', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''})")
    for change in compared(before.cells, cells, RULES):
        if change.kind == "refused":
            rule, _, then = change.before.partition(" ")
            name = f"version of {change.metric}" if rule == "version" else rule
            parts.append(f"{name} {then} -> {change.now.partition(' ')[2]}")
    return "; ".join(dict.fromkeys(parts)) or NOTHING


def _text(metric: str, value: float, sign: str = "") -> str:
    """A number with a digit more than tables have, so that a change beyond the tolerance is always seen."""
    return f"{value:{sign}.{digits(metric) + 1}f}"


# ---------------------------------------------------------------- frames


def _measured(table: Table) -> Any:
    """The table's measured cells, as `Baseline.cells` has them."""
    frame = tidy(replace(table, systems=()))
    frame = frame[frame["group"] != "reported"]
    frame = frame.rename(columns={"asr": "recogniser", "metric_version": "version"})
    frame["value"] = [float(f"{value:.12g}") for value in frame["value"]]  # as the file has it
    return frame.set_index(KEY)[[*FIELDS, *RULES]].astype({"n": int, "n_failed": int})


def _utterances(results: Results, systems: Sequence[str]) -> Any:
    """Data frame by (system, clip) of each utterance's own scores, a metric a column, NaN where it has none."""
    import pandas as pd

    frames = {name: results.systems[name].rates(results.clips).dropna(how="all") for name in systems}
    return pd.concat(frames, names=["system", "clip"])


def _only(frame: Any, systems: Sequence[str]) -> Any:
    """The rows of these systems."""
    return frame[frame.index.isin(systems, level="system")]


def _sorted(cells: Any) -> Any:
    """Cells in the order of the table."""
    metrics = list(METRICS)
    return cells.loc[sorted(cells.index, key=lambda key: (order(key[0]), metrics.index(key[1])))]


def _chosen(table: Table, systems: Sequence[str], known: Sequence[str]) -> list[str]:
    """The systems to accept; UseError when there is none, or none of a name."""
    if systems:
        return [table.row(name).system for name in systems]
    names = [row.system for row in table.measured if row.group != "system" or row.system in known]
    if not names:
        own = ",".join(row.system for row in table.measured)
        raise UseError(
            f"no variant or reference system was measured on {table.split}; run `dvc repro`, or name your own: "
            f"--systems {own}"
        )
    return names


def _check_alike(cells: Any, split: str) -> None:
    """UseError unless all cells were scored by one protocol and recogniser, and a metric by one version."""
    seen: dict[str, tuple[str, str]] = {}
    for (system, metric), row in cells.iterrows():
        for rule in RULES if heard(metric) else ("protocol", "version"):
            name = f"version of {metric}" if rule == "version" else rule
            other, first = seen.setdefault(name, (system, row[rule]))
            if row[rule] != first:
                raise UseError(
                    f"{system} was scored by another {name} ({row[rule]!r}) than {other} ({first!r}); score alike "
                    f"(v2sbench score {system} --split {split}), or accept all: v2sbench accept {split} --why REASON"
                )


# ---------------------------------------------------------------- in words


def summary(checked: Checked) -> str:
    """The gate's result in one sentence."""
    split, count = checked.baseline.split, Counter(change.kind for change in checked.changes)
    if not checked.changes:
        return f"{split}: nothing moved, {checked.cells} cells are as in the baseline"
    kinds = ", ".join(f"{count[kind]} {kind}" for kind in KINDS if count[kind])
    cells = len({(change.system, change.metric) for change in checked.changes})
    return f"{split}: {cells} of {checked.cells} cells are not as in the baseline: {kinds}"


def report(checked: Checked) -> str:
    """Every change, one line each, who accepted the baseline and why, and the next command."""
    split, accepted = checked.baseline.split, checked.baseline
    parts = [f"{summary(checked)} ({checked.file}, accepted by {accepted.who}: {accepted.why})"]
    moves = [_line(change) for change in checked.changes if change.kind != "refused"]
    if moves:
        parts.append(tabulate(moves, HEADER, disable_numparse=True))
    refused: dict[str, list[str]] = {}
    for change in checked.changes:
        if change.kind == "refused":
            rule = f"{change.before} in the baseline, {change.now} now"
            refused.setdefault(rule, []).append(f"{change.system} {change.metric}")
    parts += [f"refused, not compared: {rule}: {', '.join(cells)}" for rule, cells in refused.items()]
    if checked.changes and not checked.utterances:
        parts.append(f"which clips moved is unknown: {split}.utterances.tsv is not there; accept writes it")
    if checked.changes:
        parts.append(f"if this is meant: v2sbench accept {split} --why REASON")
    if checked.new:
        own = any(group_of(name) == "system" for name in checked.new)
        chosen = f" --systems {','.join(checked.new)}" if own else ""
        todo = f"v2sbench accept {split}{chosen} --why REASON adds them"
        parts.append(f"not in the baseline: {', '.join(checked.new)}; {todo}")
    return "\n\n".join(parts)


def _line(change: Change) -> list[str]:
    """A change as a line of the report."""
    step = change.difference
    moves = ["", ""] if step is None else [_text(change.metric, step, "+"), f"{tolerance(change.metric):g}"]
    names = [change.kind, change.system, change.metric, change.before, change.now or "nothing"]
    return [*names, *moves, ", ".join(change.clips)]
