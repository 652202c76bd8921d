"""What a split's table says, as text: labels, cells, notes, comparisons, verdicts; tables.py lays it out.

A reported PESQ whose variant nobody knows has a column of its own. A reported WER carries a dagger: it was counted on
another recogniser's transcripts. A difference is printed only where both numbers followed one protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from v2sbench.results import bootstrap as stats
from v2sbench.results.bootstrap import Outcome
from v2sbench.results.claims import Pair
from v2sbench.results.measured import GROUPS
from v2sbench.results.paired import Paired
from v2sbench.results.published import BARE_PESQ
from v2sbench.results.rows import Cell, Row
from v2sbench.results.sheet import COMPARED, Table
from v2sbench.scoring.metrics import METRICS, PROTOCOLS

DIGITS = {"%": 1, "dB": 2}
"""Unit -> decimals of a measured number, 3 for every other; a reported one is printed as its source has it."""
MARKS: Mapping[Outcome, str] = MappingProxyType({"better": "▲", "worse": "▼", "inconclusive": ""})
"""What stands at the number of a system that differs significantly from the base."""
BOLD = "Bold: the best of the variants and users' systems in its column, ties as printed included."
"""What a layout that has bold numbers says of them."""
UNRELIABLE_WER = 20.0
"""Ground-truth WER in percent above which a WER says more about the recogniser than about the speech."""
CLAIMED: Mapping[Outcome, str] = MappingProxyType(
    {"better": "reproduced (better)", "worse": "not reproduced (worse)", "inconclusive": "inconclusive"}
)
"""How one comparison decides "left beats right" for its metric."""


def label(metric: str) -> str:
    """A metric's column heading."""
    if metric == BARE_PESQ:
        return "PESQ (as reported)"
    unit = METRICS[metric].unit
    return f"{METRICS[metric].column} {unit}".strip() if unit == "%" else METRICS[metric].column


def higher_is_better(metric: str) -> bool:
    """Whether more is better."""
    return metric == BARE_PESQ or METRICS[metric].higher_is_better


def digits(metric: str) -> int:
    """Decimals of a measured number."""
    return DIGITS.get(METRICS[metric].unit, 3)


def number(metric: str, value: float) -> str:
    """A measured number as people read it."""
    return f"{value:.{digits(metric)}f}"


def heard(metric: str) -> bool:
    """Whether a recogniser stands behind the metric."""
    return metric in METRICS and METRICS[metric].needs == "words"


def interval(metric: str, cell: Cell) -> str:
    """` [low, high]`, or nothing where there is none."""
    if cell.low is None or cell.high is None:
        return ""
    return f"[{number(metric, cell.low)}, {number(metric, cell.high)}]"


def value(table: Table, row: Row, metric: str, separator: str = " ") -> str:
    """A cell's number with its marks and its interval; empty where the metric is unknown."""
    cell = row.cells.get(metric)
    if cell is None:
        return ""
    if row.group == "reported":
        comparable = not heard(metric) or (table.standard is not None and f"asr={table.standard.asr}" in row.protocol)
        return f"{cell.value:g}" + ("" if comparable else "†")
    against = next((item.outcome for item in table.marks if (item.left, item.metric) == (row.system, metric)), None)
    mark = MARKS[against] if against else ""
    mark += "‡" if heard(metric) and _truth_wer(table) > UNRELIABLE_WER else ""
    return separator.join(filter(None, (number(metric, cell.value) + mark, interval(metric, cell))))


def _truth_wer(table: Table) -> float:
    return next((row.cells["wer"].value for row in table.rows if row.system == "ground-truth" and "wer" in row.cells),
                0.0)  # fmt: skip


def _remark(row: Row) -> str:
    """What its source and grade do not say about a reported row."""
    protocol = f"protocol {row.protocol}" if row.protocol else ""
    return "; ".join(filter(None, (row.note, protocol)))


def _odd(table: Table, row: Row) -> str:
    """Why a measured row, or its WER, is not comparable with the table's; empty when it is."""
    standard = table.standard
    if standard is None or row.group == "reported":
        return ""
    if row.protocol != standard.protocol:
        return f"was scored under protocol {row.protocol}: not comparable with the other rows"
    if row.asr != standard.asr and any(heard(metric) for metric in row.cells):
        return f"was heard by recogniser {row.asr}: its WER is not comparable with the other rows'"
    return ""


def grouped(table: Table) -> list[tuple[str, list[Row]]]:
    """Rows under the headings of their groups, empty groups left out."""
    found = [(title, [row for row in table.shown if row.group == group]) for group, title in GROUPS.items()]
    return [(title, members) for title, members in found if members]


def best(table: Table) -> set[tuple[str, str]]:
    """(system, metric) of the best number of each column among the variants and users' systems; ties as printed.

    Empty for a metric that only one of them has. A number made by other rules than the table's does not compete.
    """
    found = set()
    for metric in table.metrics:
        rows = [row for row in table.shown if row.group in COMPARED and _competes(table, row, metric)]
        shown = {row.system: float(number(metric, row.cells[metric].value)) for row in rows}
        if len(shown) > 1:
            top = max(shown.values()) if higher_is_better(metric) else min(shown.values())
            found |= {(system, metric) for system, value in shown.items() if value == top}
    return found


def _competes(table: Table, row: Row, metric: str) -> bool:
    """Whether a row has the metric by the table's protocol, version and, where one heard it, recogniser."""
    standard = table.standard
    return (
        standard is not None and metric in row.cells and row.protocol == standard.protocol
        and (not heard(metric) or row.asr == standard.asr)
        and row.versions.get(metric) == standard.versions.get(metric, row.versions.get(metric))
    )  # fmt: skip


def header(table: Table) -> list[str]:
    """Headings of the table for people."""
    metrics = [f"{label(metric)} {'↑' if higher_is_better(metric) else '↓'}" for metric in table.metrics]
    return ["system", "init", "identity", "vocoder", *metrics, "n", "failed", "source"]


def line(table: Table, row: Row) -> list[str]:
    """A row's cells as plain text, one for each heading."""
    counts = ["" if count is None else str(count) for count in (row.n, row.n_failed)]
    name = row.system + ("§" if _odd(table, row) else "")
    source = f"{row.source} ({row.grade})" if row.source else ""
    cells = [value(table, row, metric) for metric in table.metrics]
    return [name, row.init, row.identity, row.vocoder, *cells, *counts, source]


def facts(table: Table) -> list[str]:
    """What stands above the table, one sentence each."""
    standard = table.standard
    if standard is None:
        return ["Nothing was measured on this split."]
    found = [f"Protocol {standard.protocol or 'unknown'}, {standard.n} test utterances."]
    for coverage in dict.fromkeys(row.coverage for row in table.measured if row.coverage):
        found.append(f"Coverage: {coverage} clips of the full split; the other clips are not on this disk.")
    return found


def notes(table: Table) -> list[str]:
    """What stands under the table, one sentence or two each, in plain text."""
    found = [
        f"Brackets: 95 % interval, BCa bootstrap over utterances ({stats.RESAMPLES:,} resamples, fixed seed). "
        "Empty: unknown or not measured.",
    ]
    if table.standard and (table.standard.n or 0) < stats.MIN_PAIRS:
        found.append(f"With fewer than {stats.MIN_PAIRS} utterances the intervals are too narrow and decide nothing.")
    if table.standard and any(heard(metric) for metric in table.metrics):
        found += _wer_notes(table, table.standard)
    reported = [row for row in table.shown if row.group == "reported"]
    if reported:
        found.append(
            "Reported: as printed in the source; italics mark the grade secondary (quoted by a third party; the paper "
            "itself was not seen). Keys are in results/sources.bib."
        )
        if any(BARE_PESQ in row.cells for row in reported):
            found.append("PESQ (as reported): the source does not say which PESQ; comparable with no other column.")
        found += [f"{row.system}: {said}." for row in reported if (said := _remark(row))]
        if any("†" in value(table, row, metric) for row in reported for metric in table.metrics):
            found.append("† WER of another or an unnamed recogniser: not comparable with the WERs measured here.")
    for row in table.shown:
        if said := _odd(table, row):
            found.append(f"§ {row.system} {said}.")
    for row in table.shown:
        found += _failures(table, row)
    if compared := sum(item.comparison is not None for item in table.marks):
        found.append(
            f"▲ ▼ Significantly better, worse than {table.base}: paired bootstrap over the utterances that both have, "
            f"5 % level, p-values corrected by Holm over these {compared} comparisons. No mark: inconclusive, not "
            "comparable, or a ceiling, floor or reported number."
        )
    return found


def _wer_notes(table: Table, standard: Row) -> list[str]:
    """How the WER came about, and whether it can be trusted."""
    rules = PROTOCOLS[standard.protocol]
    truth = next((row.cells["wer"] for row in table.rows if row.system == "ground-truth" and "wer" in row.cells), None)
    said = f"{number('wer', truth.value)} % {interval('wer', truth)}".strip() if truth else "unknown"
    how = "pooled (S+D+I)/N over all words" if rules.aggregation == "pooled" else "mean of the utterances' (S+D+I)/N"
    how += "" if rules.per_words == "reference" else ", N being the words of the transcript"
    if rules.words == "heard":
        how, said = f"{how}, against what the recogniser hears in the real audio", "0 by definition"
    found = [f"WER: {how}, recogniser {standard.asr or 'unknown'}; its WER on the ground truth is {said}."]
    if _truth_wer(table) > UNRELIABLE_WER:
        found.append(
            f"‡ The recogniser errs on more than {UNRELIABLE_WER:g} % of the words of the true speech: this WER "
            "says more about the recogniser than about the systems."
        )
    return found


def _failures(table: Table, row: Row) -> list[str]:
    """Which utterances of a row have no value, what that does to its means, and which means it has not."""
    found = [
        f"{row.system}: no {', '.join(label(metric) for metric in row.missing if row.missing[metric] == why)}: {why}."
        for why in dict.fromkeys(row.missing.values())
    ]
    failed = [
        f"{label(metric)} {cell.n_failed}"
        + (f" (mean with failures as if silent: {number(metric, cell.floored)})" if cell.floored is not None else "")
        for metric, cell in row.cells.items()
        if cell.n_failed and metric in table.metrics
    ]
    if failed:
        zero = PROTOCOLS[row.protocol].failure == "zero"
        where = "of which a failed PESQ is 0 in the mean above" if zero else "in no mean above"
        found.append(f"{row.system}: utterances without a value, {where}: {', '.join(failed)}.")
    return found


def contrast_lines(table: Table) -> list[list[str]]:
    """Measured against reported: variant, metric, measured, reported, difference or why there is none."""
    return [
        [
            item.system,
            label(item.metric),
            "" if item.measured is None else number(item.metric, item.measured),
            f"{item.reported.value:g} ({item.reported.source}, {item.reported.grade})",
            f"not comparable: {item.why_not}" if item.difference is None else
            f"{item.difference:+.{digits(item.metric)}f}",
        ]
        for item in table.contrasts
    ]  # fmt: skip


def paired_cells(item: Paired[Any], words: Mapping[Outcome, str] | None = None) -> list[str]:
    """A comparison's difference with interval, corrected p, n, and what it says of the left side.

    words: other words for an outcome. The first three are empty where the two cannot be compared.
    """
    compared = item.comparison
    if compared is None or item.outcome is None or item.p_adjusted is None:
        return ["", "", "", f"not comparable: {item.why_not}"]
    places = digits(item.metric)
    spread = f"{compared.difference:+.{places}f} [{compared.low:+.{places}f}, {compared.high:+.{places}f}]"
    p = "< 0.001" if item.p_adjusted < 0.001 else f"{item.p_adjusted:.3f}"
    few = f" (fewer than {stats.MIN_PAIRS} utterances)" if compared.n < stats.MIN_PAIRS else ""
    return [spread, p, str(compared.n), (words[item.outcome] if words else item.outcome) + few]


def pair_lines(pairs: Sequence[Pair]) -> list[list[str]]:
    """Comparisons of variants: metric, the two systems, difference with interval, corrected p, n, verdict."""
    return [[label(pair.metric), pair.left.name, pair.right.name, *paired_cells(pair, CLAIMED)] for pair in pairs]


def mark_lines(table: Table) -> list[list[str]]:
    """Systems against the base: metric, system, base, difference with interval, corrected p, n, what the system is."""
    return [[label(item.metric), item.left, item.right, *paired_cells(item)] for item in table.marks]


def verdict_lines(table: Table) -> list[list[str]]:
    """Claims: text, source, grade, verdict, basis."""
    return [
        [
            verdict.claim.text,
            ", ".join(filter(None, (verdict.claim.source, verdict.claim.locator))),
            verdict.claim.grade,
            verdict.result,
            verdict.basis,
        ]
        for verdict in table.verdicts
    ]


PAIR_HEADER = ["metric", "system", "against", "difference", "p (Holm)", "n", "beats it?"]
MARK_HEADER = [*PAIR_HEADER[:-1], "it is"]
VERDICT_HEADER = ["claim", "source", "grade", "verdict", "basis"]
CONTRAST_HEADER = ["system", "metric", "measured", "reported", "difference"]
TITLES = {"init": "Does pre-training beat training from scratch?", "identity": "Speaker against face embedding"}
PAIR_NOTE = (
    "Paired bootstrap over the utterances that both systems have; 95 % percentile interval of the difference; p-values "
    "corrected by Holm over this table. reproduced: significantly better; not reproduced: significantly worse. A "
    "WER is better where the difference is negative."
)
