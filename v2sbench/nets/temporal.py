"""Temporal module: a bidirectional GRU over a clip's codes, the bridge between encoder and decoder (assumed)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from v2sbench.nets.cards import TemporalArch


class TemporalModule(nn.Module):
    """(B, F, inputs) -> (B, F, 2 dim); the backward direction starts at a clip's own last frame."""

    def __init__(self, inputs: int, arch: TemporalArch) -> None:
        super().__init__()
        self.dropout = nn.Dropout(arch.dropout)
        self.gru = nn.GRU(inputs, arch.dim, arch.layers, batch_first=True, bidirectional=True)

    def forward(self, codes: Tensor, lengths: Tensor) -> Tensor:
        """codes: (B, F, inputs); lengths: (B,) valid frames, on the CPU -> (B, F, 2 dim), zero outside."""
        codes = self.dropout(codes)
        if bool((lengths == codes.shape[1]).all()):
            return self.gru(codes)[0]  # type: ignore[no-any-return]
        packed = pack_padded_sequence(codes, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=codes.shape[1])[0]
