"""Preparation by the workers of a dask cluster: two processes on this machine, the same bytes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from operator import mod

import pytest

from tests.miniatures import fake
from tests.prepared import digests
from v2sbench import cli
from v2sbench.corpora import corpus
from v2sbench.prepare.clips import prepare
from v2sbench.runtime import UseError, parallel, workers

distributed = pytest.importorskip("distributed", reason="needs the extra: pip install 'v2sbench[cluster]'")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two worker processes of one thread each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


def process_of(_: int) -> int:
    return os.getpid()


def remainder(value: int) -> int:
    return mod(100, value)


def test_two_processes_do_it_in_order(address, monkeypatch):
    monkeypatch.setenv("V2S_CLUSTER", address)
    found = list(parallel(process_of, range(80)))
    assert len(set(found)) == 2
    assert os.getpid() not in found
    assert list(parallel(remainder, range(1, 200))) == [100 % value for value in range(1, 200)]
    with pytest.raises(ZeroDivisionError):
        list(parallel(remainder, [*range(1, 50), 0]))


def test_the_bytes_are_those_of_one_machine(address, tmp_path):
    fake("vctk", tmp_path / "raw")
    one, other = tmp_path / "one", tmp_path / "cluster"
    prepare(corpus("vctk"), tmp_path / "raw", one, jobs=1)
    report = prepare(corpus("vctk"), tmp_path / "raw", other, cluster=address)
    assert report.kept > 1
    assert digests(one) == digests(other)


def test_no_scheduler_and_no_workers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 0.5)
    fake("vctk", tmp_path / "raw")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = ["prepare", "vctk", "--root", str(tmp_path / "raw"), "--out", str(tmp_path / "out")]
    assert cli.main([*command, "--cluster", nobody]) == 2
    assert f"no dask scheduler answers at {nobody}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with (
        distributed.LocalCluster(
            n_workers=0, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        pytest.raises(UseError, match="has no workers; start some: dask worker tcp"),
    ):
        list(parallel(process_of, range(20), cluster=cluster.scheduler_address))


def test_without_dask(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(UseError, match=r"pip install 'v2sbench\[cluster\]'"):
        list(parallel(process_of, range(20), cluster="tcp://127.0.0.1:1"))
