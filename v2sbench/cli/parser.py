"""What a verb is, and an argument parser whose mistakes are one line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from v2sbench.runtime import UseError, atomic, suggest

CLIPS = Path("clips")
SPLITS = Path("splits")
AUDIO = Path("audio")
MEASURED = Path("results/measured")
TRUTH = "ground-truth"
"""The reference system whose audio every other is scored against."""
REFERENCES = (TRUTH, "griffin-lim", "noise", "other-sentence")
"""Ceilings and floors; a user's system may not take their names. (`synthesis` has what they do, and loads PyTorch.)"""


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One subcommand."""

    summary: str
    """One line for the list of verbs."""
    examples: tuple[str, ...]
    """Command lines for `--help`, without the leading `v2sbench`."""
    options: Callable[[argparse.ArgumentParser], None]
    """Adds the arguments."""
    run: Callable[[argparse.Namespace], int | None]
    """Does it; returns the exit code (None is 0)."""


class Parser(argparse.ArgumentParser):
    """argparse whose mistakes are a UseError: one line, with the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UseError(f"{message}; see: {self.prog} --help")

    def check_options(self, arguments: Sequence[str]) -> None:
        """UseError for the first long option that this parser does not know, with the nearest that it does."""
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for argument in arguments:
            name = argument.split("=", 1)[0]
            if name == "--":
                return
            if name.startswith("--") and name not in known:
                self.error(f"unknown option {name!r}{suggest(name, known)}")


def need_split(name: str) -> Path:
    """The folder of a split that is written; UseError with the command that writes it."""
    folder = SPLITS / name
    if not (folder / "split.tsv").exists():
        raise _explain_split(name)
    return folder


def _explain_split(name: str) -> UseError:
    """What to do about a split that is not there: the name is wrong, or it was not written yet."""
    from v2sbench.corpora import split

    item = split(name)
    todo = "" if (CLIPS / item.corpus / "index.tsv").exists() else f"v2sbench prepare {item.corpus} && "
    return UseError(f"split {name} is not prepared (no {SPLITS / name}/split.tsv); run: {todo}v2sbench split {name}")


def write_facts(folder: Path, facts: dict[str, str]) -> None:
    """Note beside a system's audio what made it, for the tables."""
    with atomic(folder / "system.json") as draft:
        draft.write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, str]:
    """The note beside a system's audio; empty without one (audio from elsewhere)."""
    path = folder / "system.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
