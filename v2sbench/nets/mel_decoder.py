"""Mel decoder: conformer blocks (Gulati et al. 2020) at the mel rate, masked throughout.

A clip's output does not depend on the padding that its batch-mates cause: attention, depthwise convolution and norm
all leave padding out. Position enters attention by rotation (RoFormer; assumed, the paper's choice is not known).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from v2sbench.nets.cards import DecoderArch
from v2sbench.nets.norm import ModalityNorm


class FeedForward(nn.Sequential):
    """Layer norm, expand, SiLU, contract."""

    def __init__(self, arch: DecoderArch) -> None:
        super().__init__(
            nn.LayerNorm(arch.dim),
            nn.Linear(arch.dim, arch.feed_forward),
            nn.SiLU(),
            nn.Dropout(arch.dropout),
            nn.Linear(arch.feed_forward, arch.dim),
            nn.Dropout(arch.dropout),
        )


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions."""

    def __init__(self, arch: DecoderArch) -> None:
        super().__init__()
        self.heads = arch.heads
        self.dropout = nn.Dropout(arch.dropout)
        self.norm = nn.LayerNorm(arch.dim)
        self.inputs = nn.Linear(arch.dim, 3 * arch.dim)
        self.output = nn.Linear(arch.dim, arch.dim)

    def forward(self, x: Tensor, mask: Tensor | None, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """x: (B, M, D); mask: (B, M) bool or None; rotation: cosines and sines (M, D / heads) -> (B, M, D)."""
        batch, length, dim = x.shape
        parts = self.inputs(self.norm(x)).view(batch, length, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        keys = None if mask is None else mask[:, None, None, :]
        query, key = rotate(query, rotation), rotate(key, rotation)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=keys)
        return self.dropout(self.output(attended.transpose(1, 2).reshape(batch, length, dim)))  # type: ignore[no-any-return]


class Convolution(nn.Module):
    """Gated pointwise, depthwise, norm, SiLU, pointwise."""

    def __init__(self, arch: DecoderArch) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(arch.dim)
        self.gate = nn.Linear(arch.dim, 2 * arch.dim)
        self.depthwise = nn.Conv1d(arch.dim, arch.dim, arch.kernel, padding=arch.kernel // 2, groups=arch.dim)
        self.modality_norm = ModalityNorm(arch.dim)
        self.output = nn.Linear(arch.dim, arch.dim)
        self.dropout = nn.Dropout(arch.dropout)

    def forward(self, x: Tensor, mask: Tensor | None, modality: str) -> Tensor:
        """x: (B, M, D); mask: (B, M) bool or None -> (B, M, D)."""
        gated = functional.glu(self.gate(self.norm(x)), dim=-1).transpose(1, 2)
        if mask is not None:
            gated = gated * mask[:, None]
        mixed = functional.silu(self.modality_norm(self.depthwise(gated), mask, modality))
        return self.dropout(self.output(mixed.transpose(1, 2)))  # type: ignore[no-any-return]


class ConformerBlock(nn.Module):
    """Half feed-forward, attention, convolution, half feed-forward, layer norm."""

    def __init__(self, arch: DecoderArch) -> None:
        super().__init__()
        self.feed_forward1 = FeedForward(arch)
        self.attention = Attention(arch)
        self.convolution = Convolution(arch)
        self.feed_forward2 = FeedForward(arch)
        self.norm = nn.LayerNorm(arch.dim)

    def forward(self, x: Tensor, mask: Tensor | None, rotation: tuple[Tensor, Tensor], modality: str) -> Tensor:
        """x: (B, M, D); mask: (B, M) bool or None -> (B, M, D)."""
        x = x + 0.5 * self.feed_forward1(x)
        x = x + self.attention(x, mask, rotation)
        x = x + self.convolution(x, mask, modality)
        return self.norm(x + 0.5 * self.feed_forward2(x))  # type: ignore[no-any-return]


class MelDecoder(nn.Module):
    """(B, M, inputs) codes at the mel rate -> (B, M, bands) log-mel."""

    START = -3.0  # bias of the output layer before training: about the mean log10 magnitude of speech

    def __init__(self, inputs: int, bands: int, arch: DecoderArch) -> None:
        super().__init__()
        self.input = nn.Linear(inputs, arch.dim)
        self.blocks = nn.ModuleList(ConformerBlock(arch) for _ in range(arch.blocks))
        self.output = nn.Linear(arch.dim, bands)
        self.head_dim = arch.dim // arch.heads
        nn.init.constant_(self.output.bias, self.START)

    def forward(self, codes: Tensor, mask: Tensor | None, modality: str) -> Tensor:
        """codes: (B, M, inputs); mask: (B, M) bool or None when all is valid -> (B, M, bands) log10 magnitude.

        modality: `audio` or `video`, whose statistics the norms use.
        """
        x = self.input(codes)
        rotation = rotary(codes.shape[1], self.head_dim, x)
        for block in self.blocks:
            x = block(x, mask, rotation, modality)
        return self.output(x)  # type: ignore[no-any-return]


def rotary(length: int, dim: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (length, dim) of the rotation angles, wavelengths from 2 pi to 20,000 pi frames."""
    frequencies = 10_000.0 ** (-torch.arange(0, dim, 2, device=like.device, dtype=torch.float32) / dim)
    angles = torch.outer(torch.arange(length, device=like.device, dtype=torch.float32), frequencies).repeat(1, 2)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """(B, heads, M, dim) turned by its position."""
    first, second = x.chunk(2, dim=-1)
    return x * rotation[0] + torch.cat((-second, first), dim=-1) * rotation[1]
