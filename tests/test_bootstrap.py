"""Intervals, comparisons and the correction for their number, against closed forms and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2sbench.results.bootstrap import MIN_PAIRS, Comparison, Floats, difference, holm, interval, outcome

few = settings(max_examples=25, deadline=None)
scores = st.lists(st.floats(-5, 5, allow_nan=False, width=32), min_size=2, max_size=40).map(np.array)


def mean(values: Floats, seed: int = 1, resamples: int = 10_000) -> tuple[float, float]:
    """The interval of a plain mean, which is there."""
    found = interval(values, np.ones(len(values)), seed=seed, resamples=resamples)
    assert found is not None
    return found


def paired(a: Floats, b: Floats, **options: int) -> Comparison:
    found = difference((a, np.ones(len(a))), (b, np.ones(len(b))), **{"seed": 1, **options})
    assert found is not None
    return found


# ---------------------------------------------------------------- intervals


@pytest.mark.parametrize("values", [[], [0.7], [math.nan, math.nan], [0.7, math.nan]])
def test_fewer_than_two_utterances_have_no_interval(values: list[float]) -> None:
    assert interval(np.array(values), np.ones(len(values)), seed=1) is None


def test_nothing_counted_has_no_interval() -> None:
    assert interval(np.zeros(3), np.zeros(3), seed=1) is None


@pytest.mark.parametrize("value", [4.644, 0.0, -1.0])
def test_equal_scores_have_an_interval_of_no_width(value: float) -> None:
    assert mean(np.full(30, value)) == (value, value)


def test_one_rate_on_sentences_of_different_length_has_no_width() -> None:
    assert interval(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]), seed=1) == (0.5, 0.5)


def test_interval_agrees_with_the_normal_one_for_many_draws() -> None:
    values = np.random.default_rng(0).normal(2.0, 0.5, 1000)
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert mean(values, seed=3) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.003)


def test_interval_of_skewed_scores_leans_to_the_long_tail() -> None:
    values = np.random.default_rng(0).exponential(1.0, 60)
    low, high = mean(values, seed=3)
    assert high - values.mean() > values.mean() - low


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    found = [mean(generator.normal(0, 1, 30), seed=trial, resamples=800) for trial in range(300)]
    assert 0.89 <= sum(low <= 0 <= high for low, high in found) / 300 <= 0.98


def test_a_pooled_rate_weighs_utterances_by_their_words() -> None:
    """A short sentence that is wrong throughout moves a pooled rate less than a mean of rates."""
    wrong, words = np.array([0.0] * 20 + [1.0] * 5), np.array([10.0] * 20 + [1.0] * 5)
    found = interval(wrong, words, seed=1)
    assert found is not None
    assert found[0] <= wrong.sum() / words.sum() <= found[1] < (wrong / words).mean()


@few
@given(scores, st.integers(0, 2**31))
def test_the_interval_is_inside_the_scores_and_the_same_every_time(values: Floats, seed: int) -> None:
    low, high = mean(values, seed=seed, resamples=300)
    assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9
    assert (low, high) == mean(values, seed=seed, resamples=300)


@few
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12))
def test_whatever_is_counted_gives_finite_ends_or_none(pairs: list[tuple[int, int]]) -> None:
    top, bottom = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    found = interval(top, bottom, seed=1, resamples=200)
    assert found is None or (np.isfinite(found).all() and found[0] <= found[1])


# ---------------------------------------------------------------- pairs


def test_pairs_see_a_small_difference_that_separate_intervals_hide() -> None:
    generator = np.random.default_rng(1)
    hard = generator.normal(0.5, 0.2, 100)  # utterances differ far more than systems do
    better = hard + 0.02 + generator.normal(0, 0.02, 100)
    assert mean(better)[0] < mean(hard)[1]
    found = paired(better, hard)
    assert found.low > 0
    assert found.p < 0.01


def test_pairs_leave_out_what_either_failed() -> None:
    nan = math.nan
    found = paired(np.array([1.0, nan, 3.0, 4.0]), np.array([0.0, 1.0, nan, 2.0]))
    assert (found.n, found.n_left_out, found.difference) == (2, 2, 1.5)
    left, right = np.array([nan, 1.0]), np.array([1.0, nan])
    assert difference((left, np.ones(2)), (right, np.ones(2)), seed=1) is None


def test_a_single_pair_decides_nothing() -> None:
    found = paired(np.array([1.0]), np.array([0.0]))
    assert (found.difference, found.low, found.high, found.p) == (1, 1, 1, 1)


def test_pooled_rates_of_different_counts_are_compared() -> None:
    """As where N is the words of each system's own transcript."""
    left, right = (np.array([2.0, 0, 1]), np.array([4.0, 3, 5])), (np.array([1.0, 1, 2]), np.array([4.0, 4, 4]))
    found = difference(left, right, seed=1)
    assert found is not None
    assert found.difference == pytest.approx(3 / 12 - 4 / 12)
    assert found.low <= found.difference <= found.high


def test_equal_systems_are_never_told_apart() -> None:
    values = np.random.default_rng(1).normal(0, 1, 50)
    found = paired(values, values)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert outcome(found, found.p, higher_is_better=True) == "inconclusive"


@few
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=2, max_size=30))
def test_exchanging_the_systems_negates_the_difference(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    there, back = paired(a, b, resamples=300), paired(b, a, resamples=300)
    assert there.difference == pytest.approx(-back.difference, abs=1e-9)
    assert there.low == pytest.approx(-back.high, abs=1e-9)
    assert there.p == back.p


def test_the_p_value_is_about_uniform_when_nothing_differs() -> None:
    draw = np.random.default_rng(2).normal
    found = [paired(draw(0, 1, 40), draw(0, 1, 40), seed=trial, resamples=500).p for trial in range(300)]
    assert np.mean(np.array(found) <= 0.05) <= 0.10


# ---------------------------------------------------------------- outcomes


def test_holm_on_the_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@few
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(0 <= p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert all(adjusted[i] <= adjusted[j] for i, j in itertools.pairwise(order))


@pytest.mark.parametrize(
    ("difference", "p", "n", "higher", "said"),
    [
        (0.1, 0.01, 50, True, "better"),
        (0.1, 0.01, 50, False, "worse"),
        (-0.1, 0.01, 50, False, "better"),
        (-0.1, 0.01, 50, True, "worse"),
        (0.1, 0.06, 50, True, "inconclusive"),
        (0.1, 0.01, MIN_PAIRS - 1, True, "inconclusive"),
    ],
)
def test_outcomes(difference: float, p: float, n: int, higher: bool, said: str) -> None:
    found = Comparison(difference=difference, low=0, high=0, p=p, n=n, n_left_out=0)
    assert outcome(found, p, higher_is_better=higher) == said


def test_resamples_in_which_the_systems_tie_count_on_both_sides() -> None:
    """Sums of counts, and so of percents of six words, must tie to the last bit."""
    generator = np.random.default_rng(7)
    left, right = 100.0 * generator.integers(0, 7, 20), 100.0 * generator.integers(0, 7, 20)
    found, counted = (difference((left, words), (right, words), seed=1) for words in (np.full(20, 6.0), np.ones(20)))
    assert found is not None
    assert counted is not None
    assert found.p == counted.p
