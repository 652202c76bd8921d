"""Audio of a system for a split's clips: a trained variant, or a reference system that tells how to read the scores.

    ground-truth     the clip itself: the ceiling of every metric, and the recogniser's own error rate
    griffin-lim      the truth's log-mel through the vocoder: what a perfect mel model could reach
    noise            white noise at -40 dB of full scale: the floor of the metrics
    other-sentence   another sentence of the same speaker: right voice, wrong words

Everything is written as 24 kHz PCM16 WAV under audio/<split>/<system>/<speaker>/<clip>.wav, 960 samples a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from v2sbench.batches import Batches, centre_crop
from v2sbench.card import MelArch, Params, list_cards, load_card
from v2sbench.dsp import LogMel, griffin_lim
from v2sbench.identity import embed
from v2sbench.media import SAMPLES_PER_FRAME, fit, read_video, read_wav, write_wav
from v2sbench.nets.model import MelModel, load_weights
from v2sbench.roi import mouth_roi
from v2sbench.runtime import UseError, atomic, choose, device, fold, parallel, progress, rng, setup_determinism
from v2sbench.shards import Clips
from v2sbench.splits import SplitTable, read_split
from v2sbench.train import weights_path

__all__ = ["REFERENCES", "VOCODERS", "audio_folder", "speak", "synth"]

NOISE_DB = -40.0
"""Level of the noise floor in dB of full scale."""

VOCODERS: dict[str, Callable[[torch.Tensor, MelArch, int], torch.Tensor]] = {"griffin-lim": griffin_lim}
"""Vocoder name -> function of (log-mel (M, bands), its definition, video frames) -> wave (960 x frames,)."""

Wave = NDArray[np.float32]


def audio_folder(split: str, system: str) -> Path:
    """Where a system's audio for a split lies."""
    return Path("audio") / split / system


class _Context:
    """What a reference system may use; picklable."""

    def __init__(self, table: SplitTable, clips: Clips, mel: MelArch, seed: int) -> None:
        self.table, self.clips, self.mel, self.seed = table, clips, mel, seed


def _ground_truth(context: _Context, index: int) -> Wave:
    return context.clips.wave(context.table.rows[index].id)


def _copy_synthesis(context: _Context, index: int) -> Wave:
    torch.set_num_threads(1)
    row = context.table.rows[index]
    wave = torch.from_numpy(np.array(context.clips.wave(row.id)))
    vocoded: Wave = griffin_lim(LogMel(context.mel)(wave[None])[0], context.mel, row.frames).numpy()
    return vocoded


def _noise(context: _Context, index: int) -> Wave:
    row = context.table.rows[index]
    draw = rng(context.seed, "noise", row.id).standard_normal(row.frames * SAMPLES_PER_FRAME)
    return np.asarray(draw * 10.0 ** (NOISE_DB / 20.0), dtype=np.float32)


def _other_sentence(context: _Context, index: int) -> Wave:
    row = context.table.rows[index]
    mates = [mate for mate in context.table.rows if mate.speaker == row.speaker and mate.text != row.text]
    if not mates:
        raise UseError(f"clip {row.id!r}: its speaker has no other sentence in split {context.table.name!r}")
    mate = mates[fold(context.seed, "other sentence", row.id) % len(mates)]
    return fit(context.clips.wave(mate.id), row.frames)


REFERENCES: dict[str, Callable[[_Context, int], Wave]] = {
    "ground-truth": _ground_truth,
    "griffin-lim": _copy_synthesis,
    "noise": _noise,
    "other-sentence": _other_sentence,
}
"""Reference systems: ceilings first, then floors."""


class _Reference:
    """Picklable worker: writes one clip of a reference system."""

    def __init__(self, system: str, context: _Context, folder: Path) -> None:
        self.system, self.context, self.folder = system, context, folder

    def __call__(self, index: int) -> None:
        wave = REFERENCES[self.system](self.context, index)
        write_wav(self.folder / f"{self.context.table.rows[index].id}.wav", wave)


class _Vocoder:
    """Picklable worker: writes the waveform of one predicted log-mel."""

    def __init__(self, name: str, mel: MelArch, folder: Path) -> None:
        self.name, self.mel, self.folder = name, mel, folder

    def __call__(self, item: tuple[str, NDArray[np.float32], int]) -> None:
        torch.set_num_threads(1)
        clip, mel, frames = item
        write_wav(self.folder / f"{clip}.wav", VOCODERS[self.name](torch.from_numpy(mel), self.mel, frames).numpy())


def synth(
    system: str,
    split: str,
    *,
    params: Params,
    weights: Path | None = None,
    out: Path | None = None,
    vocoder: str = "griffin-lim",
    subset: str = "test",
) -> Path:
    """Write the audio of a variant or reference system for every clip of a split's subset; return its folder.

    weights: of the variant; by default what `v2sbench train` wrote. UseError for unknown systems and vocoders, and for
    missing splits, clips and weights; then nothing is written.
    """
    choose("vocoder", vocoder, VOCODERS)
    choose("system", system, {**dict.fromkeys(list_cards()), **dict.fromkeys(REFERENCES)})
    table = read_split(Path("splits") / split)
    clips = Clips(table.clips)
    out = out or audio_folder(split, system)
    chosen = [index for index, row in enumerate(table.rows) if row.subset == subset]
    if not chosen:
        raise UseError(f"split {split!r} has no {subset} clips here; see `v2sbench split {split}`")
    setup_determinism(params.seed, params.threads)
    if system in REFERENCES:
        mel = load_card(f"a2a-{params.models[0]}", params).arch.mel
        worker = _Reference(system, _Context(table, clips, mel, params.seed), out)
        with atomic(out) as draft:
            worker.folder = draft
            list(parallel(worker, chosen, desc=f"{system} for {split}"))
        return out
    card = load_card(system, params)
    model = load_weights(weights or weights_path(system, split), card)
    batches = Batches(table, clips, card, params.seed, subset)
    with atomic(out) as draft:
        mels = _predict(model, batches, desc=f"{system} for {split}")
        list(parallel(_Vocoder(vocoder, card.arch.mel, draft), mels, desc=f"{vocoder} for {split}"))
    return out


@torch.inference_mode()
def _predict(model: MelModel, batches: Batches, desc: str) -> list[tuple[str, NDArray[np.float32], int]]:
    """(clip id, log-mel (M, bands), video frames) of every clip, clips of like length together."""
    target = device()
    model.to(target).eval()
    order = sorted(range(len(batches)), key=lambda index: batches.table.rows[batches.rows[index]].frames)
    size = model.card.train.batch
    found = []
    for start in progress(range(0, len(order), size), desc=desc):
        part = order[start : start + size]
        batch = batches.whole(part)
        mels, mask = model(batch.source.to(target), batch.identity.to(target), batch.lengths)
        for slot, index in enumerate(part):
            row = batches.table.rows[batches.rows[index]]
            found.append((row.id, mels[slot][mask[slot]].float().cpu().numpy(), row.frames))
    return found


@torch.inference_mode()
def speak(
    video: Path, weights: Path, out: Path, *, voice: Path | None = None, landmarks: Path | None = None,
    vocoder: str = "griffin-lim",
) -> Path:  # fmt: skip
    """Silent video in, speech out: write `out` (24 kHz PCM16, 960 samples a video frame) and return it.

    voice: a recording of the speaker whose voice is wanted; by default the mean voice of the training speakers, which
    the weights carry. landmarks: precomputed (frames, 68, 2), otherwise the mouth is found in the picture.
    """
    choose("vocoder", vocoder, VOCODERS)
    model = load_weights(weights)
    if model.modality != "video":
        raise UseError(f"{weights} holds {model.card.name}, which hears; speak needs a v2a variant")
    frames = read_video(video)
    roi = mouth_roi(frames, landmarks=landmarks)
    crops = torch.from_numpy(np.array(centre_crop(roi, model.card.data.crop)))[None]
    identity = torch.from_numpy(embed(read_wav(voice, 24_000)[0])) if voice else model.voice
    mels, _ = model(crops, identity[None], torch.tensor([len(frames)]))
    write_wav(out, VOCODERS[vocoder](mels[0], model.card.arch.mel, len(frames)).numpy())
    return out
