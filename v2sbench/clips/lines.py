"""Tables on disk: tab-separated lines under a header, read at random through a memory map.

A table is checked when it is opened (header, last line, number of cells) and parsed line by line when it is asked: one
of three million lines costs a pass over its bytes and 8 bytes of memory a line, and `Lines.find` not even that. The map
is of the file as it was opened, so a table that is replaced meanwhile is read on as it was.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 24
"""Bytes that are looked at in one go where all are looked at."""
BLOCK = 1 << 12
"""Lines that are decoded in one go where all are."""
_BLANK = str.maketrans("\t\r\n", "   ")


def line_of(row: Iterable[object]) -> str:
    """A row as a line without its end; None is empty, tabs and line ends inside a value become blanks."""
    return "\t".join("" if value is None else str(value).translate(_BLANK) for value in row)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows under a header, each as `line_of` says."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in chain([columns], rows):
            file.write(line_of(row) + "\n")


class Lines(Sequence[str]):
    """The lines behind the header of a table.  Picklable (the file is opened again), and safe in threads."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """path: of a table with just these `columns`.

        ValueError when it is empty, cut off, or has another header; OSError when it cannot be read.
        """
        self.path, self.columns = path, tuple(columns)
        header = line_of(columns).encode() + b"\n"
        with path.open("rb") as file:
            if not file.seek(0, 2):
                raise ValueError(f"{path.name} is empty")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[: len(header)] != header:
            raise ValueError(f"the header of {path.name} is another version's")
        self._first = len(header)
        last = self._map[self._map.rfind(b"\n", 0, len(self._map) - 1) + 1 :]
        if not last.endswith(b"\n") or last.count(b"\t") != len(self.columns) - 1:
            raise ValueError(f"{path.name} is cut off")

    def __reduce__(self) -> tuple[type[Lines], tuple[Path, tuple[str, ...]]]:
        return Lines, (self.path, self.columns)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One line, or a list of them."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]  # IndexError as of any sequence
        return self._map[self._ends[at] + 1 : self._ends[at + 1]].decode()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            stop = min(start + BLOCK, len(self))
            block = self._map[self._ends[start] + 1 : self._ends[stop]]
            yield from block.decode().split("\n")
        self._forget()

    def find(self, key: str) -> str | None:
        """The line whose first cell is `key`, in a table sorted by it; None where there is none."""
        wanted, low, high = key.encode(), self._first, len(self._map)
        while low < high:
            middle = (low + high) // 2
            start = self._map.rfind(b"\n", low, middle) + 1 or low
            end = self._map.find(b"\n", middle, high)
            cell = self._map[start:end].split(b"\t", 1)[0]
            if cell == wanted:
                return self._map[start:end].decode()
            low, high = (end + 1, high) if cell < wanted else (low, start)
        return None

    def column(self, name: str) -> Iterator[str]:
        """One cell of every line, in order."""
        at = self.columns.index(name)
        return (line.split("\t", at + 1)[at] for line in self)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Place of the line end before each line, and of the last one.  ValueError when lines lack cells."""
        found, tabs = [np.array([self._first - 1], np.int64)], 0
        for start in range(self._first, len(self._map), CHUNK):
            block = self._map[start : start + CHUNK]
            found.append(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + start)
            tabs += block.count(b"\t")
        ends = np.concatenate(found)
        if tabs != (len(ends) - 1) * (len(self.columns) - 1):
            raise ValueError(f"{self.path.name}: not every line has {len(self.columns)} cells")
        self._forget()
        return ends

    def _forget(self) -> None:
        """Let the system have the pages back that a pass over all lines has read in."""
        self._map.madvise(mmap.MADV_DONTNEED)
