"""The page's last section: the split, where the numbers come from, and what the models assume."""

from __future__ import annotations

from dataclasses import replace

from v2sbench.clips.splits import SplitTable
from v2sbench.nets import card_chain
from v2sbench.report.card_sources import VARIANT, Value, read_values
from v2sbench.results import Table
from v2sbench.results.provenance import Facts, provenance, said
from v2sbench.runtime.systems import Variant


def sources(table: Table, division: SplitTable | None) -> list[tuple[str, Facts]]:
    """Facts under headings: the split, then those of the table."""
    found = provenance(table)
    found[-1][1].append(("this page", f"v2sbench report {table.split}"))
    if division is not None:
        parts = ", ".join(f"{part} {count}" for part, count in division.sizes.items())
        split = {
            "corpus": division.corpus,
            "clips": parts,
            "coverage": division.coverage_label or "complete",
            "division": division.division,
            "contents": division.digest,
            "list": division.listing or "the split's own",
            "speakers of the test part": str(division.identity),
        }
        found.insert(0, ("Split", list(split.items())))
    return found


def assumptions(table: Table) -> list[Value]:
    """Values behind the table that the paper does not give, or for which the card gives no source, as they were used.

    A value that the profile changed stands before the card's.
    """
    found: dict[tuple[str, str], Value] = {}
    for row in table.measured:
        used = table.results.recipes[row.system].changed
        for card in card_chain(row.system) if Variant.of(row.system) else ():
            for value in filter(_assumed, read_values(card)):
                if value.key in used:
                    value = replace(value, text=f"{said(used[value.key][1])} (card: {value.text})")
                found.setdefault((card, value.key), value)
    return list(found.values())


def _assumed(value: Value) -> bool:
    grades = [grade for grade, _ in value.reasons]
    return "assumed" in grades or (not grades and value.key not in VARIANT)
