"""From a face to a voice: the head of a face model that puts a face embedding where a speaker embedding would be."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FaceToVoice(nn.Module):
    """(B, 128) face embeddings -> (B, 256) unit vectors without negative entries, as GE2E's are (assumed).

    A2A models are pre-trained with speaker embeddings, since a corpus without pictures has no faces; so a pre-trained
    decoder expects a speaker embedding, and a face model learns to guess one.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, face: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs)."""
        return nn.functional.normalize(torch.relu(self.linear(face)), dim=1)
