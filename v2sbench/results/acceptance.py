"""An acceptance: measured numbers become the baseline of a split, and its file says what they change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from v2sbench.results.cells import measured_cells, moved, only_of, sorted_cells, text, utterances
from v2sbench.results.gate_files import (
    BASELINE,
    RULES,
    Baseline,
    author,
    read_baseline,
    read_utterances,
    write_baseline,
    write_utterances,
)
from v2sbench.results.measured import group_of, order
from v2sbench.results.table import Results
from v2sbench.results.wording import heard
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import recipe_of

NOTHING = "nothing changed"
NAMED = 4
"""Cells of a kind that a baseline's head names; the others it counts."""


def accept(
    source: str | Results, why: str, *, who: str | None = None, systems: Sequence[str] = (), baseline: Path = BASELINE
) -> Baseline:
    """Make measured numbers the baseline of a split; returns what was written.

    source: the split, or its scores if they are at hand. systems: only these, a user's own among them, each with all
    its trainings; what the baseline has of others stays. Without any: variants, references, and the users' systems that
    are in the baseline already. A file with the same numbers is not written anew. why: one line that stands in the
    file. who: defaults to the git author. UseError when nothing was measured, the reason is no line, or rows were not
    scored alike.
    """
    import pandas as pd

    if not why.strip() or "\n" in why:
        raise UseError(f"the reason must be one line, not {why!r}; give --why REASON")
    results = Results(split=source) if isinstance(source, str) else source
    split = results.split
    before = read_baseline(split, baseline) if (baseline / f"{split}.csv").is_file() else None
    names = _chosen(results, systems, before.recipes if before else [])
    cells, fresh = measured_cells(results, names), utterances(results, names)
    if systems and before:
        kept = [name for name in before.systems if name not in names]
        cells = sorted_cells(pd.concat([only_of(before.cells, kept), cells]))
    _check_alike(cells, split)
    changed = _summed_up(before, cells)
    new = Baseline(split=split, who=who or author(), why=why.strip(), changed=changed, cells=cells)
    if changed != NOTHING:
        write_baseline(new, baseline)
    known = read_utterances(split, baseline)
    if known is not None:
        fresh = pd.concat([only_of(known, [name for name in new.systems if name not in names]), fresh])
    write_utterances(split, fresh.loc[sorted(fresh.index, key=lambda key: (order(key[0]), key[1]))], baseline)
    return new


def _summed_up(before: Baseline | None, cells: Any) -> str:
    """The changes that an accepted table makes, in one line."""
    if before is None:
        return f"first baseline, {len(cells)} cells of {cells.index.get_level_values('system').nunique()} systems"
    found: dict[str, list[str]] = {}
    rules: dict[str, None] = {}
    both = sorted_cells(before.cells.join(cells.add_suffix("_now"), how="outer"))
    for (system, metric), row in both.iterrows():
        name, then, now = f"{system} {metric}", row["value"], row["value_now"]
        if math.isnan(then) or math.isnan(now):
            found.setdefault("added" if math.isnan(then) else "removed", []).append(name)
            continue
        if then != now:
            way = moved(metric, then, now)
            said = f"{name} {text(metric, then)} -> {text(metric, now)} ({way})" if way else name
            found.setdefault("moved" if way else "within tolerance", []).append(said)
        counts = [f"n {row[f'n{end}']:.0f}, failed {row[f'n_failed{end}']:.0f}" for end in ("", "_now")]
        if counts[0] != counts[1]:
            found.setdefault("recounted", []).append(f"{name} {counts[0]} -> {counts[1]}")
        for rule in RULES:
            if row[rule] != row[f"{rule}_now"]:
                what = f"version of {metric}" if rule == "version" else rule
                rules[f"{what} {row[rule]} -> {row[f'{rule}_now']}"] = None
    kinds = [kind for kind in ("added", "removed", "moved", "recounted", "within tolerance") if kind in found]
    parts = [f"{len(found[kind])} {kind} ({', '.join(found[kind][:NAMED])}" for kind in kinds]
    parts = [said + (", ...)" if len(found[kind]) > NAMED else ")") for said, kind in zip(parts, kinds, strict=True)]
    return "; ".join([*parts, *rules]) or NOTHING


def _chosen(results: Results, systems: Sequence[str], known: Sequence[str]) -> list[str]:
    """The trainings to accept; UseError when there is none, or none of a name."""
    here = list(results.systems)
    for name in systems:
        if not any(name in (item, recipe_of(item)) for item in here):
            raise UseError(f"{name!r} was not scored on {results.split} (scored: {', '.join(here)})")
    if systems:
        return [item for item in here if {item, recipe_of(item)} & set(systems)]
    names = [item for item in here if group_of(item) != "system" or recipe_of(item) in known]
    if not names:
        raise UseError(
            f"no variant or reference system was measured on {results.split}; run `dvc repro`, or name your own: "
            f"--systems {','.join(dict.fromkeys(map(recipe_of, here)))}"
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
