"""One HTML page about a split: what was compared, how sure the numbers are, and how it sounds. It loads nothing.

    scores, audio, split and clips, training logs  --write_report-->  results/reports/SPLIT.html

The page is a function of those files: no date, no machine, so the same scores give the same bytes. `breakdown` and
`listening` find what it shows, `charts` draws, `page.html` (Jinja, everything escaped) lays it out with `page.css` and
`page.js`, which are put inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from v2sbench.clips.splits import SplitTable, read_split
from v2sbench.clips.store import Clips
from v2sbench.report import numbers
from v2sbench.report.breakdown import SLOTS
from v2sbench.report.listening import Exhibit, as_json, audio_of, exhibit, pick
from v2sbench.report.numbers import Scored
from v2sbench.report.provenance import assumptions, provenance
from v2sbench.results import wording
from v2sbench.results.measured import Measured
from v2sbench.runtime import UseError, atomic, progress

__all__ = ["CLIPS", "REPORTS", "write_report"]

REPORTS = Path("results/reports")
CLIPS = 9
"""Clips on the listening page: best, median and worst of three variants."""
HERE = Path(__file__).parent


def write_report(
    split: str,
    out: Path | None = None,
    *,
    clips: int = CLIPS,
    folders: Mapping[str, Path] | None = None,
    scored: Scored | None = None,
    audio: Path = Path("audio"),
) -> Path:
    """Write the page of a scored split and return its path (default: results/reports/SPLIT.html).

    clips: how many to listen to; 0 leaves the listening page out. folders: system -> folder of its audio, for systems
    whose audio lies elsewhere than audio/SPLIT/SYSTEM. scored: the split's scores, where they were read. UseError when
    nothing was scored, and, unless `clips` is 0, when the split, its clips or all audio are not here.
    """
    if clips < 0:
        raise UseError(f"--clips must not be negative, not {clips}")
    scored = scored or numbers.read(split)
    table, systems, ids, metric = scored.table, scored.systems, scored.clips, scored.ranking
    exhibits: list[Exhibit] = []
    division = read_split(Path("splits") / split) if clips or (Path("splits") / split).is_dir() else None
    if clips:
        assert division is not None  # read above
        exhibits = _exhibits(division, systems, ids, metric, clips, _folders(audio / split, systems, folders or {}))
    page = (
        _environment()
        .get_template("page.html")
        .render(
            split=split,
            lead=numbers.lead(table),
            facts=wording.facts(table),
            table=numbers.grid(table),
            notes=wording.notes(table),
            verdicts=wording.verdict_lines(table),
            contrasts=wording.contrast_lines(table),
            contrast_header=wording.CONTRAST_HEADER,
            forests=numbers.forests(table),
            pair_note=wording.PAIR_NOTE,
            densities=numbers.densities(table, systems, ids),
            speakers=numbers.speaker_tables(table, systems, ids),
            slots=numbers.slot_table(table, systems, ids),
            slot_names=SLOTS,
            curves=numbers.training(table),
            exhibits=exhibits,
            listening=as_json(table, exhibits),
            ranking=wording.label(metric) if metric else "",
            provenance=provenance(table, systems, division),
            assumptions=assumptions(table),
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
    division: SplitTable,
    systems: Mapping[str, Measured],
    ids: Sequence[str],
    metric: str,
    count: int,
    folders: Mapping[str, Path],
) -> list[Exhibit]:
    if not metric:
        return []
    chosen = [item for item in pick(systems, metric, ids, count) if audio_of(folders, item.clip)]
    clips = Clips(division.clips)
    return [exhibit(item, clips, folders, systems) for item in progress(chosen, desc=f"report {division.name}")]
