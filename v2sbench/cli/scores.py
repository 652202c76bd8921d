"""The verb that scores: this suite's systems, and any other's; one or several, under one protocol or under each."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from v2sbench.cli.parser import AUDIO, MEASURED, REFERENCES, TRUTH, Verb, need_split, read_facts
from v2sbench.runtime import UseError

if TYPE_CHECKING:
    from v2sbench.scoring import Summary


TRANSCRIPTS = Path("results/transcripts.sqlite")
"""What recognisers heard in this project: no output of a stage, since it changes no number."""
WORSE = 20.0
"""Points of WER by which references may be understood worse than predictions before that is said."""


def _score_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("made", nargs="*", metavar="SYSTEM", help="systems whose audio `synth` made; needs --split")
    parser.add_argument("--split", metavar="S", help="take clips, references and texts from this split")
    parser.add_argument(
        "--wavs",
        type=Path,
        metavar="DIR",
        help="any system's audio: DIR/<speaker>/<clip>.wav (or .flac) or DIR/<clip>.wav",
    )
    parser.add_argument("--name", metavar="NAME", help="what to call the system of --wavs (default: its folder's name)")
    parser.add_argument(
        "--system", metavar="NAME=DIR", action="append", default=[], help="--wavs and --name in one; may be repeated"
    )
    parser.add_argument("--refs", type=Path, metavar="DIR", help="references for --wavs without a split")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="`clip<TAB>text` lines, for the WER without a split")
    parser.add_argument("--grammar", choices=("grid",), help="read the texts from GRID file names instead")
    parser.add_argument("--truth", action="store_true", help="without a split: score the references too, as a ceiling")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: results/measured/S/SYSTEM.jsonl; without a split, the terminal. A folder for several",
    )
    parser.add_argument(
        "--protocol", metavar="P", help="or P,P or `all` to see the spread (default: that of params.yaml)"
    )
    parser.add_argument("--asr", metavar="A", help="recogniser, or `none` (default: that of params.yaml)")
    parser.add_argument("--metrics", metavar="M,M", help="only these (default: all of the protocol)")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="worker processes (default: $V2S_JOBS, else all processors)"
    )


def run_score(args: argparse.Namespace) -> None:
    """Wavs and references -> one JSON line a clip, for each system and protocol."""
    task = _from_split(args) if args.split else _from_folders(args)
    protocols, asr = _rules(args)
    from v2sbench.scoring import score

    found: list[Summary] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        several = len(task.systems) * len(protocols) > 1
        transcripts = _transcripts() or (scratch / "transcripts.sqlite" if several else None)
        for system in task.systems:
            for protocol in protocols:
                out = _out(args, system.name, protocol if len(protocols) > 1 else "", several)
                own = out or scratch / f"{system.name}.{protocol}.jsonl"
                known = [MEASURED / args.split / f"{system.name}.jsonl"] if args.split else []
                result = score(
                    system.wavs, task.refs, task.clips, task.texts, own, protocol=protocol, asr=asr, jobs=args.jobs,
                    system=system.name, metrics=args.metrics.split(",") if args.metrics else None,
                    facts={**task.facts, **read_facts(system.wavs)}, transcripts=transcripts, known=known,
                    doubt=system.name not in REFERENCES and protocol == protocols[0],
                )  # fmt: skip
                found.append(result)
                if out is None and not several:
                    sys.stdout.write(own.read_text(encoding="utf-8"))
                    for warning in result.warnings:
                        print(f"v2sbench: warning: {warning}", file=sys.stderr)
                else:
                    print(result if out else str(result).partition(": ")[2])
    for doubt in _doubts(task.refs, found):
        print(f"v2sbench: warning: {doubt}", file=sys.stderr)
    if several:
        _print_spread(found)


def _print_spread(found: Sequence[Summary]) -> None:
    """Every system under every protocol, one beside the other."""
    from tabulate import tabulate

    from v2sbench.scoring import spread

    rows = spread(found)
    print("", tabulate(rows[1:], headers=rows[0], stralign="right", disable_numparse=True), sep="\n")
    print(
        "\n* some clips failed: in it as the protocol has it. - no value by the protocol. Empty: not of the protocol."
    )
    if len({item.protocol for item in found}) > 1:
        print("Numbers of different protocols are not comparable: the spread between them is no difference in quality.")


def _doubts(refs: Path, found: Sequence[Summary]) -> Iterator[str]:
    """Whether references and predictions look exchanged."""
    if read_facts(refs) and refs.resolve().name != TRUTH:
        yield f"--refs {refs} holds audio that `v2sbench synth` made: were predictions and references exchanged?"
    truths = {
        item.protocol: item.columns["wer"].value for item in found if item.system == TRUTH and "wer" in item.columns
    }
    for item in found:
        cell, truth = item.columns.get("wer"), truths.get(item.protocol)
        if cell is not None and cell.value is not None and truth is not None and cell.value < truth - WORSE:
            yield (f"the recogniser understands {item.system} (WER {cell.value:.1f} %) better than the references "
                   f"({truth:.1f} %): were predictions and references exchanged?")  # fmt: skip


def _out(args: argparse.Namespace, system: str, protocol: str, several: bool) -> Path | None:
    """Where the lines of a system go; None for nowhere. protocol: empty where there is one."""
    name = f"{system}.{protocol}.jsonl" if protocol else f"{system}.jsonl"
    given: Path | None = args.out
    if given is not None:
        if several and given.exists() and not given.is_dir():
            raise UseError(f"--out {given} must be a folder, since several systems or protocols are scored")
        return given / name if several else given
    if args.split:
        folder = MEASURED / str(args.split)
        return folder / "protocols" / name if protocol else folder / name
    return None


def _transcripts() -> Path | None:
    """File of transcripts: in $V2S_CACHE, else in the project; None where there is neither."""
    from v2sbench.nets.card_reading import PARAMS

    if folder := os.environ.get("V2S_CACHE"):
        return Path(folder) / TRANSCRIPTS.name
    return TRANSCRIPTS if PARAMS.exists() else None


@dataclass(frozen=True, kw_only=True)
class System:
    """One folder of predictions."""

    name: str
    """What it is called."""
    wavs: Path
    """Its audio."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be scored."""

    systems: tuple[System, ...]
    """Whose audio."""
    refs: Path
    """The references."""
    clips: list[str]
    """Which clips."""
    texts: dict[str, str] | None
    """Clip -> sentence, None when there are no texts."""
    facts: Mapping[str, str]
    """What else a table should say of all: coverage."""


def _from_split(args: argparse.Namespace) -> Task:
    """A scoring by split."""
    own = _own(args)
    if not (args.made or own):
        raise UseError("with --split, name a SYSTEM, --wavs DIR or --system NAME=DIR; see: v2sbench score --help")
    for option in ("refs", "texts", "grammar", "truth"):
        if getattr(args, option):
            raise UseError(f"--{option} does not go with --split: the split has its own")
    folder = need_split(args.split)
    refs = AUDIO / args.split / TRUTH
    made = [System(name=name, wavs=AUDIO / args.split / name) for name in args.made]
    for system in (System(name=TRUTH, wavs=refs), *made, *own):
        if not system.wavs.is_dir():
            remedy = "" if system in own else f"; run: v2sbench synth {system.name} --split {args.split}"
            raise UseError(f"no folder {system.wavs} with the audio of {system.name}{remedy}")
    from v2sbench.clips.splits import read_split

    table = read_split(folder)
    rows = [row for row in table.rows if row.subset == "test"]
    if not rows:
        raise UseError(f"split {args.split} has no test clips here; it can only be trained on")
    return Task(
        systems=_distinct([*made, *own]),
        refs=refs,
        clips=[row.id for row in rows],
        texts={row.id: row.text for row in rows if row.text} or None,
        facts={"coverage": table.coverage_label},
    )


def _own(args: argparse.Namespace) -> list[System]:
    """Users' systems, of --wavs and of each --system; UseError for a name that cannot be."""
    found = []
    if args.wavs:
        name = args.name or args.wavs.resolve().name
        found.append(System(name=_checked(name, args.split, "give --name NAME"), wavs=args.wavs))
    elif args.name:
        raise UseError(f"--name {args.name} names the system of --wavs, which is not given")
    for text in args.system:
        name, equals, folder = text.partition("=")
        if not (equals and folder):
            raise UseError(f"--system must be NAME=DIR, not {text!r}")
        found.append(System(name=_checked(name, args.split, "give it another"), wavs=Path(folder)))
    return found


def _checked(name: str, split: str | None, remedy: str) -> str:
    """A name for a user's system: a file name, and in a split none of this project's systems'."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UseError(f"{name!r} cannot name a system (letters, digits, . _ -); {remedy}")
    if split and (name in REFERENCES or name.startswith(("a2a-", "copy-", "v2a-"))):
        raise UseError(f"{name!r} is the name of one of this project's own systems; {remedy}")
    return name


def _distinct(systems: Sequence[System]) -> tuple[System, ...]:
    names = [system.name for system in systems]
    for name in names:
        if names.count(name) > 1:
            raise UseError(f"two systems are called {name!r}; give one of them another name by --system NAME=DIR")
    return tuple(systems)


def _from_folders(args: argparse.Namespace) -> Task:
    """A scoring of folders against a folder."""
    if args.made:
        raise UseError(f"a SYSTEM ({args.made[0]!r}) needs --split; without one, give --name to name --wavs")
    own = _own(args)
    if not own:
        raise UseError("without --split, --wavs or --system is needed; see: v2sbench score --help")
    if args.refs is None:
        raise UseError("without --split, --refs is needed; see: v2sbench score --help")
    if args.texts and args.grammar:
        raise UseError("--texts and --grammar exclude each other")
    from v2sbench.scoring.folders import clips_of

    clips = clips_of(args.refs)
    texts = _texts(args.texts) if args.texts else _grid_texts(clips) if args.grammar else None
    truth = [System(name=TRUTH, wavs=args.refs)] if args.truth else []
    return Task(systems=_distinct([*truth, *own]), refs=args.refs, clips=clips, texts=texts, facts={})


def _texts(path: Path) -> dict[str, str]:
    """`clip<TAB>text` lines; UseError names the line that is none."""
    texts: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        clip, tab, text = line.partition("\t")
        if not tab or not clip or not text.strip():
            raise UseError(f"{path}:{number}: not `clip<TAB>text`: {line[:60]!r}")
        texts[clip] = text.strip().lower()
    return texts


def _grid_texts(clips: Sequence[str]) -> dict[str, str]:
    """The sentences that GRID file names spell."""
    from v2sbench.corpora.grid_grammar import text_of

    return {clip: text_of(clip.rsplit("/", 1)[-1]) for clip in clips}


def _rules(args: argparse.Namespace) -> tuple[list[str], str | None]:
    """Protocols and recogniser: the options, else the profile's, else the demo's outside a project; None for `none`."""
    from v2sbench.nets.card_reading import PARAMS, load_params
    from v2sbench.scoring.metrics import DEFAULT, PROTOCOLS
    from v2sbench.scoring.metrics import protocol as rules_of

    params = load_params() if PARAMS.exists() else None
    protocol = args.protocol or (params.protocol if params else DEFAULT)
    asr = args.asr or (params.asr if params else "grid-grammar")
    names = list(PROTOCOLS) if protocol == "all" else list(dict.fromkeys(protocol.split(",")))
    for name in names:  # all of them before any is scored
        rules_of(name)
    return names, None if asr == "none" else asr


VERBS = {
    "score": Verb(
        summary="audio -> PESQ, STOI, ESTOI, WER of every clip; any systems', with or without a split",
        examples=(
            "score v2a-mel-s-speaker-tuned --split demo-seen",
            "score --split grid4-seen --wavs my-system/",
            "score --split grid4-seen --system mine=a/ --system theirs=b/",
            "score --split grid4-seen --system mine=a/ --protocol all",
            "score --wavs mine/ --refs truth/ --grammar grid --truth --out scores/",
        ),
        options=_score_options,
        run=run_score,
    ),
}
