"""The words of a split's table: labels, numbers, notes, comparisons, verdicts. `layout` puts them into tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from v2sbench.results.bootstrap import MIN_PAIRS, RESAMPLES, Outcome
from v2sbench.results.claims import Pair, Paired
from v2sbench.results.published import BARE_PESQ
from v2sbench.results.table import Cell, Row, Table
from v2sbench.runtime.systems import GROUND_TRUTH
from v2sbench.scoring import METRICS, PROTOCOLS

DIGITS = {"%": 1, "dB": 2}
"""Unit -> decimals of a measured number, 3 for every other; a reported one is printed as its source has it."""
MARKS: Mapping[Outcome, str] = MappingProxyType({"better": "▲", "worse": "▼", "inconclusive": ""})
"""The mark at the number of a system that differs significantly from the base."""
BOLD = "Bold: the best of the variants and users' systems in its column, ties as printed included."
UNRELIABLE_WER = 20.0
"""Ground-truth WER in percent above which a WER says more about the recogniser than about the speech."""
PAIR_HEADER = ["metric", "system", "against", "difference", "p (Holm)", "trainings", "n", "it is"]
VERDICT_HEADER = ["claim", "source", "grade", "verdict", "basis"]
CONTRAST_HEADER = ["system", "metric", "measured", "reported", "difference"]
TITLES = {"init": "Does pre-training beat training from scratch?", "identity": "Speaker against face embedding"}
PAIR_NOTE = (
    "Over the trainings of both and the utterances that all of them have; 95 % interval of the difference; p-values "
    "corrected by Holm over this table. A WER is better where the difference is negative."
)
BOOTSTRAP = f"Brackets: 95 % interval, BCa bootstrap over utterances ({RESAMPLES:,} resamples, fixed seed)."
INTERVALS = (
    "A row is a recipe: the mean of its trainings ± the standard deviation between them. Brackets: 95 % interval over "
    f"trainings and utterances; with one training, BCa bootstrap over utterances ({RESAMPLES:,} resamples, fixed seed)."
)
WEIGHTS_NOTE = (
    "These weights: one side was trained once, so the outcome is a difference between these weights, not between the "
    "recipes; another seed may turn it round."
)


def label(metric: str) -> str:
    """A metric's column heading."""
    if metric == BARE_PESQ:
        return "PESQ (as reported)"
    item = METRICS[metric]
    return f"{item.column} %" if item.unit == "%" else item.column


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


def spread(metric: str, cell: Cell) -> str:
    """` ± s` between trainings, or nothing where there is one."""
    return "" if cell.spread is None else f" ± {number(metric, cell.spread)}"


def interval(metric: str, cell: Cell) -> str:
    """`[low, high]`, or nothing where there is none."""
    if cell.low is None or cell.high is None:
        return ""
    return f"[{number(metric, cell.low)}, {number(metric, cell.high)}]"


def truth_wer(table: Table) -> float:
    """WER of the ground truth in percent, 0 where it has none."""
    truth = _truth(table)
    return truth.value if truth else 0.0


def _truth(table: Table) -> Cell | None:
    return next((row.cells.get("wer") for row in table.measured if row.system == GROUND_TRUTH), None)


def odd(table: Table, row: Row) -> str:
    """Why a measured row, or its WER, is not comparable with the table's; empty when it is."""
    standard = table.standard
    if standard is None or row.group == "reported":
        return ""
    if row.protocol != standard.protocol:
        return f"was scored under protocol {row.protocol}: not comparable with the other rows"
    if row.asr != standard.asr and any(heard(metric) for metric in row.cells):
        return f"was heard by recogniser {row.asr}: its WER is not comparable with the other rows'"
    return ""


def foreign_wer(table: Table, row: Row, metric: str) -> bool:
    """Whether a reported number was counted on the transcripts of another recogniser, or of one that nobody names."""
    known = table.standard is not None and f"asr={table.standard.asr}" in row.protocol
    return metric in row.cells and heard(metric) and not known


def facts(table: Table) -> list[str]:
    """The sentences above the table."""
    standard = table.standard
    if standard is None:
        return ["Nothing was measured on this split."]
    found = [f"Protocol {standard.protocol or 'unknown'}, {standard.n} test utterances."]
    for coverage in dict.fromkeys(row.coverage for row in table.measured if row.coverage):
        found.append(f"Coverage: {coverage} clips of the full split; the other clips are not on this disk.")
    return found


def notes(table: Table) -> list[str]:
    """The notes under the table, in plain text, one sentence or two each."""
    several = any((row.trainings or 1) > 1 for row in table.shown)
    found = [f"{INTERVALS if several else BOOTSTRAP} Empty: unknown or not measured."]
    if table.standard and (table.standard.n or 0) < MIN_PAIRS:
        found.append(f"With fewer than {MIN_PAIRS} utterances the intervals are too narrow and decide nothing.")
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
        for row in reported:
            said = [row.note, f"protocol {row.protocol}" if row.protocol else ""]
            found += [f"{row.system}: {'; '.join(filter(None, said))}."] if any(said) else []
        if any(foreign_wer(table, row, metric) for row in reported for metric in table.metrics):
            found.append("† WER of another or an unnamed recogniser: not comparable with the WERs measured here.")
    found += [f"§ {row.system} {odd(table, row)}." for row in table.shown if odd(table, row)]
    found += [sentence for row in table.shown for sentence in _failures(table, row)]
    if compared := sum(item.comparison is not None for item in table.marks):
        found.append(
            f"▲ ▼ Significantly better, worse than {table.base} over the utterances that both have, and over trainings "
            f"where there are several: 5 % level, p-values corrected by Holm over these {compared} comparisons. No "
            "mark: inconclusive, not comparable, or a ceiling, floor or reported number."
        )
    pairs: list[Paired[Any]] = [*table.marks, *table.pairs]
    if any(item.comparison and not item.comparison.of_recipes for item in pairs):
        found.append(WEIGHTS_NOTE)
    return found


def _wer_notes(table: Table, standard: Row) -> list[str]:
    """How the WER came about, and whether it can be trusted."""
    rules = PROTOCOLS[standard.protocol]
    truth = _truth(table)
    said = f"{number('wer', truth.value)} % {interval('wer', truth)}".strip() if truth else "unknown"
    how = "pooled (S+D+I)/N over all words" if rules.aggregation == "pooled" else "mean of the utterances' (S+D+I)/N"
    how += "" if rules.per_words == "reference" else ", N being the words of the transcript"
    if rules.words == "heard":
        how, said = f"{how}, against what the recogniser hears in the real audio", "0 by definition"
    found = [f"WER: {how}, recogniser {standard.asr or 'unknown'}; its WER on the ground truth is {said}."]
    if truth_wer(table) > UNRELIABLE_WER:
        found.append(
            f"‡ The recogniser errs on more than {UNRELIABLE_WER:g} % of the words of the true speech: this WER "
            "says more about the recogniser than about the systems."
        )
    return found


def _failures(table: Table, row: Row) -> list[str]:
    """The utterances of a row that have no value, their effect on its means, and the means that it lacks."""
    found = []
    for why in dict.fromkeys(row.missing.values()):
        without = [label(metric) for metric, reason in row.missing.items() if reason == why]
        found.append(f"{row.system}: no {', '.join(without)}: {why}.")
    failed = []
    for metric, cell in row.cells.items():
        if cell.n_failed and metric in table.metrics:
            floored = "" if cell.floored is None else number(metric, cell.floored)
            aside = f" (mean with failures as if silent: {floored})" if floored else ""
            failed.append(f"{label(metric)} {cell.n_failed}{aside}")
    if failed:
        zero = PROTOCOLS[row.protocol].failure == "zero"
        where = "of which a failed PESQ is 0 in the mean above" if zero else "in no mean above"
        found.append(f"{row.system}: utterances without a value, {where}: {', '.join(failed)}.")
    return found


def contrast_lines(table: Table) -> list[list[str]]:
    """Measured against reported: variant, metric, measured, reported, difference or why there is none."""
    found = []
    for item in table.contrasts:
        measured = "" if item.measured is None else number(item.metric, item.measured)
        reported = f"{item.reported.value:g} ({item.reported.source}, {item.reported.grade})"
        difference = f"not comparable: {item.why_not}"
        if item.difference is not None:
            difference = f"{item.difference:+.{digits(item.metric)}f}"
        found.append([item.system, label(item.metric), measured, reported, difference])
    return found


def paired_cells(item: Paired[Any]) -> list[str]:
    """A comparison's difference with interval, corrected p, trainings, n, and the outcome for the left side.

    All but the last are empty where the two cannot be compared.
    """
    compared = item.comparison
    if compared is None or item.outcome is None or item.p_adjusted is None:
        return ["", "", "", "", f"not comparable: {item.why_not}"]
    places = digits(item.metric)
    spread = f"{compared.difference:+.{places}f} [{compared.low:+.{places}f}, {compared.high:+.{places}f}]"
    p = "< 0.001" if item.p_adjusted < 0.001 else f"{item.p_adjusted:.3f}"
    few = f" (fewer than {MIN_PAIRS} utterances)" if compared.n < MIN_PAIRS else ""
    scope = "" if compared.of_recipes else " (these weights)"
    ours, theirs = compared.trainings
    return [spread, p, f"{ours}, {theirs}", str(compared.n), item.outcome + scope + few]


def pair_lines(pairs: Sequence[Pair]) -> list[list[str]]:
    """Comparisons of variants: metric, both systems, difference with interval, corrected p, trainings, n, outcome."""
    return [[label(pair.metric), pair.left.name, pair.right.name, *paired_cells(pair)] for pair in pairs]


def mark_lines(table: Table) -> list[list[str]]:
    """Systems against the base: metric, system, base, difference with interval, corrected p, trainings, n, outcome."""
    return [[label(item.metric), item.left, item.right, *paired_cells(item)] for item in table.marks]


def by_axis(table: Table) -> list[tuple[str, list[Pair]]]:
    """Comparisons of variants under the title of what they differ in, empty titles left out."""
    found = [(title, [pair for pair in table.pairs if pair.axis == axis]) for axis, title in TITLES.items()]
    return [(title, pairs) for title, pairs in found if pairs]


def verdict_lines(table: Table) -> list[list[str]]:
    """Claims: text, source, grade, verdict, basis."""
    found = []
    for verdict in table.verdicts:
        claim = verdict.claim
        source = ", ".join(filter(None, (claim.source, claim.locator)))
        found.append([claim.text, source, claim.grade, verdict.result, verdict.basis])
    return found


def sentences(table: Table) -> list[str]:
    """All comparisons and verdicts as running text."""
    found = []
    for metric, system, against, difference, p, trainings, n, said in [*mark_lines(table), *pair_lines(table.pairs)]:
        numbers = f"{difference}, p (Holm) {p}, trainings {trainings}, n = {n}: " if difference else ""
        found.append(f"{metric}, {system} against {against}: {numbers}{said}.")
    for text, source, grade, result, basis in verdict_lines(table):
        found.append(f"{text} ({source}; {grade}): {result}; {basis}.")
    return found
