"""Measured results as they are stored, per-utterance scores, read and checked; reported.py reads the papers' numbers.

    results/measured/<split>/<system>.jsonl                         one clip a line
    results/measured/<split>/<system>.meta.json                     protocol, recogniser, metric versions, coverage
    results/measured/<split>/protocols/<system>.<protocol>.jsonl    the same audio scored by the rules of others

Reading checks what a table relies on and says which line, field or file is off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS, PROTOCOLS, Column, Protocol, column, shares
from v2sbench.scoring.scores import meta_path, read_scores

MEASURED = Path("results/measured")

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

_VARIANT = re.compile(r"v2a-(?P<model>.+?)-(?P<identity>speaker|face)-(?P<init>scratch|frozen|tuned)")


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
class Measured:
    """One system's scores on a split."""

    system: str
    """Variant, reference or a user's name."""
    meta: Mapping[str, Any]
    """The system's meta.json."""
    lines: Mapping[str, Mapping[str, Any]]
    """Clip -> its line."""

    @property
    def rules(self) -> Protocol:
        """The protocol that it was scored under; UseError when this version has none of that name."""
        name = self.meta.get("protocol")
        if name not in PROTOCOLS:
            raise UseError(f"{self.system} was scored under protocol {name!r}, unknown here; score it again")
        return PROTOCOLS[name]

    def asked(self, clips: Sequence[str]) -> list[Mapping[str, Any]]:
        """The lines of `clips` in their order; a bare one, which fails in every metric, for a clip without a line."""
        return [self.lines.get(clip, {"clip": clip}) for clip in clips]

    def shares(self, metric: str, clips: Sequence[str]) -> tuple[list[float | None], list[float | None]]:
        """What each clip adds to numerator and denominator of the metric's column; None where it adds nothing."""
        found = [share or (None, None) for share in shares(self.rules, metric, self.asked(clips))]
        return [top for top, _ in found], [bottom for _, bottom in found]

    def utterances(self, metric: str, clips: Sequence[str]) -> dict[str, float]:
        """Clip -> its score, for the clips that have one; a WER in percent of its own words."""
        tops, bottoms = self.shares(metric, clips)
        return {
            clip: top / bottom
            for clip, top, bottom in zip(clips, tops, bottoms, strict=True)
            if top is not None and bottom
        }  # fmt: skip

    def column(self, metric: str, clips: Sequence[str], words: Mapping[str, int] | None = None) -> Column:
        """The metric's number over `clips` by the rules of the protocol; words as for `metrics.column`."""
        return column(self.rules, metric, self.asked(clips), words)

    def has(self, metric: str) -> bool:
        """Whether the metric was asked for: some line has a value of it or says why not."""
        return any(line.get(metric) is not None or metric in line.get("errors", {}) for line in self.lines.values())

    def comparable(self, other: Measured, metric: str) -> str:
        """Empty when the two were scored alike for this metric, else what differs."""
        for key in ("protocol", "asr") if METRICS[metric].needs == "words" else ("protocol",):
            mine, theirs = self.meta.get(key), other.meta.get(key)
            if mine != theirs:
                return f"{key} differs: {self.system} has {mine!r}, {other.system} has {theirs!r}"
        mine, theirs = (side.meta.get("metrics", {}).get(metric) for side in (self, other))
        if mine != theirs:
            return f"version of {metric} differs: {self.system} has {mine!r}, {other.system} has {theirs!r}"
        return ""


# ---------------------------------------------------------------- reading


def read_measured(path: Path) -> Measured:
    """One system's scores from its .jsonl and .meta.json; UseError when either is missing or damaged."""
    own = path.parent.name == "protocols"
    system, split = (path.stem.rpartition(".")[0], path.parent.parent.name) if own else (path.stem, path.parent.name)
    again = f"run `v2sbench score {system} --split {split}`"
    side = meta_path(path)
    for needed in (path, side):
        if not needed.is_file():
            raise UseError(f"no file {needed}; {again}")
    try:
        meta = json.loads(side.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UseError(f"{side} is damaged ({error}); {again}") from None
    rates = {name: item.per for name, item in METRICS.items() if item.per}
    lines: dict[str, Mapping[str, Any]] = {}
    for line in read_scores(path):
        clip = line["clip"]
        if clip in lines:
            raise UseError(f"{path} lists clip {clip} twice; {again}")
        for name, per in rates.items():
            counts, keys = line.get(name), ("sub", "del", "ins", per)
            if counts is not None and not (isinstance(counts, dict) and counts.keys() >= set(keys)):
                raise UseError(
                    f"{path}: {name} of clip {clip} must be edit counts ({', '.join(keys)}), not {counts!r}; {again}"
                )
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


def load_protocols(split: str, measured: Path = MEASURED) -> dict[str, dict[str, Measured]]:
    """System -> protocol -> its scores by the rules of that protocol, for all that were scored under several.

    UseError when there is none.
    """
    folder = measured / split
    found: dict[str, dict[str, Measured]] = {}
    for path in sorted((folder / "protocols").glob("*.jsonl")):
        item = read_measured(path)
        own = folder / f"{item.system}.jsonl"
        if item.system not in found:
            main = read_measured(own) if own.is_file() else None
            found[item.system] = {main.rules.name: main} if main else {}
        found[item.system].setdefault(item.rules.name, item)
    if not found:
        raise UseError(
            f"no scores under {folder / 'protocols'}; run: v2sbench score SYSTEM --split {split} --protocol all"
        )
    places = list(PROTOCOLS)
    return {
        system: dict(sorted(found[system].items(), key=lambda item: places.index(item[0])))
        for system in sorted(found, key=order)
    }


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
