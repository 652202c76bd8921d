"""What several verbs share: how a verb is declared, common options, the project's folders, and `NAME=DIR`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from v2sbench.runtime import UseError, below
from v2sbench.runtime.systems import REFERENCES, recipe_of, seed_of, training

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
    "--system",
    "systems",
    multiple=True,
    metavar="NAME=DIR",
    help="A system of your own and its audio, DIR,DIR,... for several trainings of it; repeatable.",
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
    folder = below(SPLITS, name)
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

    `NAME=DIR,DIR,...` names the trainings of one system: NAME.seed1, NAME.seed2 and so on. split: None when the scores
    belong to no split; the suite's own names are then free. wavs, name: one system more, the first, called like its
    folder where there is no name. UseError when a pair is malformed, a name cannot be used or is given twice, or a
    folder is missing.
    """
    if name and not wavs:
        raise UseError(f"--name {name} names the system of --wavs, which is not given")
    named = [(name or wavs.resolve().name, wavs)] if wavs else []
    for pair in pairs:
        own, equals, folder = pair.partition("=")
        if not (own and equals and folder):
            raise UseError(f"--system takes NAME=DIR, not {pair!r}")
        folders = [folder] if Path(folder).is_dir() else [part for part in folder.split(",") if part]
        if len(folders) == 1:
            named.append((own, Path(folder)))
        named += [(training(own, k), Path(part)) for k, part in enumerate(folders, 1) if len(folders) > 1]
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


def trainings_of(name: str, folder: Path, seed: int | None = None, ending: str = "") -> list[str]:
    """The trainings of a recipe that lie in a folder, by seed; the name itself where it is no recipe with trainings.

    seed: only this one, whether or not it is there.
    """
    below(folder, name)
    if seed is not None:
        return [training(name, seed)]
    found = [path.name.removesuffix(ending) for path in folder.glob(f"{name}.seed*{ending}")]
    seeds = sorted(found, key=lambda item: seed_of(item) or 0)
    return [item for item in seeds if recipe_of(item) == name] or [name]


def read_facts(folder: Path) -> dict[str, Any]:
    """The note beside a system's audio; empty where there is none. UseError when it is damaged."""
    path = folder / "system.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise UseError(f"{path} is damaged ({error}); make the audio again, or remove the file") from None
