"""The files of an accepted table, in git: results/baseline/<split>.csv and, by utterance, <split>.utterances.tsv."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from v2sbench.results.wording import heard
from v2sbench.runtime import UseError, atomic
from v2sbench.scoring import METRICS

BASELINE = Path("results/baseline")
KEY = ["system", "metric"]
FIELDS = ["value", "n", "n_failed"]
RULES = ("protocol", "recogniser", "version")
"""Columns that must be equal before two cells are compared."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """An accepted table."""

    split: str
    who: str  # who accepted it
    changed: str  # against the one before; empty in files that do not say
    why: str  # why it replaced the one before
    cells: Any  # data frame by (system, metric) of FIELDS and RULES

    @property
    def systems(self) -> list[str]:
        """Names of its systems, in order."""
        return list(dict.fromkeys(self.cells.index.get_level_values("system")))


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
    text = path.read_text(encoding="utf-8")
    comments = [line[2:].partition(":") for line in text.splitlines() if line.startswith("# ")]
    head = {key: said.strip() for key, _, said in comments}
    try:
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
            f"{path} is damaged ({error}); take it back from git, or remove it and run v2sbench accept {split}"
        ) from None


def read_utterances(split: str, baseline: Path = BASELINE) -> Any:
    """Accepted scores, a data frame by (system, clip), a metric a column; None where they were not kept.

    UseError when the file is damaged.
    """
    import pandas as pd

    path = baseline / f"{split}.utterances.tsv"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    try:
        if len({line.count("\t") for line in text.splitlines()}) != 1:
            raise ValueError("lines of different lengths")
        types = {"system": str, "clip": str}
        frame = pd.read_csv(io.StringIO(text), sep="\t", dtype=types, keep_default_na=False, na_values=[""])
        return frame.set_index(["system", "clip"]).astype(float)
    except (KeyError, ValueError) as error:
        raise UseError(f"{path} is damaged ({error}); take it back from git") from None


def write_utterances(split: str, scores: Any, baseline: Path = BASELINE) -> None:
    """Write a data frame by (system, clip) of scores, a metric a column, to six digits; NaN is empty."""
    metrics = [metric for metric in METRICS if metric in scores and scores[metric].notna().any()]
    with atomic(baseline / f"{split}.utterances.tsv") as draft:
        scores[metrics].to_csv(draft, sep="\t", float_format="%.6g", lineterminator="\n")


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
