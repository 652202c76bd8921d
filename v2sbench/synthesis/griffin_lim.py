"""Phase for a log-mel by fast Griffin-Lim (Griffin & Lim 1984; Perraudin et al. 2013)."""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn

from v2sbench.audio import RATE, SAMPLES_PER_FRAME
from v2sbench.nets.cards import MelArch

ITERATIONS = 60  # more of them move PESQ by less than 0.01 on GRID
MOMENTUM = 0.99  # as in Perraudin et al. 2013


def griffin_lim(mel: Tensor, arch: MelArch, frames: int) -> Tensor:
    """One log-mel (M, bands) -> wave (960 x frames,) in [-1, 1]; the magnitude is the least-squares one.

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
    window = torch.hann_window(arch.window)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wave = torchaudio.functional.griffinlim(
            magnitude, window, arch.n_fft, arch.hop, arch.window, 1.0, ITERATIONS, MOMENTUM, padded, rand_init=True
        )
    return torch.as_tensor(wave[0, :length]).clamp(-1.0, 1.0)
