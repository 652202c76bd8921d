"""Writing prepared clips: shards and their index, clip by clip, in a draft that outlives a kill.

    .NAME.partial/   beside the folder NAME while it is made: the draft, a lock, and the journal of what is in the draft
    .NAME.done       beside it: a receipt of what it was made from, and what it holds

The journal has a line for each clip, appended when the clip's bytes are in the shard. What a killed run has left is cut
back to the last whole clip and continued; the files come out as if nothing had happened. Neither draft nor receipt lies
inside the folder, whose bytes depend on its contents alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import cv2

from v2sbench.clips.store import COLUMNS, Entry, UInt8, line_of, write_table
from v2sbench.runtime import UseError, atomic, sha256_file

SHARD_BYTES = 1 << 30  # a shard is closed before the clip that would make it longer
LEFT_OUT = ("id", "reason", "detail")  # columns of quarantine.tsv
JOURNAL = "journal.tsv"
KINDS = ("flac", "npy", "png")  # suffixes of a clip's members, in the order of `Entry.parts`


def encode_still(still: UInt8) -> bytes:
    """(H, W) uint8 -> PNG bytes, always the same; .7 ms (a JPEG of half the size would tie them to its decoder)."""
    done, data = cv2.imencode(".png", still, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return bytes(data)


class _Shard:
    """A zip file that is being written: members stored as they are, without times or owners."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self.size = 0

    def add(self, name: str, data: bytes) -> int:
        """Append a member; returns the offset of its first byte."""
        self._zip.writestr(zipfile.ZipInfo(name), data)
        self._file.flush()
        self.size = self._file.tell()
        return self.size - len(data)

    def close(self) -> None:
        """Write the table of contents."""
        self._zip.close()
        self._file.close()


class ShardWriter:
    """Writes clips, one at a time and by ascending id, into the shards of a folder, and their index.

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
        self._shard: _Shard | None = None
        self._shards = 0
        self._last = ""

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        self._close()

    def resume(self, clips: Iterable[tuple[str, str]]) -> int:
        """Take over what a killed run has left of `clips`, the (id, key) of all in order; returns how many they are.

        key: what the writer of a clip gave as such; a clip of another key, and all behind it, is cut off and has to be
        written again, as is one whose bytes did not reach the disk.
        """
        count, place, last = 0, 0, None
        sizes = {path.name: path.stat().st_size for path in self.folder.glob("shard-*")}
        with self._path.open("rb") as file:
            for (name, key), line in zip(clips, file, strict=False):
                cells = line.decode(errors="replace").removesuffix("\n").split("\t", 1)
                if not line.endswith(b"\n") or cells[0] != key or cells[1].split("\t", 1)[0] != name:
                    break
                if entry := _entry_of(cells[1]):
                    if max(map(sum, entry.parts)) > sizes.get(entry.shard, 0):
                        break
                    last, self.kept = entry, self.kept + 1
                count, place, self._last = count + 1, place + len(line), name
        if last is not None and not _whole(self.folder, last):
            count, place, last, self.kept, self._last = 0, 0, None, 0, ""
        self._journal.truncate(place)
        for name in sizes:
            if last is None or name > last.shard:
                (self.folder / name).unlink()
        if last is not None:
            self._shards = int(last.shard[6:11]) + 1
            self._continue(last.shard)
        return count

    def _continue(self, name: str) -> None:
        """Copy the clips that the journal has of the last shard to a new file in its place, which may be written on."""
        old, new = self.folder / name, self.folder / "shard-new.zip"
        self._shard = _Shard(new)
        with old.open("rb") as file:
            for entry in filter(None, map(_entry_of, self._noted())):
                for kind, (offset, size) in zip(KINDS, entry.parts, strict=True):
                    if entry.shard == name and size:
                        file.seek(offset)
                        self._shard.add(f"{entry.id}.{kind}", file.read(size))
        os.replace(new, old)

    def add(
        self, clip: str, speaker: str, text: str | None, frames: int, wave: bytes, roi: bytes, damage: str,
        face: bytes = b"", key: str = "",
    ) -> None:  # fmt: skip
        """Append one clip: its FLAC bytes and, or empty, its NPY bytes and the PNG bytes of its still.

        key: names all that the bytes depend on, for `resume`. ValueError when the id is not behind the last one's.
        """
        parts = (wave, roi, face)
        if self._shard is None or (self._shard.size and self._shard.size + sum(map(len, parts)) > self.limit):
            self._close()
            self._shard = _Shard(self.folder / f"shard-{self._shards:05d}.zip")
            self._shards += 1
        offsets = [
            self._shard.add(f"{clip}.{kind}", data) if data else 0 for kind, data in zip(KINDS, parts, strict=True)
        ]
        entry = Entry(
            id=clip, speaker=speaker, text=text, frames=frames, shard=f"shard-{self._shards - 1:05d}.zip",
            wave_offset=offsets[0], wave_size=len(wave), roi_offset=offsets[1], roi_size=len(roi),
            face_offset=offsets[2], face_size=len(face), sha256=hashlib.sha256(b"".join(parts)).hexdigest(),
            damage=damage,
        )  # fmt: skip
        self._note(clip, key, entry.line)
        self.kept += 1

    def leave_out(self, clip: str, reason: str, detail: str, key: str = "") -> None:
        """Note a clip that cannot be prepared, for ``quarantine.tsv``."""
        self._note(clip, key, line_of((clip, reason, detail)))

    def left_out(self) -> Iterator[tuple[str, str, str]]:
        """(id, reason, detail) of the clips that were left out."""
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
        """The lines of the journal, without their keys."""
        with self._path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.removesuffix("\n").split("\t", 1)[1]

    def _close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None


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


@dataclass(frozen=True)
class Draft:
    """Where the folder `out` is made before it is moved to its place."""

    out: Path

    @property
    def holder(self) -> Path:
        """``.NAME.partial``."""
        return self.out.parent / f".{self.out.name}.partial"

    @property
    def folder(self) -> Path:
        """The folder as far as it is made."""
        return self.holder / self.out.name

    @property
    def journal(self) -> Path:
        """The journal of its clips."""
        return self.holder / JOURNAL

    def done(self) -> int:
        """Number of whole lines in the journal."""
        with self.journal.open("rb") as file:
            return sum(line.endswith(b"\n") for line in file)

    def publish(self, made_from: str) -> None:
        """Move the folder to its place, with a receipt; what lay there is replaced. It is whole or as it was, always.

        made_from: names all inputs, for `is_made`.
        """
        with atomic(receipt_of(self.out)) as receipt:
            receipt.write_text(json.dumps({"made_from": made_from, **_holds(self.folder)}) + "\n", encoding="utf-8")
        if self.out.is_dir():
            shutil.rmtree(self.holder / "replaced", ignore_errors=True)  # of a run killed at this very place
            os.replace(self.out, self.holder / "replaced")
        os.replace(self.folder, self.out)
        self.discard()

    def discard(self) -> None:
        """Remove the draft."""
        shutil.rmtree(self.holder, ignore_errors=True)


@contextlib.contextmanager
def draft_of(out: Path, *, fresh: bool = False) -> Iterator[Draft]:
    """The draft of the folder `out`, as an earlier run left it, else empty; it stays until published or discarded.

    fresh: begin anew. UseError while another process works on it.
    """
    draft = Draft(out)
    draft.holder.mkdir(parents=True, exist_ok=True)
    with (draft.holder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UseError(f"another `v2sbench prepare` is at work on {out}; wait for it, or end it") from error
        if fresh:
            shutil.rmtree(draft.folder, ignore_errors=True)
            draft.journal.unlink(missing_ok=True)
        draft.folder.mkdir(exist_ok=True)
        yield draft


def receipt_of(out: Path) -> Path:
    """The receipt's file."""
    return out.parent / f".{out.name}.done"


def is_made(out: Path, made_from: str) -> bool:
    """Whether `out` was published from these inputs and holds what it held then, by its index and all files' sizes."""
    try:
        receipt = json.loads(receipt_of(out).read_text(encoding="utf-8"))
        return bool(receipt == {"made_from": made_from, **_holds(out)})
    except (OSError, ValueError):
        return False


def _holds(folder: Path) -> dict[str, object]:
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return {"sizes": sizes, "index": sha256_file(folder / "index.tsv")}
