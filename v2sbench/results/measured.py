"""Measured results as they are stored, scores of every utterance, read and checked.

    results/measured/<split>/<system>.jsonl                         one clip a line; <recipe>.seedN for a training
    results/measured/<split>/<system>.meta.json                     protocol, recogniser, metric versions, coverage
    results/measured/<split>/protocols/<system>.<protocol>.jsonl    the same audio scored by the rules of others

    files --load--> Measured: its lines, and data frames of clips by metrics --recipes--> Recipe: its trainings

Reading checks what a table relies on and says which line, field or file is off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from v2sbench.results.published import PAPER_NAMES
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import (
    CEILINGS,
    FLOORS,
    GROUND_TRUTH,
    IDENTITIES,
    INITS,
    REFERENCES,
    Variant,
    recipe_of,
    seed_of,
)
from v2sbench.scoring import METRICS, PROTOCOLS, Column, Protocol, column, meta_path, read_scores, shares

if TYPE_CHECKING:
    from v2sbench.results.bootstrap import Floats

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


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One system's scores on a split."""

    system: str
    meta: Mapping[str, Any]  # its meta.json
    lines: Mapping[str, Mapping[str, Any]]  # clip -> its line

    @property
    def rules(self) -> Protocol:
        """The protocol that it was scored under; UseError when this version has none of that name."""
        name = self.meta.get("protocol")
        if name not in PROTOCOLS:
            raise UseError(f"{self.system} was scored under protocol {name!r}, unknown here; score it again")
        return PROTOCOLS[name]

    @cached_property
    def _frames(self) -> tuple[Any, Any]:
        """Data frames of clips by metrics, NaN for a failure: numerators and denominators of the metric's number."""
        import pandas as pd

        lines = list(self.lines.values())
        tops, bottoms = {}, {}
        for metric in filter(self.has, METRICS):
            added = [share or (None, None) for share in shares(self.rules, metric, lines)]
            tops[metric], bottoms[metric] = zip(*added, strict=True)
        clips = list(self.lines)
        return pd.DataFrame(tops, clips, dtype="float64"), pd.DataFrame(bottoms, clips, dtype="float64")

    def shares(self, metric: str, clips: Sequence[str]) -> tuple[Floats, Floats]:
        """(clips,) what each adds to numerator and denominator by the rules of the protocol; NaN without a value."""
        top, bottom = (frame[metric].reindex(clips).to_numpy() for frame in self._frames)
        return top, bottom

    def rates(self, clips: Sequence[str]) -> Any:
        """A data frame of clips by metrics: each clip's own score, a WER in percent of its own words."""
        tops, bottoms = self._frames
        return (tops / bottoms.where(bottoms != 0)).reindex(clips)

    def utterances(self, metric: str, clips: Sequence[str]) -> dict[str, float]:
        """Clip -> its score, for the clips that have one; a WER in percent of its own words."""
        return dict(self.rates(clips)[metric].dropna()) if self.has(metric) else {}

    def asked(self, clips: Sequence[str]) -> list[Mapping[str, Any]]:
        """The lines of `clips` in their order; a bare one, which fails in every metric, for a clip without a line."""
        return [self.lines.get(clip, {"clip": clip}) for clip in clips]

    def column(self, metric: str, clips: Sequence[str], words: Mapping[str, int] | None = None) -> Column:
        """The metric's number over `clips` by the rules of the protocol; words as for `scoring.column`."""
        return column(self.rules, metric, self.asked(clips), words)

    def has(self, metric: str) -> bool:
        """Whether the metric was asked for: some line has a value of it or says why not."""
        return any(line.get(metric) is not None or metric in line.get("errors", {}) for line in self.lines.values())

    def comparable(self, other: Measured, metric: str) -> str:
        """Empty when the two were scored alike for this metric, else what differs."""
        keys = ("protocol", "asr") if METRICS[metric].needs == "words" else ("protocol",)
        facts = [(key, self.meta.get(key), other.meta.get(key)) for key in keys]
        mine, theirs = (side.meta.get("metrics", {}).get(metric) for side in (self, other))
        for name, here, there in (*facts, (f"version of {metric}", mine, theirs)):
            if here != there:
                return f"{name} differs: {self.system} has {here!r}, {other.system} has {there!r}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The trainings of a recipe, alike in everything but the seed; or a system that is not trained here."""

    name: str
    trainings: tuple[Measured, ...]  # by seed; one for a reference, or for a user's system in one folder

    @property
    def meta(self) -> Mapping[str, Any]:
        """What its trainings have in common: the meta.json of the first."""
        return self.trainings[0].meta

    @property
    def rules(self) -> Protocol:
        """The protocol that it was scored under."""
        return self.trainings[0].rules

    @property
    def changed(self) -> dict[str, Any]:
        """Key of the model card -> [the card's value, the value used], where they differ."""
        return dict((self.meta.get("training") or {}).get("changed", {}))

    def has(self, metric: str) -> bool:
        """Whether the metric was asked for in every training."""
        return all(item.has(metric) for item in self.trainings)

    def shares(self, metric: str, clips: Sequence[str]) -> tuple[Floats, Floats]:
        """Two arrays (trainings, clips): what each clip adds to numerator and denominator; NaN without a value."""
        import numpy as np

        tops, bottoms = zip(*(item.shares(metric, clips) for item in self.trainings), strict=True)
        return np.stack(tops), np.stack(bottoms)

    def columns(self, metric: str, clips: Sequence[str], words: Mapping[str, int] | None = None) -> list[Column]:
        """The metric's number in every training."""
        return [item.column(metric, clips, words) for item in self.trainings]

    def comparable(self, other: Recipe, metric: str) -> str:
        """Empty when the two were scored alike for this metric, else what differs."""
        return self.trainings[0].comparable(other.trainings[0], metric)


def recipes(systems: Mapping[str, Measured], *, single: bool = False) -> dict[str, Recipe]:
    """Scored systems by recipe, in the order given. single: every training as a recipe of its own.

    UseError when the trainings of one recipe were not scored alike.
    """
    found: dict[str, list[Measured]] = {}
    for name, item in systems.items():
        found.setdefault(name if single else recipe_of(name), []).append(item)
    for name, members in found.items():
        if members[0].system != name and name in systems:
            raise UseError(f"{name} and {members[-1].system} are both scored; remove the scores of one")
        for item in members[1:]:
            asked = [metric for metric in METRICS if members[0].has(metric) or item.has(metric)]
            if differs := next(filter(None, (members[0].comparable(item, metric) for metric in asked)), ""):
                raise UseError(f"{differs}; score the trainings of {name} alike")
    return {name: Recipe(name=name, trainings=tuple(members)) for name, members in found.items()}


# ---------------------------------------------------------------- reading


def read_measured(path: Path) -> Measured:
    """One system's scores from its .jsonl and .meta.json; UseError when either is missing or damaged."""
    if path.parent.name == "protocols":
        system, split = path.stem.rpartition(".")[0], path.parent.parent.name
    else:
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
    rates = {name: {"sub", "del", "ins", item.per} for name, item in METRICS.items() if item.per}
    lines: dict[str, Mapping[str, Any]] = {}
    for line in read_scores(path):
        clip = line["clip"]
        if clip in lines:
            raise UseError(f"{path} lists clip {clip} twice; {again}")
        for name, keys in rates.items():
            counts = line.get(name)
            if counts is not None and not (isinstance(counts, dict) and counts.keys() >= keys):
                raise UseError(
                    f"{path}: {name} of clip {clip} must be edit counts ({', '.join(sorted(keys))}), "
                    f"not {counts!r}; {again}"
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
        todo = f"v2sbench score SYSTEM --split {split} --protocol all"
        raise UseError(f"no scores under {folder / 'protocols'}; run: {todo}")
    return {
        system: {protocol: found[system][protocol] for protocol in PROTOCOLS if protocol in found[system]}
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
    group = list(GROUPS).index(group_of(system))
    variant = Variant.of(system)
    if variant:
        papers = list(PAPER_NAMES.values())
        place = papers.index(variant.model) if variant.model in papers else len(papers)
        kind = (IDENTITIES.index(variant.identity), INITS.index(variant.init))
        return group, place, variant.model, *kind, seed_of(system) or 0
    place = REFERENCES.index(system) if system in REFERENCES else len(REFERENCES)
    return group, place, recipe_of(system), seed_of(system) or 0


def asked(systems: Mapping[str, Measured]) -> list[str]:
    """The clips that every system is asked for: the ground truth's, or all there are where it was not scored.

    UseError when a system has a clip that the ground truth has not: one of the two is of another division.
    """
    truth = systems.get(GROUND_TRUTH)
    clips = set(truth.lines) if truth else {clip for system in systems.values() for clip in system.lines}
    for system in systems.values():
        strange = sorted(set(system.lines) - clips)
        if strange:
            raise UseError(
                f"{system.system} has scores of {len(strange)} clips that {GROUND_TRUTH} has not (e.g. {strange[0]}): "
                "the split was changed between the two; score both again"
            )
    return sorted(clips)
