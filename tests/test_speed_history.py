"""The speed history: what is kept of a run, what may be compared, and what is refused in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import history, machine
from benchmarks.history import Run, Timing, add, load, page, ratio, seconds, show
from benchmarks.machine import KEY, Machine, cores, this_machine
from v2sbench.runtime import UseError

ROOT = Path(__file__).resolve().parent.parent
LAPTOP = Machine(processor="A 1", cores=2, memory=24, gpu="none", system="Linux x86_64, Debian")
SERVER = dataclasses.replace(LAPTOP, cores=64, gpu="2 x H200")


def json_of(path: Path, medians: dict[str, float], on: Machine = LAPTOP, day: int = 1, **extra_info: Any) -> Path:
    """A file as pytest-benchmark writes it, as far as it is read."""
    about = {"machine": dataclasses.asdict(on), "versions": {"torch": f"2.{day}", "threads": "2"}, "load": 0.25}
    benchmarks = [
        {"name": name, "extra_info": extra_info, "stats": {"median": median, "iqr": 0.1 * median, "rounds": 3}}
        for name, median in medians.items()
    ]
    data = {
        "machine_info": {"node": "a-host-of-mine", KEY: about},
        "commit_info": {"id": "abcdef0" * 5 + "12345", "dirty": day > 1},
        "benchmarks": benchmarks,
        "datetime": f"2026-01-{day:02d}T10:11:12.131415+00:00",
    }
    path.write_text(json.dumps(data))
    return path


def timing(median: float, iqr: float = 0.0, **extra_info: Any) -> Timing:
    return Timing(test="test_x", median=median, iqr=iqr, rounds=3, extra_info=extra_info)


def cells(text: str, *start: str) -> list[list[str]]:
    """Lines of Markdown tables that begin with these cells."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line] for line in lines]
    return [line for line in found if line[: len(start)] == list(start)]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Two runs of the laptop, the second twice as fast, and one of the server."""
    folder = tmp_path / "speed"
    add(json_of(tmp_path / "1.json", {"test_mel": 0.08, "test_crop": 0.002}), "first", folder=folder)
    add(json_of(tmp_path / "2.json", {"test_mel": 0.04, "test_new": 3.0}, day=2), "second", "first", folder=folder)
    add(json_of(tmp_path / "3.json", {"test_mel": 0.01}, SERVER), "big", folder=folder)
    return folder


# ---------------------------------------------------------------- machines


def test_every_fact_of_a_machine_is_in_its_fingerprint() -> None:
    assert LAPTOP.fingerprint == "675cf0a3", "it is the same for ever"
    assert str(SERVER) == "A 1, 64 processors, 24 GiB, 2 x H200, Linux x86_64, Debian"
    for name in (field.name for field in dataclasses.fields(Machine)):
        other = dataclasses.replace(LAPTOP, **{name: 3 if name in ("cores", "memory") else "another"})
        assert other.fingerprint != LAPTOP.fingerprint


def test_this_machine_is_described(tmp_path: Path) -> None:
    found = this_machine({"brand_raw": "Some  Processor", "family": 6, "model": 167})
    assert found.processor == "Some Processor (family 6, model 167)"
    assert found.memory >= 1
    assert this_machine({}).processor  # py-cpuinfo does not know every processor
    quota = tmp_path / "cpu.max"
    for text, expected in (("max 100000\n", 1e6), ("50000 100000\n", 0.5), ("9900000000 100\n", 1e6)):
        quota.write_text(text)
        assert cores(quota) == min(expected, len(os.sched_getaffinity(0))), "a container may use less"


# ---------------------------------------------------------------- keeping


def test_only_what_is_needed_is_kept(kept: Path) -> None:
    place = kept / LAPTOP.fingerprint
    assert sorted(path.name for path in place.iterdir()) == ["README.md", "first.json", "machine.json", "second.json"]
    assert json.loads((place / "machine.json").read_text()) == dataclasses.asdict(LAPTOP)
    stored = json.loads((place / "second.json").read_text())
    assert (stored["commit"], stored["against"], stored["date"]) == ("abcdef0+", "first", "2026-01-02T10:11:12Z")
    assert "a-host-of-mine" not in json.dumps(stored)
    runs = load(kept)
    assert {name: [run.name for run in items] for name, items in runs.items()} == {
        LAPTOP.fingerprint: ["first", "second"],
        SERVER.fingerprint: ["big"],
    }
    first = runs[LAPTOP.fingerprint][0]
    assert (first.machine, first.commit, first.against) == (LAPTOP, "abcdef0", "")
    assert first.timings[0] == Timing(test="test_mel", median=0.08, iqr=0.008, rounds=3, extra_info={})


# ---------------------------------------------------------------- comparing


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (timing(1.0), timing(2.0), ("2.00", "█" * 20)),
        (timing(2.0), timing(1.0), ("0.50", "█" * 5)),
        (timing(1.0, iqr=0.2), timing(1.1), ("~1.10", "█" * 11)),
        (timing(1.0), timing(1.1, iqr=0.05), ("1.10", "█" * 11)),
        (timing(1.0), timing(100.0), ("100.00", "█" * 30 + "…")),
        (timing(1.0), None, ("not measured there", "")),
        (timing(1.0, threads=1), timing(1.0, threads=2, clips=4), ("another threads, clips", "")),
        (timing(1.0, loader="unknown"), timing(1.0, loader=2.5), ("~1.00", "█" * 10)),
    ],
)
def test_a_ratio_is_how_many_times_as_fast(now: Timing, before: Timing | None, expected: tuple[str, str]) -> None:
    assert ratio(now, before) == expected


def test_seconds_are_readable() -> None:
    assert list(map(seconds, (3.2, 1234.0, 0.0123, 4.56e-5))) == ["3.2 s", "1234 s", "12.3 ms", "45.6 µs"]


def test_the_page_says_what_was_compared(kept: Path) -> None:
    text = show(LAPTOP.fingerprint, folder=kept)
    assert (kept / LAPTOP.fingerprint / "README.md").read_text() == text
    assert "A 1, 2 processors, 24 GiB, no GPU, Linux x86_64, Debian." in text
    assert cells(text, "second") == [["second", "2026-01-02", "abcdef0+", "0.25", "2", "first", "torch 2.1 -> 2.2"]]
    assert cells(text, "`mel`") == [
        ["`mel`", "first", "80 ms", "10 % of 3", "", ""],
        ["`mel`", "second", "40 ms", "10 % of 3", "2.00", "█" * 20],
    ]
    assert cells(text, "`new`") == [["`new`", "second", "3 s", "10 % of 3", "not measured there", ""]]
    other = show(against="second", folder=kept)
    assert cells(other, "`mel`", "first")[0][4:] == ["0.50", "█" * 5]
    assert SERVER.fingerprint not in other


def test_every_machine_has_a_page_and_no_ratio_to_another(kept: Path) -> None:
    text = show(folder=kept)
    assert text.count("# Machine ") == 2
    assert cells(text, "`mel`", "big") == [["`mel`", "big", "10 ms", "10 % of 3", "", ""]]


def test_figures_are_shown_on_demand(tmp_path: Path) -> None:
    add(json_of(tmp_path / "1.json", {"test_mel": 1.0}, factor=0.149, clips=4), "a", folder=tmp_path / "speed")
    assert "factor" not in show(folder=tmp_path / "speed")
    shown = show(figures=True, folder=tmp_path / "speed")
    assert cells(shown, "`mel`", "a", "factor") == [["`mel`", "a", "factor", "0.149"]]


# ---------------------------------------------------------------- refusals


def test_two_machines_are_never_compared(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = json_of(tmp_path / "4.json", {"test_mel": 0.02}, SERVER)
    assert history.main(["add", str(path), "--name", "mine", "--against", "first", "--folder", str(kept)]) == 2
    out, error = capsys.readouterr()
    assert not out
    assert error.count("\n") == 1
    assert "speeds of two machines are not compared" in error
    assert not (kept / SERVER.fingerprint / "mine.json").exists()


def test_a_history_that_was_edited_is_noticed(kept: Path) -> None:
    about = kept / LAPTOP.fingerprint / "machine.json"
    text = about.read_text()
    about.write_text(text.replace("24", "48"))
    with pytest.raises(UseError, match="describes machine"):
        load(kept)
    about.write_text(text)
    (kept / LAPTOP.fingerprint / "first.json").rename(kept / SERVER.fingerprint / "first.json")
    with pytest.raises(UseError, match=f"first.json was measured on machine {LAPTOP.fingerprint}"):
        load(kept)


@pytest.mark.parametrize(
    ("name", "against", "expected"),
    [
        ("first", "", "a run is never replaced"),
        ("machine", "", "not 'machine'"),
        ("a/b", "", "not 'a/b'"),
        ("third", "secnd", "did you mean 'second'"),
        ("third", "third", "unknown reference run 'third'"),
    ],
)
def test_names_that_are_refused(kept: Path, tmp_path: Path, name: str, against: str, expected: str) -> None:
    with pytest.raises(UseError, match=expected):
        add(json_of(tmp_path / "4.json", {"test_mel": 0.02}), name, against, folder=kept)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"machine_info": {}}',
        '{"machine_info": {}, "benchmarks": [1], "commit_info": {}}',
        '{"machine_info": {"v2sbench": {}}, "benchmarks": [], "commit_info": {}}',
        '{"machine_info": {"v2sbench": {}}, "benchmarks": [{}], "commit_info": {}}',
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "speed.json"
    path.write_text(text)
    with pytest.raises(UseError):
        add(path, "a", folder=tmp_path / "speed")
    assert not (tmp_path / "speed").exists()


def test_an_empty_history_says_how_to_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["show"], ["add", "nothing.json", "--name", "a"]):
        assert history.main([*words, "--folder", str(tmp_path)]) == 2
        assert "pytest benchmarks/test_speed.py" in capsys.readouterr().err


# ---------------------------------------------------------------- as a user runs it


def test_from_measuring_to_the_table(tmp_path: Path) -> None:
    """One quick path, by pytest-benchmark itself; twice kept, the second time against the first."""
    path = tmp_path / "speed.json"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    quick = ["-k", "test_mel", "--benchmark-enable", "--benchmark-min-rounds=2", "--benchmark-max-time=0.01"]
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "benchmarks/test_speed.py", *quick]
    subprocess.run(
        [sys.executable, *words, "--benchmark-warmup=off", f"--benchmark-json={path}"],
        cwd=ROOT,
        env={**inherited, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    for options in (["--name", "one"], ["--name", "two", "--against", "one"]):
        assert history.main(["add", str(path), *options, "--folder", str(tmp_path / "speed")]) == 0
    ((fingerprint, runs),) = load(tmp_path / "speed").items()
    assert runs[0].machine == this_machine(json.loads(path.read_text())["machine_info"]["cpu"])
    assert fingerprint == runs[0].machine.fingerprint
    assert runs[0].timings[0].settings == {"clips": 8, "threads": 1}
    assert runs[0].timings[0].median > 0
    assert cells(show(folder=tmp_path / "speed"), "`mel`", "two")[0][4] == "~1.00"


def test_the_history_that_is_shipped_is_whole() -> None:
    """Every page is the one that its runs make; every file of the harness is in its document."""
    folder = ROOT / history.HISTORY
    for fingerprint, runs in load(folder).items():
        assert (folder / fingerprint / "README.md").read_text(encoding="utf-8") == page(runs)
        assert all(isinstance(run, Run) and run.timings for run in runs)
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {"__init__", "conftest"}
    assert [name for name in sorted(names) if f"benchmarks.{name}" not in text and f"{name}.py" not in text] == []


def test_the_hooks_are_where_pytest_looks() -> None:
    from benchmarks import conftest

    for name in ("pytest_configure", "pytest_benchmark_update_machine_info"):
        assert getattr(conftest, name) is getattr(machine, name)
