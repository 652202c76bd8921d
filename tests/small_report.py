"""A scored toy project with audio, for the tests of the report: two variants, the truth, a floor, names that bite."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fake_scores import write
from tests.trees import ROOT
from v2sbench.audio import RATE, write_wav
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.results.measured import MEASURED
from v2sbench.runtime import rng

TUNED, SCRATCH = "v2a-mel-s-speaker-tuned", "v2a-mel-s-speaker-scratch"
LEVELS = {"ground-truth": 1.0, TUNED: 0.6, SCRATCH: 0.4, "noise": 0.1}
BITING = '</script><b>"x" & y</b>'
"""What a transcript must not be able to do to the page."""


def small_report(project: Path) -> list[str]:
    """Scores and audio of every system of LEVELS for the test clips of the split `toy`; returns their ids."""
    (project / "results").mkdir()
    for name in ("claims.yaml", "reported.csv", "sources.bib"):
        (project / "results" / name).symlink_to(ROOT / "results" / name)
    table = read_split(project / "splits" / "toy")
    clips, rows = Clips(table.clips), table.subset("test")
    for seed, (system, level) in enumerate(LEVELS.items()):
        lines = []
        for place, row in enumerate(rows):
            share = max(0.0, level - 0.05 * place)
            noise = rng(seed, row.id).standard_normal(960 * row.frames) * (1 - level) * 0.2
            write_wav(project / "audio" / "toy" / system / f"{row.id}.wav",
                      np.clip(clips.wave(row.id) + noise, -1, 1).astype(np.float32), RATE)  # fmt: skip
            lines.append({
                "clip": row.id, "status": "ok", "pesq_wb": 1 + share, "pesq_nb8": 1 + share, "stoi": share,
                "estoi": share, "wer": {"sub": 1, "del": 0, "ins": 0, "words": 2}, "text": row.text,
                "hyp": {"noise": BITING, SCRATCH: ""}.get(system, row.text),
            })  # fmt: skip
        write(project / MEASURED / "toy", system, lines, environment={"python": "3.11"}, normaliser="grid-strict-v1")
    for system in (TUNED, SCRATCH):
        log = project / "models" / "weights" / "toy" / f"{system}.tsv"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("step\tl1\tvalidation_l1\n2\t0.9\t\n4\t0.7\t0.8\n6\t0.6\t0.7\n")
    return [row.id for row in rows]
