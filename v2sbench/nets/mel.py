"""Log-mel spectrogram: what mel models predict and all models are validated on.

The law of lengths, for every model: `samples = 960 x frames` and `mel frames = ceil(960 x frames / hop)`. With hop 300
that is 3.2 mel frames per video frame, so nothing here assumes an integer ratio.

    wave  (B, 960 F) float32 in [-1, 1] at 24 kHz
    mel   (B, M, bands) float32, log10 of the mel-weighted magnitude, floored
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn

from v2sbench.audio import RATE, SAMPLES_PER_FRAME
from v2sbench.nets.cards import MelArch


def mel_frames(frames: int, hop: int) -> int:
    """Mel frames of a clip of `frames` video frames: ceil(960 x frames / hop)."""
    return -(-SAMPLES_PER_FRAME * frames // hop)


def repeat_index(frames: int, hop: int) -> Tensor:
    """(M,) int64: the video frame in which each mel frame's centre lies (repetition along time, after AutoVC)."""
    index = torch.arange(mel_frames(frames, hop)) * hop // SAMPLES_PER_FRAME
    return index.clamp_(max=max(frames - 1, 0))


class LogMel(nn.Module):
    """Log-mel spectrogram with centred windows and Slaney's mel scale, as in the LibriTTS Parallel WaveGAN recipe."""

    weights: Tensor
    window: Tensor

    def __init__(self, arch: MelArch) -> None:
        super().__init__()
        self.arch = arch
        weights = torchaudio.functional.melscale_fbanks(
            arch.n_fft // 2 + 1, arch.low, arch.high, arch.bands, RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("weights", weights, persistent=False)
        self.register_buffer("window", torch.hann_window(arch.window), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """(B, 960 F) -> (B, ceil(960 F / hop), bands), values from log10(floor) up."""
        frames = wave.shape[-1] // SAMPLES_PER_FRAME
        wave = nn.functional.pad(wave, (0, max(0, self.arch.n_fft - wave.shape[-1])))  # reflection needs half a window
        size, hop, window = self.arch.n_fft, self.arch.hop, self.arch.window
        spectrum = torch.stft(wave, size, hop, window, self.window, pad_mode="reflect", return_complex=True)
        mel = spectrum.abs().transpose(1, 2) @ self.weights
        return torch.log10(mel.clamp_min(self.arch.floor))[:, : mel_frames(frames, hop)]
