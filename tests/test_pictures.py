"""Mel sheets, on synthetic tones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from v2sbench.audio import RATE, write_wav
from v2sbench.report.spectrograms import MEL, log_mel, mel_sheet, pick
from v2sbench.runtime import UseError

CLIPS = ["s1/aaaa", "s1/bbbb", "s2/cccc"]


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    seconds = np.arange(RATE) / RATE
    for system, pitch in (("ground-truth", 440.0), ("mine", 880.0)):
        for clip in CLIPS:
            write_wav(tmp_path / "s" / system / f"{clip}.wav", (0.3 * np.sin(2 * np.pi * pitch * seconds)).astype("f4"))
    return tmp_path


def test_sheet_is_a_png_and_the_same_every_time(audio: Path) -> None:
    first = mel_sheet("s", ["ground-truth", "mine"], CLIPS[:2], audio / "a.png", audio=audio)
    again = mel_sheet("s", ["ground-truth", "mine"], CLIPS[:2], audio / "b.png", audio=audio)
    assert first.read_bytes().startswith(b"\x89PNG")
    assert first.read_bytes() == again.read_bytes()


def test_sheets_of_different_audio_differ(audio: Path) -> None:
    one = mel_sheet("s", ["ground-truth"], CLIPS[:1], audio / "a.png", audio=audio)
    other = mel_sheet("s", ["mine"], CLIPS[:1], audio / "b.png", audio=audio)
    assert one.read_bytes() != other.read_bytes()


def test_mel_shows_the_pitch(audio: Path) -> None:
    low, high = (log_mel(audio / "s" / system / "s1/aaaa.wav") for system in ("ground-truth", "mine"))
    assert low.shape == (RATE // MEL.hop, MEL.bands)
    assert low.mean(axis=0).argmax() < high.mean(axis=0).argmax()


def test_missing_audio_names_the_command(audio: Path) -> None:
    out = audio / "a.png"
    with pytest.raises(UseError, match="v2sbench synth noise --split s"):
        mel_sheet("s", ["noise"], CLIPS[:1], out, audio=audio)
    with pytest.raises(UseError, match="at least one"):
        mel_sheet("s", [], CLIPS, out, audio=audio)
    assert not out.exists()


def test_picked_clips_are_spread_and_sorted(audio: Path) -> None:
    assert pick("s", "mine", 2, audio=audio) == ["s1/aaaa", "s2/cccc"]
    assert pick("s", "mine", 9, audio=audio) == CLIPS
    with pytest.raises(UseError, match="synth noise"):
        pick("s", "noise", 1, audio=audio)
