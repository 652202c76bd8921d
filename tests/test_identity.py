"""Speaker embedding: unit vectors that tell voices apart, whatever their level and length."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.small import small_split
from v2sbench import identity
from v2sbench.corpora.talker.voice import SPEECH_RATE, Voice, speak
from v2sbench.identity import DIMENSIONS, embed, embed_split, load_ge2e
from v2sbench.media import RATE, resample
from v2sbench.runtime import UseError
from v2sbench.shards import Clips
from v2sbench.splits import read_split

TEXTS = ("place blue at f two now", "she had your dark suit in greasy wash water all year")


def said(voice: str, text: str) -> NDArray[np.float32]:
    """(T,) at 24 kHz."""
    return resample(speak(text.split(), Voice(name=voice, rate=150)).wave, SPEECH_RATE, RATE)


@pytest.fixture(scope="module")
def spoken() -> dict[str, list[NDArray[np.float32]]]:
    return {voice: [said(f"en-us+{voice}", text) for text in TEXTS] for voice in ("f2", "m3", "klatt4")}


def test_one_voice_is_nearer_to_itself_than_to_others(spoken: dict[str, list[NDArray[np.float32]]]) -> None:
    vectors = {voice: [embed(wave) for wave in waves] for voice, waves in spoken.items()}
    for voice, (first, second) in vectors.items():
        assert first.shape == (DIMENSIONS["speaker"],)
        assert first.dtype == np.float32
        assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
        for other, (foreign, _) in vectors.items():
            if other != voice:
                assert first @ second > first @ foreign


def test_level_hardly_matters_and_the_same_wave_gives_the_same_bytes(
    spoken: dict[str, list[NDArray[np.float32]]],
) -> None:
    wave = spoken["f2"][0] / np.abs(spoken["f2"][0]).max()
    assert embed(0.01 * wave) @ embed(0.001 * wave) > 0.999
    assert embed(wave).tobytes() == embed(wave).tobytes()


@pytest.mark.parametrize("seconds", [0.08, 1.0, 1.6, 3.3])
def test_any_length(seconds: float) -> None:
    vector = embed(np.random.default_rng(0).standard_normal(int(seconds * RATE)).astype(np.float32) * 0.1)
    assert np.isfinite(vector).all()


def test_rows_of_a_split_keep_their_order(tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4))
    clips = Clips(table.clips)
    vectors = embed_split(table, clips, jobs=1)
    assert vectors.shape == (4, DIMENSIONS["speaker"])
    assert np.array_equal(vectors[2], embed(clips.wave(table.rows[2].id)))


@pytest.mark.parametrize("spec", [None, SimpleNamespace(origin="/nowhere/resemblyzer/__init__.py")])
def test_missing_weights_name_the_install(monkeypatch: pytest.MonkeyPatch, spec: object) -> None:
    load_ge2e.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UseError, match="pip install --no-deps resemblyzer"):
        embed(np.zeros(RATE, np.float32))
    assert identity.load_ge2e is load_ge2e
