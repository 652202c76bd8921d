"""From utterances to a number: the one place where a protocol's rules on means and failures are applied.

    lines of scores --shares--> (top, bottom) a clip, None where it has no value --column--> sum(top) / sum(bottom)

An interval or a paired test resamples the shares; the number itself is a column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from v2sbench.scoring.metrics import METRICS, Metric
from v2sbench.scoring.protocols import Protocol

Share = tuple[float, float]
"""What a clip adds to the numerator and to the denominator of a column, the first in the unit of the metric."""

_UNHEARD = ("missing", "reference-missing")
"""Reasons for which a program never sees a clip, so that it neither scores 0 nor stops there."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric of one system."""

    value: float | None
    """The number in the metric's unit; None when there is none, and `note` says why."""
    n: int
    """Clips that are in it."""
    n_failed: int
    """Clips without a value of their own, in it (as 0) or not."""
    floored: float | None
    """The number with every failed clip at the metric's floor; None when nothing failed, when the protocol lets the
    original stop, or when the words that were to be said in a failed clip are unknown."""
    unit: str
    note: str = ""


def shares(rules: Protocol, metric: str, lines: Iterable[Mapping[str, Any]]) -> list[Share | None]:
    """What each line adds to the column, in their order; None where it adds nothing.

    lines: of stored scores; one without the metric, such as `{"clip": name}` for a clip that was never scored, is a
    failure. UseError for an unknown metric.
    """
    return [_share(rules, METRICS[metric], line) for line in lines]


def column(
    rules: Protocol, metric: str, lines: Iterable[Mapping[str, Any]], words: Mapping[str, int] | None = None
) -> Column:
    """The metric's number over `lines` by the rules of a protocol.

    lines: as for `shares`. words: clip -> how much was to be said in it (words, or characters for `cer`), for the
    floor-scored rate of clips without a transcript.
    """
    item, asked = METRICS[metric], list(lines)
    found = shares(rules, metric, asked)
    lost = sum(line.get(metric) is None for line in asked)
    kept = [share for share in found if share is not None]
    bare = Column(value=None, n=len(kept), n_failed=lost, floored=None, unit=item.unit)
    if stops := _stops(rules, item, asked):
        more = f" and {len(stops) - 1} more" if len(stops) > 1 else ""
        return replace(bare, note=f"the program behind {rules.name} stops at a failed PESQ: {stops[0]}{more}")
    value = _ratio(kept)
    if value is None:
        return replace(bare, note="no clip has a value")
    return replace(bare, value=value, floored=_floored(rules, item, asked, found, words or {}) if lost else None)


def _ratio(kept: Sequence[Share]) -> float | None:
    bottom = math.fsum(share[1] for share in kept)
    return math.fsum(share[0] for share in kept) / bottom if bottom else None


def _share(rules: Protocol, item: Metric, line: Mapping[str, Any]) -> Share | None:
    value = line.get(item.name)
    if value is None:
        zero = rules.failure == "zero" and _fatal(item.name, line)
        return (0.0, 1.0) if zero else None
    if not item.per:
        return float(value), 1.0
    edits, count = value["sub"] + value["del"] + value["ins"], value[item.per]
    if rules.per_words == "hypothesis":
        count = max(1, count - value["del"] + value["ins"])
    if rules.aggregation == "pooled":
        return 100.0 * edits, float(count)
    return (100.0 * edits / count, 1.0) if count else None


def _fatal(metric: str, line: Mapping[str, Any]) -> bool:
    """Whether the metric is a PESQ that failed on waves that were there."""
    reason = line.get("errors", {}).get(metric)
    return metric.startswith("pesq") and reason is not None and reason not in _UNHEARD


def _stops(rules: Protocol, item: Metric, lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Clips at which the original stops before it prints the metric: one of its own PESQs failed there."""
    if rules.failure != "fatal" or item.needs == "words":  # words are counted by a program of their own
        return []
    return [line["clip"] for line in lines if any(_fatal(name, line) for name in rules.metrics)]


def _floored(
    rules: Protocol,
    item: Metric,
    lines: Sequence[Mapping[str, Any]],
    found: Sequence[Share | None],
    words: Mapping[str, int],
) -> float | None:
    """The column with each failed clip at the metric's floor; None where its weight is unknown."""
    kept: list[Share] = []
    for line, share in zip(lines, found, strict=True):
        if share is not None and line.get(item.name) is not None:
            kept.append(share)
            continue
        weight = words.get(line["clip"]) if item.per and rules.aggregation == "pooled" else 1.0
        if weight is None:
            return None
        kept.append((item.floor * weight, weight))
    return _ratio(kept)
