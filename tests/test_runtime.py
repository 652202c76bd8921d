"""Seeds, digests, files that appear whole, workers."""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.runtime import (
    CheckError,
    UseError,
    atomic,
    below,
    choose,
    device,
    environment,
    fold,
    parallel,
    rng,
    sha256_file,
    short_digest,
    unit,
    worker_count,
    write_csv,
)
from v2sbench.runtime.workers import FEW, WINDOW


def test_fold_is_fixed_for_ever() -> None:
    """Splits hang on these very numbers."""
    assert fold(1, "grid", "s1/bbaf2n") == int(hashlib.sha256(b"1\x1fgrid\x1fs1/bbaf2n").hexdigest()[:16], 16) >> 1


@given(st.integers(), st.text(), st.text())
def test_unit_is_within_its_range_and_depends_on_every_part(seed: int, first: str, second: str) -> None:
    assert 0.0 <= unit(seed, first, second) < 1.0
    assert unit(seed, first, second) != unit(seed, first, second, "more")
    assert fold(seed, first) < 2**63


def test_unit_is_uniform() -> None:
    draws = [unit(7, index) for index in range(4000)]
    for edge in (0.05, 0.25, 0.5, 0.9):
        assert abs(sum(draw < edge for draw in draws) / len(draws) - edge) < 0.03


def test_rng_repeats() -> None:
    assert rng(3, "a").random() == rng(3, "a").random() != rng(3, "b").random()


def test_short_digest_knows_no_order() -> None:
    expected = hashlib.sha256(b"a\nb\n").hexdigest()[:16]
    assert short_digest(["b", "a"]) == short_digest(["a", "b"]) == expected


def test_choose_says_what_is_near() -> None:
    with pytest.raises(UseError, match="unknown split 'demo-sen', did you mean 'demo-seen'"):
        choose("split", "demo-sen", {"demo-seen": 1, "grid4-seen": 2})


def test_atomic_replaces_a_file_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with atomic(target) as draft:
        draft.write_text("one")
    with pytest.raises(ZeroDivisionError), atomic(target) as draft:
        draft.write_text(f"half {1 / 0}")
    assert target.read_text() == "one"
    assert sha256_file(target) == hashlib.sha256(b"one").hexdigest()
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_atomic_replaces_a_folder(tmp_path: Path) -> None:
    for text in ("old", "new"):
        with atomic(tmp_path / "folder") as draft:
            draft.mkdir()
            (draft / text).write_text(text)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    move, moves = os.replace, []

    def second_fails(source: Path, target: Path) -> None:
        moves.append(target)
        if len(moves) == 2:
            raise OSError("no room")
        move(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match="no room"), atomic(tmp_path / "folder") as draft:
        draft.mkdir()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["folder", "folder/old"]


KILLED = """
import os, sys
from pathlib import Path
from v2sbench.runtime import atomic
move = os.replace
def kill_after(source, target):
    move(source, target)
    os.kill(os.getpid(), 9)
if sys.argv[2] == "between":
    os.replace = kill_after
with atomic(Path(sys.argv[1])) as draft:
    draft.mkdir()
    if sys.argv[2] == "before":
        os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("when", ["before", "between"])
def test_what_a_killed_run_left_is_cleared_by_the_next(tmp_path: Path, when: str) -> None:
    """Also where it was killed between the two moves of a folder: the old one is put back."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "folder"), when], check=False)
    assert len(list(tmp_path.glob(".folder.*"))) == 1
    with atomic(tmp_path / "other"):
        assert (tmp_path / "folder" / "old").exists()
        assert not list(tmp_path.glob(".folder.*"))
        (draft,) = tmp_path.glob(".other.*")
        code = "import sys, pathlib, v2sbench.runtime as runtime; runtime.write_csv(pathlib.Path(sys.argv[1]), [])"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "third")], check=True)
        assert draft.exists(), "of a process that runs"
        (draft / "other").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "other", "third"]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "", "a\\b", "a\0b", "/etc"])
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    assert below(Path("audio"), "demo-seen", "a.b") == Path("audio/demo-seen/a.b")
    with pytest.raises(UseError, match="cannot be a name"):
        below(Path("audio"), "demo-seen", name)


def test_tables_of_text(tmp_path: Path) -> None:
    rows = [("clip", "text"), ("a", 'he said "bin", softly'), ("b", "é")]
    for name, first in (("a.csv", "clip,text"), ("a.tsv", "clip\ttext")):
        write_csv(tmp_path / name, rows)
        text = (tmp_path / name).read_bytes().decode()
        assert text.startswith(f"{first}\n")
        delimiter = "\t" if name.endswith("tsv") else ","
        assert [tuple(row) for row in csv.reader(text.splitlines(), delimiter=delimiter)] == rows


# ---------------------------------------------------------------- workers


def _square(value: int) -> int:
    if value < 0:
        raise ValueError(value)
    return value * value


def _process(value: int) -> tuple[int, int]:
    return value, os.getpid()


def _die(value: int) -> int:
    if value == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_every_result_once_and_what_is_raised(count: int, ordered: bool) -> None:
    found = list(parallel(_square, range(70), jobs=count, ordered=ordered))
    assert (found if ordered else sorted(found)) == [value * value for value in range(70)]
    with pytest.raises(ValueError, match="-1"):
        list(parallel(_square, [*range(12), -1], jobs=count, ordered=ordered))


def test_few_items_start_no_worker() -> None:
    assert {pid for _, pid in parallel(_process, range(FEW), jobs=2)} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in parallel(_process, range(FEW + 1), jobs=2)}


def test_a_killed_worker_is_one_line_and_the_next_call_works() -> None:
    with pytest.raises(CheckError, match=r"a worker was killed.* s1/7\b"):
        list(parallel(_die, range(20), jobs=2, name="s1/{}".format))
    assert list(parallel(_square, range(20), jobs=2))[-1] == 19**2


@pytest.mark.parametrize("count", [1, 2])
def test_parallel_reads_and_keeps_no_more_than_two_windows(count: int) -> None:
    """Whoever takes results slowly, or stops, holds the workers back: nothing piles up."""
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for value in itertools.count():
            read += 1
            yield value

    results = parallel(_square, items(), jobs=count)
    for taken in range(100):
        assert next(results) == taken * taken
        assert read <= taken + 2 * WINDOW * count + 1 + FEW
    time.sleep(0.1)  # workers go on meanwhile, as far as they may
    assert read <= 100 + 2 * WINDOW * count + FEW
    results.close()


def test_parallel_stops_reading_when_a_worker_raises() -> None:
    read: list[int] = []
    with pytest.raises(ValueError, match="-1"):
        for _ in parallel(_square, (read.append(value) or value for value in (3, -1, *range(500))), jobs=2):
            pass
    assert len(read) < 2 * 2 * WINDOW + FEW + 2


def _pid_in(folder: str, value: int) -> None:
    (Path(folder) / f"{os.getpid()}").touch()
    time.sleep(0.05)


OWNER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from functools import partial
from tests.test_runtime import _pid_in
from v2sbench.runtime import parallel
try:
    list(parallel(partial(_pid_in, sys.argv[1]), range(100_000), jobs=2))
except KeyboardInterrupt:
    pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end them")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_owner_and_say_nothing(tmp_path: Path, how: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            workers = [int(path.name) for path in tmp_path.iterdir()]
            if len(workers) == 2 or owner.poll() is not None:
                break
            time.sleep(0.05)
        assert len(workers) == 2
    finally:
        owner.send_signal(how)
        _, said = owner.communicate()
    assert "Traceback" not in said
    for _ in range(200):
        alive = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        if not alive:
            break
        time.sleep(0.05)
    assert not alive


def test_worker_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2S_JOBS", "3")
    assert worker_count() == 3
    assert worker_count(2) == 2
    monkeypatch.setenv("V2S_JOBS", "many")
    with pytest.raises(UseError, match="V2S_JOBS"):
        worker_count()
    with pytest.raises(UseError, match="at least 1"):
        worker_count(0)


def test_devices() -> None:
    assert device("cpu").type == "cpu"
    with pytest.raises(UseError, match="unknown device 'gpu'"):
        device("gpu")


def test_environment_names_what_numbers_depend_on() -> None:
    assert {"python", "torch", "torchaudio", "numpy", "threads", "device"} <= environment().keys()
