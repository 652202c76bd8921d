"""Downloads an openly licensed corpus: every file is brought, checked and unpacked, ready to be prepared.

    ROOT/.fetch/NAME.part    a download under way     (hidden: no scan looks there)
    ROOT/.fetch/NAME         an archive, until it is unpacked; `keep` leaves it
    ROOT/.fetch/NAME.bad     an archive with other bytes than the published ones
    ROOT/.fetch/NAME.done    the paths that came out of it, one a line

Every step may be killed: the next call goes on from what is there. An archive that somebody put into ROOT/.fetch by
hand is checked like any other and not downloaded.
"""

from __future__ import annotations

import errno
import fcntl
import filecmp
import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from v2sbench.corpora import Corpus, Remote, Scan, folder_of
from v2sbench.corpora.folder import LEFTOVERS
from v2sbench.runtime import CheckError, UseError, atomic, choose, progress
from v2sbench.tools.transfer import DamagedError, download, is_archive, say, size_of, unpack

JOBS = 4  # downloads at a time, unless asked otherwise: publishers slow down who asks for more
DAMAGED = 3  # times that a file may arrive damaged before it is given up
GROWTH = 1.5  # assumed: bytes unpacked per byte of an archive (OMCEB's zips: 10.7 GB from 7.2)
MARGIN = 256 << 20  # bytes of the disk that are left free
_LINE = re.compile(r"\\?([0-9a-f]{32}|[0-9a-f]{64})\s+\*?(.+)", re.IGNORECASE)  # as md5sum and sha256sum print
_PUBLISHING = threading.Lock()  # archives of one corpus may hold the same notes


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a fetch did. Files are given by name."""

    root: Path
    fetched: tuple[str, ...]
    present: tuple[str, ...]  # were there already, unpacked
    unverified: tuple[str, ...]  # fetched, without a published digest: only lengths and own check sums were compared
    damaged: tuple[str, ...]  # arrived damaged, and whole when fetched again
    kept: tuple[str, ...]  # paths where a file with other bytes lay already, which was left alone
    scan: Scan  # what the folder holds now


def chosen(item: Corpus, *, parts: Sequence[str] = (), speakers: Sequence[str] = ()) -> list[Remote]:
    """The files of a corpus that belong to some parts, or to some speakers (with those that belong to everybody).

    All files without either. UseError for an unknown name, for a corpus whose archives are not cut by speaker, and for
    one that cannot be downloaded.
    """
    files = item.access.files
    if not files:
        raise UseError(f"{item.name} cannot be downloaded by anybody; see: v2sbench fetch {item.name}")
    if parts:
        known = {file.part: file for file in files}
        return [choose("part", part, known) for part in dict.fromkeys(parts)]
    if speakers:
        known = {file.speaker: file for file in files if file.speaker}
        if not known:
            names = ", ".join(file.part for file in files)
            raise UseError(f"the archives of {item.name} are not cut by speaker; give --parts instead ({names})")
        wanted = [choose("speaker", speaker, known) for speaker in dict.fromkeys(speakers)]
        return [*wanted, *(file for file in files if not file.speaker)]
    return list(files)


def fetch(
    item: Corpus, root: Path | str | None = None, *, parts: Sequence[str] = (), speakers: Sequence[str] = (),
    jobs: int | None = None, keep: bool = False,
) -> Report:  # fmt: skip
    """Bring the chosen files into the folder of a corpus (`folder_of`), and scan it.

    jobs: downloads at a time. keep: leave the archives in ROOT/.fetch.
    Raises UseError when a file cannot be had or the disk has no room, CheckError when a file's bytes are not the
    published ones; both after the other files were brought. What arrived stays, so the same call goes on.
    """
    remotes = chosen(item, parts=parts, speakers=speakers)
    if jobs is not None and jobs < 1:
        raise UseError(f"jobs must be at least 1, not {jobs}")
    folder = folder_of(item, root)
    state = folder / ".fetch"
    state.mkdir(parents=True, exist_ok=True)
    with open(state / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UseError(f"another fetch is at work in {folder}; wait for it to end") from error
        except OSError:
            say(f"{folder} is on a file system without locks: let no other fetch work there")
        todo = _published([remote for remote in remotes if not is_here(remote, folder)], state)
        brought = _bring_all(todo, folder, min(jobs or JOBS, len(todo)), keep) if todo else []
    names = {remote.name for remote in todo}
    return Report(
        root=folder,
        fetched=tuple(remote.name for remote in todo),
        present=tuple(remote.name for remote in remotes if remote.name not in names),
        unverified=tuple(remote.name for remote in todo if not remote.digest),
        damaged=tuple(one.name for one in brought if one.damaged),
        kept=tuple(os.fsencode(path).decode("utf-8", "backslashreplace") for one in brought for path in one.kept),
        scan=item.scan(folder),
    )


def is_here(remote: Remote, folder: Path) -> bool:
    """Whether everything that came out of a file is in the corpus' folder; later changes are not looked at."""
    try:
        text = (folder / ".fetch" / f"{remote.name}.done").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return bool(text) and all((folder / path).exists() for path in text.split("\n")[:-1])


def amount(size: int) -> str:
    """Bytes for people: ``1.2 GiB``."""
    rest = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if rest < 1024:
            return f"{rest:.4g} {unit}"
        rest /= 1024
    return f"{rest:.1f} GiB"


def _published(remotes: Sequence[Remote], state: Path) -> list[Remote]:
    """The same files with size and digest as far as they are published: noted here, else in the publisher's list."""
    listed: dict[str, dict[str, tuple[int | None, str]]] = {}
    found = []
    for remote in remotes:
        if remote.index and not remote.digest:
            if remote.index not in listed:
                page = state / "index.part"
                page.unlink(missing_ok=True)
                try:
                    download(remote.index, page)
                except UseError as error:
                    raise UseError(f"the publisher's list of digests cannot be had: {error}") from error
                listed[remote.index] = read_index(page.read_text(encoding="utf-8", errors="replace"), remote.index)
                page.unlink()
            if remote.name not in listed[remote.index]:
                raise UseError(
                    f"{remote.name} is not in its publisher's list {remote.index}: it was renamed or withdrawn"
                )
            size, digest = listed[remote.index][remote.name]
            remote = replace(remote, size=size or remote.size, digest=digest)
        found.append(remote)
    return found


def read_index(text: str, url: str) -> dict[str, tuple[int | None, str]]:
    """File name -> (bytes or None, digest), from a record of Zenodo's interface or from lines as of ``md5sum``.

    UseError, which names `url`, when the text is neither.
    """
    found: dict[str, tuple[int | None, str]] = {}
    try:
        for entry in json.loads(text)["files"]:
            digest = str(entry["checksum"]).lower()
            found[str(entry["key"])] = int(entry["size"]), digest if ":" in digest else f"md5:{digest}"
    except (ValueError, TypeError, KeyError):
        for line in text.splitlines():
            if match := _LINE.fullmatch(line.strip()):
                kind = "md5" if len(match[1]) == 32 else "sha256"
                found[match[2].rsplit("/", 1)[-1]] = None, f"{kind}:{match[1].lower()}"
    if not found:
        raise UseError(f"{url} is no list of digests that could be read; is it another page by now?")
    return found


@dataclass(kw_only=True)
class _Brought:
    name: str
    error: UseError | CheckError | None = None
    damaged: bool = False
    kept: list[Path] = field(default_factory=list)


def _bring_all(remotes: Sequence[Remote], folder: Path, jobs: int, keep: bool) -> list[_Brought]:
    """Bring the files, `jobs` at a time. Raises what `fetch` says."""
    state, lock = folder / ".fetch", threading.Lock()
    sizes = [remote.size or size_of(remote.url) or 0 for remote in remotes]
    begun = [state / f"{remote.name}{end}" for remote in remotes for end in ("", ".part")]
    here = sum(path.stat().st_size for path in begun if path.exists())
    beside = sum(sizes) if keep else sum(sorted(sizes)[-jobs:])  # archives that lie there at one time
    need = int(GROWTH * sum(sizes)) + beside - here + MARGIN
    free = shutil.disk_usage(state).free
    if free < need:
        raise UseError(
            f"not enough room in {folder}: {amount(free)} free, about {amount(need)} needed for {len(remotes)} files "
            "and what is in them; give another --root, or fewer --parts or --speakers"
        )
    with progress(total=sum(sizes) or None, desc="fetch", initial=here, unit="B") as bar:

        def advance(count: int) -> None:
            with lock:
                bar.update(count)

        work = partial(_bring, folder=folder, advance=advance, keep=keep)
        with ThreadPool(jobs) as pool:  # its threads are daemons: an interrupt waits for no server
            brought = list(pool.imap_unordered(work, remotes))
    failed = [one for one in brought if one.error]
    if failed:
        kind = CheckError if any(isinstance(one.error, CheckError) for one in failed) else UseError
        told = "; ".join(f"{one.name}: {one.error}" for one in failed)
        count = f"{len(failed)} of {len(remotes)} files" if len(remotes) > 1 else "the file"
        raise kind(f"{count} could not be had: {told}; to go on, run the same command again")
    return brought


def _bring(remote: Remote, *, folder: Path, advance: Callable[[int], None], keep: bool) -> _Brought:
    """Bring one file; an error is returned, so that the other files do not suffer from it."""
    try:
        damaged, kept = _bring_one(remote, folder, advance, keep)
        return _Brought(name=remote.name, damaged=damaged, kept=kept)
    except (UseError, CheckError) as error:
        return _Brought(name=remote.name, error=error)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = f"the disk of {folder} is full" if full else f"{error.strerror or error}: {error.filename}"
        return _Brought(name=remote.name, error=UseError(reason))


def _bring_one(remote: Remote, folder: Path, advance: Callable[[int], None], keep: bool) -> tuple[bool, list[Path]]:
    """Download, check, unpack and publish one file: whether it arrived damaged at first, and the places left alone."""
    archive = folder / ".fetch" / remote.name
    part, bad, draft = (archive.with_name(f"{remote.name}{end}") for end in (".part", ".bad", ".draft"))
    for attempt in range(1, DAMAGED + 1):
        if not archive.exists():
            download(remote.url, part, size=remote.size, advance=advance)
            os.replace(part, archive)
        fault = _fault(archive, remote)
        if not fault:
            try:
                shutil.rmtree(draft, ignore_errors=True)
                if is_archive(remote.name):
                    unpack(archive, draft)
                else:
                    draft.mkdir()
                    os.replace(archive, draft / remote.name)
                break
            except DamagedError as error:
                fault = str(error)
                if remote.digest:
                    raise CheckError(f"{fault}, though its bytes are the published ones: tell its publisher") from error
        if attempt == DAMAGED:
            os.replace(archive, bad)
            raise CheckError(f"arrived damaged {DAMAGED} times, the last copy is {bad}: {fault}")
        advance(-archive.stat().st_size)
        archive.unlink()
    paths, kept = publish(draft, folder / remote.into)
    shutil.rmtree(draft)
    if not paths:
        raise CheckError(f"{remote.name} has no file in it")
    with atomic(archive.with_name(f"{remote.name}.done")) as done:
        lines = "".join(f"{Path(remote.into, path)}\n" for path in paths)
        done.write_text(lines, encoding="utf-8", errors="surrogateescape")
    bad.unlink(missing_ok=True)
    if not keep:
        archive.unlink(missing_ok=True)
    return attempt > 1, kept


def _fault(archive: Path, remote: Remote) -> str:
    """The difference between a file and what is published of it; empty when there is none."""
    size = archive.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"{size} bytes, published are {remote.size}"
    kind, _, digits = remote.digest.partition(":")
    if not digits:
        return ""
    with open(archive, "rb") as handle:
        here = hashlib.file_digest(handle, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    return "" if here == digits else f"{kind} {here}, published is {digits}"


def publish(draft: Path, folder: Path) -> tuple[list[str], list[Path]]:
    """Move the files below `draft` to the same places below `folder`, each as a whole and never over another file.

    Returns all paths, relative to `folder`, and the places where a file with other bytes was left alone. Hidden files
    and leftovers of archive programs stay behind: every scan passes over them. UseError where a file stands in the way.
    """
    paths: list[str] = []
    kept: list[Path] = []
    for where, folders, names in os.walk(draft):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFTOVERS)
        into = folder / Path(where).relative_to(draft)
        try:
            into.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise UseError(f"{into} is no folder: move it away, or give another --root") from error
        for name in sorted(name for name in names if not name.startswith(".")):
            source, target = Path(where, name), into / name
            with _PUBLISHING:
                if not os.path.lexists(target):
                    os.replace(source, target)
                elif not target.is_file() or not filecmp.cmp(source, target, shallow=False):
                    kept.append(target)
            paths.append(str(target.relative_to(folder)))
    return paths, kept
