"""The regression gate. It asks two questions of a split's scores, and names them.

    check(split) -> Checked: the answers to both questions, against the split's own baseline or the published one

1. The same audio, the same scores? An utterance with the audio and the reference that the baseline has must score as it
   did, tightly: else the scoring has changed.
2. Other audio, from new weights or another processor: are the numbers within the spread of the accepted trainings? A
   recipe may lie as far off as the accepted and the new trainings would by chance, by Student's t, with at most one
   false alarm in twenty whole tables. Where the baseline has one training of every recipe, the spread is unknown, and a
   fixed tolerance stands for it.

Both are two-sided: a better number needs a look as much as a worse one. A cell of another protocol, recogniser or
metric version is refused and not compared, which is a failure too. A system that is measured and not in the baseline is
no regression; `accept` takes it in. `gate_files` reads and writes the files, `gate_report` has the words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from v2sbench.results.cells import by_recipe, measured_cells, moved, only_of, text, tight, tolerance, utterances
from v2sbench.results.gate_files import (
    DIGESTS,
    KEY,
    RULES,
    Baseline,
    baseline_folder,
    read_baseline,
    read_spread,
    read_utterances,
)
from v2sbench.results.measured import group_of
from v2sbench.results.table import COMPARED, Results
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import recipe_of
from v2sbench.scoring import METRICS

FALSE_ALARMS = 0.05
"""Chance that new trainings of unchanged recipes fail the second question in some cell of a table."""
CLIPS = 3
"""Utterances that a changed cell names."""
SCORING = "scoring changed"
KINDS = (SCORING, "worse", "better", "n changed", "missing", "refused")
"""Changes that fail the gate; the first one by question 1, the others by question 2."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One cell that is not what it was."""

    system: str
    metric: str
    kind: str  # one of KINDS
    before: str = ""  # the baseline's value, counts, or rule
    now: str = ""  # the measured one; empty when missing
    difference: float | None = None  # now minus before, where a value moved
    allowed: float | None = None  # how far it may move
    clips: tuple[str, ...] = ()  # the utterances behind it, those that moved most first, each with its step


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A split's scores, held against its baseline."""

    baseline: Baseline
    file: Path
    same: int  # utterances with the baseline's audio, whose scores question 1 compares
    cells: int  # of the baseline: a recipe in a metric
    trainings: int  # accepted ones, of the recipe with most; 0 where the spread is unknown
    processors: int  # on which they were made
    changes: tuple[Change, ...]  # by system and metric; none where the gate is passed
    new: tuple[str, ...]  # measured systems that the baseline does not have
    utterances: bool  # whether the baseline has scores by utterance


# ---------------------------------------------------------------- both questions


def check(source: str | Results, *, only: Sequence[str] = (), baseline: Path | None = None) -> Checked:
    """Ask both questions of every recipe that the baseline has.

    source: the split, or its scores if they are at hand. only: the recipes to look at; all of the baseline's where
    empty. baseline: by default the split's own where there is one, else what was published with this suite. UseError
    when there is no baseline, `only` names a system that it lacks, or nothing was measured.
    """
    results = Results(split=source) if isinstance(source, str) else source
    split = results.split
    folder = baseline or baseline_folder(split)
    accepted, known, runs = read_baseline(split, folder), read_utterances(split, folder), read_spread(split, folder)
    if absent := [name for name in only if recipe_of(name) not in accepted.recipes]:
        raise UseError(
            f"{', '.join(absent)}: not in {folder / split}.csv; take in what was measured: "
            f"v2sbench accept {split} --systems {','.join(absent)} --why REASON"
        )
    recipes = list(dict.fromkeys(map(recipe_of, only))) or accepted.recipes
    names = [name for name in results.systems if recipe_of(name) in recipes]
    now = measured_cells(results, names)
    scores = utterances(results, names) if names else None
    before, after = by_recipe(accepted.cells), by_recipe(now)
    changes, same = [], 0
    if known is not None and scores is not None:
        found, same = _same_audio(known, scores)
        changes += [item for item in found if not _unlike(before, after, recipe_of(item.system), item.metric)]
    spread = _spread(accepted, runs)
    allowed = _allowed(spread, now, recipes)
    for recipe in recipes:
        for change in _recipe_changes(recipe, before, after, spread, allowed):
            changes.append(change if known is None or scores is None else _explained(change, known, scores))
    here = dict.fromkeys(map(recipe_of, results.systems))
    most = int(spread.groupby(KEY).size().max())
    return Checked(
        baseline=accepted, file=folder / f"{split}.csv", same=same,
        cells=sum(name in recipes for name, _ in before.index),
        trainings=most if most > 1 else 0, processors=spread["processor"].nunique(),
        changes=tuple(changes), new=tuple(name for name in here if name not in accepted.recipes and not only),
        utterances=known is not None,
    )  # fmt: skip


# ---------------------------------------------------------------- question 1


def _same_audio(known: Any, now: Any) -> tuple[list[Change], int]:
    """The changes of utterances whose audio and reference are the baseline's, and how many there are of these."""
    both = known.add_suffix("_then").join(now.add_suffix("_now"), how="inner")
    there = [f"{name}{end}" for name in DIGESTS for end in ("_then", "_now")]
    if not set(there) <= set(both):
        return [], 0
    alike = both[f"{DIGESTS[0]}_then"] != ""
    for name in DIGESTS:
        alike &= both[f"{name}_then"] == both[f"{name}_now"]
    both, found = both[alike], []
    for metric in METRICS:
        if not {f"{metric}_then", f"{metric}_now"} <= set(both):
            continue
        pair = both[[f"{metric}_then", f"{metric}_now"]].dropna()
        steps = pair[f"{metric}_now"] - pair[f"{metric}_then"]
        off = steps[steps.abs() > tight(metric) + 1e-5 * pair[f"{metric}_then"].abs()]  # six digits are kept
        for system, part in off.groupby(level="system"):
            ranked = sorted(part.droplevel("system").items(), key=lambda item: (-abs(item[1]), item[0]))
            then, after = (float(pair.loc[[system]][f"{metric}{end}"].mean()) for end in ("_then", "_now"))
            change = Change(
                system=system, metric=metric, kind=SCORING, before=text(metric, then), now=text(metric, after),
                difference=after - then, allowed=tight(metric),
                clips=tuple(f"{clip} {text(metric, step, '+')}" for clip, step in ranked[:CLIPS]),
            )  # fmt: skip
            found.append(change)
    return found, len(both)


# ---------------------------------------------------------------- question 2


def _spread(accepted: Baseline, runs: Any) -> Any:
    """Accepted trainings by (system, metric), system being the recipe: columns processor, value."""
    if runs is None:
        runs = accepted.cells[["value"]].reset_index().assign(processor="")
    return runs.assign(system=[recipe_of(name) for name in runs["system"]])


def _allowed(spread: Any, now: Any, recipes: Sequence[str]) -> dict[tuple[str, str], float]:
    """(recipe, metric) -> how far the mean of the new trainings may lie from that of the accepted ones.

    The standard deviation of a metric is pooled over the recipes, since a few trainings of one say little.
    """
    from scipy.stats import t

    found: dict[tuple[str, str], float] = {}
    names = dict.fromkeys(now.index.get_level_values("system"))
    counts = Counter(map(recipe_of, names))
    groups = {key: part["value"] for key, part in spread.groupby(KEY) if key[0] in recipes}
    trained = {key: part for key, part in groups.items() if len(part) > 1 and group_of(key[0]) in COMPARED}
    for (recipe, metric), values in groups.items():
        found[recipe, metric] = tolerance(metric)
        pooled = [part for (_, name), part in trained.items() if name == metric]
        freedom = sum(len(part) - 1 for part in pooled)
        if (recipe, metric) in trained and recipe in counts:
            deviation = math.sqrt(sum(part.var() * (len(part) - 1) for part in pooled) / freedom)
            reach = float(t.ppf(1 - FALSE_ALARMS / (2 * len(trained)), freedom)) * deviation
            found[recipe, metric] = max(tolerance(metric), reach * math.sqrt(1 / len(values) + 1 / counts[recipe]))
    return found


def _recipe_changes(
    recipe: str, before: Any, after: Any, spread: Any, allowed: Mapping[tuple[str, str], float]
) -> list[Change]:
    """The changes of one recipe by question 2. before, after: cells by recipe."""
    found = []
    means = spread.groupby(KEY)["value"].mean()
    for metric in [metric for name, metric in before.index if name == recipe]:
        key = recipe, metric
        old = before.loc[key]
        value = float(means[key]) if key in means else float(old["value"])
        cell = Change(system=recipe, metric=metric, kind="missing", before=text(metric, value))
        if key not in after.index:
            found.append(cell)
            continue
        new = after.loc[key]
        if rule := _unlike(before, after, recipe, metric):
            found.append(replace(cell, kind="refused", before=f"{rule} {old[rule]}", now=f"{rule} {new[rule]}"))
            continue
        step = float(new["value"]) - value
        if kind := moved(metric, value, float(new["value"]), allowed[key]):
            now_text = text(metric, float(new["value"]))
            found.append(replace(cell, kind=kind, now=now_text, difference=step, allowed=allowed[key]))
        counts = [f"n {row['n']:.0f}, failed {row['n_failed']:.0f}" for row in (old, new)]
        if counts[0] != counts[1]:
            found.append(replace(cell, kind="n changed", before=counts[0], now=counts[1]))
    return found


def _unlike(before: Any, after: Any, recipe: str, metric: str) -> str:
    """The rule by which a recipe's cell was not measured as the baseline's; empty where it was."""
    key = recipe, metric
    if key not in before.index or key not in after.index:
        return ""
    return next((rule for rule in RULES if before.loc[key][rule] != after.loc[key][rule]), "")


def _explained(change: Change, known: Any, measured: Any) -> Change:
    """The change with the utterances behind it: the means over the trainings of each."""
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
        said = [f"{clip} {text(change.metric, steps[clip], '+')}" for clip in ranked if abs(steps[clip]) > least]
    return replace(change, clips=tuple(said[:CLIPS]) or ("none of them",))


def _scores(frame: Any, change: Change) -> dict[str, float]:
    """Clip -> score of the change's cell, the mean over trainings; none for a clip that failed in one of them."""
    if change.metric not in frame:
        return {}
    names = [name for name in dict.fromkeys(frame.index.get_level_values("system")) if recipe_of(name) == change.system]
    column = only_of(frame, names)[change.metric]
    return dict(column.unstack("system").mean(axis=1, skipna=False).dropna()) if len(column) else {}
