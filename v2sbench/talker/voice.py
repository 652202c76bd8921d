"""A voice for the embedded corpus: espeak-ng through its C interface, with the time of every phoneme and word.

espeak-ng (GPL-3) is a program that the user installs (the wheel `espeakng-loader` holds it) and that is loaded when
speech is wanted; no part of it is in this project.

Its synthesiser keeps state from one utterance to the next (oscillator phases, breath noise), so the same sentence would
come out differently after another one. The library is therefore loaded anew for every utterance, which costs about a
millisecond and makes the sound a function of (text, voice, seed) alone, in whichever worker it is made.
"""

from __future__ import annotations

import ctypes
import os
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2sbench.runtime import UseError

if sys.platform == "win32":
    from _ctypes import FreeLibrary as _unload
else:
    from _ctypes import dlclose as _unload


SPEECH_RATE = 22_050
"""Hz of espeak-ng's sound."""

LOUDNESS = 50
"""Percent: at full loudness some voices clip."""
SILENCES = frozenset({"_", "_:", "_|", "_!", "_^_", "", ";", "|", "||"})
"""Phoneme names that are pauses, boundaries or marks, and no sound of their own."""

_MARKS = str.maketrans("", "", "',%=")
"""Stress and tone in a phoneme's name."""
_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 0x1, 0x8000
_UTF8, _PHONEMES, _NO_RETURN = 0x1, 0x100, None
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_END_OF_LIST, _WORD, _PHONEME = 0, 1, 7
_PATH_LIMIT = 160


@dataclass(frozen=True, kw_only=True)
class Voice:
    """Who speaks, and how."""

    name: str
    """espeak-ng's name of language and variant: ``en-us+f2``."""
    rate: int
    """Words per minute, 80 to 450."""
    pitch: int = 50
    """0 to 99; 50 is the variant's own."""
    range: int = 50
    """Liveliness of the melody, 0 to 99; 50 is the variant's own."""


@dataclass(frozen=True, kw_only=True)
class Phone:
    """One phoneme in its time."""

    name: str
    """espeak-ng's mnemonic without stress marks: ``eI``, ``b``; "" for silence."""
    start: float
    """Seconds from the start of the sound. A plosive starts at its burst: its closure lies before."""
    end: float
    """Seconds from the start of the sound."""
    word: int
    """Index of the word that it belongs to."""
    stressed: bool
    """Whether it carries the main stress of its word."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """One utterance."""

    wave: NDArray[np.float32]
    """(T,) float32 in [-1, 1] at SPEECH_RATE."""
    phones: tuple[Phone, ...]
    """Phonemes in order; the last may be silence."""

    def word_times(self, words: Sequence[str]) -> tuple[tuple[float, float], ...]:
        """Start and end of each of the `words` that were given to `speak`, in seconds; they follow without a gap.

        ValueError when one was not heard as a word of its own ("there was" is one word to espeak-ng).
        """
        sounding = [[phone for phone in self.phones if phone.word == k and phone.name] for k in range(len(words))]
        if missing := [word for word, group in zip(words, sounding, strict=True) if not group]:
            raise ValueError(f"espeak-ng merges {missing} of {' '.join(words)!r} with a neighbour")
        starts = [group[0].start for group in sounding]
        return tuple(zip(starts, [*starts[1:], sounding[-1][-1].end], strict=True))


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("pointer", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, kw_only=True)
class _Mark:
    kind: int
    sample: int
    character: int
    name: str


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, str]]:
    """espeak-ng in its initial state, and the folder of its data."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise UseError("the embedded corpus needs espeak-ng: pip install espeakng-loader (make env does it)") from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data = espeakng_loader.get_data_path()
        data = min(data, os.path.relpath(data), key=len)
        options = _PHONEME_EVENTS | _DONT_EXIT
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), options) != SPEECH_RATE:
            hint = f", whose path is longer than {_PATH_LIMIT} bytes" if len(data.encode()) > _PATH_LIMIT else ""
            raise UseError(f"espeak-ng does not start with its data in {data}{hint}; reinstall espeakng-loader")
        yield library, data
        library.espeak_Terminate()
    finally:
        _unload(library._handle)


def speak(words: Sequence[str], voice: Voice, *, seed: int = 0) -> Speech:
    """Say `words`: the same samples every time for the same arguments.

    words: as espeak-ng reads them: a letter's name is written in capitals, ``[[eI]]`` gives phonemes. Punctuation
        belongs to the word before it.
    seed: of the breath noise in some voices.
    Raises UseError for a voice that espeak-ng does not have, or without espeak-ng; ValueError when nothing is heard.
    """
    text = " ".join(words)
    blocks: list[NDArray[np.int16]] = []
    marks: list[_Mark] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if count > 0:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        k = 0
        while events[k].type != _END_OF_LIST:
            event = events[k]
            name = event.id.string.decode("utf-8", "replace") if event.type == _PHONEME else ""
            marks.append(_Mark(kind=event.type, sample=event.sample, character=event.text_position - 1, name=name))
            k += 1
        return 0

    callback = _Callback(receive)
    with _library() as (library, data):
        library.espeak_SetSynthCallback(callback)
        _, _, variant = voice.name.partition("+")
        there = not variant or os.path.exists(os.path.join(data, "voices", "!v", variant))
        if not there or library.espeak_SetVoiceByName(voice.name.encode()) != 0:  # it would take the plain voice
            raise UseError(f"espeak-ng has no voice {voice.name!r}; it lists its own with: espeak-ng --voices=variant")
        settings = {_RATE: voice.rate, _VOLUME: LOUDNESS, _PITCH: voice.pitch, _RANGE: voice.range}
        for parameter, value in settings.items():
            library.espeak_SetParameter(parameter, value, 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed % 2**31))
        line = text.encode() + b"\0"
        library.espeak_Synth(line, ctypes.c_size_t(len(line)), 0, 1, 0, _UTF8 | _PHONEMES, _NO_RETURN, None)
    if not any(mark.kind == _PHONEME and mark.name not in SILENCES for mark in marks):
        raise ValueError(f"espeak-ng says nothing for {text!r} with voice {voice.name}")
    wave = (np.concatenate(blocks) / 32768).astype(np.float32)
    return _speech(words, wave, marks)


def _speech(words: Sequence[str], wave: NDArray[np.float32], marks: Sequence[_Mark]) -> Speech:
    """Sound and marks -> phonemes and words, in seconds."""
    first = np.cumsum([0, *(len(word) + 1 for word in words)])[:-1].tolist()
    heard = [mark for mark in marks if mark.kind == _PHONEME]
    starts = [mark.sample / SPEECH_RATE for mark in heard]
    phones: list[Phone] = []
    for mark, start, end in zip(heard, starts, [*starts[1:], len(wave) / SPEECH_RATE], strict=True):
        name = mark.name.translate(_MARKS)
        word = max(0, bisect_right(first, mark.character) - 1)
        sound = "" if name in SILENCES else name
        phones.append(Phone(name=sound, start=start, end=max(start, end), word=word, stressed="'" in mark.name))
    return Speech(wave=wave, phones=tuple(phones))
