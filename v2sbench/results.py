"""Results as they are stored: reported numbers and per-utterance scores, read and checked.

    results/reported.csv                        one reported value a line, with source and grade
    results/measured/<split>/<system>.jsonl     one clip a line
    results/measured/<split>/<system>.meta.json protocol, recogniser, metric versions, coverage, vocoder

Reading checks what a table relies on and says which line, field or file is off.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from v2sbench.ledger import meta_path, read_scores
from v2sbench.metrics import METRICS
from v2sbench.runtime import UseError

MEASURED = Path("results/measured")
REPORTED = Path("results/reported.csv")

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "reported": "Reported",
        "variant": "Measured here",
        "ceiling": "Ceilings",
        "floor": "Floors",
        "system": "Users' systems",
    }
)
"""Groups of rows in the order of the table, with their headings."""
CEILINGS = ("ground-truth", "griffin-lim")
FLOORS = ("noise", "other-sentence")
INITS = ("scratch", "frozen", "tuned")
IDENTITIES = ("speaker", "face")
GRADES = ("primary", "secondary", "assumed")
BARE_PESQ = "pesq"
"""Metric name of a reported PESQ whose variant the source does not tell; it is comparable with nothing."""
REPORTED_FIELDS = ("split", "method", "init", "identity", "metric", "protocol", "value", "source", "locator", "grade",
                   "note")  # fmt: skip

_VARIANT = re.compile(r"v2a-(?P<model>.+?)-(?P<identity>speaker|face)-(?P<init>scratch|frozen|tuned)")
_PAPER_NAMES = MappingProxyType({"V2A-WaveGAN": "v2a-wave", "V2A-MelSpec-S": "v2a-mel-s", "V2A-MelSpec-M": "v2a-mel-m"})

__all__ = ["Measured", "Reported", "Variant", "asked", "group_of", "load", "order", "read_measured", "read_reported"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What a variant's name says."""

    model: str
    """Family and size, e.g. `mel-s`."""
    identity: str
    """`speaker` or `face`."""
    init: str
    """`scratch`, `frozen` or `tuned`."""

    @classmethod
    def of(cls, system: str) -> Variant | None:
        """The parts of `v2a-<model>-<identity>-<init>`; None for any other system."""
        found = _VARIANT.fullmatch(system)
        return cls(**found.groupdict()) if found else None

    @property
    def name(self) -> str:
        """The variant's name."""
        return f"v2a-{self.model}-{self.identity}-{self.init}"


@dataclass(frozen=True, kw_only=True)
class Reported:
    """One line of reported.csv."""

    split: str
    """Split of this suite that the number belongs to."""
    method: str
    """Name of the system in its source."""
    init: str
    """`scratch`, `frozen`, `tuned` or empty."""
    identity: str
    """`speaker`, `face` or empty."""
    metric: str
    """A metric of this suite, or `pesq` where the source does not say which PESQ."""
    protocol: str
    """Named protocol or a `key=value` fact about it, `;`-separated; empty when unknown."""
    value: float
    """As printed there; WER in percent."""
    source: str
    """Key in sources.bib."""
    locator: str
    """Where in the source."""
    grade: str
    """primary: read by us; secondary: quoted by somebody who read it; assumed."""
    note: str
    """Anything a reader must know."""

    @property
    def variant(self) -> str | None:
        """The variant of this suite that reimplements the method, if the line says all parts of its name."""
        family = _PAPER_NAMES.get(self.method)
        return f"{family}-{self.identity}-{self.init}" if family and self.identity and self.init else None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One system's scores on a split."""

    system: str
    """Variant, reference or a user's name."""
    meta: Mapping[str, Any]
    """The system's meta.json."""
    lines: Mapping[str, Mapping[str, Any]]
    """Clip -> its line."""

    def values(self, metric: str, clips: Sequence[str]) -> list[float | None]:
        """Per-utterance scores in the order of `clips`; None where the metric failed. WER: edits, in percent."""
        if METRICS[metric].name == "wer":
            return [None if (found := self._edits(clip)) is None else 100.0 * found[0] for clip in clips]
        return [_number(self.lines.get(clip, {}).get(metric)) for clip in clips]

    def weights(self, metric: str, clips: Sequence[str]) -> list[float | None]:
        """What each utterance weighs: its reference words for the WER, 1 for every other metric."""
        if metric == "wer":
            return [None if (found := self._edits(clip)) is None else float(found[1]) for clip in clips]
        return [1.0] * len(clips)

    def has(self, metric: str) -> bool:
        """Whether the metric was asked for: some line has a value of it or says why not."""
        return any(line.get(metric) is not None or metric in line.get("errors", {}) for line in self.lines.values())

    def comparable(self, other: Measured, metric: str) -> str:
        """Empty when the two were scored alike for this metric, else what differs."""
        for key in ("protocol", "asr") if metric == "wer" else ("protocol",):
            mine, theirs = self.meta.get(key), other.meta.get(key)
            if mine != theirs:
                return f"{key} differs: {self.system} has {mine!r}, {other.system} has {theirs!r}"
        mine, theirs = (side.meta.get("metrics", {}).get(metric) for side in (self, other))
        if mine != theirs:
            return f"version of {metric} differs: {self.system} has {mine!r}, {other.system} has {theirs!r}"
        return ""

    def _edits(self, clip: str) -> tuple[int, int] | None:
        counts = self.lines.get(clip, {}).get("wer")
        return None if counts is None else (counts["sub"] + counts["del"] + counts["ins"], counts["words"])


# ---------------------------------------------------------------- reading


def read_reported(path: Path = REPORTED) -> list[Reported]:
    """The reported numbers; UseError names the line and field that is off."""
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            header, table = tuple(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        raise UseError(f"no file {path}; run from the project's root") from None
    if header != REPORTED_FIELDS:
        raise UseError(f"{path} line 1: the fields must be {','.join(REPORTED_FIELDS)}, not {','.join(header)}")
    return [_reported(line, f"{path} line {number}") for number, line in enumerate(table, start=2)]


def _reported(line: Mapping[str, Any], where: str) -> Reported:
    if None in line or None in line.values():
        raise UseError(f"{where}: must have {len(REPORTED_FIELDS)} fields; quote a text that has a comma")
    for name in ("split", "method", "source"):
        if not line[name]:
            raise UseError(f"{where}: field {name} is empty")
    for name, allowed in (
        ("metric", (BARE_PESQ, *METRICS)),
        ("grade", GRADES),
        ("init", ("", *INITS)),
        ("identity", ("", *IDENTITIES)),
    ):
        if line[name] not in allowed:
            raise UseError(f"{where}: {name} must be one of {', '.join(filter(None, allowed))}, not {line[name]!r}")
    try:
        value = float(line["value"])
    except ValueError:
        raise UseError(f"{where}: value must be a number, not {line['value']!r}") from None
    if not math.isfinite(value):
        raise UseError(f"{where}: value must be finite, not {line['value']!r}")
    return Reported(**{**line, "value": value})


def read_measured(path: Path) -> Measured:
    """One system's scores from its .jsonl and .meta.json; UseError when either is missing or damaged."""
    system, split = path.stem, path.parent.name
    again = f"run `v2sbench score {system} --split {split}`"
    side = meta_path(path)
    for needed in (path, side):
        if not needed.is_file():
            raise UseError(f"no file {needed}; {again}")
    try:
        meta = json.loads(side.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UseError(f"{side} is damaged ({error}); {again}") from None
    lines: dict[str, Mapping[str, Any]] = {}
    for line in read_scores(path):
        clip, words = line["clip"], line.get("wer")
        if clip in lines:
            raise UseError(f"{path} lists clip {clip} twice; {again}")
        if words is not None and not (isinstance(words, dict) and words.keys() >= {"sub", "del", "ins", "words"}):
            raise UseError(f"{path}: wer of clip {clip} must be edit counts (sub, del, ins, words), not {words!r}")
        lines[clip] = line
    if not lines:
        raise UseError(f"{path} is empty; {again}")
    return Measured(system=system, meta=meta, lines=lines)


def load(split: str, measured: Path = MEASURED) -> dict[str, Measured]:
    """All scored systems of a split by name, in the order of the table; UseError when there is none."""
    folder = measured / split
    found = {path.stem: read_measured(path) for path in folder.glob("*.jsonl")}
    if not found:
        raise UseError(f"no scores under {folder}; run `dvc repro`, or `v2sbench score SYSTEM --split {split}`")
    return {system: found[system] for system in sorted(found, key=order)}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


# ---------------------------------------------------------------- what belongs together


def group_of(system: str) -> str:
    """The group that a measured system's row stands in; models that hear the speech are ceilings."""
    if Variant.of(system):
        return "variant"
    if system in CEILINGS or system.startswith(("a2a-", "copy-")):
        return "ceiling"
    return "floor" if system in FLOORS else "system"


def order(system: str) -> tuple[Any, ...]:
    """Sort key of measured systems: by group, then as the paper does: model, identity, scratch, frozen, tuned."""
    place = list(GROUPS).index(group_of(system))
    variant = Variant.of(system)
    if variant:
        sizes = ("wave", "mel-s", "mel-m")
        size = sizes.index(variant.model) if variant.model in sizes else len(sizes)
        return (place, size, variant.model, IDENTITIES.index(variant.identity), INITS.index(variant.init))
    fixed = (*CEILINGS, *FLOORS)
    return (place, fixed.index(system) if system in fixed else len(fixed), system)


def asked(systems: Mapping[str, Measured]) -> list[str]:
    """The clips that every system is asked for: the ground truth's, or all there are where it was not scored.

    UseError when a system has a clip that the ground truth has not: one of the two is of another division.
    """
    truth = systems.get("ground-truth")
    clips = sorted(truth.lines if truth else {clip for system in systems.values() for clip in system.lines})
    for system in systems.values():
        strange = sorted(set(system.lines) - set(clips))
        if strange:
            raise UseError(
                f"{system.system} has scores of {len(strange)} clips that ground-truth has not (e.g. {strange[0]}): "
                "the split was changed between the two; score both again"
            )
    return clips
