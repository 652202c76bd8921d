"""What the maintainers publish of a run, in results/published: a place that no command of a user writes to.

    publish(split, why) -> baseline/<split>.{csv,utterances.tsv,spread.csv}   what `gate` holds other runs against
                           tables/<split>.{md,csv,tex,json}                   the table
                           runs/<split>/{environment,params,lock}             how it was made

A run on a further processor adds its trainings to the spread and its environment, and leaves everything else.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

from v2sbench.results import layout
from v2sbench.results.acceptance import accept
from v2sbench.results.cells import measured_cells
from v2sbench.results.gate_files import PUBLISHED, read_spread, write_spread
from v2sbench.results.measured import group_of
from v2sbench.results.table import Results, table
from v2sbench.runtime import UseError, atomic, environment, processor, revision

ROOT = PUBLISHED.parent
FILES = ("params.yaml", "dvc.lock")
"""Files of the project that say how a run was made."""


def publish(split: str, why: str, *, who: str | None = None, add: bool = False) -> str:
    """Publish the measured numbers of a split; returns one sentence on what was written.

    add: this run was made on a further processor; only its spread and environment are added. UseError as for `accept`,
    and when there is nothing to add to.
    """
    import pandas as pd

    results = Results(split=split)
    made = environment()
    where = f"{processor()}, {made['cpu_capability']}" if "cpu_capability" in made else processor()
    names = [name for name in results.systems if group_of(name) != "system"]
    fresh = measured_cells(results, names)[["value"]].reset_index().assign(processor=where)
    known = read_spread(split, PUBLISHED)
    if add and known is None:
        raise UseError(f"nothing of {split} is published yet; leave --add out")
    if known is not None:
        fresh = pd.concat([known[known["processor"] != where] if add else known[:0], fresh])
    if not add:
        accept(results, why, who=who, baseline=PUBLISHED)
        layout.save(table(results), ROOT / "tables")
    write_spread(split, fresh, PUBLISHED)
    folder = ROOT / "runs" / split
    runs: dict[str, Any] = {}
    if add and (folder / "environment.json").is_file():
        runs = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    runs[where] = {"commit": revision(), "date": date.today().isoformat(), "trainings": names, **made}
    with atomic(folder / "environment.json") as draft:
        draft.write_text(json.dumps(runs, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for name in () if add else filter(lambda name: Path(name).is_file(), FILES):
        shutil.copyfile(name, folder / name)
    return f"{ROOT}: {len(fresh)} numbers of {split} on {fresh['processor'].nunique()} processors"
