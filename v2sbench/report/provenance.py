"""Where the page's numbers come from: split, scoring, versions, machine, and what the models assume."""

from __future__ import annotations

from collections.abc import Mapping

from v2sbench.clips.splits import SplitTable
from v2sbench.nets import card_chain
from v2sbench.report.card_sources import Value, read_values
from v2sbench.results.measured import Measured
from v2sbench.results.table import Table
from v2sbench.runtime.systems import Variant


def provenance(
    table: Table, systems: Mapping[str, Measured], division: SplitTable | None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Facts under headings: the split, how it was scored, the machine."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    if division is not None:
        parts = ", ".join(f"{part} {count}" for part, count in division.sizes.items())
        found.append(("Split", [
            ("corpus", division.corpus), ("clips", parts), ("coverage", division.coverage_label or "complete"),
            ("division", division.division), ("contents", division.digest),
            ("list", division.listing or "the split's own"), ("speakers of the test part", f"{division.identity}"),
        ]))  # fmt: skip
    metas = [systems[row.system].meta for row in table.measured]
    for title, keys in (("Scoring", ("protocol", "asr", "normaliser", "aggregation")),):
        found.append((title, [
            (key, "; ".join(dict.fromkeys(str(meta[key]) for meta in metas if meta.get(key)))) for key in keys
        ]))  # fmt: skip
    versions: dict[str, dict[str, None]] = {}
    machines: dict[str, dict[str, None]] = {}
    for meta in metas:
        for name, version in meta.get("metrics", {}).items():
            versions.setdefault(name, {})[str(version)] = None
        for name, version in meta.get("environment", {}).items():
            machines.setdefault(name, {})[str(version)] = None
    found.append(("Versions of the metrics", [(name, ", ".join(values)) for name, values in versions.items()]))
    found.append(("Environment of the scoring", [(name, ", ".join(values)) for name, values in machines.items()]))
    return [(title, [(key, value) for key, value in rows if value]) for title, rows in found]


def assumptions(table: Table) -> list[Value]:
    """Values of the cards behind the table that the paper does not give."""
    names = [name for row in table.measured if Variant.of(row.system) for name in card_chain(row.system)]
    values = [value for name in dict.fromkeys(names) for value in read_values(name)]
    return [value for value in values if any(grade == "assumed" for grade, _ in value.reasons)]
