"""The paper's claims on a split. The verdicts are printed; which way they fall is a result and fails nothing.

What fails is a split named as a whole on which "pre-trained beats scratch" cannot be decided, because scores are
missing or were not made alike.
"""

from __future__ import annotations

import pytest

from benchmarks.conftest import Plan
from v2sbench.results import Table, claims
from v2sbench.results.wording import pair_lines, verdict_lines


def test_pretrained_against_scratch(plan: Plan, table: Table) -> None:
    systems = {row.system: row for row in table.measured}
    missing = claims.incomplete(systems)
    pairs = [pair for pair in table.pairs if pair.axis == "init"]
    if missing or not pairs:
        todo = missing or ["scratch, frozen and tuned variants"]
        text = f"pre-trained against scratch cannot be decided on {plan.split}: no scores of {', '.join(todo)}"
        if not plan.whole:
            pytest.skip(text)
        pytest.fail(f"{text}; run `dvc repro`, or v2sbench train, synth and score each", pytrace=False)
    odd = [f"{pair.left.name} / {pair.right.name}, {pair.metric}: {pair.why_not}" for pair in pairs if pair.why_not]
    if odd:
        pytest.fail("scored differently:\n" + "\n".join(odd), pytrace=False)
    for cells in pair_lines(pairs):
        print("  ".join(cells))


def test_every_claim_about_the_split_has_a_verdict(plan: Plan, table: Table) -> None:
    about = [claim.id for claim in claims.read_claims() if not claim.splits or plan.split in claim.splits]
    assert [verdict.claim.id for verdict in table.verdicts] == about
    for cells in verdict_lines(table):
        print("  ".join(cells))
