"""What several verbs share: how a verb is declared, common options, the project's folders, and `NAME=DIR`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from v2sbench.runtime import UseError, atomic
from v2sbench.runtime.systems import REFERENCES

CLIPS = Path("clips")
SPLITS = Path("splits")
AUDIO = Path("audio")
MEASURED = Path("results/measured")

DIR, FILE = click.Path(path_type=Path), click.Path(path_type=Path)
"""Types of options that name a folder or a file; shells complete them."""
DIR.name, FILE.name = "dir", "file"  # as the help shows them
jobs_option = click.option(
    "--jobs", type=int, metavar="N", help="Worker processes (default: $V2S_JOBS, else all processors)."
)
split_option = click.option("--split", required=True, metavar="S", help="A prepared split.")
system_option = click.option(
    "--system", "systems", multiple=True, metavar="NAME=DIR", help="A system of your own and its audio; repeatable."
)
vocoder_option = click.option(
    "--vocoder", metavar="NAME|FILE", help="For a mel model: griffin-lim (default), or the path of a checkpoint."
)


def verb(summary: str, *examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb. Its help shows the summary, the arguments and options, and the examples."""
    lines = "\n".join(f"  v2sbench {line}" for line in examples)
    return click.command(help=f"\b\n{summary}", short_help=summary, epilog=f"Examples:\n\n\b\n{lines}")


def exclusive(**given: object) -> None:
    """UseError when more than one of these options was given."""
    names = [f"--{name}" for name, value in given.items() if value]
    if len(names) > 1:
        raise UseError(f"{' and '.join(names)} exclude each other; give one of them")


def names_in(text: str | None) -> tuple[str, ...]:
    """The names of a comma-separated list, each once; UseError for a list that names nothing."""
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    if text is not None and not names:
        raise UseError(f"{text!r} names nothing; give names with commas between them")
    return names


def need_split(name: str) -> Path:
    """The folder of a prepared split; UseError with the command that prepares it."""
    folder = SPLITS / name
    if not (folder / "split.tsv").exists():
        from v2sbench.corpora import split

        corpus = split(name).corpus
        todo = "" if (CLIPS / corpus / "index.tsv").exists() else f"v2sbench prepare {corpus} && "
        raise UseError(f"split {name} is not prepared (no {folder}/split.tsv); run: {todo}v2sbench split {name}")
    return folder


def systems_of(
    pairs: Sequence[str], split: str | None = None, *, wavs: Path | None = None, name: str | None = None
) -> dict[str, Path]:
    """The users' systems that `--system NAME=DIR` names, in the order given: name -> folder of audio.

    split: None when the scores belong to no split; the suite's own names are then free. wavs, name: one system more,
    the first, called like its folder where there is no name. UseError when a pair is malformed, a name cannot be used
    or is given twice, or a folder is missing.
    """
    if name and not wavs:
        raise UseError(f"--name {name} names the system of --wavs, which is not given")
    named = [(name or wavs.resolve().name, wavs)] if wavs else []
    for pair in pairs:
        own, equals, folder = pair.partition("=")
        if not (own and equals and folder):
            raise UseError(f"--system takes NAME=DIR, not {pair!r}")
        named.append((own, Path(folder)))
    found: dict[str, Path] = {}
    for own, place in named:
        fault = ""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", own):
            fault = f"{own!r} cannot name a system (letters, digits, . _ -)"
        elif split and (own in REFERENCES or own.startswith(("a2a-", "copy-", "v2a-"))):
            fault = f"{own!r} is the name of one of this project's own systems"
        elif own in found:
            fault = f"two systems are called {own!r}"
        if fault:
            raise UseError(f"{fault}; give yours another name by --system NAME=DIR")
        if not place.is_dir():
            raise UseError(f"no folder {place} with the audio of {own}")
        found[own] = place
    return found


def write_facts(folder: Path, facts: dict[str, str]) -> None:
    """Note beside a system's audio what made it, for the tables."""
    with atomic(folder / "system.json") as draft:
        draft.write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, str]:
    """The note beside a system's audio; empty where there is none."""
    path = folder / "system.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
