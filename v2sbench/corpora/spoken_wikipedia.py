"""Spoken Wikipedia, English: articles that volunteers read, half an hour each, with the times of many words.

    english/ARTICLE/audio.ogg   with   aligned.swc and info.json   beside it
    english/ARTICLE/audio1.ogg, audio2.ogg, ...   where it was recorded in parts; info.json says when each begins

An article is cut into utterances of 1 to 15 s in which every word is aligned; a clip is a stretch of the article's
file, which is not written anew. What was not aligned is left out, and counted in the layout. A speaker is the digest
of the reader's name, or of the article's where nobody is named.

``aligned.swc`` is XML: ``<article>`` with ``<meta>`` (properties, the reader's name among them) and ``<d>``, in which
sections, paragraphs and sentences end in tokens ``<t>``. A token that is read aloud has one or more
``<n pronunciation=...>``, and those that the aligner could place have ``start`` and ``end`` in milliseconds, on one
clock for all sound files of the article. What lies in ``<ignored>`` is not read aloud.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path
from xml.etree import ElementTree

from v2sbench.corpora.corpus import Access, Clip, Corpus, Problem, Scan
from v2sbench.corpora.folder import File, Found, files, read_text, scan_of_found
from v2sbench.corpora.splits import pretraining_split
from v2sbench.runtime import short_digest

ALIGNMENT, INFO = "aligned.swc", "info.json"
FOREIGN = frozenset({"german", "dutch"})
"""Folders of the corpus' other languages, passed over."""
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
_SOUND = re.compile(r"audio(\d*)")
_UNSAFE = re.compile(r"[^\w.%(),'!&+-]")
_ID = re.compile(r"[0-9a-f]{16}/[^/]+_\d{7,}")


# ---------------------------------------------------------------- the folder


@dataclass(kw_only=True)
class _Article:
    """The files of one folder."""

    sounds: list[File] = field(default_factory=list)
    alignment: File | None = None
    info: File | None = None


def speaker_of(reader: str | None, article: str) -> str:
    """Name of whoever reads: 16 hexadecimal digits."""
    return short_digest([reader] if reader else ["article", article])


def scan(root: Path) -> Scan:
    """Find the articles below `root` and cut them; the alignments are read, the sounds are not opened."""
    articles: defaultdict[Path, _Article] = defaultdict(_Article)
    problems: list[Problem] = []
    for file in files(root):
        if FOREIGN & {part.lower() for part in file.parts}:
            continue
        if file.path.name == ALIGNMENT:
            articles[file.path.parent].alignment = file
        elif file.path.name == INFO:
            articles[file.path.parent].info = file
        elif file.suffix == ".ogg" and not _SOUND.fullmatch(file.stem):
            reason = f"not an article's sound: {file.stem!r} is not audio, audio1, audio2, ..."
            problems.append(Problem(path=file.path, reason=reason, foreign=True))
        elif file.suffix == ".ogg" and file.fault:
            problems.append(Problem(path=file.path, reason=file.fault))
        elif file.suffix == ".ogg":
            articles[file.path.parent].sounds.append(file)
    found: list[Found] = []
    spoken = used = 0
    for folder in sorted(articles):
        article = articles[folder]
        alignment = _read(article, problems)
        if alignment is None:
            continue
        spoken += len(alignment.words)
        starts = _starts(article, problems)
        for start, file, piece in _placed(cut(alignment.words), starts):
            used += piece.words
            found.append(_found(folder.name, alignment.reader, start, file, piece))
    return scan_of_found(found, problems, note=f"; {used} of {spoken} words in utterances" if spoken else "")


def _read(article: _Article, problems: list[Problem]) -> Alignment | None:
    """An article's alignment; None, and a problem, when it or the sound is missing."""
    if article.alignment is None:
        problems += [Problem(path=file.path, reason=f"no {ALIGNMENT} beside it") for file in article.sounds]
        return None
    path = article.alignment.path
    if article.alignment.fault or not article.sounds:
        problems.append(Problem(path=path, reason=article.alignment.fault or "no audio.ogg beside it"))
        return None
    try:
        alignment = read_alignment(path)
    except ValueError as error:
        problems.append(Problem(path=path, reason=str(error)))
        return None
    if alignment.bad:
        reason = f"{alignment.bad} of its {len(alignment.words)} words have times that are no whole milliseconds"
        problems.append(Problem(path=path, reason=f"{reason}; they are left out"))
    return alignment


def _starts(article: _Article, problems: list[Problem]) -> dict[float, File]:
    """Seconds on the article's clock -> the sound that begins there.

    Parts go before an ``audio.ogg`` beside them, which somebody joined from them.
    """
    parts = {int(match[1]): file for file in article.sounds if (match := _SOUND.fullmatch(file.stem)) and match[1]}
    if not parts:
        return {0.0: article.sounds[0]}
    begins: dict[int, float] = {}
    try:
        listed = json.loads(read_text(article.info.path))["audio_files"] if article.info else []
        begins = {number: float(entry["offset"]) for number, entry in enumerate(listed, 1) if "offset" in entry}
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # each part is a problem below
    reason = f"no {INFO} says when this part begins"
    problems += [Problem(path=file.path, reason=reason) for number, file in parts.items() if number not in begins]
    return {begins[number]: file for number, file in sorted(parts.items()) if number in begins}


def _placed(pieces: Sequence[Cut], starts: dict[float, File]) -> Iterator[tuple[float, File, Cut]]:
    """Each piece with the sound that it lies in and where that begins; what runs into the next sound is left out."""
    for piece in pieces:
        for start, end in pairwise([*sorted(starts), inf]):
            if start <= piece.start and piece.end <= end:
                yield start, starts[start], piece


def _found(article: str, reader: str | None, start: float, file: File, piece: Cut) -> Found:
    speaker = speaker_of(reader, article)
    clip = Clip(
        id=f"{speaker}/{_UNSAFE.sub('_', article)}_{round(piece.start * 1000):07d}",
        speaker=speaker,
        media=file.path,
        text=None,
        video=False,
        start=round(piece.start - start, 6),
        end=round(piece.end - start, 6),
    )
    return Found(clip=clip, pattern="/".join([*file.parts[:-1], "ARTICLE", "audio*.ogg"]))


# ---------------------------------------------------------------- the alignment


@dataclass(frozen=True)
class Alignment:
    """What one ``aligned.swc`` says."""

    reader: str | None
    """Who reads, as the file names them."""
    words: tuple[tuple[float, float] | None, ...]
    """Start and end of everything that is read aloud, in order, in seconds; None for what was not aligned."""
    bad: int
    """How many words have times that are no whole milliseconds; they are None among the words."""


def read_alignment(path: Path) -> Alignment:
    """Read a file. ValueError when it is no such XML."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError, OSError) as error:
        raise ValueError(f"no XML: {error}") from error
    if root.tag != "article":
        raise ValueError(f"its outermost element is <{root.tag}>, not <article>")
    names = [entry.get("value", "").strip() for entry in root.iter("prop") if entry.get("key") == "reader.name"]
    words: list[tuple[float, float] | None] = []
    bad = 0
    for part in (part for top in root.findall("d") for token in _tokens(top) for part in _spoken(token)):
        try:
            words.append(_times(part))
        except ValueError:
            words.append(None)
            bad += 1
    return Alignment(next(filter(None, names), None), tuple(words), bad)


def _tokens(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in element:
        if child.tag == "t":
            yield child
        elif child.tag != "ignored":
            yield from _tokens(child)


def _spoken(token: ElementTree.Element) -> list[ElementTree.Element]:
    """Elements of the words that a token is read as; itself when it has letters and no pronunciation."""
    parts = token.findall("n")
    if not parts and any(sign.isalnum() for sign in token.text or ""):
        return [token]
    return parts


def _times(word: ElementTree.Element) -> tuple[float, float] | None:
    start, end = word.get("start"), word.get("end")
    if word.tag == "t" or start is None or end is None:
        return None
    return (int(start) / 1000, int(end) / 1000) if 0 <= int(start) < int(end) else None


# ---------------------------------------------------------------- cutting


@dataclass(frozen=True)
class Cut:
    """One utterance of an article, in seconds on the article's clock."""

    start: float
    end: float
    words: int


@dataclass
class _Word:
    """An aligned word, and the silence at its sides; 0 where nothing is known, since speech may go on there."""

    start: float
    end: float
    before: float = 0.0
    after: float = 0.0


def cut(words: Sequence[tuple[float, float] | None]) -> tuple[Cut, ...]:
    """Utterances of `SHORTEST` to `LONGEST` seconds in which every word is aligned, in order.

    A stretch ends where a word was not aligned, where the clock runs back, and at a long pause; what is longer than
    `LONGEST` is divided at its longest pauses. A short piece that is left over is dropped.
    """
    pieces = [piece for stretch in _stretches(words) for piece in _divided(stretch)]
    return tuple(
        Cut(
            start=piece[0].start - min(MARGIN, piece[0].before / 2),
            end=piece[-1].end + min(MARGIN, piece[-1].after / 2),
            words=len(piece),
        )
        for piece in pieces
        if SHORTEST <= _length(piece) <= LONGEST - 2 * MARGIN
    )


def _length(piece: list[_Word]) -> float:
    return piece[-1].end - piece[0].start


def _stretches(words: Sequence[tuple[float, float] | None]) -> Iterator[list[_Word]]:
    """Runs of aligned words."""
    run: list[_Word] = []
    for times in words:
        if times is None:
            if run:
                yield run
            run = []
            continue
        word = _Word(*times)
        if run:
            pause = word.start - run[-1].end
            if pause >= -OVERLAP:
                word.before = run[-1].after = max(pause, 0.0)
            if not -OVERLAP <= pause <= PAUSE:
                yield run
                run = []
        run.append(word)
    if run:
        yield run


def _divided(stretch: list[_Word]) -> Iterator[list[_Word]]:
    """The stretch in pieces of at most `LONGEST` with their margins, parted at pauses, the longest first."""
    waiting = [stretch]
    while waiting:
        piece = waiting.pop()
        if _length(piece) <= LONGEST - 2 * MARGIN or len(piece) == 1:
            yield piece
            continue
        places = [
            k
            for k in range(1, len(piece))
            if min(piece[k - 1].end - piece[0].start, piece[-1].end - piece[k].start) >= SHORTEST
        ]
        middle = len(piece) / 2
        at = max(places or [len(piece) // 2], key=lambda k: (round(piece[k].before, 3), -abs(k - middle)))
        waiting += [piece[at:], piece[:at]]


# ---------------------------------------------------------------- the corpus


def _is_id(clip: str) -> bool:
    return _ID.fullmatch(clip) is not None


CORPORA = (
    Corpus(
        name="swc",
        title="Spoken Wikipedia (English)",
        licence="CC BY-SA 4.0",
        url="https://nats.gitlab.io/swc/",
        kind="audio",
        scan=scan,
        splits=(pretraining_split("swc", "Spoken Wikipedia (English)"),),
        is_id=_is_id,
        access=Access(
            note="CC BY-SA 4.0: any use with attribution, and what is made of it under the same licence.",
            steps=(
                # Address and size: five public scripts and one page (graded: code). No source gives a digest.
                "download https://www2.informatik.uni-hamburg.de/nats/pub/SWC/SWC_English.tar, about 16 GB",
                "unpack it: english/ARTICLE/audio.ogg and aligned.swc",
            ),
        ),
    ),
)
