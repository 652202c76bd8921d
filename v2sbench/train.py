"""The training loop: a pure function of (card, split, seed, step), resumed exactly from `runs/<digest>/`.

The state that is kept is weights, optimiser and step; batches, dropout and learning rate follow from the step. The
finished weights are moved into place at the end, so a file under models/weights is always a finished one; the state is
removed then. SIGTERM saves the state and leaves with exit code 143, as a cluster's time limit wants it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from v2sbench.batches import Batch, Batches, read_ahead
from v2sbench.card import Card, Params, Train, load_card
from v2sbench.dsp import LogMel
from v2sbench.nets.model import MelModel, load_weights, save_weights, transfer_decoder
from v2sbench.runtime import UseError, atomic, device, fold, progress, setup_determinism, sha256_file
from v2sbench.shards import Clips
from v2sbench.splits import read_split

__all__ = ["learning_rate", "mel_loss", "run_folder", "train_variant", "weights_path"]

SAVE_SECONDS = 60.0
"""Seconds between saves of the resume state."""
RESUMED = ("step", "log", "recent", "checked")
"""Attributes of a run that are kept beside weights and optimiser."""
COLUMNS = ("step", "learning_rate", "train_l1", "gradient_norm", "validation_l1")
"""Columns of the training log; no timing, so that the file is the same every time."""


def weights_path(variant: str, split: str) -> Path:
    """Where the weights of a variant trained on a split lie."""
    return Path("models/weights") / split / f"{variant}.safetensors"


def learning_rate(train: Train, step: int) -> float:
    """Linear warm-up to the peak, then cosine to zero at the last step."""
    warm = max(1, round(train.warmup * train.steps))
    if step < warm:
        return train.lr * (step + 1) / warm
    return train.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, train.steps - warm)))


def mel_loss(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of log-mels (B, M, bands) over the valid frames (B, M)."""
    return (predicted.float() - target).abs().mean(dim=2)[mask].mean()


def run_folder(card: Card, split_digest: str, seed: int, threads: int, init: Path | None) -> Path:
    """`runs/<digest>`: other weights of the same run cannot be mixed up with it."""
    parts = [card.json(), split_digest, str(seed), str(threads), sha256_file(init) if init else ""]
    return Path("runs") / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def train_variant(
    variant: str, split: str, *, params: Params, out: Path | None = None, init: Path | None = None, resume: bool = True
) -> Path:
    """Train a variant on a split and return the path of its weights; the log lies beside it as `.tsv`.

    init: weights whose decoder is taken over; by default those of the card's `init` on the profile's pretrain_split.
    resume: continue a run that was cut off. UseError when split, clips or initial weights are missing.
    """
    card = load_card(variant, params)
    out = out or weights_path(variant, split)
    if card.init is None and init is not None:
        raise UseError(f"{variant} starts from scratch and takes no --init; use its -tuned or -frozen variant")
    if card.init is not None:
        init = init or weights_path(card.init, params.pretrain_split)
        if not init.is_file():
            raise UseError(f"{variant} starts from {init}, which is missing; "
                           f"first `v2sbench train {card.init} --split {params.pretrain_split}`")  # fmt: skip
    setup_determinism(params.seed, params.threads)
    table = read_split(Path("splits") / split)
    run = Run(card, Batches(table, Clips(table.clips), card, params.seed), init, params)
    folder = run_folder(card, table.digest, params.seed, params.threads, init)
    run.loop(folder, resume, desc=f"{variant} on {split}")
    log = "\n".join("\t".join(line) for line in [COLUMNS, *run.log]) + "\n"
    with atomic(out.with_suffix(".tsv")) as draft:
        draft.write_text(log, encoding="utf-8")
    save_weights(run.model, out)
    shutil.rmtree(folder, ignore_errors=True)  # a finished run resumes nothing: the next one starts from its first step
    return out


class Run:
    """A model in training with all that a step needs."""

    def __init__(self, card: Card, batches: Batches, init: Path | None, params: Params) -> None:
        self.card, self.batches, self.seed = card, batches, params.seed
        self.device = device()
        torch.manual_seed(fold(params.seed, "weights", card.source))
        self.model = MelModel(card)
        if init is not None:
            pretrained = load_weights(init)
            if pretrained.card.name != card.init:
                raise UseError(f"{card.name} starts from {card.init}, but {init} holds {pretrained.card.name}")
            transfer_decoder(self.model, pretrained)
        self.model.voice.copy_(torch.from_numpy(batches.voices.mean()))
        self.model.to(self.device)
        self.mel = LogMel(card.arch.mel).to(self.device)
        self.optimiser = torch.optim.AdamW(_groups(self.model, card.train.weight_decay), lr=card.train.lr,
                                           betas=(card.train.betas[0], card.train.betas[1]), fused=True)  # fmt: skip
        self.validation = self._validation(params)
        self.step = 0
        self.log: list[tuple[str, ...]] = []
        self.recent: list[float] = []
        self.checked = ""

    def _validation(self, params: Params) -> list[Batch]:
        """Up to 64 validation clips in fixed batches; empty when the split has none."""
        table = self.batches.table
        if not any(row.subset == "val" for row in table.rows):
            return []
        subset = Batches(table, self.batches.clips, self.card, params.seed, "val")
        count, size = min(64, len(subset)), self.card.train.batch
        return [subset.whole(list(range(start, min(start + size, count)))) for start in range(0, count, size)]

    def losses(self, batch: Batch) -> Tensor:
        """The weighted loss of one batch."""
        precision = torch.bfloat16 if self.card.train.precision == "bf16" else torch.float32
        wave = batch.wave.to(self.device)
        source = wave if batch.crops is None else batch.crops.to(self.device)
        with torch.autocast(self.device.type, precision, enabled=precision is torch.bfloat16):
            predicted, mask = self.model(source, batch.identity.to(self.device), batch.lengths)
        return self.card.train.l1 * mel_loss(predicted, self.mel(wave), mask)

    def train_step(self, batch: Batch) -> tuple[float, float]:
        """One optimiser step: (loss, gradient norm). UseError on a loss that is not finite, with the step."""
        torch.manual_seed(fold(self.seed, "dropout", self.step))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.card.train, self.step)
        self.model.train()
        loss = self.losses(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.card.train.clip_norm)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise UseError(f"{self.card.name}: L1 loss {value}, gradient norm {float(norm)} at step {self.step}; "
                           "lower train.lr or train.clip_norm in params.yaml's override")  # fmt: skip
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return value, float(norm)

    @torch.inference_mode()
    def validate(self) -> float | None:
        """Mean loss over the validation clips, None without any."""
        if not self.validation:
            return None
        self.model.eval()
        sizes = [len(batch.lengths) for batch in self.validation]
        total = sum(size * float(self.losses(batch)) for size, batch in zip(sizes, self.validation, strict=True))
        return total / sum(sizes)

    def loop(self, folder: Path, resume: bool, desc: str) -> None:
        """Run to the last step, saving the state now and then and at SIGTERM."""
        state = folder / "state.pt"
        if resume and state.is_file():
            self.load(state)
        saved = time.monotonic()
        with _sigterm() as asked_to_leave, progress(total=self.card.train.steps, desc=desc) as bar:
            bar.update(self.step)
            for batch in read_ahead(self.batches, self.step, self.card.train.steps):
                value, norm = self.train_step(batch)
                self.recent.append(value)
                self.note(norm)
                if self.log:
                    bar.set_postfix(l1=self.log[-1][2], val=self.checked, refresh=False)
                bar.update()
                if asked_to_leave() or time.monotonic() - saved > SAVE_SECONDS:
                    self.save(state)
                    saved = time.monotonic()
                if asked_to_leave():
                    raise SystemExit(143)

    def note(self, norm: float) -> None:
        """Add a line to the log where one is due."""
        recipe = self.card.train
        last = self.step == recipe.steps
        checked = self.validate() if last or self.step % recipe.validate_every == 0 else None
        if checked is not None:
            self.checked = f"{checked:.5f}"
        if last or checked is not None or self.step % recipe.log_every == 0:
            rate, loss = learning_rate(recipe, self.step - 1), sum(self.recent) / len(self.recent)
            shown = "" if checked is None else self.checked
            self.log.append((str(self.step), f"{rate:.3e}", f"{loss:.5f}", f"{norm:.4f}", shown))
            self.recent = []

    def save(self, path: Path) -> None:
        """Write the resume state."""
        state = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        with atomic(path) as draft:
            torch.save({**state, **{name: getattr(self, name) for name in RESUMED}}, draft)

    def load(self, path: Path) -> None:
        """Take up the resume state."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name in RESUMED:
            setattr(self, name, state[name])


@contextlib.contextmanager
def _sigterm() -> Iterator[Callable[[], bool]]:
    """Within the block SIGTERM only leaves word; the yielded function tells whether it came."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)


def _groups(model: MelModel, decay: float) -> list[dict[str, Any]]:
    """Trainable parameters; only matrices and kernels decay."""
    live = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in live if parameter.ndim > 1], "weight_decay": decay},
        {"params": [parameter for parameter in live if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
