"""Waveform decoder: transposed convolutions with dilated residual units, from frames to samples (assumed).

The paper's decoder is known to be convolutional, adversarial, at 24 kHz, and to keep separate batch-norm statistics for
audio and video; its layer table is not. This one has the generator's shape of MelGAN (Kumar et al. 2019), with batch
norms in the place of weight norm. With the strides multiplying to 960 it makes a video frame's samples from a code;
with strides multiplying to the mel hop, and `audio` its only modality, it is a vocoder's generator.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from v2sbench.nets.cards import WaveArch
from v2sbench.nets.norm import MODALITIES, ModalityNorm

SLOPE = 0.2  # of the leaky ReLUs, as in MelGAN


class ResidualUnit(nn.Module):
    """Norm, leaky ReLU, dilated convolution, leaky ReLU, pointwise convolution; added to the input."""

    def __init__(self, channels: int, kernel: int, dilation: int, modalities: tuple[str, ...]) -> None:
        super().__init__()
        self.norm = ModalityNorm(channels, modalities)
        self.dilated = nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel // 2))
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None, modality: str) -> Tensor:
        """x: (B, C, T); mask: (B, T) bool or None -> (B, C, T)."""
        inner = self.dilated(functional.leaky_relu(self.norm(x, mask, modality), SLOPE))
        if mask is not None:
            inner = inner * mask[:, None]
        return x + self.pointwise(functional.leaky_relu(inner, SLOPE))  # type: ignore[no-any-return]


class Upsampling(nn.Module):
    """Norm, leaky ReLU, transposed convolution by `stride`, then the residual units."""

    def __init__(self, inputs: int, outputs: int, stride: int, arch: WaveArch, modalities: tuple[str, ...]) -> None:
        super().__init__()
        self.stride = stride
        self.norm = ModalityNorm(inputs, modalities)
        self.transposed = nn.ConvTranspose1d(
            inputs, outputs, 2 * stride, stride, padding=stride // 2 + stride % 2, output_padding=stride % 2
        )
        self.units = nn.ModuleList(
            ResidualUnit(outputs, arch.kernel, dilation, modalities) for dilation in arch.dilations
        )

    def forward(self, x: Tensor, mask: Tensor | None, modality: str) -> tuple[Tensor, Tensor | None]:
        """x: (B, inputs, T); mask: (B, T) bool or None -> (B, outputs, T stride) and the mask at that rate."""
        x = self.transposed(functional.leaky_relu(self.norm(x, mask, modality), SLOPE))
        mask = None if mask is None else mask.repeat_interleave(self.stride, dim=1)
        for unit in self.units:
            x = unit(x, mask, modality)
        return x, mask


class WaveDecoder(nn.Module):
    """(B, T, inputs) codes -> (B, T x product of the strides) samples in [-1, 1]."""

    def __init__(self, inputs: int, arch: WaveArch, modalities: tuple[str, ...] = MODALITIES) -> None:
        super().__init__()
        self.input = nn.Conv1d(inputs, arch.channels[0], 7, padding=3)
        self.stages = nn.ModuleList(
            Upsampling(before, after, stride, arch, modalities)
            for (before, after), stride in zip(pairwise(arch.channels), arch.strides, strict=True)
        )
        self.norm = ModalityNorm(arch.channels[-1], modalities)
        self.output = nn.Conv1d(arch.channels[-1], 1, 7, padding=3)

    def forward(self, codes: Tensor, mask: Tensor | None, modality: str) -> Tensor:
        """codes: (B, T, inputs), zero outside; mask: (B, T) bool or None when all is valid -> (B, T x strides).

        modality: `audio` or `video`, whose statistics the norms use. Samples outside the mask are zero.
        """
        x = self.input(codes.transpose(1, 2))
        for stage in self.stages:
            x, mask = stage(x, mask, modality)
        wave = torch.tanh(self.output(functional.leaky_relu(self.norm(x, mask, modality), SLOPE)))[:, 0]
        return wave if mask is None else wave * mask
