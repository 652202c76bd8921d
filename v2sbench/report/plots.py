"""Files for other programs' views, `dvc plots` above all: validation curves as csv, spectrograms as PNG.

results/plots/SPLIT/validation/VARIANT.csv   step, validation_l1
results/plots/SPLIT/mels.png                 three utterances: the truth, and the best variants

Both are functions of what the report is made from.
"""

from __future__ import annotations

from pathlib import Path

from v2sbench.report.listening import audio_of, pick
from v2sbench.report.numbers import Scored, logs, read
from v2sbench.report.spectrograms import mel_sheet
from v2sbench.results.table import Table
from v2sbench.runtime import atomic

PLOTS = Path("results/plots")
CLIPS, SYSTEMS = 3, 5
"""Rows and columns of the picture of spectrograms, at most."""


def write_plots(split: str, out: Path = PLOTS, *, scored: Scored | None = None, audio: Path = Path("audio")) -> Path:
    """Write the files of a scored split and return their folder; the picture is left out where there is no audio.

    scored: the split's scores, where they were read.
    """
    scored = scored or read(split)
    table, systems, metric = scored.table, scored.systems, scored.ranking
    folder = out / split
    with atomic(folder) as draft:
        (draft / "validation").mkdir(parents=True)
        for (_, column), lines in logs(table).items():
            if column != "validation_l1":
                continue
            for variant, points in lines.items():
                rows = [f"step,{column}", *(f"{step:g},{value:g}" for step, value in points)]
                (draft / "validation" / f"{variant}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        shown = _shown(table, metric)
        there = {name: audio / split / name for name in shown if (audio / split / name).is_dir()}
        clips = [item.clip for item in pick(systems, metric, scored.clips, CLIPS)] if metric else []
        clips = [clip for clip in clips if set(audio_of(there, clip)) == set(there)]
        if there and clips:
            texts = {clip: str(next(iter(systems.values())).lines[clip].get("text") or "") for clip in clips}
            mel_sheet(split, [*there], clips, draft / "mels.png", audio=audio, texts=texts)
    return folder


def _shown(table: Table, metric: str) -> list[str]:
    """The truth, then the best variants by a metric; users' systems where there is no variant."""
    rows = [row for row in table.measured if row.group in ("variant", "system") and metric in row.cells]
    ranked = sorted(rows, key=lambda row: (row.group != "variant", -row.cells[metric].value, row.system))
    truth = [row.system for row in table.measured if row.system == "ground-truth"]
    return [*truth, *(row.system for row in ranked)][:SYSTEMS]
