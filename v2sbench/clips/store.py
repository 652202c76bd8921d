"""Prepared clips on disk: plain zip shards with an index, read at random with ``pread``.

    shard-00000.zip ...   stored, not compressed: <id>.flac and, with a picture, <id>.npy and <id>.png, sorted by id
    index.tsv             one line a clip, sorted by id: `COLUMNS`
    quarantine.tsv        one line a clip that could not be prepared: id, reason, detail
    clips.json            corpus and ROI provider

<id>.flac is 24 kHz mono PCM16 of exactly 960 samples a frame; <id>.npy is (frames, 96, 96) uint8; <id>.png is a grey
still of the whole face, 192x192. The same clips give the same bytes, so a digest names a folder. Any zip program lists
and unpacks a shard. The index holds the offsets and stays on the disk (`Table`), so a store of millions of clips opens
in a second or two and takes 8 bytes of memory a clip.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import SAMPLES_PER_FRAME, Wave, decode_flac
from v2sbench.runtime import UseError, suggest

UInt8 = NDArray[np.uint8]
"""Grey (F, H, W) or RGB (F, H, W, 3) pictures in [0, 255]."""
SIZE = 96
"""Height and width of a mouth crop in pixels."""


CHUNK = 1 << 24  # bytes in which line ends are looked for at once
BLOCK = 1 << 12  # lines that are decoded at once where all are
_BLANK = str.maketrans("\t\r\n", "   ")


def line_of(row: Iterable[object]) -> str:
    """A row as a line without its end. None is empty; tabs and line ends inside a value become blanks."""
    return "\t".join("" if value is None else str(value).translate(_BLANK) for value in row)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows under a header, each as `line_of` says."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in chain([columns], rows):
            file.write(line_of(row) + "\n")


class Table(Sequence[str]):
    """The lines behind the header of a tab-separated file, through a memory map.  Picklable, and safe in threads.

    Only the places of the lines are kept in memory. A file that is replaced meanwhile is read on as it was.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """ValueError when the file is empty, cut off, or has other columns; OSError when it cannot be read."""
        self.path, self.columns = path, tuple(columns)
        header = line_of(columns).encode() + b"\n"
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise ValueError(f"{path.name} is empty")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[: len(header)] != header:
            raise ValueError(f"the header of {path.name} is another version's")
        ends, tabs = [np.array([len(header) - 1])], 0
        for start in range(len(header), len(self._map), CHUNK):
            block = self._map[start : start + CHUNK]
            ends.append(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + start)
            tabs += block.count(b"\t")
        self._ends = np.concatenate(ends)
        self._map.madvise(mmap.MADV_DONTNEED)  # the system may have the pages back
        if self._ends[-1] != len(self._map) - 1 or tabs != len(self) * (len(self.columns) - 1):
            raise ValueError(f"{path.name} is cut off: not every line has {len(self.columns)} cells")

    def __reduce__(self) -> tuple[type[Table], tuple[Path, tuple[str, ...]]]:
        return Table, (self.path, self.columns)

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
        return self._text(at, at + 1)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), BLOCK):
            stop = min(start + BLOCK, len(self))
            yield from self._text(start, stop).split("\n")

    def _text(self, start: int, stop: int) -> str:
        """Lines of the table, as one text; UseError where they are no UTF-8."""
        try:
            return self._map[self._ends[start] + 1 : self._ends[stop]].decode()
        except UnicodeDecodeError as error:
            raise UseError(f"{self.path} is damaged (no UTF-8: {error.reason}); make it again") from None

    def find(self, key: str) -> str | None:
        """The line whose first cell is `key`, in a table sorted by it; None where there is none."""
        at = bisect_left(self, key, key=lambda line: line.split("\t", 1)[0])
        return self[at] if at < len(self) and self[at].split("\t", 1)[0] == key else None

    def column(self, name: str) -> Iterator[str]:
        """One cell of every line, in order."""
        at = self.columns.index(name)
        return (line.split("\t", at + 1)[at] for line in self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One prepared clip: a line of ``index.tsv``.

    Offsets and sizes are those of the FLAC, NPY and PNG bytes in the shard; 0 for crops and still without a picture.
    """

    id: str  # speaker/stem
    speaker: str
    text: str | None  # None when the corpus does not tell what is said
    frames: int  # video frames; 960 samples of sound each
    shard: str  # file that holds the clip, relative to the folder
    wave_offset: int
    wave_size: int
    roi_offset: int
    roi_size: int
    face_offset: int
    face_size: int
    sha256: str  # digest of the FLAC, NPY and PNG bytes joined
    damage: str  # what the media file had lost, empty for a sound one

    @property
    def video(self) -> bool:
        """Whether there are mouth crops."""
        return self.roi_size > 0

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """(first byte, size) of the sound, the crops and the still in the shard."""
        return (
            (self.wave_offset, self.wave_size),
            (self.roi_offset, self.roi_size),
            (self.face_offset, self.face_size),
        )

    @property
    def line(self) -> str:
        """The clip as a line of ``index.tsv``."""
        return line_of(astuple(self))

    @staticmethod
    def of(line: str) -> Entry:
        """The clip of a line of ``index.tsv``.  ValueError for any other line."""
        values = [kind(cell) for kind, cell in zip(_TYPES, line.split("\t"), strict=True)]
        cells: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
        return Entry(**cells | {"text": cells["text"] or None})


COLUMNS = tuple(field.name for field in fields(Entry))
"""Columns of ``index.tsv``."""
_TYPES = tuple(int if field.type == "int" else str for field in fields(Entry))


class Clips:
    """Random access to a prepared folder.  Picklable (files are opened again), and safe in threads and after fork.

    UseError when the folder is not there or its index is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._files: dict[str, int] = {}
        self._checked: set[str] = set()  # clips whose bytes this store has held against the index
        path = self.folder / "index.tsv"
        try:
            self._index = Table(path, COLUMNS)
        except OSError as error:
            raise UseError(f"no prepared clips in {folder} ({error.strerror}); run: v2sbench prepare CORPUS") from error
        except ValueError as error:
            raise UseError(f"{path}: {error}; run: v2sbench prepare CORPUS") from error
        if self._index and ".tar\t" in self._index[0]:
            raise UseError(f"{folder} was prepared by an earlier version (tar shards); run: v2sbench prepare CORPUS")

    def __reduce__(self) -> tuple[type[Clips], tuple[Path]]:
        return Clips, (self.folder,)

    def __del__(self) -> None:
        for handle in getattr(self, "_files", {}).values():
            os.close(handle)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, clip: object) -> bool:
        return isinstance(clip, str) and self._index.find(clip) is not None

    def __iter__(self) -> Iterator[Entry]:
        """Every clip's index line, by id."""
        return map(self._parse, self._index)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every clip's id, sorted."""
        return tuple(self._index.column("id"))

    @property
    def about(self) -> dict[str, Any]:
        """Corpus and ROI provider, as written by ``v2sbench prepare``."""
        try:
            return dict(json.loads((self.folder / "clips.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UseError(f"{self.folder}/clips.json is damaged ({error}); run: v2sbench prepare CORPUS") from error

    def entry(self, clip: str) -> Entry:
        """The index line of a clip; UseError with the nearest id otherwise."""
        line = self._index.find(clip)
        if line is None:
            near = suggest(clip, [name for name in self.ids if name.split("/")[0] == clip.split("/")[0]])
            raise UseError(f"no clip {clip!r} in {self.folder}{near}; see its quarantine.tsv")
        return self._parse(line)

    def _parse(self, line: str) -> Entry:
        try:
            return Entry.of(line)
        except ValueError as error:
            raise UseError(f"{self.folder}/index.tsv is damaged ({error}); run: v2sbench prepare CORPUS") from error

    def wave(self, clip: str, start: int = 0, frames: int | None = None) -> Wave:
        """Sound of `frames` video frames from frame `start`: (960 * frames,) float32 in [-1, 1] at 24 kHz."""
        entry = self.entry(clip)
        count = _span(entry, start, frames)
        self._check(entry)
        data = self._read(entry.shard, entry.wave_offset, entry.wave_size)
        return decode_flac(data, start * SAMPLES_PER_FRAME, count * SAMPLES_PER_FRAME)

    def roi(self, clip: str, start: int = 0, frames: int | None = None) -> UInt8:
        """Mouth crops of `frames` frames from frame `start`: (frames, 96, 96) uint8 grey."""
        entry = self.entry(clip)
        if not entry.video:
            raise UseError(f"clip {clip!r} of {self.folder} has no picture: the corpus is audio only")
        count, size = _span(entry, start, frames), SIZE * SIZE
        self._check(entry)
        first = entry.roi_offset + entry.roi_size - entry.frames * size + start * size  # behind the NPY header
        data = bytearray(self._read(entry.shard, first, count * size))
        return np.frombuffer(data, np.uint8).reshape(count, SIZE, SIZE)

    def still(self, clip: str) -> UInt8:
        """The face in the clip's middle picture: (192, 192) uint8 grey, placed as `roi.face_still` says."""
        entry = self.entry(clip)
        if not entry.face_size:
            raise UseError(f"clip {clip!r} of {self.folder} has no face: the corpus is audio only")
        data = np.frombuffer(self._read(entry.shard, entry.face_offset, entry.face_size), np.uint8)
        import cv2  # here, so that the report is there without it

        still = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if still is None:
            raise UseError(f"the face of clip {clip!r} in {self.folder} is damaged; run: v2sbench prepare CORPUS")
        return np.asarray(still, np.uint8)

    def intact(self, clip: str) -> bool:
        """Whether the stored bytes still have the digest of the index; UseError when they are not there."""
        return self._intact(self.entry(clip))

    def _intact(self, entry: Entry) -> bool:
        payload = b"".join(self._read(entry.shard, *part) for part in entry.parts if part[1])
        return hashlib.sha256(payload).hexdigest() == entry.sha256

    def _check(self, entry: Entry) -> None:
        """Hold a clip's bytes against the index, once for each store; UseError when they have changed."""
        if entry.id in self._checked:
            return
        if not self._intact(entry):
            place = self.folder / entry.shard
            raise UseError(f"clip {entry.id!r} in {place} is damaged; run: v2sbench prepare CORPUS --fresh")
        self._checked.add(entry.id)

    def _read(self, shard: str, offset: int, size: int) -> bytes:
        if shard not in self._files:
            try:
                self._files[shard] = os.open(self.folder / shard, os.O_RDONLY)
            except OSError as error:
                raise UseError(f"{self.folder / shard}: {error.strerror}; run: v2sbench prepare CORPUS") from error
        data = os.pread(self._files[shard], size, offset)
        if len(data) != size:
            raise UseError(f"{self.folder / shard} is shorter than its index says; run: v2sbench prepare CORPUS")
        return data


def _span(entry: Entry, start: int, frames: int | None) -> int:
    count = entry.frames - start if frames is None else frames
    if start < 0 or count < 0 or start + count > entry.frames:
        raise ValueError(f"frames {start} to {start + count} of clip {entry.id!r}, which has {entry.frames}")
    return count
