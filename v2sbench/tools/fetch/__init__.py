"""Download of the openly licensed corpora: what their publishers give out, checked, unpacked, ready to be prepared.

    access.files -> chosen -> digests -> room on the disk -> [transfer -> check -> unpack] in threads -> scan

    ROOT/.fetch/NAME.part, NAME.origin   a transfer that is under way     (hidden: no scan looks there)
    ROOT/.fetch/NAME                     an archive, until it is unpacked; `keep` leaves it
    ROOT/.fetch/NAME.bad                 an archive whose bytes are not the published ones
    ROOT/.fetch/NAME.done                what came out of it: paths, one a line

Every step is safe to kill: the next run takes up what is there. An archive that somebody put there by hand is checked
like any other and not downloaded.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from v2sbench.corpora import Corpus, Scan, folder_of
from v2sbench.corpora.remote import Remote
from v2sbench.runtime import CheckError, UseError, atomic, choose, progress
from v2sbench.tools.fetch.archives import MARGIN, DamagedError, Unpacked, check, is_archive, place, unpack
from v2sbench.tools.fetch.digests import Published, differs, read_index
from v2sbench.tools.fetch.transfer import Web, download, say

__all__ = ["JOBS", "Report", "amount", "chosen", "fetch", "is_here"]

JOBS = 4
"""Downloads at a time, unless asked otherwise: publishers slow down who asks for more."""
DAMAGED = 3
"""Times that a file may come damaged before it is given up."""
GROWTH = 1.5
"""Bytes unpacked for each byte of an archive. # assumed: OMCEB's wavs are 10.7 GB and its zips 7.2; others grow less"""
STATE = ".fetch"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a fetch did."""

    root: Path
    """The corpus' folder."""
    fetched: tuple[str, ...]
    """Files that came now, by name."""
    present: tuple[str, ...]
    """Files that were there already, unpacked."""
    unverified: tuple[str, ...]
    """Files that came now and of which no digest is published: their length and own check sums are all that was held
    against them.
    """
    damaged: tuple[str, ...]
    """Files that came damaged, and good when asked for again."""
    kept: tuple[str, ...]
    """Paths where something else lay than what came, and was left as it was."""
    scan: Scan
    """What the folder holds now."""


def chosen(item: Corpus, *, parts: Sequence[str] = (), speakers: Sequence[str] = ()) -> list[Remote]:
    """The files of a corpus that are asked for; all of them without `parts` and `speakers`.

    speakers: theirs, and what belongs to everybody. UseError for a name that there is not, or for speakers where the
    archives are not cut by them, or for a corpus that is not given out so.
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
            raise UseError(
                f"the archives of {item.name} are not cut by speaker; give --parts instead "
                f"({', '.join(file.part for file in files)})"
            )
        wanted = [choose("speaker", speaker, known) for speaker in dict.fromkeys(speakers)]
        return [*wanted, *(file for file in files if not file.speaker)]
    return list(files)


def fetch(
    item: Corpus,
    root: Path | str | None = None,
    *,
    parts: Sequence[str] = (),
    speakers: Sequence[str] = (),
    jobs: int | None = None,
    keep: bool = False,
) -> Report:
    """Bring what is asked for into the folder of a corpus (`folder_of`), and scan it.

    jobs: downloads at a time. keep: leave the archives in ROOT/.fetch.
    Raises UseError when a file cannot be had or there is no room for all of them, CheckError when a file's bytes are
    not the published ones; both after the other files were brought. What came stays, so that the same call goes on.
    """
    remotes = chosen(item, parts=parts, speakers=speakers)
    if jobs is not None and jobs < 1:
        raise UseError(f"jobs must be at least 1, not {jobs}")
    folder = folder_of(item, root)
    state = folder / STATE
    state.mkdir(parents=True, exist_ok=True)
    with _alone(state):
        todo = [remote for remote in remotes if not is_here(remote, folder)]
        stop = threading.Event()
        with Web(stop=stop) as web:
            items = _published(todo, web)
        jobs = min(jobs or JOBS, len(items))
        _need_room(items, state, jobs, keep=keep)
        brought = _bring_all(items, state, folder, jobs, stop, keep=keep) if items else {}
    return Report(
        root=folder,
        fetched=tuple(item.remote.name for item in items),
        present=tuple(remote.name for remote in remotes if remote not in todo),
        unverified=tuple(item.remote.name for item in items if not item.published.digest),
        damaged=tuple(name for name, one in brought.items() if one.damaged),
        kept=tuple(path for one in brought.values() for path in one.kept),
        scan=item.scan(folder),
    )


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Hold the folder for one process; the lock ends with it, however it ends. A file system may know no locks."""
    import fcntl

    with open(state / "lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UseError(f"another fetch is at work in {state.parent}; wait for it to end") from error
        except OSError:
            say(f"{state.parent} is on a file system without locks: let no other fetch work there")
        yield


# ---------------------------------------------------------------- what there is to do


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One file to bring."""

    remote: Remote
    published: Published
    size: int | None
    """Bytes to expect, for the bar and the room: published, else the server's word, else unknown."""


def is_here(remote: Remote, folder: Path) -> bool:
    """Whether all that came out of a file is in the corpus' folder; what was done to it since is not looked at."""
    try:
        paths = (folder / STATE / f"{remote.name}.done").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return bool(paths) and all((folder / path).exists() for path in paths)


def _published(remotes: Sequence[Remote], web: Web) -> list[_Item]:
    """What is to be expected of each file. Written down here, else in its publisher's list, which is read now."""
    indexes: dict[str, dict[str, Published]] = {}
    items: list[_Item] = []
    for remote in remotes:
        said = Published(size=remote.size, digest=remote.digest)
        if remote.index and not remote.digest:
            if remote.index not in indexes:
                try:
                    indexes[remote.index] = read_index(web.text(remote.index), remote.index)
                except UseError as error:
                    raise UseError(f"the publisher's list of digests cannot be had: {error}") from error
            listed = indexes[remote.index].get(remote.name)
            if listed is None:
                raise UseError(
                    f"{remote.name} is not in its publisher's list {remote.index}: it was renamed or withdrawn"
                )
            said = Published(size=listed.size or remote.size, digest=listed.digest)
        size = web.size(remote.url) if said.size is None else said.size
        items.append(_Item(remote=remote, published=said, size=size))
    return items


def _need_room(items: Sequence[_Item], state: Path, jobs: int, *, keep: bool) -> None:
    """UseError when the disk cannot take what is to come: unpacked, with the archives that lie there at one time."""
    sizes = [item.size or 0 for item in items]
    archives = [size for item, size in zip(items, sizes, strict=True) if is_archive(Path(item.remote.name))]
    held = sum(archives) if keep else sum(sorted(archives)[-jobs:])
    here = sum(_here(state, item.remote) for item in items)
    need = int(sum(sizes) + (GROWTH - 1) * sum(archives)) + held - here + MARGIN
    free = shutil.disk_usage(state).free
    if items and free < need:
        raise UseError(
            f"not enough room in {state.parent}: {amount(free)} free, about {amount(need)} needed for {len(items)} "
            f"files and what is in them; give another --root, or fewer --parts or --speakers"
        )


def _here(state: Path, remote: Remote) -> int:
    """Bytes of a file that were transferred already."""
    paths = (state / remote.name, state / f"{remote.name}.part")
    return max(path.stat().st_size if path.exists() else 0 for path in paths)


def amount(size: int) -> str:
    """Bytes for the eye: ``1.2 GiB``."""
    rest = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if rest < 1024:
            return f"{rest:.4g} {unit}"
        rest /= 1024
    return f"{rest:.1f} GiB"


# ---------------------------------------------------------------- doing it


@dataclass(frozen=True, kw_only=True)
class _Brought:
    """How bringing a file went."""

    damaged: bool
    kept: tuple[str, ...]


def _bring_all(
    items: Sequence[_Item], state: Path, folder: Path, jobs: int, stop: threading.Event, *, keep: bool
) -> dict[str, _Brought]:
    """Bring the files, `jobs` at a time, and tell how it went, by name. Raises what `fetch` says."""
    lock = threading.Lock()
    failed: dict[str, UseError | CheckError] = {}
    brought: dict[str, _Brought] = {}
    total = sum(item.size or 0 for item in items)
    here = sum(_here(state, item.remote) for item in items)
    with progress(total=total or None, desc="fetch", initial=here, unit="B") as bar:

        def advance(size: int) -> None:
            with lock:
                bar.update(size)

        work = partial(_bring, state=state, folder=folder, advance=advance, keep=keep)
        for item, outcome in _in_threads(work, items, jobs, stop):
            if isinstance(outcome, UseError | CheckError):
                failed[item.remote.name] = outcome
            else:
                brought[item.remote.name] = outcome
    if failed:
        kind = CheckError if any(isinstance(error, CheckError) for error in failed.values()) else UseError
        told = "; ".join(f"{name}: {error}" for name, error in failed.items())
        count = f"{len(failed)} of {len(items)} files" if len(items) > 1 else "the file"
        raise kind(f"{count} could not be had: {told}; to go on, run the same command again")
    return brought


def _in_threads(
    work: Callable[[_Item, Web], _Brought], items: Sequence[_Item], jobs: int, stop: threading.Event
) -> Iterator[tuple[_Item, _Brought | UseError | CheckError]]:
    """Each item with what `work` returns or refuses, as they come; any other exception stops all and is raised.

    The threads are daemons: an interrupt does not wait for a server, since whatever they leave can be gone on with.
    """
    todo: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[_Item, _Brought | BaseException]] = queue.SimpleQueue()
    for item in items:
        todo.put(item)

    def run() -> None:
        with Web(stop=stop) as web:
            while not stop.is_set():
                try:
                    item = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    done.put((item, work(item, web)))
                except BaseException as error:
                    done.put((item, error))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        for _ in items:
            item, outcome = done.get()
            if isinstance(outcome, BaseException) and not isinstance(outcome, UseError | CheckError):
                raise outcome
            yield item, outcome
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=1)


def _bring(item: _Item, web: Web, *, state: Path, folder: Path, advance: Callable[[int], None], keep: bool) -> _Brought:
    """Transfer, check and unpack one file."""
    name = item.remote.name
    archive, part, bad = (state / f"{name}{suffix}" for suffix in ("", ".part", ".bad"))
    faults: list[str] = []
    while True:
        if not archive.exists():
            download(web, item.remote.url, part, size=item.published.size, advance=advance)
            os.replace(part, archive)
        size = archive.stat().st_size
        fault = _fault(archive, size, item.published, web)
        if not fault:
            break
        faults.append(fault)
        advance(-size)
        os.replace(archive, bad)
        if len(faults) == DAMAGED:
            raise CheckError(f"came damaged {DAMAGED} times, the last copy is {bad}: {fault}")
    into = folder / item.remote.into
    if is_archive(archive):
        say(f"{name}: {amount(size)} came and are good; unpacking")
        try:
            found = unpack(archive, into, web.pause)
        except DamagedError as error:
            raise CheckError(f"{error}, though its bytes are the published ones: tell its publisher") from error
    else:
        with open(archive, "rb") as content:
            found = Unpacked(paths=(name,), kept=() if place(content, size, into / name, name) else (name,))
    with atomic(state / f"{name}.done") as draft:
        draft.write_text("".join(f"{Path(item.remote.into, path)}\n" for path in found.paths), encoding="utf-8")
    for leftover in (part.with_suffix(".origin"), bad, *(() if keep else (archive,))):
        leftover.unlink(missing_ok=True)
    return _Brought(damaged=bool(faults), kept=tuple(str(into / path) for path in found.kept))


def _fault(archive: Path, size: int, published: Published, web: Web) -> str:
    """What is wrong with a file that came; empty when nothing is."""
    if published.size is not None and size != published.size:
        return f"{size} bytes, published are {published.size}"
    if published.digest:
        return differs(archive, published.digest, web.pause)
    try:
        if is_archive(archive):
            check(archive, web.pause)
    except DamagedError as error:
        return str(error)
    return ""
