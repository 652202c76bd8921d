"""Speed of the paths that a long run consists of. Nothing is asserted about time: machines differ.

    pytest benchmarks/test_speed.py --benchmark-enable

Without `--benchmark-enable` each path runs once, which checks that it works. `extra_info` of the scoring holds the
ratio to what everybody does: one process, clip by clip, STOI and ESTOI each on their own.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pesq
import pystoi
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from v2sbench.card import load_card, load_params
from v2sbench.clips import Clips
from v2sbench.dsp import LogMel
from v2sbench.media import SAMPLES_PER_FRAME, encode_flac, write_wav
from v2sbench.nets.model import MelModel
from v2sbench.pcm import read_wav
from v2sbench.scoring import score
from v2sbench.shards import ShardWriter

FRAMES = 75
"""Length of a GRID clip: 3 s."""
VARIANT = "v2a-mel-s-speaker-scratch"
COUNT = 24
"""Clips that are scored."""

Wave = npt.NDArray[np.float32]


def speechlike(seed: int) -> Wave:
    """(960 x FRAMES,) syllables of noise with pauses between them: enough for PESQ to find utterances."""
    draw = np.random.default_rng(seed)
    seconds = np.arange(FRAMES * SAMPLES_PER_FRAME) / 24_000
    loudness = np.clip(np.sin(2 * np.pi * 3 * seconds + draw.uniform(0, 6)), 0, 1)
    wave: Wave = (0.2 * loudness * draw.standard_normal(len(seconds))).astype(np.float32)
    return wave


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Predictions and references."""
    root = tmp_path_factory.mktemp("speed")
    for seed in range(COUNT):
        clean = speechlike(seed)
        write_wav(root / "refs" / f"s1/clip{seed:02d}.wav", clean)
        noisy = clean + 0.02 * np.random.default_rng(seed + 1000).standard_normal(len(clean)).astype(np.float32)
        write_wav(root / "wavs" / f"s1/clip{seed:02d}.wav", noisy)
    return root / "wavs", root / "refs"


def measured(benchmark: BenchmarkFixture, function: Callable[..., Any], arguments: tuple[Any, ...] = ()) -> Any:
    """Three rounds after one to warm up: for what takes seconds."""
    return benchmark.pedantic(function, arguments, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]


@torch.inference_mode()
def test_mel(benchmark: BenchmarkFixture) -> None:
    arch = load_card(VARIANT).arch.mel
    mel, batch = LogMel(arch), torch.from_numpy(np.stack([speechlike(seed) for seed in range(8)]))
    assert benchmark(mel, batch).shape == (8, -(-FRAMES * SAMPLES_PER_FRAME // arch.hop), arch.bands)


@torch.inference_mode()
def test_forward_of_the_profiles_model(benchmark: BenchmarkFixture) -> None:
    """One 3 s clip through the model that params.yaml trains."""
    card = load_card(VARIANT, load_params())
    model = MelModel(card).eval()
    crops = torch.zeros(1, FRAMES, card.data.crop, card.data.crop, dtype=torch.uint8)
    identity, lengths = torch.zeros(1, card.arch.identity_dim), torch.tensor([FRAMES])
    mel, _ = measured(benchmark, model, (crops, identity, lengths))
    assert mel.shape[-1] == card.arch.mel.bands


def serial(wavs: Path, refs: Path) -> list[tuple[float, ...]]:
    """PESQ (wide and narrow band), STOI and ESTOI, one clip after the other."""
    found: list[tuple[float, ...]] = []
    for path in sorted(refs.rglob("*.wav")):
        reference, prediction = (read_wav(root / path.relative_to(refs), 16_000)[0] for root in (refs, wavs))
        narrow = [read_wav(root / path.relative_to(refs), 8_000)[0] for root in (refs, wavs)]
        found.append(
            (
                pesq.pesq(16_000, reference, prediction, "wb"),
                pesq.pesq(8_000, *narrow, "nb"),
                pystoi.stoi(reference, prediction, 16_000),
                pystoi.stoi(reference, prediction, 16_000, extended=True),
            )
        )
    return found


def test_scoring_against_the_serial_loop(
    benchmark: BenchmarkFixture, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    wavs, refs = folders
    clips = [f"s1/clip{seed:02d}" for seed in range(COUNT)]
    runs = iter(range(100))

    def ours() -> Path:
        out = tmp_path / f"{next(runs)}.jsonl"  # a new file each time: nothing to resume from
        score(wavs, refs, clips, None, out, asr=None)
        return out

    out = measured(benchmark, ours)
    assert len(out.read_text(encoding="utf-8").splitlines()) == COUNT
    if benchmark.enabled and benchmark.stats is not None:
        start = time.perf_counter()
        serial(wavs, refs)
        spent = time.perf_counter() - start
        benchmark.extra_info["serial loop / ours"] = round(spent / benchmark.stats.stats.median, 2)


def test_loader(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """A training crop's sound and picture, from the shards, at random."""
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).integers(0, 255, (FRAMES, 96, 96), dtype=np.uint8))
    sound = encode_flac(speechlike(0))
    with ShardWriter(tmp_path) as writer:
        for index in range(16):
            writer.add(f"s1/clip{index:02d}", "s1", "text", FRAMES, sound, buffer.getvalue(), "")
        writer.finish([], {"corpus": "speed"})
    clips, draw = Clips(tmp_path), np.random.default_rng(1)

    def crop() -> int:
        clip, start = clips.ids[draw.integers(16)], int(draw.integers(FRAMES - 50))
        return len(clips.wave(clip, start, 50)) + len(clips.roi(clip, start, 50))

    assert benchmark(crop) == 50 * SAMPLES_PER_FRAME + 50
