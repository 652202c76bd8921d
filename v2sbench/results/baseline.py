"""Accepted numbers: a split's table as it was when somebody looked at it and said that it is right.

    accept(split, why) -> results/baseline/<split>.csv              who, what changed, why, how it was measured, cells
                          results/baseline/<split>.utterances.tsv   the same by utterance, six digits

Both belong into git, so a change of a number is reviewed like one of the code. `gate` holds new scores against them;
without the second file it cannot say which clips moved, and says that.
"""

from __future__ import annotations

import csv
import io
import math
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from v2sbench.results import measured as results
from v2sbench.results import sheet
from v2sbench.results.rows import Row
from v2sbench.results.sheet import Table, precise
from v2sbench.results.wording import heard, number
from v2sbench.runtime import UseError, atomic
from v2sbench.scoring.metrics import METRICS

BASELINE = Path("results/baseline")
TOLERANCES: Mapping[str, float] = MappingProxyType({"MOS-LQO": 0.02, "raw MOS": 0.02, "%": 0.5, "dB": 0.02})
"""Unit -> how far a mean may move, either way, before it is a change: several times what another processor's rounding
moves on the same audio."""
DEFAULT_TOLERANCE = 0.005
"""Tolerance of a metric of any other unit, such as STOI."""
NOTHING = "nothing changed"
"""What changed, where nothing did."""
FIELDS = ("system", "metric", "value", "n", "n_failed")
NAMED = 4
"""Cells of a kind that a baseline's head names; the others it counts."""

Cells = Mapping[tuple[str, str], tuple[float, int, int]]
Utterances = Mapping[tuple[str, str], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """An accepted table."""

    split: str
    """Split."""
    who: str
    """Who accepted it."""
    changed: str
    """What changed against the one before; empty in files that do not say."""
    why: str
    """Why it replaced the one before."""
    protocol: str
    """Scoring protocol of all its rows."""
    asr: str
    """Recogniser behind its WERs; empty where it has none."""
    versions: Mapping[str, str]
    """Metric -> version."""
    cells: Cells
    """(system, metric) -> (value, n, n_failed)."""

    @property
    def systems(self) -> list[str]:
        """Names of its systems, in order."""
        return list(dict.fromkeys(system for system, _ in self.cells))


def tolerance(metric: str) -> float:
    """How far the metric's mean may move, in its unit."""
    return TOLERANCES.get(METRICS[metric].unit, DEFAULT_TOLERANCE)


def moved(metric: str, before: float, now: float) -> str:
    """`better`, `worse`, or empty where the mean moved by no more than the tolerance."""
    if abs(now - before) <= tolerance(metric):
        return ""
    return "better" if (now > before) == METRICS[metric].higher_is_better else "worse"


# ---------------------------------------------------------------- making one


def accept(
    split: str,
    why: str,
    *,
    who: str | None = None,
    systems: Sequence[str] = (),
    table: Table | None = None,
    measured: Path = results.MEASURED,
    baseline: Path = BASELINE,
) -> Baseline:
    """Make measured numbers the baseline of a split; returns what was written.

    Variants, references, and the users' systems that are in the baseline already; or `systems` alone, a user's own
    among them, and what the baseline has of others stays. A file with the same numbers is not written anew. why: one
    line that stands in the file. who: defaults to the git author (environment or configuration).
    UseError when nothing was measured, the reason is no line, or rows were not scored alike.
    """
    if not why.strip() or "\n" in why:
        raise UseError(f"the reason must be one line, not {why!r}; give --why REASON")
    before = read_baseline(split, baseline) if (baseline / f"{split}.csv").is_file() else None
    rows = _chosen(table or sheet.build(split, measured=measured), systems, before)
    new = _measured(split, rows)
    if systems and before:
        new = _joined(before, new, systems)
    changed = _difference(before, new)
    new = replace(new, who=who or author(), why=why.strip(), changed=changed)
    if before is None or changed != NOTHING:
        _write(baseline / f"{split}.csv", _csv(new))
    kept = read_utterances(split, baseline) or {}
    fresh = _by_utterance(split, rows, measured)
    known = {key: fresh.get(key, kept.get(key, {})) for key in new.cells}
    _write(baseline / f"{split}.utterances.tsv", _tsv(known))
    return new


def _chosen(table: Table, systems: Sequence[str], before: Baseline | None) -> list[Row]:
    """The rows to accept; UseError when there is none, or none of a name."""
    if systems:
        return [table.row(name) for name in systems]
    known = before.systems if before else []
    rows = [row for row in table.measured if row.group != "system" or row.system in known]
    if not rows:
        own = ",".join(row.system for row in table.measured)
        raise UseError(
            f"no variant or reference system was measured on {table.split}; run `dvc repro`, or name your own: "
            f"--systems {own}"
        )
    return rows


def _measured(split: str, rows: Sequence[Row]) -> Baseline:
    """The rows as a baseline that nobody accepted yet; UseError unless they were scored alike."""
    first = rows[0]
    asr, versions = "", dict[str, str]()
    for row in rows:
        recogniser = row.asr if any(map(heard, row.cells)) else ""
        clash = {
            metric for metric in row.versions if versions.get(metric, row.versions[metric]) != row.versions[metric]
        }
        if row.protocol != first.protocol or clash or (asr and recogniser and asr != recogniser):
            raise UseError(
                f"{row.system} was not scored like {first.system} (protocol, recogniser or metric version); run "
                f"`v2sbench score {row.system} --split {split}`"
            )
        asr, versions = asr or recogniser, versions | dict(row.versions)
    cells = {
        (row.system, metric): (float(precise(cell.value)), cell.n or 0, cell.n_failed or 0)
        for row in rows
        for metric, cell in row.cells.items()
    }
    return Baseline(
        split=split,
        who="",
        changed="",
        why="",
        protocol=first.protocol,
        asr=asr,
        versions=versions,
        cells=_sorted(cells),
    )


def _joined(before: Baseline, new: Baseline, systems: Sequence[str]) -> Baseline:
    """The one before with the new one's systems in it; UseError when the two were not scored alike."""
    kept = {key: cell for key, cell in before.cells.items() if key[0] not in systems}
    metrics = {metric for _, metric in kept}
    versions = {name: version for name, version in before.versions.items() if name in metrics}
    pairs = [("protocol", before.protocol, new.protocol)] if kept else []
    pairs += [("recogniser", before.asr, new.asr)] if new.asr and any(map(heard, metrics)) else []
    pairs += [(f"version of {name}", versions[name], new.versions[name]) for name in versions if name in new.versions]
    for name, then, now in pairs:
        if then != now:
            raise UseError(
                f"{', '.join(systems)}: another {name} ({now!r}) than the baseline's ({then!r}); score alike, or "
                f"accept all: v2sbench accept {before.split} --why REASON"
            )
    asr = before.asr if any(map(heard, metrics)) else new.asr
    return replace(new, asr=asr, versions=versions | dict(new.versions), cells=_sorted(kept | dict(new.cells)))


def _sorted(cells: Cells) -> Cells:
    """Cells in the order of the table."""
    metrics = list(METRICS)
    return dict(sorted(cells.items(), key=lambda item: (results.order(item[0][0]), metrics.index(item[0][1]))))


def _difference(before: Baseline | None, new: Baseline) -> str:
    """What the new one changes, in one line."""
    if before is None:
        return f"first baseline, {len(new.cells)} cells of {len(new.systems)} systems"
    found: dict[str, list[str]] = {"added": [], "removed": [], "moved": [], "recounted": [], "within tolerance": []}
    for key in [*new.cells, *(key for key in before.cells if key not in new.cells)]:
        then, now, name = before.cells.get(key), new.cells.get(key), " ".join(key)
        if then is None or now is None:
            found["removed" if now is None else "added"].append(name)
            continue
        if said := moved(key[1], then[0], now[0]):
            found["moved"].append(f"{name} {number(key[1], then[0])} -> {number(key[1], now[0])} ({said})")
        elif then[0] != now[0]:
            found["within tolerance"].append(name)
        if then[1:] != now[1:]:
            found["recounted"].append(f"{name} {counts(*then[1:])} -> {counts(*now[1:])}")
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''})"
        for kind, names in found.items()
        if names
    ]
    facts = [("protocol", before.protocol, new.protocol), ("recogniser", before.asr, new.asr)]
    facts += [(f"version of {name}", before.versions[name], version) for name, version in new.versions.items()
              if name in before.versions]  # fmt: skip
    parts += [f"{name} {then} -> {now}" for name, then, now in facts if then != now]
    return "; ".join(parts) or NOTHING


def counts(n: int, n_failed: int) -> str:
    """Utterances with and without a value, for people."""
    return f"n {n}, failed {n_failed}"


def author() -> str:
    """Name and address of whoever runs this, from git's environment variables or configuration."""
    parts = []
    for variable, key in (("GIT_AUTHOR_NAME", "user.name"), ("GIT_AUTHOR_EMAIL", "user.email")):
        text = os.environ.get(variable, "").strip() or _git_config(key)
        if not text:
            raise UseError(f"a baseline names who accepted it: run `git config {key} ...` or set {variable}")
        parts.append(text)
    return f"{parts[0]} <{parts[1]}>"


def _git_config(key: str) -> str:
    try:
        done = subprocess.run(["git", "config", key], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


# ---------------------------------------------------------------- the files


def _write(path: Path, text: str) -> None:
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _csv(new: Baseline) -> str:
    text = io.StringIO()
    text.write(f"# accepted by: {new.who}\n# why: {new.why}\n# changed: {new.changed}\n# protocol: {new.protocol}\n")
    text.write(f"# asr: {new.asr}\n# metrics: {'; '.join(f'{k}={v}' for k, v in sorted(new.versions.items()))}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for (system, metric), (value, n, n_failed) in new.cells.items():
        writer.writerow([system, metric, precise(value), n, n_failed])
    return text.getvalue()


def read_baseline(split: str, baseline: Path = BASELINE) -> Baseline:
    """The accepted table of a split; UseError when there is none or the file is damaged."""
    path = baseline / f"{split}.csv"
    if not path.is_file():
        raise UseError(f"no baseline {path}; run `v2sbench accept {split} --why REASON` to make one")
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [text[2:].partition(":") for text in lines if text.startswith("# ")]
    head = {key: said.strip() for key, _, said in comments}
    try:
        cells = {}
        for line in csv.DictReader(text for text in lines if not text.startswith("#")):
            value = float(line["value"])
            if not math.isfinite(value) or line["metric"] not in METRICS:
                raise ValueError(f"system {line['system']}: {line['metric']} = {line['value']}")
            cells[line["system"], line["metric"]] = (value, int(line["n"]), int(line["n_failed"]))
        if not cells:
            raise ValueError("no cells")
        return Baseline(
            split=split,
            who=head["accepted by"],
            changed=head.get("changed", ""),
            why=head["why"],
            protocol=head["protocol"],
            asr=head["asr"],
            versions={key: said for key, _, said in (part.partition("=") for part in head["metrics"].split("; "))},
            cells=cells,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UseError(
            f"{path} is damaged ({error}); take it back from git, or remove it and run v2sbench accept {split}"
        ) from None


def _by_utterance(split: str, rows: Iterable[Row], measured: Path) -> dict[tuple[str, str], dict[str, float]]:
    """(system, metric) -> clip -> score, from the stored scores behind the rows."""
    systems = results.load(split, measured)
    clips = results.asked(systems)
    return {(row.system, metric): systems[row.system].utterances(metric, clips) for row in rows for metric in row.cells}


def _tsv(known: Utterances) -> str:
    """One line a system and clip; a metric without a score is empty."""
    metrics = [metric for metric in METRICS if any(name == metric for _, name in known)]
    lines = ["\t".join(("system", "clip", *metrics))]
    for system in dict.fromkeys(system for system, _ in known):
        scores = [known.get((system, metric), {}) for metric in metrics]
        for clip in sorted(set().union(*scores)):
            lines.append(
                "\t".join((system, clip, *(f"{score[clip]:.6g}" if clip in score else "" for score in scores)))
            )
    return "\n".join(lines) + "\n"


def read_utterances(split: str, baseline: Path = BASELINE) -> dict[tuple[str, str], dict[str, float]] | None:
    """(system, metric) -> clip -> accepted score, to six digits; None where they were not kept.

    UseError when the file is damaged.
    """
    path = baseline / f"{split}.utterances.tsv"
    if not path.is_file():
        return None
    found: dict[tuple[str, str], dict[str, float]] = {}
    head, *lines = [text.split("\t") for text in path.read_text(encoding="utf-8").splitlines()] or [[""]]
    for place, cells in enumerate(lines, 2):
        try:
            for metric, text in zip(head[2:], cells[2:], strict=True):
                if text:
                    found.setdefault((cells[0], metric), {})[cells[1]] = float(text)
        except (IndexError, ValueError) as error:
            raise UseError(f"{path}, line {place} is damaged ({error}); take it back from git") from None
    return found
