"""Reconstruction losses of waveform models, after Mira et al. 2021: power, MFCC and a perceptual term.

Their perceptual term compares PASE features, for which no weights are public; a multi-resolution STFT loss (Yamamoto et
al. 2020) takes its place. All terms compare magnitudes: the phase, which no video shows, is free.

    wave  (B, T) float32 in [-1, 1] at 24 kHz, predictions and targets alike zero outside of a clip
"""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor, nn

from v2sbench.audio import RATE
from v2sbench.nets.cards import LossWeights

FLOOR = 1e-4  # smallest magnitude before a logarithm: 80 dB below full scale, so that dither and silence weigh little
POWER = (1024, 240, 600)  # FFT size, hop, window of the power and MFCC terms: 10 and 25 ms, as in speech recognition
RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))  # of the multi-resolution STFT loss, likewise
CEPSTRA, BANDS = 25, 80  # MFCCs (Mira et al. 2021) of so many mel bands


class SpectralLosses(nn.Module):
    """The terms that a card weighs, by name."""

    def __init__(self, weights: LossWeights) -> None:
        super().__init__()
        self.wanted = [name for name in ("power", "mfcc", "stft") if getattr(weights, name) > 0]
        for size in {POWER[2], *(window for _, _, window in RESOLUTIONS)}:
            self.register_buffer(f"window{size}", torch.hann_window(size), persistent=False)
        banks = torchaudio.functional.melscale_fbanks(POWER[0] // 2 + 1, 0.0, RATE / 2, BANDS, RATE, mel_scale="slaney")
        self.register_buffer("banks", banks / banks.sum(dim=0), persistent=False)  # the mean magnitude of a band
        self.register_buffer("dct", torchaudio.functional.create_dct(CEPSTRA, BANDS, "ortho"), persistent=False)

    def forward(self, predicted: Tensor, target: Tensor) -> dict[str, Tensor]:
        """(B, T) twice -> each wanted term, a scalar: `power` in decades, `mfcc` in decades, `stft` without a unit."""
        terms: dict[str, Tensor] = {}
        if "power" in self.wanted or "mfcc" in self.wanted:
            ours, theirs = (self._magnitude(wave, *POWER) for wave in (predicted, target))
            if "power" in self.wanted:
                terms["power"] = 2 * (_log(ours) - _log(theirs)).abs().mean()
            if "mfcc" in self.wanted:
                terms["mfcc"] = (self._cepstra(ours) - self._cepstra(theirs)).abs().mean()
        if "stft" in self.wanted:
            terms["stft"] = torch.stack([self._stft(predicted, target, *shape) for shape in RESOLUTIONS]).mean()
        return terms

    def _magnitude(self, wave: Tensor, size: int, hop: int, window: int) -> Tensor:
        """(B, T) -> (B, 1 + T / hop, 1 + size / 2) magnitudes; windows are centred, over zeros at the ends.

        In units of full scale: a sine of amplitude 1 has 1 at its peak.
        """
        hann = self.get_buffer(f"window{window}")
        wave = wave * (4.0 / window)
        spectrum = torch.stft(wave, size, hop, window, hann, pad_mode="constant", return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(dim=-1)
        return (power + 1e-14).sqrt().transpose(1, 2)  # the root of zero has no gradient

    def _cepstra(self, magnitude: Tensor) -> Tensor:
        """(B, N, size / 2 + 1) -> (B, N, 25)."""
        return _log(magnitude @ self.get_buffer("banks")).matmul(self.get_buffer("dct"))

    def _stft(self, predicted: Tensor, target: Tensor, size: int, hop: int, window: int) -> Tensor:
        """Spectral convergence plus the mean absolute difference of log magnitudes (natural), at one resolution."""
        ours, theirs = (self._magnitude(wave, size, hop, window) for wave in (predicted, target))
        level = torch.linalg.vector_norm(theirs).clamp_min(FLOOR)
        convergence: Tensor = torch.linalg.vector_norm(theirs - ours) / level
        return convergence + (ours.clamp_min(FLOOR).log() - theirs.clamp_min(FLOOR).log()).abs().mean()


def _log(magnitude: Tensor) -> Tensor:
    return torch.log10(magnitude.clamp_min(FLOOR))
