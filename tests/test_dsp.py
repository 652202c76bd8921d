"""Log-mel and Griffin-Lim: lengths, scale, determinism, a known tone."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.audio import RATE, SAMPLES_PER_FRAME
from v2sbench.nets import load_card
from v2sbench.nets.mel import LogMel, mel_frames, repeat_index
from v2sbench.synthesis.griffin_lim import griffin_lim

MEL = load_card("a2a-mel-s").arch.mel


@given(st.integers(1, 400), st.integers(100, 1000))
def test_mel_frames_is_the_ceiling(frames: int, hop: int) -> None:
    assert mel_frames(frames, hop) == math.ceil(SAMPLES_PER_FRAME * frames / hop)


@given(st.integers(1, 400), st.integers(100, 1000))
def test_repeat_index_puts_every_mel_frame_on_its_picture(frames: int, hop: int) -> None:
    index = repeat_index(frames, hop)
    assert len(index) == mel_frames(frames, hop)
    assert index[0] == 0
    assert (index.diff() >= 0).all()
    for position, frame in enumerate(index.tolist()):
        assert frame * SAMPLES_PER_FRAME <= position * hop < (frame + 1) * SAMPLES_PER_FRAME
    if hop <= SAMPLES_PER_FRAME:
        assert index[-1] == frames - 1


def test_a_tone_peaks_in_its_band() -> None:
    time = torch.arange(RATE) / RATE
    bank = LogMel(MEL)
    for hertz in (200.0, 1000.0, 4000.0):
        mel = bank(0.5 * torch.sin(2 * math.pi * hertz * time)[None])[0].mean(dim=0)
        centre = bank.weights[:, int(mel.argmax())].argmax() * RATE / MEL.n_fft
        assert abs(float(centre) - hertz) < 0.06 * hertz + 20.0


def test_griffin_lim_brings_the_mel_back() -> None:
    torch.manual_seed(0)
    time = torch.arange(24 * SAMPLES_PER_FRAME) / RATE
    voice = sum(torch.sin(2 * math.pi * 120.0 * k * time) / k for k in range(1, 30)) * 0.1
    voice = voice * (0.6 + 0.4 * torch.sin(2 * math.pi * 3.0 * time))
    bank = LogMel(MEL)
    mel = bank(voice[None])[0]
    wave = griffin_lim(mel, MEL, 24)
    assert wave.shape == (24 * SAMPLES_PER_FRAME,)
    assert wave.abs().max() <= 1.0
    inner = slice(5, -5)
    assert float((bank(wave[None])[0] - mel)[inner].abs().mean()) < 0.15


@pytest.mark.parametrize("frames", [1, 5, 29])
def test_griffin_lim_keeps_the_length_and_draws_nothing(frames: int) -> None:
    mel = torch.full((mel_frames(frames, MEL.hop), MEL.bands), -2.0)
    torch.manual_seed(5)
    first = griffin_lim(mel, MEL, frames)
    after = torch.rand(())
    torch.manual_seed(5)
    assert torch.rand(()) == after
    assert len(first) == frames * SAMPLES_PER_FRAME
    assert torch.equal(first, griffin_lim(mel, MEL, frames))
