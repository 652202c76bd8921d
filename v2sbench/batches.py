"""Training batches as a pure function of (split, card, seed, step), read ahead by one thread.

picture crops  (B, F, crop, crop) uint8     flip, erasing and time masking as the card's data section says
wave           (B, 960 F) float32 in [-1, 1], zero past a clip's end
identity       (B, 256) or, of faces, (B, 128) float32, of another clip of each speaker; a vocoder has none
lengths        (B,) int64, valid video frames
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from v2sbench.card import Card, Data
from v2sbench.identity import Identities
from v2sbench.media import FPS, SAMPLES_PER_FRAME
from v2sbench.nets.video import GREY_MEAN
from v2sbench.runtime import UseError, rng, unit
from v2sbench.shards import Clips
from v2sbench.splits import Row, SplitTable, batch_ids

__all__ = ["Batch", "Batches", "augment", "centre_crop", "read_ahead"]

AHEAD = 3
"""Batches that the reading thread may be ahead."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one step sees."""

    crops: Tensor | None
    """(B, F, crop, crop) uint8, zero past a clip's end; None for A2A models."""
    wave: Tensor
    """(B, 960 F) float32 in [-1, 1], zero past a clip's end."""
    identity: Tensor
    """(B, 256) float32, of faces (B, 128), of a vocoder (B, 0)."""
    lengths: Tensor
    """(B,) int64, valid video frames."""

    def to(self, device: torch.device) -> Batch:
        """The same on a device; the lengths stay, since only their values are read."""
        return replace(
            self,
            crops=None if self.crops is None else self.crops.to(device, non_blocking=True),
            wave=self.wave.to(device, non_blocking=True),
            identity=self.identity.to(device, non_blocking=True),
        )

    @property
    def source(self) -> Tensor:
        """What the model's encoder reads."""
        return self.wave if self.crops is None else self.crops


class Batches:
    """Batches of one subset of a split."""

    def __init__(
        self, table: SplitTable, clips: Clips, card: Card, seed: int, subset: str = "train",
        identities: Identities | None = None,
    ) -> None:  # fmt: skip
        """identities: of the same split, where the caller has them already.

        UseError when the subset is empty, or a V2A card meets clips without picture.
        """
        self.rows: Sequence[int] = table.span(subset)
        if subset == "train" and (card.data.share < 1 or card.data.speakers):
            self.rows = [index for index in self.rows if _used(table.rows[index], card.data)]
        if not self.rows:
            chosen = " that data.share and data.speakers leave" if subset == "train" else ""
            raise UseError(
                f"split {table.name!r} has no {subset} clips here{chosen}; see `v2sbench split {table.name}`"
            )
        if card.source == "video" and not clips.entry(table.rows[self.rows[0]].id).video:
            raise UseError(f"{card.name} needs video, and split {table.name!r} is audio only; choose an a2a variant")
        self.table, self.clips, self.card, self.seed = table, clips, card, seed
        self.identities = identities
        if identities is None and card.family != "vocoder":
            self.identities = Identities(table, seed, card.identity)

    def of(self, subset: str) -> Batches:
        """Batches of another subset of the same split."""
        return Batches(self.table, self.clips, self.card, self.seed, subset, self.identities)

    def mean_identity(self) -> NDArray[np.float32]:
        """(D,) unit mean embedding of the training speakers: the identity when nobody gives one."""
        assert self.identities is not None  # every model but a vocoder has them
        return self.identities.mean()

    def __len__(self) -> int:
        """Clips in the subset."""
        return len(self.rows)

    def at(self, step: int) -> Batch:
        """Training batch of a step: random crops in time and picture, augmented; the same at every call."""
        chosen = batch_ids(len(self.rows), min(self.card.train.batch, len(self.rows)), step, self.seed)
        return self._stack([self._training_item(self.rows[index], step, slot) for slot, index in enumerate(chosen)])

    def whole(self, indices: list[int]) -> Batch:
        """Whole clips of the subset by position, centre crops, no augmentation: validation and synthesis."""
        return self._stack([self._whole_item(self.rows[index]) for index in indices])

    def _training_item(self, index: int, step: int, slot: int) -> _Item:
        row = self.table.rows[index]
        draw = rng(self.seed, "crop", self.table.name, step, slot)
        frames = min(row.frames, self.card.data.frames)
        start = int(draw.integers(row.frames - frames + 1))
        wave = self.clips.wave(row.id, start, frames)
        crops = None
        if self.card.source == "video":
            crops = augment(self.clips.roi(row.id, start, frames), self.card.data, draw)
        return _Item(crops, wave, self._identity(index, step), frames)

    def _whole_item(self, index: int) -> _Item:
        row = self.table.rows[index]
        video = self.card.source == "video"
        crops = centre_crop(self.clips.roi(row.id), self.card.data.crop) if video else None
        return _Item(crops, self.clips.wave(row.id), self._identity(index), row.frames)

    def _identity(self, index: int, *turn: object) -> NDArray[np.float32]:
        return np.zeros(0, np.float32) if self.identities is None else self.identities.draw(index, *turn)

    def _stack(self, items: list[_Item]) -> Batch:
        frames = max(item.frames for item in items)
        side = self.card.data.crop
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


def _used(row: Row, data: Data) -> bool:
    """Whether a training clip is among those that the card's data section leaves."""
    named = not data.speakers or any(fnmatchcase(row.speaker, pattern) for pattern in data.speakers)
    return named and unit(0, "share", row.id) < data.share


@dataclass(frozen=True)
class _Item:
    crops: NDArray[np.uint8] | None
    wave: NDArray[np.float32]
    identity: NDArray[np.float32]
    frames: int


def centre_crop(roi: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(F, 96, 96) -> (F, side, side) around the centre."""
    top, left = (roi.shape[1] - side) // 2, (roi.shape[2] - side) // 2
    return roi[:, top : top + side, left : left + side]


def augment(roi: NDArray[np.uint8], data: Data, draw: np.random.Generator) -> NDArray[np.uint8]:
    """(F, 96, 96) -> (F, crop, crop): random crop, flip, erasing and time masking, the same for a whole clip.

    Erased rectangles (2 to 20 % of the crop) and masked frames take the mean grey of the normalisation, so that the
    encoder sees zero there.
    """
    grey = round(255 * GREY_MEAN)
    top, left = (int(draw.integers(edge - data.crop + 1)) for edge in roi.shape[1:])
    crops = np.array(roi[:, top : top + data.crop, left : left + data.crop])
    if draw.random() < data.flip:
        crops = crops[:, :, ::-1].copy()
    if draw.random() < data.erase:
        area, ratio = draw.uniform(0.02, 0.2), np.exp(draw.uniform(-1.0, 1.0))
        height, width = (max(1, min(data.crop, round(data.crop * np.sqrt(area * r)))) for r in (ratio, 1.0 / ratio))
        top, left = int(draw.integers(data.crop - height + 1)), int(draw.integers(data.crop - width + 1))
        crops[:, top : top + height, left : left + width] = grey
    for second in range(0, len(crops), FPS):
        length = int(draw.integers(round(data.time_mask * FPS) + 1))
        start = second + int(draw.integers(FPS))
        crops[start : start + length] = grey
    return crops


def read_ahead(batches: Batches, first: int, last: int) -> Iterator[Batch]:
    """Batches of steps first .. last - 1 in order, read by a thread that runs a few steps ahead."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        queue: list[Future[Batch]] = []
        try:
            for step in range(first, last):
                while len(queue) <= AHEAD and step + len(queue) < last:
                    queue.append(pool.submit(batches.at, step + len(queue)))
                yield queue.pop(0).result()
        finally:
            for waiting in queue:
                waiting.cancel()
