"""The page itself: what is on it, and how it is laid out.

It is a function of its sources: the same scores give the same bytes. Dates and machines on it are those of the scoring.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from v2sbench.clips.splits import SplitTable, read_split
from v2sbench.clips.store import Clips
from v2sbench.corpora import discover
from v2sbench.report import numbers
from v2sbench.report.breakdown import SLOTS
from v2sbench.report.listening import Exhibit, as_json, audio_of, exhibit, pick
from v2sbench.report.provenance import assumptions, sources
from v2sbench.results import Table, wording
from v2sbench.results import table as make_table
from v2sbench.results.provenance import changed
from v2sbench.runtime import UseError, atomic, progress

REPORTS = Path("results/reports")
HERE = Path(__file__).parent
CLIPS = 9  # on the listening page: best, median and worst of three variants


def write_report(
    split: str | Table,
    out: Path | None = None,
    *,
    clips: int = CLIPS,
    folders: Mapping[str, Path] | None = None,
    audio: Path = Path("audio"),
) -> Path:
    """Write the page of a scored split, or of its table if that is made already; return the page's path.

    out: by default results/reports/SPLIT.html. clips: how many to listen to; 0 leaves the listening page out. folders:
    training -> folder of its audio, for those with audio elsewhere than in audio/SPLIT/TRAINING. UseError when nothing
    was scored, and, unless `clips` is 0, when the split, its clips or all audio are not here.
    """
    if clips < 0:
        raise UseError(f"--clips must not be negative, not {clips}")
    table = make_table(split) if isinstance(split, str) else split
    metric = numbers.ranking(table)
    place = Path("splits") / table.split
    division = read_split(place) if clips or place.is_dir() else None
    exhibits: list[Exhibit] = []
    if clips and division is not None:
        places = _folders(audio / table.split, table, folders or {})
        exhibits = _exhibits(division, table, metric, clips, places) if metric else []
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").render(
        split=table.split,
        badges=numbers.badges(table, division is not None and _embedded(division.corpus)),
        lead=numbers.lead(table),
        facts=wording.facts(table),
        table=numbers.grid(table),
        notes=wording.notes(table),
        verdicts=wording.verdict_lines(table),
        contrasts=wording.contrast_lines(table),
        contrast_header=wording.CONTRAST_HEADER,
        forests=numbers.forests(table),
        pair_note=wording.PAIR_NOTE,
        densities=numbers.densities(table),
        speakers=numbers.speaker_tables(table),
        slots=numbers.slot_table(table),
        slot_names=SLOTS,
        curves=numbers.training(table),
        exhibits=exhibits,
        listening=as_json(table, exhibits),
        ranking=wording.label(metric) if metric else "",
        provenance=sources(table, division),
        changed=changed(table),
        assumptions=assumptions(table),
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
    )
    out = out or REPORTS / f"{table.split}.html"
    with atomic(out) as draft:
        draft.write_text(page, encoding="utf-8")
    return out


def _embedded(corpus: str) -> bool:
    """Whether a corpus is one that this suite generates."""
    found = discover().get(corpus)
    return found is not None and found.embedded


def _folders(root: Path, table: Table, elsewhere: Mapping[str, Path]) -> dict[str, Path]:
    """Recipe -> folder of its first training's audio, where it is here; UseError for one that was named and is not."""
    for name, folder in elsewhere.items():
        if not folder.is_dir():
            raise UseError(f"no folder {folder} with the audio of {name}")
        if name not in table.results.systems:
            todo = f"v2sbench score --split {root.name} --system {name}={folder}"
            raise UseError(f"{name} was not scored on {root.name}; run: {todo}")
    firsts = {name: item.system for name, item in numbers.first_trainings(table).items()}
    found = {name: elsewhere.get(training, root / training) for name, training in firsts.items()}
    found = {name: folder for name, folder in found.items() if folder.is_dir()}
    if not found:
        raise UseError(f"no audio under {root}; run `dvc repro`, or leave the listening page out: --clips 0")
    return found


def _exhibits(
    division: SplitTable, table: Table, metric: str, count: int, folders: Mapping[str, Path]
) -> list[Exhibit]:
    """At most `count` clips to listen to, those with audio."""
    systems = numbers.first_trainings(table)
    chosen = [item for item in pick(systems, metric, table.results.clips, count) if audio_of(folders, item.clip)]
    clips = Clips(division.clips)
    return [exhibit(item, clips, folders, systems) for item in progress(chosen, desc=f"report {division.name}")]
