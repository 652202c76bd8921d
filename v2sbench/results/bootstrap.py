"""Intervals and paired comparisons: every number of a table that is derived and not measured, by scipy's bootstrap.

    top, bottom of every utterance --interval----> 95 % BCa interval of sum(top) / sum(bottom)
    the same of two systems        --difference--> left minus right, percentile interval, two-sided p
    p-values of a family           --holm--------> corrected for their number

`bottom` is 1 for a mean (PESQ, STOI) and the number of reference words for a pooled word error rate. Utterances are
resampled, and taken as exchangeable. Those of one speaker are not quite, so an interval says how far the choice of
sentences moves the number, not how far other speakers would. The same scores give the same digits.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from v2sbench.runtime import rng

RESAMPLES = 10_000
"""The ends of a 95 % interval then stand still to about 2 % of its width."""
LEVEL = 0.95
"""Coverage of every interval, and 1 - the significance level of every outcome."""
MIN_PAIRS = 20
"""Fewer paired utterances than this decide nothing: a bootstrap of a handful is too sure of itself."""
SEED = 1
"""Seed of every interval: a constant, so that no profile moves a digit of a table."""
_BATCH = 1 << 17  # utterances drawn at a time, which fit the processor's cache

Floats = npt.NDArray[np.float64]
Outcome = Literal["better", "worse", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Left system minus right system over the utterances for which both have a value."""

    difference: float  # in the metric's unit
    low: float  # ends of the 95 % percentile interval
    high: float
    p: float  # two-sided, of "no difference", before any correction; at least 2 / (resamples + 1)
    n: int
    n_left_out: int  # utterances without a value on one side or both
    trainings: tuple[int, int] = (1, 1)  # of the left and of the right recipe

    @property
    def of_recipes(self) -> bool:
        """Whether it is about the recipes, since both were trained more than once; else about these weights."""
        return min(self.trainings) > 1


def interval(top: Floats, bottom: Floats, *, seed: int, resamples: int = RESAMPLES) -> tuple[float, float] | None:
    """Ends of the 95 % BCa interval (Efron 1987) of sum(top) / sum(bottom); None for fewer than two utterances.

    top, bottom: (n,), NaN where an utterance has no value. Equal utterances give an interval of no width.
    """
    kept = np.isfinite(top) & np.isfinite(bottom)
    top, bottom = top[kept], bottom[kept]
    if len(top) < 2 or not bottom.sum():
        return None
    if bottom.all() and np.ptp(top / bottom) <= 1e-12 * abs(top[0] / bottom[0]):
        return float(top[0] / bottom[0]), float(top[0] / bottom[0])
    found = _resampled([(top, bottom)], "BCa", seed, resamples)
    low, high = found.confidence_interval
    if not np.isfinite([low, high]).all():  # BCa is undefined: fall back to the percentile interval
        low, high = _quantiles(found.bootstrap_distribution)
    return float(low), float(high)


def difference(
    left: tuple[Floats, Floats], right: tuple[Floats, Floats], *, seed: int, resamples: int = RESAMPLES
) -> Comparison | None:
    """Compare two systems on the same utterances; None when no utterance has a value of both.

    left, right: (top, bottom), (n,) each, utterance for utterance, NaN where there is no value. The p-value inverts the
    percentile interval, so that the two never disagree before `holm`.
    """
    stacked = np.stack([*left, *right])
    kept = stacked[:, np.isfinite(stacked).all(axis=0)]
    n = kept.shape[1]
    if not n or not kept[1].sum() or not kept[3].sum():
        return None
    apart = float(kept[0].sum() / kept[1].sum() - kept[2].sum() / kept[3].sum())
    low, high, p = apart, apart, 1.0
    if n > 1:
        drawn = _resampled([(kept[0], kept[1]), (kept[2], kept[3])], "percentile", seed, resamples)
        spread = drawn.bootstrap_distribution[np.isfinite(drawn.bootstrap_distribution)]
        low, high = _quantiles(spread)
        tail = min((spread <= 0).sum(), (spread >= 0).sum())
        p = min(1.0, 2 * (int(tail) + 1) / (len(spread) + 1))
    return Comparison(difference=apart, low=low, high=high, p=p, n=n, n_left_out=stacked.shape[1] - n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: adjusted p-values in the order given, never below the plain ones.

    Reject where the adjusted value is at most 0.05 and the chance of any false rejection stays at most 5 %.
    """
    plain = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(plain, kind="stable")
    adjusted = np.empty_like(plain)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, plain[order] * np.arange(len(plain), 0, -1)))
    return [float(p) for p in adjusted]


def outcome(comparison: Comparison, p_adjusted: float, *, higher_is_better: bool) -> Outcome:
    """Whether left is better or worse than right, or neither can be said at the 5 % level (or of so few utterances)."""
    if p_adjusted > 1 - LEVEL or comparison.n < MIN_PAIRS or comparison.difference == 0:
        return "inconclusive"
    return "better" if (comparison.difference > 0) == higher_is_better else "worse"


def _resampled(sides: list[tuple[Floats, Floats]], method: str, seed: int, resamples: int) -> Any:
    """A bootstrap by scipy of the ratio of one side, or of the ratio of the first side minus that of the second."""
    from scipy.stats import DegenerateDataWarning, bootstrap

    counts = np.concatenate([bottom for _, bottom in sides])
    if np.ptp(counts) == 0:  # plain means: one column to resample, undivided, so that ties of counts stay ties
        data: tuple[Floats, ...] = (sides[0][0] - sides[1][0] if len(sides) > 1 else sides[0][0],)
        statistic: Any = functools.partial(_mean, count=counts[0])
    else:
        data = tuple(column for side in sides for column in side)
        statistic = _ratio
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)
        return bootstrap(
            data,
            statistic,
            paired=len(data) > 1,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, _BATCH // len(data[0])),
            confidence_level=LEVEL,
            method=method,
            rng=rng(seed, "bootstrap"),
        )


def _mean(column: Floats, *, count: float, axis: int = -1) -> Floats:
    return np.asarray(column.mean(axis=axis) / count)


def _ratio(*columns: Floats, axis: int = -1) -> Floats:
    """One ratio of sums, or the difference of two such ratios."""
    top, bottom, *others = (column.sum(axis=axis) for column in columns)
    ratio = np.asarray(top / bottom)
    return ratio - others[0] / others[1] if others else ratio


def _quantiles(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn[np.isfinite(drawn)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
