"""Each quirk of each protocol by a literal example, and how columns are made of lines."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.voices import RATE, noisy, voice
from v2sbench.runtime import UseError
from v2sbench.scoring import DEFAULT, METRICS, PROTOCOLS, column, protocol, shares
from v2sbench.scoring.metrics import Pair, Words, align
from v2sbench.scoring.protocols import LENGTHS, PREPARATIONS
from v2sbench.scoring.recognisers import NORMALISERS

OURS, MIRA, SVTS, VCA, LIP2WAV = (
    PROTOCOLS[name] for name in ("v2sbench-1", "evalaudio-2020", "svts-2022", "vca-gan-2021", "lip2wav-2020")
)
WHITE = Words(reference="set white", hypothesis="a set b c white d")
"""Four insertions around two words: 200 % of what was to be said, 67 % of what was heard."""
BLUE = Words(reference="bin blue at f two now", hypothesis="bin blue at s two now")
"""One substitution in six."""


def heard(*pairs):
    """A line of WER a pair of texts."""
    return [{"clip": f"c{i}", "wer": METRICS["wer"].compute(words)} for i, words in enumerate(pairs)]


def pesqs(metric, *values):
    """A line a value; a text is the reason of a failure."""
    return [
        {"clip": f"c{i}", "errors": {metric: value}} if isinstance(value, str) else {"clip": f"c{i}", metric: value}
        for i, value in enumerate(values)
    ]


# ---------------------------------------------------------------- the protocols as data


def test_protocols_name_what_there_is():
    assert set(PROTOCOLS) == {"v2sbench-1", "evalaudio-2020", "svts-2022", "vca-gan-2021", "lip2wav-2020"}
    assert protocol(DEFAULT) is OURS
    with pytest.raises(UseError, match="did you mean 'svts-2022'"):
        protocol("svts-2021")
    for name, rules in PROTOCOLS.items():
        assert rules.name == name
        assert rules.description
        assert set(rules.metrics) <= set(METRICS)
        assert rules.length in LENGTHS
        assert rules.prepare in PREPARATIONS
        assert set(rules.normalisers) == {"grid", "open"}
        assert set(rules.normalisers.values()) <= set(NORMALISERS)
    assert {rules.name for rules in PROTOCOLS.values() if rules.words == "heard"} == {"svts-2022"}


def test_every_protocol_has_the_pesqs_of_its_program():
    """One pair has five values, 1.08 to 2.04: see test_metrics."""
    found = [[name for name in rules.metrics if name.startswith("pesq")] for rules in (OURS, MIRA, SVTS, VCA, LIP2WAV)]
    ours, svts = ["pesq_wb", "pesq_nb8"], ["pesq_raw8", "pesq_nb8", "pesq_wb"]
    assert found == [ours, ["pesq_raw8"], svts, ["pesq_nb8"], ["pesq_nb"]]


def test_the_stoi_of_2020_overflows(pesq_pair):
    """int16(round(x * 2^16)) wraps from half of full scale on: at a peak of .9, .704 for .674."""
    waves = (soundfile.read(path, dtype="float32")[0] for path in pesq_pair)
    reference, babble = (np.asarray(0.9 * wave / np.abs(wave).max(), np.float32) for wave in waves)
    pair = Pair.of((reference, RATE), (babble, RATE), MIRA)
    assert {name for name in MIRA.metrics if "stoi" in name} == {"stoi_int16"}
    assert METRICS["stoi_int16"].compute(pair) == pytest.approx(0.704, abs=1e-3)
    assert METRICS["stoi"].compute(pair) == pytest.approx(0.674, abs=1e-3)
    quiet = Pair.of((reference / 2, RATE), (babble / 2, RATE), MIRA)
    assert METRICS["stoi_int16"].compute(quiet) == pytest.approx(0.674, abs=1e-3)
    assert all({"stoi", "estoi"} <= set(rules.metrics) for rules in (OURS, SVTS, VCA, LIP2WAV))


# ---------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("rules", "late", "early"),
    [
        (OURS, (5, 1), (5, -2)),
        (MIRA, (4, 0), (5, -2)),
        (SVTS, (4, 0), (5, -2)),
        (VCA, (4, 0), (7, 0)),
        (LIP2WAV, (4, 0), (5, -2)),
    ],
    ids=lambda item: getattr(item, "name", None),
)
def test_lengths(rules, late, early):
    """A reference of 5 samples against a prediction of 4 and one of 7: samples of both, and zeros appended."""
    reference = np.ones(5, np.float32)
    for prediction, expected in ((np.ones(4, np.float32), late), (np.ones(7, np.float32), early)):
        first, second, padded = align(reference, prediction, rules.length)
        assert len(first) == len(second) == expected[0]
        assert padded == expected[1]


def test_a_pair_is_cut_by_the_rules():
    wave = voice(1.0)
    shorter = Pair.of((wave, RATE), (noisy(wave, 20)[:-160], RATE), VCA)
    assert (len(shorter.reference), shorter.padded) == (RATE - 160, 0)


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("rules", "value", "n"), [(OURS, 2.5, 2), (MIRA, 5 / 3, 3), (SVTS, 2.5, 2), (VCA, None, 2), (LIP2WAV, None, 2)],
    ids=lambda item: getattr(item, "name", None),
)  # fmt: skip
def test_a_failed_pesq(rules, value, n):
    metric = next(name for name in rules.metrics if name.startswith("pesq"))
    found = column(rules, metric, pesqs(metric, 2.0, "no-utterances", 3.0))
    assert found.value == (None if value is None else pytest.approx(value))
    assert (found.n, found.n_failed, found.unit) == (n, 1, METRICS[metric].unit)
    assert bool(found.note) == (value is None)


def test_where_the_original_stops_no_column_of_waves_has_a_value():
    lines = [
        {"clip": "s1/a", "stoi": 0.5, "errors": {"pesq_nb": "silent"}},
        {"clip": "s1/b", "stoi": 0.7, "pesq_nb": 2.0},
    ]
    found = column(LIP2WAV, "stoi", lines)
    assert (found.value, found.floored, found.n) == (None, None, 2)
    assert found.note == "the program behind lip2wav-2020 stops at a failed PESQ: s1/a"
    assert column(VCA, "stoi", lines).value == pytest.approx(0.6), "its own PESQ is another one"
    words = [line | {"wer": {"sub": 1, "del": 0, "ins": 0, "words": 4}} for line in lines]
    assert column(LIP2WAV, "wer", words).value == 25, "words are counted by a program of their own"


@pytest.mark.parametrize("rules", PROTOCOLS.values(), ids=lambda item: item.name)
@pytest.mark.parametrize("gone", [{"clip": "c"}, {"clip": "c", "errors": dict.fromkeys(METRICS, "missing")}])
def test_a_missing_clip_is_counted_by_all(rules, gone):
    """No program sees a file that is not there: it neither scores 0 nor stops."""
    for metric in rules.metrics:
        there = heard(BLUE) if metric == "wer" else pesqs(metric, 2.0)
        found = column(rules, metric, [*there, gone])
        assert (found.n, found.n_failed) == (1, 1)
        assert found.value is not None


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("rules", "one", "both"),
    [
        (OURS, 200, 500 / 8),
        (MIRA, 400 / 6, (400 / 6 + 100 / 6) / 2),
        (SVTS, 400 / 6, (400 / 6 + 100 / 6) / 2),
        (VCA, 200, (200 + 100 / 6) / 2),
        (LIP2WAV, 200, 500 / 8),
    ],
    ids=lambda item: getattr(item, "name", None),
)
def test_whose_words_divide_and_what_is_averaged(rules, one, both):
    """4 errors around 2 words, alone and beside 1 error in 6; two programs divide by the 6 words of the transcript."""
    assert column(rules, "wer", heard(WHITE)).value == pytest.approx(one)
    assert column(rules, "wer", heard(WHITE, BLUE)).value == pytest.approx(both)
    nothing = heard(Words(reference=BLUE.reference, hypothesis=""))  # counts as one word where it divides
    assert column(rules, "wer", nothing).value == (600 if rules in (MIRA, SVTS) else 100)


def test_one_word_heard_as_one_word_is_one_minus_word_accuracy():
    """The WER that evalaudio prints for LRW, where a classifier names one of 500 words."""
    texts = [("about", "about"), ("about", "above"), ("young", "young"), ("years", "young")]
    words = [Words(reference=said, hypothesis=understood) for said, understood in texts]
    accuracy = column(
        MIRA, "word_accuracy", [{"clip": "c", "word_accuracy": METRICS["word_accuracy"].compute(w)} for w in words]
    )
    assert (accuracy.value, accuracy.unit) == (50.0, "%")
    assert column(MIRA, "wer", heard(*words)).value == 100 - accuracy.value


def test_vca_gan_lets_the_recogniser_hear_peak_and_preemphasis():
    assert {rules.name for rules in PROTOCOLS.values() if rules.prepare != "none"} == {"vca-gan-2021"}
    prepare = PREPARATIONS[VCA.prepare]
    wave = np.array([0.1, 0.2, -0.4, 0.0], np.float32)
    # peak .9: .225 .45 -.9 0; then each less .97 of the one before: the third would be -1.3365 and is held at -1
    assert prepare(wave) == pytest.approx([0.225, 0.45 - 0.97 * 0.225, -1.0, 0.97 * 0.9], abs=1e-6)
    assert wave == pytest.approx([0.1, 0.2, -0.4, 0.0]), "the wave itself is left alone"
    assert not prepare(np.zeros(3, np.float32)).any()
    assert prepare(np.zeros(0, np.float32)).size == 0
    assert prepare(wave).dtype == np.float32
    assert (PREPARATIONS["none"](wave) == wave).all()


# ---------------------------------------------------------------- columns

VALUES = st.lists(st.one_of(st.floats(-1, 1), st.just("silent"), st.just("missing")), min_size=1, max_size=12)
COUNTS = st.tuples(*[st.integers(0, 9)] * 3, st.integers(1, 9))


@given(values=VALUES)
@pytest.mark.parametrize("rules", PROTOCOLS.values(), ids=lambda item: item.name)
def test_a_column_is_the_mean_of_what_succeeded(rules, values):
    found = column(rules, "stoi", pesqs("stoi", *values))
    numbers = [value for value in values if not isinstance(value, str)]
    assert found.n + found.n_failed == len(values)
    if not numbers:
        assert found.value is None
        assert found.note == "no clip has a value"
        return
    assert found.value == pytest.approx(np.mean(numbers))
    if found.n_failed:
        assert found.floored == pytest.approx(sum(numbers) / len(values))
    else:
        assert found.floored is None


@given(edits=st.lists(COUNTS, min_size=1, max_size=12))
@pytest.mark.parametrize("rules", PROTOCOLS.values(), ids=lambda item: item.name)
def test_a_column_is_the_ratio_of_its_shares(rules, edits):
    lines = [
        {"clip": f"c{i}", "wer": {"sub": 0, "del": min(lost, words), "ins": more, "words": words + wrong}}
        for i, (wrong, lost, more, words) in enumerate(edits)
    ]
    found = column(rules, "wer", lines)
    tops, bottoms = zip(*shares(rules, "wer", lines), strict=True)
    assert found.value == pytest.approx(sum(tops) / sum(bottoms))
    assert found.n == len(lines)
    assert found.value == pytest.approx(column(rules, "wer", lines[::-1]).value)


def test_the_floor_of_a_rate_needs_the_words_that_were_to_be_said():
    lines = [*heard(BLUE), {"clip": "lost", "errors": {"wer": "unreadable"}}]
    assert column(OURS, "wer", lines).floored is None
    assert column(OURS, "wer", lines, {"lost": 4}).floored == pytest.approx(100 * (1 + 4) / 10)
    assert column(VCA, "wer", lines).floored == pytest.approx((100 / 6 + 100) / 2), "a mean of rates needs none"
