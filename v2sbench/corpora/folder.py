"""Reading a corpus folder: walk it, read its label files, and make a `Scan` of what was found.

Every file is seen once, in one order, with its size; symbolic links to folders are followed.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from v2sbench.corpora.corpus import Clip, Problem, Scan
from v2sbench.runtime import UseError

LANDMARK_SUFFIXES = (".npz", ".npy", ".pkl")
"""Files that may hold a clip's landmarks (see `v2sbench.prepare`)."""
LEFTOVERS = frozenset({"__MACOSX"})
"""Folders that archive programs leave behind; hidden files and folders are passed over as well."""
_STRIPPED = re.compile(r"[^\w' ]+|_+")
_QUOTE_MARKS = re.compile(r"(?<!\w)'+|'+(?!\w)")


@dataclass(frozen=True, kw_only=True)
class File:
    """One file below a corpus folder."""

    path: Path
    parts: tuple[str, ...]
    """The folders between the corpus folder and the file."""
    size: int | None
    """Bytes; None when it cannot be read (a broken link, as git-annex leaves for absent content)."""

    @property
    def stem(self) -> str:
        """File name up to the last dot."""
        return self.path.stem

    @property
    def suffix(self) -> str:
        """Lower-case file name from the last dot: ``.mpg``."""
        return self.path.suffix.lower()

    @property
    def fault(self) -> str | None:
        """Why no media can be in it, as far as its size tells."""
        if self.size is None:
            return "cannot be read (a broken link?)"
        return None if self.size else "empty file"


def files(root: Path) -> Iterator[File]:
    """Every file below `root`, folders in name order. UseError when a folder may not be read."""
    yield from _files(root, (), {os.path.realpath(root)})


def _files(folder: Path, parts: tuple[str, ...], seen: set[str]) -> Iterator[File]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise UseError(f"cannot read the folder {folder}: {error.strerror}; check its permissions") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name in LEFTOVERS:
            continue
        path = folder / entry.name
        if entry.is_dir():
            real = os.path.realpath(path)
            if real not in seen:  # a link back up, or a second link to one folder
                seen.add(real)
                yield from _files(path, (*parts, entry.name), seen)
            continue
        try:
            size: int | None = entry.stat().st_size
        except OSError:
            size = None
        yield File(path=path, parts=parts, size=size)


def name_below(path: Path, root: Path) -> str:
    """`path` below `root` (or its name alone elsewhere) as text for tables: bytes that are no UTF-8 are escaped."""
    name = path.relative_to(root) if path.is_relative_to(root) else path.name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


# ---------------------------------------------------------------- label files


def read_text(path: Path) -> str:
    """What a text file says, without a byte order mark. ValueError, in a few words, when it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not a text in UTF-8 (byte {error.start}); convert it, for instance with iconv") from error
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


def words_of(text: str) -> str:
    """Lower-case words separated by one space: ``"Don't," he said.`` -> ``don't he said``. Accents stay."""
    plain = _STRIPPED.sub(" ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\n", " "))
    return " ".join(_QUOTE_MARKS.sub(" ", plain).split())


# ---------------------------------------------------------------- what was found


@dataclass(frozen=True, kw_only=True)
class Found:
    """One file, or a stretch of one, that is a clip."""

    clip: Clip
    pattern: str
    """Where it lies, for people: ``sN/video/*.mpg``."""
    rank: tuple[int, ...] = ()
    """Of several files of one clip the lowest counts, and among equals the first by path."""
    recording: str = ""
    """What files of one clip have in common; "": its id."""


def scan_of_found(
    found: Iterable[Found],
    problems: Iterable[Problem],
    *,
    note: str = "",
    superseded: Iterable[Path] = (),
    absent: Iterable[str] = (),
) -> Scan:
    """The scan of what was found; of several files of one clip the best one counts, the others are superseded.

    note: put behind the layout. superseded: files that the caller passed over for a better one.
    """
    copies: defaultdict[str, list[Found]] = defaultdict(list)
    for item in found:
        copies[item.recording or item.clip.id].append(item)
    clips: list[Clip] = []
    others: list[Path] = list(superseded)
    layouts: Counter[str] = Counter()
    for takes in copies.values():
        best, *rest = sorted(takes, key=lambda item: (item.rank, str(item.clip.media)))
        clips.append(best.clip)
        layouts[best.pattern] += 1
        others += [item.clip.media for item in rest]
    return Scan(
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        problems=tuple(sorted(problems, key=lambda problem: str(problem.path))),
        layout=", ".join(f"{pattern} ({count})" for pattern, count in layouts.most_common()) + note,
        superseded=tuple(sorted(others)),
        absent=tuple(sorted(absent)),
    )
