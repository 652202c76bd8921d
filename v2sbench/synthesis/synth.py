"""Audio of a system for a split's clips: a trained variant, or a reference system that tells how to read the scores.

    ground-truth     the clip itself: the ceiling of every metric, and the recogniser's own error rate
    griffin-lim      copy synthesis: the truth's log-mel through Griffin-Lim, what a perfect mel model could reach
    copy-NAME        copy synthesis through another vocoder: one of models/ (copy-vocoder), or any by --vocoder
    noise            white noise at -40 dB of full scale: the floor of the metrics
    other-sentence   another sentence of the same speaker: right voice, wrong words

Everything is written as 24 kHz PCM16 WAV under audio/<split>/<system>/<speaker>/<clip>.wav, 960 samples a frame.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from v2sbench.audio import SAMPLES_PER_FRAME, fit, write_wav
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import Row, SplitTable, read_split
from v2sbench.clips.store import Clips
from v2sbench.nets.batch import check_source, whole
from v2sbench.nets.card_reading import list_cards, load_card
from v2sbench.nets.cards import Card, Params
from v2sbench.nets.mel import LogMel
from v2sbench.nets.model import SpeechModel, load_weights, weights_path
from v2sbench.nets.trained_on import joined, refuse_leak
from v2sbench.runtime import UseError, atomic, choose, device, fold, parallel, rng, setup_determinism
from v2sbench.synthesis.vocoders import GRIFFIN_LIM, Vocoder, load_vocoder

COPY = "copy-"
"""How the names of copy synthesis through a vocoder begin."""
NOISE_DB = -40.0
"""Level of the noise floor in dB of full scale."""

Wave = NDArray[np.float32]
_LOG = logging.getLogger(__name__)


def audio_folder(split: str, system: str) -> Path:
    """Where a system's audio for a split lies."""
    return Path("audio") / split / system


class _Context:
    """What a reference system may use; picklable."""

    def __init__(self, table: SplitTable, clips: Clips, seed: int, vocoder: Vocoder | None) -> None:
        self.table, self.clips, self.seed, self.vocoder = table, clips, seed, vocoder
        self.mel = None if vocoder is None else LogMel(vocoder.mel)

    @cached_property
    def _speakers(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for index, speaker in enumerate(self.table.column("speaker")):
            places.setdefault(speaker, []).append(index)
        return places

    def of_speaker(self, speaker: str) -> list[Row]:
        """Every clip of a speaker."""
        return [self.table.rows[index] for index in self._speakers[speaker]]


def _ground_truth(context: _Context, index: int) -> Wave:
    return context.clips.wave(context.table.rows[index].id)


def _copy_synthesis(context: _Context, index: int) -> Wave:
    assert context.vocoder is not None  # given to every copy synthesis
    assert context.mel is not None
    row = context.table.rows[index]
    wave = torch.from_numpy(np.array(context.clips.wave(row.id)))
    vocoded: Wave = context.vocoder(context.mel(wave[None])[0], row.frames).numpy()
    return vocoded


def _noise(context: _Context, index: int) -> Wave:
    row = context.table.rows[index]
    draw = rng(context.seed, "noise", row.id).standard_normal(row.frames * SAMPLES_PER_FRAME)
    return np.asarray(draw * 10.0 ** (NOISE_DB / 20.0), dtype=np.float32)


def _other_sentence(context: _Context, index: int) -> Wave:
    row = context.table.rows[index]
    mates = [mate for mate in context.of_speaker(row.speaker) if mate.text != row.text]
    if not mates:
        raise UseError(f"clip {row.id!r}: its speaker has no other sentence in split {context.table.name!r}")
    mate = mates[fold(context.seed, "other sentence", row.id) % len(mates)]
    return fit(context.clips.wave(mate.id), row.frames)


REFERENCES: dict[str, Callable[[_Context, int], Wave]] = {
    "ground-truth": _ground_truth,
    GRIFFIN_LIM: _copy_synthesis,
    "noise": _noise,
    "other-sentence": _other_sentence,
}
"""Reference systems: ceilings first, then floors."""


class _Reference:
    """Picklable worker: writes one clip of a reference system."""

    def __init__(self, make: Callable[[_Context, int], Wave], context: _Context, folder: Path) -> None:
        self.make, self.context, self.folder = make, context, folder

    def __call__(self, index: int) -> None:
        torch.set_num_threads(1)
        wave = self.make(self.context, index)
        write_wav(self.folder / f"{self.context.table.rows[index].id}.wav", wave)


class _Rendering:
    """Picklable worker: writes the waveform of one prediction, through the vocoder where that is a log-mel."""

    def __init__(self, vocoder: Vocoder | None, folder: Path) -> None:
        self.vocoder, self.folder = vocoder, folder

    def __call__(self, item: tuple[str, NDArray[np.float32], int]) -> None:
        torch.set_num_threads(1)
        clip, output, frames = item
        wave = output if self.vocoder is None else self.vocoder(torch.from_numpy(output), frames).numpy()
        write_wav(self.folder / f"{clip}.wav", wave)


def synth(
    system: str,
    split: str,
    *,
    params: Params,
    weights: Path | None = None,
    out: Path | None = None,
    vocoder: str | None = None,
    subset: str = "test",
) -> tuple[Path, str]:
    """Write the audio of a variant or reference system for every clip of a split's subset; return (folder, vocoder).

    weights: of the variant; by default what `v2sbench train` wrote. vocoder: `griffin-lim` (the default of mel models),
    or a checkpoint's path; a waveform model takes none. The vocoder returned is its label, empty where there was none.
    UseError for unknown systems and vocoders, for missing splits, clips and weights, and for weights that were trained
    on clips which this split tests on; then nothing is written.
    """
    table = read_split(Path("splits") / split)
    clips = Clips(table.clips)
    out = out or audio_folder(split, system)
    chosen = table.span(subset)
    if not chosen:
        raise UseError(f"split {split!r} has no {subset} clips here; see `v2sbench split {split}`")
    setup_determinism(params.seed, params.threads)
    if not system.startswith(COPY):
        choose("system", system, {**dict.fromkeys(_variants()), **dict.fromkeys(REFERENCES)})
    if system.startswith(COPY) or system in REFERENCES:
        renders = _copying(system, params, vocoder)
        refuse_leak(renders.heard if renders else (), table)
        context = _Context(table, clips, params.seed, renders)
        with atomic(out) as draft:
            worker = _Reference(REFERENCES.get(system, _copy_synthesis), context, draft)
            list(parallel(worker, chosen, desc=f"{system} for {split}"))
        return out, "" if renders is None else renders.label
    card = load_card(system, params)
    renders = vocoder_of(card, vocoder)
    model = load_weights(weights or weights_path(system, split), card)
    refuse_leak(joined(model.heard, renders.heard if renders else ()), table)
    check_source(table, clips, card, chosen[0])
    identities = Identities(table, params.seed, card.identity)
    with atomic(out) as draft:
        outputs = _predict(model, table, clips, identities, chosen)
        jobs = parallel(_Rendering(renders, draft), outputs, desc=f"{system} for {split}", total=len(chosen))
        list(jobs)  # predictions are made as the workers take them: memory does not grow with the split
    return out, "" if renders is None else renders.label


def _variants() -> list[str]:
    """Names of the cards that speak."""
    return [name for name in list_cards() if name.startswith(("a2a-", "v2a-"))]


def vocoder_of(card: Card, vocoder: str | None) -> Vocoder | None:
    """The vocoder of a mel model; None for a waveform model, which takes none."""
    if card.family == "mel":
        return load_vocoder(vocoder or GRIFFIN_LIM, card.arch.mel)
    if vocoder is not None:
        raise UseError(f"{card.name} makes waveforms itself and takes no --vocoder")
    return None


def _copying(system: str, params: Params, vocoder: str | None) -> Vocoder | None:
    """The vocoder of a reference system; None for those that copy no mel."""
    if system != GRIFFIN_LIM and not system.startswith(COPY):
        if vocoder is not None:
            raise UseError(f"{system} takes no --vocoder; for copy synthesis through it: synth copy-NAME")
        return None
    mel = load_card(f"a2a-{params.models[0]}", params).arch.mel
    if system == GRIFFIN_LIM:
        if vocoder not in (None, GRIFFIN_LIM):
            raise UseError(f"{GRIFFIN_LIM} is the vocoder; for copy synthesis through {vocoder}: synth copy-NAME")
        return load_vocoder(GRIFFIN_LIM, mel)
    if vocoder is None:
        name = choose("vocoder card", system.removeprefix(COPY), {
            card: card for card in list_cards() if card not in _variants()
        })  # fmt: skip
        vocoder = str(weights_path(name, params.pretrain_split))
        if not Path(vocoder).is_file():
            raise UseError(f"no weights at {vocoder}; run: v2sbench train {name} --split {params.pretrain_split}")
    return load_vocoder(vocoder, mel)


@torch.inference_mode()
def _predict(
    model: SpeechModel, table: SplitTable, clips: Clips, identities: Identities, chosen: Sequence[int]
) -> Iterator[tuple[str, NDArray[np.float32], int]]:
    """(clip id, log-mel (M, bands) or wave (960 F,), video frames) of every clip, clips of like length together."""
    target = device()
    model.to(target).eval()
    order = sorted(chosen, key=lambda index: table.rows[index].frames)
    size = model.card.train.batch
    for start in range(0, len(order), size):
        part = order[start : start + size]
        batch = whole(table, clips, model.card, identities, part)
        outputs, mask = model(batch.source.to(target), batch.identity.to(target), batch.lengths)
        for slot, index in enumerate(part):
            row = table.rows[index]
            yield row.id, outputs[slot][mask[slot]].float().cpu().numpy(), row.frames
