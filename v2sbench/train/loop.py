"""The training loop: a pure function of (card, split, seed, step), resumed exactly from `runs/<digest>/`.

The state holds weights, optimisers and step; batches, dropout and learning rate follow from the step. The finished
weights are moved into place at the end, so a file under models/weights is always a finished one; then the state is
removed. SIGTERM saves the state and ends the process with exit code 143, which suits the time limits of clusters.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.nets import Card, Params, load_card, weights_path
from v2sbench.nets.batch import Batch
from v2sbench.nets.model import build_model, load_weights, save_weights, transfer_decoder
from v2sbench.nets.trained_on import joined, trained_on
from v2sbench.runtime import UseError, atomic, device, fold, progress, setup_determinism, sha256_file
from v2sbench.runtime.systems import training
from v2sbench.train.batches import Batches, read_ahead
from v2sbench.train.objectives import learning_rate, objective_of

SAVE_SECONDS = 60.0  # between saves of the resume state
RESUMED = ("step", "log", "recent", "checked")  # attributes of a run in the resume state, beside the objective's


def train(
    variant: str,
    split: str,
    params: Params,
    *,
    seed: int | None = None,
    out: Path | None = None,
    init: Path | None = None,
    resume: bool = True,
) -> Path:
    """Train a variant on a split and return the path of its weights; the log lies beside it as `.tsv`.

    seed: of this training; by default the profile's first. init: the weights that the decoder starts from; by default
    those of the card's `init` on the profile's pretrain_split, trained with the same seed: one seed is one experiment
    from its beginning. resume: continue a run that was cut off. UseError when split, clips or initial weights are
    missing.
    """
    card = load_card(variant, params)
    seed = params.trainings[0] if seed is None else seed
    out = out or weights_path(variant, split, seed)
    if card.init is None and init is not None:
        raise UseError(f"{variant} starts from scratch and takes no --init; use its -tuned or -frozen variant")
    if card.init is not None:
        init = init or weights_path(card.init, params.pretrain_split, seed)
        if not init.is_file():
            remedy = f"first `v2sbench train {card.init} --split {params.pretrain_split} --seed {seed}`"
            raise UseError(f"{variant} starts from {init}, which is missing; {remedy}")
    setup_determinism(seed, params.threads)
    table = read_split(Path("splits") / split)
    run = Run(card, Batches(table, Clips(table.clips), card, seed), init, seed, params.threads)
    folder = run_folder(card, table.digest, seed, params.threads, init)
    run.loop(folder, resume, desc=f"{training(variant, seed)} on {split}")
    log = "\n".join("\t".join(line) for line in [run.columns, *run.log]) + "\n"
    with atomic(out.with_suffix(".tsv")) as draft:
        draft.write_text(log, encoding="utf-8")
    save_weights(run.objective.model, out)
    shutil.rmtree(folder, ignore_errors=True)  # a finished run leaves nothing to resume
    return out


def run_folder(card: Card, split_digest: str, seed: int, threads: int, init: Path | None) -> Path:
    """`runs/<digest>`, where the digest covers everything that the weights depend on."""
    parts = [card.json(), split_digest, str(seed), str(threads), sha256_file(init) if init else ""]
    return Path("runs") / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class Run:
    """A model in training, with its batches, its log and its resume state."""

    def __init__(self, card: Card, batches: Batches, init: Path | None, seed: int, threads: int) -> None:
        self.card, self.batches, self.seed = card, batches, seed
        torch.manual_seed(fold(seed, "weights", card.source))
        model = build_model(card)
        model.trained_on = (trained_on(batches.table),)
        model.recipe = {"seed": seed, "threads": threads}
        if init is not None:
            pretrained = load_weights(init)
            if pretrained.card.name != card.init:
                raise UseError(f"{card.name} starts from {card.init}, but {init} holds {pretrained.card.name}")
            transfer_decoder(model, pretrained)
            model.trained_on = joined(pretrained.trained_on, model.trained_on)
        if card.family != "vocoder":
            model.get_buffer("voice").copy_(torch.from_numpy(batches.mean_identity()))
        self.objective = objective_of(card, model.to(device()), device())
        self.validation = self._validation()
        self.columns = ("step", "learning_rate", *self.objective.terms, "validation_l1")
        self.step = 0
        self.log: list[tuple[str, ...]] = []
        self.recent: dict[str, list[float]] = {}
        self.checked = ""

    def _validation(self) -> list[Batch]:
        """Up to 64 validation clips in fixed batches; empty when the split has none."""
        if not self.batches.table.span("val"):
            return []
        subset = self.batches.of("val")
        count, size = min(64, len(subset)), self.card.train.batch
        return [subset.whole(list(range(start, min(start + size, count)))) for start in range(0, count, size)]

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Do one step and return its terms; UseError, with step and term, when the training has diverged."""
        terms = self.objective.step(batch, self.step, self.seed)
        self.step += 1
        return terms

    @torch.inference_mode()
    def validate(self) -> float | None:
        """Mean of the validation measure over the validation clips; None when the split has none."""
        if not self.validation:
            return None
        self.objective.model.eval()
        sizes = [len(batch.lengths) for batch in self.validation]
        measured = [float(self.objective.validate(batch)) for batch in self.validation]
        return sum(size * value for size, value in zip(sizes, measured, strict=True)) / sum(sizes)

    def loop(self, folder: Path, resume: bool, desc: str) -> None:
        """Run to the last step; save the state every SAVE_SECONDS and at SIGTERM."""
        state = folder / "state.pt"
        if resume and state.is_file():
            self.load(state)
        saved = time.monotonic()
        with _sigterm() as asked_to_leave, progress(total=self.card.train.steps, desc=desc) as bar:
            bar.update(self.step)
            for batch in read_ahead(self.batches, self.step, self.card.train.steps):
                self.note(self.train_step(batch))
                if self.log:
                    bar.set_postfix({self.columns[2]: self.log[-1][2], "val": self.checked}, refresh=False)
                bar.update()
                if asked_to_leave() or time.monotonic() - saved > SAVE_SECONDS:
                    self.save(state)
                    saved = time.monotonic()
                if asked_to_leave():
                    raise SystemExit(143)

    def note(self, terms: Mapping[str, float]) -> None:
        """Add a step's terms to the means, and a line to the log when one is due. No times, so that logs repeat."""
        for name, value in terms.items():
            self.recent.setdefault(name, []).append(value)
        recipe = self.card.train
        last = self.step == recipe.steps
        checked = self.validate() if last or self.step % recipe.validate_every == 0 else None
        if checked is not None:
            self.checked = f"{checked:.5f}"
        if last or checked is not None or self.step % recipe.log_every == 0:
            means = {name: f"{sum(values) / len(values):.5f}" for name, values in self.recent.items()}
            shown = [means.get(name, "") for name in self.objective.terms]
            rate = f"{learning_rate(recipe, self.step - 1, recipe.lr):.3e}"
            self.log.append((str(self.step), rate, *shown, "" if checked is None else self.checked))
            self.recent = {}

    def save(self, path: Path) -> None:
        """Write the resume state."""
        with atomic(path, sync=True) as draft:
            torch.save(self.objective.state() | {name: getattr(self, name) for name in RESUMED}, draft)

    def load(self, path: Path) -> None:
        """Continue from the resume state; UseError when it cannot be read or is not the state of such a run."""
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.objective.device, weights_only=True)
            self.objective.load(state)
            for name in RESUMED:
                setattr(self, name, state[name])
        except (EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError) as error:
            reason = next(iter(str(error).splitlines()), "no content")
            raise UseError(
                f"the resume state {path} is damaged ({type(error).__name__}: {reason}); "
                "train from the first step with --fresh"
            ) from error


@contextlib.contextmanager
def _sigterm() -> Iterator[Callable[[], bool]]:
    """Within the block SIGTERM does not end the process; the yielded function says whether it came."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
