"""A small sweep in a project of its own, for the tests of sweeps."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from tests.trees import ROOT

TUNED, SCRATCH = "v2a-mel-s-speaker-tuned", "v2a-mel-s-speaker-scratch"


def write_yaml(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        YAML(typ="safe", pure=True).dump(content, handle)


def small(**changes) -> dict:
    """A sweep of three points as it is written."""
    content = {
        "title": "Amount", "question": "How much?", "profile": "smoke", "split": "demo-seen", "systems": [TUNED],
        "once": [SCRATCH], "reference": "all", "metrics": ["pesq_wb", "wer"],
        "axis": {"label": "share", "scale": "log"},
        "points": {
            "1 %": {"value": 0.01, "params": {"override": {"a2a-mel-s": {"data": {"share": 0.01}}}}},
            "10 %": {"value": 0.1, "params": {"override": {"a2a-mel-s": {"data": {"share": 0.1}}}}},
            "all": {"value": 1.0},
        },
    }  # fmt: skip
    return content | changes


def small_project(folder: Path) -> Path:
    """A project with cards, the smoke profile and the sweep `small`; returns its folder."""
    (folder / "models").symlink_to(ROOT / "models")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "smoke.yaml").write_bytes((ROOT / "profiles" / "smoke.yaml").read_bytes())
    write_yaml(folder / "sweeps" / "small.yaml", small())
    return folder
