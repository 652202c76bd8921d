"""Batch normalisation that looks at valid frames only and keeps separate running statistics per modality.

Separate statistics for audio and video in every decoder norm are what makes cross-modal fine-tuning work (paper,
secondary source); scale and shift are shared. Leaving padding out of the statistics makes a clip's output independent
of how long its batch-mates are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MODALITIES = ("audio", "video")


class ModalityNorm(nn.Module):
    """BatchNorm1d over (B, C, T) with one set of running statistics per modality."""

    def __init__(self, channels: int, modalities: tuple[str, ...] = MODALITIES) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        for modality in modalities:
            self.register_buffer(f"{modality}_mean", torch.zeros(channels))
            self.register_buffer(f"{modality}_var", torch.ones(channels))

    def forward(self, x: Tensor, mask: Tensor | None, modality: str) -> Tensor:
        """x: (B, C, T); mask: (B, T) bool, True on valid frames, or None when all are -> (B, C, T).

        Frames outside the mask take no part in the statistics and come out as zero.
        """
        mean, var = self.get_buffer(f"{modality}_mean"), self.get_buffer(f"{modality}_var")
        if mask is None:
            return batch_norm(x, mean, var, self.weight, self.bias, self.training)
        rows = x.transpose(1, 2)
        valid = batch_norm(rows[mask], mean, var, self.weight, self.bias, self.training)
        return rows.new_zeros(rows.shape).masked_scatter(mask[..., None], valid).transpose(1, 2)


def batch_norm(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, training: bool) -> Tensor:
    """PyTorch's batch norm with its usual momentum and epsilon."""
    return nn.functional.batch_norm(x, mean, var, weight, bias, training, momentum=0.1, eps=1e-5)


def adopt_statistics(module: nn.Module, source: str, target: str) -> None:
    """Start the `target` modality's statistics from the `source` modality's, in every ModalityNorm of `module`."""
    for norm in module.modules():
        if isinstance(norm, ModalityNorm):
            for part in ("mean", "var"):
                norm.get_buffer(f"{target}_{part}").copy_(norm.get_buffer(f"{source}_{part}"))
