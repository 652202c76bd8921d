"""Worker processes for short tasks: all results once, in bounded memory, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from v2sbench.runtime import CheckError, parallel, pool
from v2sbench.runtime.pool import FEW, LOOKAHEAD, unordered


def square(value):
    if value == "bad":
        raise ValueError("no number")
    return value * value, os.getpid()


def die(value):
    if value == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.fixture(params=["fork", "loky"])
def kind(request, monkeypatch):
    """Both ways to start workers."""
    if request.param == "loky":
        monkeypatch.setattr(pool.sys, "platform", "darwin")
    elif "torch" in sys.modules:
        monkeypatch.delitem(sys.modules, "torch")  # loaded by other tests; no thread of it is at work here
    return request.param


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 50])
def test_every_result_once(jobs, count):
    found = [value for value, _ in unordered(square, range(count), jobs=jobs)]
    assert sorted(found) == [value**2 for value in range(count)]


def test_workers_are_other_processes(kind):
    pids = {pid for _, pid in unordered(square, range(40), jobs=2)}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


def test_the_pool_and_ordered_work_take_turns_in_one_process(monkeypatch):
    monkeypatch.setattr(pool.sys, "platform", "darwin")  # loky's, which joblib's own calls take up
    for _ in range(2):
        assert sorted(value for value, _ in unordered(square, range(20), jobs=2)) == [k * k for k in range(20)]
        assert list(parallel(abs, range(-20, 0), jobs=2)) == [*range(20, 0, -1)]


def test_few_items_start_no_worker():
    assert {pid for _, pid in unordered(square, range(FEW), jobs=2)} == {os.getpid()}


def test_what_a_task_raises_is_raised_here(kind):
    with pytest.raises(ValueError, match="no number"):
        list(unordered(square, [*range(FEW), "bad", 9], jobs=2))


def test_a_killed_worker_is_said(kind):
    with pytest.raises(CheckError, match="a worker was killed"):
        list(unordered(die, range(20), jobs=2))


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for value in range(1_000):
            taken.append(value)
            yield value

    results = unordered(square, items(), jobs=2)
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + 4 * LOOKAHEAD
    results.close()


PROGRAM = """
import os, sys, time
from v2sbench.pool import unordered
def slow(value):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once, not to be torn by the other worker
    time.sleep(60)
list(unordered(slow, range(20), jobs=2))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_their_parent(how):
    run = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    workers = [int(run.stdout.readline()) for _ in range(2)]
    run.send_signal(how)
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(_alive(pid) for pid in workers):
        time.sleep(0.01)
    assert not any(_alive(pid) for pid in workers)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as handle:
            return handle.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
