"""Speed and memory of the paths that a long run consists of. Nothing is asserted about time: machines differ.

    pytest benchmarks/test_speed.py --benchmark-enable --benchmark-json speed.json [-k "paper and synthesis"]

Without `--benchmark-enable` each path runs once, small, which checks that it works. The columns are pytest-benchmark's;
the figures that count are each test's `extra_info`, in the JSON and, with `-s`, on the screen. `benchmarks.history`
keeps both, and compares times where the whole numbers among those facts are equal.

    synthesis   real-time factor of one 3 s clip (below 1: faster than real time), each part's share, peak memory.
                The identity embedding is not among them: it is made once a speaker
    training    steps and seconds of speech per second, and how many times as fast other recipes than the plain one are
                (fp32, eager). The recipes take turns, so that load on the machine meets all of them alike
    loading     how many times as fast batches come as training takes them
    scoring     how many times as fast as what everybody does: one process, clip by clip, STOI and ESTOI on their own

V2S_SPEED_COMPILE=1 adds `torch.compile` to the recipes; its first step takes minutes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pesq
import pystoi
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.speed_models import (
    CARDS,
    DEMO,
    FRAMES,
    Synthesis,
    Training,
    card_of,
    clips_of_noise,
    loader,
    peak_memory,
    recipes,
    speechlike,
)
from v2sbench.audio import FPS, SAMPLES_PER_FRAME, read_wav, write_wav
from v2sbench.clips.store import Clips
from v2sbench.nets import load_card
from v2sbench.nets.cards import Card
from v2sbench.nets.mel import LogMel
from v2sbench.runtime import worker_count
from v2sbench.scoring import Plan, score

COUNT = 24
"""Clips that are scored."""
TINY = (1, 5)
"""Clips and frames of a batch that only shows that a step works."""
ON_CPU = {"paper": (1, 15), "demo": (4, 25)}
"""Most clips and frames of a training batch there, by size: a card's own takes a minute a step at paper size."""
ROUNDS = 3
"""Timed turns of each recipe, after one to warm up."""

SPEEDS: dict[tuple[str, str, str], dict[str, float]] = {}
"""(card, size, device) -> recipe -> seconds of speech that a second of training takes in, as far as measured."""


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


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Prepared clips to load batches from."""
    return clips_of_noise(tmp_path_factory.mktemp("clips"))


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Iterator[torch.device]:
    """Each device that is there, under the deterministic kernels that training asks for."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch sees no GPU")
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    if not benchmark.enabled:
        torch.set_num_threads(1)  # threads only wait for each other where the work is tiny
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    yield torch.device(request.param)
    torch.use_deterministic_algorithms(before)
    torch.set_num_threads(threads)


@pytest.fixture(params=["paper", "demo"])
def size(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> str:
    """Sizes that are measured; paper size only where something is."""
    if request.param == "paper" and not benchmark.enabled:
        pytest.skip("paper size takes long; it runs with --benchmark-enable")
    return str(request.param)


@pytest.fixture(params=CARDS)
def card(request: pytest.FixtureRequest, size: str) -> Card:
    """The card at that size."""
    found = card_of(request.param, size)
    if found is None:
        pytest.skip(f"{DEMO} has no override for {request.param}")
    return found


def measured(benchmark: BenchmarkFixture, function: Callable[..., Any], setup: Callable[[], None] | None = None) -> Any:
    """Some rounds after one to warm up, `setup` before each: for what takes seconds. Once where nothing is measured."""
    return benchmark.pedantic(function, setup=setup, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]


def told(benchmark: BenchmarkFixture, facts: dict[str, object]) -> None:
    """Keep the facts with the test's times, rounded to three digits, and print them."""
    rounded = {name: float(f"{fact:.3g}") if isinstance(fact, float) else fact for name, fact in facts.items()}
    benchmark.extra_info.update(rounded)
    print("", *(f"    {name}: {fact}" for name, fact in rounded.items()), sep="\n")


@torch.inference_mode()
def test_mel(benchmark: BenchmarkFixture) -> None:
    arch = load_card(CARDS[0]).arch.mel
    mel, batch = LogMel(arch), torch.from_numpy(np.stack([speechlike(seed) for seed in range(8)]))
    assert benchmark(mel, batch).shape == (8, -(-FRAMES * SAMPLES_PER_FRAME // arch.hop), arch.bands)
    told(benchmark, {"clips": len(batch), "threads": torch.get_num_threads()})


def test_synthesis(benchmark: BenchmarkFixture, card: Card, size: str, device: torch.device) -> None:
    """One clip from crops, waveform or log-mel to samples."""
    frames = FRAMES if benchmark.enabled else TINY[1]
    synthesis = Synthesis(card, device, frames)
    wave = measured(benchmark, synthesis)
    assert wave.shape == (SAMPLES_PER_FRAME * frames,)
    assert wave.abs().max() <= 1
    if benchmark.stats is None:
        return
    whole, parts, speech = benchmark.stats.stats.median, synthesis.parts(), frames / FPS
    del synthesis
    told(
        benchmark,
        {
            "real-time factor": whole / speech,
            "real-time factor without vocoder": (whole - parts.get("griffin-lim", 0.0)) / speech,
            **{f"share of {name}": spent / whole for name, spent in parts.items() if spent > 1e-3 * whole},
            "peak memory (MiB)": peak_memory("synthesis", card, device, frames),
            "threads": torch.get_num_threads(),
        },
    )


def shape_of(card: Card, size: str, device: torch.device, enabled: bool) -> tuple[int, int]:
    """Clips and frames of the training batches that are measured."""
    if not enabled:
        return TINY
    clips, frames = card.train.batch, card.data.frames
    most = ON_CPU[size] if device.type == "cpu" else (clips, frames)
    return min(clips, most[0]), min(frames, most[1])


def test_training(benchmark: BenchmarkFixture, card: Card, size: str, device: torch.device) -> None:
    """Steps of the plain recipe, which are the ones in the table; before each of them one of every other recipe."""
    shape = shape_of(card, size, device, bool(benchmark.enabled))
    compiled = bool(benchmark.enabled) and os.environ.get("V2S_SPEED_COMPILE") == "1"
    peak = peak_memory("training", card, device, *shape) if benchmark.enabled else 0.0
    chosen = recipes(card, compiled)
    if not benchmark.enabled:  # the first and the last show that all work
        chosen = {name: recipe for name, recipe in chosen.items() if name in ("plain", [*chosen][-1])}
    trainings = {name: Training(recipe, device, *shape) for name, recipe in chosen.items()}
    plain = trainings["plain"]

    def others() -> None:
        for name, training in trainings.items():
            if name != "plain":
                training()

    terms = measured(benchmark, plain, setup=others)
    assert all(np.isfinite(value) for value in terms.values())
    if benchmark.stats is None:
        return
    spent = {name: median(training.seconds[1:]) for name, training in trainings.items()}
    SPEEDS[card.name, size, device.type] = {name: plain.speech / seconds for name, seconds in spent.items()}
    told(
        benchmark,
        {
            "clips": shape[0],
            "frames": shape[1],
            "steps per second": 1 / spent["plain"],
            "seconds of speech per second": plain.speech / spent["plain"],
            **{f"{name} / plain": spent["plain"] / spent[name] for name in spent if name != "plain"},
            "peak memory of plain (MiB)": peak,
            "threads": torch.get_num_threads(),
        },
    )


def test_loading(benchmark: BenchmarkFixture, clips: Clips, card: Card, size: str, device: torch.device) -> None:
    """Training batches of the card's size from the shards, by one thread, as training reads them."""
    batches, steps = loader(clips, card), iter(range(1000))
    batch = measured(benchmark, lambda: batches.at(next(steps)))
    assert batch.wave.shape == (card.train.batch, SAMPLES_PER_FRAME * card.data.frames)
    if benchmark.stats is None:
        return
    rate = card.train.batch * card.data.frames / FPS / benchmark.stats.stats.median
    facts: dict[str, object] = {"seconds of speech per second": rate, "clips": card.train.batch}
    facts |= {"frames": card.data.frames}
    speeds = SPEEDS.get((card.name, size, device.type))
    if speeds is None:
        facts["loader / training"] = "unknown: select test_training too"
    else:
        facts |= {"loader / training, plain": rate / speeds["plain"]}
        facts |= {"loader / training, fastest recipe": rate / max(speeds.values())}
    told(benchmark, facts)


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
        score(Plan(wavs=wavs, refs=refs, clips=clips, out=out, asr=None))
        return out

    out = measured(benchmark, ours)
    assert len(out.read_text(encoding="utf-8").splitlines()) == COUNT
    if benchmark.enabled and benchmark.stats is not None:
        start = time.perf_counter()
        serial(wavs, refs)
        spent = time.perf_counter() - start
        told(
            benchmark,
            {"serial loop / ours": spent / benchmark.stats.stats.median, "clips": COUNT, "jobs": worker_count()},
        )


def test_crop(benchmark: BenchmarkFixture, clips: Clips) -> None:
    """A training crop's sound and picture, from the shards, at random."""
    draw = np.random.default_rng(1)

    def crop() -> int:
        clip, start = clips.ids[draw.integers(len(clips))], int(draw.integers(FRAMES - 50))
        return len(clips.wave(clip, start, 50)) + len(clips.roi(clip, start, 50))

    assert benchmark(crop) == 50 * SAMPLES_PER_FRAME + 50
    told(benchmark, {"frames": 50})
