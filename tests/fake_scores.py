"""Made-up scores on disk in the stored format, for the tests of tables, gate and harness."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERSIONS = {"pesq_wb": "1", "pesq_nb8": "1", "stoi": "1", "estoi": "1", "wer": "1"}
ASR = "grid-grammar/test"
LEVELS = {
    "v2a-mel-s-speaker-scratch": 0.50,
    "v2a-mel-s-speaker-frozen": 0.51,
    "v2a-mel-s-speaker-tuned": 0.60,
    "ground-truth": 1.00,
    "griffin-lim": 0.90,
    "noise": 0.05,
    "other-sentence": 0.15,
}
"""System -> how good it is, from 0 to 1."""


def scores(level: float, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """One line a clip for a system of the given level; utterances are easy or hard for every system alike."""
    hard = np.random.default_rng(99).normal(0, 0.08, count)
    own = np.random.default_rng(seed).normal(0, 0.02, count)
    lines = []
    for index in range(count):
        share = float(np.clip(level + hard[index] + own[index], 0, 1)) if level < 1 else 1.0
        wrong = round(6 * (1 - share) * 0.9)
        lines.append(
            {
                "clip": f"s1/clip{index:03d}",
                "status": "ok",
                "pesq_wb": 1 + 3.6 * share**2,
                "pesq_nb8": 1 + 3.5 * share**1.5,
                "stoi": share,
                "estoi": share**1.5,
                "wer": {"sub": wrong, "del": 0, "ins": 0, "words": 6},
            }
        )
    return lines


def write(
    folder: Path,
    system: str,
    lines: Sequence[Mapping[str, Any]],
    *,
    versions: Mapping[str, str] = VERSIONS,
    **meta: Any,
) -> Path:
    """The system's jsonl and meta.json under `folder`, which is results/measured/<split>."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{system}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    known = {"protocol": "v2sbench-1", "asr": ASR, "metrics": dict(versions), "coverage": "", "vocoder": "griffin-lim"}
    (folder / f"{system}.meta.json").write_text(json.dumps({"system": system, **known, **meta}), encoding="utf-8")
    return path


def write_all(measured: Path, split: str, *, count: int = 40, **meta: Any) -> Path:
    """Scores of every system of LEVELS; returns the split's folder."""
    for seed, (system, level) in enumerate(LEVELS.items()):
        vocoder = "" if system == "ground-truth" else "griffin-lim"
        write(measured / split, system, scores(level, count, seed), **{"vocoder": vocoder, **meta})
    return measured / split
