"""The regression gate: a split's table against the one that somebody looked at and accepted.

    accept(split, why) -> results/baseline/<split>.csv              who, what changed, why, how it was measured, cells
                          results/baseline/<split>.utterances.tsv   the same by utterance, six digits
    check(split)       -> Checked: every cell that is not what it was, and the utterances behind it

Both rest on one comparison of cells, `_compared`: worse, better (a better number needs a look as much as a worse one),
other counts, missing. A cell of another protocol, recogniser or metric version is refused and not compared, which is a
failure too. A system that is measured and not in the baseline is no regression; `accept` takes it in. The files belong
into git, so a change of a number is reviewed like one of the code.
"""

from __future__ import annotations

import io
import math
import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from tabulate import tabulate

from v2sbench.results.measured import group_of, order
from v2sbench.results.table import Results, Table, tidy
from v2sbench.results.table import table as make_table
from v2sbench.results.wording import digits, heard, number
from v2sbench.runtime import UseError, atomic
from v2sbench.scoring.metrics import METRICS

BASELINE = Path("results/baseline")
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
RULES = ("protocol", "recogniser", "version")
"""Columns that must be equal before two cells are compared."""
KEY = ["system", "metric"]
FIELDS = ["value", "n", "n_failed"]
HEADER = ("", "system", "metric", "before", "now", "difference", "tolerance", "clips that moved most")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """An accepted table."""

    split: str
    who: str  # who accepted it
    changed: str  # against the one before; empty in files that do not say
    why: str  # why it replaced the one before
    cells: Any  # data frame by (system, metric) of FIELDS and RULES

    @property
    def systems(self) -> list[str]:
        """Names of its systems, in order."""
        return list(dict.fromkeys(self.cells.index.get_level_values("system")))


@dataclass(frozen=True, kw_only=True)
class Change:
    """One cell that is not what it was."""

    system: str
    metric: str
    kind: str  # one of KINDS: the mean moved by more than the tolerance, other counts, no such cell, or other rules
    before: str  # the baseline's value, counts, or rule
    now: str  # the measured one; empty when missing
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
    if not why.strip() or "\n" in why:
        raise UseError(f"the reason must be one line, not {why!r}; give --why REASON")
    table = make_table(source) if isinstance(source, str) else source
    path = baseline / f"{table.split}.csv"
    before = read_baseline(table.split, baseline) if path.is_file() else None
    cells = _measured(table)
    names = _chosen(table, systems, before.systems if before else [])
    cells = cells[cells.index.isin(names, level="system")]
    if systems and before is not None:
        cells = _joined(before.cells[~before.cells.index.isin(systems, level="system")], cells)
    _check_alike(cells, table.split)
    changed = _summed_up(before, cells)
    new = Baseline(split=table.split, who=who or author(), why=why.strip(), changed=changed, cells=cells)
    if before is None or changed != NOTHING:
        _write(path, _csv(new))
    fresh, kept = _utterances(table.results, names), read_utterances(table.split, baseline)
    if kept is not None:
        kept = kept[kept.index.isin(set(new.systems) - set(names), level="system")]
        fresh = _joined(kept, fresh)
    text = fresh.dropna(axis=1, how="all").to_csv(sep="\t", float_format="%.6g", lineterminator="\n")
    _write(path.with_suffix(".utterances.tsv"), text)
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
    cells = accepted.cells[accepted.cells.index.isin(only or accepted.systems, level="system")]
    both = _compared(cells, _measured(table))
    now = _utterances(table.results, [name for name in accepted.systems if name in table.results.systems])
    changes = [change for key, row in both.iterrows() if key in cells.index for change in _changes(key, row)]
    if known is not None:
        changes = [_explained(change, known, now) for change in changes]
    new = [row.system for row in table.measured if row.system not in accepted.systems and not only]
    return Checked(
        baseline=accepted, file=baseline / f"{split}.csv", cells=len(cells), changes=tuple(changes), new=tuple(new),
        utterances=known is not None,
    )  # fmt: skip


# ---------------------------------------------------------------- the one comparison


def _measured(table: Table) -> Any:
    """The table's measured cells, as `Baseline.cells` has them."""
    frame = tidy(replace(table, systems=()))
    frame = frame[frame["group"] != "reported"]
    frame = frame.rename(columns={"asr": "recogniser", "metric_version": "version"})
    frame["value"] = [float(f"{value:.12g}") for value in frame["value"]]  # as the file has it
    return frame.set_index(KEY)[[*FIELDS, *RULES]].astype({"n": int, "n_failed": int})


def _compared(before: Any, now: Any) -> Any:
    """Cells of either side by (system, metric), NaN where one lacks it; `now`'s columns end in _now."""
    return _sorted(before.join(now.add_suffix("_now"), how="outer"))


def _sorted(cells: Any) -> Any:
    """Cells in the order of the table."""
    metrics = list(METRICS)
    return cells.loc[sorted(cells.index, key=lambda key: (order(key[0]), metrics.index(key[1])))]


def _changes(key: tuple[str, str], row: Any) -> list[Change]:
    """The changes of one cell of the baseline: none, or up to two."""
    system, metric = key
    one = Change(system=system, metric=metric, kind="missing", before=_text(metric, row["value"]), now="")
    if math.isnan(row["value_now"]):
        return [one]
    for rule in RULES:
        if row[rule] != row[f"{rule}_now"]:
            return [replace(one, kind="refused", before=f"{rule} {row[rule]}", now=f"{rule} {row[f'{rule}_now']}")]
    found = []
    if kind := moved(metric, row["value"], row["value_now"]):
        step = row["value_now"] - row["value"]
        found.append(replace(one, kind=kind, now=_text(metric, row["value_now"]), difference=step))
    before, now = _counts(row), _counts(row, "_now")
    if before != now:
        found.append(replace(one, kind="n changed", before=before, now=now))
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
    found: dict[str, list[str]] = {"added": [], "removed": [], "moved": [], "recounted": [], "within tolerance": []}
    rules: dict[str, None] = {}
    for (system, metric), row in _compared(before.cells, cells).iterrows():
        name, then, now = f"{system} {metric}", row["value"], row["value_now"]
        if math.isnan(then) or math.isnan(now):
            found["removed" if math.isnan(now) else "added"].append(name)
            continue
        if said := moved(metric, then, now):
            found["moved"].append(f"{name} {number(metric, then)} -> {number(metric, now)} ({said})")
        elif then != now:
            found["within tolerance"].append(name)
        if _counts(row) != _counts(row, "_now"):
            found["recounted"].append(f"{name} {_counts(row)} -> {_counts(row, '_now')}")
        for rule in RULES:
            if row[rule] != row[f"{rule}_now"]:
                of = f" of {metric}" if rule == "version" else ""
                rules[f"{rule}{of} {row[rule]} -> {row[f'{rule}_now']}"] = None
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''})"
        for kind, names in found.items()
        if names
    ]
    return "; ".join([*parts, *rules]) or NOTHING


def _counts(row: Any, end: str = "") -> str:
    """Utterances with and without a value, for people."""
    return f"n {row[f'n{end}']:.0f}, failed {row[f'n_failed{end}']:.0f}"


def _text(metric: str, value: float, sign: str = "") -> str:
    """A number with a digit more than tables have, so that a change beyond the tolerance is always seen."""
    return f"{value:{sign}.{digits(metric) + 1}f}"


# ---------------------------------------------------------------- what is accepted


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


def _joined(kept: Any, new: Any) -> Any:
    """The rows of both."""
    import pandas as pd

    both = pd.concat([kept, new])
    if "clip" not in both.index.names:
        return _sorted(both)
    both = both[[metric for metric in METRICS if metric in both]]
    return both.loc[sorted(both.index, key=lambda key: (order(key[0]), key[1]))]


def _check_alike(cells: Any, split: str) -> None:
    """UseError unless all cells were scored by one protocol and recogniser, and a metric by one version."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for (system, metric), row in cells.iterrows():
        for rule in RULES if heard(metric) else ("protocol", "version"):
            of = f" of {metric}" if rule == "version" else ""
            other, first = seen.setdefault((rule, of), (system, row[rule]))
            if row[rule] != first:
                raise UseError(
                    f"{system} was scored by another {rule}{of} ({row[rule]!r}) than {other} ({first!r}); score alike "
                    f"(v2sbench score {system} --split {split}), or accept all: v2sbench accept {split} --why REASON"
                )


def _utterances(results: Results, systems: Sequence[str]) -> Any:
    """Data frame by (system, clip) of each utterance's own scores, a metric a column, NaN where it has none."""
    import pandas as pd

    frames = {name: results.systems[name].rates(results.clips).dropna(how="all") for name in systems}
    frame = pd.concat(frames, names=["system", "clip"])
    return frame[[metric for metric in METRICS if metric in frame]]


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


# ---------------------------------------------------------------- the files


def _write(path: Path, text: str) -> None:
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _csv(new: Baseline) -> str:
    versions = dict(sorted((metric, version) for (_, metric), version in new.cells["version"].items()))
    head = {
        "accepted by": new.who,
        "why": new.why,
        "changed": new.changed,
        "protocol": new.cells["protocol"].iloc[0],
        "asr": next(filter(None, new.cells["recogniser"]), ""),
        "metrics": "; ".join(f"{metric}={version}" for metric, version in versions.items()),
    }
    lines = "".join(f"# {key}: {said}\n" for key, said in head.items())
    return lines + str(new.cells[FIELDS].to_csv(float_format="%.12g", lineterminator="\n"))


def read_baseline(split: str, baseline: Path = BASELINE) -> Baseline:
    """The accepted table of a split; UseError when there is none or the file is damaged."""
    import pandas as pd

    path = baseline / f"{split}.csv"
    if not path.is_file():
        raise UseError(f"no baseline {path}; run `v2sbench accept {split} --why REASON` to make one")
    text = path.read_text(encoding="utf-8")
    comments = [line[2:].partition(":") for line in text.splitlines() if line.startswith("# ")]
    head = {key: said.strip() for key, _, said in comments}
    try:
        types = {"value": float, "n": int, "n_failed": int}
        body = "\n".join(line for line in text.splitlines() if not line.startswith("# "))
        cells = pd.read_csv(io.StringIO(body), dtype=types, keep_default_na=False).set_index(KEY)[FIELDS]
        metrics = list(cells.index.get_level_values("metric"))
        if cells.empty or not np.isfinite(cells["value"]).all():
            raise ValueError("no cells, or one without a number")
        versions = dict(part.split("=", 1) for part in head["metrics"].split("; "))
        cells["protocol"] = head["protocol"]
        cells["recogniser"] = [head["asr"] if heard(metric) else "" for metric in metrics]
        cells["version"] = [versions.get(metric, "") for metric in metrics]
        if unknown := set(metrics) - set(METRICS):
            raise ValueError(f"unknown metric {min(unknown)}")
        return Baseline(
            split=split, who=head["accepted by"], changed=head.get("changed", ""), why=head["why"], cells=cells
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UseError(
            f"{path} is damaged ({error}); take it back from git, or remove it and run v2sbench accept {split}"
        ) from None


def read_utterances(split: str, baseline: Path = BASELINE) -> Any:
    """Accepted scores as `_utterances` has them, to six digits; None where they were not kept.

    UseError when the file is damaged.
    """
    import pandas as pd

    path = baseline / f"{split}.utterances.tsv"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    try:
        if len({line.count("\t") for line in text.splitlines()}) != 1:
            raise ValueError("lines of different lengths")
        types = {"system": str, "clip": str}
        frame = pd.read_csv(io.StringIO(text), sep="\t", dtype=types, keep_default_na=False, na_values=[""])
        return frame.set_index(["system", "clip"]).astype(float)
    except (KeyError, ValueError) as error:
        raise UseError(f"{path} is damaged ({error}); take it back from git") from None


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
