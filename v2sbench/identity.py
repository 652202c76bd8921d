"""Speaker embedding: the 256-d GE2E encoder (Wan et al. 2018) with the weights that Resemblyzer ships.

An embedding always comes from ANOTHER utterance of the speaker than the clip that is synthesised: `Voices.draw`
chooses it, and refuses a clip whose speaker has no second one. The weights are a 3-layer LSTM over 40 mel bands at
16 kHz; they are read from the installed `resemblyzer` package without importing it (its import needs packages that
are gone).
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor, nn

from v2sbench.media import RATE
from v2sbench.runtime import UseError, fold, parallel
from v2sbench.shards import Clips
from v2sbench.splits import SplitTable

__all__ = ["EMBEDDING_DIM", "GE2E", "Voices", "embed", "embed_split"]

EMBEDDING_DIM = 256
GE2E_RATE = 16_000
"""Sample rate in Hz at which the encoder was trained."""
PARTIAL_FRAMES = 160
"""Mel frames of one partial utterance: 1.6 s."""
TARGET_DBFS = -30.0
"""Quieter utterances are raised to this level first, as in the encoder's training."""


class GE2E(nn.Module):
    """(N, 160, 40) mel energies -> (N, 256) unit vectors."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, EMBEDDING_DIM)
        state = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: state[name] for name in self.state_dict()})
        self.mel = torchaudio.transforms.MelSpectrogram(
            GE2E_RATE, n_fft=400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney", pad_mode="constant"
        )

    def forward(self, mel: Tensor) -> Tensor:
        """(N, 160, 40) -> (N, 256) unit vectors."""
        _, (hidden, _) = self.lstm(mel)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)

    def partials(self, wave: Tensor) -> Tensor:
        """(T,) at 16 kHz -> (N, 160, 40): windows of 1.6 s, half overlapping, the last one drawn back to the end."""
        level = 10.0 * torch.log10(wave.square().mean().clamp_min(1e-12))
        wave = wave * 10.0 ** ((TARGET_DBFS - level).clamp_min(0.0) / 20.0)
        mel = self.mel(wave).T
        if len(mel) < PARTIAL_FRAMES:
            mel = nn.functional.pad(mel, (0, 0, 0, PARTIAL_FRAMES - len(mel)))
        last = len(mel) - PARTIAL_FRAMES
        starts = sorted({*range(0, last, PARTIAL_FRAMES // 2), last})
        return torch.stack([mel[start : start + PARTIAL_FRAMES] for start in starts])


@cache
def load_ge2e() -> GE2E:
    """The encoder with its weights; UseError names the install where they are missing."""
    spec = importlib.util.find_spec("resemblyzer")
    weights = Path(spec.origin).with_name("pretrained.pt") if spec and spec.origin else None
    if weights is None or not weights.is_file():
        raise UseError("the speaker embedding needs GE2E weights: pip install --no-deps resemblyzer==0.1.4")
    return GE2E(weights).eval()


@torch.inference_mode()
def embed(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T,) float32 in [-1, 1] at 24 kHz -> (256,) unit vector: the mean over the utterance's partials."""
    encoder = load_ge2e()
    at16k = torchaudio.functional.resample(torch.from_numpy(np.ascontiguousarray(wave)), RATE, GE2E_RATE)
    return nn.functional.normalize(encoder(encoder.partials(at16k)).mean(dim=0), dim=0).numpy()


class _Embedder:
    """Picklable worker: clip id -> embedding."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __call__(self, clip: str) -> NDArray[np.float32]:
        torch.set_num_threads(1)
        return embed(self.clips.wave(clip))


def embed_split(table: SplitTable, clips: Clips, jobs: int | None = None) -> NDArray[np.float32]:
    """(N, 256): the embedding of every clip of a split, in the order of its rows."""
    vectors = list(parallel(_Embedder(clips), [row.id for row in table.rows], jobs=jobs, desc="speaker embeddings"))
    return np.stack(vectors) if vectors else np.zeros((0, EMBEDDING_DIM), np.float32)


class Voices:
    """Whose embedding stands for a clip's speaker: always one of another utterance."""

    def __init__(self, table: SplitTable, seed: int) -> None:
        """table: a split with its embeddings; seed: of the draws."""
        self.table = table
        self.seed = seed
        self.vectors = table.embeddings()
        self.heard: dict[str, list[int]] = {}
        self.all: dict[str, list[int]] = {}
        for index, row in enumerate(table.rows):
            self.all.setdefault(row.speaker, []).append(index)
            if row.subset == "train":
                self.heard.setdefault(row.speaker, []).append(index)

    def draw(self, index: int, *turn: object) -> NDArray[np.float32]:
        """(256,) embedding of another utterance of row `index`'s speaker: a training one where there is one.

        turn: what the draw depends on beside seed and clip (a training step; nothing in synthesis).
        UseError when the speaker has no other utterance, since identity must not come from the target.
        """
        row = self.table.rows[index]
        for pool in (self.heard, self.all):
            allowed = [mate for mate in pool.get(row.speaker, ()) if mate != index]
            if allowed:
                mate = allowed[fold(self.seed, "identity", row.id, *turn) % len(allowed)]
                return self.vectors[mate]  # type: ignore[no-any-return]
        raise UseError(
            f"clip {row.id!r} of split {self.table.name!r}: its speaker has no other utterance to take the identity "
            "from; leave the clip out, or give a voice with `v2sbench speak --voice WAV`"
        )

    def mean(self) -> NDArray[np.float32]:
        """(256,) unit mean of the training speakers: the identity when nobody gives one."""
        speakers = [self.vectors[rows].mean(axis=0) for _, rows in sorted(self.heard.items())]
        total = np.sum(speakers, axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)
