"""Options of the harness, and the one table that its tests share.

    pytest benchmarks/ --split S [--variant V] [--system NAME=DIR ...] [--accept [--why REASON]]

The first --system is the base: the table marks which variants and other systems differ from it significantly.

Everything the command names is looked for before anything runs; what is missing ends the run with one line that says
which command makes it. Scoring goes through the command line's own verb, so that the numbers are the pipeline's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from benchmarks.machine import pytest_benchmark_update_machine_info, pytest_configure  # noqa: F401 - pytest looks here
from v2sbench import corpora
from v2sbench.cli.options import AUDIO, need_split, systems_of, trainings_of
from v2sbench.cli.score import score_split
from v2sbench.nets import list_cards
from v2sbench.results import Table
from v2sbench.results import table as make_table
from v2sbench.results.layout import TABLES, console, save
from v2sbench.results.measured import MEASURED
from v2sbench.runtime import CheckError, UseError, choose
from v2sbench.runtime.systems import recipe_of

WEIGHTS = Path("models/weights")
TRUTH = "ground-truth"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the command line asks for, checked against what is on this disk."""

    split: str
    """Split."""
    variants: tuple[str, ...]
    """Variants that were named; all that there are where empty."""
    systems: dict[str, Path]
    """Users' systems: name -> folder of wavs."""
    accept: bool
    """Whether the measured table becomes the baseline."""
    why: str
    """Why it does."""

    @property
    def recipes(self) -> list[str]:
        """The users' systems by recipe."""
        return list(dict.fromkeys(map(recipe_of, self.systems)))

    @property
    def whole(self) -> bool:
        """Whether the split as such was asked for, and not some systems of it."""
        return not self.variants and not self.systems


PLAN = pytest.StashKey[Plan]()
TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("v2sbench", "scores, tables and regressions of a split")
    group.addoption("--split", metavar="S", help="score, tabulate and check this split")
    group.addoption("--variant", metavar="V", action="append", default=[], help="this variant must be there")
    group.addoption(
        "--system", metavar="NAME=DIR", action="append", default=[],
        help="a system of your own: DIR/<speaker>/<clip>.wav or DIR/<clip>.wav; DIR,DIR for trainings; repeatable",
    )  # fmt: skip
    group.addoption("--accept", action="store_true", help="make the measured table the baseline instead of comparing")
    group.addoption("--why", metavar="REASON", default="no reason given", help="with --accept: stands in the baseline")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Check what the options name, before anything is collected or run."""
    try:
        plan = checked(session.config)
    except UseError as error:
        raise pytest.UsageError(f"v2sbench: {error}") from None
    if plan:
        session.config.stash[PLAN] = plan


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table under the results, whatever they are."""
    table = config.stash.get(TABLE, None)
    if table is not None:
        terminalreporter.section(f"{table.split}: {TABLES / table.split}.{{md,csv,tex,json}}")
        terminalreporter.write_line(console(table, bold=terminalreporter.hasmarkup))


@pytest.fixture(scope="session")
def plan(pytestconfig: pytest.Config) -> Plan:
    """What is asked for; skips where no split is named."""
    found = pytestconfig.stash.get(PLAN, None)
    if found is None:
        pytest.skip("needs --split S; see: v2sbench list splits")
    return found


@pytest.fixture(scope="session")
def table(plan: Plan, pytestconfig: pytest.Config) -> Table:
    """Score what is missing or stale, write the split's table, and keep it for the summary."""
    try:
        bring_up_to_date(plan)
        found = make_table(plan.split, base=next(iter(plan.recipes), None))
        save(found)
    except (UseError, CheckError) as error:
        pytest.fail(f"v2sbench: {error}", pytrace=False)
    pytestconfig.stash[TABLE] = found
    return found


# ---------------------------------------------------------------- looking


def bring_up_to_date(plan: Plan) -> None:
    """Score every system whose audio is here; a clip whose score still holds is not scored again."""
    made = systems_here(plan.split)
    if made or plan.systems:
        score_split(plan.split, made, plan.systems)


def systems_here(split: str) -> list[str]:
    """Systems whose audio is here. The ground truth comes first: the others are scored against it."""
    folder = AUDIO / split
    made = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(made, key=lambda system: (system != TRUTH, system))


class Options(Protocol):
    """Where `checked` reads the options; pytest's configuration is one."""

    def getoption(self, name: str, /) -> Any:
        """The value of an option."""


def checked(config: Options) -> Plan | None:
    """The options, held against this disk; None without --split. UseError: what is wrong or missing, what to run."""
    split = config.getoption("--split")
    if split is None:
        for option in ("--variant", "--system", "--accept"):
            if config.getoption(option):
                raise UseError(f"{option} needs --split S; see: v2sbench list splits")
        return None
    corpora.split(split)
    plan = Plan(
        split=split,
        variants=tuple(config.getoption("--variant")),
        systems=systems_of(config.getoption("--system"), split),
        accept=config.getoption("--accept"),
        why=config.getoption("--why"),
    )
    if not _there(split, TRUTH):
        need_split(split)
        raise UseError(f"{split} has no ground truth to score against; run: v2sbench synth {TRUTH} --split {split}")
    if plan.systems and not (AUDIO / split / TRUTH).is_dir():
        folder = AUDIO / split / TRUTH
        raise UseError(f"no folder {folder} with the references; run: v2sbench synth {TRUTH} --split {split}")
    cards = dict.fromkeys(list_cards())
    for variant in plan.variants:
        choose("variant", variant, cards)
        if not _there(split, variant):
            trained = any((WEIGHTS / split).glob(f"{variant}.seed*.safetensors"))
            todo = f"v2sbench synth {variant} --split {split}"
            raise UseError(
                f"{variant} has no audio on {split}; run: {todo}" if trained else
                f"{variant} has no weights for {split}; run: v2sbench train {variant} --split {split} && {todo}"
            )  # fmt: skip
    return plan


def _there(split: str, system: str) -> bool:
    """Whether the system has scores, or audio to make them from, in one training or more."""
    spoken = [AUDIO / split / name for name in trainings_of(system, AUDIO / split)]
    scored = trainings_of(system, MEASURED / split, ending=".jsonl")
    return all(map(Path.is_dir, spoken)) or all((MEASURED / split / f"{name}.jsonl").is_file() for name in scored)
