"""Charts of the report as SVG that takes its colours from the page: nothing to load, the same bytes each time.

    densities: how the utterances of each system are spread       one row a system: histogram, quartiles, median
    forest:    differences with their intervals                   one row a comparison, against zero
    curves:    a measure over training steps                      one line a variant

Rows and lines have a <title>, which browsers show under the pointer. matplotlib draws with stand-ins for the page's
colours, and `_Chart.svg` puts the CSS variables in their places, so that a chart follows the reader's light or dark.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from v2sbench.runtime import short_digest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, LABEL, ROW, AXIS = 720, 230, 26, 34  # units: of a chart, of the names at its left, of a row, of the axis below
BINS = 48  # bars of a histogram
SERIES = 8  # colours of lines, after which they begin again
VARIABLES = ("ink", "soft", "rule", "fill", "fine", "bad", "open", *(f"s{number}" for number in range(SERIES)))
COLOUR = {name: f"#0000{place:02x}" for place, name in enumerate(VARIABLES, start=1)}  # stand-ins for var(--name)
OUTCOMES = {"better": COLOUR["fine"], "worse": COLOUR["bad"], "inconclusive": COLOUR["open"]}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """One comparison of a forest plot."""

    label: str
    value: float
    low: float
    high: float
    outcome: str  # a key of OUTCOMES
    trainings: Mapping[str, float] = field(default_factory=dict)  # seed -> its own difference, a dot each


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """Draw with the settings that matplotlib ships, whatever the reader's matplotlibrc says; SVG with stable bytes."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {"svg.hashsalt": "v2sbench", "svg.fonttype": "none", "font.sans-serif": "DejaVu Sans"}
        )
        yield


class _Chart:
    """A figure with one pair of axes, measured in units of the page, and what its parts say under the pointer."""

    def __init__(self, height: float, left: float = LABEL) -> None:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        whole = height + AXIS
        self.figure: Figure = Figure(figsize=(WIDTH / 72, whole / 72))  # 72 units an inch, as SVG's
        place = (left / WIDTH, AXIS / whole, (WIDTH - left - 14) / WIDTH, (height - 4) / whole)
        self.axes: Axes = self.figure.add_axes(place)
        self.said: dict[str, str] = {}
        for part in (self.figure.patch, self.axes.patch, *self.axes.spines.values()):
            part.set_visible(False)
        self.axes.set_axisbelow(True)
        self.axes.tick_params(length=0, labelsize=12, colors=COLOUR["soft"])
        self.axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        self.axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        self.axes.grid(axis="x", color=COLOUR["rule"], linewidth=1)

    def say(self, artist: Any, text: str) -> None:
        """Show `text` when the pointer is over an artist."""
        name = f"said{len(self.said)}"
        artist.set_gid(name)
        self.said[name] = text

    def name_rows(self, labels: Sequence[str]) -> None:
        """Write names at the left of the rows, the first one on top; row k is drawn from -k - 1 to -k."""
        self.axes.set_ylim(-len(labels) - 0.1, 0)
        self.axes.set_yticks([-row - 0.55 for row in range(len(labels))], labels, color=COLOUR["ink"])
        for text in self.axes.get_yticklabels():
            text.set_parse_math(False)

    def svg(self, title: str) -> Markup:
        """The chart as an element of the page: ids of its own, the page's colours, titles."""
        drawn = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # the reader's fonts write the names, not ours
            self.figure.savefig(drawn, format="svg", metadata=nothing)
        text = re.sub(r"<style.*?</style>|<metadata.*?</metadata>", "", drawn.getvalue(), flags=re.DOTALL)
        box = re.search(r'viewBox="[^"]*"', text)
        assert box  # matplotlib's header has one
        inside = text[text.index(">", box.end()) + 1 : text.rindex("</svg>")]
        own = f"c{short_digest([title])}"
        for gid, words in self.said.items():
            inside = inside.replace(f'<g id="{gid}">', f'<g id="{gid}"><title>{escape(words)}</title>')
        inside = re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"', "", inside)  # all but those of markers and clip paths
        inside = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{own}-", inside)
        inside = re.sub(r'style="[^"]*"', _coloured, inside)
        return Markup(f'<svg class="chart" {box[0]} role="img" aria-label="{escape(title)}">{inside}</svg>')


def _coloured(style: re.Match[str]) -> str:
    """A style attribute with the page's variables for the stand-ins."""
    return re.sub(r"#0000(\w\w)", lambda found: f"var(--{VARIABLES[int(found[1], 16) - 1]})", style[0])


@_style()
def densities(rows: Mapping[str, Sequence[float]], title: str) -> Markup:
    """A row a system: histogram of its utterances, a bar from the first to the third quartile, a mark at the median.

    rows: label -> scores of the utterances; a system without any has an empty row. Empty markup without any score.
    """
    values = [value for scores in rows.values() for value in scores]
    if not values:
        return Markup("")
    chart = _Chart(ROW * len(rows) + 8)
    edges = np.linspace(min(values), max(values), BINS + 1)
    for row, (label, scores) in enumerate(rows.items()):
        if not len(scores):
            continue
        base = -row - 1.0
        low, middle, high = np.quantile(scores, (0.25, 0.5, 0.75))
        said = f"{label}: median {middle:.3g}, half of {len(scores)} utterances in {low:.3g} to {high:.3g}"
        if edges[0] < edges[-1]:
            counts = np.histogram(scores, edges)[0]
            tops = base + 0.78 * counts / counts.max()
            chart.say(chart.axes.stairs(tops, edges, baseline=base, fill=True, color=COLOUR["fill"]), said)
        chart.say(chart.axes.plot([low, high], [base, base], color=COLOUR["s0"], linewidth=3)[0], said)
        chart.say(chart.axes.plot([middle] * 2, [base - 0.08, base + 0.7], color=COLOUR["ink"], linewidth=2)[0], said)
    chart.name_rows(list(rows))
    return chart.svg(title)


@_style()
def forest(rows: Sequence[Interval], title: str) -> Markup:
    """A row a comparison: its difference and interval against a line at zero, with a small dot for each training.

    Empty markup without rows.
    """
    if not rows:
        return Markup("")
    chart = _Chart(ROW * len(rows) + 8)
    chart.say(chart.axes.axvline(0, color=COLOUR["ink"], linewidth=1), "no difference")
    for place, row in enumerate(rows):
        y, colour = -place - 0.55, OUTCOMES[row.outcome]
        said = f"{row.label}: {row.value:+.3g} [{row.low:+.3g}, {row.high:+.3g}], {row.outcome}"
        chart.say(chart.axes.plot([row.low, row.high], [y, y], color=colour, linewidth=2)[0], said)
        chart.say(chart.axes.plot([row.value], [y], "o", color=colour, markersize=9)[0], said)
        for seed, value in row.trainings.items():
            dot = chart.axes.plot([value], [y - 0.26], "o", color=COLOUR["soft"], markersize=4)[0]
            chart.say(dot, f"{seed}: {value:+.3g}")
    chart.name_rows([row.label for row in rows])
    return chart.svg(title)


@_style()
def curves(lines: Mapping[str, Sequence[tuple[float, float]]], title: str) -> Markup:
    """One line a variant of (step, value), in the page's colours; empty markup without a line of two points."""
    drawn = {label: points for label, points in lines.items() if len(points) > 1}
    if not drawn:
        return Markup("")
    chart = _Chart(240, left=52)
    chart.axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    chart.axes.grid(axis="y", color=COLOUR["rule"], linewidth=1)
    for number, (label, points) in enumerate(drawn.items()):
        xs, ys = zip(*points, strict=True)
        line = chart.axes.plot(xs, ys, color=COLOUR[f"s{number % SERIES}"], linewidth=2)[0]
        chart.say(line, f"{label}: from {ys[0]:.3g} to {ys[-1]:.3g}")
    return chart.svg(title)
