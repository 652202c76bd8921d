"""What one step of a model sees, and whole clips in that form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import SplitTable
from v2sbench.clips.store import Clips
from v2sbench.nets.cards import Card
from v2sbench.runtime import UseError


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some clips, or stretches of clips, padded with zeros to the longest.

    crops: (B, F, crop, crop) uint8, grey; None for models that read no video.
    wave: (B, 960 F) float32 in [-1, 1].
    identity: float32 embeddings of other clips of the speakers: (B, 256) voices, (B, 128) faces, (B, 0) for vocoders.
    lengths: (B,) int64, valid video frames.
    """

    crops: Tensor | None
    wave: Tensor
    identity: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device, except for the lengths, which are read on the CPU."""
        crops = None if self.crops is None else self.crops.to(device, non_blocking=True)
        wave, identity = (part.to(device, non_blocking=True) for part in (self.wave, self.identity))
        return replace(self, crops=crops, wave=wave, identity=identity)

    @property
    def source(self) -> Tensor:
        """What the model's encoder reads."""
        return self.wave if self.crops is None else self.crops


@dataclass(frozen=True)
class Item:
    """One clip, or a stretch of one, before it is stacked."""

    crops: NDArray[np.uint8] | None
    wave: NDArray[np.float32]
    identity: NDArray[np.float32]
    frames: int


def stack(items: Sequence[Item], side: int) -> Batch:
    """Items as one batch, padded with zeros to the longest; crops are `side` pixels wide and high."""
    frames = max(item.frames for item in items)
    wave = torch.zeros(len(items), frames * SAMPLES_PER_FRAME)
    crops = torch.zeros(len(items), frames, side, side, dtype=torch.uint8) if items[0].crops is not None else None
    for slot, item in enumerate(items):
        wave[slot, : len(item.wave)] = torch.from_numpy(np.ascontiguousarray(item.wave))
        if crops is not None and item.crops is not None:
            crops[slot, : item.frames] = torch.from_numpy(np.ascontiguousarray(item.crops))
    return Batch(
        crops=crops,
        wave=wave,
        identity=torch.from_numpy(np.stack([item.identity for item in items])),
        lengths=torch.tensor([item.frames for item in items]),
    )


def whole(table: SplitTable, clips: Clips, card: Card, identities: Identities | None, rows: Sequence[int]) -> Batch:
    """Whole clips of a split by their rows: centre crops, no augmentation. For validation and synthesis."""
    items = []
    for index in rows:
        row = table.rows[index]
        crops = centre_crop(clips.roi(row.id), card.data.crop) if card.source == "video" else None
        items.append(Item(crops, clips.wave(row.id), identity_of(identities, index), row.frames))
    return stack(items, card.data.crop)


def identity_of(identities: Identities | None, index: int, *turn: object) -> NDArray[np.float32]:
    """The identity of a row; empty for a vocoder, which has none."""
    return np.zeros(0, np.float32) if identities is None else identities.draw(index, *turn)


def check_source(table: SplitTable, clips: Clips, card: Card, row: int) -> None:
    """UseError when the card reads video and the clip of this row has none."""
    if card.source == "video" and not clips.entry(table.rows[row].id).video:
        raise UseError(f"{card.name} needs video, and split {table.name!r} is audio only; choose an a2a variant")


def centre_crop(roi: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(F, 96, 96) -> (F, side, side) around the centre."""
    top, left = (roi.shape[1] - side) // 2, (roi.shape[2] - side) // 2
    return roi[:, top : top + side, left : left + side]
