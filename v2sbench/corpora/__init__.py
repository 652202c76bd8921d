"""Corpora: what a clip, a split and a corpus are, which corpora there are, and where they lie on this disk.

A name goes in (``corpus("grid")``, ``split("grid4-seen")``) and a `Corpus` comes out: it scans a folder into `Clip`s
and divides their ids by a `Split`. A corpus is one value. A module of this package adds some by a tuple ``CORPORA``;
another distribution adds some by an entry point of the group ``v2sbench.corpora`` that loads to such a tuple. Nothing
else has to be edited. Names of clips are ``speaker/stem`` everywhere.

Begin with `corpus` (clips, scans, corpora) and `splits` (divisions); then read `speech` for five corpora in rows, or
`grid` for one with a picture. `folder` is what all scanners share, `own_splits` imports a user's list.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

from v2sbench.corpora.corpus import Access, Clip, Corpus, KnownList, Problem, Remote, Scan
from v2sbench.corpora.splits import SUBSETS, Coverage, Split, Subset, digest_of
from v2sbench.runtime import UseError, choose

__all__ = [
    "SUBSETS",
    "Access",
    "Clip",
    "Corpus",
    "Coverage",
    "KnownList",
    "Problem",
    "Remote",
    "Scan",
    "Split",
    "Subset",
    "corpus",
    "digest_of",
    "discover",
    "folder_of",
    "root_of",
    "scan_of",
    "split",
    "splits",
]

ENTRY_POINTS = "v2sbench.corpora"
"""Entry-point group by which another distribution adds corpora."""


def collect(sources: Iterable[tuple[str, Iterable[Corpus]]]) -> dict[str, Corpus]:
    """Corpora by name, sorted, from (where from, corpora) pairs.

    Raises UseError when two of them have one name, or two splits have, or a split is filed under another corpus.
    """
    found: dict[str, tuple[str, Corpus]] = {}
    owners: dict[str, str] = {}
    for source, corpora in sources:
        for item in corpora:
            if item.name in found:
                raise UseError(f"two corpora are named {item.name!r}: in {found[item.name][0]} and in {source}")
            found[item.name] = (source, item)
            for part in item.splits:
                if part.name in owners:
                    raise UseError(f"two splits are named {part.name!r}: of {owners[part.name]} and of {item.name}")
                if part.corpus != item.name:
                    raise UseError(f"split {part.name!r} of corpus {item.name!r} says it divides {part.corpus!r}")
                owners[part.name] = item.name
    return {name: found[name][1] for name in sorted(found)}


@functools.cache
def discover() -> Mapping[str, Corpus]:
    """Every corpus by name: of this package's modules, then of the entry points. Read once a process."""
    sources: list[tuple[str, Iterable[Corpus]]] = []
    for info in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        module = importlib.import_module(info.name)
        sources.append((info.name, getattr(module, "CORPORA", ())))
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
        except Exception as error:
            raise UseError(f"corpus plug-in {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
        sources.append((entry.value, loaded))
    return MappingProxyType(collect(sources))


def corpus(name: str) -> Corpus:
    """The corpus of that name; UseError with the nearest name otherwise."""
    return choose("corpus", name, discover())


def splits() -> dict[str, Split]:
    """Every split of every corpus, by name."""
    return {part.name: part for item in discover().values() for part in item.splits}


def split(name: str) -> Split:
    """The split of that name; UseError with the nearest name otherwise."""
    return choose("split", name, splits())


def folder_of(item: Corpus, root: Path | str | None = None) -> Path:
    """Where a corpus lies or should lie: `root` if given, else ``data/<name>`` if embedded, else ``$V2S_DATA/<name>``.

    ``V2S_DATA`` is ``data`` when unset. A mix lies in the folder of all corpora.
    """
    if root is not None:
        return Path(root)
    lake = Path("data" if item.embedded else os.environ.get("V2S_DATA") or "data")
    return lake if item.parts else lake / item.name


def root_of(item: Corpus, root: Path | str | None = None) -> Path:
    """`folder_of` a corpus, to read from.

    An embedded corpus may not have been made yet, and ``item.generate(root, ...)`` makes it. Any other must be there
    and hold something, else UseError.
    """
    path = folder_of(item, root)
    if item.embedded:
        return path
    remedy = (
        f"v2sbench fetch {item.name} {'downloads it' if item.access.files else 'says how to get it'}; or say where it "
        f"is: v2sbench prepare {item.name} --root DIR (or V2S_DATA)"
    )
    if not path.exists():
        raise UseError(f"corpus {item.name}: no folder {path}; {remedy}")
    if not path.is_dir():
        raise UseError(f"corpus {item.name}: {path} is not a folder; {remedy}")
    if all(entry.startswith(".") for entry in os.listdir(path)):
        raise UseError(f"corpus {item.name}: the folder {path} is empty; {remedy}")
    return path


def scan_of(item: Corpus, root: Path | str | None = None) -> Scan:
    """``item.scan`` of ``root_of(item, root)``.

    UseError when no clip is found there, or when more files are named as no clip of the corpus is: another folder.
    """
    path = root_of(item, root)
    if not path.is_dir():
        raise UseError(f"corpus {item.name}: not made yet at {path}; run: v2sbench prepare {item.name}")
    scan = item.scan(path)
    foreign = [problem for problem in scan.problems if problem.foreign]
    if scan.clips and len(foreign) <= len(scan.clips):
        return scan
    example = next(iter(foreign or scan.problems), None)
    first = f", e.g. {example.path}: {example.reason}" if example else ""
    said = f"most files under {path} are named as no clip is" if scan.clips else f"no clip under {path}"
    raise UseError(
        f"corpus {item.name}: {said} ({len(scan.problems)} unusable files{first}); "
        f"say where the corpus is: v2sbench prepare {item.name} --root DIR"
    )
