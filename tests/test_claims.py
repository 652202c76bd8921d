"""Pairs, Holm's correction over them, and verdicts whichever way they fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores
from v2sbench.results import Measured, claims, compare, load, read_claims
from v2sbench.results.bootstrap import MIN_PAIRS, Outcome
from v2sbench.results.claims import Claim, Pair, decide, incomplete, judge, neighbours
from v2sbench.results.measured import Recipe, recipes
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import Variant

METRICS = ["pesq_wb", "stoi", "wer"]
CLIPS = [f"s1/clip{index:03d}" for index in range(40)]
OWN_SIZE: dict[str, Any] = {"training": {"seed": 1, "steps": 100, "changed": {}}}
SCRATCH, FROZEN, TUNED = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "frozen", "tuned"))


@pytest.fixture
def systems(tmp_path: Path) -> dict[str, Recipe]:
    fake_scores.write_all(tmp_path, "s")
    return by_recipe(tmp_path)


def by_recipe(measured: Path) -> dict[str, Recipe]:
    return recipes(load("s", measured))


def test_claims_in_git_are_sound() -> None:
    found = {claim.id: claim for claim in read_claims()}
    assert {claim.source for claim in found.values()} == {"kefalas2024"}
    assert found["pretraining-not-wer"].metrics == ("wer",)
    assert found["lrw-scratch-best"].splits == ("lrw-unseen",)


def test_pairs_differ_in_one_thing(systems: dict[str, Recipe]) -> None:
    pairs = neighbours("s", systems, METRICS)
    assert {(pair.left.name, pair.right.name) for pair in pairs} == {(FROZEN, SCRATCH), (TUNED, SCRATCH)}
    assert [pair.metric for pair in pairs] == METRICS * 2


def test_a_clear_gain_is_called_and_a_small_one_is_not_called(systems: dict[str, Recipe]) -> None:
    said = {(pair.left.init, pair.metric): pair.outcome for pair in neighbours("s", systems, METRICS)}
    assert said["tuned", "stoi"] == said["tuned", "wer"] == "better"
    assert said["frozen", "wer"] == "inconclusive"


def test_the_correction_never_lowers_a_p_value(systems: dict[str, Recipe]) -> None:
    for pair in neighbours("s", systems, METRICS):
        assert pair.comparison is not None
        assert pair.p_adjusted is not None
        assert pair.p_adjusted >= pair.comparison.p


def trained(folder: Path, recipe: str, levels: list[float], **meta: Any) -> None:
    """Scores of a recipe's trainings, one a level."""
    for seed, level in enumerate(levels, start=1):
        name = f"{recipe}.seed{seed}"
        fake_scores.write(folder / "s", name, fake_scores.scores(level, 40, seed), **{**OWN_SIZE, **meta})


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    systems = by_recipe(folder)
    found = judge("s", read_claims(), neighbours("s", systems, METRICS), systems)
    return {verdict.claim.id: (verdict.result, verdict.basis) for verdict in found}


def test_a_loss_is_said_as_plainly(tmp_path: Path) -> None:
    trained(tmp_path, SCRATCH, [0.60, 0.61, 0.59])
    trained(tmp_path, TUNED, [0.40, 0.41, 0.39])
    assert [pair.outcome for pair in neighbours("s", by_recipe(tmp_path), METRICS)] == ["worse"] * 3
    found = verdicts(tmp_path)
    assert found["pretraining-improves-quality"][0] == "contradicted"
    assert found["pretraining-not-wer"][0] == "supported"
    assert found["speaker-beats-face"] == ("not tested here", "no pair of measured systems")
    assert "lrw-scratch-best" not in found


@pytest.mark.parametrize(
    ("levels", "meta", "why"),
    [
        ([0.6], {}, "has 1 of the 3 trainings"),
        ([0.60, 0.61], {}, "has 2 of the 3 trainings"),
        (
            [0.60, 0.61, 0.59],
            {"training": {"changed": {"train.steps": [100000, 250]}}},
            "train.steps is 250, not 100000",
        ),
        ([0.60, 0.61, 0.59], {"training": None}, "how v2a-mel-s-speaker-tuned was trained is unknown"),
    ],
)
def test_a_claim_needs_its_own_size_and_three_trainings(
    tmp_path: Path, levels: list[float], meta: dict[str, Any], why: str
) -> None:
    trained(tmp_path, SCRATCH, [0.40, 0.41, 0.39])
    trained(tmp_path, TUNED, levels, **meta)
    result, basis = verdicts(tmp_path)["pretraining-improves-quality"]
    assert result == "not tested here"
    assert why in basis


def test_trainings_that_lie_apart_decide_less_than_their_utterances(tmp_path: Path) -> None:
    """One training of each may differ clearly where the recipes do not."""
    trained(tmp_path, SCRATCH, [0.40, 0.50, 0.60])
    trained(tmp_path, TUNED, [0.45, 0.55, 0.62])
    both = neighbours("s", by_recipe(tmp_path), METRICS)
    assert {pair.outcome for pair in both} == {"inconclusive"}
    assert {pair.comparison.trainings for pair in both if pair.comparison} == {(3, 3)}
    single = recipes({name: item for name, item in load("s", tmp_path).items() if name.endswith("seed1")})
    alone = neighbours("s", single, METRICS)
    assert {pair.outcome for pair in alone} == {"better"}
    assert not any(pair.comparison.of_recipes for pair in alone if pair.comparison)


def test_few_utterances_decide_nothing(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, "s", count=MIN_PAIRS - 1)
    assert {pair.outcome for pair in neighbours("s", by_recipe(tmp_path), METRICS)} == {"inconclusive"}


def test_systems_scored_differently_are_not_compared(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", SCRATCH, fake_scores.scores(0.4, 40, 1))
    fake_scores.write(tmp_path / "s", TUNED, fake_scores.scores(0.6, 40, 2), asr="another")
    pairs = {pair.metric: pair for pair in neighbours("s", by_recipe(tmp_path), METRICS)}
    assert pairs["stoi"].outcome == "better"
    assert pairs["wer"].outcome is None
    assert "asr differs" in pairs["wer"].why_not


def test_failures_take_the_pair_out(tmp_path: Path) -> None:
    lines = fake_scores.scores(0.4, 40, 1)
    del lines[0]["stoi"]
    fake_scores.write(tmp_path / "s", SCRATCH, lines)
    fake_scores.write(tmp_path / "s", TUNED, fake_scores.scores(0.6, 40, 2))
    (pair,) = neighbours("s", by_recipe(tmp_path), ["stoi"])
    assert pair.comparison is not None
    assert (pair.comparison.n, pair.comparison.n_left_out) == (39, 1)


def test_one_comparison_is_undecided_until_its_family_is_known(systems: dict[str, Recipe]) -> None:
    found = compare("s", "stoi", ("a", systems[TUNED]), ("b", systems[SCRATCH]), CLIPS)
    assert found.comparison is not None
    assert (found.left, found.right, found.outcome, found.p_adjusted) == ("a", "b", None, None)
    (alone,) = decide([found])
    assert (alone.outcome, alone.p_adjusted) == ("better", found.comparison.p)
    assert {item.p_adjusted for item in decide([found] * 7)} == {7 * found.comparison.p}


def test_a_comparison_leaves_out_what_cannot_be_compared(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fake_scores.write(tmp_path / "s", name, [{"clip": name, "status": "ok", "stoi": 0.5}])
    systems = by_recipe(tmp_path)
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


def large(*models: str) -> dict[str, Recipe]:
    """Recipes of their cards' own size with three trainings, without scores."""
    item = Measured(system="x", meta=OWN_SIZE, lines={})
    names = [
        Variant(model=model, identity="speaker", init=init).name for model in models for init in ("tuned", "scratch")
    ]
    return {name: Recipe(name=name, trainings=(item,) * 3) for name in names}


def claim(**changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "id": "c", "text": "T.", "source": "k", "grade": "secondary", "axis": "init", "left": ("frozen", "tuned"),
        "right": ("scratch",), "metrics": ("stoi",), "holds": "most",
    }  # fmt: skip
    return Claim(**{**fields, **changes})


@pytest.mark.parametrize(
    ("holds", "outcomes", "result"),
    [
        ("most", ["better", "better", "worse"], "supported"),
        ("most", ["better", "worse"], "contradicted"),
        ("most", ["better", "inconclusive"], "undecided"),
        ("most", ["better", "inconclusive", "inconclusive", "worse"], "undecided"),
        ("most", [], "not tested here"),
        ("some", ["better", "worse"], "supported"),
        ("some", ["better", "better"], "contradicted"),
        ("some", ["better", "inconclusive"], "undecided"),
    ],
)
def test_verdicts_from_outcomes(holds: str, outcomes: list[Outcome], result: str) -> None:
    (verdict,) = judge("s", [claim(holds=holds)], pairs_of(outcomes), large("mel-s"))
    assert verdict.result == result
    assert verdict.better + verdict.worse + verdict.undecided == len(outcomes)


def test_a_claim_the_other_way_round_flips_the_outcomes() -> None:
    scratch_best = claim(left=("scratch",), right=("frozen", "tuned"))
    (verdict,) = judge("s", [scratch_best], pairs_of(["worse", "worse"]), large("mel-s"))
    assert (verdict.result, verdict.better) == ("supported", 2)


def test_a_claim_takes_only_what_it_is_about() -> None:
    pairs = pairs_of(["better"], metric="wer") + pairs_of(["better"], model="mel-m")
    (verdict,) = judge("s", [claim(models=("mel-s",))], pairs, large("mel-s"))
    assert verdict.result == "not tested here"
    assert judge("s", [claim(splits=("other",))], pairs, large("mel-s")) == []


def test_what_is_missing_for_a_decision() -> None:
    assert incomplete([SCRATCH, "ground-truth"]) == [FROZEN, TUNED]
    assert incomplete([f"{SCRATCH}.seed2", FROZEN, TUNED]) == []
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
