"""pocketsphinx with its own US English model, held to a grammar: deterministic, offline, quick.

    grid-grammar              GRID's 64,000 sentences
    words-grammar             one word of the texts that are scored (LRW: 500)
    words-grammar:FILE        one word of a file's

Held to a grammar, it cannot hear anything else: good to compare systems of one corpus, not a judge for papers.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from v2sbench.audio import quantise
from v2sbench.corpora.grid_grammar import GRAMMAR
from v2sbench.runtime import UseError
from v2sbench.scoring.recognisers.backend import RATE, SHORTEST, Wave, digest_of, version_of

_WORD = re.compile(r"[a-z]+(?:['.-][a-z]+)*")


def grid_jsgf() -> str:
    """GRID's grammar in JSGF. Letters carry a dot, which is how the dictionary tells the letter a from the article."""
    slots = [" | ".join(f"{word}." if len(word) == 1 else word for word in words.values()) for _, words in GRAMMAR]
    sentence = " ".join(f"({slot})" for slot in slots)
    return f"#JSGF V1.0;\ngrammar grid;\npublic <sentence> = {sentence};\n"


def words_jsgf(words: Sequence[str]) -> str:
    """A grammar of one word out of some."""
    return f"#JSGF V1.0;\ngrammar words;\npublic <word> = {' | '.join(words)};\n"


class _Held:
    """pocketsphinx held to a grammar."""

    grammar: Literal["grid", "words"] | None
    batch = 1

    def __init__(self, name: str, jsgf: str) -> None:
        self._jsgf = jsgf
        found = version_of("pocketsphinx", "demo")
        self.id = f"{name}/pocketsphinx-{found}/{digest_of([jsgf, RATE])}"

    @functools.cached_property
    def _decoder(self) -> Any:
        decoder = _bare()
        decoder.add_jsgf_string("held", self._jsgf)
        decoder.activate_search("held")
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


def _bare() -> Any:
    import pocketsphinx

    return pocketsphinx.Decoder(samprate=RATE, lm=None, loglevel="FATAL")


class GridGrammar(_Held):
    """Held to GRID's 64,000 sentences."""

    grammar: Literal["grid", "words"] | None = "grid"

    def __init__(self, option: str = "") -> None:
        """option: must be empty."""
        if option:
            raise UseError(f"recogniser grid-grammar takes no option, not {option!r}")
        super().__init__("grid-grammar", grid_jsgf())


class WordsGrammar(_Held):
    """Held to one word of a list: it says a word of the list, or nothing where it hears none."""

    grammar: Literal["grid", "words"] | None = "words"

    def __init__(self, option: str = "") -> None:
        """option: words with commas between, or a file of them, one a line."""
        if not option:
            raise UseError("recogniser words-grammar needs its words: those of the texts, or words-grammar:FILE")
        if "," not in option and ("/" in option or Path(option).is_file()):
            words = words_of(_lines(Path(option)))
        else:
            words = words_of(option.split(","))
        super().__init__("words-grammar", words_jsgf(words))
        self._check(words)

    @staticmethod
    def _check(words: Sequence[str]) -> None:
        known = _bare()
        unknown = [word for word in words if known.lookup_word(word) is None]
        if unknown:
            raise UseError(
                f"pocketsphinx's dictionary lacks {len(unknown)} of {len(words)} words ({', '.join(unknown[:5])}); "
                "take another recogniser, e.g. --asr whisper:tiny.en"
            )


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UseError(f"words-grammar: {path} is no list of words, one a line: {error}") from None


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The different words among texts of one word each, sorted; UseError for another text, or without texts."""
    words = {text.strip().lower() for text in texts}
    if not words:
        raise UseError("words-grammar needs texts, one word each: give --texts, or words-grammar:FILE")
    for word in sorted(words):
        if not _WORD.fullmatch(word):
            raise UseError(f"words-grammar is for clips of one word, and {word!r} is none; use --asr whisper:tiny.en")
    return tuple(sorted(words))
