"""What `test_speed.py` measures of the models: synthesis, training steps, loading, and the memory that they need.

A family is a card at one of two sizes: `paper` is the card itself, `demo` the card with the overrides of a profile that
a laptop trains. Weights and inputs are random; speed does not depend on them.
"""

from __future__ import annotations

import gc
import io
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from v2sbench.audio import FPS, SAMPLES_PER_FRAME, encode_flac
from v2sbench.clips.splits import DIMENSIONS, Row, SplitTable
from v2sbench.clips.store import Clips
from v2sbench.nets import card_from_json, load_card, load_params
from v2sbench.nets.batch import Batch
from v2sbench.nets.cards import Card
from v2sbench.nets.mel import mel_frames
from v2sbench.nets.model import build_model
from v2sbench.prepare.writer import ShardWriter
from v2sbench.runtime.systems import model_of
from v2sbench.synthesis.griffin_lim import griffin_lim
from v2sbench.train.batches import Batches
from v2sbench.train.objectives import objective_of

CARDS = (
    "v2a-mel-s-speaker-scratch",
    "v2a-mel-m-speaker-scratch",
    "v2a-wave-speaker-scratch",
    "a2a-mel-s",
    "a2a-wave",
    "vocoder",
)
"""A card of every family, source and size."""
DEMO = Path("profiles/matrix.yaml")
"""The profile whose overrides make the demo size."""
FRAMES = 75
"""Length of a GRID clip: 3 s."""
MEBIBYTE = 2**20

Wave = npt.NDArray[np.float32]


def speechlike(seed: int) -> Wave:
    """(960 x FRAMES,) syllables of noise with pauses between them: enough for PESQ to find utterances."""
    draw = np.random.default_rng(seed)
    seconds = np.arange(FRAMES * SAMPLES_PER_FRAME) / 24_000
    loudness = np.clip(np.sin(2 * np.pi * 3 * seconds + draw.uniform(0, 6)), 0, 1)
    wave: Wave = (0.2 * loudness * draw.standard_normal(len(seconds))).astype(np.float32)
    return wave


def card_of(name: str, size: str) -> Card | None:
    """The card at size `paper` or `demo`; None where the demo's profile has no override for it."""
    if size == "paper":
        return load_card(name)
    params = load_params(DEMO)
    return load_card(name, params) if {name, model_of(name)} & {*params.override} else None


def random_batch(card: Card, clips: int, frames: int) -> Batch:
    """Full clips of noise, as a card of any family trains on them."""
    draw = torch.Generator().manual_seed(0)
    crops = None
    if card.source == "video":
        shape = (clips, frames, card.data.crop, card.data.crop)
        crops = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    size = 0 if card.family == "vocoder" else DIMENSIONS[card.identity]
    return Batch(
        crops=crops,
        wave=0.1 * torch.randn(clips, SAMPLES_PER_FRAME * frames, generator=draw).clamp(-5, 5),
        identity=torch.rand(clips, size, generator=draw),
        lengths=torch.full((clips,), frames),
    )


def settle(device: torch.device) -> None:
    """Wait for the device to have done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Synthesis:
    """One clip to its waveform, and the seconds that each part took: a mel model's vocoder is Griffin-Lim."""

    def __init__(self, card: Card, device: torch.device, frames: int = FRAMES) -> None:
        self.card, self.device, self.frames = card, device, frames
        self.model = build_model(card).to(device).eval()
        self.batch = random_batch(card, 1, frames)
        self.seconds: dict[str, list[float]] = {}
        self._started = 0.0
        for name, part in self.model.named_children():
            part.register_forward_pre_hook(self._start)
            part.register_forward_hook(self._stopping(name))

    @torch.inference_mode()
    def __call__(self) -> torch.Tensor:
        """Samples (960 frames,), on the CPU."""
        card = self.card
        if card.family == "vocoder":
            shape = (1, mel_frames(self.frames, card.arch.mel.hop), card.arch.mel.bands)
            output = self.model(torch.full(shape, -2.0, device=self.device))
        else:
            source, identity = self.batch.source.to(self.device), self.batch.identity.to(self.device)
            output, _ = self.model(source, identity, self.batch.lengths)
        output = output[0].float().cpu()
        if card.family != "mel":
            return torch.as_tensor(output[: SAMPLES_PER_FRAME * self.frames])
        start = time.perf_counter()
        wave = griffin_lim(output.clamp(-5.0, 1.0), card.arch.mel, self.frames)
        self.seconds.setdefault("griffin-lim", []).append(time.perf_counter() - start)
        return wave

    def parts(self) -> dict[str, float]:
        """Median seconds of each part of the model, and of its vocoder, over all calls but the first."""
        return {name: median(spent[1:] or spent) for name, spent in self.seconds.items()}

    def _start(self, _module: nn.Module, _inputs: Any) -> None:
        settle(self.device)
        self._started = time.perf_counter()

    def _stopping(self, name: str) -> Callable[..., None]:
        def stop(_module: nn.Module, _inputs: Any, _output: Any) -> None:
            settle(self.device)
            self.seconds.setdefault(name, []).append(time.perf_counter() - self._started)

        return stop


class Training:
    """Steps of a card's training, in the middle of it (with the adversary, where it has one), on one random batch."""

    def __init__(self, card: Card, device: torch.device, clips: int, frames: int) -> None:
        self.card, self.device, self.batch = card, device, random_batch(card, clips, frames)
        self.objective = objective_of(card, build_model(card).to(device), device)
        self.seconds: list[float] = []

    def __call__(self) -> dict[str, float]:
        """One step: its loss terms."""
        start = time.perf_counter()
        terms = self.objective.step(self.batch, self.card.train.steps // 2, 1)
        settle(self.device)
        self.seconds.append(time.perf_counter() - start)
        return terms

    @property
    def speech(self) -> float:
        """Seconds of speech in a step."""
        return len(self.batch.lengths) * int(self.batch.lengths[0]) / FPS


def recipes(card: Card, compiled: bool) -> dict[str, Card]:
    """The card with the plain recipe first (fp32, eager), then with what makes it faster.

    The memory layout only tells 2D convolutions, of which only the video encoder consists. compiled: `torch.compile`
    too, which takes minutes before the first step.
    """

    def with_train(**keys: Any) -> Card:
        plain: dict[str, Any] = {"precision": "fp32", "channels_last": False, "compile": False}
        return replace(card, train=replace(card.train, **(plain | keys)))

    found = {"plain": with_train(), "bf16": with_train(precision="bf16")}
    if card.source == "video":
        found["channels_last"] = with_train(channels_last=True)
        found["bf16 + channels_last"] = with_train(precision="bf16", channels_last=True)
    if compiled:
        video = card.source == "video"
        found["all + compile"] = with_train(precision="bf16", channels_last=video, compile=True)
    return found


# ---------------------------------------------------------------- memory


def peak_memory(kind: str, card: Card, device: torch.device, *shape: int) -> float:
    """MiB that `Synthesis` (shape: frames) or `Training` (shape: clips, frames) takes at its peak, weights included.

    On a GPU, what PyTorch has in use on it. On the CPU, by how much the resident set of a fresh process grows from
    before the model is built; libraries do not count.
    """
    if device.type == "cuda":
        return _on_gpu(kind, card, device, *shape)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_growth, kind, card.json(), torch.get_num_threads(), *shape).result()


def _growth(kind: str, card: str, threads: int, *shape: int) -> float:
    """In a process of its own."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    _two(kind, card_from_json(card), torch.device("cpu"), *shape)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return (peak - pages * resource.getpagesize()) / MEBIBYTE


def _on_gpu(kind: str, card: Card, device: torch.device, *shape: int) -> float:
    gc.collect()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    _two(kind, card, device, *shape)
    return (torch.cuda.max_memory_allocated(device) - before) / MEBIBYTE


def _two(kind: str, card: Card, device: torch.device, *shape: int) -> None:
    """Two rounds: the optimisers' moments are there in the second one."""
    work = {"synthesis": Synthesis, "training": Training}[kind](card, device, *shape)
    for _ in range(2):
        work()


# ---------------------------------------------------------------- loading


def clips_of_noise(folder: Path, count: int = 32) -> Clips:
    """Prepared clips of 3 s, with pictures, of two speakers."""
    roi = io.BytesIO()
    np.save(roi, np.random.default_rng(0).integers(0, 255, (FRAMES, 96, 96), dtype=np.uint8))
    with ShardWriter(folder) as writer:
        for index in range(count):
            speaker, sound = f"s{1 + 2 * index // count}", encode_flac(speechlike(index))
            writer.add(f"{speaker}/clip{index:02d}", speaker, "text", FRAMES, sound, roi.getvalue(), "")
        writer.finish([], {"corpus": "speed"})
    return Clips(folder)


def loader(clips: Clips, card: Card) -> Batches:
    """Training batches of the clips for a card, with random embeddings (written beside them)."""
    rows = tuple(
        Row(
            subset="train",
            id=name,
            speaker=entry.speaker,
            shard=entry.shard,
            offset=entry.wave_offset,
            sha256=entry.sha256,
            frames=entry.frames,
            text=entry.text,
        )
        for name in clips.ids
        for entry in [clips.entry(name)]
    )
    vectors = np.random.default_rng(1).random((len(rows), DIMENSIONS[card.identity]), dtype=np.float32)
    np.save(clips.folder / f"{card.identity}.npy", vectors)
    table = SplitTable(
        folder=clips.folder,
        name="speed",
        corpus="speed",
        clips=clips.folder,
        rows=rows,
        sizes={"train": len(rows)},
        coverage_label="",
        digest="",
        division="",
        listing=None,
        identity="seen",
        grammar=None,
        wer=False,
    )
    return Batches(table, clips, card, seed=1)
