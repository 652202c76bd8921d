"""Regression gate: the measured rows of a split against the baseline in git.

    scores, results/baseline/<split>.csv --hold--> Held --report--> text, at the prompt and under pytest alike

Everything is compared before anything fails: worse, better (a better number needs a look as much as a worse one),
other counts, missing cells. A cell of another protocol, recogniser or metric version is refused and not compared, which
is a failure too. A system that is measured and not in the baseline is no regression; `accept` takes it in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tabulate import tabulate

from v2sbench.results import measured as results
from v2sbench.results import sheet
from v2sbench.results.baseline import BASELINE, Baseline, counts, moved, read_baseline, read_utterances, tolerance
from v2sbench.results.rows import Row
from v2sbench.results.sheet import Table
from v2sbench.results.wording import digits, heard
from v2sbench.runtime import UseError

CLIPS = 3
"""Utterances that a changed cell names."""
HEADER = ("", "system", "metric", "before", "now", "difference", "tolerance", "clips that moved most")

Kind = Literal["worse", "better", "n changed", "missing", "refused"]
KINDS: tuple[Kind, ...] = ("worse", "better", "n changed", "missing", "refused")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One cell that is not what it was."""

    system: str
    """Row."""
    metric: str
    """Column."""
    kind: Kind
    """worse or better: the mean moved by more than the tolerance; n changed: other counts; missing: no such cell now;
    refused: measured by other rules, so not compared."""
    before: str
    """The baseline's value, counts, or rule."""
    now: str
    """The measured one; empty when missing."""
    difference: float | None = None
    """Now minus before, where a value moved."""
    clips: tuple[str, ...] = ()
    """The utterances behind it, those that moved most first, each with what happened to it."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A split's scores, held against its baseline."""

    baseline: Baseline
    """What was accepted."""
    file: Path
    """Where it stands."""
    cells: int
    """Cells of the baseline that were looked at."""
    changes: tuple[Change, ...]
    """Every one that is not what it was, by system and metric; none where the gate is passed."""
    new: tuple[str, ...]
    """Measured systems that the baseline does not have."""
    utterances: bool
    """Whether the baseline has scores by utterance."""


def hold(
    split: str,
    *,
    only: Sequence[str] = (),
    table: Table | None = None,
    measured: Path = results.MEASURED,
    baseline: Path = BASELINE,
) -> Held:
    """Compare every cell of the baseline with what is measured.

    only: the systems to look at; all of the baseline's where empty. table: the measured table if it is at hand, else it
    is built from the stored scores. UseError when there is no baseline, `only` names what it has not, or nothing was
    measured.
    """
    accepted, known = read_baseline(split, baseline), read_utterances(split, baseline)
    if absent := [name for name in only if name not in accepted.systems]:
        raise UseError(
            f"{', '.join(absent)}: not in {baseline / split}.csv; take in what was measured: "
            f"v2sbench accept {split} --systems {','.join(absent)} --why REASON"
        )
    rows = {row.system: row for row in (table or sheet.build(split, measured=measured)).measured}
    systems = results.load(split, measured)
    clips = results.asked(systems)
    cells = {key: cell for key, cell in accepted.cells.items() if not only or key[0] in only}
    changes: list[Change] = []
    for (system, metric), cell in cells.items():
        found = _changes(accepted, system, metric, cell, rows.get(system))
        if known and (system, metric) in known and found and system in systems:
            now = systems[system].utterances(metric, clips)
            found = [_explained(change, known[system, metric], now) for change in found]
        changes += found
    return Held(
        baseline=accepted,
        file=baseline / f"{split}.csv",
        cells=len(cells),
        changes=tuple(changes),
        new=tuple(name for name in rows if name not in accepted.systems and not only),
        utterances=known is not None,
    )


def _changes(
    accepted: Baseline, system: str, metric: str, cell: tuple[float, int, int], row: Row | None
) -> list[Change]:
    """What became of one cell: nothing, or up to two changes."""
    value, n, n_failed = cell

    def change(kind: Kind, before: str, now: str, difference: float | None = None) -> Change:
        return Change(system=system, metric=metric, kind=kind, before=before, now=now, difference=difference)

    if row is None or metric not in row.cells:
        return [change("missing", _text(metric, value), "")]
    if refusal := _refusal(accepted, row, metric):
        return [change("refused", *refusal)]
    now, found = row.cells[metric], []
    if said := moved(metric, value, now.value):
        kind: Kind = "better" if said == "better" else "worse"
        found.append(change(kind, _text(metric, value), _text(metric, now.value), now.value - value))
    if (now.n, now.n_failed) != (n, n_failed):
        found.append(change("n changed", counts(n, n_failed), counts(now.n or 0, now.n_failed or 0)))
    return found


def _refusal(accepted: Baseline, row: Row, metric: str) -> tuple[str, str] | None:
    """By which rule the baseline's cell was measured and by which other one the row's; None when they are alike."""
    pairs = [("protocol", accepted.protocol, row.protocol)]
    pairs += [("recogniser", accepted.asr, row.asr)] if heard(metric) else []
    pairs += [("version", accepted.versions.get(metric, "unknown"), row.versions.get(metric, "unknown"))]
    return next(((f"{name} {before}", f"{name} {now}") for name, before, now in pairs if before != now), None)


def _explained(change: Change, before: Mapping[str, float], now: Mapping[str, float]) -> Change:
    """The change with the utterances behind it."""
    if change.kind in ("missing", "refused"):
        return change
    if change.kind == "n changed":
        gone, come = (sorted(set(one) - set(other)) for one, other in ((before, now), (now, before)))
        said = [*(f"{clip} lost" for clip in gone), *(f"{clip} new" for clip in come)]
    else:
        steps = {clip: now[clip] - before[clip] for clip in before if clip in now}
        least = 1e-5 * max((abs(value) for value in before.values()), default=0.0)  # what six digits may hide
        ranked = sorted(
            (clip for clip in steps if abs(steps[clip]) > least), key=lambda clip: (-abs(steps[clip]), clip)
        )
        said = [f"{clip} {_text(change.metric, steps[clip], '+')}" for clip in ranked]
    return replace(change, clips=tuple(said[:CLIPS]) or ("none of them",))


def _text(metric: str, value: float, sign: str = "") -> str:
    """A number with a digit more than tables have, so that a change beyond the tolerance is always seen."""
    return f"{value:{sign}.{digits(metric) + 1}f}"


# ---------------------------------------------------------------- in words


def summary(held: Held) -> str:
    """One sentence: what the gate says."""
    split, count = held.baseline.split, Counter(change.kind for change in held.changes)
    if not held.changes:
        return f"{split}: nothing moved, {held.cells} cells are as in the baseline"
    kinds = ", ".join(f"{count[kind]} {kind}" for kind in KINDS if count[kind])
    cells = len({(change.system, change.metric) for change in held.changes})
    return f"{split}: {cells} of {held.cells} cells are not as in the baseline: {kinds}"


def report(held: Held) -> str:
    """What moved, one line a change, who accepted the baseline and why, and what to do."""
    split = held.baseline.split
    parts = [f"{summary(held)} ({held.file}, accepted by {held.baseline.who}: {held.baseline.why})"]
    if held.changes:
        moves = [_line(change) for change in held.changes if change.kind != "refused"]
        parts += [tabulate(moves, HEADER, disable_numparse=True)] if moves else []
        refused = [change for change in held.changes if change.kind == "refused"]
        for rule in dict.fromkeys((change.before, change.now) for change in refused):
            cells = (f"{change.system} {change.metric}" for change in refused if (change.before, change.now) == rule)
            parts.append(f"refused, not compared: {rule[0]} in the baseline, {rule[1]} now: {', '.join(cells)}")
        if not held.utterances:
            parts.append(
                f"which clips moved is unknown: {held.file.stem}.utterances.tsv is not there; accept writes it"
            )
        parts.append(f"if this is meant: v2sbench accept {split} --why REASON")
    if held.new:
        own = [name for name in held.new if results.group_of(name) == "system"]
        chosen = f" --systems {','.join(held.new)}" if own else ""
        parts.append(
            f"not in the baseline: {', '.join(held.new)}; v2sbench accept {split}{chosen} --why REASON adds them"
        )
    return "\n\n".join(parts)


def _line(change: Change) -> list[str]:
    """A change as a line of the report."""
    step = change.difference
    return [
        change.kind,
        change.system,
        change.metric,
        change.before,
        change.now or "nothing",
        "" if step is None else _text(change.metric, step, "+"),
        "" if step is None else f"{tolerance(change.metric):g}",
        ", ".join(change.clips),
    ]
