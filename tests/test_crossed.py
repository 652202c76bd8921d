"""Recipes over trainings and utterances: intervals, differences, and how often the test errs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from v2sbench.results import crossed

RNG = np.random.default_rng(7)


def scores(trainings: int, n: int = 40, apart: float = 0.0, spread: float = 0.1) -> tuple[Any, Any]:
    """Shares of plain means: easy and hard utterances, trainings that lie `spread` apart."""
    hard = np.random.default_rng(1).normal(0, 0.2, n)
    top = apart + hard + RNG.normal(0, spread, (trainings, 1)) + RNG.normal(0, 0.05, (trainings, n))
    return top, np.ones_like(top)


@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_a_recipe_against_itself_is_decided_in_at_most_a_twentieth(trainings: int) -> None:
    found = [crossed.difference(scores(trainings), scores(trainings)) for _ in range(150)]
    wrong = sum(item.p <= 0.05 for item in found if item)
    assert wrong <= stats.binom.ppf(0.999, 150, 0.05)
    alone = [stats.ttest_rel(scores(1)[0][0], scores(1)[0][0]).pvalue for _ in range(150)]
    assert sum(p <= 0.05 for p in alone) > 75, "a test over utterances alone takes every other seed for a finding"


def test_a_large_difference_is_found_and_interval_and_p_agree() -> None:
    found = [crossed.difference(scores(5, apart=0.4), scores(5)) for _ in range(50)]
    assert sum(item.p <= 0.05 for item in found if item) > 45
    for item in found:
        assert item is not None
        assert (item.p <= 0.05) == (item.low > 0 or item.high < 0)
        assert item.trainings == (5, 5)
        assert item.of_recipes


@given(st.integers(2, 4), st.integers(2, 12), st.floats(0.5, 20), st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_it_follows_shift_and_scale_and_turns_round(trainings: int, n: int, factor: float, shift: float) -> None:
    draw = np.random.default_rng(n)
    a, b = draw.normal(size=(2, trainings, n))
    ones = np.ones((trainings, n))
    there, back = crossed.difference((a, ones), (b, ones)), crossed.difference((b, ones), (a, ones))
    moved = crossed.difference((factor * a + shift, ones), (factor * b + shift, ones))
    assert there is not None
    assert back is not None
    assert moved is not None
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == pytest.approx(back.p)
    assert (moved.difference, moved.p) == pytest.approx((factor * there.difference, there.p), rel=1e-6, abs=1e-9)
    low, high = crossed.interval(a, ones) or (0, 0)
    assert low <= a.mean() <= high


def test_a_pooled_rate_is_the_mean_over_trainings_of_the_pooled_rates() -> None:
    errors, words = RNG.integers(0, 4, (3, 30)).astype(float), RNG.integers(3, 9, (1, 30)).repeat(3, 0).astype(float)
    rates = errors.sum(axis=1) / words.sum(axis=1)
    low, high = crossed.interval(errors, words) or (0, 0)
    assert (low + high) / 2 == pytest.approx(rates.mean())


def test_what_cannot_be_said() -> None:
    top, ones = scores(3)
    hole = top.copy()
    hole[1, 4] = np.nan
    found = crossed.difference((hole, ones), (top, ones))
    assert found is not None
    assert (found.n, found.n_left_out) == (39, 1), "an utterance that one training lacks is left out"
    assert crossed.interval(top[:1], ones[:1]) is None
    assert crossed.difference((np.full_like(top, np.nan), ones), (top, ones)) is None
    one = crossed.difference((top[:1], ones[:1]), (top, ones))
    assert one is not None
    assert (one.trainings, one.of_recipes) == ((1, 3), False)
    same = crossed.difference((ones, ones), (ones, ones))
    assert same is not None
    assert (same.difference, same.p) == (0, 1)
