"""Importing somebody's own division of a corpus: ``--list FILE``.

One clip a line, ``speaker/stem`` or ``speaker stem``; blank lines and ``# comments`` are passed over. A line
``[train]``, ``[val]`` or ``[test]`` says which part follows; the part may also stand at the head of a line
(``test speaker/stem``). Clips without either are one part: their digest says which, when they are a published list,
or else the file's name does (``my_test.txt``). Published lists are not shipped (their licence), but a digest names the
one that a table rests on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from v2sbench.corpora.corpus import Corpus
from v2sbench.corpora.folder import read_text
from v2sbench.corpora.splits import SUBSETS, Split, Subset
from v2sbench.runtime import UseError, short_digest, suggest


@dataclass(frozen=True, kw_only=True)
class OwnSplit:
    """A division of clips as read from a file."""

    parts: dict[str, Subset]
    """Clip id -> its part."""
    digest: str
    """First 16 hex digits of the SHA-256 of all ids, sorted, a newline behind each."""
    names: tuple[str, ...]
    """Published lists that the file, or one of its parts, is; empty for a list of one's own."""

    @property
    def title(self) -> str:
        """``train_4, test_4 (list 0123456789abcdef)``."""
        return f"{', '.join(self.names) or 'own'} (list {self.digest})"

    def of(self, split: Split) -> Split:
        """`split` with this division in place of its own: name, metrics and grammar stay; counts are the list's."""
        sizes = Counter(self.parts.values())
        return replace(
            split,
            description=f"{split.description}; divided by {self.title}",
            expected={part: sizes[part] for part in SUBSETS if part in sizes},
            exact=True,
            subset=self.parts.get,
            draw=None,
        )


def read_own_split(path: Path, corpus: Corpus) -> OwnSplit:
    """Read `path`, every id checked against `corpus`.

    UseError with the line number for a line that is no clip of the corpus, for an unknown part and for a clip listed
    twice; UseError for a missing or empty file and when nothing says which part it is.
    """
    try:
        lines = read_text(path).split("\n")
    except ValueError as error:
        raise UseError(f"cannot read the list {path}: {error}; give a text file of speaker/stem lines") from error
    section: Subset | None = None
    listed: dict[str, Subset | None] = {}
    first_line: dict[str, int] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.split("#", 1)[0].strip()
        if match := re.fullmatch(r"\[(.*)\]", line):
            section = _part(match[1].strip(), f"{path}, line {number}")
        elif line:
            part, words = section, line.split()
            if words[0] in SUBSETS and len(words) > 1:
                part = _part(words.pop(0), f"{path}, line {number}")
            clip = "/".join(words)
            if not corpus.is_id(clip):
                raise UseError(f"{path}, line {number}: {line!r} is no clip of {corpus.name}; lines are speaker/stem")
            if clip in listed:
                raise UseError(f"{path}, line {number}: {clip} stands in line {first_line[clip]} already")
            listed[clip], first_line[clip] = part, number
    if not listed:
        raise UseError(f"the list {path} names no clip; give one speaker/stem a line")
    return _settled(path, corpus, listed)


def _part(name: str, where: str) -> Subset:
    for part in SUBSETS:
        if name == part:
            return part
    allowed = ", ".join(f"[{part}]" for part in SUBSETS)
    raise UseError(f"{where}: unknown part [{name}]{suggest(name, SUBSETS)} (allowed: {allowed})")


def _settled(path: Path, corpus: Corpus, listed: dict[str, Subset | None]) -> OwnSplit:
    """Name the whole and its parts by their digests, and find the part of what stands under no section."""
    groups: defaultdict[Subset | None, list[str]] = defaultdict(list)
    for clip, part in listed.items():
        groups[part].append(clip)
    digest = short_digest(listed)
    known = corpus.known_lists
    names = [known[digest].name] if digest in known else []
    parts: dict[str, Subset] = {}
    for part, clips in groups.items():
        published = known.get(short_digest(clips))
        if published and published.name not in names:
            names.append(published.name)
        settled = part or (published.subset if published else None) or _part_of_name(path)
        if settled is None:
            raise UseError(
                f"nothing says which part the {len(clips)} clips of {path} are; put a line [train], [val] or [test] "
                f"above them, or name the file so (my_test.txt)"
            )
        parts.update(dict.fromkeys(clips, settled))
    return OwnSplit(parts=parts, digest=digest, names=tuple(names))


def _part_of_name(path: Path) -> Subset | None:
    words = re.split(r"[^a-z]+", path.stem.lower())
    found = [part for part in SUBSETS if part in words]
    return found[0] if len(found) == 1 else None
