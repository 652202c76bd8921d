"""Worker processes and the progress bar."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from v2sbench.runtime.errors import UseError

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")


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


@overload
def progress(
    iterable: Iterable[T], *, total: int | None = None, desc: str | None = None, initial: int = 0, unit: str = "it"
) -> tqdm[T]: ...
@overload
def progress(
    iterable: None = None, *, total: int | None = None, desc: str | None = None, initial: int = 0, unit: str = "it"
) -> tqdm[Any]: ...
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

    quiet = os.environ.get("V2S_QUIET") == "1"
    interval = 0.5 if sys.stderr.isatty() else 15.0  # a log file gets a line now and then
    return tqdm(
        iterable, total=total, desc=desc, initial=initial, disable=quiet, dynamic_ncols=True, mininterval=interval,
        smoothing=0.05, unit=unit, unit_scale=unit == "B", unit_divisor=1024,
    )  # fmt: skip


FEW = 8
"""Items that are not worth starting workers for, which takes seconds."""
WINDOW = 16
"""Items a worker that are handed out together; two windows are under way, and no more results wait to be taken."""
PARENT_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""
CONNECT_SECONDS = 10
"""How long a cluster's scheduler may take to answer."""


def parallel(
    function: Callable[[T], R], items: Iterable[T], *, jobs: int | None = None, desc: str | None = None,
    cluster: str | None = None, total: int | None = None, done: int = 0,
) -> Iterator[R]:  # fmt: skip
    """Yield `function(item)` for each item, in order, from worker processes.

    Items are read and results kept no further ahead than two windows, so memory does not grow with their number.
    joblib carries it: loky workers on one machine (each with its share of the threads, one where jobs = processors),
    or those of a dask cluster. With one job it runs in this process. A worker's exception is raised here.

    cluster: address of a dask scheduler, ``tcp://host:8786``, by default `V2S_CLUSTER`; its workers see the same files
    at the same paths. `jobs` then has no say.
    total, done: for the progress bar, items in all and those that came before `items`.
    """
    if desc:
        if total is None and isinstance(items, Sized):
            total = len(items)
        with progress(total=total, initial=done, desc=desc) as bar:
            for result in parallel(function, items, jobs=jobs, cluster=cluster):
                bar.update()
                yield result
        return
    cluster = cluster or os.environ.get("V2S_CLUSTER") or None
    count = 0 if cluster else worker_count(jobs)
    todo = iter(items)
    first = list(itertools.islice(todo, FEW + 1)) if count > 1 else []
    if count and len(first) <= FEW:
        yield from map(function, itertools.chain(first, todo))
        return
    if cluster:
        with _dask(cluster) as workers:
            yield from _windows(function, todo, workers, "dask")
    else:
        yield from _windows(_Leashed(function), itertools.chain(first, todo), count, "loky")


class _Leashed(Generic[T, R]):
    """A function for loky's workers, which from the first call on die with this process, also when it is killed."""

    def __init__(self, function: Callable[[T], R]) -> None:
        self.function, self.owner = function, os.getpid()

    def __call__(self, item: T) -> R:
        _die_with(self.owner)
        return self.function(item)


@functools.cache
def _die_with(owner: int) -> None:
    """Have Linux end this process when the one that started it, `owner`, has ended; elsewhere it waits to be idle."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != owner:  # it has ended already
            os._exit(1)


def _windows(function: Callable[[T], R], items: Iterator[T], workers: int, backend: str) -> Iterator[R]:
    """Two windows of items at a time are with the workers, so that none of them waits for a window's last item."""
    import joblib

    running: deque[Generator[R]] = deque()
    try:
        while True:
            while len(running) < 2 and (window := list(itertools.islice(items, WINDOW * workers))):
                with joblib.parallel_config(backend=backend, n_jobs=workers):  # dask's registers itself by this
                    pool = joblib.Parallel(return_as="generator")
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
    """Make the cluster at an address joblib's; yields the number of its threads.  UseError when it is not to be had."""
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
