"""Pairs, Holm's correction over them, and verdicts whichever way they fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores
from v2sbench.results import Measured, claims, compare, load, read_claims
from v2sbench.results.bootstrap import MIN_PAIRS, Outcome
from v2sbench.results.claims import Claim, Pair, decide, incomplete, judge, neighbours
from v2sbench.results.measured import asked
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import Variant

METRICS = ["pesq_wb", "stoi", "wer"]
SCRATCH, FROZEN, TUNED = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "frozen", "tuned"))


@pytest.fixture
def systems(tmp_path: Path) -> dict[str, Measured]:
    return load("s", fake_scores.write_all(tmp_path, "s").parent)


def test_claims_in_git_are_sound() -> None:
    found = {claim.id: claim for claim in read_claims()}
    assert {claim.source for claim in found.values()} == {"kefalas2024"}
    assert found["pretraining-not-wer"].metrics == ("wer",)
    assert found["lrw-scratch-best"].splits == ("lrw-unseen",)


def test_pairs_differ_in_one_thing(systems: dict[str, Measured]) -> None:
    pairs = neighbours("s", systems, METRICS)
    assert {(pair.left.name, pair.right.name) for pair in pairs} == {(FROZEN, SCRATCH), (TUNED, SCRATCH)}
    assert [pair.metric for pair in pairs] == METRICS * 2


def test_a_clear_gain_is_reproduced_and_a_small_one_is_not_called(systems: dict[str, Measured]) -> None:
    said = {(pair.left.init, pair.metric): pair.outcome for pair in neighbours("s", systems, METRICS)}
    assert said["tuned", "stoi"] == said["tuned", "wer"] == "better"
    assert said["frozen", "wer"] == "inconclusive"


def test_the_correction_never_lowers_a_p_value(systems: dict[str, Measured]) -> None:
    for pair in neighbours("s", systems, METRICS):
        assert pair.comparison is not None
        assert pair.p_adjusted is not None
        assert pair.p_adjusted >= pair.comparison.p


def test_a_loss_is_said_as_plainly(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", SCRATCH, fake_scores.scores(0.6, 40, 1))
    fake_scores.write(tmp_path / "s", TUNED, fake_scores.scores(0.4, 40, 2))
    pairs = neighbours("s", load("s", tmp_path), METRICS)
    assert [pair.outcome for pair in pairs] == ["worse"] * 3
    verdicts = {verdict.claim.id: verdict.result for verdict in judge("s", read_claims(), pairs)}
    assert verdicts["pretraining-improves-quality"] == "not reproduced"
    assert verdicts["pretraining-not-wer"] == "reproduced"
    assert verdicts["speaker-beats-face"] == "not measured"
    assert "lrw-scratch-best" not in verdicts


def test_few_utterances_decide_nothing(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, "s", count=MIN_PAIRS - 1)
    assert {pair.outcome for pair in neighbours("s", load("s", tmp_path), METRICS)} == {"inconclusive"}


def test_systems_scored_differently_are_not_compared(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", SCRATCH, fake_scores.scores(0.4, 40, 1))
    fake_scores.write(tmp_path / "s", TUNED, fake_scores.scores(0.6, 40, 2), asr="another")
    pairs = {pair.metric: pair for pair in neighbours("s", load("s", tmp_path), METRICS)}
    assert pairs["stoi"].outcome == "better"
    assert pairs["wer"].outcome is None
    assert "asr differs" in pairs["wer"].why_not


def test_failures_take_the_pair_out(tmp_path: Path) -> None:
    lines = fake_scores.scores(0.4, 40, 1)
    del lines[0]["stoi"]
    fake_scores.write(tmp_path / "s", SCRATCH, lines)
    fake_scores.write(tmp_path / "s", TUNED, fake_scores.scores(0.6, 40, 2))
    (pair,) = neighbours("s", load("s", tmp_path), ["stoi"])
    assert pair.comparison is not None
    assert (pair.comparison.n, pair.comparison.n_left_out) == (39, 1)


def test_one_comparison_is_undecided_until_its_family_is_known(systems: dict[str, Measured]) -> None:
    found = compare("s", "stoi", ("a", systems[TUNED]), ("b", systems[SCRATCH]), asked(systems))
    assert found.comparison is not None
    assert (found.left, found.right, found.outcome, found.p_adjusted) == ("a", "b", None, None)
    (alone,) = decide([found])
    assert (alone.outcome, alone.p_adjusted) == ("better", found.comparison.p)
    assert {item.p_adjusted for item in decide([found] * 7)} == {7 * found.comparison.p}


def test_a_comparison_leaves_out_what_cannot_be_compared(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fake_scores.write(tmp_path / "s", name, [{"clip": name, "status": "ok", "stoi": 0.5}])
    systems = load("s", tmp_path)
    for metric, said in (("wer", "not measured"), ("stoi", "no utterance has a value of both")):
        found = compare("s", metric, ("a", systems["a"]), ("b", systems["b"]), ["a", "b"])
        assert (found.comparison, found.why_not) == (None, said)
    assert decide([found]) == [found]


# ---------------------------------------------------------------- verdicts


def pairs_of(outcomes: list[Outcome], metric: str = "stoi", model: str = "mel-s") -> list[Pair]:
    left, right = (Variant(model=model, identity="speaker", init=init) for init in ("tuned", "scratch"))
    return [
        Pair(axis="init", left=left, right=right, metric=metric, comparison=None, outcome=said) for said in outcomes
    ]


def claim(**changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "id": "c", "text": "T.", "source": "k", "grade": "secondary", "axis": "init", "left": ("frozen", "tuned"),
        "right": ("scratch",), "metrics": ("stoi",), "holds": "most",
    }  # fmt: skip
    return Claim(**{**fields, **changes})


@pytest.mark.parametrize(
    ("holds", "outcomes", "result"),
    [
        ("most", ["better", "better", "worse"], "reproduced"),
        ("most", ["better", "worse"], "not reproduced"),
        ("most", ["better", "inconclusive"], "inconclusive"),
        ("most", ["better", "inconclusive", "inconclusive", "worse"], "inconclusive"),
        ("most", [], "not measured"),
        ("not-all", ["better", "worse"], "reproduced"),
        ("not-all", ["better", "better"], "not reproduced"),
        ("not-all", ["better", "inconclusive"], "inconclusive"),
    ],
)
def test_verdicts_from_outcomes(holds: str, outcomes: list[Outcome], result: str) -> None:
    (verdict,) = judge("s", [claim(holds=holds)], pairs_of(outcomes))
    assert verdict.result == result
    assert verdict.better + verdict.worse + verdict.undecided == len(outcomes)


def test_a_claim_the_other_way_round_flips_the_outcomes() -> None:
    scratch_best = claim(left=("scratch",), right=("frozen", "tuned"))
    (verdict,) = judge("s", [scratch_best], pairs_of(["worse", "worse"]))
    assert (verdict.result, verdict.better) == ("reproduced", 2)


def test_a_claim_takes_only_what_it_is_about() -> None:
    pairs = pairs_of(["better"], metric="wer") + pairs_of(["better"], model="mel-m")
    (verdict,) = judge("s", [claim(models=("mel-s",))], pairs)
    assert verdict.result == "not measured"
    assert judge("s", [claim(splits=("other",))], pairs) == []


def test_what_is_missing_for_a_decision() -> None:
    assert incomplete([SCRATCH, "ground-truth"]) == [FROZEN, TUNED]
    assert incomplete([SCRATCH, FROZEN, TUNED]) == []
    assert incomplete(["ground-truth"]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("axis: sizes", "unknown axis 'sizes'"),
        ("left: [tunde]", "unknown init 'tunde', did you mean 'tuned'"),
        ("left: [frozen]\n    right: [tuned]", "compares 'frozen' with 'tuned', which nothing measures"),
        ("metrics: [stio]", "unknown metric 'stio', did you mean 'stoi'"),
        ("holds: always", "unknown quantifier 'always'"),
        ("grade: sure", "unknown grade 'sure'"),
        ("wrong: 1", r"unknown key .*claims\[0\]\.wrong"),
    ],
)
def test_a_bad_claim_is_named(tmp_path: Path, change: str, said: str) -> None:
    keys = {
        "id": "c", "text": "T.", "source": "k", "grade": "secondary", "axis": "init", "left": "[tuned]",
        "right": "[scratch]", "metrics": "[stoi]", "holds": "most",
    }  # fmt: skip
    for line in change.split("\n"):
        key, _, value = line.strip().partition(": ")
        keys[key] = value
    path = tmp_path / "claims.yaml"
    body = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    path.write_text("claims:\n  -" + body[3:], encoding="utf-8")
    with pytest.raises(UseError, match=said):
        read_claims(path)


def test_paired_axes_cover_every_axis() -> None:
    assert set(claims.PAIRED) == set(claims.AXES)
