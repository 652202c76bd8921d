"""Walking a corpus folder: every file once, in one order, with its size; symbolic links to folders are followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2sbench.runtime import UseError

LANDMARK_SUFFIXES = (".npz", ".npy", ".pkl")
"""Files that may hold a clip's landmarks (see `roi.files`)."""
LEFTOVERS = frozenset({"__MACOSX"})
"""Folders that archive programs leave behind; hidden files and folders are passed over as well."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file below a corpus folder."""

    path: Path
    """Where it is."""
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


def name_below(path: Path, root: Path) -> str:
    """`path` below `root` (or its name alone elsewhere) as text for tables: bytes that are no UTF-8 are escaped."""
    name = path.relative_to(root) if path.is_relative_to(root) else path.name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


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
