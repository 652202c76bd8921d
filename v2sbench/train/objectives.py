"""One training step of each family: mel (L1), and waveform (reconstruction and adversary, two optimisers).

An objective owns the model, its optimisers and its losses; `loop` owns data, steps, log and state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets.batch import Batch
from v2sbench.nets.cards import Card, Train
from v2sbench.nets.mel import LogMel, mel_frames
from v2sbench.nets.model import SpeechModel
from v2sbench.runtime import fold
from v2sbench.train.adversary import Alarm, Discriminator, discriminator_loss, feature_loss, generator_loss
from v2sbench.train.losses import SpectralLosses


def learning_rate(train: Train, step: int, peak: float) -> float:
    """Linear warm-up to the peak, then constant, or cosine to zero at the last step."""
    warm = max(1, round(train.warmup * train.steps))
    if step < warm:
        return peak * (step + 1) / warm
    if train.schedule == "constant":
        return peak
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, train.steps - warm)))


def mel_loss(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of log-mels (B, M, bands) over the valid frames (B, M)."""
    return (predicted.float() - target).abs().mean(dim=2)[mask].mean()


class Objective:
    """What all families need: the forward pass under autocast, the optimiser, the alarm."""

    terms: tuple[str, ...]  # columns of the training log beside step and learning rate

    def __init__(self, card: Card, model: SpeechModel, device: torch.device) -> None:
        """model: on the device already."""
        self.card, self.model, self.device = card, model, device
        self.mel = LogMel(card.arch.mel).to(device)
        self.optimiser = _optimiser(model, card.train.lr, card.train.betas, card.train.weight_decay)
        self.alarm = Alarm(card.name)
        _prepare(card, model)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The model's output, and its mask, for a batch on the device."""
        precision = torch.bfloat16 if self.card.train.precision == "bf16" else torch.float32
        with torch.autocast(self.device.type, precision, enabled=precision is torch.bfloat16):
            if self.card.family == "vocoder":
                mask = torch.arange(batch.wave.shape[1]) < SAMPLES_PER_FRAME * batch.lengths[:, None]
                return self.model(self.mel(batch.wave))[:, : batch.wave.shape[1]], mask.to(self.device)
            output, mask = self.model(batch.source, batch.identity, batch.lengths)
        return output, mask

    def step(self, batch: Batch, step: int, seed: int) -> dict[str, float]:
        """Do one optimiser step and return its terms; UseError, with step and term, when the training has diverged."""
        torch.manual_seed(fold(seed, "dropout", step))
        for optimiser, peak in self.optimisers():
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self.card.train, step, peak)
        self.model.train()
        return self.update(batch.to(self.device), step)

    def update(self, batch: Batch, step: int) -> dict[str, float]:
        """Do the step on a batch that is on the device already."""
        raise NotImplementedError

    def validate(self, batch: Batch) -> Tensor:
        """Mean absolute difference of the log-mels of output and truth: one measure for all families."""
        raise NotImplementedError

    def optimisers(self) -> Iterator[tuple[torch.optim.Optimizer, float]]:
        """Every optimiser and its peak learning rate."""
        yield self.optimiser, self.card.train.lr

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs from the objective."""
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])

    def descend(self, loss: Tensor, module: nn.Module, optimiser: torch.optim.Optimizer) -> Tensor:
        """Gradients of `loss`, clipped to the card's norm, and one step; returns the norm before clipping."""
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), self.card.train.clip_norm)
        if math.isfinite(float(norm)):  # else the alarm names it; the weights stay as they are
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return norm


class MelObjective(Objective):
    """L1 on the log-mel."""

    terms = ("l1", "gradient_norm")

    def update(self, batch: Batch, step: int) -> dict[str, float]:
        """Do one step of the L1 loss."""
        predicted, mask = self.forward(batch)
        l1 = mel_loss(predicted, self.mel(batch.wave), mask)
        norm = self.descend(self.card.loss.l1 * l1, self.model, self.optimiser)
        values = {"l1": float(l1.detach()), "gradient_norm": float(norm)}
        self.alarm.watch(step, values)
        return values

    def validate(self, batch: Batch) -> Tensor:
        """L1 of the predicted log-mel."""
        batch = batch.to(self.device)
        predicted, mask = self.forward(batch)
        return mel_loss(predicted, self.mel(batch.wave), mask)


class WaveObjective(Objective):
    """Reconstruction terms from the first step, the adversary from `adversary.start` on."""

    def __init__(self, card: Card, model: SpeechModel, device: torch.device) -> None:
        super().__init__(card, model, device)
        self.spectral = SpectralLosses(card.loss).to(device)
        self.adversarial = card.adversary is not None and card.loss.adversarial + card.loss.features > 0
        self.terms = (*self.spectral.wanted, "gradient_norm")
        self.start = self.lead = card.train.steps
        if self.adversarial:
            assert card.adversary is not None
            self.start = round(card.adversary.start * card.train.steps)
            self.lead = self.start - round(card.adversary.lead * card.train.steps)
            self.judge = Discriminator(card.adversary).to(device)
            self.judge_optimiser = _optimiser(self.judge, card.adversary.lr, card.adversary.betas, 0.0)
            self.terms = (*self.spectral.wanted, "adversarial", "features", "discriminator", "gradient_norm")

    def update(self, batch: Batch, step: int) -> dict[str, float]:
        """Do the discriminator's step when one is due, then the generator's."""
        predicted, mask = self.forward(batch)
        predicted, target = predicted.float() * mask, batch.wave
        losses = self.spectral(predicted, target)
        seen: dict[str, Tensor] = {}
        if step >= self.lead:
            seen["discriminator"] = self._judge(predicted.detach(), target)
        if step >= self.start:
            self.judge.requires_grad_(False)
            with torch.no_grad():
                real = self.judge(target)
            fake = self.judge(predicted)
            losses |= {"adversarial": generator_loss(fake), "features": feature_loss(real, fake)}
        total = torch.stack([getattr(self.card.loss, name) * value for name, value in losses.items()]).sum()
        seen["gradient_norm"] = self.descend(total, self.model, self.optimiser)
        values = {name: float(value.detach()) for name, value in (losses | seen).items()}
        self.alarm.watch(step, values, float(predicted.detach().std() / target.std().clamp_min(1e-5)))
        return values

    def _judge(self, fake: Tensor, real: Tensor) -> Tensor:
        """Do one step of the discriminator and return its loss."""
        self.judge.requires_grad_(True)
        loss = discriminator_loss(self.judge(real), self.judge(fake))
        self.descend(loss, self.judge, self.judge_optimiser)
        return loss

    def validate(self, batch: Batch) -> Tensor:
        """L1 between the log-mels of the output and of the truth."""
        batch = batch.to(self.device)
        predicted, _ = self.forward(batch)
        target = self.mel(batch.wave)
        frames = torch.tensor([mel_frames(int(length), self.card.arch.mel.hop) for length in batch.lengths])
        mask = (torch.arange(target.shape[1]) < frames[:, None]).to(self.device)
        return mel_loss(self.mel(predicted.float()), target, mask)

    def optimisers(self) -> Iterator[tuple[torch.optim.Optimizer, float]]:
        """The generator's optimiser, and the discriminator's if there is one."""
        yield from super().optimisers()
        if self.adversarial:
            assert self.card.adversary is not None
            yield self.judge_optimiser, self.card.adversary.lr

    def state(self) -> dict[str, Any]:
        """The state with the discriminator and its optimiser."""
        state = super().state()
        if self.adversarial:
            state |= {"judge": self.judge.state_dict(), "judge_optimiser": self.judge_optimiser.state_dict()}
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state with the discriminator and its optimiser."""
        super().load(state)
        if self.adversarial:
            self.judge.load_state_dict(state["judge"])
            self.judge_optimiser.load_state_dict(state["judge_optimiser"])


def objective_of(card: Card, model: SpeechModel, device: torch.device) -> Objective:
    """The objective of the card's family."""
    return (MelObjective if card.family == "mel" else WaveObjective)(card, model, device)


def _optimiser(module: nn.Module, lr: float, betas: tuple[float, ...], decay: float) -> torch.optim.Optimizer:
    """AdamW over the trainable parameters; only matrices and kernels decay."""
    live = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in live if parameter.ndim > 1], "weight_decay": decay},
        {"params": [parameter for parameter in live if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(betas[0], betas[1]), fused=True)


def _prepare(card: Card, model: SpeechModel) -> None:
    """Bring the model into the card's memory layout, and compile its parts where the card says so.

    `torch.compile` takes the parts and not the whole: lengths and masks differ from batch to batch.
    """
    if card.train.channels_last:
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if card.train.compile:
        for name in ("encoder", "decoder"):
            if hasattr(model, name):
                model.get_submodule(name).compile(dynamic=False)
