"""Importing somebody's own division of a corpus: ``--list FILE``.

One clip a line, ``speaker/stem`` or ``speaker stem``; blank lines and ``# comments`` are passed over. A line
``[train]``, ``[val]`` or ``[test]`` says which part follows; the part may stand at the head of a line, too
(``test speaker/stem``). Clips without either are one part, known by their digest when they are a published list, or
else told by the file's name (``my_test.txt``). Published lists are not shipped (their licence), but a digest tells
which one a table rests on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from v2sbench.corpora import SUBSETS, Corpus, Split, Subset
from v2sbench.runtime import UseError, short_digest, suggest

_SECTION = re.compile(r"\[(.*)\]")


@dataclass(frozen=True, kw_only=True)
class Listing:
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


def read_listing(path: Path, corpus: Corpus) -> Listing:
    """Read `path`, every id checked against `corpus`.

    UseError with the line number for a line that is no clip of the corpus, for an unknown part and for a clip listed
    twice; UseError for a missing or empty file and when nothing tells which part it is.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UseError(f"cannot read the list {path}: {error}; give a text file of speaker/stem lines") from error
    part: Subset | None = None
    listed: dict[str, tuple[int, Subset | None]] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.split("#", 1)[0].strip()
        if match := _SECTION.fullmatch(line):
            part = _part(match[1].strip(), path, number)
        elif line:
            fields = line.split()
            told = _part(fields.pop(0), path, number) if fields[0] in SUBSETS and len(fields) > 1 else part
            clip = "/".join(fields)
            if not corpus.is_id(clip):
                raise UseError(f"{path}, line {number}: {line!r} is no clip of {corpus.name}; lines are speaker/stem")
            if clip in listed:
                raise UseError(f"{path}, line {number}: {clip} stands in line {listed[clip][0]} already")
            listed[clip] = (number, told)
    if not listed:
        raise UseError(f"the list {path} names no clip; give one speaker/stem a line")
    return _listing(path, corpus, {clip: where for clip, (_, where) in listed.items()})


def _part(name: str, path: Path, number: int) -> Subset:
    for part in SUBSETS:
        if name == part:
            return part
    allowed = ", ".join(f"[{part}]" for part in SUBSETS)
    raise UseError(f"{path}, line {number}: unknown part [{name}]{suggest(name, SUBSETS)} (allowed: {allowed})")


def _listing(path: Path, corpus: Corpus, listed: dict[str, Subset | None]) -> Listing:
    """Name the whole and its parts by their digests, and find the part of what stands under no section."""
    digest = short_digest(listed)
    known = corpus.known_lists
    names = [known[digest].name] if digest in known else []
    groups: defaultdict[Subset | None, list[str]] = defaultdict(list)
    for clip, part in listed.items():
        groups[part].append(clip)
    parts: dict[str, Subset] = {}
    for part, clips in groups.items():
        published = known.get(short_digest(clips))
        if published and published.name not in names:
            names.append(published.name)
        settled = part or (published.subset if published else None) or _part_of_name(path)
        if settled is None:
            raise UseError(
                f"nothing tells which part the {len(clips)} clips of {path} are; put a line [train], [val] or [test] "
                f"above them, or name the file so (my_test.txt)"
            )
        parts.update(dict.fromkeys(clips, settled))
    return Listing(parts=parts, digest=digest, names=tuple(names))


def _part_of_name(path: Path) -> Subset | None:
    words = re.split(r"[^a-z]+", path.stem.lower())
    told = [part for part in SUBSETS if part in words]
    return told[0] if len(told) == 1 else None


def apply(listing: Listing, split: Split) -> Split:
    """`split` with the list's division in place of its own: name, metrics and grammar stay; counts are the list's."""
    counts: dict[Subset, int | None] = {}
    sizes = Counter(listing.parts.values())
    for part in SUBSETS:
        if part in sizes:
            counts[part] = sizes[part]
    return replace(
        split,
        description=f"{split.description}; divided by {listing.title}",
        expected=counts,
        exact=True,
        subset=listing.parts.get,
        draw=None,
    )
