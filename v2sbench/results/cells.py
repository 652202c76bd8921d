"""Measured cells and utterances as data frames: what the gate and an acceptance compare.

Cells are by (system, metric), each training for itself; `by_recipe` takes the trainings of a recipe together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from v2sbench.results.gate_files import DIGESTS, FIELDS, KEY, RULES
from v2sbench.results.measured import order
from v2sbench.results.table import Results
from v2sbench.results.wording import digits, heard
from v2sbench.runtime.systems import recipe_of
from v2sbench.scoring import METRICS

TOLERANCES: Mapping[str, float] = MappingProxyType({"MOS-LQO": 0.02, "raw MOS": 0.02, "%": 0.5, "dB": 0.02})
"""Unit -> how far a mean may move, either way, where the spread between trainings is unknown or smaller."""
DEFAULT_TOLERANCE = 0.005
"""Tolerance of a metric of any other unit, such as STOI."""
TIGHT: Mapping[str, float] = MappingProxyType({"MOS-LQO": 1e-3, "raw MOS": 1e-3, "dB": 1e-3})
"""Unit -> how far the score of an utterance may move on the same audio: the rounding of another processor."""
DEFAULT_TIGHT = 1e-4


def tolerance(metric: str) -> float:
    """How far the metric's mean may move, in its unit, where no spread says it."""
    return TOLERANCES.get(METRICS[metric].unit, DEFAULT_TOLERANCE)


def tight(metric: str) -> float:
    """How far the score of an utterance may move on the same audio, in the metric's unit."""
    return TIGHT.get(METRICS[metric].unit, DEFAULT_TIGHT)


def moved(metric: str, before: float, now: float, allowed: float | None = None) -> str:
    """`better`, `worse`, or empty where the mean moved by no more than it may (by default the tolerance)."""
    if abs(now - before) <= (tolerance(metric) if allowed is None else allowed):
        return ""
    return "better" if (now > before) == METRICS[metric].higher_is_better else "worse"


def text(metric: str, value: float, sign: str = "") -> str:
    """A number with a digit more than tables have, so that a change beyond the tolerance is always seen."""
    return f"{value:{sign}.{digits(metric) + 1}f}"


def measured_cells(results: Results, names: Sequence[str]) -> Any:
    """The measured cells of systems, each training for itself, as `Baseline.cells` has them."""
    import pandas as pd

    lines = []
    for name in sorted(names, key=order):
        item, versions = results.systems[name], results.systems[name].meta.get("metrics", {})
        for metric in filter(item.has, METRICS):
            column = item.column(metric, results.clips)
            if column.value is not None:
                number = float(f"{column.value:.12g}")  # as the file has it
                rules = (item.meta.get("protocol") or "", (item.meta.get("asr") or "") if heard(metric) else "")
                lines.append((name, metric, number, column.n, column.n_failed, *rules, str(versions.get(metric, ""))))
    return pd.DataFrame(lines, columns=[*KEY, *FIELDS, *RULES]).set_index(KEY)


def by_recipe(cells: Any) -> Any:
    """Cells by (recipe, metric): the mean, the smallest n, the most failures; rules of the first training."""
    recipes = cells.reset_index().assign(system=[recipe_of(name) for name in cells.index.get_level_values("system")])
    how = {"value": "mean", "n": "min", "n_failed": "max", **dict.fromkeys(RULES, "first")}
    return recipes.groupby(KEY, sort=False).agg(how)


def utterances(results: Results, systems: Sequence[str]) -> Any:
    """Data frame by (system, clip) of each utterance's own scores, NaN where it has none, and the audio's digests."""
    import pandas as pd

    frames = {}
    for name in systems:
        item = results.systems[name]
        frame = item.rates(results.clips).dropna(how="all")
        frames[name] = frame.assign(
            **{key: [str(item.lines[clip].get(key) or "") for clip in frame.index] for key in DIGESTS}
        )
    return pd.concat(frames, names=["system", "clip"])


def only_of(frame: Any, systems: Sequence[str]) -> Any:
    """The rows of these systems."""
    return frame[frame.index.isin(systems, level="system")]


def sorted_cells(cells: Any) -> Any:
    """Cells in the order of the table."""
    metrics = list(METRICS)
    return cells.loc[sorted(cells.index, key=lambda key: (order(key[0]), metrics.index(key[1])))]
