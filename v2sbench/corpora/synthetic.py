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

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from importlib import metadata
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from v2sbench.corpora.divisions import seen_split, unseen_split
from v2sbench.corpora.grid import grid_corpus
from v2sbench.corpora.grid_grammar import ALIGN_RATE, stems, text_of
from v2sbench.corpora.speech import libritts_corpus
from v2sbench.corpora.talker.voice import SPEECH_RATE, Speech, Voice, speak
from v2sbench.runtime import UseError, atomic, fold, parallel, rng, suggest

if TYPE_CHECKING:
    from v2sbench.corpora.talker.face import Talker

__all__ = ["CAST", "CORPORA", "READERS", "VERSION", "DemoSize", "generate_audio", "generate_faces"]

VERSION = 1
"""Of everything that decides the bytes; to be raised with any change of them."""
_MADE_WITH = ("espeakng-loader", "opencv-python-headless", "av", "numpy", "scipy")
_MANIFEST, _DRAFT = "manifest.json", "manifest.unfinished.json"
_MOST_CLIPS = 1000
_BATCH = 10

CAST: Mapping[int, tuple[str, int, int, bool]] = {
    1: ("f2", 150, 50, True), 2: ("m3", 152, 50, False), 3: ("klatt4", 146, 50, False), 4: ("f3", 148, 55, True),
    5: ("m1", 150, 42, False), 6: ("klatt2", 150, 60, False), 7: ("f4", 142, 50, True), 8: ("Alex", 150, 50, False),
    9: ("m7", 148, 45, False),
    11: ("klatt", 148, 52, False), 12: ("f1", 144, 55, True), 13: ("m6", 150, 46, False), 14: ("klatt6", 146, 50, False),
    15: ("Mike", 148, 50, False), 16: ("Reed", 146, 50, False), 17: ("edward2", 150, 50, False),
    18: ("max", 150, 55, False), 19: ("victor", 150, 45, False),
}  # fmt: skip
"""Speakers of `demo`: number -> variant of en-us, words a minute, pitch, whether the face is a woman's.

Chosen for being understood: a recogniser with GRID's grammar makes 3 to 12 % errors on each.
"""
SEEN, HELD_OUT, UNSEEN = tuple(range(1, 10)), 11, tuple(range(12, 20))

_ACCENTS = ("en-us", "en", "en-gb-scotland", "en-us", "en-gb-x-rp", "en-us", "en-029", "en-gb-x-gbclan")
_VARIANTS = ("f5", "m2", "linda", "klatt3", "steph", "m8", "Gene", "belinda", "m4", "Annie", "paul", "m5", "Andy",
             "ed", "robert", "anika", "rob", "john", "david", "sandro")  # fmt: skip
READERS: tuple[Voice, ...] = tuple(
    Voice(
        name=f"{_ACCENTS[k % len(_ACCENTS)]}+{_VARIANTS[k % len(_VARIANTS)]}",
        rate=142 + 7 * (k % 5),
        pitch=38 + 6 * (k % 6),
        range=40 + 10 * (k % 3),
    )
    for k in range(2 * len(_VARIANTS))
)
"""Speakers of `demo-audio`: none of the voices of CAST, several accents."""


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
    """Of faces, sentences, motion and noise."""

    def __post_init__(self) -> None:
        limits = {"seen_speakers": (1, len(SEEN)), "unseen_speakers": (0, 1 + len(UNSEEN)), "audio_speakers": (1, len(READERS)),
                  "clips_per_speaker": (1, _MOST_CLIPS), "unseen_clips": (1, _MOST_CLIPS), "seed": (0, 2**31)}  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UseError(f"demo.{name} is {value!r}, allowed are whole numbers from {low} to {high}; see params.yaml")
        minutes = self.audio_minutes
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= 6000:
            raise UseError(f"demo.audio_minutes is {minutes!r}, allowed are numbers above 0, at most 6000; see params.yaml")
        if self.unseen_speakers == 1:
            raise UseError("demo.unseen_speakers is 1, allowed are 0 and 2 to 9: one validates, the others test")

    @classmethod
    def of(cls, **size: Any) -> DemoSize:
        """From the keys of params.yaml; UseError, with the nearest name, for a key that there is not."""
        known = [field.name for field in fields(cls)]
        for name in size:
            if name not in known:
                raise UseError(f"unknown key demo.{name}{suggest(name, known)} (known: {', '.join(known)}); see params.yaml")
        return cls(**size)

    @property
    def speakers(self) -> dict[int, int]:
        """Number of each speaker of `demo` -> clips."""
        unseen = (HELD_OUT, *UNSEEN)[: self.unseen_speakers]
        return dict.fromkeys(SEEN[: self.seen_speakers], self.clips_per_speaker) | dict.fromkeys(unseen, self.unseen_clips)


# ---------------------------------------------------------------- one folder, made once


def _recipe(size: DemoSize, *keys: str) -> dict[str, Any]:
    """What decides the bytes of a corpus."""
    made_with = {}
    for name in _MADE_WITH:
        try:
            made_with[name] = metadata.version(name)
        except metadata.PackageNotFoundError as error:
            raise UseError(f"the embedded corpus needs {name}: pip install {name} (make env does it)") from error
    parameters = {name: value for name, value in asdict(size).items() if name in keys}
    return {"generator": VERSION, "made_with": made_with, "parameters": parameters}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic(path) as draft:
        draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _begin(root: Path, recipe: Mapping[str, Any]) -> bool:
    """Whether anything has to be made at `root`; clears what another recipe left, keeps what this one began.

    UseError when `root` holds something that is not ours.
    """
    done, begun = _read(root / _MANIFEST), _read(root / _DRAFT)
    if done is not None and done.get("recipe") == recipe:
        return False
    if begun is None or begun.get("recipe") != recipe:
        ours = done or begun
        if ours is None and root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UseError(f"{root} holds something else than an embedded corpus; remove it, or give another --root")
        root.mkdir(parents=True, exist_ok=True)
        _write(root / _DRAFT, {"recipe": recipe, "folders": []})
        (root / _MANIFEST).unlink(missing_ok=True)
        for entry in root.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
    return True


def _finish(root: Path, recipe: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    _write(root / _MANIFEST, {"recipe": recipe, **told})
    (root / _DRAFT).unlink(missing_ok=True)


# ---------------------------------------------------------------- faces


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Clips of one speaker, made one after the other in one worker."""

    root: Path
    seed: int
    number: int
    stems: tuple[str, ...]


def generate_faces(root: Path | str, *, jobs: int | None = None, **size: Any) -> None:
    """Make `demo` at `root`, unless it is there with these parameters; an interrupted one is gone on with.

    size: keys of `DemoSize`. UseError for other keys or values, for a folder of something else, without espeak-ng.
    """
    root, wanted = Path(root), DemoSize.of(**size)
    recipe = _recipe(wanted, "seed", "seen_speakers", "unseen_speakers", "clips_per_speaker", "unseen_clips")
    if not _begin(root, recipe):
        return
    frames = sum(parallel(_film, list(_batches(root, wanted)), jobs=jobs, desc="faces"))
    voices = {f"s{number}": _voice(number).name for number in wanted.speakers}
    _finish(root, recipe, {"clips": sum(wanted.speakers.values()), "frames": frames, "voices": voices})


def _batches(root: Path, size: DemoSize) -> Iterator[_Batch]:
    every = list(stems())
    order = rng(size.seed, "sentences").permutation(len(every))
    for place, number in enumerate(CAST):  # each speaker has a thousand sentences of his own
        count = size.speakers.get(number, 0)
        mine = [every[k] for k in order[place * _MOST_CLIPS : place * _MOST_CLIPS + count]]
        for start in range(0, count, _BATCH):
            yield _Batch(root=root, seed=size.seed, number=number, stems=tuple(mine[start : start + _BATCH]))


def _voice(number: int) -> Voice:
    variant, rate, pitch, _ = CAST[number]
    return Voice(name=f"en-us+{variant}", rate=rate, pitch=pitch)


@lru_cache(maxsize=2)
def _talker(seed: int, number: int) -> Talker:
    import cv2

    from v2sbench.corpora.talker.face import Talker
    from v2sbench.corpora.talker.portrait import looks_of

    cv2.setNumThreads(1)
    return Talker(looks_of(seed, number, CAST[number][3]))


def _film(batch: _Batch) -> int:
    """Make the clips of a batch that are not there yet; frames of all of them."""
    from v2sbench.media import write_mpeg1

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
    from v2sbench.pcm import resample

    name = f"s{number}/{stem}"
    draw = rng(seed, "take", name)
    usual = _voice(number)
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
    from v2sbench.corpora.talker.visemes import CHANNELS, Manner, tracks

    habit = rng(seed, "manner", number)
    gain = tuple(float(value) for value in habit.normal(1, 0.07, len(CHANNELS)).clip(0.85, 1.15))
    manner = Manner(gain=gain, reach=float(habit.uniform(0.85, 1.15)), spread=0.04)
    noise = rng(seed, "articulation", f"s{number}/{stem}")
    return tracks(speech.phones, frames, offset=offset, manner=manner, noise=noise)


def _write_align(path: Path, words: list[str], speech: Speech, offset: float, frames: int) -> None:
    """GRID's word times: 25,000ths of a second, silence at both ends."""
    edges = [round((offset + start) * ALIGN_RATE) for start, _ in speech.words]
    edges.append(round((offset + speech.words[-1][1]) * ALIGN_RATE))
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
    recipe = _recipe(wanted, "seed", "audio_speakers", "audio_minutes")
    if not _begin(root, recipe):
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
    _finish(root, recipe, {"clips": sum(clips for clips, _ in told), "seconds": seconds, "voices": voices})


def _reader_id(reader: int) -> int:
    return 101 + reader


def _read_aloud(chapter: _Chapter) -> tuple[int, float]:
    """Make a chapter, whole or not at all; its utterances and its seconds."""
    from v2sbench.corpora.talker.sentences import sentence
    from v2sbench.pcm import RATE, resample, write_wav

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
            voice = Voice(name=usual.name, rate=round(usual.rate * draw.uniform(0.95, 1.05)), pitch=usual.pitch, range=usual.range)
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
        "demo-seen", "demo", "seen speakers, unseen sentences, 85-5-10", speakers=_names(SEEN), shares=(0.85, 0.05, 0.10), grammar="grid"
    ),
    unseen_split(
        "demo-unseen", "demo", "speakers of the test part unheard in training",
        parts={"train": _names(SEEN), "val": _names((HELD_OUT,)), "test": _names(UNSEEN)}, grammar="grid",
    ),
)  # fmt: skip

CORPORA = (
    grid_corpus(
        "demo",
        title="Embedded corpus: synthetic talking faces, GRID's sentences",
        licence="made here (espeak-ng voices)",
        splits=SPLITS,
        generate=generate_faces,
    ),
    libritts_corpus(
        "demo-audio",
        title="Embedded corpus: synthetic voices, other sentences",
        licence="made here (espeak-ng voices)",
        generate=generate_audio,
    ),
)
