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
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import history, machine
from benchmarks.history import Run, Timing, add, load, page, ratio, seconds, show
from benchmarks.machine import KEY, Machine, cores, this_machine
from v2sbench.runtime import UseError

ROOT = Path(__file__).resolve().parent.parent
LAPTOP = Machine(processor="A 1", cores=2, memory=24, gpu="none", system="Linux x86_64, Debian")
SERVER = dataclasses.replace(LAPTOP, cores=64, gpu="2 x H200")


def json_of(path: Path, medians: dict[str, float], on: Machine = LAPTOP, day: int = 1, **extra_info: Any) -> Path:
    """A file as pytest-benchmark writes it, as far as it is read, beside much that is not."""
    data = {
        "machine_info": {
            "node": "a-host-of-mine", "cpu": {},
            KEY: {"machine": dataclasses.asdict(on), "versions": {"torch": f"2.{day}", "threads": "2"}, "load": 0.25},
        },
        "commit_info": {"id": "abcdef0" * 5 + "12345", "dirty": day > 1, "branch": "main"},
        "benchmarks": [
            {
                "name": name, "fullname": f"benchmarks/test_speed.py::{name}", "extra_info": extra_info, "options": {},
                "stats": {"median": median, "iqr": 0.1 * median, "rounds": 3, "data": [median] * 3, "min": 0.0},
            }
            for name, median in medians.items()
        ],
        "datetime": f"2026-01-{day:02d}T10:11:12.131415+00:00",
    }  # fmt: skip
    path.write_text(json.dumps(data))
    return path


def timing(median: float, iqr: float = 0.0, **extra_info: Any) -> Timing:
    return Timing(test="test_x", median=median, iqr=iqr, rounds=3, extra_info=extra_info)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Two runs of the laptop, the second twice as fast, and one of the server."""
    folder = tmp_path / "speed"
    add(json_of(tmp_path / "1.json", {"test_mel": 0.08, "test_crop": 0.002}), "first", folder=folder)
    add(json_of(tmp_path / "2.json", {"test_mel": 0.04, "test_new": 3.0}, day=2), "second", "first", folder=folder)
    add(json_of(tmp_path / "3.json", {"test_mel": 0.01}, SERVER), "big", folder=folder)
    return folder


# ---------------------------------------------------------------- machines


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Machine)])
def test_every_fact_of_a_machine_is_in_its_fingerprint(field: str) -> None:
    other = dataclasses.replace(LAPTOP, **{field: 3 if field in ("cores", "memory") else "another"})
    assert other.fingerprint != LAPTOP.fingerprint
    assert len(other.fingerprint) == 8


def test_a_fingerprint_is_the_same_for_ever() -> None:
    assert LAPTOP.fingerprint == "675cf0a3"
    assert str(SERVER) == "A 1, 64 processors, 24 GiB, 2 x H200, Linux x86_64, Debian"


def test_this_machine_is_described() -> None:
    found = this_machine({"brand_raw": "Some  Processor", "family": 6, "model": 167})
    assert found.processor == "Some Processor (family 6, model 167)"
    assert 0 < found.cores <= len(os.sched_getaffinity(0))
    assert found.memory >= 1
    assert found.system.startswith("Linux ")
    assert this_machine({}).processor  # py-cpuinfo does not know every processor


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000\n", 1e6), ("50000 100000\n", 0.5), ("9900000000 100\n", 1e6)]
)
def test_a_container_may_use_less(tmp_path: Path, text: str, expected: float) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert cores(quota) == min(expected, len(os.sched_getaffinity(0)))


# ---------------------------------------------------------------- keeping


def test_only_what_is_needed_is_kept(kept: Path) -> None:
    place = kept / LAPTOP.fingerprint
    assert sorted(path.name for path in place.iterdir()) == ["README.md", "first.json", "machine.json", "second.json"]
    assert json.loads((place / "machine.json").read_text()) == dataclasses.asdict(LAPTOP)
    assert json.loads((place / "second.json").read_text()) == {
        "name": "second",
        "date": "2026-01-02T10:11:12Z",
        "commit": "abcdef0+",
        "load": 0.25,
        "against": "first",
        "versions": {"torch": "2.2", "threads": "2"},
        "timings": [
            {"test": "test_mel", "median": 0.04, "iqr": 0.004, "rounds": 3, "extra_info": {}},
            {"test": "test_new", "median": 3.0, "iqr": 0.3, "rounds": 3, "extra_info": {}},
        ],
        "machine": LAPTOP.fingerprint,
    }


def test_what_is_kept_is_read(kept: Path) -> None:
    runs = load(kept)
    assert {name: [run.name for run in items] for name, items in runs.items()} == {
        LAPTOP.fingerprint: ["first", "second"], SERVER.fingerprint: ["big"],
    }  # fmt: skip
    first = runs[LAPTOP.fingerprint][0]
    assert (first.machine, first.commit, first.against) == (LAPTOP, "abcdef0", "")
    assert first.timings[0] == Timing(test="test_mel", median=0.08, iqr=0.008, rounds=3, extra_info={})


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    path = json_of(tmp_path / "1.json", {"test_mel": 1.0})
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"commit_info": {"id": "unversioned", "dirty": False}}))
    assert history.read_json(path, "a", "").commit == ""


def test_the_page_of_a_machine_is_written_anew(kept: Path, tmp_path: Path) -> None:
    readme = kept / LAPTOP.fingerprint / "README.md"
    assert readme.read_text() == show(LAPTOP.fingerprint, folder=kept)
    add(json_of(tmp_path / "0.json", {"test_mel": 0.08}), "early", folder=kept)  # as early as the first
    assert readme.read_text() == show(LAPTOP.fingerprint, folder=kept)
    assert readme.read_text().index("| early") < readme.read_text().index("| first")


# ---------------------------------------------------------------- comparing


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_a_ratio_is_how_many_times_as_fast(before: float, now: float) -> None:
    text, bar = ratio(timing(now), timing(before))
    assert float(text.removeprefix("~")) == pytest.approx(before / now, abs=0.005)
    assert len(bar) == min(round(10 * before / now), 30) + (round(10 * before / now) > 30)


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
        (timing(1.0, share=0.5), timing(1.0, share=0.6), ("~1.00", "█" * 10)),
        (timing(1.0, loader="unknown"), timing(1.0, loader=2.5), ("~1.00", "█" * 10)),
    ],
)
def test_ratios(now: Timing, before: Timing | None, expected: tuple[str, str]) -> None:
    assert ratio(now, before) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3.2, "3.2 s"), (1234.0, "1234 s"), (0.0123, "12.3 ms"), (4.56e-5, "45.6 µs"), (1e-9, "0.001 µs")],
)
def test_seconds_are_readable(value: float, expected: str) -> None:
    assert seconds(value) == expected


def cells(text: str, *start: str) -> list[list[str]]:
    """Lines of Markdown tables that begin with these cells."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [line for line in found if line[: len(start)] == list(start)]


def test_the_page_says_what_was_compared(kept: Path) -> None:
    text = show(LAPTOP.fingerprint, folder=kept)
    assert text.startswith(
        f"# Machine {LAPTOP.fingerprint}\n\nA 1, 2 processors, 24 GiB, no GPU, Linux x86_64, Debian.\n"
    )
    assert cells(text, "first") == [["first", "2026-01-01", "abcdef0", "0.25", "2", "", ""]]
    assert cells(text, "second") == [["second", "2026-01-02", "abcdef0+", "0.25", "2", "first", "torch 2.1 -> 2.2"]]
    assert cells(text, "`mel`") == [
        ["`mel`", "first", "80 ms", "10 % of 3", "", ""],
        ["`mel`", "second", "40 ms", "10 % of 3", "2.00", "█" * 20],
    ]
    assert cells(text, "`crop`") == [["`crop`", "first", "2 ms", "10 % of 3", "", ""]]
    assert cells(text, "`new`") == [["`new`", "second", "3 s", "10 % of 3", "not measured there", ""]]


def test_another_reference_may_be_named(kept: Path) -> None:
    text = show(against="second", folder=kept)
    assert cells(text, "`mel`", "first")[0][4:] == ["0.50", "█" * 5]
    assert cells(text, "`mel`", "second")[0][4:] == ["", ""]
    assert SERVER.fingerprint not in text


def test_every_machine_has_a_page_and_no_ratio_to_another(kept: Path) -> None:
    text = show(folder=kept)
    assert text.count("# Machine ") == 2
    assert cells(text, "`mel`", "big") == [["`mel`", "big", "10 ms", "10 % of 3", "", ""]]


def test_figures_are_shown_where_asked_for(tmp_path: Path) -> None:
    add(json_of(tmp_path / "1.json", {"test_mel": 1.0}, factor=0.149, clips=4), "a", folder=tmp_path / "speed")
    assert "factor" not in show(folder=tmp_path / "speed")
    shown = show(figures=True, folder=tmp_path / "speed")
    assert cells(shown, "`mel`", "a", "factor") == [["`mel`", "a", "factor", "0.149"]]
    assert not cells(shown, "`mel`", "a", "clips")


# ---------------------------------------------------------------- refusals


def test_two_machines_are_never_compared(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = json_of(tmp_path / "4.json", {"test_mel": 0.02}, SERVER)
    assert history.main(["add", str(path), "--name", "mine", "--against", "first", "--folder", str(kept)]) == 2
    out, error = capsys.readouterr()
    assert not out
    assert error == (
        f"history: 'first' was measured on machine {LAPTOP.fingerprint}, not on {SERVER.fingerprint}: speeds of two "
        f"machines are not compared (runs of {SERVER.fingerprint}: big)\n"
    )
    assert not (kept / SERVER.fingerprint / "mine.json").exists()
    with pytest.raises(UseError, match="speeds of two machines are not compared"):
        show(SERVER.fingerprint, "first", folder=kept)


def test_a_run_moved_to_another_machine_is_noticed(kept: Path) -> None:
    (kept / LAPTOP.fingerprint / "first.json").rename(kept / SERVER.fingerprint / "first.json")
    with pytest.raises(UseError, match=f"first.json was measured on machine {LAPTOP.fingerprint}"):
        load(kept)


def test_a_machine_that_was_edited_is_noticed(kept: Path) -> None:
    path = kept / LAPTOP.fingerprint / "machine.json"
    path.write_text(path.read_text().replace("24", "48"))
    with pytest.raises(UseError, match="describes machine"):
        load(kept)


@pytest.mark.parametrize(
    ("name", "against", "expected"),
    [
        ("first", "", "first.json is there already; a run is never replaced"),
        ("machine", "", "not 'machine'"),
        ("a/b", "", "not 'a/b'"),
        ("", "", "not ''"),
        ("third", "secnd", "unknown reference run 'secnd', did you mean 'second'"),
        ("third", "third", "unknown reference run 'third'"),
    ],
)
def test_names_that_are_refused(kept: Path, tmp_path: Path, name: str, against: str, expected: str) -> None:
    with pytest.raises(UseError, match=expected):
        add(json_of(tmp_path / "4.json", {"test_mel": 0.02}), name, against, folder=kept)


def test_a_reference_that_was_deleted_is_named(kept: Path, tmp_path: Path) -> None:
    (kept / LAPTOP.fingerprint / "first.json").unlink()
    with pytest.raises(UseError, match="unknown reference run 'first'"):
        show(folder=kept)
    assert "| second" in show(against="second", folder=kept)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not what --benchmark-json writes"),
        ("[]", "is not what --benchmark-json writes"),
        ('{"machine_info": {}}', "is not what --benchmark-json writes"),
        ('{"machine_info": {}, "benchmarks": [1], "commit_info": {}}', "does not say enough of its machine"),
        ('{"machine_info": {"v2sbench": {}}, "benchmarks": [], "commit_info": {}}', "nothing was measured"),
        ('{"machine_info": {"v2sbench": {}}, "benchmarks": [{}], "commit_info": {}}', "is not what --benchmark-json"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "speed.json"
    path.write_text(text)
    with pytest.raises(UseError, match=expected) as caught:
        add(path, "a", folder=tmp_path / "speed")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "speed").exists()


def test_two_tests_of_one_name_are_refused(tmp_path: Path) -> None:
    path = json_of(tmp_path / "1.json", {"test_mel": 1.0})
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"benchmarks": data["benchmarks"] * 2}))
    with pytest.raises(UseError, match="two tests of the name test_mel"):
        add(path, "a", folder=tmp_path / "speed")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show"], "no run is kept under"),
        (["add", "nothing.json", "--name", "a"], "no file nothing.json; run: pytest benchmarks/test_speed.py"),
    ],
)
def test_an_empty_history_says_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    assert history.main([*words, "--folder", str(tmp_path)]) == 2
    assert expected in capsys.readouterr().err


def test_an_unknown_machine_is_refused(kept: Path) -> None:
    with pytest.raises(UseError, match="unknown machine '12345678'"):
        show("12345678", folder=kept)


# ---------------------------------------------------------------- as a user runs it


def test_from_measuring_to_the_table(tmp_path: Path) -> None:
    """One quick path, by pytest-benchmark itself; twice kept, the second time against the first."""
    path = tmp_path / "speed.json"
    quick = ["-k", "test_mel", "--benchmark-enable", "--benchmark-min-rounds=2", "--benchmark-max-time=0.01"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "benchmarks/test_speed.py", *quick,
         "--benchmark-warmup=off", f"--benchmark-json={path}"],
        cwd=ROOT, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    for words in (["--name", "one"], ["--name", "two", "--against", "one"]):
        assert history.main(["add", str(path), *words, "--folder", str(tmp_path / "speed")]) == 0
    ((fingerprint, runs),) = load(tmp_path / "speed").items()
    assert runs[0].machine == this_machine(json.loads(path.read_text())["machine_info"]["cpu"])
    assert fingerprint == runs[0].machine.fingerprint
    assert runs[0].timings[0].settings == {"clips": 8, "threads": 1}
    assert runs[0].versions["threads"] == "1"
    assert runs[0].timings[0].median > 0
    assert cells(show(folder=tmp_path / "speed"), "`mel`", "two")[0][4] == "~1.00"


def test_the_history_that_is_shipped_is_whole() -> None:
    """Every page is the one that its runs make."""
    folder = ROOT / history.HISTORY
    for fingerprint, runs in load(folder).items():
        assert (folder / fingerprint / "README.md").read_text(encoding="utf-8") == page(runs)
        assert all(isinstance(run, Run) and run.timings for run in runs)


def test_every_file_of_the_harness_is_in_its_document() -> None:
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {"__init__", "conftest"}
    assert [name for name in sorted(names) if f"benchmarks.{name}" not in text and f"{name}.py" not in text] == []


def test_the_hooks_are_where_pytest_looks() -> None:
    from benchmarks import conftest

    for name in ("pytest_configure", "pytest_benchmark_update_machine_info"):
        assert getattr(conftest, name) is getattr(machine, name)
