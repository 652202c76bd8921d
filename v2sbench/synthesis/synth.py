"""Audio of a system for a split's clips: a trained variant, or a reference system to compare its scores with.

References:
    ground-truth     the clip itself: the ceiling of every metric, and the recogniser's own error rate
    griffin-lim      copy synthesis: the truth's log-mel through Griffin-Lim, what a perfect mel model could reach
    copy-NAME        copy synthesis through another vocoder: one of models/ (copy-vocoder), or any by --vocoder
    noise            white noise at -40 dB of full scale: the floor of the metrics
    other-sentence   another sentence of the same speaker: right voice, wrong words
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from v2sbench.audio import SAMPLES_PER_FRAME, fit, write_wav
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import Row, SplitTable, read_split
from v2sbench.clips.store import Clips
from v2sbench.nets import Card, Params, changed_values, list_cards, load_card, weights_path
from v2sbench.nets.batch import check_source, whole
from v2sbench.nets.mel import LogMel
from v2sbench.nets.model import SpeechModel, load_weights
from v2sbench.nets.trained_on import joined, refuse_leak
from v2sbench.runtime import (
    UseError,
    atomic,
    below,
    choose,
    device,
    fold,
    parallel,
    rng,
    setup_determinism,
    sha256_file,
)
from v2sbench.runtime.systems import (
    GRIFFIN_LIM,
    GROUND_TRUTH,
    NOISE,
    OTHER_SENTENCE,
    REFERENCES,
    recipe_of,
    seed_of,
    training,
)
from v2sbench.synthesis.vocoders import Vocoder, load_vocoder

COPY = "copy-"  # how the names of copy synthesis through a vocoder begin
NOISE_DB = -40.0  # level of the noise floor, relative to full scale

Wave = NDArray[np.float32]


def audio_folder(split: str, system: str) -> Path:
    """Where a system's audio for a split lies; UseError for `../` in a name."""
    return below(Path("audio"), split, system)


def synthesise(
    system: str,
    split: str,
    params: Params,
    *,
    weights: Path | None = None,
    out: Path | None = None,
    vocoder: str | None = None,
    subset: str = "test",
) -> Path:
    """Write the audio of a system for every clip of a split's subset, 24 kHz PCM16; return its folder.

    system: a reference, a training such as `v2a-mel-s-speaker-tuned.seed2`, or a variant, which stands for its training
    with the profile's first seed. weights: by default those that `v2sbench train` wrote. vocoder: `griffin-lim` (the
    default of mel models) or the path of a checkpoint; a waveform model takes none. What made the audio is noted
    beside it, in system.json. UseError for unknown systems and vocoders, for missing splits, clips and weights, and for
    weights that were trained on clips that this split tests on; then nothing is written.
    """
    table = read_split(below(Path("splits"), split))
    clips = Clips(table.clips)
    chosen = table.span(subset)
    if not chosen:
        raise UseError(f"split {split!r} has no {subset} clips here; see `v2sbench split {split}`")
    setup_determinism(params.seed, params.threads)
    copies, recipe = system.startswith(COPY), recipe_of(system)
    if not copies:
        choose("system", recipe, dict.fromkeys([*_variants(), *REFERENCES]))
    trained = not copies and recipe not in REFERENCES
    if trained and recipe == system and weights is None:
        system = training(recipe, params.trainings[0])
    out = out or audio_folder(split, system)
    desc = f"{system} for {split}"
    facts: dict[str, Any] = {}
    if not trained:
        renders = _copying(system, params, vocoder)
        refuse_leak(renders.trained_on if renders else (), table)
        with atomic(out) as draft:
            reference = _Reference(system, table, clips, params.seed, renders, draft)
            list(parallel(reference, chosen, desc=desc, name=lambda index: table.rows[index].id))
            _note(draft, renders, facts)
    else:
        card = load_card(recipe, params)
        renders = vocoder_of(card, vocoder)
        weights = weights or weights_path(recipe, split, seed_of(system) or 0)
        model = load_weights(weights, card)
        facts["training"] = {**model.recipe, **_about(model, weights)}
        refuse_leak(joined(model.trained_on, renders.trained_on if renders else ()), table)
        check_source(table, clips, card, chosen[0])
        identities = Identities(table, params.seed, card.identity)
        with atomic(out) as draft:
            # The workers take the predictions as they are made: memory does not grow with the split.
            outputs = _predict(model, table, clips, identities, chosen)
            list(parallel(_Rendering(renders, draft), outputs, desc=desc, total=len(chosen), name=itemgetter(0)))
            _note(draft, renders, facts)
    return out


def _about(model: SpeechModel, weights: Path) -> dict[str, Any]:
    """What a table and the page say of a training: its size, the digest of its weights, the card's changed values."""
    return {
        "card": model.card.digest,
        "changed": changed_values(model.card),
        "parameters": sum(part.numel() for part in model.parameters()),
        "steps": model.card.train.steps,
        "weights": sha256_file(weights)[:16],
    }


def _note(folder: Path, vocoder: Vocoder | None, facts: dict[str, Any]) -> None:
    """Note beside a system's audio what made it; nothing for a reference without a vocoder."""
    if vocoder:
        facts = {**facts, "vocoder": vocoder.label}
    if facts:
        (folder / "system.json").write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")


# ---------------------------------------------------------------- which vocoder


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
        cards = {card: card for card in list_cards() if card not in _variants()}
        name = choose("vocoder card", system.removeprefix(COPY), cards)
        vocoder = str(weights_path(name, params.pretrain_split, params.trainings[0]))
        if not Path(vocoder).is_file():
            raise UseError(f"no weights at {vocoder}; run: v2sbench train {name} --split {params.pretrain_split}")
    return load_vocoder(vocoder, mel)


def _variants() -> list[str]:
    """Names of the cards that speak: all but the vocoders."""
    return [name for name in list_cards() if name.startswith(("a2a-", "v2a-"))]


# ---------------------------------------------------------------- work


class _Reference:
    """Writes one clip of a reference system; picklable, for worker processes."""

    def __init__(
        self, system: str, table: SplitTable, clips: Clips, seed: int, vocoder: Vocoder | None, folder: Path
    ) -> None:
        self.system, self.table, self.clips, self.seed, self.folder = system, table, clips, seed, folder
        self.vocoder = vocoder
        self.mel = None if vocoder is None else LogMel(vocoder.mel)

    def __call__(self, index: int) -> None:
        torch.set_num_threads(1)
        row = self.table.rows[index]
        write_wav(self.folder / f"{row.id}.wav", self._wave(row))

    def _wave(self, row: Row) -> Wave:
        if self.system == GROUND_TRUTH:
            return self.clips.wave(row.id)
        if self.system == NOISE:
            draw = rng(self.seed, "noise", row.id).standard_normal(row.frames * SAMPLES_PER_FRAME)
            return np.asarray(draw * 10.0 ** (NOISE_DB / 20.0), dtype=np.float32)
        if self.system == OTHER_SENTENCE:
            return fit(self.clips.wave(self._mate(row).id), row.frames)
        assert self.vocoder is not None  # all others are copy synthesis
        assert self.mel is not None
        wave = torch.from_numpy(np.array(self.clips.wave(row.id)))
        copied: Wave = self.vocoder(self.mel(wave[None])[0], row.frames).numpy()
        return copied

    def _mate(self, row: Row) -> Row:
        """A clip of the same speaker with another sentence."""
        rows = [self.table.rows[index] for index in self._speakers[row.speaker]]
        mates = [mate for mate in rows if mate.text != row.text]
        if not mates:
            raise UseError(f"clip {row.id!r}: its speaker has no other sentence in split {self.table.name!r}")
        return mates[fold(self.seed, "other sentence", row.id) % len(mates)]

    @cached_property
    def _speakers(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for index, speaker in enumerate(self.table.column("speaker")):
            places.setdefault(speaker, []).append(index)
        return places


class _Rendering:
    """Writes the waveform of one prediction, through the vocoder if that is a log-mel; picklable."""

    def __init__(self, vocoder: Vocoder | None, folder: Path) -> None:
        self.vocoder, self.folder = vocoder, folder

    def __call__(self, item: tuple[str, NDArray[np.float32], int]) -> None:
        torch.set_num_threads(1)
        clip, output, frames = item
        wave = output if self.vocoder is None else self.vocoder(torch.from_numpy(output), frames).numpy()
        write_wav(self.folder / f"{clip}.wav", wave)


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
