"""The embedded corpora: talking faces in GRID's layout, and other voices in LibriTTS's, made on this machine.

    demo         data/demo/sN/STEM.mpg, alignments/sN/STEM.align, landmarks/sN/STEM.npz
    demo-audio   data/demo-audio/SPK/CHAP/SPK_CHAP_NNNNNN_NNNNNN.wav with .normalized.txt

They exist so that the whole experiment runs where no licensed corpus is: real enough to be learnt from, small enough to
be made in a minute, and read by the very code that reads GRID and LibriTTS. A file's bytes are a function of the seed
and its name, so a corpus of another size shares the files that both have.

Speakers s1 to s9 are for the seen split, s11 for validation and s12 to s19 for the test of the unseen split. Clips are
a sentence of 1.4 to 2.2 s with 4 to 9 frames of silence on either side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from v2sbench.corpora import Access
from v2sbench.corpora.grid import grid_corpus
from v2sbench.corpora.grid_grammar import ALIGN_RATE, stems, text_of
from v2sbench.corpora.speech import LIBRITTS, speech_corpus
from v2sbench.corpora.splits import seen_split, unseen_split
from v2sbench.runtime import UseError, atomic, fold, parallel, rng, suggest
from v2sbench.talker import embedded
from v2sbench.talker.cast import CAST, HELD_OUT, READERS, SEEN, UNSEEN
from v2sbench.talker.voice import SPEECH_RATE, Speech, Voice, speak

if TYPE_CHECKING:
    from v2sbench.talker.face import Talker


VERSION = 1
"""Version of everything that decides the bytes: raise it with any change of them."""
FACE_KEYS = ("seed", "seen_speakers", "unseen_speakers", "clips_per_speaker", "unseen_clips")
AUDIO_KEYS = ("seed", "audio_speakers", "audio_minutes")
"""Parameters that each corpus depends on."""
_MOST_CLIPS = 1000
_BATCH = 10


@dataclass(frozen=True, kw_only=True)
class DemoSize:
    """How large the embedded corpora are: section ``demo`` of params.yaml."""

    seen_speakers: int = 4
    """Speakers of demo-seen, who are the training part of demo-unseen: 1 to 9."""
    unseen_speakers: int = 3
    """Further speakers of demo-unseen, the first for validation, the others for the test: 0, or 2 to 9."""
    clips_per_speaker: int = 170
    """Clips of each seen speaker: 1 to 1000."""
    unseen_clips: int = 30
    """Clips of each unseen speaker: 1 to 1000."""
    audio_speakers: int = 16
    """Speakers of demo-audio: 1 to 40."""
    audio_minutes: float = 90.0
    """Minutes of demo-audio: more than 0, at most 6000."""
    seed: int = 1
    """Draws faces, sentences, motion and noise."""

    def __post_init__(self) -> None:
        limits = {
            "seen_speakers": (1, len(SEEN)),
            "unseen_speakers": (0, 1 + len(UNSEEN)),
            "clips_per_speaker": (1, _MOST_CLIPS),
            "unseen_clips": (1, _MOST_CLIPS),
            "audio_speakers": (1, len(READERS)),
            "seed": (0, 2**31),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                allowed = f"whole numbers from {low} to {high}"
                raise UseError(f"demo.{name} is {value!r}, allowed are {allowed}; see params.yaml")
        minutes = self.audio_minutes
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= 6000:
            allowed = "numbers above 0, at most 6000"
            raise UseError(f"demo.audio_minutes is {minutes!r}, allowed are {allowed}; see params.yaml")
        if self.unseen_speakers == 1:
            raise UseError("demo.unseen_speakers is 1, allowed are 0 and 2 to 9: one validates, the others test")

    @classmethod
    def of(cls, **size: Any) -> DemoSize:
        """From the keys of params.yaml; UseError, with the nearest name, for an unknown key."""
        known = [field.name for field in fields(cls)]
        for name in size:
            if name not in known:
                hint = suggest(name, known)
                raise UseError(f"unknown key demo.{name}{hint} (known: {', '.join(known)}); see params.yaml")
        return cls(**size)

    @property
    def speakers(self) -> dict[int, int]:
        """Number of each speaker of `demo` -> clips."""
        seen, unseen = SEEN[: self.seen_speakers], (HELD_OUT, *UNSEEN)[: self.unseen_speakers]
        return dict.fromkeys(seen, self.clips_per_speaker) | dict.fromkeys(unseen, self.unseen_clips)


# ---------------------------------------------------------------- faces


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Clips of one speaker, made one after the other in one worker."""

    root: Path
    seed: int
    number: int
    stems: tuple[str, ...]


def generate_faces(root: Path | str, *, jobs: int | None = None, **size: Any) -> None:
    """Make `demo` at `root`, unless it is there with these parameters; an interrupted one is continued.

    size: keys of `DemoSize`. UseError for other keys or values, for a folder of something else, without espeak-ng.
    """
    root, wanted = Path(root), DemoSize.of(**size)
    recipe = embedded.recipe(VERSION, wanted, FACE_KEYS)
    if not embedded.begin(root, recipe):
        return
    frames = sum(parallel(_film, list(_batches(root, wanted)), jobs=jobs, desc="faces"))
    voices = {f"s{number}": CAST[number].voice.name for number in wanted.speakers}
    embedded.finish(root, recipe, {"clips": sum(wanted.speakers.values()), "frames": frames, "voices": voices})


def _batches(root: Path, size: DemoSize) -> Iterator[_Batch]:
    every = list(stems())
    order = rng(size.seed, "sentences").permutation(len(every))
    for place, number in enumerate(CAST):  # each speaker has a thousand sentences of his own
        count = size.speakers.get(number, 0)
        mine = [every[k] for k in order[place * _MOST_CLIPS : place * _MOST_CLIPS + count]]
        for start in range(0, count, _BATCH):
            yield _Batch(root=root, seed=size.seed, number=number, stems=tuple(mine[start : start + _BATCH]))


@lru_cache(maxsize=2)
def _talker(seed: int, number: int) -> Talker:
    import cv2

    from v2sbench.talker.face import Talker
    from v2sbench.talker.portrait import looks_of

    cv2.setNumThreads(1)
    return Talker(looks_of(seed, number, CAST[number].feminine))


def _film(batch: _Batch) -> int:
    """Make the clips of a batch that are not there yet; frames of all of them."""
    from v2sbench.talker.films import write_mpeg1

    total = 0
    for stem in batch.stems:
        name = f"s{batch.number}/{stem}"
        landmarks = batch.root / "landmarks" / f"{name}.npz"
        if landmarks.exists():  # written last
            with np.load(landmarks) as stored:
                total += len(stored["landmarks"])
            continue
        speech, offset, frames, wave = _record(batch.seed, batch.number, stem)
        pictures, marks = _talker(batch.seed, batch.number).film(
            _mouth(batch.seed, batch.number, stem, speech, offset, frames), rng(batch.seed, "camera", name)
        )
        write_mpeg1(batch.root / f"{name}.mpg", pictures, wave, GRID_RATE)
        _write_align(batch.root / "alignments" / f"{name}.align", text_of(stem).split(), speech, offset, frames)
        with atomic(landmarks) as path, open(path, "wb") as handle:
            np.savez(handle, landmarks=marks)
        total += frames
    return total


GRID_RATE, GRID_FPS, MP2_FRAME = 44_100, 25, 1152


def _record(seed: int, number: int, stem: str) -> tuple[Speech, float, int, NDArray[np.float32]]:
    """One clip's speech, the seconds before it begins, the clip's frames, and its sound at 44.1 kHz.

    As in GRID, the sound is whole MP2 packets and therefore ends up to 26 ms before the picture does.
    """
    from v2sbench.audio import resample

    name = f"s{number}/{stem}"
    draw = rng(seed, "take", name)
    usual = CAST[number].voice
    voice = Voice(
        name=usual.name,
        rate=round(usual.rate * draw.uniform(0.95, 1.05)),
        pitch=round(usual.pitch + draw.uniform(-3, 3)),
        range=round(usual.range + draw.uniform(-10, 10)),
    )
    speech = speak(_spoken(stem), voice, seed=fold(seed, "breath", name))
    offset = draw.uniform(4, 8) / GRID_FPS
    frames = ceil((offset + len(speech.wave) / SPEECH_RATE) * GRID_FPS) + int(draw.integers(4, 9))
    samples = frames * GRID_RATE // GRID_FPS // MP2_FRAME * MP2_FRAME
    wave = _room_tone(samples, draw)
    sound = resample(speech.wave, SPEECH_RATE, GRID_RATE)
    first = round(offset * GRID_RATE)
    sound = sound[: samples - first]
    wave[first : first + len(sound)] += sound * (draw.uniform(0.5, 0.6) / np.abs(sound).max())
    return speech, offset, frames, wave


def _room_tone(samples: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """What a quiet room sounds like: noise 70 dB below full scale."""
    return draw.normal(0, 3e-4, samples).astype(np.float32)


def _spoken(stem: str) -> list[str]:
    """The words as espeak-ng should read them: a capital is a letter's name, but for the article."""
    words = text_of(stem).split()
    words[3] = "[['eI]]" if words[3] == "a" else words[3].upper()
    return words


def _mouth(seed: int, number: int, stem: str, speech: Speech, offset: float, frames: int) -> NDArray[np.float64]:
    from v2sbench.talker.visemes import CHANNELS, Manner, tracks

    habit = rng(seed, "manner", number)
    gain = tuple(float(value) for value in habit.normal(1, 0.07, len(CHANNELS)).clip(0.85, 1.15))
    manner = Manner(gain=gain, reach=float(habit.uniform(0.85, 1.15)), spread=0.04)
    noise = rng(seed, "articulation", f"s{number}/{stem}")
    return tracks(speech.phones, frames, offset=offset, manner=manner, noise=noise)


def _write_align(path: Path, words: list[str], speech: Speech, offset: float, frames: int) -> None:
    """GRID's word times: 25,000ths of a second, silence at both ends."""
    times = speech.word_times(words)
    edges = [round((offset + at) * ALIGN_RATE) for at in (*(start for start, _ in times), times[-1][1])]
    rows = [(0, edges[0], "sil"), *zip(edges[:-1], edges[1:], words, strict=True)]
    rows.append((edges[-1], frames * ALIGN_RATE // GRID_FPS, "sil"))
    with atomic(path) as draft:
        draft.write_text("".join(f"{start} {end} {word}\n" for start, end, word in rows), encoding="ascii")


# ---------------------------------------------------------------- voices


@dataclass(frozen=True, kw_only=True)
class _Chapter:
    """About a minute of one reader, made in one worker."""

    root: Path
    seed: int
    reader: int
    number: int
    seconds: float


CHAPTER = 60.0
"""Seconds of a chapter, about."""


def generate_audio(root: Path | str, *, jobs: int | None = None, **size: Any) -> None:
    """Make `demo-audio` at `root`, as `generate_faces` makes `demo`."""
    root, wanted = Path(root), DemoSize.of(**size)
    recipe = embedded.recipe(VERSION, wanted, AUDIO_KEYS)
    if not embedded.begin(root, recipe):
        return
    each = 60 * float(wanted.audio_minutes) / wanted.audio_speakers
    count = max(1, round(each / CHAPTER))
    chapters = [
        _Chapter(root=root, seed=wanted.seed, reader=reader, number=number, seconds=each / count)
        for reader in range(wanted.audio_speakers)
        for number in range(1, count + 1)
    ]
    told = list(parallel(_read_aloud, chapters, jobs=jobs, desc="voices"))
    voices = {str(_reader_id(reader)): READERS[reader].name for reader in range(wanted.audio_speakers)}
    seconds = round(sum(length for _, length in told), 3)
    embedded.finish(root, recipe, {"clips": sum(clips for clips, _ in told), "seconds": seconds, "voices": voices})


def _reader_id(reader: int) -> int:
    return 101 + reader


def _read_aloud(chapter: _Chapter) -> tuple[int, float]:
    """Make a chapter, whole or not at all; its utterances and its seconds."""
    from v2sbench.audio import RATE, resample, write_wav
    from v2sbench.talker.sentences import sentence

    speaker = _reader_id(chapter.reader)
    folder = chapter.root / str(speaker) / str(chapter.number)
    if folder.exists():
        import soundfile

        lengths = [soundfile.info(path).duration for path in sorted(folder.glob("*.wav"))]
        return len(lengths), sum(lengths)
    draw = rng(chapter.seed, "chapter", speaker, chapter.number)
    usual = READERS[chapter.reader]
    total, count = 0.0, 0
    with atomic(folder) as draft:
        draft.mkdir()
        while total < chapter.seconds:
            text = sentence(draw)
            voice = Voice(
                name=usual.name, rate=round(usual.rate * draw.uniform(0.95, 1.05)), pitch=usual.pitch, range=usual.range
            )
            speech = speak(text.split(), voice, seed=int(draw.integers(2**31)))
            lead, tail = (round(draw.uniform(0.10, 0.25) * RATE) for _ in range(2))
            sound = resample(speech.wave, SPEECH_RATE, RATE)
            wave = _room_tone(lead + len(sound) + tail, draw)
            wave[lead : lead + len(sound)] += sound * (draw.uniform(0.5, 0.6) / np.abs(sound).max())
            count += 1
            stem = f"{speaker}_{chapter.number}_{count:06d}_000000"
            write_wav(draft / f"{stem}.wav", wave, RATE)
            (draft / f"{stem}.normalized.txt").write_text(f"{text}\n", encoding="utf-8")
            total += len(wave) / RATE
    return count, total


# ---------------------------------------------------------------- the corpora


def _names(numbers: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"s{number}" for number in numbers)


SPLITS = (
    seen_split(
        "demo-seen",
        "demo",
        "seen speakers, unseen sentences, 85-5-10",
        speakers=_names(SEEN),
        shares=(0.85, 0.05, 0.10),
        grammar="grid",
    ),
    unseen_split(
        "demo-unseen",
        "demo",
        "speakers of the test part unheard in training",
        parts={"train": _names(SEEN), "val": _names((HELD_OUT,)), "test": _names(UNSEEN)},
        grammar="grid",
    ),
)

ACCESS = Access(
    note="Made on this machine, with the voices of espeak-ng (GPL-3, called as a library): nothing to ask for.",
    steps=("nothing to fetch: `v2sbench prepare demo` or `prepare demo-audio` makes it",),
)

CORPORA = (
    grid_corpus(
        "demo",
        title="Embedded corpus: synthetic talking faces, GRID's sentences",
        licence="made here (espeak-ng voices)",
        splits=SPLITS,
        generate=generate_faces,
        access=ACCESS,
    ),
    speech_corpus(
        replace(
            LIBRITTS,
            name="demo-audio",
            title="Embedded corpus: synthetic voices, other sentences",
            licence="made here (espeak-ng voices)",
            url="",
            total=None,
            access=ACCESS,
        ),
        generate=generate_audio,
    ),
)
