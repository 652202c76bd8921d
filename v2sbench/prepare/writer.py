"""Writing prepared clips: shards and their index, clip by clip, so that a killed run goes on where it was.

While a folder is written its index is a journal: a line a clip, appended when the clip's bytes are in the shard. What a
killed run has left is cut back to the last whole clip and continued; the files come out as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import cv2

from v2sbench.clips.lines import line_of, write_table
from v2sbench.clips.store import COLUMNS, Entry, UInt8, padded
from v2sbench.runtime import UseError

SHARD_BYTES = 1 << 30
"""A shard is closed before the clip that would make it longer than this."""
LEFT_OUT = ("id", "reason", "detail")
"""Columns of ``quarantine.tsv``."""
JOURNAL = "journal.tsv"


def encode_still(still: UInt8) -> bytes:
    """(H, W) uint8 -> PNG bytes, always the same; .7 ms (a JPEG of half the size would tie them to its decoder)."""
    done, data = cv2.imencode(".png", still, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return bytes(data)


class ShardWriter:
    """Writes clips, one at a time and by ascending id, into shards of a folder, and the index of them.

    No clip is kept in memory. A clip's bytes are handed to the system before its line goes to the journal, so what the
    journal lists is there after a kill; `resume` takes it over.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES, journal: Path | None = None) -> None:
        """journal: by default in the folder, and removed by `finish`; one elsewhere stays."""
        self.folder, self.limit = folder, shard_bytes
        self.kept = 0
        self._own = journal is None
        self._path = folder / JOURNAL if journal is None else journal
        self._journal = self._path.open("ab", buffering=0)
        self._file: BinaryIO | None = None
        self._shards = 0
        self._last = ""

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        if self._file is not None:
            self._file.close()

    def resume(self, clips: Iterable[tuple[str, str]]) -> int:
        """Take over what a killed run has left of `clips`, the (id, key) of all in order; returns how many they are.

        key: what the writer of a clip gave as such; a clip of another key, and all behind it, is cut off and has to be
        written again, as is one whose bytes did not reach the disk.
        """
        count, place, last = 0, 0, None
        sizes = {path.name: path.stat().st_size for path in self.folder.glob("shard-*.tar")}
        with self._path.open("rb") as file:
            for (name, key), line in zip(clips, file, strict=False):
                cells = line.decode(errors="replace").removesuffix("\n").split("\t", 1)
                if not line.endswith(b"\n") or cells[0] != key or cells[1].split("\t", 1)[0] != name:
                    break
                if entry := _entry_of(cells[1]):
                    if entry.end > sizes.get(entry.shard, 0):
                        break
                    last, self.kept = entry, self.kept + 1
                count, place, self._last = count + 1, place + len(line), name
        if last is not None and not _whole(self.folder, last):
            count, place, last, self.kept, self._last = 0, 0, None, 0, ""
        self._journal.truncate(place)
        self._shards = 0 if last is None else int(last.shard[6:11]) + 1
        for name in sizes:
            if last is None or name > last.shard:
                (self.folder / name).unlink()
        if last is not None:
            self._file = (self.folder / last.shard).open("r+b")
            self._file.truncate(last.end)
            self._file.seek(last.end)
        return count

    def add(
        self, clip: str, speaker: str, text: str | None, frames: int, wave: bytes, roi: bytes, damage: str,
        face: bytes = b"", key: str = "",
    ) -> None:  # fmt: skip
        """Append one clip: its FLAC bytes and, or empty, its NPY bytes and the PNG bytes of its still.

        key: names all that the bytes depend on, for `resume`. ValueError when the id is not behind the last one's.
        """
        size = sum(padded(len(data)) + tarfile.BLOCKSIZE for data in (wave, roi, face) if data)
        if self._file is None or (self._file.tell() and self._file.tell() + size > self.limit):
            self._close()
            self._file = (self.folder / f"shard-{self._shards:05d}.tar").open("wb")
            self._shards += 1
        wave_offset = _member(self._file, f"{clip}.flac", wave)
        roi_offset = _member(self._file, f"{clip}.npy", roi) if roi else 0
        face_offset = _member(self._file, f"{clip}.png", face) if face else 0
        self._file.flush()
        entry = Entry(
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
        self._note(clip, key, entry.line)
        self.kept += 1

    def leave_out(self, clip: str, reason: str, detail: str, key: str = "") -> None:
        """Note a clip that cannot be prepared, for ``quarantine.tsv``."""
        self._note(clip, key, line_of((clip, reason, detail)))

    def left_out(self) -> Iterator[tuple[str, str, str]]:
        """(id, reason, detail) of the clips that were."""
        for line in self._noted():
            if not _entry_of(line):
                name, reason, detail = line.split("\t")
                yield name, reason, detail

    def finish(self, quarantined: Iterable[tuple[str, str, str]], about: dict[str, Any]) -> None:
        """Close the last shard and write the index, the quarantine list, and `about`.

        quarantined: (id, reason, detail) of files beside the clips that were left out.
        """
        self._close()
        write_table(self.folder / "quarantine.tsv", LEFT_OUT, sorted([*self.left_out(), *quarantined]))
        kept = (line.split("\t") for line in self._noted() if _entry_of(line))
        write_table(self.folder / "index.tsv", COLUMNS, kept)
        (self.folder / "clips.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        if self._own:
            self._path.unlink()

    def _note(self, clip: str, key: str, line: str) -> None:
        if clip <= self._last:
            raise ValueError(f"clip {clip!r} comes behind {self._last!r}; ids must ascend")
        self._last = clip
        self._journal.write(f"{key}\t{line}\n".encode())

    def _noted(self) -> Iterator[str]:
        with self._path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.removesuffix("\n").split("\t", 1)[1]

    def _close(self) -> None:
        if self._file is not None:
            self._file.write(bytes(2 * tarfile.BLOCKSIZE))
            self._file.write(bytes(-self._file.tell() % tarfile.RECORDSIZE))
            self._file.close()
            self._file = None


def _entry_of(line: str) -> Entry | None:
    """The clip of a journal's line without its key, None for one that was left out."""
    return Entry.of(line) if line.count("\t") == len(COLUMNS) - 1 else None


def _whole(folder: Path, entry: Entry) -> bool:
    """Whether the bytes of a clip are those that its line names."""
    digest = hashlib.sha256()
    with (folder / entry.shard).open("rb") as file:
        for offset, size in entry.parts:
            file.seek(offset)
            digest.update(file.read(size))
    return digest.hexdigest() == entry.sha256


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
    file.write(bytes(padded(len(data)) - len(data)))
    return offset
