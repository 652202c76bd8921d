"""The adversary: MelGAN's layers, least-squares losses on scores made by hand, alarms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from v2sbench.nets import load_card
from v2sbench.nets.cards import Adversary
from v2sbench.runtime import UseError
from v2sbench.train.adversary import Alarm, Discriminator, discriminator_loss, feature_loss, generator_loss

LAYERS = [
    # inputs, outputs, kernel, stride, padding (zeros), groups
    (1, 16, 15, 1, 0, 1),  # over 7 reflected samples on either side
    (16, 64, 41, 4, 20, 4),
    (64, 256, 41, 4, 20, 16),
    (256, 1024, 41, 4, 20, 64),
    (1024, 1024, 41, 4, 20, 256),
    (1024, 1024, 5, 1, 2, 1),
    (1024, 1, 3, 1, 1, 1),
]
"""One scale of MelGAN's released code."""


def small(scales: int = 2) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(Adversary(scales=scales, width=4, limit=16, start=0.0, lead=0.0, lr=1e-3, betas=(0.5, 0.9)))


def scores(*values: float) -> list[list[torch.Tensor]]:
    """One scale for each value, whose score it is everywhere; two feature maps before it."""
    return [[torch.zeros(2, 3, 8), torch.ones(2, 3, 4), torch.full((2, 1, 4), value)] for value in values]


def test_layers_are_melgans() -> None:
    arch = load_card("a2a-wave").adversary
    assert arch is not None
    with torch.device("meta"):
        judge = Discriminator(arch)
    assert len(judge.scales) == 3
    for scale in judge.scales:
        found = [module for module in scale.modules() if isinstance(module, nn.Conv1d)]
        assert [
            (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.padding[0], conv.groups)
            for conv in found
        ] == LAYERS
        assert all(nn.utils.parametrize.is_parametrized(conv, "weight") for conv in found), "weight norm"
        assert all(conv.bias is not None and conv.padding_mode == "zeros" for conv in found)
    assert {id(p) for p in judge.scales[0].parameters()}.isdisjoint(id(p) for p in judge.scales[1].parameters())


def test_a_scale_equals_the_same_layers_in_a_row() -> None:
    judge, wave = small(1), torch.rand(2, 500) - 0.5
    x, convs = nn.ReflectionPad1d(7)(wave[:, None]), judge.scales[0].layers
    for conv in convs[:-1]:
        x = nn.LeakyReLU(0.2)(conv(x))
    (features,) = judge(wave)
    assert len(features) == len(convs)
    assert torch.allclose(features[-2], x, atol=1e-6)
    assert torch.allclose(features[-1], convs[-1](x), atol=1e-6)
    assert features[-1].shape == (2, 1, 2)  # 500 / 4^4, rounded up


def test_scales_are_averaged_by_two_leaving_the_padding_out() -> None:
    judge, wave = small(3), torch.rand(2, 4001) - 0.5
    pool = nn.AvgPool1d(4, 2, 1, count_include_pad=False)
    half = pool(wave[:, None])
    quarter = pool(half)
    found = judge(wave)
    for features, scale, x in zip(found, judge.scales, (wave, half[:, 0], quarter[:, 0]), strict=True):
        for ours, theirs in zip(features, scale(x), strict=True):
            assert torch.equal(ours, theirs)
    assert torch.allclose(judge.forward(torch.ones(1, 4000))[1][0], judge.scales[1](torch.ones(1, 2000))[0])


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [((1.0,), (0.0,), 0.0), ((0.5,), (0.5,), 0.5), ((0.0,), (1.0,), 2.0), ((1.0, 3.0), (0.0, -2.0), 4.0)],
)
def test_the_discriminator_wants_ones_and_zeros(
    real: tuple[float, ...], fake: tuple[float, ...], expected: float
) -> None:
    assert discriminator_loss(scores(*real), scores(*fake)) == expected


@pytest.mark.parametrize(("fake", "expected"), [((1.0,), 0.0), ((0.0,), 1.0), ((1.0, 3.0, 0.0), 5 / 3)])
def test_the_generator_wants_ones(fake: tuple[float, ...], expected: float) -> None:
    assert generator_loss(scores(*fake)) == pytest.approx(expected)


def test_feature_loss_compares_all_maps_but_the_scores() -> None:
    real, fake = scores(0.0, 0.0), scores(9.0, -9.0)
    assert feature_loss(real, fake) == 0.0
    fake[0][0] += 4.0
    fake[1][1] -= 2.0
    assert feature_loss(real, fake) == (4.0 + 2.0) / 4


def test_gradient_reaches_the_wave_and_every_parameter() -> None:
    judge, wave = small(), (torch.rand(2, 2000) - 0.5).requires_grad_()
    found = judge(wave)
    (generator_loss(found) + feature_loss(judge(wave.detach().flip(0)), found)).backward()
    assert wave.grad is not None
    assert bool((wave.grad != 0).any(dim=1).all())
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in judge.parameters())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_term_that_is_no_number_stops_at_once(value: float) -> None:
    with pytest.raises(UseError) as caught:
        Alarm("v2a-wave-face-tuned").watch(417, {"power": 1.0, "mfcc": value})
    text = str(caught.value)
    assert text.startswith(f"v2a-wave-face-tuned: mfcc is {value} at step 417; lower train.lr")
    assert text.endswith("in params.yaml's override")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("terms", "level", "said"),
    [
        ({"power": 1.0}, Alarm.SILENT / 2, r"output has been silent .* at step 199; lower loss\.adversarial"),
        ({"discriminator": Alarm.WON / 2}, 1.0, r"discriminator has been below .* at step 199; lower adversary\.lr"),
    ],
)
def test_a_lasting_collapse_stops_with_step_and_remedy(terms: dict[str, float], level: float, said: str) -> None:
    alarm = Alarm("a2a-wave")
    for step in range(Alarm.PATIENCE - 1):
        alarm.watch(step, terms, level)
    with pytest.raises(UseError, match=said):
        alarm.watch(Alarm.PATIENCE - 1, terms, level)


@pytest.mark.parametrize(
    ("terms", "level"), [({"discriminator": 0.4}, 1.0), ({"discriminator": Alarm.WON}, Alarm.SILENT), ({}, None)]
)
def test_one_good_step_resets_both(terms: dict[str, float], level: float | None) -> None:
    alarm = Alarm("a2a-wave")
    for _ in range(3):
        for step in range(Alarm.PATIENCE - 1):
            alarm.watch(step, {"discriminator": 0.0}, level=0.0)
        alarm.watch(Alarm.PATIENCE, terms, level)
    assert (alarm.silent, alarm.won) == (0, 0)
