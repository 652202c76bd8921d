"""The scores of a sweep's points -> rows, comparisons, page, csv and plot: results/sweeps/NAME.{md,csv,png}.

Every point is compared with the reference point, system by system, and with the systems that no point changes (`once`),
over the utterances that both have; the p-values are corrected by Holm over the whole sweep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from v2sbench.results.claims import Paired, compare, decide
from v2sbench.results.layout import pipes
from v2sbench.results.measured import MEASURED, Recipe, asked, order, read_measured, recipes
from v2sbench.results.table import Row, measured_rows
from v2sbench.results.tidy import precise
from v2sbench.results.wording import INTERVALS, higher_is_better, interval, label, number, paired_cells
from v2sbench.runtime import UseError, atomic, write_csv
from v2sbench.runtime.systems import GROUND_TRUTH, recipe_of
from v2sbench.tools.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OUT = Path("results/sweeps")
CSV_FIELDS = (
    "sweep", "split", "point", "swept", "system", "metric", "against_point", "against_system", "value", "low", "high",
    "p_holm", "outcome", "n", "n_failed", "protocol", "asr", "metric_version",
)  # fmt: skip
CONTRAST_HEADER = ("metric", "point", "against", "difference", "p (Holm)", "trainings", "n", "it is")
Key = tuple[str, str]  # (label of the point, system)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that a sweep says."""

    sweep: Sweep
    rows: Mapping[Key, Row]  # in the order of the points; last what is measured once, at the reference point
    contrasts: Sequence[Paired[Key]]  # all comparisons, metric by metric; the right side is at the reference point

    def point_of(self, key: Key) -> str:
        """The point of a row; empty for a system that no point changes."""
        return key[0] if key[1] in self.sweep.systems else ""


def collect(sweep: Sweep, root: Path = Path()) -> Report:
    """The scores in the points' folders, aggregated and compared; UseError names a point without its scores."""
    scored = {point: _scores(sweep, point, root) for point in sweep.points}
    rows = {(point, row.system): row for point in sweep.points for row in measured_rows(sweep.split, scored[point])}
    keys = [(point, system) for point in sweep.points for system in sweep.systems]
    keys += [(sweep.reference, system) for system in (*sweep.once, GROUND_TRUTH)]
    clips = asked({item.system: item for recipe in scored[sweep.reference].values() for item in recipe.trainings})
    family = [
        compare(sweep.split, metric, (left, scored[left[0]][left[1]]), (right, scored[right[0]][right[1]]), clips)
        for metric in sweep.metrics
        for left, right in _pairs(sweep)
    ]
    return Report(sweep=sweep, rows={key: rows[key] for key in keys}, contrasts=decide(family))


def _scores(sweep: Sweep, point: str, root: Path) -> dict[str, Recipe]:
    folder = sweep.place(point, root) / MEASURED / sweep.split
    files = sorted(folder.glob("*.jsonl"), key=lambda path: order(path.stem))
    wanted = dict.fromkeys(sweep.systems_of(point))
    found = recipes({path.stem: read_measured(path) for path in files if recipe_of(path.stem) in wanted})
    for system in wanted:
        if system not in found:
            raise UseError(
                f"sweep {sweep.name}: point {point!r} has no scores of {system}; run: v2sbench sweep {sweep.name}"
            )
    return found


def _pairs(sweep: Sweep) -> Iterator[tuple[Key, Key]]:
    for system in sweep.systems:
        for point in sweep.points:
            if point != sweep.reference:
                yield (point, system), (sweep.reference, system)
            for other in sweep.once:
                yield (point, system), (sweep.reference, other)


# ---------------------------------------------------------------- for people


def _rows(report: Report) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table."""
    metrics = report.sweep.metrics
    head = [f"{label(metric)} {'↑' if higher_is_better(metric) else '↓'}" for metric in metrics]
    lines = []
    for key, row in report.rows.items():
        cells = [(metric, row.cells.get(metric)) for metric in metrics]
        shown = [
            f"{number(metric, cell.value)} {interval(metric, cell)}".strip() if cell else "" for metric, cell in cells
        ]
        lines.append([report.point_of(key), key[1], *shown, str(row.n), str(row.n_failed)])
    return [report.sweep.axis.label, "system", *head, "n", "failed"], lines


def _contrasts(report: Report) -> list[list[str]]:
    """Comparisons: metric, the two sides, difference with interval, corrected p, trainings, n, outcome of the first."""
    found = []
    for item in report.contrasts:
        point, system = item.left
        left = f"{point}, {system}" if len(report.sweep.systems) > 1 else point
        right = report.point_of(item.right) or item.right[1]
        found.append([label(item.metric), left, right, *paired_cells(item)])
    return found


def _notes(report: Report) -> list[str]:
    sweep = report.sweep
    truth = report.rows[sweep.reference, GROUND_TRUTH]
    return [
        f"Split {sweep.split}, protocol {truth.protocol or 'unknown'}, recogniser {truth.asr or 'none'}, reference "
        f"point: {sweep.reference}. {INTERVALS}",
        "Comparisons: over the utterances that both have, p-values corrected by Holm over this page.",
        f"Rows without a point were measured once, at the reference point: {', '.join((*sweep.once, GROUND_TRUTH))}.",
    ]


def _settings(params: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Dotted `key = value` of everything that a point sets."""
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{above}{key}.")
        else:
            shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else value
            yield f"`{above}{key} = {shown}`"


def markdown(report: Report) -> str:
    """The page, GitHub Markdown, with the plot beside it."""
    sweep = report.sweep
    points = [
        f"- {name}: {', '.join(_settings(point.params)) or 'the profile as it is'}"
        for name, point in sweep.points.items()
    ]
    parts = [
        f"<!-- Generated by `v2sbench sweep {sweep.name}`; do not edit. -->",
        f"# {sweep.title}",
        sweep.question,
        f"Over profile `{sweep.profiles[sweep.reference]['profile']}`:",
        "\n".join(points),
        pipes(*_rows(report)),
        f"![{sweep.title}]({sweep.name}.png)",
        "## Differences",
        pipes(CONTRAST_HEADER, _contrasts(report)),
        "\n".join(f"- {note}" for note in _notes(report)),
    ]
    return "\n\n".join(parts) + "\n"


def console(report: Report) -> str:
    """The tables for a terminal."""
    head, lines = _rows(report)
    parts = [
        f"{report.sweep.title}: {report.sweep.question}",
        tabulate(lines, head, disable_numparse=True),
        tabulate(_contrasts(report), CONTRAST_HEADER, disable_numparse=True),
        "\n".join(_notes(report)),
    ]
    return "\n\n".join(parts)


# ---------------------------------------------------------------- files


def write(report: Report, out: Path = OUT) -> Path:
    """Write `<out>/NAME.{md,csv,png}`; returns the path of the page."""
    page = out / f"{report.sweep.name}.md"
    with atomic(page) as draft:
        draft.write_bytes(markdown(report).encode())
    lines = [*_values(report), *_differences(report)]
    write_csv(page.with_suffix(".csv"), [CSV_FIELDS, *([line.get(name, "") for name in CSV_FIELDS] for line in lines)])
    draw(report, page.with_suffix(".png"))
    return page


def _values(report: Report) -> Iterator[dict[str, Any]]:
    """A line of the csv for each value."""
    for key, row in report.rows.items():
        for metric in report.sweep.metrics:
            cell = row.cells.get(metric)
            if cell is not None:
                yield _line(report, key, metric) | {
                    "value": precise(cell.value), "low": precise(cell.low), "high": precise(cell.high), "n": cell.n,
                    "n_failed": cell.n_failed, "protocol": row.protocol, "asr": row.asr if metric == "wer" else "",
                    "metric_version": row.versions.get(metric, ""),
                }  # fmt: skip


def _differences(report: Report) -> Iterator[dict[str, Any]]:
    """A line of the csv for each comparison that could be made, with the `against` fields."""
    for item in report.contrasts:
        found = item.comparison
        if found is not None:
            yield _line(report, item.left, item.metric) | {
                "against_point": report.point_of(item.right), "against_system": item.right[1],
                "value": precise(found.difference), "low": precise(found.low), "high": precise(found.high),
                "p_holm": precise(item.p_adjusted), "outcome": item.outcome, "n": found.n, "n_failed": found.n_left_out,
            }  # fmt: skip


def _line(report: Report, key: Key, metric: str) -> dict[str, Any]:
    sweep, point = report.sweep, report.point_of(key)
    swept = precise(sweep.points[point].value) if point else ""
    return {
        "sweep": sweep.name,
        "split": sweep.split,
        "point": point,
        "swept": swept,
        "system": key[1],
        "metric": metric,
    }


# ---------------------------------------------------------------- plot


def draw(report: Report, out: Path) -> Path:
    """Write the PNG: a panel a metric, the swept value below, a line a system, a level for what no point changes.

    Bars and bands are 95 % intervals. The same rows give the same bytes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(report.sweep.metrics)
    figure = Figure(figsize=(3.4 * count, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for metric, axes in zip(report.sweep.metrics, figure.subplots(1, count, squeeze=False)[0], strict=True):
        _panel(report, metric, axes)
    figure.suptitle(report.sweep.title, fontsize=10)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False)
    with atomic(out) as draft:
        figure.savefig(draft, format="png", dpi=110, metadata={"Software": None})
    return out


def places(sweep: Sweep) -> dict[str, float]:
    """Label of each point -> where it stands on the axis."""
    category = sweep.axis.scale == "category"
    return {
        name: float(index) if category or point.value is None else point.value
        for index, (name, point) in enumerate(sweep.points.items())
    }


def _panel(report: Report, metric: str, axes: Axes) -> None:
    sweep = report.sweep
    at = places(sweep)
    category = sweep.axis.scale == "category"
    for system in sweep.systems:
        cells = {point: report.rows[point, system].cells.get(metric) for point in sweep.points}
        found = [(at[point], cell) for point, cell in cells.items() if cell is not None]
        below = [cell.value - cell.low if cell.low is not None else 0.0 for _, cell in found]
        above = [cell.high - cell.value if cell.high is not None else 0.0 for _, cell in found]
        axes.errorbar(
            [x for x, _ in found], [cell.value for _, cell in found], capsize=3, label=system,
            yerr=[[max(0.0, length) for length in lengths] for lengths in (below, above)],
            fmt="o" if category else "o-",
        )  # fmt: skip
    for index, system in enumerate(sweep.once, start=len(sweep.systems)):
        level = report.rows[sweep.reference, system].cells.get(metric)
        if level is not None:
            axes.axhline(level.value, color=f"C{index}", linestyle="--", label=system)
            if level.low is not None and level.high is not None:
                axes.axhspan(level.low, level.high, color=f"C{index}", alpha=0.12, linewidth=0)
    if sweep.axis.scale == "log":
        axes.set_xscale("log")
    axes.set_xticks(list(at.values()), list(at), fontsize=8)
    axes.set_xticks([], minor=True)
    if category:
        axes.set_xlim(-0.5, len(at) - 0.5)
    axes.set_xlabel(sweep.axis.label, fontsize=8)
    axes.set_title(f"{label(metric)} ({'higher' if higher_is_better(metric) else 'lower'} is better)", fontsize=9)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", alpha=0.3)
