"""Unpacking what came from elsewhere: only plain files, only below one folder, and never over what is there.

Each member is written beside its place and moved there when it is whole, so that an unpacking may be killed at any
moment and run again. What lies there already is kept, and told of where its bytes are others.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO

from v2sbench.corpora.folder import LEFTOVERS
from v2sbench.runtime import UseError

MARGIN = 256 << 20
"""Bytes of the disk that are left free."""
_CHUNK = 1 << 20
_SUFFIXES = (".zip", ".tar.gz", ".tgz")


_MOVING = Lock()
"""Held for the moment in which a file gets its name: archives of one corpus may hold the same notes."""


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive."""

    paths: tuple[str, ...]
    """Its files, relative to the folder."""
    kept: tuple[str, ...]
    """Those in whose place lay others, which were kept."""


class DamagedError(Exception):
    """The archive is not what its publisher packed: cut short, or with bytes that its own check sums refuse."""


@dataclass(frozen=True)
class _Member:
    """One plain file of an archive, readable until the next one is asked for."""

    path: PurePosixPath
    size: int
    content: IO[bytes]


def is_archive(path: Path) -> bool:
    """Whether a file of that name is to be unpacked."""
    return path.name.lower().endswith(_SUFFIXES)


def check(archive: Path, pause: Callable[[], None] = lambda: None) -> None:
    """Read an archive to its end, so that its own check sums are compared. DamagedError when they do not agree.

    For archives of which no digest is published; of the others this would say nothing new. pause: called between reads.
    """
    with _faults(archive):
        if _is_zip(archive):
            for member in _members(archive):
                while member.content.read(_CHUNK):
                    pause()
        else:
            with gzip.open(archive) as handle:
                while handle.read(_CHUNK):
                    pause()


def unpack(archive: Path, folder: Path, pause: Callable[[], None] = lambda: None) -> Unpacked:
    """Put the files of a .zip or .tar.gz below `folder`.

    Leftovers of archive programs and hidden files are left out: every scan passes over them. pause: called between
    files. Raises DamagedError; UseError for a member that would leave the folder, that is a link or a device or is
    encrypted, or for which the disk has no room.
    """
    paths: list[str] = []
    kept: list[str] = []
    with _faults(archive):
        for member in _members(archive):
            pause()
            if any(part.startswith(".") or part in LEFTOVERS for part in member.path.parts):
                continue
            paths.append(str(member.path))
            if not place(member.content, member.size, folder / member.path, archive.name):
                kept.append(str(member.path))
    if not paths:
        raise DamagedError(f"{archive.name} has no file in it")
    return Unpacked(paths=tuple(paths), kept=tuple(kept))


@contextmanager
def _faults(archive: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DamagedError(f"{archive.name} cannot be unpacked: {error}") from error
    except NotImplementedError as error:  # what zipfile says of a compression it does not know
        raise UseError(f"{archive} cannot be unpacked here: {error}") from error


def _is_zip(archive: Path) -> bool:
    return archive.name.lower().endswith(".zip")


def _members(archive: Path) -> Iterator[_Member]:
    """The plain files of an archive, in its order. UseError for what is neither plain file nor folder."""
    if _is_zip(archive):
        with zipfile.ZipFile(archive) as bundle:
            for info in bundle.infolist():
                path = _path(info.filename.replace("\\", "/"), archive)  # as Windows packs them
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise UseError(f"{archive} was not unpacked: {path} in it is a link or a device")
                if info.flag_bits & 1:
                    raise UseError(f"{archive} was not unpacked: {path} in it is encrypted")
                if not info.is_dir():
                    with bundle.open(info) as content:
                        yield _Member(path, info.file_size, content)
        return
    with gzip.open(archive) as handle, tarfile.open(fileobj=handle, mode="r|", bufsize=_CHUNK) as bundle:
        while (entry := bundle.next()) is not None:
            path = _path(entry.name, archive)
            if not entry.isfile() and not entry.isdir():
                raise UseError(f"{archive} was not unpacked: {path} in it is a link or a device")
            if entry.isfile() and (plain := bundle.extractfile(entry)) is not None:
                yield _Member(path, entry.size, plain)
            bundle.members.clear()  # type: ignore[attr-defined]  # it keeps all of them, half a million in LibriTTS


def _path(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UseError(f"{archive} was not unpacked: {name!r} in it would lie outside of the folder")
    return path


def place(content: IO[bytes], size: int, target: Path, origin: str) -> bool:
    """Write a file to its place, whole or not at all; False when another one lies there, which is kept.

    content: `size` bytes. origin: the file's archive, for the name of the draft. Raises UseError.
    """
    if os.path.lexists(target):
        return _same(content, target, size)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UseError(f"{target.parent} is no folder: move it away, or give another --root") from error
    if shutil.disk_usage(target.parent).free < size + MARGIN:
        raise UseError(f"no room for {target} ({size} bytes); free some and run the same command again")
    draft = target.with_name(f".{target.name}.{origin}.part")
    with open(draft, "wb") as handle:
        shutil.copyfileobj(content, handle, _CHUNK)
    with _MOVING:
        if not os.path.lexists(target):
            os.replace(draft, target)
            return True
    with open(draft, "rb") as handle:  # another archive had it too, and was quicker
        same = _same(handle, target, size)
    draft.unlink()
    return same


def _same(content: IO[bytes], target: Path, size: int) -> bool:
    """Whether a file holds just these bytes."""
    if not target.is_file() or target.stat().st_size != size:
        return False
    with open(target, "rb") as handle:
        while chunk := content.read(_CHUNK):
            if handle.read(len(chunk)) != chunk:
                return False
    return True
