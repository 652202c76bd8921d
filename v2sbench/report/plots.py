"""Files for other programs' views, `dvc plots` above all: validation curves as csv, spectrograms as PNG.

results/plots/SPLIT/validation/TRAINING.csv  step, validation_l1
results/plots/SPLIT/mels.png                 three utterances: the truth, and the best variants
"""

from __future__ import annotations

from pathlib import Path

from v2sbench.report.listening import audio_of, pick
from v2sbench.report.numbers import first_trainings, logs, ranking
from v2sbench.report.spectrograms import mel_sheet
from v2sbench.results import Table
from v2sbench.results import table as make_table
from v2sbench.runtime import atomic, write_csv
from v2sbench.runtime.systems import GROUND_TRUTH

PLOTS = Path("results/plots")
CLIPS, SYSTEMS = 3, 5  # rows and columns of the picture of spectrograms, at most


def write_plots(split: str | Table, out: Path = PLOTS, *, audio: Path = Path("audio")) -> Path:
    """Write the files of a scored split, or of its table if that is made already; return their folder.

    The picture is left out where there is no audio.
    """
    table = make_table(split) if isinstance(split, str) else split
    folder = out / table.split
    with atomic(folder) as draft:
        (draft / "validation").mkdir(parents=True)
        for (_, column), lines in logs(table).items():
            if column != "validation_l1":
                continue
            for variant, points in lines.items():
                rows = [("step", column), *((f"{step:g}", f"{value:g}") for step, value in points)]
                write_csv(draft / "validation" / f"{variant}.csv", rows)
        _picture(table, draft / "mels.png", audio)
    return folder


def _picture(table: Table, out: Path, audio: Path) -> None:
    metric = ranking(table)
    if not metric:
        return
    systems, root = first_trainings(table), audio / table.split
    names = [systems[name].system for name in _shown(table, metric)]
    there = {name: root / name for name in names if (root / name).is_dir()}
    chosen = [item.clip for item in pick(systems, metric, table.results.clips, CLIPS)]
    clips = [clip for clip in chosen if set(audio_of(there, clip)) == set(there)]
    if there and clips:
        first = next(iter(systems.values()))
        texts = {clip: str(first.lines[clip].get("text") or "") for clip in clips}
        mel_sheet(table.split, [*there], clips, out, audio=audio, texts=texts)


def _shown(table: Table, metric: str) -> list[str]:
    """The truth, then the best variants by a metric; users' systems where there is no variant."""
    rows = [row for row in table.measured if row.group in ("variant", "system") and metric in row.cells]
    ranked = sorted(rows, key=lambda row: (row.group != "variant", -row.cells[metric].value, row.system))
    truth = [row.system for row in table.measured if row.system == GROUND_TRUTH]
    return [*truth, *(row.system for row in ranked)][:SYSTEMS]
