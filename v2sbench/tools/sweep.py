"""Sweeps: one thing of the experiment varied, all else held. Reading sweeps/NAME.yaml, and running its points.

    sweeps/NAME.yaml --read_sweep--> Sweep, checked --reproduce--> build/sweeps/NAME/POINT/

    build/sweeps/NAME/POINT/   the working tree as git sees it, params.yaml of the point, a DVC of its own
    build/sweeps/cache         one DVC cache: what a point does not change is taken from another point's run

All copies are made before the first one runs, so an edit while a sweep runs changes no later point. A second call
copies what has changed, and DVC does what is missing. `sweep_report` makes the table.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from v2sbench.corpora import corpus
from v2sbench.nets import MODELS, Params, list_cards, load_card
from v2sbench.runtime import CheckError, UseError, atomic, build, choose, merge, read_yaml
from v2sbench.runtime.systems import GROUND_TRUTH, REFERENCES, Variant, model_of
from v2sbench.scoring.metrics import METRICS

SWEEPS, PROFILES, BUILD = Path("sweeps"), Path("profiles"), Path("build/sweeps")
SCALES = ("value", "log", "category")
OWN = ("dvc.lock", "params.yaml")  # files of the project that a point has of its own
COPIED = ".copied"  # the files that were copied, so that one which is gone from the project goes there too
DVC_CONFIG = "[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n    type = reflink,hardlink,copy\n"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What is swept, as the plot shows it."""

    label: str  # text under the plot, with the unit
    scale: str = "category"  # `value` (points stand at their values), `log`, or `category` (evenly, in order)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One setting."""

    value: float | None = None  # where it stands on the axis; a category needs none
    params: Mapping[str, Any] = field(default_factory=dict)  # merged over the base profile, mostly its `override`


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep: the keys of its file, then what reading adds."""

    title: str
    question: str
    profile: str = "sweep"  # base: profiles/<this>.yaml
    split: str  # where the systems are scored
    systems: tuple[str, ...]  # variants or reference systems, trained and scored at every point
    once: tuple[str, ...] = ()  # systems that no point changes: measured at the reference point only
    reference: str  # label of the point that the others are compared with
    metrics: tuple[str, ...]  # columns and panels
    axis: Axis
    points: Mapping[str, Point]  # by label, in the order of the file
    name: str = ""  # file name without .yaml
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # label -> the point's whole profile

    def systems_of(self, label: str) -> tuple[str, ...]:
        """The systems that are scored at a point; the ground truth comes first."""
        return (GROUND_TRUTH, *self.systems, *(self.once if label == self.reference else ()))

    def place(self, label: str, root: Path = Path()) -> Path:
        """The folder of a point below the project `root`."""
        return root / BUILD / self.name / _folder(label)


def _folder(label: str) -> str:
    """Small letters, digits and dots of a label."""
    return re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-.")


def list_sweeps(folder: Path = SWEEPS) -> list[str]:
    """Names of all sweeps, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_sweep(name: str, root: Path = Path()) -> Sweep:
    """The sweep of `root`/sweeps/NAME.yaml; UseError names the dotted key that is unknown, missing or wrong."""
    choose("sweep", name, dict.fromkeys(list_sweeps(root / SWEEPS)))
    where = f"{SWEEPS}/{name}.yaml"
    sweep = build(Sweep, read_yaml(root / SWEEPS / f"{name}.yaml"), where)
    choose("profile", sweep.profile, dict.fromkeys(path.stem for path in (root / PROFILES).glob("*.yaml")))
    base = read_yaml(root / PROFILES / f"{sweep.profile}.yaml")
    profiles = {label: merge(base, point.params) for label, point in sweep.points.items()}
    sweep = replace(sweep, name=name, profiles=profiles)
    _check(sweep, where)
    for label in sweep.points:
        try:
            _check_profile(sweep, label, root / MODELS)
        except UseError as error:
            raise UseError(f"{where}.points.{label}: {error}") from None
    return sweep


def _check(sweep: Sweep, where: str) -> None:
    """UseError for the first thing that is wrong in the points, axis, systems or metrics."""
    if len(sweep.points) < 2:
        raise UseError(f"{where}: a sweep needs at least two points")
    choose("reference point", sweep.reference, sweep.points)
    choose("scale", sweep.axis.scale, dict.fromkeys(SCALES))
    folders = [_folder(label) for label in sweep.points]
    for label, point in sweep.points.items():
        if sweep.axis.scale != "category" and point.value is None:
            raise UseError(f"{where}.points.{label} needs a value: the axis has scale {sweep.axis.scale}")
        if sweep.axis.scale == "log" and point.value is not None and point.value <= 0:
            raise UseError(f"{where}.points.{label}.value must be positive on a log axis, not {point.value:g}")
        if not _folder(label) or folders.count(_folder(label)) > 1:
            raise UseError(f"{where}: the label {label!r} makes no folder name of its own; use letters or digits")
    if not sweep.systems or not sweep.metrics:
        raise UseError(f"{where} needs at least one of `systems` and one of `metrics`")
    for metric in sweep.metrics:
        choose("metric", metric, METRICS)
    for system in (*sweep.systems, *sweep.once):
        if not Variant.of(system) and system not in REFERENCES:
            raise UseError(f"{where}: {system!r} is no variant that is scored (v2a-...), and no reference system")
    if twice := set(sweep.systems) & set(sweep.once):
        raise UseError(f"{where}: {sorted(twice)[0]!r} stands both in `systems` and in `once`")


def _check_profile(sweep: Sweep, label: str, cards: Path) -> None:
    """UseError when a point's profile is none, has no such system, or breaks a card that it changes or scores."""
    params = build(Params, sweep.profiles[label], "params")
    systems = (*sweep.systems, *sweep.once)
    changed = set(sweep.points[label].params.get("override") or {})
    for card in list_cards(cards):
        if changed & {card, model_of(card)} or card in systems:
            load_card(card, params, cards)
    choose("split", sweep.split, dict.fromkeys(params.v2a_splits))
    for system in systems:
        if variant := Variant.of(system):
            choose(f"model of {system}:", variant.model, dict.fromkeys(params.models))
            choose(f"identity of {system}:", variant.identity, dict.fromkeys(params.identities))
        elif system != GROUND_TRUTH:
            choose("reference", system, dict.fromkeys(params.references))


# ---------------------------------------------------------------- running


def stages_of(system: str, split: str, seeds: Sequence[int]) -> list[str]:
    """The stages of dvc.yaml that make the system's scores, one a training."""
    if variant := Variant.of(system):
        return [f"score@{variant.model}-{variant.identity}-{variant.init}-{split}-{seed}" for seed in seeds]
    return [f"truth@{split}" if system == GROUND_TRUTH else f"reference@{system}-{split}"]


def reproduce(sweep: Sweep, root: Path = Path(), *, say: Callable[[str], object] = print) -> None:
    """Run `dvc repro` at every point of the sweep, in build/sweeps of the project `root`, one after the other.

    CheckError, which names the point, as soon as one fails; what is done stays, for the next call.
    """
    for label in sweep.points:
        prepare(sweep, label, root)
    for number, label in enumerate(sweep.points, start=1):
        place = sweep.place(label, root)
        say(f"v2sbench: sweep {sweep.name}, point {number} of {len(sweep.points)}: {label} (in {place})")
        sys.stdout.flush()  # what DVC prints comes after
        seeds = sweep.profiles[label]["seeds"]
        targets = [stage for system in sweep.systems_of(label) for stage in stages_of(system, sweep.split, seeds)]
        command = [sys.executable, "-m", "dvc", "repro", *dict.fromkeys(targets)]
        done = subprocess.run(command, cwd=place, env=environment_of(sweep.profiles[label], place), check=False)
        if done.returncode:
            raise CheckError(
                f"sweep {sweep.name} stopped at point {label!r}: `dvc repro` failed in {place}, its output is above; "
                f"`v2sbench sweep {sweep.name}` goes on from there"
            )


def environment_of(profile: Mapping[str, Any], place: Path) -> dict[str, str]:
    """Environment of a point's stages: its own copy of the code, this Python's commands.

    A sum's order depends on the number of threads, so the profile's `threads` rules. Embedded corpora are made in the
    point: those of the profile may be smaller than the ones that lie under $V2S_DATA and must not replace them.
    """
    found = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "V2S_DATA")}
    found["PYTHONPATH"] = str(place.resolve())
    found["PATH"] = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), os.environ.get("PATH"))))
    if not all(corpus(name).embedded for name in profile["corpora"]):
        found["V2S_DATA"] = str(Path(os.environ.get("V2S_DATA") or "data").resolve())
    return found


def prepare(sweep: Sweep, label: str, root: Path = Path()) -> Path:
    """Bring a point's copy of the project up to date; returns its folder."""
    from ruamel.yaml import YAML

    place = sweep.place(label, root)
    copy_tree(root, place)
    params = place / "params.yaml"
    if not params.is_file() or read_yaml(params) != sweep.profiles[label]:
        with atomic(params) as draft:
            YAML(typ="safe", pure=True).dump(dict(sweep.profiles[label]), draft)
    cache = (root / BUILD / "cache").resolve()
    _write(place / ".dvc" / "config.local", DVC_CONFIG.format(cache=cache))
    return place


def copy_tree(root: Path, place: Path) -> None:
    """Copy the working tree as git sees it, tracked and untracked but not ignored; only what differs is written.

    UseError when `root` is no git checkout.
    """
    files = [name for name in _listed(root) if name not in OWN and (root / name).is_file()]
    before = place / COPIED
    gone = set(before.read_text(encoding="utf-8").splitlines()) - set(files) if before.is_file() else set()
    for name in gone:
        (place / name).unlink(missing_ok=True)
    for name in files:
        target = place / name
        if not target.is_file() or not filecmp.cmp(root / name, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target)
    _write(before, "".join(f"{name}\n" for name in files))


def _listed(root: Path) -> Sequence[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UseError("a sweep copies the project as git sees it, and there is no git here; install it") from None
    if done.returncode:
        raise UseError(f"a sweep copies the project as git sees it, and {root.resolve()} is no git checkout; clone it")
    return sorted(set(filter(None, done.stdout.split("\0"))))


def _write(path: Path, text: str) -> None:
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")
