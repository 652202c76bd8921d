"""Normalisers make two texts comparable; they have versions, so that two word error rates count the same words."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from v2sbench.corpora.grid_grammar import DIGITS, stem_of
from v2sbench.runtime import choose
from v2sbench.scoring.recognisers.backend import version_of

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


def _words(text: str) -> str:
    """Lower case, without apostrophes and other signs."""
    return " ".join(re.findall(r"[^\W_]+", text.lower().replace("'", "")))


def _plain(text: str) -> str:
    """Whisper's normaliser of English, for open text."""
    return str(_english()(text)).strip()


@functools.cache
def _english() -> Callable[[str], str]:
    version_of("openai-whisper", "whisper")
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()  # type: ignore[no-any-return]


NORMALISERS: dict[str, Callable[[str], str]] = {
    "grid-strict-v1": _grid_strict,
    "grid-lenient-v1": _grid_lenient,
    "words-v1": _words,
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
