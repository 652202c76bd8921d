"""One system's audio under several protocols: how far its numbers lie apart although nothing but the rules changed.

    results/measured/<split>/protocols --spread--> Spread --console, markdown, csv_text--> text

Every line of a protocol is that protocol's own number, made by its rules on means and failures; no two lines may be
subtracted from each other. What is said under them is how far the family of a metric (every PESQ, every STOI) reaches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from v2sbench.results.layout import pipes, write
from v2sbench.results.measured import MEASURED, Measured, load_protocols
from v2sbench.results.wording import label, number
from v2sbench.runtime import choose
from v2sbench.scoring import METRICS, PROTOCOLS, Column

CSV_FIELDS = ("split", "system", "protocol", "metric", "value", "n", "n_failed", "value_floored", "asr", "note")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Systems under protocols."""

    split: str
    """Split, or what else was scored."""
    columns: Mapping[str, Mapping[str, Mapping[str, Column]]]
    """System -> protocol -> metric -> number; the metrics of a line are the protocol's own."""
    asr: Mapping[str, Mapping[str, str]]
    """System -> protocol -> recogniser, empty for none."""

    @property
    def metrics(self) -> list[str]:
        """Every metric that is in some line, in the order of METRICS."""
        there = {metric for lines in self.columns.values() for line in lines.values() for metric in line}
        return [metric for metric in METRICS if metric in there]


def spread(split: str, *, measured: Path = MEASURED, only: Sequence[str] = ()) -> Spread:
    """The stored scores of a split's systems under every protocol that they were scored under.

    only: the systems that are shown; all where empty. UseError when none was scored under several protocols.
    """
    found = load_protocols(split, measured)
    for name in only:
        choose("system", name, found)
    return of(split, {name: found[name] for name in found if not only or name in only})


def of(split: str, systems: Mapping[str, Mapping[str, Measured]]) -> Spread:
    """System -> protocol -> scores, as columns. A clip that is in one file of a system is asked of all of them."""
    columns: dict[str, dict[str, dict[str, Column]]] = {}
    for system, scored in systems.items():
        clips = sorted({clip for item in scored.values() for clip in item.lines})
        columns[system] = {
            protocol: {metric: item.column(metric, clips) for metric in item.rules.metrics if item.has(metric)}
            for protocol, item in scored.items()
        }
    heard = {
        system: {protocol: item.meta.get("asr") or "" for protocol, item in scored.items()}
        for system, scored in systems.items()
    }
    return Spread(split=split, columns=columns, asr=heard)


# ---------------------------------------------------------------- what is said


def header(found: Spread) -> list[str]:
    """Headings of the table."""
    return ["protocol", *map(label, found.metrics), "failed"]


def lines(found: Spread, system: str) -> list[list[str]]:
    """A system's lines: protocol, its numbers (`-` where its program would print none), utterances that failed."""
    said = []
    for protocol, columns in found.columns[system].items():
        cells = [
            "" if (column := columns.get(metric)) is None else
            "-" if column.value is None else number(metric, column.value)
            for metric in found.metrics
        ]  # fmt: skip
        said.append([protocol, *cells, str(max((column.n_failed for column in columns.values()), default=0))])
    return said


def reach(found: Spread, system: str) -> list[str]:
    """How far each family of metrics reaches, one sentence each; none for a family with a single number."""
    families: dict[str, list[tuple[float, str, str]]] = {}
    for protocol, columns in found.columns[system].items():
        for metric, column in columns.items():
            if column.value is not None:
                families.setdefault(metric.partition("_")[0], []).append((column.value, metric, protocol))
    said = []
    for family, numbers in families.items():
        low, high = (best(numbers, key=lambda item: item[0]) for best in (min, max))
        if high[0] > low[0]:
            ends = [f"{number(metric, value)} ({label(metric)}, {protocol})" for value, metric, protocol in (low, high)]
            said.append(f"{family.upper()} from {ends[0]} to {ends[1]}.")
    return said


def lacking(found: Spread, system: str) -> list[str]:
    """Why a protocol has no number, one sentence a reason."""
    return [
        f"{protocol}: {', '.join(label(metric) for metric in columns if columns[metric].note == why)} -: {why}."
        for protocol, columns in found.columns[system].items()
        for why in dict.fromkeys(column.note for column in columns.values() if column.note)
    ]


def notes(found: Spread) -> list[str]:
    """What each protocol does, and what listened under it."""
    said = []
    for protocol in PROTOCOLS:
        heard = dict.fromkeys(lines[protocol] for lines in found.asr.values() if protocol in lines)
        if heard:
            recognisers = " or ".join(name or "none" for name in heard)
            said.append(f"{protocol}: {PROTOCOLS[protocol].description}; recogniser {recognisers}.")
    return said


INTRODUCTION = (
    "One system's audio under the rules of several protocols: the numbers of two lines are not comparable, and how "
    "far they lie apart is the point."
)


# ---------------------------------------------------------------- how it is laid out


def markdown(found: Spread) -> str:
    """A page, GitHub Markdown."""
    parts = [
        "<!-- Generated by `v2sbench table --protocols`; do not edit. -->",
        f"# {found.split} under several protocols",
        INTRODUCTION,
    ]
    for system in found.columns:
        said = _list([*reach(found, system), *lacking(found, system)])
        parts += [f"## {system}", pipes(header(found), lines(found, system)), said]
    parts += ["## The protocols", _list(notes(found))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def console(found: Spread) -> str:
    """The same for a terminal."""
    parts = [f"{found.split}: {INTRODUCTION}"]
    heads = [head.replace(" (", "\n(") for head in header(found)]
    for system in found.columns:
        table = tabulate(lines(found, system), heads, disable_numparse=True)
        parts.append("\n".join([system, table, *reach(found, system), *lacking(found, system)]))
    return "\n\n".join([*parts, "\n".join(notes(found))])


def csv_text(found: Spread) -> str:
    """Tidy form: a line a system, protocol and metric, twelve significant digits, empty where there is no number."""
    import pandas as pd

    lines = [
        (found.split, system, protocol, metric, column.value, column.n, column.n_failed, column.floored,
         found.asr[system][protocol] if METRICS[metric].needs == "words" else "", column.note)
        for system, scored in found.columns.items()
        for protocol, columns in scored.items()
        for metric, column in columns.items()
    ]  # fmt: skip
    frame = pd.DataFrame(lines, columns=list(CSV_FIELDS))
    return str(frame.to_csv(index=False, float_format="%.12g", lineterminator="\n"))


def save(found: Spread, out: Path) -> None:
    """Write `<out>/<split>.protocols.{md,csv}`."""
    write(out / f"{found.split}.protocols", {"md": markdown(found), "csv": csv_text(found)})
