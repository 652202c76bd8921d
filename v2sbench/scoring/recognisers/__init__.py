"""From sound to words: recognisers behind one protocol, and versioned normalisers that make two texts comparable.

    recogniser("grid-grammar")                  offline, only GRID sentences; reproducible, not a judge for papers
    recogniser("words-grammar:FILE")            the same for one word of a list
    recogniser("whisper:tiny.en")               openai-whisper by its official name
    recogniser("whisper:/path.pt[@sha256]")     the same from a file, checked against the first digits of its SHA-256

A WER is a property of the recogniser too: `Recogniser.id` says which one it was, down to options and weights. Another
package adds one by an entry point of the group `v2sbench.recognisers` that names a `Backend`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib import metadata

from v2sbench.runtime import UseError, choose
from v2sbench.scoring.recognisers.backend import RATE, Backend, Recogniser
from v2sbench.scoring.recognisers.normalisers import NORMALISERS, are_grid, normalise
from v2sbench.scoring.recognisers.sphinx import GridGrammar, WordsGrammar, words_of
from v2sbench.scoring.recognisers.whisper import Whisper

__all__ = [
    "GROUP",
    "NORMALISERS",
    "RATE",
    "RECOGNISERS",
    "Backend",
    "Recogniser",
    "are_grid",
    "normalise",
    "recogniser",
    "recognisers",
    "with_words",
]

GROUP = "v2sbench.recognisers"
"""Entry points under which other packages offer a `Backend`."""

RECOGNISERS: dict[str, Backend] = {
    item.name: item
    for item in (
        Backend(
            name="grid-grammar",
            description="pocketsphinx held to GRID's grammar: offline and reproducible; for GRID sentences only",
            make=GridGrammar,
        ),
        Backend(
            name="words-grammar",
            description="pocketsphinx held to one word of the texts, or of words-grammar:FILE; for LRW",
            make=WordsGrammar,
        ),
        Backend(
            name="whisper",
            description="openai-whisper: whisper:NAME (official) or whisper:/path.pt[@sha256]; open English",
            make=Whisper,
        ),
    )
}


@functools.cache
def recogniser(spec: str) -> Recogniser:
    """The recogniser for `name` or `name:option`, made once a process; UseError says what is missing."""
    name, _, option = spec.partition(":")
    found = RECOGNISERS[name] if name in RECOGNISERS else choose("recogniser", name, recognisers())
    return found.make(option)


def recognisers() -> dict[str, Backend]:
    """Every installed recogniser, this package's first; UseError for one that cannot be loaded."""
    found = dict(RECOGNISERS)
    for point in metadata.entry_points(group=GROUP):
        try:
            item = point.load()
        except Exception as error:  # whatever another package does wrong
            raise UseError(f"recogniser {point.name} of {point.value} cannot be loaded: {error!r}") from None
        if not isinstance(item, Backend) or item.name != point.name or item.name in RECOGNISERS:
            raise UseError(f"entry point {point.name} ({point.value}) must name a Backend of that name, not {item!r}")
        found[item.name] = item
    return found


def with_words(spec: str, texts: Iterable[str]) -> str:
    """`words-grammar` held to the words of the texts, any other recogniser unchanged; UseError as `words_of`."""
    return f"words-grammar:{','.join(words_of(texts))}" if spec == "words-grammar" else spec
