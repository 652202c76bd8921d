"""What the audio-only corpora share: utterances found on the disk made into a scan, and one pre-training split each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from v2sbench.corpora import Clip, Corpus, Problem, Scan
from v2sbench.corpora.divisions import pretraining_split
from v2sbench.corpora.folder import File
from v2sbench.corpora.remote import UNSAID, Access

_STRIPPED = re.compile(r"[^\w' ]+|_+")
_QUOTE_MARKS = re.compile(r"(?<!\w)'+|'+(?!\w)")


def words_of(text: str) -> str:
    """Lower-case words separated by one space: ``"Don't," he said.`` -> ``don't he said``. Accents stay."""
    plain = _STRIPPED.sub(" ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\n", " "))
    return " ".join(_QUOTE_MARKS.sub(" ", plain).split())


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One sound file, or a stretch of one, that is an utterance."""

    speaker: str
    """Who speaks."""
    stem: str
    """Unique among the speaker's utterances."""
    file: File
    """The sound."""
    text: str | None
    """What is said, as `Clip.text`."""
    pattern: str
    """Where it lies, for the eye: ``pNNN/*_mic1.flac``."""
    rank: int = 0
    """Of several utterances of one id the lowest counts, and among equals the first by path."""
    start: float | None = None
    """Seconds in `file` at which it begins; None: with the file."""
    end: float | None = None
    """Seconds in `file` at which it ends; None: with the file."""


def scan_of_utterances(utterances: Iterable[Utterance], problems: Iterable[Problem], *, note: str = "") -> Scan:
    """The scan of what was found; of utterances of one id the best one counts and the others are superseded.

    note: put behind the layout.
    """
    copies: defaultdict[str, list[Utterance]] = defaultdict(list)
    for item in utterances:
        copies[f"{item.speaker}/{item.stem}"].append(item)
    clips: list[Clip] = []
    superseded: list[Path] = []
    layouts: Counter[str] = Counter()
    for name in sorted(copies):
        best, *others = sorted(copies[name], key=lambda item: (item.rank, str(item.file.path)))
        superseded += [item.file.path for item in others]
        layouts[best.pattern] += 1
        clips.append(
            Clip(
                id=name,
                speaker=best.speaker,
                media=best.file.path,
                text=best.text,
                video=False,
                start=best.start,
                end=best.end,
            )
        )
    return Scan(
        clips=tuple(clips),
        problems=tuple(sorted(problems, key=lambda problem: str(problem.path))),
        layout=", ".join(f"{pattern} ({count})" for pattern, count in layouts.most_common()) + note,
        superseded=tuple(superseded),
    )


def read_words(path: Path) -> str:
    """The words of a text file."""
    return words_of(path.read_text(encoding="utf-8", errors="replace"))


def speech_corpus(
    name: str,
    *,
    title: str,
    licence: str,
    url: str = "",
    scan: Callable[[Path], Scan],
    is_id: Callable[[str], bool],
    access: Access = UNSAID,
    val: float = 0.01,
    generate: Callable[..., object] | None = None,
    total: int | None = None,
) -> Corpus:
    """An audio-only corpus with one split of its own name: no labels, no pictures, nothing to test on.

    val: share of the clips that validate, drawn by hash; the rest trains. generate: for an embedded corpus, what makes
    it. total: clips of a full copy, where a source tells.
    """
    return Corpus(
        name=name,
        title=title,
        licence=licence,
        url=url,
        kind="audio",
        scan=scan,
        splits=(pretraining_split(name, name, f"{title}: pre-training, {val:.0%} for validation, no test", val=val),),
        is_id=is_id,
        generate=generate,
        total=total,
        access=access,
    )
