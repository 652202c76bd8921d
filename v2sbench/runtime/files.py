"""Files and folders that appear whole or not at all, tables of text, and digests."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from v2sbench.runtime.errors import UseError


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def below(folder: Path, *names: str) -> Path:
    """The place below `folder` that names of splits and systems make; UseError for a name that would lead out of it."""
    for name in names:
        if name in ("", ".", "..") or set("/\\\0") & set(name):
            raise UseError(f"{name!r} cannot be a name here: it would lead out of {folder}/; give one without slashes")
    return folder.joinpath(*names)


@contextlib.contextmanager
def atomic(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it there on success, remove it on failure.

    The body makes either a file or a folder at the yielded path. An existing target is replaced, and stays as it was
    when that fails. sync: have a file on the disk before it is moved, so that it also survives a loss of power.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_drafts(path.parent)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.{_owner(os.getpid())}", dir=path.parent))
    draft, old = holder / path.name, holder / f"{path.name}.old"
    try:
        yield draft
        if sync and draft.is_file():
            with open(draft, "rb+") as handle:
                os.fsync(handle.fileno())
        if draft.is_dir() and path.is_dir():
            os.replace(path, old)
        try:
            os.replace(draft, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _owner(process: int | str) -> str:
    """What the drafts of a process of this machine are called after."""
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
    return f"{machine}-{process}-"


@functools.cache
def _clear_drafts(folder: Path) -> None:
    """Remove what processes of this machine that were killed left in a folder; looked for once a process and folder."""
    for holder in folder.glob(f".*.{_owner('*')}*"):
        process = holder.name.rsplit("-", 2)[1]
        if process.isdigit() and not _runs(int(process)):
            for old in holder.glob("*.old"):
                target = folder / old.name.removesuffix(".old")
                if not target.exists():  # killed between the two moves of a folder
                    os.replace(old, target)
            shutil.rmtree(holder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows, the heading first, as CSV in UTF-8, with tabs where the name ends in .tsv; whole or not at all."""
    with atomic(path) as draft, open(draft, "w", encoding="utf-8", newline="") as handle:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        csv.writer(handle, delimiter=delimiter, lineterminator="\n").writerows(rows)
