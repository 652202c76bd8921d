"""The adversary of waveform models: MelGAN's multi-scale discriminator, LS-GAN losses, and alarms.

Three networks of one architecture judge the wave at its own rate, at a half and at a quarter of it (paper, Sec. III-C2,
secondary; layer table of MelGAN's code). The losses are least squares (Mao et al. 2017) and feature matching.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from v2sbench.nets.cards import Adversary
from v2sbench.runtime import UseError

SLOPE = 0.2  # of the leaky ReLUs
STRIDE = 4
GROUPED = 4  # strided layers of a scale

Features = list[Tensor]  # feature maps of one scale, (B, C, T) each; the last is the score (B, 1, T)


class ScaleDiscriminator(nn.Module):
    """One network: k15, four grouped k41 of stride 4 with four times the channels, k5, k3 to one channel."""

    def __init__(self, width: int, limit: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(1, width, 15)]
        channels = width
        for _ in range(GROUPED):
            wider = min(STRIDE * channels, limit)
            layers.append(_conv(channels, wider, 10 * STRIDE + 1, STRIDE, channels // 4))
            channels = wider
        layers += [_conv(channels, channels, 5), _conv(channels, 1, 3)]
        self.layers = nn.ModuleList(layers)

    def forward(self, wave: Tensor) -> Features:
        """(B, T) -> feature maps of every layer, the score last."""
        x, features = _reflect(wave[:, None], 7), []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index + 1 < len(self.layers):
                x = functional.leaky_relu(x, SLOPE)
            features.append(x)
        return features


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """Weight-normed convolution that keeps the length (the first one's padding is reflected beforehand)."""
    padding = 0 if inputs == 1 else kernel // 2
    conv: nn.Module = weight_norm(nn.Conv1d(inputs, outputs, kernel, stride, padding, groups=groups))
    return conv


def _reflect(x: Tensor, width: int) -> Tensor:
    """Reflection by flip and join: `ReflectionPad1d` has no deterministic backward on CUDA."""
    return torch.cat((x[..., 1 : width + 1].flip(-1), x, x[..., -width - 1 : -1].flip(-1)), dim=-1)


class Discriminator(nn.Module):
    """All scales; each sees the wave at half the rate of the one before."""

    def __init__(self, arch: Adversary) -> None:
        super().__init__()
        self.scales = nn.ModuleList(ScaleDiscriminator(arch.width, arch.limit) for _ in range(arch.scales))

    def forward(self, wave: Tensor) -> list[Features]:
        """(B, T) samples in [-1, 1] -> the feature maps of every scale."""
        x, found = wave[:, None], []
        for index, scale in enumerate(self.scales):
            if index:
                x = functional.avg_pool1d(x, 4, 2, 1, count_include_pad=False)
            found.append(scale(x[:, 0]))
        return found


def discriminator_loss(real: Sequence[Features], fake: Sequence[Features]) -> Tensor:
    """Least squares: real scores to 1, fake ones to 0; the mean over scales, 0.25 + 0.25 when it cannot tell."""
    terms = [(r[-1] - 1).square().mean() + f[-1].square().mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def generator_loss(fake: Sequence[Features]) -> Tensor:
    """Least squares: fake scores to 1; the mean over scales."""
    return torch.stack([(features[-1] - 1).square().mean() for features in fake]).mean()


def feature_loss(real: Sequence[Features], fake: Sequence[Features]) -> Tensor:
    """Mean absolute difference of all feature maps but the scores, the real ones held fixed (MelGAN)."""
    terms = []
    for reals, fakes in zip(real, fake, strict=True):
        for one, other in zip(reals[:-1], fakes[:-1], strict=True):
            terms.append((one.detach() - other).abs().mean())
    return torch.stack(terms).mean()


class Alarm:
    """Stops a training that has diverged, and names the step and the term."""

    PATIENCE = 200  # steps in a row that count as a collapse
    SILENT = 1e-3  # level of the output relative to the target's: below it the generator has collapsed to silence
    WON = 1e-4  # discriminator loss: below it the generator learns nothing more from its judge

    def __init__(self, name: str) -> None:
        """name: the card's, for the messages."""
        self.name = name
        self.silent = 0
        self.won = 0

    def watch(self, step: int, terms: Mapping[str, float], level: float | None = None) -> None:
        """Check one step's loss terms (and gradient norms), and the output's level relative to the target's.

        UseError for a term that is not finite, for an output that stays silent, and for a discriminator that has won.
        """
        for term, value in terms.items():
            if not math.isfinite(value):
                self._stop(step, f"{term} is {value}", "lower train.lr or train.clip_norm")
        self.silent = self.silent + 1 if level is not None and level < self.SILENT else 0
        if self.silent >= self.PATIENCE:
            what = f"the output has been silent for {self.PATIENCE} steps (collapse)"
            self._stop(step, what, "lower loss.adversarial or train.lr")
        self.won = self.won + 1 if terms.get("discriminator", 1.0) < self.WON else 0
        if self.won >= self.PATIENCE:
            what = f"discriminator has been below {self.WON} for {self.PATIENCE} steps (collapse)"
            self._stop(step, what, "lower adversary.lr or raise adversary.start")

    def _stop(self, step: int, what: str, remedy: str) -> None:
        raise UseError(f"{self.name}: {what} at step {step}; {remedy} in params.yaml's override")
