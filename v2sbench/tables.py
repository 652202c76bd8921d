"""Tables for people: Markdown, LaTeX and the console, from one list of cells.

    write_tables(split) -> results/tables/<split>.{md,csv,tex}

A reported PESQ whose variant nobody knows has a column of its own. A reported WER carries a dagger: it was counted on
another recogniser's transcripts. A difference is printed only where both numbers followed one protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tabulate import SEPARATING_LINE, tabulate

from v2sbench import claims as claims_module
from v2sbench import results, stats
from v2sbench.claims import WORDS, Pair
from v2sbench.metrics import METRICS
from v2sbench.results import BARE_PESQ, GROUPS
from v2sbench.rows import Cell, Row
from v2sbench.runtime import atomic
from v2sbench.sheet import SHOWN, Table, build, csv_text

TABLES = Path("results/tables")
DIGITS = {"pesq_wb": 3, "pesq_nb8": 3, "stoi": 3, "estoi": 3, "wer": 1}
"""Decimals of a measured number; a reported one is printed as its source has it."""
UNRELIABLE_WER = 20.0
"""Ground-truth WER in percent above which a WER says more about the recogniser than about the speech."""

__all__ = ["console", "latex", "markdown", "write_tables"]


def write_tables(
    split: str,
    *,
    measured: Path = results.MEASURED,
    reported: Path = results.REPORTED,
    claims: Path = claims_module.CLAIMS,
    out: Path = TABLES,
) -> Table:
    """Build the table and write `<out>/<split>.{md,csv,tex}`."""
    table = build(split, measured=measured, reported=reported, claims=claims)
    for ending, text in (("md", markdown(table)), ("csv", csv_text(table)), ("tex", latex(table))):
        with atomic(out / f"{split}.{ending}") as draft:
            draft.write_bytes(text.encode())
    return table


# ---------------------------------------------------------------- what is said


def label(metric: str) -> str:
    """A metric's column heading."""
    if metric == BARE_PESQ:
        return "PESQ (as reported)"
    unit = METRICS[metric].unit
    return f"{METRICS[metric].column} {unit}".strip() if unit == "%" else METRICS[metric].column


def higher_is_better(metric: str) -> bool:
    """Whether more is better."""
    return metric == BARE_PESQ or METRICS[metric].higher_is_better


def number(metric: str, value: float) -> str:
    """A measured number as people read it."""
    return f"{value:.{DIGITS.get(metric, 3)}f}"


def interval(metric: str, cell: Cell) -> str:
    """` [low, high]`, or nothing where there is none."""
    if cell.low is None or cell.high is None:
        return ""
    return f"[{number(metric, cell.low)}, {number(metric, cell.high)}]"


def _value(table: Table, row: Row, metric: str, separator: str = " ") -> str:
    cell = row.cells.get(metric)
    if cell is None:
        return ""
    if row.group == "reported":
        comparable = metric != "wer" or (table.standard is not None and f"asr={table.standard.asr}" in row.protocol)
        return f"{cell.value:g}" + ("" if comparable else "†")
    mark = "‡" if metric == "wer" and _truth_wer(table) > UNRELIABLE_WER else ""
    return separator.join(filter(None, (number(metric, cell.value) + mark, interval(metric, cell))))


def _truth_wer(table: Table) -> float:
    return next((row.cells["wer"].value for row in table.rows if row.system == "ground-truth" and "wer" in row.cells),
                0.0)  # fmt: skip


def _remark(row: Row) -> str:
    """What its source and grade do not say about a reported row."""
    protocol = f"protocol {row.protocol}" if row.protocol else ""
    return "; ".join(filter(None, (row.note, protocol)))


def _odd(table: Table, row: Row) -> bool:
    """Whether a measured row was scored under another protocol or recogniser than the table's."""
    standard = table.standard
    return standard is not None and row.group != "reported" and (
        (row.protocol, row.asr) != (standard.protocol, standard.asr)
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
    cells = [_value(table, row, metric) for metric in table.metrics]
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
    recognisers = [row for row in table.measured if "wer" in row.cells]
    if recognisers and table.standard:
        truth = next((row.cells["wer"] for row in recognisers if row.system == "ground-truth"), None)
        said = f"{number('wer', truth.value)} % {interval('wer', truth)}".strip() if truth else "unknown"
        found.append(
            f"WER: pooled (S+D+I)/N over all words, recogniser {table.standard.asr or 'unknown'}; "
            f"its WER on the ground truth is {said}."
        )
        if _truth_wer(table) > UNRELIABLE_WER:
            found.append(
                f"‡ The recogniser errs on more than {UNRELIABLE_WER:g} % of the words of the true speech: this WER "
                "says more about the recogniser than about the systems."
            )
    if any(row.group == "reported" for row in table.rows):
        found.append(
            "Reported: as printed in the source; italics mark the grade secondary (quoted by a third party; the paper "
            "itself was not seen). Keys are in results/sources.bib."
        )
        if any(BARE_PESQ in row.cells for row in table.rows):
            found.append("PESQ (as reported): the source does not say which PESQ; comparable with no other column.")
        found += [f"{row.system}: {said}." for row in table.rows if row.group == "reported" and (said := _remark(row))]
        if any("†" in _value(table, row, "wer") for row in table.rows if row.group == "reported"):
            found.append("† WER of another or an unnamed recogniser: not comparable with the WERs measured here.")
    if table.standard:
        found += [
            f"§ {row.system} was scored under protocol {row.protocol or 'unknown'} with recogniser "
            f"{row.asr or 'none'}: not comparable with the other rows."
            for row in table.measured
            if _odd(table, row)
        ]
    for row in table.measured:
        failed = [
            f"{label(metric)} {cell.n_failed}"
            + (f" (mean with failures as if silent: {number(metric, cell.floored)})" if cell.floored is not None
               else "")
            for metric, cell in row.cells.items()
            if cell.n_failed and metric in SHOWN
        ]  # fmt: skip
        if failed:
            found.append(f"{row.system}: utterances without a value, in no mean above: {', '.join(failed)}.")
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
            f"{item.difference:+.{DIGITS.get(item.metric, 3)}f}",
        ]
        for item in table.contrasts
    ]  # fmt: skip


def pair_lines(pairs: Sequence[Pair]) -> list[list[str]]:
    """Comparisons: metric, the two systems, difference with interval, corrected p, n, verdict."""
    found = []
    for pair in pairs:
        names = [label(pair.metric), pair.left.name, pair.right.name]
        compared = pair.comparison
        if compared is None or pair.outcome is None or pair.p_adjusted is None:
            found.append([*names, "", "", "", f"not comparable: {pair.why_not}"])
            continue
        digits = DIGITS.get(pair.metric, 3)
        spread = f"{compared.difference:+.{digits}f} [{compared.low:+.{digits}f}, {compared.high:+.{digits}f}]"
        p = "< 0.001" if pair.p_adjusted < 0.001 else f"{pair.p_adjusted:.3f}"
        said = WORDS[pair.outcome] + ("" if pair.outcome == "inconclusive" else f" ({pair.outcome})")
        if compared.n < stats.MIN_PAIRS:
            said += f" (fewer than {stats.MIN_PAIRS} utterances)"
        found.append([*names, spread, p, str(compared.n), said])
    return found


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
VERDICT_HEADER = ["claim", "source", "grade", "verdict", "basis"]
CONTRAST_HEADER = ["system", "metric", "measured", "reported", "difference"]
TITLES = {"init": "Does pre-training beat training from scratch?", "identity": "Speaker against face embedding"}
PAIR_NOTE = (
    "Paired bootstrap over the utterances that both systems have; 95 % percentile interval of the difference; p-values "
    "corrected by Holm over this table. reproduced: significantly better; not reproduced: significantly worse. A "
    "WER is better where the difference is negative."
)


# ---------------------------------------------------------------- how it is laid out


def grouped(table: Table) -> list[tuple[str, list[Row]]]:
    """Rows under the headings of their groups, empty groups left out."""
    found = [(title, [row for row in table.rows if row.group == group]) for group, title in GROUPS.items()]
    return [(title, members) for title, members in found if members]


def markdown(table: Table) -> str:
    """The table as GitHub Markdown."""
    parts = [
        f"<!-- Generated by `v2sbench table {table.split}`; do not edit. -->",
        f"# {table.split}",
        " ".join(facts(table)),
        _pipes(header(table), _body(table, str, "**{}**".format, "*{}*".format)),
        "\n".join(f"- {note}" for note in notes(table)),
    ]
    if table.contrasts:
        parts += ["## Measured beside reported", _pipes(CONTRAST_HEADER, contrast_lines(table))]
    for axis, title in TITLES.items():
        pairs = [pair for pair in table.pairs if pair.axis == axis]
        if pairs:
            parts += [f"## {title}", _pipes(PAIR_HEADER, pair_lines(pairs)), PAIR_NOTE]
    if table.verdicts:
        parts += ["## The paper's claims on this split", _pipes(VERDICT_HEADER, verdict_lines(table))]
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> str:
    r"""The table for a paper (`\usepackage{booktabs}`), with the notes and verdicts as text under it."""
    head = header(table)
    body = []
    for title, members in grouped(table):
        body.append(rf"\midrule\multicolumn{{{len(head)}}}{{l}}{{\textbf{{{_tex(title)}}}}}\\")
        for row in members:
            cells = [_tex(cell) for cell in line(table, row)]
            if row.source:
                cells[-1] = rf"\cite{{{row.source}}} ({row.grade})"
            if row.grade == "secondary":
                cells[:-1] = [rf"\textit{{{cell}}}" if cell else "" for cell in cells[:-1]]
            body.append(" & ".join(cells) + r"\\")
    said = [*facts(table), *notes(table)]
    compared = [_sentence(cells) for cells in pair_lines(table.pairs)]
    verdicts = [f"{text} ({source}; {grade}): {result}; {basis}." for text, source, grade, result, basis
                in verdict_lines(table)]  # fmt: skip
    return "\n".join(
        [
            f"% Generated by `v2sbench table {table.split}`; do not edit.",
            r"\begin{table*}\centering\scriptsize",
            rf"\caption{{{_tex(table.split)}. {_tex(' '.join(facts(table)))}}}\label{{tab:{table.split}}}",
            rf"\begin{{tabular}}{{llll{'r' * (len(head) - 5)}l}}",
            r"\toprule",
            " & ".join(map(_tex, head)) + r"\\",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\raggedright",
            *(_tex(sentence) + r"\par" for sentence in [*said[len(facts(table)) :], *compared, *verdicts]),
            r"\end{table*}",
            "",
        ]
    )


def _sentence(cells: Sequence[str]) -> str:
    """One of `pair_lines` as text."""
    metric, system, against, difference, p, n, said = cells
    numbers = f"{difference}, p (Holm) {p}, n = {n}: " if difference else ""
    return f"{metric}, {system} against {against}: {numbers}{said}."


def console(table: Table) -> str:
    """The table for a terminal: intervals under their means, notes and verdicts below."""
    keep = [index for index, name in enumerate(header(table)) if name not in ("init", "identity", "source")]
    lines: list[list[str] | str] = []
    for title, members in grouped(table):
        lines += [SEPARATING_LINE, [title]] if lines else [[title]]
        for row in members:
            cells = line(table, row)
            spread = [_value(table, row, metric, "\n") for metric in table.metrics]
            cells[4 : 4 + len(spread)] = spread
            cells[0] = "  " + cells[0] + (f"\n    {row.source} ({row.grade})" if row.source else "")
            lines.append([cells[index] for index in keep])
    heads = [header(table)[index].replace(" (", "\n(") for index in keep]
    parts = [
        f"{table.split}: {' '.join(facts(table))}",
        tabulate(lines, heads, tablefmt="simple", disable_numparse=True, preserve_whitespace=True),
        "\n".join(notes(table)),
    ]
    for axis, title in TITLES.items():
        pairs = [pair for pair in table.pairs if pair.axis == axis]
        if pairs:
            parts.append(f"{title}\n{tabulate(pair_lines(pairs), PAIR_HEADER, disable_numparse=True)}")
    if table.verdicts:
        parts.append("\n".join(f"Claim: {text} [{source}, {grade}]\n  -> {result} ({basis})"
                               for text, source, grade, result, basis in verdict_lines(table)))  # fmt: skip
    return "\n\n".join(parts)


def _body(
    table: Table, plain: Callable[[str], str], bold: Callable[[str], str], italic: Callable[[str], str]
) -> list[list[str]]:
    """Rows for a layout: group headings in bold, reported rows of the grade secondary in italics."""
    lines = []
    for title, members in grouped(table):
        lines.append([bold(title)] + [""] * (len(header(table)) - 1))
        for row in members:
            mark = italic if row.grade == "secondary" else plain
            lines.append([mark(cell) if cell else "" for cell in line(table, row)])
    return lines


def _pipes(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the text columns at its left and right ends are set left, numbers right."""
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    return tabulate(escaped, list(head), tablefmt="pipe", disable_numparse=True)


_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}",
        "<": r"$<$", ">": r"$>$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    }
)  # fmt: skip


def _tex(text: str) -> str:
    """Plain text with LaTeX's own characters escaped."""
    return text.translate(_TEX)
