"""The copies in which the points of a sweep run, and `dvc repro` in each.

    build/sweeps/NAME/POINT/   the working tree as git sees it, params.yaml of the point, a DVC of its own
    build/sweeps/cache         one DVC cache: what a point does not change is taken from another point's run

All copies are made before the first one runs, so that an edit while a sweep runs changes no later point. A second call
copies what has changed, and DVC does what is missing.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from v2sbench.corpora import corpus
from v2sbench.results.measured import Variant
from v2sbench.runtime import CheckError, UseError, atomic
from v2sbench.tools.sweep.plan import TRUTH, Point, Sweep

BUILD = Path("build/sweeps")
OWN = ("dvc.lock", "params.yaml")
"""Files of the project that a point has of its own."""
COPIED = ".copied"
"""List of the files that were copied into a point, so that one which is gone from the project goes there too."""
DVC_CONFIG = "[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n    type = reflink,hardlink,copy\n"
"""Of a point: no git, the common cache, and links to it, so that no corpus lies there once a point."""
HEAD = "# Made by `v2sbench sweep`: the base profile with the point merged over it; do not edit.\n"


def stage_of(system: str, split: str) -> str:
    """The stage of dvc.yaml whose outs are the system's scores."""
    if variant := Variant.of(system):
        return f"score@{variant.model}-{variant.identity}-{variant.init}-{split}"
    return f"truth@{split}" if system == TRUTH else f"reference@{system}-{split}"


def reproduce(sweep: Sweep, root: Path = Path(), *, say: Callable[[str], object] = print) -> None:
    """Run every point of the sweep in build/sweeps of the project `root`, one after the other.

    CheckError, which names the point, as soon as one fails.
    """
    places = [prepare(sweep, point, root) for point in sweep.points]
    for number, (point, place) in enumerate(zip(sweep.points, places, strict=True), start=1):
        say(f"v2sbench: sweep {sweep.name}, point {number} of {len(places)}: {point.label} (in {place})")
        sys.stdout.flush()  # what DVC prints comes after
        reproduce_point(sweep, point, place)


def reproduce_point(sweep: Sweep, point: Point, place: Path) -> None:
    """`dvc repro` of what the point scores; CheckError when a stage fails. What is done stays, for the next call."""
    targets = [stage_of(system, sweep.split) for system in (TRUTH, *sweep.systems_of(point))]
    command = [sys.executable, "-m", "dvc", "repro", *dict.fromkeys(targets)]
    done = subprocess.run(command, cwd=place, env=environment_of(sweep.profiles[point.label], place), check=False)
    if done.returncode:
        raise CheckError(
            f"sweep {sweep.name} stopped at point {point.label!r}: `dvc repro` failed in {place}, its output is above; "
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


# ---------------------------------------------------------------- copies


def prepare(sweep: Sweep, point: Point, root: Path = Path()) -> Path:
    """Bring the point's copy of the project up to date; its folder."""
    place = root / BUILD / sweep.name / point.folder
    copy_tree(root, place)
    _write(place / "params.yaml", HEAD + _yaml(sweep.profiles[point.label]))
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
        source, target = root / name, place / name
        if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
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
    """Write a file unless it holds this text: its time stamp then stays, and DVC need not read it again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with atomic(path) as draft:
            draft.write_text(text, encoding="utf-8")


def _yaml(content: Mapping[str, Any]) -> str:
    from ruamel.yaml import YAML

    stream = StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(dict(content), stream)
    return stream.getvalue()
