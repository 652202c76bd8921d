"""Folders that the project makes itself: made once for one recipe, continued when interrupted, never mixed.

While files are being made a draft of the manifest lies in the folder; the manifest itself is written last. Both hold
the recipe: generator version, packages, parameters. The generator writes every file whole or not at all and passes over
those that are there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2sbench.runtime import UseError, atomic

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


MANIFEST, DRAFT = "manifest.json", "manifest.unfinished.json"
MADE_WITH = ("espeakng-loader", "opencv-python-headless", "av", "numpy", "scipy")
"""Packages whose version may change the bytes."""


def recipe(version: int, parameters: DataclassInstance, keys: Collection[str]) -> dict[str, Any]:
    """What decides the bytes of a corpus: the generator's version, packages, and the `keys` among the parameters."""
    made_with: dict[str, str] = {}
    for name in MADE_WITH:
        try:
            made_with[name] = metadata.version(name)
        except metadata.PackageNotFoundError as error:
            raise UseError(f"the embedded corpus needs {name}: pip install {name} (make env does it)") from error
    chosen = {name: value for name, value in asdict(parameters).items() if name in keys}
    return {"generator": version, "made_with": made_with, "parameters": chosen}


def begin(root: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether anything has to be made at `root`. Clears what another recipe left, keeps what this one began.

    UseError when `root` holds something that was not made here.
    """
    done, begun = _read(root / MANIFEST), _read(root / DRAFT)
    if done is not None and begun is None and done.get("recipe") == wanted:
        return False
    if begun is None or begun.get("recipe") != wanted:
        if done is None and begun is None and root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UseError(f"{root} holds something else than an embedded corpus; remove it, or give another --root")
        root.mkdir(parents=True, exist_ok=True)
        _write(root / DRAFT, {"recipe": None})  # until the folder is clear
        (root / MANIFEST).unlink(missing_ok=True)
        for entry in sorted(root.iterdir()):
            if entry.is_dir():
                shutil.rmtree(entry)
        _write(root / DRAFT, {"recipe": wanted})
    for leftover in sorted(root.rglob(".*")):  # of a process that was killed while it wrote
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
    return True


def finish(root: Path, wanted: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Say that `root` is complete; `told` is what the manifest says beside the recipe."""
    _write(root / MANIFEST, {"recipe": wanted, **told})
    (root / DRAFT).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None when it is not there or is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with atomic(path) as draft:
        draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
