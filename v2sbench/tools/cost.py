"""What a card's network costs: parameters, and multiply-adds per second of speech, per module of the paper's figure.

The networks are built and run on PyTorch's `meta` device, shapes without numbers, so that counting takes no memory and
no arithmetic. Matrix products, convolutions and attention count; norms, activations and the identity encoder do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from v2sbench.audio import FPS, SAMPLES_PER_FRAME
from v2sbench.clips.splits import DIMENSIONS
from v2sbench.nets.cards import Card
from v2sbench.nets.mel import mel_frames
from v2sbench.nets.model import SpeechModel, build_model


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one module, as a card builds it."""

    parameters: int
    trainable: int  # parameters that training changes: none of a frozen module
    rate: float  # multiply-adds per second of speech, in evaluation, at clips as long as the card's training crops


def sketch(card: Card) -> SpeechModel:
    """The network of a card without numbers, in evaluation mode."""
    with torch.device("meta"):
        return build_model(card).eval()


def parameters(module: nn.Module, trainable: bool = False) -> int:
    """Parameters of a module; only those that are not frozen where `trainable`."""
    return sum(item.numel() for item in module.parameters() if item.requires_grad or not trainable)


@torch.no_grad()
def multiply_adds(module: nn.Module, *inputs: Tensor) -> dict[str, int]:
    """Multiply-adds of one forward pass over `inputs`: in whole under "", and under the name of each child."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    counts = {name: sum(kinds.values()) // 2 for name, kinds in counter.get_flop_counts().items()}
    root = type(module).__name__
    children = {name: counts.get(f"{root}.{name}", 0) for name, _ in module.named_children()}
    return {"": counts.get("Global", 0), **children}


def costs_of(card: Card) -> dict[str, Cost]:
    """Cost of each module of the card's network (encoder, temporal, identity, decoder), and of all under ""."""
    model = sketch(card)
    rates = _rates(replace(card, name="", init=None, freeze=()))
    return {
        name: Cost(parameters=parameters(module), trainable=parameters(module, trainable=True), rate=rates[name])
        for name, module in [("", model), *model.named_children()]
    }


@cache
def _rates(card: Card) -> dict[str, float]:
    """Multiply-adds per second of speech of each module; cached, since most cards share their network."""
    counted = multiply_adds(sketch(card), *_clip(card))
    return {name: count * FPS / card.data.frames for name, count in counted.items()}


def _clip(card: Card) -> tuple[Tensor, ...]:
    """What the network of a card reads of one clip that fills a training crop."""
    frames, crop = card.data.frames, card.data.crop
    if card.family == "vocoder":
        return (torch.empty(1, mel_frames(frames, card.arch.mel.hop), card.arch.mel.bands, device="meta"),)
    if card.source == "video":
        source = torch.empty(1, frames, crop, crop, dtype=torch.uint8, device="meta")
    else:
        source = torch.empty(1, SAMPLES_PER_FRAME * frames, device="meta")
    return source, torch.empty(1, DIMENSIONS[card.identity], device="meta"), torch.tensor([frames])
