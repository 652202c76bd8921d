"""Prepared clips on disk: plain tar shards with an index, written in one go, read at random with ``pread``.

    shard-00000.tar ...   ustar, no owner, time 0: <id>.flac and, with a picture, <id>.npy and <id>.png, sorted by id
    index.tsv             one line a clip: `COLUMNS`
    quarantine.tsv        one line a clip that could not be prepared: id, reason, detail
    clips.json            corpus and ROI provider

<id>.flac is 24 kHz mono PCM16 of exactly 960 samples a frame; <id>.npy is (frames, 96, 96) uint8; <id>.png is
a grey still of the whole face, 192x192 (17 KB beside 691 KB of crops for a GRID clip).  The same clips give the same
bytes, so a folder can be named by its digest.  Any tar program lists and unpacks a shard; nothing here needs one, since
the index holds the offsets.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import cv2
import numpy as np

from v2sbench.media import SAMPLES_PER_FRAME, UInt8, Wave, decode_flac
from v2sbench.roi import SIZE
from v2sbench.runtime import UseError, suggest

__all__ = ["COLUMNS", "SHARD_BYTES", "Clips", "Entry", "ShardWriter", "encode_still", "read_table", "write_table"]

SHARD_BYTES = 1 << 30
"""A shard is closed before the clip that would make it longer than this."""
COLUMNS = (
    "id",
    "speaker",
    "text",
    "frames",
    "shard",
    "wave_offset",
    "wave_size",
    "roi_offset",
    "roi_size",
    "face_offset",
    "face_size",
    "sha256",
    "damage",
)
"""Columns of ``index.tsv``, the fields of `Entry`."""
NUMBERS = ("frames", "wave_offset", "wave_size", "roi_offset", "roi_size", "face_offset", "face_size")
"""Those of them that are whole numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One prepared clip: a line of ``index.tsv``."""

    id: str
    """``speaker/stem``."""
    speaker: str
    """Who speaks."""
    text: str | None
    """What is said, None when the corpus does not tell."""
    frames: int
    """Length in video frames; ``960 * frames`` samples of sound."""
    shard: str
    """File that holds it."""
    wave_offset: int
    """First byte of the FLAC file in the shard."""
    wave_size: int
    """Its bytes."""
    roi_offset: int
    """First byte of the NPY file in the shard, 0 without a picture."""
    roi_size: int
    """Its bytes, 0 without a picture."""
    face_offset: int
    """First byte of the PNG file in the shard, 0 without a picture."""
    face_size: int
    """Its bytes, 0 without a picture."""
    sha256: str
    """Of the FLAC, NPY and PNG bytes joined."""
    damage: str
    """What its media file had lost, empty for a sound one."""

    @property
    def video(self) -> bool:
        """Whether there are mouth crops."""
        return self.roi_size > 0


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write tab-separated rows under a header; None is empty, tabs and line ends inside a value become blanks."""
    blank = str.maketrans("\t\r\n", "   ")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in [columns, *rows]:
            file.write("\t".join("" if value is None else str(value).translate(blank) for value in row) + "\n")


def read_table(path: Path) -> list[str]:
    """Lines of such a file, the header first.  ValueError when it is empty or its last line is cut off."""
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        raise ValueError(f"{path.name} is empty or cut off")
    return text[:-1].split("\n")


def encode_still(still: UInt8) -> bytes:
    """(H, W) uint8 -> PNG bytes, always the same; .7 ms (a JPEG of half the size would tie them to its decoder)."""
    done, data = cv2.imencode(".png", still, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return bytes(data)


class ShardWriter:
    """Writes clips, one at a time, into shards of a folder; `entries` become the index."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder, self.limit = folder, shard_bytes
        self.entries: list[Entry] = []
        self._file: BinaryIO | None = None
        self._shards = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def add(
        self, clip: str, speaker: str, text: str | None, frames: int, wave: bytes, roi: bytes, damage: str,
        face: bytes = b"",
    ) -> None:  # fmt: skip
        """Append one clip: its FLAC bytes and, or empty, its NPY bytes and the PNG bytes of its still."""
        padded = sum(_padded(len(data)) + tarfile.BLOCKSIZE for data in (wave, roi, face) if data)
        if self._file is None or (self._file.tell() and self._file.tell() + padded > self.limit):
            self._close()
            self._file = (self.folder / f"shard-{self._shards:05d}.tar").open("wb")
            self._shards += 1
        wave_offset = _member(self._file, f"{clip}.flac", wave)
        roi_offset = _member(self._file, f"{clip}.npy", roi) if roi else 0
        face_offset = _member(self._file, f"{clip}.png", face) if face else 0
        self.entries.append(
            Entry(
                id=clip,
                speaker=speaker,
                text=text,
                frames=frames,
                shard=Path(self._file.name).name,
                wave_offset=wave_offset,
                wave_size=len(wave),
                roi_offset=roi_offset,
                roi_size=len(roi),
                face_offset=face_offset,
                face_size=len(face),
                sha256=hashlib.sha256(wave + roi + face).hexdigest(),
                damage=damage,
            )
        )

    def finish(self, quarantined: list[tuple[str, str, str]], about: dict[str, Any]) -> None:
        """Close the last shard and write the index, the quarantine list of (id, reason, detail), and `about`."""
        self._close()
        rows = [
            tuple("" if (v := getattr(entry, column)) is None else v for column in COLUMNS) for entry in self.entries
        ]
        write_table(self.folder / "index.tsv", COLUMNS, rows)
        write_table(self.folder / "quarantine.tsv", ("id", "reason", "detail"), [*quarantined])
        (self.folder / "clips.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def _close(self) -> None:
        if self._file is not None:
            self._file.write(bytes(2 * tarfile.BLOCKSIZE))
            self._file.write(bytes(-self._file.tell() % tarfile.RECORDSIZE))
            self._file.close()
            self._file = None


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _member(file: BinaryIO, name: str, data: bytes) -> int:
    """Append a tar member; returns the offset of its first byte.  UseError for a name that ustar cannot hold."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), 0, 0o644
    try:
        file.write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
    except (ValueError, UnicodeError) as error:
        raise UseError(f"clip name {name!r} is too long for a tar shard ({error}); rename the file") from error
    offset = file.tell()
    file.write(data)
    file.write(bytes(_padded(len(data)) - len(data)))
    return offset


class Clips:
    """Random access to a prepared folder.  Picklable (files are opened again), and safe in threads and after fork.

    UseError when the folder is not there or its index is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._files: dict[str, int] = {}
        self._entries = {entry.id: entry for entry in _read_index(self.folder)}

    def __reduce__(self) -> tuple[type[Clips], tuple[Path]]:
        return Clips, (self.folder,)

    def __del__(self) -> None:
        for handle in getattr(self, "_files", {}).values():
            os.close(handle)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, clip: object) -> bool:
        return clip in self._entries

    @property
    def ids(self) -> tuple[str, ...]:
        """Every clip's id, sorted."""
        return tuple(self._entries)

    @property
    def about(self) -> dict[str, Any]:
        """Corpus and ROI provider, as written by ``v2sbench prepare``."""
        try:
            return dict(json.loads((self.folder / "clips.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UseError(f"{self.folder}/clips.json is damaged ({error}); run: v2sbench prepare CORPUS") from error

    def entry(self, clip: str) -> Entry:
        """The index line of a clip; UseError with the nearest id otherwise."""
        try:
            return self._entries[clip]
        except KeyError:
            near = suggest(clip, [name for name in self._entries if name.split("/")[0] == clip.split("/")[0]])
            raise UseError(f"no clip {clip!r} in {self.folder}{near}; see its quarantine.tsv") from None

    def wave(self, clip: str, start: int = 0, frames: int | None = None) -> Wave:
        """Sound of `frames` video frames from frame `start`: (960 * frames,) float32 in [-1, 1] at 24 kHz."""
        entry = self.entry(clip)
        count = _span(entry, start, frames)
        data = self._read(entry.shard, entry.wave_offset, entry.wave_size)
        return decode_flac(data, start * SAMPLES_PER_FRAME, count * SAMPLES_PER_FRAME)

    def roi(self, clip: str, start: int = 0, frames: int | None = None) -> UInt8:
        """Mouth crops of `frames` frames from frame `start`: (frames, 96, 96) uint8 grey; reads no more than these."""
        entry = self.entry(clip)
        if not entry.video:
            raise UseError(f"clip {clip!r} of {self.folder} has no picture: the corpus is audio only")
        count, size = _span(entry, start, frames), SIZE * SIZE
        first = entry.roi_offset + entry.roi_size - entry.frames * size + start * size  # behind the NPY header
        data = bytearray(self._read(entry.shard, first, count * size))
        return np.frombuffer(data, np.uint8).reshape(count, SIZE, SIZE)

    def still(self, clip: str) -> UInt8:
        """The face in the clip's middle picture: (192, 192) uint8 grey, placed as `roi.face_still` says."""
        entry = self.entry(clip)
        if not entry.face_size:
            raise UseError(f"clip {clip!r} of {self.folder} has no face: the corpus is audio only")
        data = np.frombuffer(self._read(entry.shard, entry.face_offset, entry.face_size), np.uint8)
        still = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if still is None:
            raise UseError(f"the face of clip {clip!r} in {self.folder} is damaged; run: v2sbench prepare CORPUS")
        return np.asarray(still, np.uint8)

    def intact(self, clip: str) -> bool:
        """Whether the stored bytes still have the digest of the index."""
        entry = self.entry(clip)
        payload = self._read(entry.shard, entry.wave_offset, entry.wave_size)
        if entry.video:
            payload += self._read(entry.shard, entry.roi_offset, entry.roi_size)
        if entry.face_size:
            payload += self._read(entry.shard, entry.face_offset, entry.face_size)
        return hashlib.sha256(payload).hexdigest() == entry.sha256

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


def _read_index(folder: Path) -> list[Entry]:
    path = folder / "index.tsv"
    try:
        header, *lines = read_table(path)
    except OSError as error:
        raise UseError(f"no prepared clips in {folder} ({error.strerror}); run: v2sbench prepare CORPUS") from error
    except ValueError as error:
        raise UseError(f"{path}: {error}; run: v2sbench prepare CORPUS") from error
    entries = []
    for number, line in enumerate(lines, start=2):
        cells = dict(zip(COLUMNS, line.split("\t"), strict=False))
        try:
            if header.split("\t") != [*COLUMNS]:
                raise ValueError("the header is another version's")
            sizes = {k: int(cells.pop(k)) for k in NUMBERS}
            entries.append(Entry(**{**cells, "text": cells["text"] or None}, **sizes))  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise UseError(f"{path}, line {number}: {error}; run: v2sbench prepare CORPUS") from error
    return entries
