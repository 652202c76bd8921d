"""One system's audio under several protocols: how far its numbers lie apart although nothing but the rules changed.

    results/measured/<split>/protocols --spread--> Spread --markdown, console, csv_text--> text

Every line is a protocol's own number, made by its rules on means and failures; no two lines may be subtracted from
each other. The sentences below them say how far the family of a metric (every PESQ, every STOI) reaches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from v2sbench.results.layout import pipes, write
from v2sbench.results.measured import MEASURED, load_protocols
from v2sbench.results.wording import label, number
from v2sbench.runtime import choose
from v2sbench.scoring import METRICS, PROTOCOLS, Column

CSV_FIELDS = ["split", "system", "protocol", "metric", "value", "n", "n_failed", "value_floored", "asr", "note"]
INTRODUCTION = (
    "One system's audio under the rules of several protocols: the numbers of two lines are not comparable, and how "
    "far they lie apart is the point."
)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Systems under protocols."""

    split: str  # or the name of the folder that was scored
    columns: Mapping[str, Mapping[str, Mapping[str, Column]]]  # system -> protocol -> metric of the protocol -> number
    asr: Mapping[str, Mapping[str, str]]  # system -> protocol -> recogniser, empty for none

    @property
    def metrics(self) -> list[str]:
        """Every metric that is in some line, in the order of METRICS."""
        there = {metric for lines in self.columns.values() for line in lines.values() for metric in line}
        return [metric for metric in METRICS if metric in there]


def spread(split: str, *, measured: Path = MEASURED, only: Sequence[str] = ()) -> Spread:
    """The stored scores of a split's systems under every protocol that they were scored under.

    only: the systems that are shown; all where empty. A clip that is in one file of a system is asked of all of them.
    UseError when no system was scored under several protocols.
    """
    found = load_protocols(split, measured)
    for name in only:
        choose("system", name, found)
    columns: dict[str, dict[str, dict[str, Column]]] = {}
    asr: dict[str, dict[str, str]] = {}
    for system in only or found:
        scored = found[system]
        clips = sorted({clip for item in scored.values() for clip in item.lines})
        asr[system] = {protocol: item.meta.get("asr") or "" for protocol, item in scored.items()}
        columns[system] = {
            protocol: {metric: item.column(metric, clips) for metric in item.rules.metrics if item.has(metric)}
            for protocol, item in scored.items()
        }
    return Spread(split=split, columns=columns, asr=asr)


def header(found: Spread) -> list[str]:
    """Headings of the table."""
    return ["protocol", *map(label, found.metrics), "failed"]


def lines(found: Spread, system: str) -> list[list[str]]:
    """A system's lines: protocol, its numbers (`-` where its program would print none), utterances that failed."""
    said = []
    for protocol, columns in found.columns[system].items():
        cells = []
        for metric in found.metrics:
            value = columns[metric].value if metric in columns else None
            missing = "-" if metric in columns else ""
            cells.append(missing if value is None else number(metric, value))
        said.append([protocol, *cells, str(max((column.n_failed for column in columns.values()), default=0))])
    return said


def remarks(found: Spread, system: str) -> list[str]:
    """How far each family of metrics reaches, and why a protocol has no number, one sentence each."""
    families: dict[str, list[tuple[float, str]]] = {}
    lacking: dict[tuple[str, str], list[str]] = {}
    for protocol, columns in found.columns[system].items():
        for metric, column in columns.items():
            if column.value is None:
                lacking.setdefault((protocol, column.note), []).append(label(metric))
                continue
            place = f"{number(metric, column.value)} ({label(metric)}, {protocol})"
            families.setdefault(metric.partition("_")[0], []).append((column.value, place))
    said = []
    for family, numbers in families.items():
        low, high = (end(numbers, key=lambda item: item[0]) for end in (min, max))
        if low[0] < high[0]:
            said.append(f"{family.upper()} from {low[1]} to {high[1]}.")
    return said + [f"{protocol}: {', '.join(metrics)} -: {why}." for (protocol, why), metrics in lacking.items()]


def notes(found: Spread) -> list[str]:
    """The description of each protocol, and the recogniser that listened under it."""
    said = []
    for protocol, rules in PROTOCOLS.items():
        heard = dict.fromkeys(lines[protocol] for lines in found.asr.values() if protocol in lines)
        if heard:
            recognisers = " or ".join(name or "none" for name in heard)
            said.append(f"{protocol}: {rules.description}; recogniser {recognisers}.")
    return said


def markdown(found: Spread) -> str:
    """A page, GitHub Markdown."""
    parts = [
        "<!-- Generated by `v2sbench table --protocols`; do not edit. -->",
        f"# {found.split} under several protocols",
        INTRODUCTION,
    ]
    for system in found.columns:
        said = "\n".join(f"- {sentence}" for sentence in remarks(found, system))
        parts += [f"## {system}", pipes(header(found), lines(found, system)), said]
    parts += ["## The protocols", "\n".join(f"- {sentence}" for sentence in notes(found))]
    return "\n\n".join(filter(None, parts)) + "\n"


def console(found: Spread) -> str:
    """The same for a terminal."""
    parts = [f"{found.split}: {INTRODUCTION}"]
    heads = [head.replace(" (", "\n(") for head in header(found)]
    for system in found.columns:
        table = tabulate(lines(found, system), heads, disable_numparse=True)
        parts.append("\n".join([system, table, *remarks(found, system)]))
    return "\n\n".join([*parts, "\n".join(notes(found))])


def csv_text(found: Spread) -> str:
    """Tidy form: a line a system, protocol and metric, twelve significant digits, empty where there is no number."""
    import pandas as pd

    entries = []
    for system, scored in found.columns.items():
        for protocol, columns in scored.items():
            for metric, item in columns.items():
                asr = found.asr[system][protocol] if METRICS[metric].needs == "words" else ""
                own = {**vars(item), "value_floored": item.floored, "asr": asr}
                entries.append({"split": found.split, "system": system, "protocol": protocol, "metric": metric, **own})
    frame = pd.DataFrame(entries, columns=CSV_FIELDS)
    return str(frame.to_csv(index=False, float_format="%.12g", lineterminator="\n"))


def save(found: Spread, out: Path) -> None:
    """Write `<out>/<split>.protocols.{md,csv}`."""
    write(out / f"{found.split}.protocols", {"md": markdown(found), "csv": csv_text(found)})
