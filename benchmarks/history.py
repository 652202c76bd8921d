"""How fast each run was, machine by machine: what pytest-benchmark measured, kept small. No two machines are compared.

    pytest benchmarks/test_speed.py --benchmark-enable --benchmark-json speed.json
    python -m benchmarks.history add speed.json --name NAME [--against NAME]
    python -m benchmarks.history show [--machine FINGERPRINT] [--against NAME] [--figures]

    speed.json --read_json--> Run --add--> results/speed/<fingerprint>/{machine.json, NAME.json, README.md}
                                           results/speed --load--> runs of each machine --table--> Markdown

A fingerprint is a digest of processor, cores, memory, GPU and system, and names the folder; machine.json says what it
stands for. A ratio is the reference's median over the run's: above 1 the run was faster. Whole numbers among a test's
`extra_info` (clips, frames, threads) are settings: where they differ, another thing was measured and there is no ratio.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.machine import KEY, Machine
from v2sbench.runtime import UseError, atomic, choose

HISTORY = Path("results/speed")
"""Where runs are kept."""
MEASURE = "pytest benchmarks/test_speed.py --benchmark-enable --benchmark-json speed.json"
BAR = 10
"""Characters of the bar of a run as fast as its reference."""
LONGEST_BAR = 30
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")


# ---------------------------------------------------------------- what is known of a run


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One path's times."""

    test: str
    """Name of the test, with its parameters."""
    median: float
    """Seconds."""
    iqr: float
    """Seconds between the quartiles."""
    rounds: int
    """Times that it was measured."""
    extra_info: Mapping[str, Any]
    """Whole numbers are settings, other numbers are figures."""

    @property
    def settings(self) -> dict[str, Any]:
        """What must be equal before two times are compared."""
        return {name: fact for name, fact in self.extra_info.items() if isinstance(fact, int)}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of pytest."""

    name: str
    """Its file's name."""
    machine: Machine
    """Where it was."""
    date: str
    """ISO 8601, to the second."""
    commit: str
    """Seven digits; `+` where files differed from it. Empty outside git."""
    load: float
    """Processes that wanted a processor in the minute before: with more than a few tenths, times are upper bounds."""
    against: str
    """The run that it is compared with; empty for none."""
    versions: Mapping[str, str]
    """Packages, threads, device."""
    timings: tuple[Timing, ...]
    """As they were measured."""


def read_json(path: Path, name: str, against: str) -> Run:
    """A run out of pytest-benchmark's JSON.  UseError: no such file, another format, nothing measured in it."""
    if not path.is_file():
        raise UseError(f"no file {path}; run: {MEASURE}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        measured, info, commit = data["benchmarks"], data["machine_info"], data["commit_info"]
        if KEY not in info:
            raise UseError(
                f"{path} does not say enough of its machine: benchmarks/conftest.py had no part in it; run: {MEASURE}"
            )
        if not measured:
            raise UseError(f"nothing was measured in {path}; run: {MEASURE}")
        timings = tuple(
            Timing(
                test=item["name"],
                median=_short(item["stats"]["median"]),
                iqr=_short(item["stats"]["iqr"]),
                rounds=item["stats"]["rounds"],
                extra_info=item["extra_info"],
            )
            for item in measured
        )
        found = Run(
            name=name,
            machine=Machine(**info[KEY]["machine"]),
            date=data["datetime"][:19] + "Z",
            commit=commit["id"][:7] + ("+" if commit["dirty"] else "") if COMMIT.fullmatch(commit["id"]) else "",
            load=info[KEY]["load"],
            against=against,
            versions=info[KEY]["versions"],
            timings=timings,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UseError(f"{path} is not what --benchmark-json writes ({type(error).__name__}: {error})") from None
    names = [timing.test for timing in timings]
    if twice := {test for test in names if names.count(test) > 1}:
        raise UseError(f"{path} holds two tests of the name {min(twice)}; measure one file at a time")
    return found


def _short(seconds: float) -> float:
    """Four digits: more is noise."""
    return float(f"{seconds:.4g}")


# ---------------------------------------------------------------- keeping


def add(path: Path, name: str, against: str = "", *, folder: Path = HISTORY) -> Run:
    """Keep a run, and write its machine's table anew.

    UseError: the name is taken or none, the reference is unknown or of another machine, or see `read_json`.
    """
    if not NAME.fullmatch(name) or name == "machine":
        raise UseError(f"--name must be letters, digits, '.', '_' and '-', and not 'machine', not {name!r}")
    run, runs = read_json(path, name, against), load(folder)
    if against:
        reference(against, run.machine, runs)
    place = folder / run.machine.fingerprint
    if (place / f"{name}.json").exists():
        raise UseError(f"{place / name}.json is there already; a run is never replaced: give another --name")
    text = page([*runs.get(run.machine.fingerprint, ()), run])
    kept = {field: value for field, value in asdict(run).items() if field != "machine"}
    _write(place / "machine.json", _json(asdict(run.machine)))
    _write(place / f"{name}.json", _json(kept | {"machine": run.machine.fingerprint}))
    _write(place / "README.md", text)
    return run


def load(folder: Path = HISTORY) -> dict[str, list[Run]]:
    """Fingerprint -> its runs.  UseError when a file is not what `add` wrote there."""
    found: dict[str, list[Run]] = {}
    for path in sorted(folder.glob("*/machine.json")):
        machine, place = _read(path, Machine), path.parent
        if machine.fingerprint != place.name:
            raise UseError(f"{path} describes machine {machine.fingerprint}; its runs belong into that folder, if any")
        found[place.name] = [_read(file, Run, machine=machine) for file in sorted(place.glob("*.json")) if file != path]
    return found


def reference(name: str, machine: Machine, runs: Mapping[str, Sequence[Run]]) -> Run:
    """The run of that name on that machine.  UseError where there is none, or only one of another machine."""
    here = {run.name: run for run in runs.get(machine.fingerprint, ())}
    elsewhere = [other for other, items in runs.items() if name in [run.name for run in items]]
    if name not in here and elsewhere:
        raise UseError(
            f"{name!r} was measured on machine {elsewhere[0]}, not on {machine.fingerprint}: speeds of two machines "
            f"are not compared (runs of {machine.fingerprint}: {', '.join(here) or 'none'})"
        )
    return choose("reference run", name, here)


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _read(path: Path, kind: type[Any], machine: Machine | None = None) -> Any:
    """A stored machine, or a run of the machine."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if machine is not None:
            if data["machine"] != machine.fingerprint:
                raise UseError(f"{path} was measured on machine {data['machine']}; move it into that folder")
            timings = tuple(Timing(**timing) for timing in data["timings"])
            data |= {"machine": machine, "timings": timings}
        return kind(**data)
    except (ValueError, KeyError, TypeError) as error:
        raise UseError(f"{path} is not a file of this history ({type(error).__name__}: {error})") from None


# ---------------------------------------------------------------- showing


def ratio(timing: Timing, before: Timing | None) -> tuple[str, str]:
    """How many times as fast as before, and its bar; or why there is no ratio.

    `~`: the medians are no farther apart than the quartiles of one of the two.
    """
    if before is None:
        return "not measured there", ""
    own, other = timing.settings, before.settings
    if odd := [name for name in (*other, *(own.keys() - other.keys())) if own.get(name) != other.get(name)]:
        return "another " + ", ".join(odd), ""
    times = before.median / timing.median
    near = abs(before.median - timing.median) <= max(before.iqr, timing.iqr)
    length = round(BAR * times)
    bar = "█" * min(length, LONGEST_BAR) + ("…" if length > LONGEST_BAR else "")
    return f"{'~' if near else ''}{times:.2f}", bar


def seconds(value: float) -> str:
    """Three digits, in a unit that suits."""
    unit, scale = next((item for item in (("s", 1.0), ("ms", 1e-3)) if value >= item[1]), ("µs", 1e-6))
    return f"{value / scale:.3g} {unit}" if value / scale < 1000 else f"{value / scale:.0f} {unit}"


def page(runs: Sequence[Run], against: str = "", figures: bool = False) -> str:
    """Everything about one machine's runs, by date, in Markdown.

    against: the reference of all runs, where it is not each run's own; figures: what the tests worked out too.
    """
    runs = sorted(runs, key=lambda run: (run.date, run.name))
    machine = runs[0].machine
    every = {machine.fingerprint: runs}
    names = {run.name: against or run.against for run in runs}
    before = {name: reference(other, machine, every) for name, other in names.items() if other and other != name}
    about = [
        [run.name, run.date[:10], run.commit, f"{run.load:g}", run.versions.get("threads", ""),
         before[run.name].name if run.name in before else "", _other_versions(run, before.get(run.name))]
        for run in runs
    ]  # fmt: skip
    tests = dict.fromkeys(timing.test for run in runs for timing in run.timings)
    times, facts = [], []
    for test in tests:
        for run in runs:
            timing = _of(run, test)
            if timing is None:
                continue
            compared = ratio(timing, _of(before[run.name], test)) if run.name in before else ("", "")
            spread = f"{100 * timing.iqr / timing.median:.0f} % of {timing.rounds}"
            times.append([f"`{test.removeprefix('test_')}`", run.name, seconds(timing.median), spread, *compared])
            facts += [
                [f"`{test.removeprefix('test_')}`", run.name, name, f"{fact:g}"]
                for name, fact in timing.extra_info.items() if isinstance(fact, float)
            ]  # fmt: skip
    parts = [
        f"# Machine {machine.fingerprint}\n\n{machine}.",
        _table(about, ["run", "date", "commit", "load before", "threads", "against", "other versions"]),
        _table(times, ["path", "run", "median", "quartiles apart, rounds", "times as fast", "█ x 10 = as before"]),
        "`~`: no farther apart than the quartiles of one of the two. `+`: the tree differed from the commit. Load: "
        "processes that wanted a processor in the minute before; with more than a few tenths, times are upper bounds.",
    ]
    if figures:
        parts.append(_table(facts, ["path", "run", "figure", "value"]))
    return "\n\n".join(parts) + "\n"


def _of(run: Run, test: str) -> Timing | None:
    return next((timing for timing in run.timings if timing.test == test), None)


def _other_versions(run: Run, before: Run | None) -> str:
    """Which versions are not the reference's."""
    if before is None:
        return ""
    names = sorted(run.versions.keys() | before.versions.keys())
    pairs = [(name, before.versions.get(name, "none"), run.versions.get(name, "none")) for name in names]
    return ", ".join(f"{name} {old} -> {new}" for name, old, new in pairs if old != new)


def _table(lines: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    return tabulate(lines, list(head), tablefmt="pipe", disable_numparse=True)


def show(machine: str = "", against: str = "", figures: bool = False, *, folder: Path = HISTORY) -> str:
    """The pages of every machine, or of one.  UseError where nothing is kept or a name is unknown."""
    runs = {name: items for name, items in load(folder).items() if items}
    if not runs:
        raise UseError(
            f"no run is kept under {folder}; run: {MEASURE} && python -m benchmarks.history add speed.json --name NAME"
        )
    chosen = {machine: choose("machine", machine, runs)} if machine else runs
    if against:
        with_it = {name: items for name, items in chosen.items() if against in [run.name for run in items]}
        if not with_it:
            reference(against, next(iter(chosen.values()))[0].machine, runs)
        chosen = with_it
    return "\n".join(page(items, against, figures) for items in chosen.values())


def main(words: Sequence[str] | None = None) -> int:
    """The command line; 2 where it was used wrongly."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.history", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("add", help="keep what --benchmark-json wrote")
    one.add_argument("json", type=Path, metavar="FILE", help="what --benchmark-json wrote")
    one.add_argument("--name", required=True, help="what the run is called from now on")
    one = verbs.add_parser("show", help="the table of every machine, or of one")
    one.add_argument("--machine", default="", metavar="FINGERPRINT", help="only this one's runs")
    one.add_argument("--figures", action="store_true", help="also what tests worked out: real-time factors, memory")
    for one in verbs.choices.values():
        one.add_argument("--against", default="", metavar="NAME", help="reference: a run of the same machine")
        one.add_argument("--folder", type=Path, default=HISTORY, help=f"where runs are kept (default: {HISTORY})")
    args = parser.parse_args(words)
    try:
        if args.verb == "add":
            run = add(args.json, args.name, args.against, folder=args.folder)
            print(show(run.machine.fingerprint, folder=args.folder), end="")
        else:
            print(show(args.machine, args.against, args.figures, folder=args.folder), end="")
    except UseError as error:
        print(f"history: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
