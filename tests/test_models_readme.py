"""models/README.md: fresh, every value of every card with its reason, costs against counts by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from docs.models import RATE, description, hours, operations
from tests.small_wave import small_variant
from tests.trees import ROOT
from v2sbench.nets import list_cards, load_card
from v2sbench.nets.cards import Adversary, DecoderArch, TemporalArch, WaveArch
from v2sbench.nets.mel_decoder import Attention, rotary
from v2sbench.nets.model import build_model
from v2sbench.nets.temporal import TemporalModule
from v2sbench.nets.wave_decoder import Upsampling
from v2sbench.report.card_sources import GRADES, VARIANT, read_values
from v2sbench.tools.cost import costs_of, multiply_adds, parameters
from v2sbench.train.adversary import Discriminator

CARDS = list_cards(ROOT / "models")
WAVE = WaveArch(channels=(16, 8), strides=(5,), kernel=3, dilations=(1, 9))


def test_the_page_is_that_of_the_cards() -> None:
    done = subprocess.run([sys.executable, "docs/models.py", "--check"], cwd=ROOT, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stdout


def test_every_card_is_on_the_page() -> None:
    text = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    for name in CARDS:
        assert text.count(f"| `{name}` |") >= 4, name  # variants, parameters, multiply-adds, what it is
        assert load_card(name, folder=ROOT / "models").digest in text
    assert len(CARDS) == 22
    assert "as above" not in text


@pytest.mark.parametrize("name", CARDS)
def test_every_value_of_every_card_has_its_reason(name: str) -> None:
    values = read_values(name, ROOT / "models")
    for value in values:
        assert value.reasons or value.key in VARIANT, value.key
        assert {grade for grade, _ in value.reasons} <= set(GRADES)
        assert all(len(why) > 3 for _, why in value.reasons), value.key
    assert len(description(name, ROOT / "models")) > 20


def test_reasons_are_read_by_dotted_key(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "# A card: short. And more.\nfamily: mel\nidentity: face  # secondary: read; of it; assumed: dlib\n"
        "arch:\n  mel:\n    hop: 300    # assumed: twelve\n    bands: 80   # as above\n  dim: 1.0e-4  # neutral: none\n"
        "# A line between.\n  blocks:  # assumed: in lines of their own\n    - 2\n    - 3\n  flow: [4, 5]  # because\n"
    )
    found = {value.key: (value.text, value.reasons) for value in read_values("x", tmp_path)}
    assert found == {
        "family": ("mel", ()),
        "identity": ("face", (("secondary", "read; of it"), ("assumed", "dlib"))),
        "arch.mel.hop": ("300", (("assumed", "twelve"),)),
        "arch.mel.bands": ("80", (("assumed", "twelve"),)),
        "arch.dim": ("1.0e-4", (("neutral", "none"),)),
        "arch.blocks": ("[2, 3]", (("assumed", "in lines of their own"),)),
        "arch.flow": ("[4, 5]", ()),  # a comment that names no grade is no source
    }
    assert description("x", tmp_path) == "A card: short"
    (tmp_path / "y.yaml").write_text("base: x\n")
    with pytest.raises(ValueError, match="line 1 must be a comment"):
        description("y", tmp_path)


def test_a_gru_is_counted() -> None:
    """Three gates of (inputs + units) x units a step, two directions, the second layer over both."""
    module = TemporalModule(12, TemporalArch(layers=2, dim=8, dropout=0.0))
    by_hand = 2 * 3 * 8 * (12 + 8) + 2 * 3 * 8 * (16 + 8)
    for device in ("cpu", "meta"):
        codes = torch.zeros(1, 9, 12, device=device)
        assert multiply_adds(module.to(device), codes, torch.tensor([9]))[""] == 9 * by_hand


def test_attention_is_counted() -> None:
    """Queries x keys and weights x values over all pairs of frames, beside the four projections."""
    arch = DecoderArch(blocks=1, dim=16, heads=2, kernel=5, feed_forward=32, dropout=0.0)

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = Attention(arch)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, None, rotary(x.shape[1], 8, x))  # type: ignore[no-any-return]

    counted = multiply_adds(Wrapped().to("meta"), torch.empty(1, 50, 16, device="meta"))
    assert counted["attention"] == counted[""] == 50 * 4 * 16 * 16 + 2 * 50 * 50 * 16


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_transposed_and_dilated_convolutions_are_counted(device: str) -> None:
    """Transposed: every input sample meets every tap; dilated: every output sample does, zeros at the ends too."""

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stage = Upsampling(16, 8, 5, WAVE, ("audio",))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.stage(x, None, "audio")[0]  # type: ignore[no-any-return]

    counted = multiply_adds(Wrapped().eval().to(device), torch.zeros(1, 16, 7, device=device))
    assert counted["stage"] == 7 * 16 * 8 * 10 + 2 * 35 * (8 * 8 * 3 + 8 * 8)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_grouped_convolutions_are_counted(device: str) -> None:
    """One scale of width 4 on 256 samples: channels 4, 16, 64, 64, 64 at strides 4, in / 4 groups of 4 channels."""
    judge = Discriminator(Adversary(scales=1, width=4, limit=64, start=0.0, lead=0.0, lr=1.0, betas=(0.0, 0.0)))
    layers = 256 * 4 * 15 + 41 * 4 * (64 * 16 + 16 * 64 + 4 * 64 + 1 * 64) + 64 * 64 * 5 + 64 * 3
    assert multiply_adds(judge.to(device), torch.zeros(1, 256, device=device))[""] == layers


@pytest.mark.parametrize("name", ["a2a-mel-s", "v2a-wave-face-frozen", "vocoder"])
def test_costs_are_those_of_the_network(name: str) -> None:
    card = small_variant(name)
    model, costs = build_model(card), costs_of(card)
    parts = [cost for module, cost in costs.items() if module]
    assert set(costs) == {"", *dict(model.named_children())}
    assert costs[""].parameters == parameters(model) == sum(cost.parameters for cost in parts)
    assert costs[""].rate == pytest.approx(sum(cost.rate for cost in parts))
    assert costs[""].trainable == sum(cost.trainable for cost in parts)
    frozen = costs["decoder"].parameters if card.freeze else 0
    assert costs[""].parameters - costs[""].trainable == frozen


def test_gpu_hours_by_hand() -> None:
    """200,000 steps of 16 clips of 3 s; a multiply-add is two operations, and a step costs three forward passes."""
    card = load_card("a2a-mel-s", folder=ROOT / "models")
    seconds, rate = 200_000 * 16 * 3, costs_of(card)[""].rate
    assert operations(card) == pytest.approx(2 * 3 * rate * seconds)
    scratch, frozen = (
        load_card(f"v2a-mel-s-speaker-{start}", folder=ROOT / "models") for start in ("scratch", "frozen")
    )
    decoder = costs_of(scratch)["decoder"].rate
    assert operations(scratch) - operations(frozen) == pytest.approx(2 * decoder * 100_000 * 16 * 3)
    assert f"| `a2a-mel-s` | 1 | {operations(card) / 1e15:.0f} | {operations(card) / RATE / 3600:.1f} |" in hours()
    each = [float(row.split("|")[-2]) for row in hours().splitlines()[2:]]
    assert each[-1] == pytest.approx(sum(each[:-1]), abs=5)
