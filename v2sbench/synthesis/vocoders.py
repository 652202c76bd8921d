"""Vocoders: log-mel in our definition (`nets.mel.LogMel`) in, waveform out.

    griffin-lim                 always there; least-squares phases
    checkpoint-*.pkl            Parallel WaveGAN or HiFi-GAN of the ParallelWaveGAN repository; config.yml and stats.h5
                                or stats.npy beside it
    generator_*, g_*            HiFi-GAN of its own repository; config.json beside it
    *.safetensors               a vocoder that `v2sbench train` wrote

A mel model predicts one definition of the mel, and a vocoder only understands the one that it was trained on. So the
definitions are compared when a vocoder is loaded. Differences that convert exactly (base of the logarithm,
normalisation, a shift by samples) are converted; any other is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets.cards import MelArch
from v2sbench.nets.mel import mel_frames
from v2sbench.nets.model import load_weights
from v2sbench.nets.trained_on import TrainedOn
from v2sbench.runtime import UseError, sha256_file, suggest
from v2sbench.runtime.systems import GRIFFIN_LIM
from v2sbench.synthesis.checkpoints import Conditioned, check_mel
from v2sbench.synthesis.griffin_lim import griffin_lim
from v2sbench.synthesis.hifigan import load_hifigan
from v2sbench.synthesis.parallel_wavegan import load_parallel_wavegan

KNOWN = f"{GRIFFIN_LIM}, or the path of a checkpoint-*.pkl, generator_* or *.safetensors"


@dataclasses.dataclass(frozen=True, eq=False)
class Vocoder:
    """Log-mel (M, bands) and video frames -> wave (960 x frames,) float32 in [-1, 1].

    It is deterministic, runs on the CPU, and is cheap to pickle: a worker loads the file itself, once.
    """

    name: str  # makes the vocoder again, by `load_vocoder`
    label: str  # short and stable, for tables: `griffin-lim`, or the kind and the start of the file's SHA-256
    mel: MelArch  # the definition that it expects
    render: Callable[[Tensor, int], Tensor]
    trained_on: tuple[TrainedOn, ...] = ()  # empty for a vocoder from elsewhere, about which nobody knows

    @torch.inference_mode()
    def __call__(self, mel: Tensor, frames: int) -> Tensor:
        """mel: log10 magnitude by `LogMel(self.mel)`, M = ceil(960 x frames / hop); UseError for another shape."""
        expected = (mel_frames(frames, self.mel.hop), self.mel.bands)
        if frames < 1 or tuple(mel.shape) != expected:
            raise UseError(f"{frames} video frames need a log-mel of shape {expected}, not {tuple(mel.shape)}")
        wave = self.render(mel.cpu(), frames)
        if wave.shape != (SAMPLES_PER_FRAME * frames,):  # never pad: silence at the end would be scored
            raise UseError(f"{self.name} gave {len(wave)} samples for {frames} video frames, too few")
        return wave.clamp(-1.0, 1.0)

    def __reduce__(self) -> tuple[Callable[..., Vocoder], tuple[str, MelArch, str]]:
        return _load_again, (self.name, self.mel, self.label)


def load_vocoder(name: str, mel: MelArch) -> Vocoder:
    """The vocoder `griffin-lim`, or the one in a file (formats: see above).

    mel: the definition of the log-mel that it will get. UseError, in one line: no such file or format; damaged weights,
    or weights with code; config or statistics missing; another architecture; another mel, each differing key named.
    """
    if name == GRIFFIN_LIM:
        return Vocoder(name, name, mel, lambda values, frames: griffin_lim(values, mel, frames))
    path = Path(name).resolve()  # a worker's working directory may be another
    if not path.is_file():
        raise UseError(f"unknown vocoder {name!r}{suggest(name, [GRIFFIN_LIM])} (known: {KNOWN})")
    past: tuple[TrainedOn, ...] = ()
    if path.suffix == ".safetensors":
        kind, (render, past) = "vocoder", _load_own(path, mel)
    elif path.suffix == ".pkl":
        kind, render = load_parallel_wavegan(path, mel)
    elif path.name.startswith(("generator_", "g_")):
        kind, render = "hifigan", load_hifigan(path, mel)
    else:
        raise UseError(f"{name} has no name by which its format is known (known: {KNOWN})")
    return Vocoder(str(path), f"{kind}:{sha256_file(path)[:8]}", mel, render, past)


def _load_own(path: Path, mel: MelArch) -> tuple[Conditioned, tuple[TrainedOn, ...]]:
    """A vocoder of this project, and its training clips: the generator maps (B, M, bands) to (B, hop x M)."""
    model = load_weights(path)
    card = model.card
    if card.family != "vocoder":
        raise UseError(f"{path} holds {card.name}, of the family {card.family}; --vocoder needs the family vocoder")
    theirs, ours = dataclasses.asdict(card.arch.mel), dataclasses.asdict(mel)
    check_mel(path, {f"arch.mel.{key}": (theirs[key], value) for key, value in ours.items()})
    return Conditioned(generator=lambda values: model(values.transpose(1, 2)), floor=mel.floor), model.trained_on


@cache
def _load_again(name: str, mel: MelArch, label: str) -> Vocoder:
    """In a worker: the vocoder of another process, from its file; loaded once for all clips of this worker."""
    vocoder = load_vocoder(name, mel)
    if vocoder.label != label:
        raise UseError(f"{name} changed while it was in use ({label} became {vocoder.label}); run again")
    return vocoder
