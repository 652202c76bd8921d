"""Numbers of the papers: results/reported.csv, one value a line with source and grade; read it, check it, add to it.

    reported.csv --read_reported--> Reported   (each line by itself: fields, metric, grade, range)
                 --problems-------> what is wrong between lines, with the splits and the sources that there are
    Reported ----add--------------> reported.csv, sorted; refused when the line or the file would be wrong

A value that nobody here has read has no line. Nothing here loads a corpus: whoever calls says which splits there are.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from v2sbench.runtime import UseError, suggest, write_csv
from v2sbench.runtime.systems import IDENTITIES, INITS
from v2sbench.scoring import METRICS, PROTOCOLS

REPORTED = Path("results/reported.csv")
SOURCES = Path("results/sources.bib")
GRADES = ("primary", "secondary", "assumed")
BARE_PESQ = "pesq"
"""Metric of a reported PESQ when the source does not say which PESQ it is; it is comparable with nothing."""
FIELDS = ("split", "method", "init", "identity", "metric", "protocol", "value", "source", "locator", "grade", "note")
FACTS = ("asr", "pesq")
"""Keys of a `key=value` fact in the field protocol."""
_SAME = ("split", "method", "init", "identity", "metric", "protocol", "source")
"""Fields that name a measurement: two values for the same ones contradict each other."""
_BARE_RANGE = (-0.5, 4.65)  # that of all PESQs together
PAPER_NAMES = MappingProxyType({"V2A-WaveGAN": "wave", "V2A-MelSpec-S": "mel-s", "V2A-MelSpec-M": "mel-m"})
"""The paper's names for the models that this suite reimplements, in the paper's order -> our names."""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """One line of reported.csv."""

    split: str
    method: str  # name of the system in its source
    init: str  # one of INITS or empty
    identity: str  # one of IDENTITIES or empty
    metric: str  # a metric of this suite, or BARE_PESQ
    protocol: str  # named protocol or `key=value` facts about it, `;`-separated; empty when unknown
    value: float  # as printed there; rates in percent
    source: str  # key in sources.bib
    locator: str  # where in the source
    grade: str  # primary: read by us; secondary: quoted by somebody who read it; assumed
    note: str

    @property
    def variant(self) -> str | None:
        """The variant of this suite that reimplements the method, if the line says all parts of its name."""
        model = PAPER_NAMES.get(self.method)
        return f"v2a-{model}-{self.identity}-{self.init}" if model and self.identity and self.init else None

    @property
    def facts(self) -> tuple[str, ...]:
        """The parts of `protocol`."""
        return tuple(part.strip() for part in self.protocol.split(";") if part.strip())


# ---------------------------------------------------------------- reading


def read_reported(path: Path = REPORTED) -> list[Reported]:
    """The reported numbers; UseError names the line and field that is off."""
    return [_parsed(line, f"{path} line {number}") for number, line in enumerate(_table(path), start=2)]


def _table(path: Path) -> list[dict[str, Any]]:
    """The lines as they are written."""
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            header, table = tuple(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        raise UseError(f"no file {path}; run from the project's root") from None
    if header != FIELDS:
        raise UseError(f"{path} line 1: the fields must be {','.join(FIELDS)}, not {','.join(header)}")
    return table


def _parsed(line: Mapping[str, Any], where: str) -> Reported:
    if None in line or None in line.values():
        raise UseError(f"{where}: must have {len(FIELDS)} fields; quote a text that has a comma")
    for name in ("split", "method", "source"):
        if not line[name]:
            raise UseError(f"{where}: field {name} is empty")
    choices = {"metric": (BARE_PESQ, *METRICS), "grade": GRADES, "init": ("", *INITS), "identity": ("", *IDENTITIES)}
    for name, allowed in choices.items():
        if line[name] not in allowed:
            raise UseError(f"{where}: {name} must be one of {', '.join(filter(None, allowed))}, not {line[name]!r}")
    try:
        value = float(line["value"])
    except ValueError:
        raise UseError(f"{where}: value must be a number, not {line['value']!r}") from None
    if not math.isfinite(value):
        raise UseError(f"{where}: value must be finite, not {line['value']!r}")
    item = METRICS.get(line["metric"])
    low, high = (item.low, item.high) if item else _BARE_RANGE
    if not low <= value <= high:
        raise UseError(f"{where}: value of {line['metric']} must be {low:g} to {high:g}, not {line['value']}")
    return Reported(**{**line, "value": value})


def read_sources(path: Path = SOURCES) -> list[str]:
    """The keys of the bibliography; UseError when it is not there."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UseError(f"no file {path}; run from the project's root") from None
    except UnicodeDecodeError as error:
        raise UseError(f"{path} is not UTF-8 ({error})") from None
    return re.findall(r"^@\w+\{\s*([^,\s]+)\s*,", text, re.MULTILINE)


# ---------------------------------------------------------------- checking


def problems(lines: Iterable[Reported], *, splits: Collection[str], sources: Collection[str]) -> list[str]:
    """The faults of reported numbers that are each well-formed, one sentence each.

    splits: those of this suite. sources: keys of the bibliography.
    """
    found: list[str] = []
    seen: dict[tuple[Any, ...], Reported] = {}
    for line in lines:
        name = f"{line.method} ({line.source}), {line.metric} on {line.split}"
        if line.split not in splits:
            found.append(f"{name}: unknown split {line.split!r}{suggest(line.split, splits)}")
        if line.source not in sources:
            found.append(
                f"{name}: no source {line.source!r} in {SOURCES}{suggest(line.source, sources)}; add its entry"
            )
        found += [f"{name}: {said}" for fact in line.facts if (said := _bad_fact(fact))]
        if line.metric in METRICS and METRICS[line.metric].unit == "%" and 0 < line.value < 1:
            found.append(f"{name}: {line.value:g} looks like a fraction; rates stand in percent")
        other = seen.setdefault(tuple(getattr(line, field) for field in _SAME), line)
        if other is not line:
            if other.value == line.value:
                found.append(f"{name}: is there twice")
            else:
                found.append(
                    f"{name}: {line.value:g} contradicts {other.value:g}, which is there already; a number that was "
                    "measured otherwise must differ in method, init, identity or protocol"
                )
    return found


def _bad_fact(fact: str) -> str:
    """The fault of a part of the field protocol; empty when there is none."""
    key, equals, said = fact.partition("=")
    if (equals and key in FACTS and said) or (not equals and fact in PROTOCOLS):
        return ""
    allowed = [*PROTOCOLS, *(f"{name}=..." for name in FACTS)]
    return f"protocol must be of {', '.join(allowed)}, `;`-separated, not {fact!r}{suggest(fact, allowed)}"


def add(
    line: Mapping[str, str],
    *,
    splits: Collection[str],
    sources: Collection[str],
    path: Path = REPORTED,
) -> Reported:
    """Put a line into the file, which is then sorted by split, source, method and metric; the other lines stay as
    they are written.

    line: FIELDS, all but value free text. UseError, and the file as it was, when the line has no locator or
    something would be wrong with it (see `problems`). Faults of other lines do not matter here.
    """
    table = _table(path)
    before = [_parsed(entry, f"{path} line {number}") for number, entry in enumerate(table, start=2)]
    if any(character in text for text in line.values() for character in "\r\n"):
        raise UseError("a reported number is one line: its texts must hold no line end")
    new = _parsed(line, "reported number")
    if not new.locator:
        raise UseError("reported number: field locator is empty; say where in the source (table, section, page)")
    known = set(problems(before, splits=splits, sources=sources))
    for said in problems([*before, new], splits=splits, sources=sources):
        if said not in known:
            raise UseError(f"reported number refused: {said}")
    rows = sorted(zip([*before, new], [*table, line], strict=True), key=lambda pair: _place(pair[0]))
    write_csv(path, [FIELDS, *([written[field] for field in FIELDS] for _, written in rows)])
    return new


def _place(line: Reported) -> tuple[str | int, ...]:
    """Sort key."""
    metrics = (BARE_PESQ, *METRICS)
    return (line.split, line.source, line.method, line.init, line.identity, line.protocol, metrics.index(line.metric))
