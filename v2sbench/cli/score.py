"""The verb that scores: this suite's systems and any other's, one or several, under one protocol or under each.

options -> Task (whose audio, against which references, on which clips) -> v2sbench.scoring, once a system and protocol
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from v2sbench.cli.options import (
    AUDIO,
    DIR,
    FILE,
    MEASURED,
    exclusive,
    jobs_option,
    names_in,
    need_split,
    read_facts,
    system_option,
    systems_of,
    trainings_of,
    verb,
)
from v2sbench.runtime import CheckError, UseError, choose
from v2sbench.runtime.systems import GROUND_TRUTH, REFERENCES

if TYPE_CHECKING:
    from v2sbench.results import Measured
    from v2sbench.scoring import Summary


TRANSCRIPTS = Path("results/transcripts.sqlite")
"""What recognisers heard in this project. It changes no number, so it is no output of a stage."""
WORSE = 20.0
"""Points of WER by which references may be understood worse than predictions before a warning."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to score."""

    systems: Mapping[str, Path]
    """Name -> folder of predictions."""
    refs: Path
    clips: Sequence[str]
    texts: Mapping[str, str] | None
    """Clip -> sentence; None when there are no texts."""
    facts: Mapping[str, str]
    """What else a table should say of every system: the coverage."""
    split: str | None = None


@verb(
    "audio -> PESQ, STOI, ESTOI, WER of every clip; any systems', with or without a split",
    "score v2a-mel-s-speaker-tuned --split demo-seen",
    "score --split grid4-seen --wavs my-system/",
    "score --split grid4-seen --system mine=a/ --system theirs=b/",
    "score --split grid4-seen --system mine=run1/,run2/,run3/",
    "score --split grid4-seen --system mine=a/ --protocol all",
    "score --wavs mine/ --refs truth/ --grammar grid --truth --out scores/",
)
@click.argument("made", nargs=-1, metavar="[SYSTEM]...", help="What `synth` made, with all trainings; needs --split.")
@click.option("--split", metavar="S", help="Take clips, references and texts from this split.")
@click.option("--wavs", type=DIR, help="Any system's audio: DIR/<speaker>/<clip>.wav (or .flac) or DIR/<clip>.wav.")
@click.option("--name", metavar="NAME", help="What to call the system of --wavs (default: its folder's name).")
@system_option
@click.option("--refs", type=DIR, help="References for --wavs without a split.")
@click.option("--texts", type=FILE, help="`clip<TAB>text` lines, for the WER without a split.")
@click.option("--grammar", type=click.Choice(["grid"]), help="Read the texts from GRID file names instead.")
@click.option("--truth", is_flag=True, help="Without a split: score the references too, as a ceiling.")
@click.option(
    "--out", type=FILE, help="A folder for several (default: results/measured/S/SYSTEM.jsonl or the terminal)."
)
@click.option("--protocol", metavar="P", help="Or P,P or `all` to see the spread (default: that of params.yaml).")
@click.option("--asr", metavar="A", help="Recogniser, or `none` (default: that of params.yaml).")
@click.option("--metrics", metavar="M,M", help="Only these (default: all of the protocol).")
@jobs_option
def score(
    made: tuple[str, ...],
    split: str | None,
    wavs: Path | None,
    name: str | None,
    systems: tuple[str, ...],
    refs: Path | None,
    texts: Path | None,
    grammar: str | None,
    truth: bool,
    **how: Any,
) -> None:
    """Wavs and references -> one JSON line a clip, for each system and protocol."""
    for option, value in {"refs": refs, "texts": texts, "grammar": grammar, "truth": truth}.items():
        if split and value:
            raise UseError(f"--{option} does not go with --split: the split has its own")
    if made and not split:
        raise UseError(f"a SYSTEM ({made[0]!r}) needs --split; without one, give --name to name --wavs")
    own = systems_of(systems, split, wavs=wavs, name=name)
    if split:
        score_split(split, made, own, **how)
    else:
        _score(_from_folders(own, refs, texts, grammar, truth), **how)


def score_split(split: str, made: Sequence[str] = (), own: Mapping[str, Path] | None = None, **how: Any) -> None:
    """Score systems of a split into results/measured/SPLIT; a clip whose score still holds is not scored again.

    made: systems whose audio `synth` made. own: users' systems, name -> folder. how: as the options of `_score`.
    """
    own = own or {}
    if not (made or own):
        raise UseError("with --split, name a SYSTEM, --wavs DIR or --system NAME=DIR; see: v2sbench score --help")
    folder = need_split(split)
    systems = {name: AUDIO / split / name for recipe in made for name in trainings_of(recipe, AUDIO / split)}
    for name, wavs in {GROUND_TRUTH: AUDIO / split / GROUND_TRUTH, **systems}.items():
        if not wavs.is_dir():
            raise UseError(f"no folder {wavs} with the audio of {name}; run: v2sbench synth {name} --split {split}")
    from v2sbench.clips.splits import read_split

    table = read_split(folder)
    rows = [row for row in table.rows if row.subset == "test"]
    if not rows:
        raise UseError(f"split {split} has no test clips here; it can only be trained on")
    task = Task(
        systems={**systems, **own},
        refs=AUDIO / split / GROUND_TRUTH,
        clips=[row.id for row in rows],
        texts={row.id: row.text for row in rows if row.text} or None,
        facts={"coverage": table.coverage_label},
        split=split,
    )
    _score(task, **how)


def _from_folders(
    own: Mapping[str, Path], refs: Path | None, texts: Path | None, grammar: str | None, truth: bool
) -> Task:
    """A task without a split: folders against a folder."""
    if not own:
        raise UseError("without --split, --wavs or --system is needed; see: v2sbench score --help")
    if refs is None:
        raise UseError("without --split, --refs is needed; see: v2sbench score --help")
    exclusive(texts=texts, grammar=grammar)
    from v2sbench.scoring import clips_of, read_texts

    clips = clips_of(refs)
    sentences = read_texts(texts) if texts else _grid_texts(clips) if grammar else None
    if truth and GROUND_TRUTH in own:
        raise UseError(f"two systems are called {GROUND_TRUTH!r}; give yours another name by --system NAME=DIR")
    systems = {GROUND_TRUTH: refs, **own} if truth else own
    return Task(systems=systems, refs=refs, clips=clips, texts=sentences, facts={})


def _grid_texts(clips: Sequence[str]) -> dict[str, str]:
    """The sentences that GRID file names spell."""
    from v2sbench.corpora.grid_grammar import text_of

    return {clip: text_of(clip.rsplit("/", 1)[-1]) for clip in clips}


def _score(
    task: Task,
    out: Path | None = None,
    protocol: str | None = None,
    asr: str | None = None,
    metrics: str | None = None,
    jobs: int | None = None,
) -> None:
    """Score every system of a task under every protocol, and print what came out. The options are those of the verb."""
    protocols, recogniser = _rules(protocol, asr)
    several = len(task.systems) * len(protocols) > 1
    if out and several and out.exists() and not out.is_dir():
        raise UseError(f"--out {out} must be a folder, since several systems or protocols are scored")
    from v2sbench.scoring import Plan, score

    found: list[Summary] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        transcripts = _transcripts() or (scratch / "transcripts.sqlite" if several else None)
        for system, wavs in task.systems.items():
            for name in protocols:
                place = _place(task.split, out, system, name if len(protocols) > 1 else "", several)
                lines = place or scratch / f"{system}.{name}.jsonl"
                plan = Plan(
                    wavs=wavs,
                    refs=task.refs,
                    clips=task.clips,
                    texts=task.texts,
                    out=lines,
                    protocol=name,
                    asr=recogniser,
                    jobs=jobs,
                    system=system,
                    metrics=metrics.split(",") if metrics else None,
                    facts={**task.facts, **read_facts(wavs)},
                    transcripts=transcripts,
                    known=[MEASURED / task.split / f"{system}.jsonl"] if task.split else [],
                    doubt=system not in REFERENCES and name == protocols[0],
                )
                result = score(plan)
                found.append(result)
                if place is None and not several:
                    sys.stdout.write(lines.read_text(encoding="utf-8"))
                    _warn(result.warnings)
                else:
                    print(result if place else str(result).partition(": ")[2])
    _warn(_doubts(task.refs, found))
    if several:
        _print_spread(found)


def _rules(protocol: str | None, asr: str | None) -> tuple[list[str], str | None]:
    """Protocols and recogniser (None: no recogniser), as asked for, else of params.yaml, else the demo's."""
    from v2sbench.nets import PARAMS, load_params
    from v2sbench.scoring import DEFAULT, PROTOCOLS
    from v2sbench.scoring import protocol as rules_of

    params = load_params() if PARAMS.exists() else None
    protocol = protocol or (params.protocol if params else DEFAULT)
    asr = asr or (params.asr if params else "grid-grammar")
    names = list(PROTOCOLS) if protocol == "all" else list(names_in(protocol))
    for name in names:  # a wrong name ends the run before anything is scored
        rules_of(name)
    return names, None if asr == "none" else asr


def _place(split: str | None, out: Path | None, system: str, protocol: str, several: bool) -> Path | None:
    """Where the lines of a system go; None for nowhere. protocol: empty when there is only one."""
    name = f"{system}.{protocol}.jsonl" if protocol else f"{system}.jsonl"
    if out is not None:
        return out / name if several else out
    if split:
        return MEASURED / split / "protocols" / name if protocol else MEASURED / split / name
    return None


def _transcripts() -> Path | None:
    """The file of transcripts: in $V2S_CACHE, else in the project; None outside a project."""
    from v2sbench.nets import PARAMS

    if folder := os.environ.get("V2S_CACHE"):
        return Path(folder) / TRANSCRIPTS.name
    return TRANSCRIPTS if PARAMS.exists() else None


def _warn(sentences: Iterator[str] | Sequence[str]) -> None:
    for sentence in sentences:
        print(f"v2sbench: warning: {sentence}", file=sys.stderr)


def _doubts(refs: Path, found: Sequence[Summary]) -> Iterator[str]:
    """Say when references and predictions look exchanged."""
    if read_facts(refs) and refs.resolve().name != GROUND_TRUTH:
        yield f"--refs {refs} holds audio that `v2sbench synth` made: were predictions and references exchanged?"
    wers = {(item.system, item.protocol): item.columns["wer"].value for item in found if "wer" in item.columns}
    for (system, protocol), wer in wers.items():
        truth = wers.get((GROUND_TRUTH, protocol))
        if wer is not None and truth is not None and wer < truth - WORSE:
            yield (
                f"the recogniser understands {system} (WER {wer:.1f} %) better than the references ({truth:.1f} %): "
                "were predictions and references exchanged?"
            )


def _print_spread(found: Sequence[Summary]) -> None:
    """Every system under every protocol, one beside the other."""
    from tabulate import tabulate

    from v2sbench.scoring import spread

    head, *rows = spread(found)
    print()
    print(tabulate(rows, headers=head, stralign="right", disable_numparse=True))
    print(
        "\n* some clips failed: counted as the protocol has it. - no value by the protocol. Empty: not of the protocol."
    )
    if len({item.protocol for item in found}) > 1:
        print("Numbers of different protocols are not comparable: the spread between them is no difference in quality.")


@verb(
    "stored audio scored again and compared with the stored scores, row by row; exit code 1 when one differs",
    "verify demo-seen",
    "verify grid4-seen v2a-mel-s-speaker-tuned mine=my-wavs/",
)
@click.argument("split", help="A split with scores and audio.")
@click.argument("systems", nargs=-1, metavar="[SYSTEM|NAME=DIR]...", help="Default: all whose audio `synth` made.")
@jobs_option
def verify(split: str, systems: tuple[str, ...], jobs: int | None) -> None:
    """Stored audio, scored again -> the rows that are not as they are stored."""
    from tabulate import tabulate

    from v2sbench.results import load

    own = systems_of([name for name in systems if "=" in name], split)
    stored = load(split)
    made = {name: AUDIO / split / name for name in stored}
    asked = [part for name in systems if "=" not in name for part in trainings_of(name, AUDIO / split)]
    for name in asked:
        choose("system", name, stored)
    folders = {name: made[name] for name in asked} | own or {name: path for name, path in made.items() if path.is_dir()}
    if not folders:
        raise UseError(f"no audio under {AUDIO / split}; run `dvc repro`, or name yours: verify {split} NAME=DIR")
    off, rows = [], 0
    for name, wavs in folders.items():
        choose("system", name, stored)
        rows += len(stored[name].lines)
        off += [[name, *line] for line in _off(split, stored[name], wavs, jobs)]
    if off:
        print(tabulate(off, ("system", "clip", "metric", "stored", "again"), disable_numparse=True))
        raise CheckError(f"{split}: {len({(line[0], line[1]) for line in off})} of {rows} rows are not as stored")
    print(f"verify: {rows} rows of {len(folders)} systems of {split} come out as they are stored")


def _off(split: str, stored: Measured, wavs: Path, jobs: int | None) -> Iterator[list[str]]:
    """Clip, metric, stored and new value of every score that does not come out as it is stored."""
    from v2sbench.results.cells import tight
    from v2sbench.scoring import Plan, read_scores, score

    texts = {clip: str(line["text"]) for clip, line in stored.lines.items() if line.get("text")}
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            wavs=wavs,
            refs=AUDIO / split / GROUND_TRUTH,
            clips=list(stored.lines),
            texts=texts or None,
            out=Path(folder) / "again.jsonl",
            protocol=stored.rules.name,
            asr=(stored.meta.get("asr") or "").partition("/")[0] or None,
            metrics=[name for name in stored.rules.metrics if stored.has(name)],
            jobs=jobs,
            system=stored.system,
            doubt=False,
        )
        score(plan)
        again = {line["clip"]: line for line in read_scores(plan.out)}
    for clip, line in stored.lines.items():
        for metric in stored.meta.get("metrics", {}):
            then, now = line.get(metric), again[clip].get(metric)
            near = isinstance(then, float) and isinstance(now, float) and abs(then - now) <= tight(metric)
            if then != now and not near:
                yield [clip, metric, str(then), str(now)]


VERBS = (score, verify)
