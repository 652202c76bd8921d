"""Estimates, comparisons and the multiple-comparison correction, against closed forms and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2sbench import runtime
from v2sbench.results import bootstrap as stats
from v2sbench.results.bootstrap import Comparison, bootstrap_mean, bootstrap_ratio, holm, outcome, paired_bootstrap

few = settings(max_examples=25, deadline=None)
scores = st.lists(st.floats(-5, 5, allow_nan=False, width=32), min_size=2, max_size=40)


def test_mean_counts_failures_and_leaves_them_out() -> None:
    found = bootstrap_mean([1.0, None, 3.0, math.nan], seed=1)
    assert found is not None
    assert (found.mean, found.n, found.n_failed) == (2.0, 2, 2)


@pytest.mark.parametrize("values", [[], [None], [None, math.nan]])
def test_nothing_scored_is_no_estimate(values: list[float | None]) -> None:
    assert bootstrap_mean(values, seed=1) is None


def test_one_utterance_has_a_mean_and_no_interval() -> None:
    found = bootstrap_mean([0.7], seed=1)
    assert found is not None
    assert (found.mean, found.low, found.high) == (0.7, None, None)


def test_equal_scores_have_an_interval_of_no_width() -> None:
    found = bootstrap_mean([4.644] * 30, seed=1)
    assert found is not None
    assert found.low == pytest.approx(4.644, abs=1e-12)
    assert found.high == pytest.approx(4.644, abs=1e-12)


def test_interval_agrees_with_the_normal_one_for_many_draws() -> None:
    values = np.random.default_rng(0).normal(2.0, 0.5, 1000)
    found = bootstrap_mean(values.tolist(), seed=3)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert found.low == pytest.approx(values.mean() - half, abs=0.003)
    assert found.high == pytest.approx(values.mean() + half, abs=0.003)


def test_interval_of_skewed_scores_leans_to_the_long_tail() -> None:
    values = np.random.default_rng(0).exponential(1.0, 60)
    found = bootstrap_mean(values.tolist(), seed=3)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.mean > found.mean - found.low


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    hits = 0
    for trial in range(300):
        found = bootstrap_mean(generator.normal(0, 1, 30).tolist(), seed=trial, resamples=800)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0 <= found.high
    assert 0.89 <= hits / 300 <= 0.98


@few
@given(scores, st.integers(0, 2**31))
def test_mean_is_inside_its_interval_and_the_interval_inside_the_scores(values: list[float], seed: int) -> None:
    found = bootstrap_mean(values, seed=seed, resamples=300)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    slack = 1e-9
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert min(values) - slack <= found.mean <= max(values) + slack


@few
@given(scores, st.integers(0, 2**31))
def test_same_seed_same_digits(values: list[float], seed: int) -> None:
    first = bootstrap_mean(values, seed=seed, resamples=200)
    assert first == bootstrap_mean(values, seed=seed, resamples=200)


def test_chunks_do_not_change_the_draws_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).normal(0, 1, 50).tolist()
    whole = bootstrap_mean(values, seed=2)
    monkeypatch.setattr(stats, "_CHUNK", 777)
    assert bootstrap_mean(values, seed=2) == whole


def test_pooled_rate_weighs_utterances_by_their_words() -> None:
    found = bootstrap_ratio([6, 0], [6, 2], seed=1)
    assert found is not None
    assert found.mean == 0.75  # the mean over utterances would be 0.5


def test_pooled_rate_with_failures_and_without_words() -> None:
    found = bootstrap_ratio([1, None, 2], [6, 6, 6], seed=1)
    assert found is not None
    assert (found.n, found.n_failed, found.mean) == (2, 1, 0.25)
    assert bootstrap_ratio([0, 0], [0, 0], seed=1) is None


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        bootstrap_ratio([1, 2], [1], seed=1)
    with pytest.raises(ValueError, match="3 and 2"):
        paired_bootstrap([1, 2, 3], [1, 2], seed=1)


# ---------------------------------------------------------------- pairs


def test_pairs_see_a_small_difference_that_separate_intervals_hide() -> None:
    generator = np.random.default_rng(1)
    hard = generator.normal(0.5, 0.2, 100)  # utterances differ far more than systems do
    a, b = hard + 0.02 + generator.normal(0, 0.02, 100), hard
    separate_a, separate_b = bootstrap_mean(a.tolist(), seed=1), bootstrap_mean(b.tolist(), seed=1)
    assert separate_a is not None
    assert separate_b is not None
    assert separate_a.low is not None
    assert separate_b.high is not None
    assert separate_a.low < separate_b.high
    found = paired_bootstrap(a.tolist(), b.tolist(), seed=1)
    assert found is not None
    assert found.low > 0
    assert found.p < 0.01


def test_pairs_leave_out_what_either_failed() -> None:
    found = paired_bootstrap([1.0, None, 3.0, 4.0], [0.0, 1.0, None, 2.0], seed=1)
    assert found is not None
    assert (found.n, found.n_left_out, found.difference) == (2, 2, 1.5)
    assert paired_bootstrap([None, 1.0], [1.0, None], seed=1) is None


def test_equal_systems_are_never_told_apart() -> None:
    values = np.random.default_rng(1).normal(0, 1, 50).tolist()
    found = paired_bootstrap(values, values, seed=1)
    assert found is not None
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert outcome(found, found.p, higher_is_better=True) == "inconclusive"


@few
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=2, max_size=30))
def test_exchanging_the_systems_negates_the_difference(pairs: list[tuple[float, float]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    there, back = (paired_bootstrap(x, y, seed=4, resamples=300) for x, y in ((a, b), (b, a)))
    assert there is not None
    assert back is not None
    assert there.difference == pytest.approx(-back.difference, abs=1e-9)
    assert there.low == pytest.approx(-back.high, abs=1e-9)
    assert there.p == back.p


def test_the_p_value_is_about_uniform_when_nothing_differs() -> None:
    generator = np.random.default_rng(2)
    small = 0
    for trial in range(300):
        found = paired_bootstrap(
            generator.normal(0, 1, 40).tolist(), generator.normal(0, 1, 40).tolist(), seed=trial, resamples=500
        )
        assert found is not None
        small += found.p <= 0.05
    assert small / 300 <= 0.10


# ---------------------------------------------------------------- verdicts


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
        (0.1, 0.01, stats.MIN_PAIRS - 1, True, "inconclusive"),
    ],
)
def test_outcomes(difference: float, p: float, n: int, higher: bool, said: str) -> None:
    found = Comparison(difference=difference, low=0, high=0, p=p, n=n, n_left_out=0)
    assert outcome(found, p, higher_is_better=higher) == said


@few
@given(st.integers(1, 40), st.integers(0, 5))
def test_what_is_not_summed_twice_is_still_the_sum(count: int, seed: int) -> None:
    """Equal columns and columns of ones take a short cut; the digits are those of the long way."""
    values = np.random.default_rng(seed).normal(size=count)
    table = np.stack([values, np.ones(count), values, 2 * values, np.full(count, 3.0)], axis=1)
    sums = stats._resampled_sums(table, seed, 30)
    index = runtime.rng(seed, "bootstrap").integers(0, count, size=(30, count))
    assert (sums == np.stack([column[index].sum(axis=1) for column in table.T], axis=1)).all()
