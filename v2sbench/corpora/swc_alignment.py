"""Spoken Wikipedia's ``aligned.swc``: what is said when in an article, and cutting it into utterances.

The file is XML: ``<article>`` with ``<meta>`` (properties, the reader's name among them) and ``<d>``, in which
sections, paragraphs and sentences end in tokens ``<t>``. A token that is read aloud has one or more
``<n pronunciation=...>``, and those that the aligner could place have ``start`` and ``end`` in milliseconds, on one
clock for all sound files of the article. What lies in ``<ignored>`` is not read; ``<extra>`` is what readers say beside
the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from v2sbench.corpora.utterances import words_of

SHORTEST, LONGEST = 1.0, 15.0
"""Seconds of an utterance."""
PAUSE = 1.0
"""Seconds: a longer pause between two words may hold what was not aligned, and ends an utterance."""
# assumed: a pause at a full stop rarely lasts a second
OVERLAP = 0.02
"""Seconds by which a word may begin before the one before it ends: two frames of 10 ms."""
# assumed: the aligner rounds to such frames
MARGIN = 0.1
"""Seconds of a pause, at most, that go with the word at its side."""


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """One word that is read aloud, aligned or not."""

    text: str
    """As it is pronounced."""
    start: float | None
    """Seconds on the article's clock; None when it was not aligned."""
    end: float | None
    """Seconds on the article's clock; None when it was not aligned."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """What one file tells."""

    reader: str | None
    """Who reads, as it stands there."""
    words: tuple[Spoken, ...]
    """Everything that is read aloud, in order."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One utterance of an article."""

    start: float
    """Seconds on the article's clock."""
    end: float
    """Seconds on the article's clock."""
    text: str
    """What is said, as `Clip.text`."""


def read_alignment(path: Path) -> Alignment:
    """Read a file. ValueError with its name when it is no such XML, or a time in it is no number."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no XML: {error}") from error
    if root.tag != "article":
        raise ValueError(f"{path}: its outermost element is <{root.tag}>, not <article>")
    names = [entry.get("value", "").strip() for entry in root.iter("prop") if entry.get("key") == "reader.name"]
    try:
        words = tuple(word for part in root.findall("d") for token in _tokens(part) for word in _words(token))
    except ValueError as error:
        raise ValueError(f"{path}: a time is no whole number of milliseconds: {error}") from error
    return Alignment(reader=next(filter(None, names), None), words=words)


def _tokens(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in element:
        if child.tag == "t":
            yield child
        elif child.tag != "ignored":
            yield from _tokens(child)


def _words(token: ElementTree.Element) -> Iterator[Spoken]:
    """The words of a token; a token with letters and without a pronunciation is a word that was not aligned."""
    parts = token.findall("n")
    if not parts and any(sign.isalnum() for sign in token.text or ""):
        yield Spoken(text=(token.text or "").strip(), start=None, end=None)
    for part in parts:
        start, end = part.get("start"), part.get("end")
        placed = start is not None and end is not None and 0 <= int(start) < int(end)
        yield Spoken(
            text=part.get("pronunciation", ""),
            start=int(start) / 1000 if placed and start else None,
            end=int(end) / 1000 if placed and end else None,
        )


@dataclass(frozen=True)
class _Placed:
    """An aligned word, and the pauses at its sides."""

    text: str
    start: float
    end: float
    before: float
    after: float


def cut(words: Sequence[Spoken]) -> tuple[Cut, ...]:
    """Utterances of `SHORTEST` to `LONGEST` seconds in which every word is aligned, in order.

    A stretch ends where a word was not aligned, where the clock runs back, and at a long pause; what is longer than
    `LONGEST` is divided at its longest pauses. A short piece that is left over is dropped.
    """
    pieces = [piece for stretch in _stretches(words) for piece in _divided(stretch)]
    return tuple(
        Cut(
            start=piece[0].start - min(MARGIN, piece[0].before / 2),
            end=piece[-1].end + min(MARGIN, piece[-1].after / 2),
            text=words_of(" ".join(word.text for word in piece)),
        )
        for piece in pieces
        if SHORTEST <= piece[-1].end - piece[0].start <= LONGEST - 2 * MARGIN
    )


def _stretches(words: Iterable[Spoken]) -> Iterator[list[_Placed]]:
    """Runs of aligned words. A side at which nothing is known has a pause of 0: speech may go on there."""
    run: list[_Placed] = []
    for word in words:
        if word.start is None or word.end is None:
            if run:
                yield run
            run = []
            continue
        pause = word.start - run[-1].end if run else 0.0
        known = bool(run) and pause >= -OVERLAP
        silence = max(pause, 0.0) if known else 0.0
        if run:
            run[-1] = replace(run[-1], after=silence)
        if run and not (known and pause <= PAUSE):
            yield run
            run = []
        run.append(_Placed(word.text, word.start, word.end, before=silence, after=0.0))
    if run:
        yield run


def _divided(stretch: list[_Placed]) -> Iterator[list[_Placed]]:
    """The stretch in pieces of at most `LONGEST` with their margins, parted at pauses, the longest first."""
    waiting = [stretch]
    while waiting:
        piece = waiting.pop()
        if piece[-1].end - piece[0].start <= LONGEST - 2 * MARGIN or len(piece) == 1:
            yield piece
            continue
        places = [
            k
            for k in range(1, len(piece))
            if min(piece[k - 1].end - piece[0].start, piece[-1].end - piece[k].start) >= SHORTEST
        ] or [len(piece) // 2]
        at = max(places, key=lambda k: (round(piece[k].before, 3), -abs(k - len(piece) / 2)))
        waiting += [piece[at:], piece[:at]]
