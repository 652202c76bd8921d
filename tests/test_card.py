"""Cards and profiles: merging, checking, hashing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.nets import card_chain, card_from_json, list_cards, load_card, load_params
from v2sbench.nets.cards import Params
from v2sbench.runtime import UseError, build, merge, read_yaml

PROFILE: dict[str, Any] = {
    "profile": "test", "seed": 1, "threads": 1, "corpora": {}, "splits": {}, "pretrain_split": "p", "models": ["mel-s"],
    "identities": ["speaker"], "v2a_splits": ["s"], "references": [], "asr": "grid-grammar", "protocol": "v2sbench-1",
}  # fmt: skip

trees = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abcd"), inner), max_leaves=8)
mappings = st.dictionaries(st.sampled_from("abcd"), trees)


def profile(**override: Any) -> Params:
    return build(Params, {**PROFILE, "override": override}, "params.yaml")


@given(mappings, mappings, mappings)
def test_merge_is_associative_and_keeps_both_sides(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert merge(a, {}) == merge({}, a) == a
    assert merge(a, a) == a
    assert merge(a, b).keys() == a.keys() | b.keys()
    for key, value in merge(a, b).items():
        if key not in b:
            assert value == a[key]
        elif not isinstance(b[key], dict):
            assert value == b[key]


def test_overrides_go_from_the_model_to_the_card() -> None:
    params = profile(**{"mel-s": {"train": {"steps": 5, "batch": 3}}, "a2a-mel-s": {"train": {"steps": 7}}})
    assert (load_card("a2a-mel-s", params).train.steps, load_card("a2a-mel-s", params).train.batch) == (7, 3)
    scratch = load_card("v2a-mel-s-speaker-scratch", params)
    assert (scratch.train.steps, scratch.train.batch) == (5, 3)
    assert load_card("a2a-mel-m", params) == load_card("a2a-mel-m")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"mel-s": {"train": {"stepps": 5}}}, "unknown key a2a-mel-s.train.stepps, did you mean 'steps'"),
        ({"mel-s": {"train": {"steps": "many"}}}, "a2a-mel-s.train.steps must be int, not 'many'"),
        ({"mel-s": {"arch": {"decoder": {"kernel": 4}}}}, "must be odd"),
        ({"mel-s": {"arch": {"decoder": 4}}}, "arch.decoder must be a mapping"),
        ({"mel-s": {"data": {"crop": 97}}}, "a2a-mel-s.data.crop must be 1 to 96, not 97"),
        ({"mel-s": {"train": {"steps": 0}}}, "a2a-mel-s.train.steps must be 1 to"),
        ({"mel-s": {"train": {"batch": -3}}}, "a2a-mel-s.train.batch must be 1 to"),
        ({"mel-s": {"train": {"lr": math.nan}}}, "a2a-mel-s.train.lr must be a finite number"),
        ({"mel-s": {"train": {"lr": 10**310}}}, "a2a-mel-s.train.lr must be float"),
        ({"mel-s": {"train": {"betas": [0.9]}}}, "a2a-mel-s.train.betas must be a list of 2 entries, not 1"),
        ({"mel-s": {"arch": {"video": {"width": 0}}}}, "a2a-mel-s.arch.video.width must be 1 to"),
        ({"mel-s": {"arch": {"mel": {"hop": 0}}}}, "a2a-mel-s.arch.mel.hop must be 1 to"),
        ({"mel-s": {"arch": {"mel": {"low": 8000}}}}, "arch.mel.low must be below arch.mel.high"),
        ({"mel-s": {"arch": {"mel": {"window": 4096}}}}, "arch.mel.window must be at most arch.mel.n_fft"),
        ({"mel-s": {"arch": {"video": {"pool": 89}}}}, "arch.video.pool must be at most data.crop"),
        ({"mel-s": {"arch": {"decoder": {"kernel": -5}}}}, "a2a-mel-s.arch.decoder.kernel must be 1 to"),
        ({"mel-s": {"arch": {"audio": {"blocks": [1] * 7}}}}, "a2a-mel-s.arch.audio.blocks must be a list of 1 to 6"),
        ({"mel-s": {"arch": {"audio": {"blocks": [10**6]}}}}, "a2a-mel-s.arch.audio.blocks[0] must be 1 to 64"),
        ({"mel-s": {"train": {"precision": "fp8"}}}, "unknown precision 'fp8'"),
        ({"mel-s": {"freeze": ["decoder"]}}, "freeze needs init"),
        ({"mel-s": {"freeze": ["decodr"], "init": "a2a-mel-m"}}, "did you mean 'decoder'"),
        ({"mel-xs": {}}, "unknown override 'mel-xs', did you mean 'mel-s'"),
    ],
)
def test_bad_values_are_named_by_their_dotted_key(override: dict[str, Any], message: str) -> None:
    with pytest.raises(UseError) as caught:
        load_card("a2a-mel-s", profile(**override))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("card", "change", "message"),
    [
        ("a2a-wave", {"arch": {"wave": None}}, "family wave needs the section arch.wave"),
        ("vocoder", {"arch": {"wave": None}}, "family vocoder needs the section arch.wave"),
        ("a2a-mel-s", {"arch": {"decoder": None}}, "family mel needs the section arch.decoder"),
        ("a2a-wave", {"arch": {"wave": {"strides": [8, 6, 5, 5]}}}, "must multiply to 960, the samples of a video"),
        ("vocoder", {"arch": {"wave": {"strides": [8, 6, 5, 4]}}}, "must multiply to 300, arch.mel.hop"),
        ("a2a-wave", {"arch": {"wave": {"channels": [24]}}}, "arch.wave.channels must be 5, one more than"),
        ("a2a-wave", {"arch": {"wave": {"kernel": 4}}}, "arch.wave.kernel must be odd, not 4"),
        ("a2a-wave", {"loss": {"l1": 1.0}}, "loss.l1 is for family mel; family wave has power, mfcc, stft"),
        ("a2a-wave", {"loss": {"power": 0, "mfcc": 0, "stft": 0}}, "one of loss.power, loss.mfcc, loss.stft must be"),
        ("a2a-wave", {"loss": {"perceptual": 1.0}}, "unknown key a2a-wave.loss.perceptual"),
        ("a2a-wave", {"adversary": None}, "loss.adversarial and loss.features need the section adversary"),
        ("a2a-wave", {"adversary": {"lead": 0.2}}, "adversary needs 0 <= lead <= start < 1"),
        ("a2a-wave", {"adversary": {"betas": [0.5]}}, "a2a-wave.adversary.betas must be a list of 2 entries"),
        ("a2a-wave", {"adversary": {"width": 6}}, "adversary.width must be a multiple of 4, not 6"),
        ("a2a-wave", {"adversary": {"limit": 100}}, "adversary.limit must be adversary.width x 4^n, one of [16, 64, "),
        ("a2a-wave", {"identity": "face"}, "identity face needs source video"),
        ("a2a-mel-s", {"loss": {"l1": 0.0}}, "family mel is trained on loss.l1"),
        ("a2a-mel-s", {"data": {"share": 0.0}}, "a2a-mel-s.data.share must be 1e-09 to 1, not 0.0"),
        ("a2a-mel-s", {"data": {"share": 1.5}}, "a2a-mel-s.data.share must be 1e-09 to 1, not 1.5"),
        ("a2a-mel-s", {"train": {"schedule": "cosin"}}, "did you mean 'cosine'"),
        ("a2a-mel-s", {"family": "wav"}, "unknown family 'wav', did you mean 'wave'"),
    ],
)  # fmt: skip
def test_rules_of_families_are_one_clear_line(card: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UseError) as caught:
        load_card(card, profile(**{card: change}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", list_cards())
def test_a_card_survives_its_json(name: str) -> None:
    card = load_card(name)
    assert card_from_json(card.json()) == card


def test_no_two_cards_are_the_same_training() -> None:
    cards = [load_card(name) for name in list_cards()]
    assert len({card.digest for card in cards}) == len(cards) == 22


def test_an_override_is_for_the_cards_of_exactly_its_model(tmp_path: Path) -> None:
    for name, base in (("a2a-mel-s", None), ("v2a-mel-s-wide-speaker-scratch", "a2a-mel-s")):
        content = f"base: {base}\nsource: video\n" if base else Path("models/a2a-mel-s.yaml").read_text()
        (tmp_path / f"{name}.yaml").write_text(content)
    params = profile(**{"mel-s": {"train": {"steps": 5}}, "mel-s-wide": {"train": {"batch": 3}}})
    narrow, wide = (load_card(name, params, tmp_path) for name in list_cards(tmp_path))
    assert (narrow.train.steps, wide.train.steps) == (5, 200_000)
    assert (narrow.train.batch, wide.train.batch) == (16, 3)
    with pytest.raises(UseError, match="unknown override 'mel-s-wide'"):
        load_card("a2a-mel-s", params)  # no such card among this project's


def test_a_card_depends_on_its_bases() -> None:
    inits = ("frozen", "tuned", "scratch")
    chain = [f"v2a-mel-s-speaker-{init}" for init in inits]
    assert card_chain(chain[0]) == [*chain, "a2a-mel-s"]


def test_a_circle_of_bases_is_refused(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"base: {base}\n")
    assert list_cards(tmp_path) == ["a", "b"]
    with pytest.raises(UseError, match="a -> b -> a"):
        load_card("a", folder=tmp_path)


def test_yaml_is_1_2_and_its_errors_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1e-4\nb: no\n")
    assert read_yaml(path) == {"a": 1e-4, "b": "no"}
    bomb = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    deep, digits, day, large = "a: " + "[" * 20_000, "a: 1" + "0" * 310, "a: 2001-99-99", "a: " + "x" * 300_000
    for content in ("a: [1\nb: 2", "- 1", "a: caf\xe9", bomb, "a: &a [*a]", deep, digits, day, large):
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(UseError) as caught:
            read_yaml(path)
        assert "x.yaml" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    with pytest.raises(UseError, match="no file"):
        read_yaml(tmp_path / "none.yaml")


def test_params_refuse_unknown_and_missing_keys(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("profil: demo\n")
    with pytest.raises(UseError, match=r"unknown key params\.yaml\.profil, did you mean 'profile'"):
        load_params(path)
    for change, said in (
        ({"threads": 1_000_000}, "threads must be 1 to 1024"),
        ({"seed": -1}, "seed must be 0 to"),
        ({"splits": {"a": "b"}}, r"splits\.a must be"),
        ({"corpora": {"a": ["b"] * 99}}, r"corpora\.a must be str"),
        ({"override": {"mel-s": [1]}}, r"override\.mel-s must be"),
        ({"override": {1: {}}}, "key params"),
        ({"models": []}, "models must be a list of 1"),
    ):
        with pytest.raises(UseError, match=said):
            build(Params, {**PROFILE, **change}, "params.yaml")
    path.write_text("profile: demo\n")
    with pytest.raises(UseError, match=r"missing key params\.yaml\.seed"):
        load_params(path)
    with pytest.raises(UseError, match="no file"):
        load_params(tmp_path / "none.yaml")
