"""Can a family learn at all? Eight clips by heart, from mouth crops to speech, and the STOI of what comes out.

    python -m benchmarks.overfit v2a-mel-s-speaker-scratch --split demo-seen
    python -m benchmarks.overfit v2a-wave-speaker-scratch --split grid1-seen --steps 2000

A model that cannot overfit eight clips has a broken gradient or a wrong target, whatever its loss says. The network is
the one of a profile (default: profiles/matrix.yaml); crops are not augmented. No reported number is made this way: the
clips that are heard are those that were learnt.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from v2sbench.audio import RATE, SAMPLES_PER_FRAME, resample
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.nets import load_card, load_params
from v2sbench.nets.batch import Batch
from v2sbench.nets.cards import Card
from v2sbench.nets.model import build_model
from v2sbench.runtime import UseError, device, fold, merge, rng, setup_determinism
from v2sbench.runtime.systems import GRIFFIN_LIM
from v2sbench.scoring.metrics.stoi import intelligibility
from v2sbench.synthesis import load_vocoder
from v2sbench.train.batches import Batches
from v2sbench.train.objectives import objective_of

CLIPS = 8
"""Clips that are learnt by heart."""
ENVELOPE_FIRST = {"loss": {"mfcc": 20.0}, "train": {"lr": 2.5e-3}}
"""Over the profile, for waveform models: STOI hears the envelope, and there are few steps to learn it."""
WHOLE = {"data": {"frames": 75}}
"""Over the profile, for mel models: whole GRID clips, since what is heard is whole too and its context is learnt."""
SCORING_RATE = 16_000
"""Hz, as in the protocol."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overfit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variant", metavar="VARIANT", help="a name of `v2sbench list models`")
    parser.add_argument(
        "--split", required=True, metavar="S", help="a prepared split; its first training clips are used"
    )
    parser.add_argument("--profile", type=Path, default=Path("profiles/matrix.yaml"), metavar="FILE")
    parser.add_argument("--steps", type=int, default=600, metavar="N")
    parser.add_argument("--every", type=int, default=100, metavar="N", help="steps between lines of the log")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    return parser.parse_args()


def recipe(variant: str, profile: Path, steps: int) -> Card:
    """The card of the profile without augmentation, trained for `steps` on eight clips a step."""
    params = load_params(profile)
    plain: dict[str, Any] = {
        "data": {"flip": 0.0, "erase": 0.0, "time_mask": 0.0},
        "train": {"steps": steps, "batch": CLIPS, "schedule": "cosine", "warmup": 0.03},
    }
    plain = merge(plain, ENVELOPE_FIRST if load_card(variant, params).family == "wave" else WHOLE)
    override = {**params.override, variant: merge(params.override.get(variant, {}), plain)}
    return load_card(variant, dataclasses.replace(params, override=override))


def crops_of(whole: Batch, frames: int, step: int, seed: int) -> Batch:
    """`frames` video frames of each clip, or as many as the shortest has; the step draws which, for each clip anew."""
    shortest = int(whole.lengths.min())
    frames = min(frames, shortest)
    starts = rng(seed, "overfit", step).integers(shortest - frames + 1, size=len(whole.lengths))
    waves = [
        wave[start * SAMPLES_PER_FRAME : (start + frames) * SAMPLES_PER_FRAME]
        for wave, start in zip(whole.wave, starts, strict=True)
    ]
    crops = None
    if whole.crops is not None:
        crops = torch.stack([clip[start : start + frames] for clip, start in zip(whole.crops, starts, strict=True)])
    lengths = torch.full_like(whole.lengths, frames)
    return Batch(crops=crops, wave=torch.stack(waves), identity=whole.identity, lengths=lengths)


@torch.inference_mode()
def measure(model: torch.nn.Module, card: Card, batch: Batch) -> float:
    """Mean STOI over the clips; mel models speak through Griffin-Lim."""
    model.eval()
    target = device()
    outputs, mask = model(batch.source.to(target), batch.identity.to(target), batch.lengths)
    scores = []
    for slot, frames in enumerate(batch.lengths.tolist()):
        output = outputs[slot][mask[slot]].float().cpu()
        wave = load_vocoder(GRIFFIN_LIM, card.arch.mel)(output, frames) if card.family == "mel" else output
        truth = batch.wave[slot, : len(wave)]
        truth16, wave16 = (resample(item.numpy(), RATE, SCORING_RATE) for item in (truth, wave))
        scores.append(intelligibility(truth16, wave16, SCORING_RATE).stoi)
    return float(np.mean(scores))


def main() -> None:
    """Train, and print a line now and then."""
    options = arguments()
    card = recipe(options.variant, options.profile, options.steps)
    if card.family == "vocoder":
        raise UseError("a vocoder has no crops to learn from; name an a2a or v2a variant")
    seed = load_params(options.profile).seed
    setup_determinism(seed, options.threads)
    table = read_split(Path("splits") / options.split)
    batches = Batches(table, Clips(table.clips), card, seed)
    whole = batches.whole(list(range(min(CLIPS, len(batches)))))
    torch.manual_seed(fold(seed, "weights", card.source))
    model = build_model(card).to(device())
    objective = objective_of(card, model, device())
    print(
        f"{card.name}: {len(whole.lengths)} clips of {options.split}, "
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {options.steps} steps"
    )
    begun, sums = time.monotonic(), dict.fromkeys(objective.terms, 0.0)
    for step in range(options.steps):
        for name, value in objective.step(crops_of(whole, card.data.frames, step, seed), step, seed).items():
            sums[name] += value / options.every
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            terms = "  ".join(f"{name} {value:.4f}" for name, value in sums.items())
            spent, heard = time.monotonic() - begun, measure(model, card, whole)
            print(f"step {step + 1:5d}  {spent:5.0f} s  STOI {heard:.3f}  {terms}", flush=True)
            sums = dict.fromkeys(objective.terms, 0.0)


if __name__ == "__main__":
    try:
        main()
    except UseError as error:
        sys.exit(f"overfit: {error}")
