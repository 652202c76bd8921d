"""Charts of the report as SVG that takes its colours from the page: text in, nothing to load, the same bytes each time.

    densities: how the utterances of each system are spread       one row a system: histogram, quartiles, median
    forest:    differences with their intervals                   one row a comparison, against zero
    curves:    a measure over training steps                      one line a variant

Every row or line has a <title>, which browsers show under the pointer and screen readers say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH = 720
"""Units across every chart; the page scales it."""
LABEL = 230
"""Units for the names at the left."""
ROW = 26
"""Units of a row."""
AXIS = 34
"""Units for the axis at the bottom."""
BINS = 48
"""Bars of a histogram."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """One comparison of a forest plot."""

    label: str
    """Name at the left."""
    value: float
    """Difference."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end."""
    outcome: str
    """`better`, `worse` or `inconclusive`: the class that colours it."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers inside [low, high]; steps of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


class _Scale:
    """Values to units across."""

    def __init__(self, low: float, high: float) -> None:
        spread = high - low or abs(high) or 1.0
        self.low, self.high = low - 0.03 * spread, high + 0.03 * spread

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(LABEL + share * (WIDTH - LABEL - 14), 1)


def _svg(height: float, title: str, parts: Sequence[str]) -> Markup:
    inside = "".join(parts)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{inside}</svg>'
    )


def _axis(scale: _Scale, height: float) -> list[str]:
    parts = []
    for tick in ticks(scale.low, scale.high):
        x = scale(tick)
        parts.append(f'<line class="grid" x1="{x}" y1="0" x2="{x}" y2="{height:g}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{height + 16:g}">{tick:g}</text>')
    return parts


def _name(label: str, y: float) -> str:
    return f'<text class="name" x="{LABEL - 10}" y="{y + 4:g}">{escape(label)}</text>'


def densities(rows: Mapping[str, Sequence[float]], title: str) -> Markup:
    """A row a system: histogram of its utterances, a bar from the first to the third quartile, a mark at the median.

    rows: label -> scores of the utterances; a system without any has an empty row. Empty markup without any score.
    """
    values = [value for scores in rows.values() for value in scores]
    if not values:
        return Markup("")
    scale, height = _Scale(min(values), max(values)), ROW * len(rows) + 8
    edges = np.linspace(min(values), max(values) or 1.0, BINS + 1) if max(values) > min(values) else None
    parts = _axis(scale, height)
    for place, (label, scores) in enumerate(rows.items()):
        base = ROW * (place + 1)
        parts.append(_name(label, base - ROW / 2 + 2))
        if not len(scores):
            continue
        low, middle, high = (float(cut) for cut in np.quantile(scores, (0.25, 0.5, 0.75)))
        said = f"{label}: median {middle:.3g}, half of {len(scores)} utterances in {low:.3g} to {high:.3g}"
        shape = ""
        if edges is not None:
            counts = np.histogram(scores, edges)[0]
            tall = (ROW - 6) * counts / counts.max()
            outline = [f"M{scale(float(edges[0]))},{base}"]
            for k, bar in enumerate(tall):
                outline.append(f"V{base - round(float(bar), 1):g}H{scale(float(edges[k + 1]))}")
            shape = f'<path class="density" d="{"".join(outline)}V{base}Z"/>'
        parts.append(
            f"<g><title>{escape(said)}</title>{shape}"
            f'<line class="quartiles" x1="{scale(low)}" y1="{base}" x2="{scale(high)}" y2="{base}"/>'
            f'<line class="median" x1="{scale(middle)}" y1="{base - ROW + 8}" x2="{scale(middle)}" y2="{base + 2}"/>'
            "</g>"
        )
    return _svg(height + AXIS, title, parts)


def forest(rows: Sequence[Interval], title: str) -> Markup:
    """A row a comparison: its difference and interval against a line at zero. Empty markup without rows."""
    if not rows:
        return Markup("")
    scale = _Scale(min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows)))
    height = ROW * len(rows) + 8
    zero = scale(0.0)
    parts = [*_axis(scale, height), f'<line class="zero" x1="{zero}" y1="0" x2="{zero}" y2="{height}"/>']
    for place, row in enumerate(rows):
        y = ROW * place + ROW / 2 + 2
        said = f"{row.label}: {row.value:+.3g} [{row.low:+.3g}, {row.high:+.3g}], {row.outcome}"
        parts.append(_name(row.label, y))
        parts.append(
            f'<g class="{escape(row.outcome)}"><title>{escape(said)}</title>'
            f'<line class="range" x1="{scale(row.low)}" y1="{y:g}" x2="{scale(row.high)}" y2="{y:g}"/>'
            f'<circle class="point" cx="{scale(row.value)}" cy="{y:g}" r="5"/></g>'
        )
    return _svg(height + AXIS, title, parts)


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], title: str) -> Markup:
    """One line a variant of (step, value), labelled at its end; empty markup without a line of two points."""
    drawn = {label: points for label, points in lines.items() if len(points) > 1}
    if not drawn:
        return Markup("")
    xs = [x for points in drawn.values() for x, _ in points]
    ys = [y for points in drawn.values() for _, y in points]
    across, height, left = (min(xs), max(xs)), 240.0, 52.0
    low, high = min(ys), max(ys)
    spread = (high - low) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        share = (x - across[0]) / ((across[1] - across[0]) or 1.0)
        return round(left + share * (WIDTH - left - 12), 1), round(12 + (high - y) / spread * (height - 24), 1)

    parts = []
    for tick in ticks(low, high):
        y = place(across[0], tick)[1]
        parts.append(f'<line class="grid" x1="{left}" y1="{y}" x2="{WIDTH - 12}" y2="{y}"/>')
        parts.append(f'<text class="name" x="{left - 6}" y="{y + 4}">{tick:g}</text>')
    for tick in ticks(*across):
        parts.append(f'<text class="tick" x="{place(tick, low)[0]}" y="{height + 16}">{tick:g}</text>')
    for number, (label, points) in enumerate(drawn.items()):
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
        parts.append(
            f'<polyline class="curve series{number % 8}" points="{path}"><title>{escape(label)}: from '
            f"{points[0][1]:.3g} to {points[-1][1]:.3g}</title></polyline>"
        )
    return _svg(height + AXIS, title, parts)
