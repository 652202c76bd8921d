"""From utterances to a number: the one place where a protocol's rules on means and failures are applied.

    lines of scores --shares--> (top, bottom) a clip, None where it has no value --column--> sum(top) / sum(bottom)

Whoever needs an interval or a paired test resamples the shares; whoever needs the number asks for the column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from v2sbench.scoring.metrics.catalogue import METRICS, Metric
from v2sbench.scoring.protocols import Protocol

Share = tuple[float, float]
"""What a clip adds to the numerator and to the denominator of a column, the first in the unit of the metric."""

_UNHEARD = ("missing", "reference-missing")
"""Reasons for which a program never sees a clip, so that it neither scores 0 nor stops there."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric of one system."""

    value: float | None
    """The number in the metric's unit; None when there is none, of which `note` says why."""
    n: int
    """Clips that are in it."""
    n_failed: int
    """Clips without a value of their own, in it (as 0) or not."""
    floored: float | None
    """The number with every failed clip at the metric's floor; None when nothing failed, when the protocol lets the
    original stop, or when the words that were to be said in a failed clip are unknown."""
    unit: str
    """Unit of both, empty for none."""
    note: str = ""
    """Why there is no value; empty when there is one."""


def shares(rules: Protocol, metric: str, lines: Iterable[Mapping[str, Any]]) -> list[Share | None]:
    """What each line adds to the column, in their order; None where it adds nothing.

    lines: of stored scores; one without the metric, such as `{"clip": name}` for a clip that was never scored, is a
    failure. UseError for an unknown metric.
    """
    return [_share(rules, METRICS[metric], line) for line in lines]


def column(
    rules: Protocol,
    metric: str,
    lines: Iterable[Mapping[str, Any]],
    words: Mapping[str, int] | None = None,
) -> Column:
    """The metric's number over `lines` by the rules of a protocol.

    lines: as for `shares`. words: clip -> how much was to be said in it (words, or characters for `cer`), for the
    floor-scored rate of clips without a transcript.
    """
    item, asked = METRICS[metric], list(lines)
    found = shares(rules, metric, asked)
    lost = [line for line in asked if line.get(metric) is None]
    kept = [share for share in found if share is not None]
    bare = Column(value=None, n=len(kept), n_failed=len(lost), floored=None, unit=item.unit)
    if stops := _stops(rules, item, asked):
        clips = f"{stops[0]}" + (f" and {len(stops) - 1} more" if len(stops) > 1 else "")
        return _replace(bare, note=f"the program behind {rules.name} stops at a failed PESQ: {clips}")
    bottom = math.fsum(share[1] for share in kept)
    if not bottom:
        return _replace(bare, note="no clip has a value")
    value = math.fsum(share[0] for share in kept) / bottom
    return _replace(bare, value=value, floored=_floored(rules, item, asked, found, words or {}) if lost else None)


def _replace(bare: Column, **changes: Any) -> Column:
    return Column(**{**vars(bare), **changes})


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
    """Clips at which the original stops before it prints the metric: those of which one of its own PESQs failed."""
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
    top, bottom = [], []
    for line, share in zip(lines, found, strict=True):
        weight: float | None = 1.0
        if share is not None and line.get(item.name) is not None:
            top.append(share[0])
            bottom.append(share[1])
            continue
        if item.per and rules.aggregation == "pooled":
            weight = words.get(line["clip"])
        if weight is None:
            return None
        top.append(item.floor * weight)
        bottom.append(weight)
    return math.fsum(top) / math.fsum(bottom)
