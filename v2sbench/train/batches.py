"""Training batches as a pure function of (split, card, seed, step), read ahead by one thread.

Shapes are those of `nets.batch.Batch`; the card's data section says how crops are cut and augmented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import FPS
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import Row, SplitTable
from v2sbench.clips.store import Clips
from v2sbench.nets.batch import Batch, Item, check_source, identity_of, stack, whole
from v2sbench.nets.cards import Card, Data
from v2sbench.nets.video import GREY_MEAN
from v2sbench.runtime import UseError, rng, unit

AHEAD = 3  # batches that the reading thread may be ahead


def batch_ids(n: int, batch: int, step: int, seed: int) -> NDArray[np.int64]:
    """Positions, in [0, n), of the `batch` items of training step `step`: (batch,) int64.

    A pure function: the epochs, each a permutation of all items seeded by (seed, epoch), form one endless line, and a
    step takes the next `batch` places. So an epoch visits every item once, a step may straddle two epochs, and training
    can continue from any step without a state. ValueError unless n and batch are positive and step is not negative.
    """
    if n < 1 or batch < 1 or step < 0:
        raise ValueError(f"n = {n}, batch = {batch}, step = {step}; allowed are n > 0, batch > 0, step >= 0")
    places = np.arange(step * batch, (step + 1) * batch)
    taken = np.empty(batch, np.int64)
    for epoch in range(places[0] // n, places[-1] // n + 1):
        inside = places // n == epoch
        taken[inside] = _epoch(n, seed, int(epoch))[places[inside] - epoch * n]
    return taken


@lru_cache(maxsize=4)
def _epoch(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return rng(seed, "epoch", epoch).permutation(n)


class Batches:
    """Batches of one subset of a split."""

    def __init__(
        self,
        table: SplitTable,
        clips: Clips,
        card: Card,
        seed: int,
        subset: str = "train",
        identities: Identities | None = None,
    ) -> None:
        """identities: those of the split, if the caller has them already.

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
        check_source(table, clips, card, self.rows[0])
        self.table, self.clips, self.card, self.seed = table, clips, card, seed
        self.identities = identities
        if identities is None and card.family != "vocoder":
            self.identities = Identities(table, seed, card.identity)

    def of(self, subset: str) -> Batches:
        """Batches of another subset of the same split."""
        return Batches(self.table, self.clips, self.card, self.seed, subset, self.identities)

    def mean_identity(self) -> NDArray[np.float32]:
        """(D,) unit mean embedding of the training speakers: the identity when none is given."""
        assert self.identities is not None  # every model but a vocoder has them
        return self.identities.mean()

    def __len__(self) -> int:
        """Clips in the subset."""
        return len(self.rows)

    def at(self, step: int) -> Batch:
        """The training batch of a step, the same at every call: random crops in time and picture, augmented."""
        chosen = batch_ids(len(self.rows), min(self.card.train.batch, len(self.rows)), step, self.seed)
        items = [self._training_item(self.rows[index], step, slot) for slot, index in enumerate(chosen)]
        return stack(items, self.card.data.crop)

    def whole(self, indices: list[int]) -> Batch:
        """Whole clips of the subset by position, centre crops, no augmentation: validation."""
        return whole(self.table, self.clips, self.card, self.identities, [self.rows[index] for index in indices])

    def _training_item(self, index: int, step: int, slot: int) -> Item:
        row = self.table.rows[index]
        draw = rng(self.seed, "crop", self.table.name, step, slot)
        frames = min(row.frames, self.card.data.frames)
        start = int(draw.integers(row.frames - frames + 1))
        wave = self.clips.wave(row.id, start, frames)
        crops = None
        if self.card.source == "video":
            crops = augment(self.clips.roi(row.id, start, frames), self.card.data, draw)
        return Item(crops, wave, identity_of(self.identities, index, step), frames)


def _used(row: Row, data: Data) -> bool:
    """Whether the card's data section uses a training clip."""
    named = not data.speakers or any(fnmatchcase(row.speaker, pattern) for pattern in data.speakers)
    return named and unit(0, "share", row.id) < data.share


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
