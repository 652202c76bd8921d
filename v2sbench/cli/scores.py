"""The verb that scores: this suite's systems, and any other's."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from v2sbench.cli.parser import AUDIO, MEASURED, REFERENCES, TRUTH, Verb, need_split, read_facts
from v2sbench.runtime import UseError

__all__ = ["VERBS"]


def _score_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("system", nargs="?", metavar="SYSTEM", help="a system whose audio `synth` made; needs --split")
    parser.add_argument("--split", metavar="S", help="take clips, references and texts from this split")
    parser.add_argument(
        "--wavs", type=Path, metavar="DIR", help="any system's audio: DIR/<speaker>/<clip>.wav or DIR/<clip>.wav"
    )
    parser.add_argument("--refs", type=Path, metavar="DIR", help="references for --wavs without a split")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="`clip<TAB>text` lines, for the WER without a split")
    parser.add_argument("--grammar", choices=("grid",), help="read the texts from GRID file names instead")
    parser.add_argument("--name", metavar="NAME", help="what to call the system of --wavs (default: its folder's name)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="default: results/measured/S/SYSTEM.jsonl; without a split, the terminal",
    )
    parser.add_argument("--protocol", metavar="P", help="default: that of params.yaml")
    parser.add_argument("--asr", metavar="A", help="recogniser, or `none` (default: that of params.yaml)")
    parser.add_argument("--metrics", metavar="M,M", help="only these (default: all of the protocol)")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="worker processes (default: $V2S_JOBS, else all processors)"
    )


def run_score(args: argparse.Namespace) -> None:
    """Wavs and references -> one JSON line a clip."""
    task = _from_split(args) if args.split else _from_folders(args)
    protocol, asr = _rules(args)
    from v2sbench.scoring import score

    with contextlib.ExitStack() as stack:
        out = task.out or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "scores.jsonl"
        summary = score(
            task.wavs, task.refs, task.clips, task.texts, out, protocol=protocol, asr=asr, jobs=args.jobs,
            system=task.system, metrics=args.metrics.split(",") if args.metrics else None, facts=task.facts,
        )  # fmt: skip
        if task.out is None:
            sys.stdout.write(out.read_text(encoding="utf-8"))
    if task.out is not None:
        print(summary)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be scored."""

    system: str
    """Its name."""
    wavs: Path
    """Its audio."""
    refs: Path
    """The references."""
    clips: list[str]
    """Which clips."""
    texts: dict[str, str] | None
    """Clip -> sentence, None when there are no texts."""
    out: Path | None
    """Where the lines go; None is the terminal."""
    facts: dict[str, str]
    """What else a table should say of the system: vocoder, coverage."""


def _from_split(args: argparse.Namespace) -> Task:
    """A scoring by split."""
    if bool(args.system) == bool(args.wavs):
        raise UseError("with --split, name either a SYSTEM or --wavs DIR; see: v2sbench score --help")
    for option in ("refs", "texts", "grammar"):
        if getattr(args, option) is not None:
            raise UseError(f"--{option} does not go with --split: the split has its own")
    system = args.system or _own_name(args)
    folder = need_split(args.split)
    wavs, refs = args.wavs or AUDIO / args.split / system, AUDIO / args.split / TRUTH
    for path, made in ((refs, TRUTH), (wavs, system)):
        if not path.is_dir():
            remedy = "" if path == args.wavs else f"; run: v2sbench synth {made} --split {args.split}"
            raise UseError(f"no folder {path} with the audio of {made}{remedy}")
    from v2sbench.splits import read_split

    table = read_split(folder)
    rows = [row for row in table.rows if row.subset == "test"]
    if not rows:
        raise UseError(f"split {args.split} has no test clips here; it can only be trained on")
    return Task(
        system=system,
        wavs=wavs,
        refs=refs,
        clips=[row.id for row in rows],
        texts={row.id: row.text for row in rows if row.text} or None,
        out=args.out or MEASURED / args.split / f"{system}.jsonl",
        facts={"coverage": table.coverage_label, **read_facts(wavs)},
    )


def _own_name(args: argparse.Namespace) -> str:
    """The name of a user's system; UseError when it is no file name, or, in a split, one of this project's systems'."""
    name: str = args.name or args.wavs.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UseError(f"{name!r} cannot name a system (letters, digits, . _ -); give --name NAME")
    if args.split and (name in REFERENCES or name.startswith(("a2a-", "copy-", "v2a-"))):
        raise UseError(f"{name!r} is the name of one of this project's own systems; give --name NAME")
    return name


def _from_folders(args: argparse.Namespace) -> Task:
    """A scoring of two folders."""
    for option in ("wavs", "refs"):
        if getattr(args, option) is None:
            raise UseError(f"without --split, --{option} is needed; see: v2sbench score --help")
    if args.system:
        raise UseError(f"a SYSTEM ({args.system!r}) needs --split; without one, give --name to name --wavs")
    if args.texts and args.grammar:
        raise UseError("--texts and --grammar exclude each other")
    from v2sbench.scoring import clips_of

    clips = clips_of(args.refs)
    texts = _texts(args.texts) if args.texts else _grid_texts(clips) if args.grammar else None
    return Task(
        system=_own_name(args), wavs=args.wavs, refs=args.refs, clips=clips, texts=texts, out=args.out, facts={}
    )


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


def _rules(args: argparse.Namespace) -> tuple[str, str | None]:
    """Protocol and recogniser: the options, else the profile's, else the demo's outside a project; None for `none`."""
    from v2sbench.card import PARAMS, load_params

    protocol, asr = args.protocol or "v2sbench-1", args.asr or "grid-grammar"
    if PARAMS.exists():
        params = load_params()
        protocol, asr = args.protocol or params.protocol, args.asr or params.asr
    return protocol, None if asr == "none" else asr


VERBS = {
    "score": Verb(
        summary="audio -> PESQ, STOI, ESTOI, WER of every clip; any system's, with or without a split",
        examples=(
            "score v2a-mel-s-speaker-tuned --split demo-seen",
            "score --split grid4-seen --wavs my-system/",
            "score --wavs mine/ --refs truth/ --grammar grid --out mine.jsonl",
        ),
        options=_score_options,
        run=run_score,
    ),
}
