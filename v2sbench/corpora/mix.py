"""Corpora that are made of others: the six of the paper's pre-training, 3,572 h of speech.

A mix has no files: ``v2sbench prepare speech-mix`` writes an index over the prepared clips of its parts. Ids and
speakers carry the part's name in front, ``libritts-84/84_121123_000007_000001``, so that no two parts' meet, and a
clip is in the part of the mix's division in which its own corpus has it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from v2sbench.corpora import corpus
from v2sbench.corpora.corpus import Access, Clip, Corpus, Problem, Scan
from v2sbench.corpora.splits import Split, Subset

PARTS = ("commonvoice", "hifitts", "libritts", "omceb", "swc", "vctk")
"""Those of the paper's pre-training, sorted."""


def mixed(part: str, name: str) -> str:
    """A clip's id or speaker as it is called in a mix."""
    return f"{part}-{name}"


def unmixed(name: str, parts: tuple[str, ...]) -> tuple[str, str] | None:
    """(part, id in it) of a clip of a mix; None for a clip of no part."""
    for part in sorted(parts, key=len, reverse=True):
        if name.startswith(f"{part}-"):
            return part, name.removeprefix(f"{part}-")
    return None


def mix_corpus(name: str, *, title: str, licence: str, url: str, parts: tuple[str, ...], access: Access) -> Corpus:
    """A corpus of other audio-only corpora, `parts`, with one split of its own name that follows theirs."""
    return Corpus(
        name=name,
        title=title,
        licence=licence,
        url=url,
        kind="audio",
        scan=partial(_scan, parts=parts),
        splits=(
            Split(
                name=name,
                corpus=name,
                description=f"{title}: each part's own division",
                identity="seen",
                expected={"train": None, "val": None},
                exact=False,
                subset=partial(_subset, parts=parts),
                wer=False,
            ),
        ),
        is_id=partial(_is_id, parts=parts),
        access=access,
        parts=parts,
    )


def _subset(clip: str, *, parts: tuple[str, ...]) -> Subset | None:
    """As the first split of the clip's own corpus says."""
    found = unmixed(clip, parts)
    if found is None:
        return None
    part, name = found
    divide = corpus(part).splits[0].subset
    assert divide is not None  # pre-training splits go by the id
    return divide(name)


def _is_id(clip: str, *, parts: tuple[str, ...]) -> bool:
    found = unmixed(clip, parts)
    return found is not None and corpus(found[0]).is_id(found[1])


def _scan(root: Path, *, parts: tuple[str, ...]) -> Scan:
    """What lies in the folders of the parts below `root`, the folder of all corpora."""
    clips: list[Clip] = []
    problems: list[Problem] = []
    layouts: list[str] = []
    superseded: list[Path] = []
    for part in parts:
        if not (root / part).is_dir():
            continue
        found = corpus(part).scan(root / part)
        clips += [replace(clip, id=mixed(part, clip.id), speaker=mixed(part, clip.speaker)) for clip in found.clips]
        problems += found.problems
        superseded += found.superseded
        layouts.append(f"{part}: {found.layout}")
    return Scan(
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        problems=tuple(sorted(problems, key=lambda problem: str(problem.path))),
        layout="; ".join(layouts),
        superseded=tuple(superseded),
    )


CORPORA = (
    mix_corpus(
        "speech-mix",
        title="Six corpora of speech",
        licence="of each part",
        url="https://arxiv.org/abs/2306.15464",
        parts=PARTS,
        access=Access(
            note="Each part has its own licence: v2sbench list corpora.",
            steps=tuple(f"v2sbench fetch {part}, then v2sbench prepare {part}" for part in PARTS),
        ),
    ),
)
