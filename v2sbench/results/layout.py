"""Tables as text: the one place that turns a cell, a comparison or a verdict into words and lays them out.

    Table --cells--> `Text` a cell --markdown, latex, console--> for people
          --tidy---> csv, json ----------------------------------> for programs

A reported PESQ whose variant nobody knows has a column of its own. A reported WER carries a dagger: it was counted on
another recogniser's transcripts. A difference is printed only where both numbers followed one protocol. `wording` has
the sentences around the table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import SEPARATING_LINE, tabulate

from v2sbench.results import wording
from v2sbench.results.measured import GROUPS
from v2sbench.results.provenance import changed, provenance
from v2sbench.results.table import COMPARED, Row, Table
from v2sbench.results.tidy import precise, tidy
from v2sbench.results.wording import heard, higher_is_better, interval, label, number, odd, spread
from v2sbench.runtime import atomic

TABLES = Path("results/tables")
IDLE = ("init", "identity", "source")
"""Headings that a narrow layout leaves out."""


@dataclass(frozen=True)
class Text:
    """A cell for people."""

    number: str  # with its marks; any other text in a column that is no metric's
    interval: str = ""  # `[low, high]`, or empty
    best: bool = False  # whether it is set in bold


def keys(table: Table) -> list[str]:
    """What each column holds; a metric by its key."""
    trainings = ["trainings"] if _several(table) else []
    return ["system", "init", "identity", "vocoder", *table.metrics, *trainings, "n", "failed", "source"]


def header(table: Table) -> list[str]:
    """Headings of the columns."""
    arrows = {metric: "↑" if higher_is_better(metric) else "↓" for metric in table.metrics}
    return [f"{label(key)} {arrows[key]}" if key in arrows else key for key in keys(table)]


def _several(table: Table) -> bool:
    return any((row.trainings or 1) > 1 for row in table.shown)


def grouped(table: Table) -> list[tuple[str, list[Row]]]:
    """Rows under the headings of their groups, empty groups left out."""
    found = [(title, [row for row in table.shown if row.group == group]) for group, title in GROUPS.items()]
    return [(title, members) for title, members in found if members]


def cells(table: Table, row: Row) -> list[Text]:
    """A row's cells, one for each heading."""
    numbers = (*([row.trainings] if _several(table) else []), row.n, row.n_failed)
    counts = ["" if count is None else str(count) for count in numbers]
    name = row.system + ("§" if odd(table, row) else "")
    source = f"{row.source} ({row.grade})" if row.source else ""
    winners = best(table)
    metrics = [_metric(table, row, metric, (row.system, metric) in winners) for metric in table.metrics]
    left, right = (name, row.init, row.identity, row.vocoder), (*counts, source)
    return [*map(Text, left), *metrics, *map(Text, right)]


def _metric(table: Table, row: Row, metric: str, bold: bool) -> Text:
    cell = row.cells.get(metric)
    if cell is None:
        return Text("")
    if row.group == "reported":
        return Text(f"{cell.value:g}" + ("†" if wording.foreign_wer(table, row, metric) else ""))
    against = next((item.outcome for item in table.marks if (item.left, item.metric) == (row.system, metric)), None)
    mark = wording.MARKS[against] if against else ""
    if heard(metric) and wording.truth_wer(table) > wording.UNRELIABLE_WER:
        mark += "‡"
    return Text(number(metric, cell.value) + mark + spread(metric, cell), interval(metric, cell), bold)


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
    if standard is None or metric not in row.cells or row.protocol != standard.protocol:
        return False
    version = row.versions.get(metric)
    return version == standard.versions.get(metric, version) and (not heard(metric) or row.asr == standard.asr)


# ---------------------------------------------------------------- layouts


def markdown(table: Table) -> str:
    """The table as GitHub Markdown."""
    lines = []
    for title, members in grouped(table):
        lines.append([f"**{title}**"] + [""] * (len(header(table)) - 1))
        for row in members:
            texts = [_join(cell, "**{}**", " ") for cell in cells(table, row)]
            lines.append([f"*{text}*" if text and row.grade == "secondary" else text for text in texts])
    parts = [
        f"<!-- Generated by `{table.command}`; do not edit. -->",
        f"# {table.split}",
        " ".join(wording.facts(table)),
        pipes(header(table), lines),
        "\n".join(f"- {note}" for note in _notes(table)),
    ]
    if table.marks:
        parts += [f"## Against {table.base}", pipes(wording.PAIR_HEADER, wording.mark_lines(table))]
    if table.contrasts:
        parts += ["## Measured beside reported", pipes(wording.CONTRAST_HEADER, wording.contrast_lines(table))]
    for title, pairs in wording.by_axis(table):
        parts += [f"## {title}", pipes(wording.PAIR_HEADER, wording.pair_lines(pairs)), wording.PAIR_NOTE]
    if table.verdicts:
        verdicts = pipes(wording.VERDICT_HEADER, wording.verdict_lines(table))
        parts += ["## The paper's claims on this split", verdicts]
    if values := changed(table):
        parts += ["## Values used in place of the cards'", pipes(["key", "card", "used", "by"], values)]
    parts.append("## Where it comes from")
    for title, facts in provenance(table):
        parts.append("\n".join([f"{title}:", "", *(f"- {key}: {text}" for key, text in facts)]))
    return "\n\n".join(parts) + "\n"


def console(table: Table, *, bold: bool = False) -> str:
    """The table for a terminal: intervals under their means, notes and verdicts below.

    bold: whether it shows ANSI's bold letters; the best numbers are set in them.
    """
    keep = [index for index, name in enumerate(header(table)) if name not in IDLE]
    lines: list[list[str] | str] = []
    for title, members in grouped(table):
        lines += [SEPARATING_LINE, [title]] if lines else [[title]]
        for row in members:
            texts = [_join(cell, "\033[1m{}\033[0m" if bold else "{}", "\n") for cell in cells(table, row)]
            texts[0] = "  " + texts[0] + (f"\n    {row.source} ({row.grade})" if row.source else "")
            lines.append([texts[index] for index in keep])
    heads = [header(table)[index].replace(" (", "\n(") for index in keep]
    parts = [
        f"{table.split}: {' '.join(wording.facts(table))}",
        tabulate(lines, heads, tablefmt="simple", disable_numparse=True, preserve_whitespace=True),
        "\n".join(_notes(table) if bold else wording.notes(table)),
    ]
    if table.marks:
        marks = tabulate(wording.mark_lines(table), wording.PAIR_HEADER, disable_numparse=True)
        parts.append(f"Against {table.base}\n{marks}")
    for title, pairs in wording.by_axis(table):
        parts.append(f"{title}\n{tabulate(wording.pair_lines(pairs), wording.PAIR_HEADER, disable_numparse=True)}")
    if table.verdicts:
        verdicts = [
            f"Claim: {text} [{source}, {grade}]\n  -> {result} ({basis})"
            for text, source, grade, result, basis in wording.verdict_lines(table)
        ]
        parts.append("\n".join(verdicts))
    return "\n\n".join(parts)


def latex(table: Table) -> str:
    r"""The table for a paper (`\usepackage{booktabs}`), its notes below it; comparisons and verdicts as text after it.

    To be no wider than a page it has intervals in small print below their numbers, and no column that says nothing:
    without reported rows there are no sources, and names tell initialisation and identity. With them it is wider,
    unless columns are chosen.
    """
    head = header(table)
    wide = any(row.group == "reported" for row in table.shown)
    keep = [index for index, name in enumerate(head) if wide or name not in IDLE]

    def joined(texts: Sequence[str]) -> str:
        return " & ".join(texts[index] for index in keep) + r"\\"

    body = []
    for title, members in grouped(table):
        body.append(rf"\midrule\multicolumn{{{len(keep)}}}{{l}}{{\textbf{{{_tex(title)}}}}}\\")
        for row in members:
            shown = cells(table, row)
            numbers = [rf"\textbf{{{_tex(cell.number)}}}" if cell.best else _tex(cell.number) for cell in shown]
            if row.grade == "secondary":
                numbers = [rf"\textit{{{text}}}" if text else "" for text in numbers]
            if row.source:
                numbers[-1] = rf"\cite{{{row.source}}} ({row.grade})"
            body.append(joined(numbers))
            if any(cell.interval for cell in shown):
                body.append(joined([rf"{{\tiny {_tex(cell.interval)}}}" if cell.interval else "" for cell in shown]))
    kinds = ["l" if head[index] in ("system", "vocoder", *IDLE) else "r" for index in keep]
    advice = " Too wide for a page? Choose with --columns and --systems, or turn it." if wide else ""
    return "\n".join(
        [
            f"% Generated by `{table.command}`; do not edit.{advice}",
            r"\begin{table*}\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{_tex(table.split)}. {_tex(' '.join(wording.facts(table)))}}}\label{{tab:{table.split}}}",
            rf"\begin{{tabular}}{{{''.join(kinds)}}}",
            r"\toprule",
            joined([_tex(name) for name in head]),
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\raggedright",
            *(_tex(sentence) + r"\par" for sentence in _notes(table)),
            r"\end{table*}",
            *(_tex(sentence) + r"\par" for sentence in wording.sentences(table)),
            "",
        ]
    )


def csv_text(table: Table) -> str:
    """One line a system and metric, comma-separated, twelve significant digits, empty where unknown."""
    return str(tidy(table).to_csv(index=False, float_format="%.12g", lineterminator="\n"))


def json_text(table: Table) -> str:
    """{system: {metric: value}} of the measured rows, sorted, twelve significant digits: what `dvc metrics` shows.

    A metric without a value is left out.
    """
    rows = [row for row in table.shown if row.group != "reported"]
    found = {row.system: {name: float(precise(cell.value)) for name, cell in row.cells.items()} for row in rows}
    return json.dumps(found, indent=1, sort_keys=True, allow_nan=False) + "\n"


def save(table: Table, out: Path = TABLES) -> None:
    """Write `<out>/<split>.{md,csv,tex,json}`; all texts are made before the first file is."""
    layouts: dict[str, Callable[[Table], str]] = {"md": markdown, "csv": csv_text, "tex": latex, "json": json_text}
    write(out / table.split, {ending: layout(table) for ending, layout in layouts.items()})


def write(path: Path, texts: dict[str, str]) -> None:
    """Write `<path>.<ending>` of each text; names may have dots."""
    for ending, text in texts.items():
        with atomic(path.with_name(f"{path.name}.{ending}")) as draft:
            draft.write_bytes(text.encode())


def pipes(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    return tabulate(escaped, list(head), tablefmt="pipe", disable_numparse=True)


def _join(cell: Text, bold: str, gap: str) -> str:
    """A cell as one text; marks belong to the number, its interval is never bold."""
    shown = bold.format(cell.number) if cell.best else cell.number
    return f"{shown}{gap}{cell.interval}" if cell.interval else shown


def _notes(table: Table) -> list[str]:
    """The notes of a layout that has bold numbers."""
    first, *others = wording.notes(table)
    return [first, *([wording.BOLD] if best(table) else []), *others]


_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}",
        "±": r"$\pm$", "▲": r"\textsuperscript{$\bigtriangleup$}", "▼": r"\textsuperscript{$\bigtriangledown$}",
        "<": r"$<$", ">": r"$>$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    }
)  # fmt: skip


def _tex(text: str) -> str:
    """Plain text with LaTeX's own characters escaped, and minus signs as long as plus signs."""
    return re.sub(r"(?<![\w.)}\]-])-(?=\d)", "$-$", text.translate(_TEX))
