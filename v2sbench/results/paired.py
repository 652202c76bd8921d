"""Two systems' scores of the same utterances, compared: every paired difference of a table, a claim or a sweep.

    Measured, Measured, metric --compare--> Paired (difference, interval, p) --decide--> corrected by Holm, outcome

`compare` makes one comparison, `decide` corrects a family of them together. A family is whatever is printed as one
table; what cannot be compared says why and counts in no correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from v2sbench import runtime
from v2sbench.results import bootstrap as stats
from v2sbench.results.bootstrap import SEED, Comparison, Outcome
from v2sbench.results.measured import Measured
from v2sbench.scoring.metrics import METRICS

Side = TypeVar("Side")


@dataclass(frozen=True, kw_only=True)
class Paired(Generic[Side]):
    """Two systems, compared in one metric."""

    left: Side
    """What is compared."""
    right: Side
    """With what."""
    metric: str
    """Metric."""
    comparison: Comparison | None
    """Left minus right; None when they cannot be compared."""
    p_adjusted: float | None = None
    """p-value after Holm's correction over the family."""
    outcome: Outcome | None = None
    """What it says of the left side; None when they cannot be compared or were not yet decided."""
    why_not: str = ""
    """Why they cannot be compared."""
    axis: str = ""
    """What the two differ in, where that is one thing."""


def compare(
    split: str,
    metric: str,
    left: tuple[Side, Measured],
    right: tuple[Side, Measured],
    clips: Sequence[str],
    *,
    axis: str = "",
) -> Paired[Side]:
    """The paired bootstrap of two systems in one metric, over those of `clips` that both have a value for.

    split: enters the seed, so that a table's digits do not hang on what else it compares. left, right: what the side
    is called, and its scores.
    """
    (a_name, a), (b_name, b) = left, right
    why_not = a.comparable(b, metric)
    if not why_not and not (a.has(metric) and b.has(metric)):
        why_not = "not measured"
    why_not = why_not or "; ".join(
        f"{side.system}: {note}" for side in (a, b) if (note := side.column(metric, clips).note)
    )
    comparison = None
    if not why_not:
        seed = runtime.fold(SEED, split, metric)
        comparison = stats.paired_bootstrap_ratio(*a.shares(metric, clips), *b.shares(metric, clips), seed=seed)
        why_not = "" if comparison else "no utterance has a value of both"
    return Paired(left=a_name, right=b_name, metric=metric, comparison=comparison, why_not=why_not, axis=axis)


def decide(family: Iterable[Paired[Side]]) -> list[Paired[Side]]:
    """The family with p-values corrected by Holm over all of it, and what each comparison says of its left side."""
    items = list(family)
    adjusted = iter(stats.holm([item.comparison.p for item in items if item.comparison]))
    decided = []
    for item in items:
        if item.comparison:
            p = next(adjusted)
            said = stats.outcome(item.comparison, p, higher_is_better=METRICS[item.metric].higher_is_better)
            item = replace(item, p_adjusted=p, outcome=said)
        decided.append(item)
    return decided
