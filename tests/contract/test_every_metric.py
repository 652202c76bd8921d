"""What every metric owes: the original is best, more noise is worse, the declared range holds, twice is the same."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.voices import RATE, noisy, voice
from v2sbench.runtime import UseError
from v2sbench.scoring import METRICS, PROTOCOLS, column
from v2sbench.scoring.metrics import Pair, Words, metric

TEXT = "bin blue at f two now"
FURTHER = (TEXT, "bin blue at s two now", "bin red at s two", "lay red by s nine", "")
"""Transcripts, each further from TEXT than the one before."""
SNRS = (30.0, 20.0, 10.0, 0.0, -10.0)
LEARNED = ("speaker_similarity", "dnsmos")
"""Networks: they promise no order from step to step, only that little noise is better than much."""
ALONE = ("dnsmos",)
"""They hear the prediction alone, so that the original has no best value."""


@pytest.fixture(params=METRICS.values(), ids=lambda item: item.name)
def item(request):
    """Each metric; one whose packages are not there is skipped by the very message that a user gets."""
    try:
        return metric(request.param.name)
    except UseError as error:
        pytest.skip(str(error))


def samples(item, seed=0):
    """Ever worse inputs of the metric, the first of them perfect."""
    if item.needs == "words":
        return [Words(reference=TEXT, hypothesis=text) for text in FURTHER]
    reference = voice(1.0 if item.name in ALONE else 2.0, seed)
    snrs = SNRS[::2] if item.name in LEARNED else SNRS
    predictions = [reference, *(noisy(reference, snr, seed) for snr in snrs)]
    return [Pair.of((reference, RATE), (prediction, RATE)) for prediction in predictions]


def number(item, sample):
    """The value, of edit counts the rate in percent."""
    value = item.compute(sample)
    if item.per:
        value = 100 * (value["sub"] + value["del"] + value["ins"]) / value[item.per]
    return value


def cost(item, sample):
    """The value, lower is better."""
    return -number(item, sample) if item.higher_is_better else number(item, sample)


def test_it_is_described(item):
    assert METRICS[item.name] is item
    assert item.name == item.name.lower()
    assert item.column
    assert item.version
    assert item.needs in ("pair", "words")
    assert item.low <= item.floor <= item.high
    assert item.low < item.high


@pytest.mark.parametrize("seed", [0, 1])
def test_worse_input_is_a_worse_score(item, seed):
    costs = [cost(item, sample) for sample in samples(item, seed)]
    if item.name in LEARNED:
        assert max(costs[:2]) < costs[-1]
        return
    assert costs == sorted(costs)
    assert costs[0] < costs[1] <= costs[-1]
    assert item.name == "word_accuracy" or costs[1] < costs[-1]


def test_the_original_reaches_the_best_value(item):
    if item.name in ALONE:
        pytest.skip("hears the prediction alone: the original has no best value")
    best = item.high if item.higher_is_better else item.low
    assert number(item, samples(item)[0]) == pytest.approx(best, abs=0.15)


def test_the_declared_range_holds(item):
    extremes = samples(item)
    if item.needs == "pair":
        draw = np.random.default_rng(1)
        reference = voice(1.0)
        for wave in (-reference, reference[::-1], draw.standard_normal(RATE), np.sign(reference), np.full(RATE, 0.5)):
            extremes.append(Pair.of((reference, RATE), (np.asarray(wave, np.float32), RATE)))
    else:
        extremes.append(Words(reference="a", hypothesis="b c d e"))
    for sample in extremes:
        value = number(item, sample)
        assert math.isfinite(value)
        assert item.low - 1e-9 <= value <= item.high + 1e-9


def test_twice_is_the_same_and_inputs_are_left_alone(item):
    first, second = samples(item)[:3], samples(item)[:3]
    assert [item.compute(sample) for sample in first] == [item.compute(sample) for sample in second]
    for used, fresh in zip(first, samples(item), strict=False):
        if item.needs == "pair":
            assert (used.reference == fresh.reference).all()
            assert (used.prediction == fresh.prediction).all()


@pytest.mark.parametrize("rules", PROTOCOLS.values(), ids=lambda rules: rules.name)
def test_a_failure_is_counted(item, rules):
    """By whatever protocol: in no mean, or in it as 0, or no number at all; never gone."""
    good = {"clip": "a", item.name: {"sub": 1, "del": 0, "ins": 0, item.per: 4} if item.per else 1.5}
    found = column(rules, item.name, [good, {"clip": "b", "errors": {item.name: "silent"}}])
    assert found.n_failed == 1
    assert found.unit == item.unit
    alone = column(rules, item.name, [good]).value
    assert alone == (25 if item.per else 1.5)
    pesq = item.name.startswith("pesq")
    stops = rules.failure == "fatal" and item.name in rules.metrics and pesq
    zeroed = rules.failure == "zero" and pesq
    assert found.value == (None if stops else alone / 2 if zeroed else alone)
    assert bool(found.note) == stops
    if not stops and not (item.per and rules.aggregation == "pooled"):
        assert found.floored == pytest.approx((alone + item.floor) / 2)
