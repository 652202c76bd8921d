"""Every card in models/: it loads, its network obeys the laws of lengths and padding, its base is what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.small import small_card
from v2sbench.card import list_cards, load_card, read_yaml
from v2sbench.dsp import mel_frames
from v2sbench.media import SAMPLES_PER_FRAME
from v2sbench.nets.model import MelModel

CARDS = list_cards()


def source_of(model: MelModel, frames: int) -> torch.Tensor:
    if model.modality == "video":
        return torch.randint(0, 256, (1, frames, 88, 88), dtype=torch.uint8)
    return torch.rand(1, frames * SAMPLES_PER_FRAME) - 0.5


def test_the_mel_variants_are_all_there() -> None:
    expected = {f"a2a-mel-{size}" for size in "sm"} | {
        f"v2a-mel-{size}-speaker-{init}" for size in "sm" for init in ("scratch", "frozen", "tuned")
    }
    assert expected <= set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_name_says_source_and_identity(name: str) -> None:
    card = load_card(name)
    assert card.source == ("audio" if name.startswith("a2a") else "video")
    assert (card.init is not None) == name.endswith(("tuned", "frozen"))
    if card.init is not None:
        assert load_card(card.init).arch.decoder == card.arch.decoder


@pytest.mark.parametrize("name", CARDS)
def test_every_value_of_the_file_has_its_reason(name: str) -> None:
    """A number of a section carries `# assumed: why`, or is bookkeeping or switched off."""
    for line in Path(f"models/{name}.yaml").read_text(encoding="utf-8").splitlines():
        key = line.split(":")[0].strip()
        if line.startswith("  ") and line.partition(":")[2].split("#")[0].strip() and not key.endswith("_every"):
            assert "# assumed:" in line or "# as above" in line or "# no pictures" in line, line


@pytest.mark.parametrize("size", ["s", "m"])
def test_tuned_is_scratch_with_init_and_frozen_is_tuned_with_freeze(size: str) -> None:
    scratch, tuned, frozen = (load_card(f"v2a-mel-{size}-speaker-{init}") for init in ("scratch", "tuned", "frozen"))
    assert dataclasses.replace(scratch, name=tuned.name, init=f"a2a-mel-{size}") == tuned
    assert dataclasses.replace(tuned, name=frozen.name, freeze=("decoder",)) == frozen
    assert read_yaml_keys(f"v2a-mel-{size}-speaker-tuned") == {"base", "init"}
    assert read_yaml_keys(f"v2a-mel-{size}-speaker-frozen") == {"base", "freeze"}


def read_yaml_keys(name: str) -> set[str]:
    return set(read_yaml(Path(f"models/{name}.yaml")))


@pytest.mark.parametrize("name", CARDS)
def test_law_of_lengths(name: str) -> None:
    model = MelModel(small_card(name)).eval()
    for frames in (1, 7, 29, 75):
        with torch.inference_mode():
            mel, mask = model(source_of(model, frames), torch.rand(1, 256), torch.tensor([frames]))
        assert mel.shape == (1, mel_frames(frames, 300), 80)
        assert bool(mask.all())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["a2a-mel-s", "v2a-mel-s-speaker-scratch"])
def test_padding_changes_nothing(name: str, training: bool) -> None:
    """A clip beside a longer batch-mate comes out as it does alone; in training the two form the same statistics."""
    torch.manual_seed(0)
    model = MelModel(small_card(name)).train(training)
    source, identity = source_of(model, 12), torch.rand(1, 256)
    with torch.no_grad():
        alone, _ = model(source, identity, torch.tensor([12]))
        unit = source.shape[1] // 12
        padded = torch.zeros(1, 20 * unit, *source.shape[2:], dtype=source.dtype)
        padded[:, : 12 * unit] = source
        beside, mask = model(padded, identity, torch.tensor([12]))
    assert int(mask.sum()) == alone.shape[1]
    assert torch.allclose(alone[0], beside[mask], atol=2e-5)


def test_paper_sizes() -> None:
    """SVTS's unofficial re-implementation counts 27.3 M and 43.1 M parameters for the whole S and M model."""
    millions = [
        sum(p.numel() for p in MelModel(load_card(f"v2a-mel-{size}-speaker-scratch")).parameters()) / 1e6
        for size in "sm"
    ]
    assert millions[0] == pytest.approx(27.3, rel=0.15)
    assert millions[1] == pytest.approx(43.1, rel=0.15)
