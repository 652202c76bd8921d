"""Worker processes, loky's on this machine or those of a dask cluster, and the progress bar."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import signal
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from v2sbench.runtime.errors import CheckError, UseError

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")

FEW = 8
"""Items that are not worth starting workers for, which takes seconds."""
WINDOW = 16
"""Items a worker that are handed out together; two windows are under way, and no more results wait to be taken."""
PARENT_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""
CONNECT_SECONDS = 10
"""How long a cluster's scheduler may take to answer."""


def worker_count(n: int | None = None) -> int:
    """Worker processes to use: `n`, else `V2S_JOBS`, else the processors this process may run on."""
    if n is None:
        text = os.environ.get("V2S_JOBS", "")
        if text and not text.isdigit():
            raise UseError(f"V2S_JOBS={text!r} is not a number of processes; unset it or give e.g. V2S_JOBS=4")
        n = int(text) if text else len(os.sched_getaffinity(0))
    if n < 1:
        raise UseError(f"jobs must be at least 1, not {n}")
    return n


def progress(
    iterable: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    desc: str | None = None,
    initial: int = 0,
    unit: str = "it",
) -> tqdm[Any]:
    """The one progress bar of the suite: on stderr, with rate and time left; quiet under `V2S_QUIET=1`.

    unit: what is counted; "B", bytes, are shown as 1.2G.
    """
    from tqdm import tqdm

    return tqdm(
        iterable,
        total=total,
        desc=desc,
        initial=initial,
        disable=os.environ.get("V2S_QUIET") == "1",
        dynamic_ncols=True,
        mininterval=0.5 if sys.stderr.isatty() else 15.0,  # a log file gets a line now and then
        smoothing=0.05,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024,
    )


def parallel(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    jobs: int | None = None,
    desc: str | None = None,
    cluster: str | None = None,
    total: int | None = None,
    done: int = 0,
    ordered: bool = True,
    name: Callable[[T], str] = str,
) -> Generator[R]:
    """Yield `function(item)` for each item from worker processes, in the order of the items where `ordered`.

    Items are read and results kept no further ahead than two windows, so memory does not grow with their number.
    joblib carries it: loky workers on one machine (each with its share of the threads, one where jobs = processors),
    or those of a dask cluster. A worker may be an earlier call's, in another folder: give it absolute paths. With one
    job, or few items, it runs in this process. What `function` raises is raised here; CheckError when a worker of this
    machine was killed; it names the items under way.

    cluster: address of a dask scheduler, ``tcp://host:8786``, by default `V2S_CLUSTER`; its workers see the same files
    at the same paths. `jobs` then has no say.
    total, done: for the progress bar, items in all and those that came before `items`.
    name: what an item is called when a worker was killed at it, such as its clip's id.
    """
    if desc:
        if total is None and isinstance(items, Sized):
            total = len(items)
        with progress(total=total, initial=done, desc=desc) as bar:
            for result in parallel(function, items, jobs=jobs, cluster=cluster, ordered=ordered, name=name):
                bar.update()
                yield result
        return
    if cluster := cluster or os.environ.get("V2S_CLUSTER"):
        with _dask(cluster) as workers:
            yield from _windows(function, iter(items), workers, "dask", ordered)
        return
    count, todo = worker_count(jobs), iter(items)
    first = list(itertools.islice(todo, FEW + 1)) if count > 1 else []
    if len(first) <= FEW:
        yield from map(function, itertools.chain(first, todo))
        return
    with tempfile.TemporaryDirectory(prefix="v2sbench-", ignore_cleanup_errors=True) as place:
        leashed = functools.partial(_leashed, function, os.getpid(), place)
        named = ((name(item), item) for item in itertools.chain(first, todo))
        try:
            yield from _windows(leashed, named, count, "loky", ordered)
        except BrokenProcessPool:
            notes = (path.read_text(encoding="utf-8", errors="replace")[:80] for path in Path(place).iterdir())
            at = " or ".join(sorted(filter(None, notes))) or "its start"
            raise CheckError(
                f"a worker was killed at {at}, perhaps for want of memory; "
                "what was done is kept: run again, with fewer --jobs"
            ) from None


def _leashed(function: Callable[[T], R], owner: int, place: str, named: tuple[str, T]) -> R:
    """`function(item)` in a worker of loky's that from its first call on dies with its owner.

    place: folder where each worker notes what it is at.
    """
    _die_with(owner)
    note = Path(place, str(os.getpid()))
    note.write_text(named[0], encoding="utf-8", errors="replace")
    result = function(named[1])
    note.write_text("")
    return result


@functools.cache
def _die_with(owner: int) -> None:
    """Have Linux end this process when the one that started it, `owner`, has ended, also when it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != owner:  # it has ended already
            os._exit(1)


def _windows(function: Callable[[T], R], items: Iterator[T], workers: int, backend: str, ordered: bool) -> Generator[R]:
    """Two windows of items at a time are with the workers, so that none of them waits for a window's last item."""
    import joblib

    running: deque[Generator[R]] = deque()
    try:
        while True:
            while len(running) < 2 and (window := list(itertools.islice(items, WINDOW * workers))):
                with joblib.parallel_config(backend=backend, n_jobs=workers):  # dask's registers itself by this
                    order = "generator" if ordered else "generator_unordered"
                    # with more tasks than loky's queue holds, a thread of it ends in a traceback when they are given up
                    pool = joblib.Parallel(return_as=order, pre_dispatch=workers)
                running.append(pool(joblib.delayed(function)(item) for item in window))
            if not running:
                return
            for result in running[0]:  # noqa: UP028 - so that closing is done below
                yield result
            running.popleft()
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # joblib tells of tasks that were given up; so it should be
            for results in running:
                results.close()


@contextlib.contextmanager
def _dask(address: str) -> Iterator[int]:
    """Make the cluster at an address joblib's; yields the number of its threads. UseError when it does not answer."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UseError("a cluster needs dask: pip install 'v2sbench[cluster]'") from error
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=True)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UseError(f"no dask scheduler answers at {address} ({error}); start one: dask scheduler") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise UseError(f"the dask cluster at {address} has no workers; start some: dask worker {address}")
        yield threads
