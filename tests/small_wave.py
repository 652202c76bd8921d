"""Small networks of every family, and random clips for them; beside `tests.small`, whose toy corpus they train on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.small import SMALL, small_params
from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.clips.splits import DIMENSIONS
from v2sbench.nets import card_from_json, load_card
from v2sbench.nets.cards import Card, Params
from v2sbench.nets.model import SpeechModel
from v2sbench.runtime import merge

SMALL_ADVERSARY: dict[str, Any] = {"scales": 2, "width": 4, "limit": 16, "start": 0.4, "lead": 0.2}
SMALL_WAVE: dict[str, Any] = merge(
    SMALL,
    {
        "arch": {"decoder": None, "wave": {"channels": [16, 8, 8, 4, 4], "dilations": [1, 3]}},
        "adversary": SMALL_ADVERSARY,
    },
)
"""Sections of a small network of the families `wave` and `vocoder`, merged over a card."""
BATCH, FRAMES = 3, 8
LENGTHS = torch.tensor([FRAMES, FRAMES - 2, FRAMES])


def small_variant(name: str, **sections: Any) -> Card:
    """The card `name`, of whatever family, with a tiny network; further sections are merged over it."""
    card = load_card(name)
    small = SMALL if card.family == "mel" else SMALL_WAVE
    return card_from_json(json.dumps(merge(merge(json.loads(card.json()), small), sections)))


def wave_params(**train: Any) -> Params:
    """`small_params` with small networks of the wave family and of the vocoder beside the mel family's."""
    section, params = merge(SMALL_WAVE, {"train": train}), small_params(**train)
    return replace(params, override={**params.override, "wave": section, "vocoder": section})


def source_of(card: Card, frames: int = FRAMES, batch: int = BATCH) -> Tensor:
    """Random crops or waveform, as the card's encoder reads them; full to the last frame."""
    if card.source == "video":
        return torch.randint(0, 256, (batch, frames, card.data.crop, card.data.crop), dtype=torch.uint8)
    return torch.rand(batch, frames * SAMPLES_PER_FRAME) - 0.5


def identity_of(card: Card, batch: int = BATCH) -> Tensor:
    """Random unit vectors without negative entries, one a clip."""
    return torch.nn.functional.normalize(torch.rand(batch, DIMENSIONS[card.identity]), dim=1)


def output_of(model: SpeechModel, frames: int = FRAMES, lengths: Tensor = LENGTHS) -> Tensor:
    """Valid frames or samples of the model's output for random clips, whatever its family."""
    card, batch = model.card, len(lengths)
    if card.family == "vocoder":
        mel = torch.rand(batch, SAMPLES_PER_FRAME * frames // card.arch.mel.hop, card.arch.mel.bands) * 3 - 4
        return model(mel).flatten()  # type: ignore[no-any-return]
    source = source_of(card, frames, batch)
    per_frame = source.shape[1] // frames
    for clip, length in zip(source, lengths.tolist(), strict=True):
        clip[length * per_frame :] = 0
    output, mask = model(source, identity_of(card, batch), lengths)
    return output[mask]  # type: ignore[no-any-return]
