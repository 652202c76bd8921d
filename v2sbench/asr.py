"""From sound to words: recognisers behind one protocol, and versioned normalisers that make two texts comparable.

    recogniser("grid-grammar")                  offline, only GRID sentences; reproducible, not a judge for papers
    recogniser("whisper:tiny.en")               openai-whisper by its official name
    recogniser("whisper:/path.pt[@sha256]")     the same from a file, checked against the first digits of its SHA-256

A WER is a property of the recogniser too: `Recogniser.id` says which one it was, down to options and weights.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from v2sbench.corpora.grid_grammar import DIGITS, GRAMMAR, stem_of
from v2sbench.pcm import quantise
from v2sbench.runtime import UseError, choose, device, sha256_file

__all__ = [
    "NORMALISERS",
    "RATE",
    "RECOGNISERS",
    "Backend",
    "Recogniser",
    "are_grid",
    "normalise",
    "recogniser",
]

RATE = 16_000
"""Hz of every wave given to a recogniser."""
SHORTEST = 0.1
"""Seconds under which no word fits."""
Wave = NDArray[np.float32]


class Recogniser(Protocol):
    """What turns waves into texts. The same wave gives the same text, whatever was heard before it and beside it."""

    id: str
    """Name, version, weights, and a hash of the options."""
    grammar: Literal["grid"] | None
    """Closed grammar that it knows, None for open text."""
    batch: int
    """Waves it likes to have at a time; 1: it is cheap and single-threaded, so it runs in the worker processes."""

    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """Texts of (T,) float32 waves at RATE in [-1, 1], as the recogniser writes them."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One line of RECOGNISERS."""

    name: str
    """What stands before the colon."""
    description: str
    """One line for people."""
    make: Callable[[str], Recogniser]
    """The recogniser for what stands after the colon; UseError when something is missing."""


@functools.cache
def recogniser(spec: str) -> Recogniser:
    """The recogniser for `name` or `name:option`, made once a process; UseError says what is missing."""
    name, _, option = spec.partition(":")
    return choose("recogniser", name, RECOGNISERS).make(option)


def _version(package: str, extra: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise UseError(
            f"this recogniser needs the package {package}, which is not installed; run: pip install 'v2sbench[{extra}]'"
        ) from None


def _digest(options: object) -> str:
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]


# ---------------------------------------------------------------- pocketsphinx with the grammar of GRID


def grid_jsgf() -> str:
    """GRID's grammar in JSGF. Letters carry a dot, which is how the dictionary tells the letter a from the article."""
    slots = ["(" + " | ".join(f"{word}." if len(word) == 1 else word for word in words.values()) + ")"
             for _, words in GRAMMAR]  # fmt: skip
    return f"#JSGF V1.0;\ngrammar grid;\npublic <sentence> = {' '.join(slots)};\n"


class GridGrammar:
    """pocketsphinx with its own US English model, held to GRID's 64,000 sentences: deterministic, offline, quick."""

    grammar: Literal["grid"] | None = "grid"
    batch = 1

    def __init__(self, option: str = "") -> None:
        """option: must be empty."""
        if option:
            raise UseError(f"recogniser grid-grammar takes no option, not {option!r}")
        found = _version("pocketsphinx", "demo")
        self.id = f"grid-grammar/pocketsphinx-{found}/{_digest([grid_jsgf(), RATE])}"

    @functools.cached_property
    def _decoder(self) -> Any:
        import pocketsphinx

        decoder = pocketsphinx.Decoder(samprate=RATE, lm=None, loglevel="FATAL")
        decoder.add_jsgf_string("grid", grid_jsgf())
        decoder.activate_search("grid")
        return decoder

    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """One utterance after the other, each from a fresh front end."""
        return [self._transcribe(wave) for wave in waves]

    def _transcribe(self, wave: Wave) -> str:
        if len(wave) < SHORTEST * RATE:  # under one frame it raises, and stays in the utterance
            return ""
        decoder = self._decoder
        # The front end's noise estimate outlives an utterance: without this, 3 clips of 100 read otherwise when
        # others come before them.
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(quantise(wave).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr.replace(".", "") if found else ""


# ---------------------------------------------------------------- openai-whisper


class Whisper:
    """openai-whisper without its sampling fallback: greedy at temperature 0, English, no time stamps, 32-bit floats.

    Greedy, since the beam search of 20250625 fails on a batch: it repeats the tokens for each beam and the audio not.
    """

    grammar: Literal["grid"] | None = None
    batch = 8
    OPTIONS: dict[str, Any] = {  # noqa: RUF012 - never written
        "language": "en", "temperature": 0.0, "beam_size": None, "without_timestamps": True, "fp16": False,
    }  # fmt: skip

    def __init__(self, option: str) -> None:
        """option: an official name, or a .pt file with an optional @SHA-256 (its first 8 digits or more)."""
        found = _version("openai-whisper", "whisper")
        import whisper

        names = whisper.available_models()
        path, _, wanted = option.partition("@")
        if not option:
            raise UseError(f"recogniser whisper needs a model, e.g. whisper:tiny.en or whisper:/path/to/tiny.en.pt "
                           f"(names: {', '.join(names)})")  # fmt: skip
        source, weights = (option, option) if option in names else (path, _weights(path, wanted, names))
        try:
            self._model = whisper.load_model(source, device=str(device()))
        except OSError as error:  # urllib's URLError is one
            raise UseError(
                f"Whisper's weights {option!r} are neither in its cache nor to be had from here ({error}); copy the "
                ".pt file here and give --asr whisper:/path/to/it.pt, or use --asr grid-grammar for GRID sentences"
            ) from None
        except (RuntimeError, KeyError, TypeError, EOFError) as error:
            raise UseError(f"{source} is not an openai-whisper checkpoint: {error}") from None
        self._model.eval()
        self.id = f"whisper-{found}/{weights}/{_digest([self.OPTIONS, self.batch])}"

    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """All waves, `batch` windows of 30 s at a time; a longer wave is read window by window."""
        import torch
        from whisper.audio import N_SAMPLES, log_mel_spectrogram, pad_or_trim

        model, bands = self._model, self._model.dims.n_mels
        windows = [(number, wave[start : start + N_SAMPLES]) for number, wave in enumerate(waves)
                   for start in range(0, max(1, len(wave)), N_SAMPLES)]  # fmt: skip
        texts: list[list[str]] = [[] for _ in waves]
        for first in range(0, len(windows), self.batch):
            part = windows[first : first + self.batch]
            mels = [log_mel_spectrogram(pad_or_trim(np.asarray(wave, np.float32)), bands) for _, wave in part]
            # Always a full batch: sums depend on its shape, and a text must not depend on how many clips were left.
            mels += [torch.zeros_like(mels[0])] * (self.batch - len(part))
            for (number, _), text in zip(part, self._decode(torch.stack(mels).to(model.device)), strict=False):
                texts[number].append(text)
        return [" ".join(filter(None, parts)) for parts in texts]

    def _decode(self, mels: Any) -> list[str]:
        import whisper

        options = whisper.DecodingOptions(**self.OPTIONS)
        return [found.text.strip() for found in whisper.decode(self._model, mels, options)]


def _weights(path: str, wanted: str, names: Iterable[str]) -> str:
    """`<stem>@<12 digits of the SHA-256>` of a weights file; UseError when it is missing or another one is wanted."""
    if not Path(path).is_file():
        raise UseError(f"no Whisper model {path!r}: neither a .pt file nor one of {', '.join(names)}")
    digest = sha256_file(Path(path))
    if wanted and (len(wanted) < 8 or not digest.startswith(wanted.lower())):
        raise UseError(f"{path} has the SHA-256 {digest}, not {wanted!r} (give its first 8 digits or more)")
    return f"{Path(path).stem}@{digest[:12]}"


RECOGNISERS: dict[str, Backend] = {
    item.name: item
    for item in (
        Backend(
            name="grid-grammar",
            description="pocketsphinx held to GRID's grammar: offline and reproducible; for GRID sentences only",
            make=GridGrammar,
        ),
        Backend(
            name="whisper",
            description="openai-whisper: whisper:NAME (official) or whisper:/path.pt[@sha256]; open English",
            make=Whisper,
        ),
    )
}


# ---------------------------------------------------------------- normalisers

_DIGITS = dict(zip("0123456789", ("zero", *DIGITS), strict=True))
_HOMOPHONES = {
    homophone: word
    for word, homophones in {
        "a": "eh ay hey", "b": "be bee", "c": "see sea", "d": "dee", "e": "ee", "f": "ef eff", "g": "gee",
        "h": "aitch", "i": "eye aye", "j": "jay", "k": "kay", "l": "el ell", "m": "em", "n": "en", "o": "oh owe",
        "p": "pea pee", "q": "queue cue", "r": "are", "s": "es ess", "t": "tea tee", "u": "you", "v": "vee",
        "x": "ex", "y": "why", "z": "zee zed", "one": "won", "two": "to too", "four": "for fore", "eight": "ate",
        "red": "read", "blue": "blew", "by": "buy bye", "in": "inn", "bin": "been", "lay": "lei", "place": "plaice",
    }.items()
    for homophone in homophones.split()
}  # fmt: skip


def _grid_strict(text: str) -> str:
    """Lower case, letters and digits apart, digits as words with 0 = zero; letters stay letters."""
    return " ".join(_DIGITS.get(part, part) for part in re.findall(r"\d|[^\W\d_]+", text.lower().replace("'", "")))


def _grid_lenient(text: str) -> str:
    """`grid-strict-v1`, then words that sound like a word of the grammar become it."""
    return " ".join(_HOMOPHONES.get(word, word) for word in _grid_strict(text).split())


def _plain(text: str) -> str:
    """Whisper's normaliser of English, for open text."""
    return str(_english()(text)).strip()


@functools.cache
def _english() -> Callable[[str], str]:
    _version("openai-whisper", "whisper")
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()  # type: ignore[no-any-return]


NORMALISERS: dict[str, Callable[[str], str]] = {
    "grid-strict-v1": _grid_strict,
    "grid-lenient-v1": _grid_lenient,
    "plain-v1": _plain,
}
"""Name with version -> text to comparable text. Both sides of a comparison go through the same one."""


def normalise(text: str, version: str = "grid-strict-v1") -> str:
    """Words in lower case, one blank apart. UseError for an unknown version."""
    return choose("normaliser", version, NORMALISERS)(text)


def are_grid(texts: Iterable[str]) -> bool:
    """Whether every text is a sentence of GRID's grammar (and there is one)."""
    found = False
    for text in texts:
        try:
            stem_of(text)
        except ValueError:
            return False
        found = True
    return found
