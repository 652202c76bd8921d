"""The files of an accepted table, in git.

results/baseline/               what users accept in their own project
results/published/baseline/     what the maintainers publish; no command of a user writes there

<split>.csv                     who, why, what changed, by which rules; a line a training and metric
<split>.utterances.tsv          the same by utterance, with the digests of its audio and its reference
<split>.spread.csv              published only: numbers of trainings, whichever processor they were made on
"""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from v2sbench.results.wording import heard
from v2sbench.runtime import UseError, atomic
from v2sbench.runtime.systems import recipe_of
from v2sbench.scoring import METRICS

BASELINE = Path("results/baseline")
PUBLISHED = Path("results/published/baseline")
DIGESTS = ["audio", "ref"]
KEY = ["system", "metric"]
SPREAD = ["processor", *KEY, "value"]
FIELDS = ["value", "n", "n_failed"]
RULES = ("protocol", "recogniser", "version")
"""Columns that must be equal before two cells are compared."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """An accepted table, each training for itself."""

    split: str
    who: str  # who accepted it
    changed: str  # against the one before; empty in files that do not say
    why: str  # why it replaced the one before
    cells: Any  # data frame by (system, metric) of FIELDS and RULES

    @property
    def systems(self) -> list[str]:
        """Names of its trainings and other systems, in order."""
        return list(dict.fromkeys(self.cells.index.get_level_values("system")))

    @property
    def recipes(self) -> list[str]:
        """The same by recipe."""
        return list(dict.fromkeys(map(recipe_of, self.systems)))


def baseline_folder(split: str) -> Path:
    """Where the baseline of a split lies: the project's own where there is one, else the published one."""
    own = (BASELINE / f"{split}.csv").is_file() or not (PUBLISHED / f"{split}.csv").is_file()
    return BASELINE if own else PUBLISHED


def write_baseline(new: Baseline, baseline: Path = BASELINE) -> None:
    """Write the csv; its head says who accepted it, why, what changed, and by which rules it was scored."""
    versions = dict(sorted((metric, version) for (_, metric), version in new.cells["version"].items()))
    head = {
        "accepted by": new.who,
        "why": new.why,
        "changed": new.changed,
        "protocol": new.cells["protocol"].iloc[0],
        "asr": next(filter(None, new.cells["recogniser"]), ""),
        "metrics": "; ".join(f"{metric}={version}" for metric, version in versions.items()),
    }
    lines = "".join(f"# {key}: {said}\n" for key, said in head.items())
    cells = new.cells[FIELDS].to_csv(float_format="%.12g", lineterminator="\n")
    with atomic(baseline / f"{new.split}.csv") as draft:
        draft.write_text(lines + cells, encoding="utf-8")


def read_baseline(split: str, baseline: Path = BASELINE) -> Baseline:
    """The accepted table of a split; UseError when there is none or the file is damaged."""
    import pandas as pd

    path = baseline / f"{split}.csv"
    if not path.is_file():
        raise UseError(f"no baseline {path}; run `v2sbench accept {split} --why REASON` to make one")
    try:
        text = path.read_text(encoding="utf-8")
        comments = [line[2:].partition(":") for line in text.splitlines() if line.startswith("# ")]
        head = {key: said.strip() for key, _, said in comments}
        types = {"value": float, "n": int, "n_failed": int}
        body = "\n".join(line for line in text.splitlines() if not line.startswith("# "))
        cells = pd.read_csv(io.StringIO(body), dtype=types, keep_default_na=False).set_index(KEY)[FIELDS]
        metrics = list(cells.index.get_level_values("metric"))
        if cells.empty or not np.isfinite(cells["value"]).all():
            raise ValueError("no cells, or one without a number")
        versions = dict(part.split("=", 1) for part in head["metrics"].split("; "))
        cells["protocol"] = head["protocol"]
        cells["recogniser"] = [head["asr"] if heard(metric) else "" for metric in metrics]
        cells["version"] = [versions.get(metric, "") for metric in metrics]
        if unknown := set(metrics) - set(METRICS):
            raise ValueError(f"unknown metric {min(unknown)}")
        return Baseline(
            split=split, who=head["accepted by"], changed=head.get("changed", ""), why=head["why"], cells=cells
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UseError(
            f"{path} is damaged ({_line(error)}); take it back from git, or remove it and run v2sbench accept {split}"
        ) from None


def read_utterances(split: str, baseline: Path = BASELINE) -> Any:
    """Accepted scores, a data frame by (system, clip), a metric a column, and DIGESTS; None where they were not kept.

    UseError when the file is damaged.
    """
    import pandas as pd

    path = baseline / f"{split}.utterances.tsv"
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
        if len({line.count("\t") for line in text.splitlines()}) != 1:
            raise ValueError("lines of different lengths")
        types = dict.fromkeys(["system", "clip", *DIGESTS], str)
        frame = pd.read_csv(io.StringIO(text), sep="\t", dtype=types, keep_default_na=False, na_values=[""])
        frame = frame.set_index(["system", "clip"])
        metrics = [name for name in frame if name not in DIGESTS]
        return frame.astype(dict.fromkeys(metrics, float)).fillna(dict.fromkeys(frame.columns.difference(metrics), ""))
    except (KeyError, ValueError) as error:
        raise UseError(f"{path} is damaged ({_line(error)}); take it back from git") from None


def write_utterances(split: str, scores: Any, baseline: Path = BASELINE) -> None:
    """Write a data frame by (system, clip) of scores, a metric a column, to six digits, and DIGESTS; NaN is empty."""
    metrics = [metric for metric in METRICS if metric in scores and scores[metric].notna().any()]
    with atomic(baseline / f"{split}.utterances.tsv") as draft:
        columns = [*metrics, *(name for name in DIGESTS if name in scores)]
        scores[columns].to_csv(draft, sep="\t", float_format="%.6g", lineterminator="\n")


def read_spread(split: str, baseline: Path = BASELINE) -> Any:
    """Published trainings, a data frame of processor, system, metric, value; None where there are none.

    UseError when the file is damaged.
    """
    import pandas as pd

    path = baseline / f"{split}.spread.csv"
    if not path.is_file():
        return None
    try:
        frame = pd.read_csv(path, dtype={"value": float}, keep_default_na=False)[SPREAD]
        if not np.isfinite(frame["value"]).all() or frame.empty:
            raise ValueError("no numbers, or one that is none")
        return frame
    except (KeyError, TypeError, ValueError) as error:
        raise UseError(f"{path} is damaged ({_line(error)}); take it back from git") from None


def write_spread(split: str, spread: Any, baseline: Path = PUBLISHED) -> None:
    """Write a data frame of SPREAD."""
    with atomic(baseline / f"{split}.spread.csv") as draft:
        spread[SPREAD].to_csv(draft, index=False, float_format="%.12g", lineterminator="\n")


def _line(error: Exception) -> str:
    """An error's message in one line."""
    return " ".join(str(error).split())


def author() -> str:
    """Name and address of whoever runs this, from git's environment variables or configuration."""
    command = ["git", "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UseError(
            "a baseline names who accepted it: run `git config user.name ...` and `git config user.email ...`, or set "
            "GIT_AUTHOR_NAME and GIT_AUTHOR_EMAIL"
        ) from None
    return done.stdout.rsplit(" ", 2)[0]  # without time and zone
