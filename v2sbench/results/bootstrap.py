"""Means with intervals, pooled rates, paired comparisons: every number of a table that is derived and not measured.

All resampling is by utterance, seeded and vectorised; the same scores give the same digits. One statistic carries
everything, the ratio of sums

    theta = sum(numerator) / sum(denominator)

with denominator 1 for a plain mean (PESQ, STOI) and the number of reference words for a pooled word error rate.

* An `Estimate` has a bias-corrected and accelerated (BCa) interval, Efron (1987), whose acceleration comes from the
  closed-form jackknife of the ratio.
* A `Comparison` of two systems resamples the utterances that both have; its interval is the percentile one and its
  p-value inverts that interval, so that the two never disagree before `holm` corrects for the number of comparisons.

Utterances are taken as exchangeable. Those of one speaker are not quite, so an interval says how far the choice of
sentences moves the number, not how far other speakers would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from v2sbench import runtime

RESAMPLES = 10_000
"""Bootstrap resamples: the ends of a 95 % interval then stand still to about 2 % of its width."""
LEVEL = 0.95
"""Coverage of every interval, and 1 - the significance level of every verdict."""
MIN_PAIRS = 20
"""Fewer paired utterances than this decide nothing: a bootstrap of a handful is too sure of itself."""
_CHUNK = 1 << 21  # indices drawn at a time: 16 MiB, whatever the number of utterances

Floats = npt.NDArray[np.float64]
Outcome = Literal["better", "worse", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean or a pooled rate over utterances, with its interval."""

    mean: float
    """The statistic on all utterances that have a value."""
    low: float | None
    """Lower end of the 95 % BCa interval; None where one utterance or none gives no spread to resample."""
    high: float | None
    """Upper end of the interval."""
    n: int
    """Utterances with a value."""
    n_failed: int
    """Utterances asked for without a value; they are in no mean."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """System a minus system b over the utterances that both have."""

    difference: float
    """theta(a) - theta(b), in the metric's unit."""
    low: float
    """Lower end of the 95 % percentile interval of the difference."""
    high: float
    """Upper end of the interval."""
    p: float
    """Two-sided bootstrap p-value of "no difference", at least 2 / (resamples + 1); before any correction."""
    n: int
    """Utterances in the comparison."""
    n_left_out: int
    """Utterances that only one of the two, or neither, has a value for."""


def bootstrap_mean(values: Sequence[float | None], *, seed: int, resamples: int = RESAMPLES) -> Estimate | None:
    """The mean of per-utterance scores with its BCa interval; None when no utterance has a value.

    values: one entry an utterance; None (or NaN) is an utterance that failed.
    """
    scores = _array(values)
    kept = scores[~np.isnan(scores)]
    return _estimate(kept, np.ones_like(kept), len(scores) - len(kept), seed, resamples)


def bootstrap_ratio(
    numerator: Sequence[float | None],
    denominator: Sequence[float | None],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Estimate | None:
    """A pooled rate, sum(numerator) / sum(denominator), with its BCa interval; None when nothing is counted.

    numerator, denominator: one entry an utterance, such as edits and reference words; None on either side is an
    utterance that failed.
    """
    top, bottom = _array(numerator), _array(denominator)
    _same_length(top, bottom)
    kept = ~(np.isnan(top) | np.isnan(bottom))
    return _estimate(top[kept], bottom[kept], int((~kept).sum()), seed, resamples)


def paired_bootstrap(
    a: Sequence[float | None], b: Sequence[float | None], *, seed: int, resamples: int = RESAMPLES
) -> Comparison | None:
    """Compare two systems' scores on the same utterances; None when no utterance has both.

    a, b: entry i of each is utterance i; None (or NaN) is a failure, which takes the pair out.
    """
    ones = [1.0] * len(a)
    return paired_bootstrap_ratio(a, ones, b, ones, seed=seed, resamples=resamples)


def paired_bootstrap_ratio(
    a_numerator: Sequence[float | None],
    a_denominator: Sequence[float | None],
    b_numerator: Sequence[float | None],
    b_denominator: Sequence[float | None],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Comparison | None:
    """Compare two pooled rates on the same utterances; None when no utterance has both or nothing is counted."""
    columns = [_array(x) for x in (a_numerator, a_denominator, b_numerator, b_denominator)]
    for column in columns[1:]:
        _same_length(columns[0], column)
    table = np.stack(columns, axis=1)
    kept = table[~np.isnan(table).any(axis=1)]
    sums = [math.fsum(column) for column in kept.T]
    if not len(kept) or not sums[1] or not sums[3]:
        return None
    drawn = _resampled_sums(kept, seed, resamples)
    spread = _divide(drawn[:, 0], drawn[:, 1]) - _divide(drawn[:, 2], drawn[:, 3])
    spread = spread[np.isfinite(spread)]
    low, high = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    tail = min(int((spread <= 0).sum()), int((spread >= 0).sum()))
    return Comparison(
        difference=sums[0] / sums[1] - sums[2] / sums[3],
        low=float(low),
        high=float(high),
        p=min(1.0, 2 * (tail + 1) / (len(spread) + 1)),
        n=len(kept),
        n_left_out=len(table) - len(kept),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: adjusted p-values in the order given, never below the plain ones.

    Reject where the adjusted value is at most 0.05 and the chance of any false rejection stays at most 5 %.
    """
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def outcome(comparison: Comparison, p_adjusted: float, *, higher_is_better: bool) -> Outcome:
    """Whether a is better or worse than b, or neither can be said at the 5 % level (or with so few utterances)."""
    if p_adjusted > 1 - LEVEL or comparison.n < MIN_PAIRS or comparison.difference == 0:
        return "inconclusive"
    return "better" if (comparison.difference > 0) == higher_is_better else "worse"


# ---------------------------------------------------------------- the one resampler


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _same_length(a: Floats, b: Floats) -> None:
    if len(a) != len(b):
        raise ValueError(f"the sequences must list the same utterances, but they have {len(a)} and {len(b)} entries")


def _divide(top: Floats, bottom: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(top / bottom, dtype=np.float64)


def _resampled_sums(table: Floats, seed: int, resamples: int) -> Floats:
    """Column sums of bootstrap samples of the rows. table: (n, k) -> (resamples, k).

    Equal columns are summed once, and one of ones, the denominator of a plain mean, not at all.
    """
    generator = runtime.rng(seed, "bootstrap")
    count = len(table)
    columns = {column.tobytes(): column for column in np.ascontiguousarray(table.T)}
    sums = {key: np.full(resamples, float(count)) for key in columns}
    drawn = {key: column for key, column in columns.items() if (column != 1.0).any()}
    step = max(1, _CHUNK // count)
    for start in range(0, resamples, step):
        index = generator.integers(0, count, size=(min(step, resamples - start), count))
        for key, column in drawn.items():
            sums[key][start : start + step] = column[index].sum(axis=1)
    return np.stack([sums[column.tobytes()] for column in np.ascontiguousarray(table.T)], axis=1)


def _estimate(top: Floats, bottom: Floats, n_failed: int, seed: int, resamples: int) -> Estimate | None:
    total = math.fsum(bottom)
    if not total:
        return None
    mean = math.fsum(top) / total
    low: float | None = None
    high: float | None = None
    if len(top) > 1:
        drawn = _resampled_sums(np.stack([top, bottom], axis=1), seed, resamples)
        low, high = _bca(mean, _divide(drawn[:, 0], drawn[:, 1]), top, bottom)
    return Estimate(mean=mean, low=low, high=high, n=len(top), n_failed=n_failed)


def _bca(mean: float, drawn: Floats, top: Floats, bottom: Floats) -> tuple[float, float]:
    """Ends of the BCa interval from the bootstrap replicates `drawn` and the jackknife of the ratio."""
    drawn = drawn[np.isfinite(drawn)]
    normal = NormalDist()
    close = np.abs(drawn - mean) <= 1e-12 * max(1.0, abs(mean))
    below = float((drawn < mean)[~close].sum() + 0.5 * close.sum()) / len(drawn)
    bias = normal.inv_cdf(min(max(below, 0.5 / len(drawn)), 1 - 0.5 / len(drawn)))
    jackknife = _divide(top.sum() - top, bottom.sum() - bottom)
    jackknife = jackknife[np.isfinite(jackknife)]
    centred = jackknife.mean() - jackknife if len(jackknife) else np.zeros(1)
    scale = float((centred**2).sum()) ** 1.5
    acceleration = float((centred**3).sum()) / (6 * scale) if scale > 0 else 0.0
    ends = []
    for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z = bias + normal.inv_cdf(share)
        ends.append(normal.cdf(bias + z / (1 - acceleration * z)) if acceleration * z < 1 else share)
    low, high = np.quantile(drawn, ends)
    return float(low), float(high)


SEED = 1
"""Seed of every interval: a constant, so that no profile moves a digit of a table."""
