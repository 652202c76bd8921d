"""The page's numbers, as its template wants them: what to say first, the main table, charts, tables of parts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from statistics import fmean
from typing import Any

from v2sbench.nets import MODELS
from v2sbench.report import charts
from v2sbench.report.breakdown import SLOTS, slots, speakers
from v2sbench.results import Measured, Table, layout, wording
from v2sbench.results.table import Row
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import Variant, seed_of
from v2sbench.scoring.metrics import METRICS

RANKING = ("estoi", "stoi", "pesq_wb", "pesq_nb8")
"""The first of these that was measured says which system, and which clips, are best and worst."""
LOGGED = ("validation_l1", "l1", "power")
"""Columns of a training log that are drawn: the validation, and what each family trains on."""


def ranking(table: Table) -> str:
    """The metric of RANKING that was measured; empty for none."""
    systems = table.results.recipes.values()
    return next((name for name in RANKING if any(scores.has(name) for scores in systems)), "")


def first_trainings(table: Table) -> dict[str, Measured]:
    """Recipe -> the scores of its first training, which stands for it where one must be heard or seen."""
    return {name: recipe.trainings[0] for name, recipe in table.results.recipes.items()}


def badges(table: Table, embedded: bool) -> list[str]:
    """The size of what was trained, a badge a size. embedded: whether its faces are generated."""
    found: dict[str, None] = {}
    for recipe in table.results.recipes.values():
        about = recipe.meta.get("training") or {}
        if {"parameters", "steps"} <= about.keys():
            found[f"{about['parameters'] / 1e6:.1f} M parameters, {about['steps']:,} steps"] = None
    return [f"{size}{', generated faces' if embedded else ''}" for size in found]


def lead(table: Table) -> list[str]:
    """What a stranger should know after ten seconds, a sentence each."""
    variants = [row for row in table.measured if row.group in ("variant", "system")]
    sentences = [
        f"{len(variants)} systems turn silent video of a speaker into speech; each is scored against what was really "
        "said."
    ]
    metric = next((name for name in RANKING if any(name in row.cells for row in variants)), None)
    if metric is not None:
        best = max((row for row in variants if metric in row.cells), key=lambda row: row.cells[metric].value)
        sentences.append(f"Best by {wording.label(metric)}: {best.system}, {_said(best, metric)}.")
        marks = [
            f"{row.system} {wording.number(metric, row.cells[metric].value)}"
            for row in table.measured
            if row.group in ("ceiling", "floor") and metric in row.cells
        ]
        if marks:
            sentences.append(f"To read that number: {', '.join(marks)}.")
    decided = [pair for pair in table.pairs if pair.outcome is not None]
    if decided:
        sure = sum(pair.outcome != "inconclusive" for pair in decided)
        sentences.append(
            f"Of {len(decided)} comparisons that differ in one thing, {sure} are decided after correction for their "
            "number; these trainings and sentences cannot decide the others."
        )
    return sentences


def _said(row: Row, metric: str) -> str:
    cell = row.cells[metric]
    return f"{wording.number(metric, cell.value)} {wording.interval(metric, cell)}".strip()


def grid(table: Table) -> dict[str, Any]:
    """The main table as the template wants it: headings, and groups of rows whose cells carry what they sort by."""
    keys = layout.keys(table)
    groups = []
    for title, rows in layout.grouped(table):
        lines = []
        for row in rows:
            cells = []
            for key, text in zip(keys, layout.cells(table, row), strict=True):
                cell = row.cells.get(key)
                order = text.number if cell is None else cell.value
                cells.append({**asdict(text), "key": key, "order": order, "metric": key in table.metrics})
            lines.append({"cells": cells, "secondary": row.grade == "secondary"})
        groups.append({"title": title, "rows": lines})
    return {"header": list(zip(keys, layout.header(table), strict=True)), "groups": groups}


def forests(table: Table) -> list[dict[str, Any]]:
    """Forest plots: an axis of comparison, a chart a metric."""
    found = []
    for axis, title in wording.TITLES.items():
        plots = []
        for metric in table.metrics:
            rows = _intervals(table, axis, metric)
            if rows:
                chart = charts.forest(rows, f"{title} {wording.label(metric)}")
                plots.append({"metric": wording.label(metric), "better": _better(metric), "chart": chart})
        if plots:
            found.append({"title": title, "plots": plots})
    return found


def _intervals(table: Table, axis: str, metric: str) -> list[charts.Interval]:
    """The decided comparisons of one axis in one metric."""
    other = "identity" if axis == "init" else "init"
    found = []
    for pair in table.pairs:
        if pair.axis != axis or pair.metric != metric or not pair.comparison or not pair.outcome:
            continue
        left, right, comparison = pair.left, pair.right, pair.comparison
        label = f"{left.model} {getattr(left, other)}: {getattr(left, axis)} - {getattr(right, axis)}"
        label += "" if comparison.of_recipes else " (these weights)"
        found.append(
            charts.Interval(
                label=label,
                value=comparison.difference,
                low=comparison.low,
                high=comparison.high,
                outcome=pair.outcome,
                trainings=_by_seed(table, left.name, right.name, metric),
            )
        )
    return found


def _by_seed(table: Table, left: str, right: str, metric: str) -> dict[str, float]:
    """Seed -> difference of the trainings that have it; without two such seeds, each left one less the right mean."""
    sides = []
    for name in (left, right):
        recipe = table.results.recipes[name]
        columns = recipe.columns(metric, table.results.clips)
        values = {seed_of(item.system): column.value for item, column in zip(recipe.trainings, columns, strict=True)}
        sides.append({seed: value for seed, value in values.items() if value is not None})
    ours, theirs = sides
    if len(ours) < 2:
        return {}
    common = ours.keys() & theirs.keys()
    if len(common) > 1:
        return {f"seed {seed}": ours[seed] - theirs[seed] for seed in ours if seed in common}
    mean = sum(theirs.values()) / len(theirs)
    return {f"seed {seed}": value - mean for seed, value in ours.items()}


def _better(metric: str) -> str:
    return "right is better" if wording.higher_is_better(metric) else "left is better"


def densities(table: Table) -> list[dict[str, Any]]:
    """A chart a metric, of all utterances."""
    recipes, clips = table.results.recipes, table.results.clips
    found = []
    for metric in table.metrics:
        if metric not in METRICS:
            continue
        rows = {
            row.system: [
                value
                for training in recipes[row.system].trainings
                for value in training.utterances(metric, clips).values()
            ]
            for row in table.measured
            if recipes[row.system].has(metric)
        }
        chart = charts.densities(rows, f"{wording.label(metric)} of every utterance, a row a system")
        if chart:
            found.append({"metric": wording.label(metric), "chart": chart})
    return found


def _but_floors(table: Table) -> dict[str, Measured]:
    """Every training of the systems that are no floor."""
    names = [row.system for row in table.measured if row.group != "floor"]
    return {item.system: item for name in names for item in table.results.recipes[name].trainings}


def _means(table: Table, lines: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Recipe -> key -> mean over its trainings, of lines by training."""
    found: dict[str, dict[str, float]] = {}
    for name, recipe in table.results.recipes.items():
        there = [lines[item.system] for item in recipe.trainings if item.system in lines]
        keys = dict.fromkeys(key for line in there for key in line)
        if there:
            found[name] = {key: fmean(line[key] for line in there if key in line) for key in keys}
    return found


def speaker_tables(table: Table) -> list[dict[str, Any]]:
    """A table a metric: systems by speakers."""
    found = []
    for metric in ("estoi", "wer"):
        if metric not in table.metrics:
            continue
        values = _means(table, speakers(_but_floors(table), metric, table.results.clips))
        names = list(dict.fromkeys(who for line in values.values() for who in line))
        if names:
            rows = [(name, [_heat(metric, line.get(who)) for who in names]) for name, line in values.items()]
            found.append({"metric": wording.label(metric), "speakers": names, "rows": rows})
    return found


def slot_table(table: Table) -> list[tuple[str, list[Any]]]:
    """System -> errors in each word slot."""
    found = {
        name: dict(zip(SLOTS, line, strict=True))
        for name, line in slots(_but_floors(table), table.results.clips).items()
    }
    return [(name, [_heat("wer", value) for value in line.values()]) for name, line in _means(table, found).items()]


def _heat(metric: str, value: float | None) -> dict[str, Any]:
    """A cell's text, and how good it is from 0 to 1 for its shade."""
    if value is None:
        return {"text": "", "good": None}
    good = 1 - value / 100 if METRICS[metric].unit == "%" else value
    return {"text": wording.number(metric, value), "good": round(min(max(good, 0.0), 1.0), 2)}


def logs(table: Table) -> dict[tuple[str, str], dict[str, list[tuple[float, float]]]]:
    """(model, column of LOGGED) -> training -> (step, value) of the training logs that lie beside the weights."""
    found: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for name in table.results.systems:
        variant = Variant.of(name)
        path = MODELS / "weights" / table.split / f"{name}.tsv"
        if not variant or not path.is_file():
            continue
        try:
            for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"):
                for column in LOGGED:
                    if line.get(column):
                        points = found.setdefault((variant.model, column), {}).setdefault(name, [])
                        points.append((float(line["step"]), float(line[column])))
        except (csv.Error, KeyError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise UseError(f"{path} is no training log ({said}); train again, or remove it") from None
    return found


def training(table: Table) -> list[dict[str, Any]]:
    """A chart a model and column of the training logs, a line a training."""
    charted = []
    for (model, column), lines in sorted(logs(table).items(), key=lambda item: (item[0][0], LOGGED.index(item[0][1]))):
        title = f"{column}, {model}"
        names = [label for label, points in lines.items() if len(points) > 1]
        if names:
            charted.append({"title": title, "names": names, "chart": charts.curves(lines, f"{title} over steps")})
    return charted
