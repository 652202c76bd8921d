"""A sweep's plot: one panel a metric, the swept value below, a line a system, a level for what no point changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from v2sbench.results.rows import Cell, Row
from v2sbench.results.wording import higher_is_better, label
from v2sbench.runtime import atomic
from v2sbench.tools.sweep.plan import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def places(sweep: Sweep) -> dict[str, float]:
    """Label of each point -> where it stands on the axis."""
    if sweep.axis.scale == "category":
        return {point.label: float(index) for index, point in enumerate(sweep.points)}
    return {point.label: point.value for point in sweep.points if point.value is not None}


def draw(sweep: Sweep, rows: Mapping[tuple[str, str], Row], out: Path) -> Path:
    """Write the PNG; bars and bands are 95 % intervals. The same rows give the same bytes.

    rows: (label of the point, system) -> row, as `Report.rows`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(sweep.metrics)
    figure = Figure(figsize=(3.4 * count, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for metric, axes in zip(sweep.metrics, figure.subplots(1, count, squeeze=False)[0], strict=True):
        _panel(sweep, rows, metric, axes)
    figure.suptitle(sweep.title, fontsize=10)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False)
    with atomic(out) as draft:
        figure.savefig(draft, format="png", dpi=110, metadata={"Software": None})
    return out


def _panel(sweep: Sweep, rows: Mapping[tuple[str, str], Row], metric: str, axes: Axes) -> None:
    at = places(sweep)
    for index, system in enumerate(sweep.systems):
        found = [
            (at[point.label], cell)
            for point in sweep.points
            if (cell := rows[point.label, system].cells.get(metric)) is not None
        ]
        axes.errorbar(
            [x for x, _ in found], [cell.value for _, cell in found], yerr=_bars([cell for _, cell in found]),
            fmt="o" if sweep.axis.scale == "category" else "o-", color=f"C{index}", capsize=3, label=system,
        )  # fmt: skip
    for index, system in enumerate(sweep.once, start=len(sweep.systems)):
        level = rows[sweep.reference, system].cells.get(metric)
        if level is not None:
            axes.axhline(level.value, color=f"C{index}", linestyle="--", label=system)
            if level.low is not None and level.high is not None:
                axes.axhspan(level.low, level.high, color=f"C{index}", alpha=0.12, linewidth=0)
    if sweep.axis.scale == "log":
        axes.set_xscale("log")
    axes.set_xticks(list(at.values()), list(at), fontsize=8)
    axes.set_xticks([], minor=True)
    if sweep.axis.scale == "category":
        axes.set_xlim(-0.5, len(at) - 0.5)
    axes.set_xlabel(sweep.axis.label, fontsize=8)
    axes.set_title(f"{label(metric)} ({'higher' if higher_is_better(metric) else 'lower'} is better)", fontsize=9)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", alpha=0.3)


def _bars(cells: list[Cell]) -> list[list[float]]:
    """(2, points) lengths of the bars below and above; zero where there is no interval."""
    below = [max(0.0, cell.value - cell.low) if cell.low is not None else 0.0 for cell in cells]
    above = [max(0.0, cell.high - cell.value) if cell.high is not None else 0.0 for cell in cells]
    return [below, above]
