"""Quality of a split's systems: the table is written and printed, then held against the baseline by the gate.

Nothing is asserted before everything was measured; one failure names every cell that moved, in either direction.
"""

from __future__ import annotations

import pytest

from benchmarks.conftest import Plan
from v2sbench.results import Table, accept, check, read_claims, read_reported
from v2sbench.results.gate_files import baseline_folder, read_baseline
from v2sbench.results.gate_report import report
from v2sbench.results.measured import MEASURED
from v2sbench.results.published import read_sources
from v2sbench.runtime import CheckError, UseError
from v2sbench.runtime.systems import FLOORS, GROUND_TRUTH
from v2sbench.scoring.metrics import METRICS


def test_numbers_are_possible(table: Table) -> None:
    wrong = [
        f"{row.system}: {metric} = {cell.value:g}, possible is {METRICS[metric].low:g} to {METRICS[metric].high:g}"
        for row in table.measured
        for metric, cell in row.cells.items()
        if not METRICS[metric].low - 1e-6 <= cell.value <= METRICS[metric].high + 1e-6
    ]
    assert not wrong, "\n".join(wrong)


def test_what_was_asked_for_has_numbers(plan: Plan, table: Table) -> None:
    empty = [name for name in (*plan.variants, *plan.recipes) if not table.row(name).cells]
    assert not empty, f"no metric has a value for {', '.join(empty)}; see {MEASURED / plan.split}"


def test_truth_is_above_the_floors(table: Table) -> None:
    """A metric by which noise or another sentence beats the ground truth was computed on the wrong files."""
    rows = {row.system: row for row in table.measured}
    wrong = []
    for floor in FLOORS:
        for metric in ("pesq_wb", "stoi", "estoi"):
            if floor in rows and metric in rows[floor].cells and metric in rows[GROUND_TRUTH].cells:
                low, high = rows[floor].cells[metric].value, rows[GROUND_TRUTH].cells[metric].value
                if low >= high:
                    wrong.append(f"{metric}: {floor} {low:.3f}, ground truth {high:.3f}")
    assert not wrong, "\n".join(wrong)


def test_scoring_and_numbers_are_those_of_the_baseline(plan: Plan, table: Table) -> None:
    """The gate's two questions. Two-sided: a number that got better is a change to look at and to accept."""
    folder = baseline_folder(plan.split)
    path = folder / f"{plan.split}.csv"
    if not path.is_file() and not plan.accept:
        pytest.skip(f"no baseline {path}; --accept makes one")
    named = () if plan.whole else (*plan.variants, *plan.recipes)
    try:
        if plan.accept:
            accept(table.results, plan.why, systems=named)
            folder = baseline_folder(plan.split)
        known = read_baseline(plan.split, folder).recipes
        # Whoever scores a system of their own need not have ours.
        here = {row.system for row in table.measured}.union(plan.variants)
        looked = [] if plan.whole else [name for name in known if name in here]
        if not plan.whole and not looked:
            pytest.skip(f"{path} has none of the systems that were measured; --accept adds those that are named")
        checked = check(table.results, only=looked)
    except (UseError, CheckError) as error:
        pytest.fail(f"v2sbench: {error}", pytrace=False)
    if checked.changes:
        pytest.fail(report(checked), pytrace=False)


def test_reported_numbers_have_a_source() -> None:
    """Needs no split: every source of a reported number or claim is in sources.bib."""
    cited = {line.source for line in read_reported()} | {claim.source for claim in read_claims()}
    assert cited <= set(read_sources())
