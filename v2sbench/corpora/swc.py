"""Spoken Wikipedia, English: articles that volunteers read, of half an hour each, with the times of many words.

    english/ARTICLE/audio.ogg   with   aligned.swc and info.json   beside it
    english/ARTICLE/audio1.ogg, audio2.ogg, ...   where it was recorded in parts; info.json tells when each begins

An article is cut into utterances of 1 to 15 s in which every word is aligned (`swc_alignment`); a clip is a stretch of
the article's file, which is not written anew. What was not aligned is left out, and counted in the layout. A speaker is
the digest of the reader's name, and where an article tells none, of the article's: a reader of whom nobody knows.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path

from v2sbench.corpora import Problem, Scan
from v2sbench.corpora.folder import File, files
from v2sbench.corpora.remote import Access
from v2sbench.corpora.swc_alignment import Alignment, cut, read_alignment
from v2sbench.corpora.utterances import Utterance, scan_of_utterances, speech_corpus
from v2sbench.runtime import short_digest

ALIGNMENT, INFO = "aligned.swc", "info.json"
"""Files beside the sound."""
FOREIGN = frozenset({"german", "dutch"})
"""Folders of the corpus' other languages, passed over."""
_SOUND = re.compile(r"audio(\d*)")
_UNSAFE = re.compile(r"[^\w.%(),'!&+-]")
_SPEAKER = re.compile(r"[0-9a-f]{16}")
_STEM = re.compile(r".+_\d{7,}")


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
        elif file.suffix == ".ogg" and (file.fault or not _SOUND.fullmatch(file.stem)):
            reason = file.fault or f"not an article's sound: {file.stem!r} is not audio, audio1, audio2, ..."
            problems.append(Problem(path=file.path, reason=reason))
        elif file.suffix == ".ogg":
            articles[file.path.parent].sounds.append(file)
    utterances: list[Utterance] = []
    spoken = used = 0
    for folder in sorted(articles):
        article = articles[folder]
        alignment, found = _read(article)
        problems += found
        if alignment is None:
            continue
        starts, found = _starts(article)
        problems += found
        spoken += len(alignment.words)
        for item in _utterances(folder.name, alignment, starts):
            utterances.append(item)
            used += len((item.text or "").split())
    note = f"; {used} of {spoken} words in utterances" if spoken else ""
    return scan_of_utterances(utterances, problems, note=note)


def _read(article: _Article) -> tuple[Alignment | None, list[Problem]]:
    """What an article's alignment tells; None and why not, when it or the sound is missing."""
    if article.alignment is None:
        return None, [Problem(path=file.path, reason=f"no {ALIGNMENT} beside it") for file in article.sounds]
    path = article.alignment.path
    if article.alignment.fault or not article.sounds:
        return None, [Problem(path=path, reason=article.alignment.fault or "no audio.ogg beside it")]
    try:
        return read_alignment(path), []
    except ValueError as error:
        return None, [Problem(path=path, reason=str(error).replace(f"{path.parent}/", ""))]


def _starts(article: _Article) -> tuple[dict[float, File], list[Problem]]:
    """Seconds on the article's clock -> the sound that begins there.

    Parts go before an ``audio.ogg`` beside them, which somebody joined from them.
    """
    parts = {int(match[1]): file for file in article.sounds if (match := _SOUND.fullmatch(file.stem)) and match[1]}
    if not parts:
        return {0.0: article.sounds[0]}, []
    try:
        listed = json.loads(article.info.path.read_text(encoding="utf-8"))["audio_files"] if article.info else []
        begins = {number: float(entry["offset"]) for number, entry in enumerate(listed, 1) if "offset" in entry}
    except (ValueError, KeyError, TypeError, AttributeError):
        begins = {}
    reason = f"no {INFO} tells when this part begins"
    problems = [Problem(path=file.path, reason=reason) for number, file in parts.items() if number not in begins]
    return {begins[number]: file for number, file in sorted(parts.items()) if number in begins}, problems


def _utterances(article: str, alignment: Alignment, starts: dict[float, File]) -> list[Utterance]:
    """Those that lie in one sound; what runs from one part into the next is left out."""
    found = []
    speaker = speaker_of(alignment.reader, article)
    edges = [*sorted(starts), inf]
    for piece in cut(alignment.words):
        for start, end in pairwise(edges):
            if not (start <= piece.start and piece.end <= end):
                continue
            file = starts[start]
            found.append(
                Utterance(
                    speaker=speaker,
                    stem=f"{_UNSAFE.sub('_', article)}_{round(piece.start * 1000):07d}",
                    file=file,
                    text=piece.text,
                    pattern="/".join([*file.parts[:-1], "ARTICLE", "audio*.ogg"]),
                    start=round(piece.start - start, 6),
                    end=round(piece.end - start, 6),
                )
            )
    return found


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    return _SPEAKER.fullmatch(speaker) is not None and "/" not in stem and _STEM.fullmatch(stem) is not None


CORPORA = (
    speech_corpus(
        "swc",
        title="Spoken Wikipedia (English)",
        licence="CC BY-SA 4.0",
        url="https://nats.gitlab.io/swc/",
        scan=scan,
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
