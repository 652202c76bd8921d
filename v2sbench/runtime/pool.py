"""Short tasks in worker processes, their results as they come: a pool that is there in milliseconds.

    items --at most LOOKAHEAD a worker--> [worker, worker, ...] --> results in the order in which they end

On Linux the workers are forks: all that this process imported is theirs at once, which saves each of them a second. A
fork has the locks of threads that it has not, so where PyTorch is loaded, whose threads work behind the back, and on
other systems, joblib's loky starts them from nothing. Either way they die with this process, also when it is killed.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar, cast

from v2sbench.runtime.errors import CheckError
from v2sbench.runtime.workers import worker_count

T = TypeVar("T")
R = TypeVar("R")


FEW = 4
"""Items that are not worth starting workers for."""
LOOKAHEAD = 8
"""Items a worker that are under way or done and not yet taken: what is held does not grow with the number of items."""
_DIE_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG."""


def unordered(function: Callable[[T], R], items: Iterable[T], *, jobs: int | None = None) -> Generator[R, None, None]:
    """Yield `function(item)` of each item, in the order in which they end; one after the other where `jobs` is 1.

    What `function` raises is raised here. CheckError when a worker was killed. A worker may be of an earlier call, from
    another folder: give it absolute paths.
    """
    count, todo = worker_count(jobs), iter(items)
    first = list(islice(todo, FEW + 1))
    if count == 1 or len(first) <= FEW:
        yield from map(function, first)
        yield from map(function, todo)
        return
    executor = _executor(count)
    waiting: set[Future[R]] = set()
    try:
        waiting |= {executor.submit(function, item) for item in first}
        while waiting:
            room = LOOKAHEAD * count - len(waiting)
            waiting |= {executor.submit(function, item) for item in islice(todo, room)}
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    except BrokenProcessPool:
        raise CheckError(
            "a worker was killed, perhaps for want of memory; what was done is kept: run again, with fewer --jobs"
        ) from None
    finally:
        for future in waiting:
            future.cancel()
        if isinstance(executor, ProcessPoolExecutor):
            executor.shutdown()


def _executor(count: int) -> Executor:
    if sys.platform == "linux" and "torch" not in sys.modules:
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(count, mp_context=context, initializer=_start, initargs=(os.getpid(),))
    from joblib.executor import get_memmapping_executor  # the one pool that joblib's own calls take up, too

    return cast(Executor, get_memmapping_executor(count))  # it has no types, and stays for the next call


def _start(parent: int) -> None:
    """In a forked worker: Ctrl-C is the parent's business, and a parent that is gone ends the worker too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before
        os._exit(1)
