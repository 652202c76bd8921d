"""The scores of all points -> rows, paired comparisons, Markdown and csv; results/sweeps/NAME.{md,csv,png}.

Every point is compared with the reference point, system by system, and with the systems that no point changes (`once`),
over the utterances that both have; the p-values are corrected by Holm over the whole sweep.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from v2sbench.results import bootstrap as stats
from v2sbench.results import paired
from v2sbench.results import rows as rows_module
from v2sbench.results.measured import MEASURED, Measured, asked, read_measured
from v2sbench.results.paired import Paired
from v2sbench.results.rows import Row
from v2sbench.results.sheet import precise
from v2sbench.results.tables import pipes
from v2sbench.results.wording import higher_is_better, interval, label, number, paired_cells
from v2sbench.runtime import UseError, atomic
from v2sbench.tools.sweep.plan import TRUTH, Sweep
from v2sbench.tools.sweep.plot import draw
from v2sbench.tools.sweep.points import BUILD

OUT = Path("results/sweeps")
CSV_FIELDS = (
    "sweep", "split", "point", "swept", "system", "metric", "against_point", "against_system", "value", "low", "high",
    "p_holm", "outcome", "n", "n_failed", "protocol", "asr", "metric_version",
)  # fmt: skip
Key = tuple[str, str]
"""(label of the point, system)."""
Contrast = Paired[Key]
"""One system at one point; the right side is the reference point's, or a system that no point changes."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that a sweep says."""

    sweep: Sweep
    """Which one."""
    rows: Mapping[Key, Row]
    """One row a point and system, in the order of the points; last what is measured once, at the reference point."""
    contrasts: tuple[Contrast, ...]
    """All comparisons, metric by metric."""

    @property
    def truth(self) -> Row:
        """The ground truth."""
        return self.rows[self.sweep.reference, TRUTH]


def collect(sweep: Sweep, root: Path = Path()) -> Report:
    """The scores in the points' folders, aggregated and compared; UseError names a point without its scores."""
    scored = {point.label: _scores(sweep, point.label, root) for point in sweep.points}
    found: dict[Key, Row] = {}
    for point in sweep.points:
        made = rows_module.rows(sweep.split, systems=scored[point.label], reported=())
        by_name = {row.system: row for row in made}
        found |= {(point.label, system): by_name[system] for system in sweep.systems}
        if point.label == sweep.reference:
            constant = {(point.label, system): by_name[system] for system in (*sweep.once, TRUTH)}
    found |= constant  # after all points; a sweep has its reference point, or it could not be read
    return Report(sweep=sweep, rows=found, contrasts=tuple(_compare(sweep, scored)))


def _scores(sweep: Sweep, point: str, root: Path) -> dict[str, Measured]:
    setting = next(item for item in sweep.points if item.label == point)
    folder = root / BUILD / sweep.name / setting.folder / MEASURED / sweep.split
    found = {}
    for system in dict.fromkeys((*sweep.systems_of(setting), TRUTH)):
        if not (folder / f"{system}.jsonl").is_file():
            raise UseError(
                f"sweep {sweep.name}: point {point!r} has no scores of {system}; run: v2sbench sweep {sweep.name}"
            )
        found[system] = read_measured(folder / f"{system}.jsonl")
    return found


# ---------------------------------------------------------------- comparing


def _compare(sweep: Sweep, scored: Mapping[str, Mapping[str, Measured]]) -> list[Contrast]:
    clips = asked(scored[sweep.reference])
    pairs: list[tuple[Key, Key]] = []
    for system in sweep.systems:
        for point in sweep.points:
            against = [(sweep.reference, system)] if point.label != sweep.reference else []
            against += [(sweep.reference, other) for other in sweep.once]
            pairs += [((point.label, system), right) for right in against]
    return paired.decide(
        paired.compare(sweep.split, metric, (a, scored[a[0]][a[1]]), (b, scored[b[0]][b[1]]), clips)
        for metric in sweep.metrics
        for a, b in pairs
    )


# ---------------------------------------------------------------- for people


def header(report: Report) -> list[str]:
    """Headings of the table."""
    metrics = [f"{label(metric)} {'↑' if higher_is_better(metric) else '↓'}" for metric in report.sweep.metrics]
    return [report.sweep.axis.label, "system", *metrics, "n", "failed"]


def lines(report: Report) -> list[list[str]]:
    """The table's rows as text; a system that no point changes has an empty first cell."""
    found = []
    for (point, system), row in report.rows.items():
        cells = [row.cells.get(metric) for metric in report.sweep.metrics]
        shown = [
            f"{number(metric, cell.value)} {interval(metric, cell)}".strip() if cell else ""
            for metric, cell in zip(report.sweep.metrics, cells, strict=True)
        ]
        swept = system in report.sweep.systems
        found.append([point if swept else "", system, *shown, str(row.n), str(row.n_failed)])
    return found


CONTRAST_HEADER = ["metric", "point", "against", "difference", "p (Holm)", "n", "it is"]


def contrast_lines(report: Report) -> list[list[str]]:
    """Comparisons: metric, the two sides, difference with interval, corrected p, n, what it says of the first."""
    found = []
    several = len(report.sweep.systems) > 1
    for item in report.contrasts:
        (point, system), (other, against) = item.left, item.right
        names = [
            label(item.metric),
            f"{point}, {system}" if several else point,
            against if against in report.sweep.once else other,
        ]
        found.append([*names, *paired_cells(item)])
    return found


def notes(report: Report) -> list[str]:
    """What stands under the tables, one sentence or two each."""
    truth, once = report.truth, report.sweep.once
    found = [
        f"Split {report.sweep.split}, protocol {truth.protocol or 'unknown'}, recogniser {truth.asr or 'none'}, "
        f"reference point: {report.sweep.reference}. One training a point: an interval says how far the choice of "
        "sentences moves a number, not how far another seed would.",
        f"Brackets: 95 % interval over utterances ({stats.RESAMPLES:,} resamples, fixed seed). Comparisons: paired "
        "bootstrap over the utterances that both have, p-values corrected by Holm over this page.",
    ]
    found.append(f"Rows without a point were measured once, at the reference point: {', '.join((*once, TRUTH))}.")
    return found


def settings(params: Mapping[str, Any], above: str = "") -> list[str]:
    """Dotted `key = value` of everything that a point sets."""
    found = []
    for key, value in params.items():
        dotted = f"{above}.{key}" if above else str(key)
        found += settings(value, dotted) if isinstance(value, Mapping) else [f"{dotted} = {_plain(value)}"]
    return found


def _plain(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


def markdown(report: Report) -> str:
    """The page, GitHub Markdown, with the plot beside it."""
    sweep = report.sweep
    points = [
        f"- {point.label}: " + (", ".join(f"`{line}`" for line in settings(point.params)) or "the profile as it is")
        for point in sweep.points
    ]
    parts = [
        f"<!-- Generated by `v2sbench sweep {sweep.name}`; do not edit. -->",
        f"# {sweep.title}",
        sweep.question,
        f"Over profile `{sweep.profiles[sweep.reference]['profile']}`:",
        "\n".join(points),
        pipes(header(report), lines(report)),
        f"![{sweep.title}]({sweep.name}.png)",
        "## Differences",
        pipes(CONTRAST_HEADER, contrast_lines(report)),
        "\n".join(f"- {note}" for note in notes(report)),
    ]
    return "\n\n".join(parts) + "\n"


def console(report: Report) -> str:
    """The tables for a terminal."""
    parts = [
        f"{report.sweep.title}: {report.sweep.question}",
        tabulate(lines(report), header(report), disable_numparse=True),
        tabulate(contrast_lines(report), CONTRAST_HEADER, disable_numparse=True),
        "\n".join(notes(report)),
    ]
    return "\n\n".join(parts)


# ---------------------------------------------------------------- files


def csv_text(report: Report) -> str:
    """Tidy form: a line a value, and, with the `against` fields filled, a line a difference."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, CSV_FIELDS, lineterminator="\n", restval="")
    writer.writeheader()
    swept = {point.label: precise(point.value) for point in report.sweep.points}
    for (point, system), row in report.rows.items():
        for metric in report.sweep.metrics:
            cell = row.cells.get(metric)
            if cell is None:
                continue
            own = {"point": point, "swept": swept[point]} if system in report.sweep.systems else {}
            writer.writerow(
                {
                    "sweep": report.sweep.name, "split": report.sweep.split, **own, "system": system,
                    "metric": metric, "value": precise(cell.value), "low": precise(cell.low),
                    "high": precise(cell.high), "n": cell.n, "n_failed": cell.n_failed, "protocol": row.protocol,
                    "asr": row.asr if metric == "wer" else "", "metric_version": row.versions.get(metric, ""),
                }
            )  # fmt: skip
    for item in report.contrasts:
        if item.comparison is None:
            continue
        once = item.right[1] in report.sweep.once
        writer.writerow(
            {
                "sweep": report.sweep.name, "split": report.sweep.split, "point": item.left[0],
                "swept": swept[item.left[0]], "system": item.left[1], "metric": item.metric,
                "against_point": "" if once else item.right[0], "against_system": item.right[1],
                "value": precise(item.comparison.difference), "low": precise(item.comparison.low),
                "high": precise(item.comparison.high), "p_holm": precise(item.p_adjusted), "outcome": item.outcome,
                "n": item.comparison.n, "n_failed": item.comparison.n_left_out,
            }
        )  # fmt: skip
    return stream.getvalue()


def write(report: Report, out: Path = OUT) -> Path:
    """Write `<out>/NAME.{md,csv,png}`; the path of the page."""
    page = out / f"{report.sweep.name}.md"
    for path, text in ((page, markdown(report)), (page.with_suffix(".csv"), csv_text(report))):
        with atomic(path) as draft:
            draft.write_bytes(text.encode())
    draw(report.sweep, report.rows, page.with_suffix(".png"))
    return page
