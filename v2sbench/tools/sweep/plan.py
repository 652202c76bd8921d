"""What a sweep varies: sweeps/NAME.yaml, read and checked before anything runs.

A point is a mapping that is merged over the base profile (`card.merge`), mostly its `override`. Checked are the keys,
the names of systems and metrics, the merged profile of every point, and the cards that it changes or scores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from v2sbench.nets.card_reading import MODELS, list_cards, load_card, model_of
from v2sbench.nets.cards import Params
from v2sbench.results.measured import CEILINGS, FLOORS, Variant
from v2sbench.runtime import UseError, build, choose, merge, read_yaml
from v2sbench.scoring.metrics import METRICS

SWEEPS = Path("sweeps")
PROFILES = Path("profiles")
TRUTH = "ground-truth"
SCALES = ("value", "log", "category")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What is swept, as the plot shows it."""

    label: str
    """Text under the plot, with the unit."""
    scale: str = "category"
    """`value` (points stand at their values), `log` (the same, logarithmic) or `category` (evenly, in order)."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One setting."""

    label: str = ""
    """Its name: the key in `points`."""
    value: float | None = None
    """Where it stands on the axis; a category needs none."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """What is merged over the base profile; empty for the profile as it is."""

    @property
    def folder(self) -> str:
        """Name of its folder: the label in small letters, digits and dots."""
        return re.sub(r"[^a-z0-9.]+", "-", self.label.lower()).strip("-.")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep."""

    name: str
    """File name without .yaml."""
    title: str
    """Heading of the table."""
    question: str
    """What it asks, one sentence."""
    split: str
    """Split on which the systems are scored."""
    systems: tuple[str, ...]
    """Systems of every point: variants, or reference systems."""
    once: tuple[str, ...] = ()
    """Systems that no point changes: measured at the reference point and compared with at every point."""
    reference: str
    """Label of the point that the others are compared with."""
    metrics: tuple[str, ...]
    """Columns and panels."""
    axis: Axis
    """What is swept."""
    points: tuple[Point, ...]
    """In the order of the file."""
    profiles: Mapping[str, Mapping[str, Any]]
    """Label -> the point's whole profile: the base with the point merged over it."""

    def systems_of(self, point: Point) -> tuple[str, ...]:
        """What is scored at a point, beside the ground truth."""
        return self.systems + (self.once if point.label == self.reference else ())


@dataclass(frozen=True, kw_only=True)
class _File:
    """sweeps/NAME.yaml as it is written; see `Sweep`."""

    title: str
    question: str
    profile: str = "sweep"
    """Base profile: profiles/<this>.yaml."""
    split: str
    systems: tuple[str, ...]
    once: tuple[str, ...] = ()
    reference: str
    metrics: tuple[str, ...]
    axis: Axis
    points: Mapping[str, Any]


def list_sweeps(folder: Path = SWEEPS) -> list[str]:
    """Names of all sweeps, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_sweep(name: str, root: Path = Path()) -> Sweep:
    """The sweep of `root`/sweeps/NAME.yaml; UseError names the dotted key that is unknown, missing or wrong."""
    folder = root / SWEEPS
    choose("sweep", name, dict.fromkeys(list_sweeps(folder)))
    where = f"{SWEEPS}/{name}.yaml"
    written = build(_File, read_yaml(folder / f"{name}.yaml"), where)
    points = []
    for label, content in written.points.items():
        point = build(Point, content, f"{where}.points.{label}")
        if point.label:
            raise UseError(f"{where}.points.{label} has a label of its own; its key is its label")
        points.append(replace(point, label=str(label)))
    _check_points(where, written, points)
    choose("profile", written.profile, dict.fromkeys(path.stem for path in (root / PROFILES).glob("*.yaml")))
    base = read_yaml(root / PROFILES / f"{written.profile}.yaml")
    profiles = {point.label: merge(base, point.params) for point in points}
    for point in points:
        _check_profile(f"{where}.points.{point.label}", profiles[point.label], point, written, root / MODELS)
    return Sweep(
        name=name, title=written.title, question=written.question, split=written.split, systems=written.systems,
        once=written.once, reference=written.reference, metrics=written.metrics, axis=written.axis,
        points=tuple(points), profiles=profiles,
    )  # fmt: skip


def _check_points(where: str, written: _File, points: list[Point]) -> None:
    """UseError for the first thing that is off in the points, axis, systems or metrics."""
    if len(points) < 2:
        raise UseError(f"{where}: a sweep needs at least two points")
    choose("reference point", written.reference, {point.label: point for point in points})
    choose("scale", written.axis.scale, dict.fromkeys(SCALES))
    for point in points:
        if written.axis.scale != "category" and point.value is None:
            raise UseError(f"{where}.points.{point.label} needs a value: the axis has scale {written.axis.scale}")
        if written.axis.scale == "log" and point.value is not None and point.value <= 0:
            raise UseError(f"{where}.points.{point.label}.value must be positive on a log axis, not {point.value:g}")
    folders = [point.folder for point in points]
    for point in points:
        if not point.folder or folders.count(point.folder) > 1:
            raise UseError(f"{where}: the label {point.label!r} makes no folder name of its own; use letters or digits")
    if not written.systems or not written.metrics:
        raise UseError(f"{where} needs at least one of `systems` and one of `metrics`")
    for metric in written.metrics:
        choose("metric", metric, METRICS)
    for system in (*written.systems, *written.once):
        if not Variant.of(system) and system not in (*CEILINGS, *FLOORS):
            raise UseError(f"{where}: {system!r} is no variant that is scored (v2a-...), and no reference system")
    if twice := set(written.systems) & set(written.once):
        raise UseError(f"{where}: {sorted(twice)[0]!r} stands both in `systems` and in `once`")


def _check_profile(where: str, profile: Mapping[str, Any], point: Point, written: _File, cards: Path) -> None:
    """UseError when the merged profile is none, has no such system, or breaks a card that it changes or scores."""
    try:
        params = build(Params, profile, "params")
        changed = set(point.params.get("override") or {})
        for card in list_cards(cards):
            if changed & {card, model_of(card)} or card in (*written.systems, *written.once):
                load_card(card, params, cards)
    except UseError as error:
        raise UseError(f"{where}: {error}") from None
    choose("split", written.split, dict.fromkeys(params.v2a_splits))
    for system in (*written.systems, *written.once):
        if variant := Variant.of(system):
            choose(f"model of {system}:", variant.model, dict.fromkeys(params.models))
            choose(f"identity of {system}:", variant.identity, dict.fromkeys(params.identities))
        elif system != TRUTH:
            choose("reference", system, dict.fromkeys(params.references))
