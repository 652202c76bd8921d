"""Metrics, protocols and guards: the figures of a public pair, the traps of the libraries, the rules of lengths."""

from __future__ import annotations

from collections import Counter
from unittest.mock import Mock

import numpy as np
import pesq
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.voices import RATE, noisy, voice
from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS, NOTES, REASONS, Pair, UnusableError, Words, align, check, metric
from v2sbench.scoring.metrics import pesq as mos_module
from v2sbench.scoring.metrics.pesq import mos, raw_mos

SILENCE = np.zeros(RATE, np.float32)


@pytest.fixture(scope="module")
def speech(pesq_pair):
    return tuple(soundfile.read(path, dtype="float32")[0] for path in pesq_pair)


def score(reference, prediction, *names, rate=RATE):
    pair = Pair.of((reference, rate), (prediction, rate))
    return tuple(METRICS[name].compute(pair) for name in names)


# ---------------------------------------------------------------- published figures


def test_one_pair_has_five_pesqs(speech):
    wide, narrow, narrow8 = score(*speech, "pesq_wb", "pesq_nb", "pesq_nb8")
    assert (wide, narrow, narrow8) == pytest.approx((1.083, 1.607, 1.666), abs=1e-3)
    assert score(*speech, "pesq_raw", "pesq_raw8") == pytest.approx((1.969, 2.042), abs=1e-3)
    assert (raw_mos(narrow), raw_mos(narrow8)) == score(*speech, "pesq_raw", "pesq_raw8")


def test_stoi_and_estoi_of_the_pair(speech):
    assert score(*speech, "stoi", "estoi") == pytest.approx((0.674, 0.390), abs=1e-3)
    assert score(*speech[::-1], "pesq_wb", "stoi") == pytest.approx((1.045, 0.526), abs=1e-3), "swapped"


@pytest.mark.parametrize(
    ("milliseconds", "stoi", "estoi"), [(10, 0.893, 0.815), (20, 0.767, 0.626), (40, 0.561, 0.324), (80, 0.319, 0.007)]
)
def test_a_shift_ruins_stoi_and_leaves_pesq(speech, milliseconds, stoi, estoi):
    clean = speech[0]
    late = milliseconds * RATE // 1000
    found = score(clean, clean[late:], "stoi", "estoi", "pesq_nb")
    assert found[:2] == pytest.approx((stoi, estoi), abs=5e-3)
    assert found[2] > 4.5


@pytest.mark.parametrize("milliseconds", [10, 20, 40])
def test_aligned_measures_undo_a_shift_of_up_to_a_picture(speech, milliseconds):
    clean = speech[0]
    early = clean[milliseconds * RATE // 1000 :]
    assert score(clean, early, "stoi_aligned", "estoi_aligned") == pytest.approx((1, 1), abs=0.01)
    pair = Pair.of((clean, RATE), (early, RATE))
    assert set(pair.notes) == {"padded"}, "nobody asked for a shift yet"
    METRICS["stoi_aligned"].compute(pair)
    shift = -milliseconds / 1000
    assert set(pair.notes) <= set(NOTES)
    assert pair.notes == pytest.approx({"padded": milliseconds * 16, "stoi_shift": shift, "estoi_shift": shift})


def test_floors_are_not_zero(speech):
    """White noise at -40 dB and a constant: a table without such rows cannot be read."""
    clean = speech[0]
    noise = (0.01 * np.random.default_rng(0).standard_normal(len(clean))).astype(np.float32)
    assert score(clean, noise, "pesq_wb", "stoi") == pytest.approx((1.06, 0.372), abs=5e-3)
    assert score(clean, np.full_like(clean, 0.1), "stoi") == pytest.approx((0.513,), abs=1e-3)


def test_identity_reaches_the_top_of_pesq(speech):
    found = score(speech[0], speech[0], "pesq_wb", "pesq_nb", "pesq_nb8")
    assert found == pytest.approx((4.644, 4.549, 4.549), abs=1e-3)


# ---------------------------------------------------------------- PESQ


@pytest.mark.parametrize(("rate", "mode"), [(16_000, "wb"), (16_000, "nb"), (8_000, "nb")])
@pytest.mark.parametrize("snr", [-5, 10, 40])
def test_flushed_denormals_change_no_score(rate, mode, snr):
    reference = voice(1.5, 3, rate)
    prediction = noisy(reference, snr)
    assert mos(reference, prediction, rate, mode) == pesq.pesq(rate, reference, prediction, mode)
    assert np.float32(1e-38) * np.float32(0.01) > 0, "denormals are flushed outside of the call too"


def test_other_machines_are_not_touched(monkeypatch):
    monkeypatch.setattr(mos_module.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(mos_module, "_libm", lambda: pytest.fail("the control word of another machine was touched"))
    reference = voice(1.0)
    assert mos(reference, noisy(reference, 10), RATE, "wb") > 1


@pytest.mark.parametrize(
    ("reference", "prediction", "reason"),
    [
        (voice(0.2), voice(0.2), "too-short"),
        (voice(1.0), SILENCE, "silent"),
        (SILENCE, voice(1.0), "no-utterances"),
        (voice(1.0), np.full(RATE, np.nan, np.float32), "not-finite"),
        (np.tile(voice(2.0), 11), np.tile(voice(2.0), 11), "too-long"),
    ],
)
def test_traps_of_pesq_are_reasons(reference, prediction, reason):
    with pytest.raises(UnusableError) as caught:
        mos(reference, prediction, RATE, "wb")
    assert caught.value.reason == reason
    assert reason in REASONS


@pytest.mark.parametrize(("mode", "lqo", "raw"), [("nb", 4.5486, 4.5), ("nb", 1.607, 1.969), ("wb", 4.6439, 4.5)])
def test_raw_mos_inverts_the_mapping(mode, lqo, raw):
    assert raw_mos(lqo, mode) == pytest.approx(raw, abs=2e-3)


# ---------------------------------------------------------------- lengths and guards


@given(reference=st.integers(0, 50), prediction=st.integers(0, 50))
def test_align_pads_or_cuts_the_prediction(reference, prediction):
    first, second = np.ones(reference, np.float32), np.arange(1, prediction + 1, dtype=np.float32)
    aligned, fitted, padded = align(first, second)
    assert aligned is not None
    assert (aligned == first).all()
    assert len(fitted) == reference
    assert padded == reference - prediction
    kept = min(reference, prediction)
    assert (fitted[:kept] == second[:kept]).all()
    assert not fitted[kept:].any()


@pytest.mark.parametrize(
    ("wave", "status"),
    [
        (SILENCE, "silent"),
        (1e-9 * voice(1.0), "silent"),
        (np.full(RATE, np.inf, np.float32), "not-finite"),
        (np.where(np.arange(RATE) == 99, np.nan, voice(1.0)), "not-finite"),
        (voice(0.2), "too-short"),
        (np.zeros(0, np.float32), "too-short"),
    ],
)
def test_unusable_waves_have_a_status(wave, status):
    check(np.asarray(1e-2 * voice(1.0)), RATE)
    good = (voice(1.0), RATE)
    with pytest.raises(UnusableError) as caught:
        Pair.of(good, (wave, RATE))
    assert caught.value.reason == status
    with pytest.raises(UnusableError) as caught:
        Pair.of((wave, RATE), good)
    assert caught.value.reason == f"reference-{status}"
    assert status in REASONS


def test_a_prediction_that_starts_after_the_reference_ends_is_silent():
    late = np.concatenate([np.zeros(2 * RATE, np.float32), voice(1.0)])
    with pytest.raises(UnusableError, match=r"^silent"):
        Pair.of((voice(1.0), RATE), (late, RATE))


def test_too_few_frames_fail_stoi_and_nothing_else():
    reference = np.concatenate([voice(0.3), np.zeros(RATE, np.float32)])
    pair = Pair.of((reference, RATE), (noisy(reference, 20), RATE))
    for name in ("stoi", "estoi", "stoi_aligned", "estoi_aligned", "stoi_int16"):
        with pytest.raises(UnusableError) as caught:
            METRICS[name].compute(pair)
        assert caught.value.reason == "too-short"
    assert METRICS["pesq_wb"].compute(pair) > 1


def test_shared_work_is_done_once(monkeypatch):
    from v2sbench.scoring.metrics import pair as pairs

    calls = []
    for name in ("resample", "mos", "intelligibility", "aligned"):
        original = getattr(pairs, name)
        monkeypatch.setattr(
            pairs, name, lambda *args, name=name, original=original: calls.append((name, *args[1:])) or original(*args)
        )
    pair = Pair.of((voice(1.0, rate=24_000), 24_000), (voice(1.0, 1, rate=24_000), 24_000))
    for item in METRICS.values():
        if item.needs == "pair" and not item.extra:
            assert item.compute(pair) == item.compute(pair)
    count = Counter(name for name, *_ in calls)
    assert count == {"resample": 4, "mos": 3, "intelligibility": 2, "aligned": 1}
    assert METRICS["pesq_raw8"].compute(pair) == raw_mos(METRICS["pesq_nb8"].compute(pair))


@pytest.mark.parametrize("failure", [{"return_value": float("nan")}, {"side_effect": pesq.OutOfMemoryError(b"none")}])
def test_a_pesq_that_fails_once_fails_again(monkeypatch, failure):
    broken = Mock(**failure)
    monkeypatch.setattr(mos_module.pesq, "pesq", broken)
    pair = Pair.of((voice(1.0), RATE), (noisy(voice(1.0), 10), RATE))
    for name in ("pesq_nb", "pesq_raw"):
        with pytest.raises(UnusableError, match="pesq-failed"):
            METRICS[name].compute(pair)
    assert broken.call_count == 1


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("name", "reference", "hypothesis", "counts"),
    [
        ("wer", "bin blue at f two now", "bin blue at f two now", (0, 0, 0, 6)),
        ("wer", "bin blue at f two now", "bin blue at s two now", (1, 0, 0, 6)),
        ("wer", "bin blue at f two now", "bin blue at two now", (0, 1, 0, 6)),
        ("wer", "bin blue at f two now", "", (0, 6, 0, 6)),
        ("wer", "bin", "a b c", (1, 0, 2, 1)),
        ("wer", "set white", "a set b c white d", (0, 0, 4, 2)),
        ("cer", "bin blue", "bin blew", (2, 0, 0, 8)),
        ("cer", "bin", "bins", (0, 0, 1, 3)),
        ("cer", "set f", "setf", (0, 1, 0, 5)),
        ("cer", "bin", "", (0, 3, 0, 3)),
    ],
)
def test_edit_counts(name, reference, hypothesis, counts):
    """Divided by the words, or characters, of the reference."""
    found = METRICS[name].compute(Words(reference=reference, hypothesis=hypothesis))
    assert found == dict(zip(("sub", "del", "ins", METRICS[name].per), counts, strict=True))


def test_word_accuracy_is_all_or_nothing():
    heard = ("about", "above", "about it", "")
    found = [METRICS["word_accuracy"].compute(Words(reference="about", hypothesis=text)) for text in heard]
    assert found == [100, 0, 0, 0]


@pytest.mark.parametrize("name", ["wer", "cer", "word_accuracy"])
def test_no_text_is_no_score(name):
    with pytest.raises(UnusableError, match="no-text"):
        METRICS[name].compute(Words(reference="", hypothesis="bin"))


# ---------------------------------------------------------------- names


def test_names():
    columns = [item.column for item in METRICS.values()]
    assert len(set(columns)) == len(columns)
    assert "PESQ" not in columns, "which PESQ?"
    with pytest.raises(UseError, match="did you mean 'estoi'"):
        metric("estio")
