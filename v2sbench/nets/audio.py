"""Audio encoder of the A2A models: 1D ResNet-18 over the waveform, one code per video frame (assumed).

Strides 6 (stem) x 2 x 2 x 2 (stages) x 20 (mean) = 960 samples = one video frame, exactly. Stem kernel and stride are
the 5 ms and 0.25 ms of the group's 16 kHz front end. Every convolution sees zeros past a clip's end, whatever its
batch-mates' length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets.cards import AudioEncoderArch
from v2sbench.nets.norm import ModalityNorm

STEM_STRIDE = 6
STEM_KERNEL = 120


class BasicBlock1d(nn.Module):
    """ResNet v1 basic block over time, masked."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv1d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = ModalityNorm(outputs, ("audio",))
        self.conv2 = nn.Conv1d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = ModalityNorm(outputs, ("audio",))
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv1d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x: (B, inputs, T) zero outside; mask: (B, T / stride) bool or None -> (B, outputs, T / stride)."""
        inner = torch.relu(self.norm1(self.conv1(x), mask, "audio"))
        outer = torch.relu(self.norm2(self.conv2(inner), mask, "audio") + self.shortcut(x))
        return outer if mask is None else outer * mask[:, None]


class AudioEncoder(nn.Module):
    """(B, 960 F) waveform -> (B, F, dim) codes."""

    def __init__(self, arch: AudioEncoderArch) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, arch.width, STEM_KERNEL, STEM_STRIDE, (STEM_KERNEL - STEM_STRIDE) // 2, bias=False)
        self.stem_norm = ModalityNorm(arch.width, ("audio",))
        blocks: list[BasicBlock1d] = []
        inputs = arch.width
        for stage, count in enumerate(arch.blocks):
            outputs = arch.width << stage
            for index in range(count):
                blocks.append(BasicBlock1d(inputs, outputs, 2 if stage and not index else 1))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.project = nn.Linear(inputs, arch.dim)

    def forward(self, wave: Tensor, mask: Tensor | None) -> Tensor:
        """wave: (B, 960 F) in [-1, 1], zero outside; mask: (B, F) bool or None when all is valid -> (B, F, dim)."""
        stride = STEM_STRIDE
        x = torch.relu(self.stem_norm(self.stem(wave[:, None]), _at_rate(mask, stride), "audio"))
        for block in self.blocks:
            assert isinstance(block, BasicBlock1d)
            stride *= block.stride
            x = block(x, _at_rate(mask, stride))
        codes = nn.functional.avg_pool1d(x, SAMPLES_PER_FRAME // stride).transpose(1, 2)
        return self.project(codes)  # type: ignore[no-any-return]


def _at_rate(mask: Tensor | None, stride: int) -> Tensor | None:
    """(B, F) frame mask -> (B, 960 F / stride)."""
    return None if mask is None else mask.repeat_interleave(SAMPLES_PER_FRAME // stride, dim=1)
