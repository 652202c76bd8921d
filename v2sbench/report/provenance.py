"""Where the page's numbers come from: split, scoring, versions, machine, and what the models assume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from v2sbench.clips.splits import SplitTable
from v2sbench.nets import card_chain
from v2sbench.report.card_sources import VARIANT, Value, read_values
from v2sbench.results import Table
from v2sbench.runtime.systems import Variant

Facts = list[tuple[str, str]]


def provenance(table: Table, division: SplitTable | None) -> list[tuple[str, Facts]]:
    """Facts under headings: the split, how it was scored, versions and machine."""
    found: list[tuple[str, Facts]] = []
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
        found.append(("Split", list(split.items())))
    metas = [table.results.systems[row.system].meta for row in table.measured]
    scoring = [{key: meta.get(key) for key in ("protocol", "asr", "normaliser", "aggregation")} for meta in metas]
    found.append(("Scoring", _joined(scoring, "; ")))
    found.append(("Versions of the metrics", _joined([meta.get("metrics", {}) for meta in metas], ", ")))
    found.append(("Environment of the scoring", _joined([meta.get("environment", {}) for meta in metas], ", ")))
    return found


def _joined(metas: Iterable[Mapping[str, object]], between: str) -> Facts:
    """Every key with its different values."""
    values: dict[str, list[str]] = {}
    for meta in metas:
        for key, value in meta.items():
            known = values.setdefault(key, [])
            if value and str(value) not in known:
                known.append(str(value))
    return [(key, between.join(texts)) for key, texts in values.items() if texts]


def assumptions(table: Table) -> list[Value]:
    """Values of the cards behind the table that the paper does not give, or for which the card gives no source."""
    names = [name for row in table.measured if Variant.of(row.system) for name in card_chain(row.system)]
    values = [value for name in dict.fromkeys(names) for value in read_values(name)]
    return [value for value in values if _assumed(value)]


def _assumed(value: Value) -> bool:
    grades = [grade for grade, _ in value.reasons]
    return "assumed" in grades or (not grades and value.key not in VARIANT)
