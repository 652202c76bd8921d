"""What the audio-only corpora share: utterances found on the disk made into a scan, and one pre-training split each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from v2sbench.corpora import Clip, Corpus, Problem, Scan
from v2sbench.corpora.divisions import pretraining_split
from v2sbench.corpora.folder import File
from v2sbench.corpora.remote import Access
from v2sbench.corpora.speech import words_of

__all__ = ["Utterance", "read_words", "scan_of_utterances", "speech_corpus"]


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One sound file that is an utterance."""

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


def scan_of_utterances(utterances: Iterable[Utterance], problems: Iterable[Problem], *, note: str = "") -> Scan:
    """The scan of what was found; of utterances of one id the first by path counts and the others are superseded.

    note: put behind the layout.
    """
    copies: defaultdict[str, list[Utterance]] = defaultdict(list)
    for item in utterances:
        copies[f"{item.speaker}/{item.stem}"].append(item)
    clips: list[Clip] = []
    superseded: list[Path] = []
    layouts: Counter[str] = Counter()
    for name in sorted(copies):
        best, *others = sorted(copies[name], key=lambda item: str(item.file.path))
        superseded += [item.file.path for item in others]
        layouts[best.pattern] += 1
        clips.append(Clip(id=name, speaker=best.speaker, media=best.file.path, text=best.text, video=False))
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
    url: str,
    scan: Callable[[Path], Scan],
    is_id: Callable[[str], bool],
    fake: Callable[[Path], None],
    access: Access,
) -> Corpus:
    """An audio-only corpus with one split of its own name: 1 % of the clips, by hash, validate; the rest trains."""
    return Corpus(
        name=name,
        title=title,
        licence=licence,
        url=url,
        kind="audio",
        scan=scan,
        splits=(pretraining_split(name, name, f"{title}: pre-training, 1% for validation, no test"),),
        is_id=is_id,
        fake=fake,
        access=access,
    )
