"""Phase for a log-mel by fast Griffin-Lim (Perraudin et al. 2013)."""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn

from v2sbench.audio import RATE, SAMPLES_PER_FRAME
from v2sbench.nets.cards import MelArch

GRIFFIN_LIM_ITERATIONS = 60
"""Enough that more iterations move PESQ by less than 0.01 on GRID."""


GRIFFIN_LIM_MOMENTUM = 0.99
"""Fast Griffin-Lim (Perraudin et al. 2013)."""


def griffin_lim(mel: Tensor, arch: MelArch, frames: int) -> Tensor:
    """One log-mel (M, bands) -> wave (960 x frames,) in [-1, 1]: least-squares magnitude, then Griffin & Lim 1984.

    Phases start from a fixed seed, so the same mel gives the same samples.
    """
    weights = torchaudio.functional.melscale_fbanks(
        arch.n_fft // 2 + 1, arch.low, arch.high, arch.bands, RATE, norm="slaney", mel_scale="slaney"
    )
    inverse = torch.linalg.pinv(weights.double()).float()
    magnitude = (torch.pow(10.0, mel.float()) @ inverse).clamp_min(1e-8)
    length = SAMPLES_PER_FRAME * frames
    padded = max(length, arch.n_fft)  # overlap-add reflects half a window
    missing = 1 + padded // arch.hop - magnitude.shape[0]
    magnitude = nn.functional.pad(magnitude.T[None], (0, missing), mode="replicate")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wave = torchaudio.functional.griffinlim(
            magnitude, torch.hann_window(arch.window), arch.n_fft, arch.hop, arch.window, power=1.0,
            n_iter=GRIFFIN_LIM_ITERATIONS, momentum=GRIFFIN_LIM_MOMENTUM, length=padded, rand_init=True,
        )[0]  # fmt: skip
    return torch.as_tensor(wave[:length]).clamp(-1.0, 1.0)
