"""One HTML page about a split: what was compared, how sure the numbers are, and how it sounds. It loads nothing.

    scores, audio, split and clips, training logs  --write_report-->  results/reports/SPLIT.html

The page is a function of those files: no date, no machine, so the same scores give the same bytes. `breakdown` and
`listening` find what it shows, `charts` draws, `page.html` (Jinja, everything escaped) lays it out with `page.css` and
`page.js`, which are put inside it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from v2sbench import results, wording
from v2sbench.card import card_chain
from v2sbench.card.grades import Value, read_values
from v2sbench.metrics import METRICS
from v2sbench.nets.model import weights_path
from v2sbench.report import charts
from v2sbench.report.breakdown import SLOTS, slots, speakers, utterances
from v2sbench.report.listening import TILES, Exhibit, audio_of, exhibit, pick
from v2sbench.results import Measured, Variant, asked
from v2sbench.rows import Row
from v2sbench.runtime import UseError, atomic, progress
from v2sbench.shards import Clips
from v2sbench.sheet import Table, build
from v2sbench.splits import SplitTable, read_split

__all__ = ["CLIPS", "REPORTS", "write_report"]

REPORTS = Path("results/reports")
CLIPS = 9
"""Clips on the listening page: best, median and worst of three variants."""
RANKING = ("estoi", "stoi", "pesq_wb", "pesq_nb8")
"""The first of these that was measured says which clips are best and worst."""
HERE = Path(__file__).parent


def write_report(
    split: str,
    out: Path | None = None,
    *,
    clips: int = CLIPS,
    folders: Mapping[str, Path] | None = None,
    measured: Path = results.MEASURED,
    audio: Path = Path("audio"),
) -> Path:
    """Write the page of a scored split and return its path (default: results/reports/SPLIT.html).

    clips: how many to listen to; 0 leaves the listening page out. folders: system -> folder of its audio, for systems
    whose audio lies elsewhere than audio/SPLIT/SYSTEM. UseError when nothing was scored, and, unless `clips` is 0, when
    the split, its clips or the audio of the ground truth are not here.
    """
    if clips < 0:
        raise UseError(f"--clips must not be negative, not {clips}")
    table = build(split, measured=measured)
    systems = results.load(split, measured)
    ids = asked(systems)
    exhibits: list[Exhibit] = []
    division = read_split(Path("splits") / split) if clips or (Path("splits") / split).is_dir() else None
    if clips:
        assert division is not None  # read above
        exhibits = _exhibits(division, systems, ids, clips, _folders(audio / split, systems, folders or {}))
    page = (
        _environment()
        .get_template("page.html")
        .render(
            split=split,
            lead=_lead(table),
            facts=wording.facts(table),
            table=_grid(table),
            notes=wording.notes(table),
            verdicts=wording.verdict_lines(table),
            contrasts=wording.contrast_lines(table),
            contrast_header=wording.CONTRAST_HEADER,
            forests=_forests(table),
            pair_note=wording.PAIR_NOTE,
            densities=_densities(table, systems, ids),
            speakers=_speakers(table, systems, ids),
            slots=_slots(table, systems, ids),
            slot_names=SLOTS,
            curves=_curves(table),
            exhibits=exhibits,
            listening=_listening(table, exhibits),
            ranking=wording.label(_ranking(systems)) if exhibits else "",
            provenance=_provenance(table, systems, division),
            assumptions=_assumptions(table),
            css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
            script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        )
    )
    out = out or REPORTS / f"{split}.html"
    with atomic(out) as draft:
        draft.write_text(page, encoding="utf-8")
    return out


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


# ---------------------------------------------------------------- numbers


def _lead(table: Table) -> list[str]:
    """What a stranger should know after ten seconds, a sentence each."""
    variants = [row for row in table.measured if row.group in ("variant", "system")]
    sentences = [f"{len(variants)} systems turn silent video of a speaker into speech; each is scored against what was "
                 "really said."]  # fmt: skip
    metric = next((name for name in RANKING if any(name in row.cells for row in variants)), None)
    if metric is not None:
        best = max((row for row in variants if metric in row.cells), key=lambda row: row.cells[metric].value)
        sentences.append(f"Best by {wording.label(metric)}: {best.system}, {_said(best, metric)}.")
        marks = [
            f"{row.system} {wording.number(metric, row.cells[metric].value)}"
            for row in table.measured
            if row.group in ("ceiling", "floor") and metric in row.cells
        ]
        if marks:
            sentences.append(f"To read that number: {', '.join(marks)}.")
    decided = [pair for pair in table.pairs if pair.outcome is not None]
    if decided:
        sure = sum(pair.outcome != "inconclusive" for pair in decided)
        sentences.append(
            f"Of {len(decided)} comparisons that differ in one thing, {sure} are decided after correction for their "
            "number; the others these sentences cannot decide."
        )
    return sentences


def _said(row: Row, metric: str) -> str:
    cell = row.cells[metric]
    return f"{wording.number(metric, cell.value)} {wording.interval(metric, cell)}".strip()


def _grid(table: Table) -> dict[str, Any]:
    """The main table as the template wants it: headings, and groups of rows whose cells carry what they sort by."""
    keys = ["system", "init", "identity", "vocoder", *table.metrics, "n", "failed", "source"]
    best = wording.best(table)
    groups = []
    for title, rows in wording.grouped(table):
        lines = []
        for row in rows:
            cells = []
            for key, text in zip(keys, wording.line(table, row), strict=True):
                cell = row.cells.get(key)
                value, _, spread = text.partition(" ") if cell is not None else (text, "", "")
                cells.append({
                    "key": key, "text": value, "interval": spread, "order": text if cell is None else cell.value,
                    "metric": key in table.metrics, "best": cell is not None and (row.system, key) in best,
                })  # fmt: skip
            lines.append({"cells": cells, "secondary": row.grade == "secondary"})
        groups.append({"title": title, "rows": lines})
    return {"header": list(zip(keys, wording.header(table), strict=True)), "groups": groups}


def _forests(table: Table) -> list[dict[str, Any]]:
    """Forest plots: an axis of comparison, a chart a metric."""
    found = []
    for axis, title in wording.TITLES.items():
        pairs = [pair for pair in table.pairs if pair.axis == axis and pair.comparison and pair.outcome]
        plots = []
        for metric in table.metrics:
            rows = [
                charts.Interval(
                    label=f"{pair.left.model} {getattr(pair.left, _other(axis))}: {getattr(pair.left, axis)} - "
                    f"{getattr(pair.right, axis)}",
                    value=pair.comparison.difference, low=pair.comparison.low, high=pair.comparison.high,
                    outcome=pair.outcome,
                )
                for pair in pairs
                if pair.metric == metric and pair.comparison and pair.outcome
            ]  # fmt: skip
            if rows:
                plots.append({"metric": wording.label(metric), "better": _better(metric),
                              "chart": charts.forest(rows, f"{title} {wording.label(metric)}")})  # fmt: skip
        if plots:
            found.append({"title": title, "plots": plots})
    return found


def _other(axis: str) -> str:
    return "identity" if axis == "init" else "init"


def _better(metric: str) -> str:
    return "right is better" if wording.higher_is_better(metric) else "left is better"


def _measured(table: Table) -> list[Row]:
    return [row for row in table.measured if row.group != "floor"]


def _densities(table: Table, systems: Mapping[str, Measured], ids: Sequence[str]) -> list[dict[str, Any]]:
    """A chart of the utterances a metric."""
    found = []
    for metric in table.metrics:
        if metric not in METRICS:
            continue
        rows = {
            row.system: list(utterances(systems[row.system], metric, ids).values())
            for row in table.measured
            if systems[row.system].has(metric)
        }
        chart = charts.densities(rows, f"{wording.label(metric)} of every utterance, a row a system")
        if chart:
            found.append({"metric": wording.label(metric), "chart": chart})
    return found


def _speakers(table: Table, systems: Mapping[str, Measured], ids: Sequence[str]) -> list[dict[str, Any]]:
    """A table a metric: systems by speakers."""
    found = []
    for metric in [name for name in ("estoi", "wer") if name in table.metrics]:
        values = speakers({row.system: systems[row.system] for row in _measured(table)}, metric, ids)
        names = list(dict.fromkeys(who for line in values.values() for who in line))
        if names:
            rows = [(name, [_heat(metric, line.get(who)) for who in names]) for name, line in values.items()]
            found.append({"metric": wording.label(metric), "speakers": names, "rows": rows})
    return found


def _slots(table: Table, systems: Mapping[str, Measured], ids: Sequence[str]) -> list[tuple[str, list[Any]]]:
    """System -> errors in each word slot."""
    found = slots({row.system: systems[row.system] for row in _measured(table)}, ids)
    return [(name, [_heat("wer", value) for value in line]) for name, line in found.items()]


def _heat(metric: str, value: float | None) -> dict[str, Any]:
    """A cell's text, and how good it is from 0 to 1 for its shade."""
    if value is None:
        return {"text": "", "good": None}
    good = 1 - value / 100 if METRICS[metric].unit == "%" else value
    return {"text": wording.number(metric, value), "good": round(min(max(good, 0.0), 1.0), 2)}


def _curves(table: Table) -> list[dict[str, Any]]:
    """Training logs that lie beside the weights: a chart a column of theirs, a line a variant."""
    logs: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in table.measured:
        if not (variant := Variant.of(row.system)):
            continue
        path = weights_path(row.system, table.split).with_suffix(".tsv")
        if not path.is_file():
            continue
        for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"):
            for column in ("validation_l1", "l1", "power"):
                if line.get(column):
                    points = logs.setdefault(f"{column}, {variant.model}", {}).setdefault(row.system, [])
                    points.append((float(line["step"]), float(line[column])))
    order = sorted(logs, key=lambda name: (name.split(", ")[1], not name.startswith("validation")))
    return [
        {"title": name, "names": [label for label, points in logs[name].items() if len(points) > 1],
         "chart": charts.curves(logs[name], f"{name} over training steps")}
        for name in order
        if any(len(points) > 1 for points in logs[name].values())
    ]  # fmt: skip


# ---------------------------------------------------------------- listening


def _ranking(systems: Mapping[str, Measured]) -> str:
    """The metric that ranks clips."""
    return next((name for name in RANKING if any(scores.has(name) for scores in systems.values())), "")


def _folders(root: Path, systems: Mapping[str, Measured], elsewhere: Mapping[str, Path]) -> dict[str, Path]:
    """System -> folder of its audio, of the systems that have one here; UseError for one that was named and is not."""
    for name, folder in elsewhere.items():
        if not folder.is_dir():
            raise UseError(f"no folder {folder} with the audio of {name}")
        if name not in systems:
            raise UseError(f"{name} was not scored on {root.name}; run: "
                           f"v2sbench score --split {root.name} --system {name}={folder}")  # fmt: skip
    found = {name: root / name for name in systems} | dict(elsewhere)
    found = {name: folder for name, folder in found.items() if folder.is_dir()}
    if not found:
        raise UseError(f"no audio under {root}; run `dvc repro`, or leave the listening page out: --clips 0")
    return found


def _exhibits(
    division: SplitTable, systems: Mapping[str, Measured], ids: Sequence[str], count: int, folders: Mapping[str, Path]
) -> list[Exhibit]:
    metric = _ranking(systems)
    if not metric:
        return []
    chosen = [item for item in pick(systems, metric, ids, count) if audio_of(folders, item.clip)]
    clips = Clips(division.clips)
    return [exhibit(item, clips, folders, systems) for item in progress(chosen, desc=f"report {division.name}")]


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A system's line under its spectrogram."""

    scores: str
    """Its scores in words."""
    heard: str
    """What the recogniser understood, empty for nothing."""
    status: str
    """Why it was not scored, empty when it was."""


def _listening(table: Table, exhibits: Sequence[Exhibit]) -> Markup:
    """What the page's script reads: JSON that cannot end its own element."""
    order = {row.system: place for place, row in enumerate(table.measured)}
    first = sorted(order, key=lambda name: (name != "ground-truth", order[name]))
    content = {
        "tiles": TILES,
        "systems": [name for name in first if any(s.system == name for e in exhibits for s in e.samples)],
        "clips": [
            {
                "id": item.pick.clip, "why": item.pick.why, "text": item.text, "frames": item.frames,
                "tiles": item.tiles,
                "samples": {
                    sample.system: {
                        "audio": sample.audio, "mel": sample.mel, "seconds": round(sample.seconds, 3),
                        **asdict(_shown(table, sample.line)),
                    }
                    for sample in item.samples
                },
            }
            for item in exhibits
        ],
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _shown(table: Table, line: Mapping[str, Any]) -> _Shown:
    scores = []
    for metric in table.metrics:
        value = line.get(metric)
        if isinstance(value, Mapping):
            errors = value["sub"] + value["del"] + value["ins"]
            scores.append(f"{METRICS[metric].column} {errors} of {value['words']}")
        elif value is not None:
            scores.append(f"{wording.label(metric)} {wording.number(metric, float(value))}")
    status = "" if line.get("status", "ok") == "ok" else str(line["status"])
    return _Shown(scores=", ".join(scores), heard=str(line.get("hyp") or ""), status=status)


# ---------------------------------------------------------------- where it all comes from


def _provenance(
    table: Table, systems: Mapping[str, Measured], division: SplitTable | None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Facts under headings: the split, how it was scored, the machine."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    if division is not None:
        parts = ", ".join(f"{part} {have}" for part, (have, _) in division.coverage.parts.items())
        found.append(("Split", [
            ("corpus", division.corpus), ("clips", parts), ("coverage", division.coverage_label or "complete"),
            ("division", division.division), ("contents", division.digest),
            ("list", division.listing or "the split's own"), ("speakers of the test part", f"{division.identity}"),
        ]))  # fmt: skip
    metas = [systems[row.system].meta for row in table.measured]
    for title, keys in (("Scoring", ("protocol", "asr", "normaliser", "aggregation")),):
        found.append((title, [
            (key, "; ".join(dict.fromkeys(str(meta[key]) for meta in metas if meta.get(key)))) for key in keys
        ]))  # fmt: skip
    versions: dict[str, dict[str, None]] = {}
    machines: dict[str, dict[str, None]] = {}
    for meta in metas:
        for name, version in meta.get("metrics", {}).items():
            versions.setdefault(name, {})[str(version)] = None
        for name, version in meta.get("environment", {}).items():
            machines.setdefault(name, {})[str(version)] = None
    found.append(("Versions of the metrics", [(name, ", ".join(values)) for name, values in versions.items()]))
    found.append(("Environment of the scoring", [(name, ", ".join(values)) for name, values in machines.items()]))
    return [(title, [(key, value) for key, value in rows if value]) for title, rows in found]


def _assumptions(table: Table) -> list[Value]:
    """Values of the cards behind the table that the paper does not give."""
    names = [name for row in table.measured if Variant.of(row.system) for name in card_chain(row.system)]
    values = [value for name in dict.fromkeys(names) for value in read_values(name)]
    return [value for value in values if any(grade == "assumed" for grade, _ in value.reasons)]
