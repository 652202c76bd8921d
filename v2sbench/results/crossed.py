"""Intervals and tests of recipes: over the trainings of a recipe and over the utterances at once.

    (trainings, utterances) of a recipe  --interval-->    95 % interval of the mean over trainings
    the same of two recipes              --difference-->  left minus right, interval, two-sided p

Every training of a recipe speaks the same utterances, so the two are crossed. The variance of a mean is the variance of
the trainings' means over their number, plus the variance of the utterances' means over theirs; degrees of freedom
are Satterthwaite's. Few trainings may lie close together by chance, so a difference must also stand against Welch's
t-test of the trainings' means: the larger p-value and the wider interval of the two count. `docs/verdicts.md` shows how
often this test and others err, and what they find, with 2, 3 and 5 trainings.

A pooled rate enters by its linear expansion: values of utterances whose mean is the rate (the delta method).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from v2sbench.results.bootstrap import LEVEL, Comparison, Floats


def interval(top: Floats, bottom: Floats) -> tuple[float, float] | None:
    """Ends of the 95 % interval of a recipe's number; None for fewer than two trainings or utterances.

    top, bottom: (trainings, utterances), what each adds to the numerator and the denominator of its training's number;
    NaN where it has no value. An utterance that one training lacks is left out.
    """
    top, bottom = _complete(top, bottom)
    if min(top.shape) < 2 or not bottom.sum(axis=1).all():
        return None
    mean, half, _ = _test([_linear(top, bottom)])
    return mean - half, mean + half


def difference(left: tuple[Floats, Floats], right: tuple[Floats, Floats]) -> Comparison | None:
    """Compare two recipes on the same utterances; None when no utterance has a value in all trainings of both.

    left, right: (top, bottom), (trainings, utterances) each, as for `interval`. The spread of a side of one training is
    unknown: the comparison is then about these weights.
    """
    count = left[0].shape[1]
    trainings = (len(left[0]), len(right[0]))
    kept = _complete(*left, *right)
    n = kept[0].shape[1]
    if not n or not (kept[1].sum(axis=1).all() and kept[3].sum(axis=1).all()):
        return None
    sides = [_linear(*kept[:2]), _linear(*kept[2:])]
    apart, half, p = _test(sides) if n > 1 else (float(sides[0].mean() - sides[1].mean()), 0.0, 1.0)
    return Comparison(
        difference=apart, low=apart - half, high=apart + half, p=p, n=n, n_left_out=count - n, trainings=trainings
    )


def _complete(*columns: Floats) -> list[Floats]:
    """The columns without the utterances that some training has no value of."""
    kept = np.isfinite(np.concatenate(columns)).all(axis=0)
    return [column[:, kept] for column in columns]


def _linear(top: Floats, bottom: Floats) -> Floats:
    """(trainings, utterances) values with the mean sum(top) / sum(bottom) in each training."""
    rate = top.sum(axis=1, keepdims=True) / bottom.sum(axis=1, keepdims=True)
    return np.asarray(rate + (top - rate * bottom) / bottom.mean(axis=1, keepdims=True))


def _test(sides: Sequence[Floats]) -> tuple[float, float, float]:
    """The mean of one side, or of the first minus the second; half of its 95 % interval's width; p of a zero."""
    means = [side.mean(axis=1) for side in sides]
    trained = [(mean.var(ddof=1) / len(mean), len(mean) - 1) for mean in means if len(mean) > 1]
    by_utterance = sides[0].mean(axis=0) - (sides[1].mean(axis=0) if len(sides) > 1 else 0.0)
    n = len(by_utterance)
    ways = [[*trained, (by_utterance.var(ddof=1) / n, n - 1)]]
    if len(trained) == len(sides):
        ways.append(trained)
    estimate = float(by_utterance.mean())
    found = [_student(estimate, parts) for parts in ways]
    return estimate, max(half for half, _ in found), max(p for _, p in found)


def _student(estimate: float, parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Half width of the interval and p-value by Student's t. parts: variances that add up, each with its freedom."""
    from scipy.stats import t

    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return 0.0, float(estimate == 0)
    freedom = variance**2 / sum(part**2 / df for part, df in parts)
    error = float(np.sqrt(variance))
    return float(t.ppf((1 + LEVEL) / 2, freedom)) * error, float(2 * t.sf(abs(estimate) / error, freedom))
