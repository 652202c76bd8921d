"""Every card in models/: it loads, its network obeys the laws of lengths and padding, its base is what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.small_wave import identity_of, small_variant, source_of
from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets import list_cards, load_card
from v2sbench.nets.mel import mel_frames
from v2sbench.nets.model import build_model
from v2sbench.runtime import read_yaml

CARDS = list_cards()
VOCODERS = ("vocoder",)
MODELS = ("wave", "mel-s", "mel-m")
VARIANTS = [name for name in CARDS if name not in VOCODERS]


def test_the_21_variants_are_all_there() -> None:
    expected = {f"a2a-{model}" for model in MODELS} | {
        f"v2a-{model}-{identity}-{init}"
        for model in MODELS for identity in ("speaker", "face") for init in ("scratch", "frozen", "tuned")
    }  # fmt: skip
    assert len(expected) == 21
    assert set(VARIANTS) == expected


@pytest.mark.parametrize("name", VARIANTS)
def test_name_says_family_source_identity_and_start(name: str) -> None:
    card = load_card(name)
    assert card.family == ("wave" if "-wave" in name else "mel")
    assert card.source == ("audio" if name.startswith("a2a") else "video")
    assert card.identity == ("face" if "-face-" in name else "speaker")
    assert (card.init is not None) == name.endswith(("tuned", "frozen"))
    assert card.freeze == (("decoder",) if name.endswith("frozen") else ())
    if card.init is not None:
        given = load_card(card.init)
        assert (given.family, given.source, given.arch) == (card.family, "audio", card.arch)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("identity", ["speaker", "face"])
def test_tuned_is_scratch_with_init_and_frozen_is_tuned_with_freeze(model: str, identity: str) -> None:
    names = [f"v2a-{model}-{identity}-{init}" for init in ("scratch", "tuned", "frozen")]
    scratch, tuned, frozen = (load_card(name) for name in names)
    assert dataclasses.replace(scratch, name=tuned.name, init=f"a2a-{model}") == tuned
    assert dataclasses.replace(tuned, name=frozen.name, freeze=("decoder",)) == frozen
    assert [set(read_yaml(Path(f"models/{name}.yaml"))) for name in names[1:]] == [{"base", "init"}, {"base", "freeze"}]


@pytest.mark.parametrize("model", MODELS)
def test_face_differs_from_speaker_in_its_identity_alone(model: str) -> None:
    speaker, face = (load_card(f"v2a-{model}-{identity}-scratch") for identity in ("speaker", "face"))
    assert dataclasses.replace(speaker, name=face.name, identity="face") == face


@pytest.mark.parametrize("name", VARIANTS)
def test_law_of_lengths(name: str) -> None:
    model = build_model(small_variant(name)).eval()
    for frames in (1, 7, 29, 75):
        with torch.inference_mode():
            source, identity = source_of(model.card, frames, 1), identity_of(model.card, 1)
            output, mask = model(source, identity, torch.tensor([frames]))
        wanted = (frames * SAMPLES_PER_FRAME,) if model.card.family == "wave" else (mel_frames(frames, 300), 80)
        assert output.shape == (1, *wanted)
        assert bool(mask.all())


def test_paper_sizes() -> None:
    """SVTS's unofficial re-implementation counts 27.3 M and 43.1 M parameters for the whole S and M model."""
    millions = [
        sum(p.numel() for p in build_model(load_card(f"v2a-mel-{size}-speaker-scratch")).parameters()) / 1e6
        for size in "sm"
    ]
    assert millions[0] == pytest.approx(27.3, rel=0.15)
    assert millions[1] == pytest.approx(43.1, rel=0.15)
