"""What a fresh installation trips over: packages, PyTorch's pair, codecs, the corpora's folder, the disk.

Nothing is imported here that may itself be broken, except inside a check.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from textwrap import wrap
from typing import Literal

from v2sbench.corpora import discover
from v2sbench.runtime import UseError, worker_count

VERDICTS = ("usable", "usable in part", "not usable")  # by exit code
MARKS = ("note", "in part", "fatal")  # printed before a finding, by weight
LITTLE = 7  # GB of free disk under which the installation and a demo do not fit
CODECS = ("h264", "mpeg1video", "mp2", "mp3", "aac", "vorbis", "flac")  # what the corpora come in
WIDTH, INDENT = 110, 13  # columns of a page, and of the heads of its paragraphs


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing wrong with one clip or file."""

    name: str  # clip id, or path below the corpus folder
    reason: str = ""  # as in quarantine.tsv, or why the scan could not use the file
    detail: str = ""  # what was seen


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a diagnosis: what was found and, where there is something, what to do."""

    weight: Literal[0, 1, 2]  # 0: good to know; 1: usable in part; 2: not usable. The greatest is the exit code
    kind: str  # a key of docs/doctor.md
    text: str
    count: int = 0  # clips or files concerned
    cases: tuple[Case, ...] = ()  # the first ten of them


def code_of(findings: Iterable[Finding]) -> int:
    """The exit code: 0 usable, 1 usable in part, 2 not usable."""
    return max((finding.weight for finding in findings), default=0)


def findings_text(findings: Iterable[Finding], subject: str = "this machine") -> str:
    """The findings for people, gravest first, and the verdict."""
    ordered = sorted(findings, key=lambda finding: -finding.weight)
    lines = [paragraph(MARKS[finding.weight], finding.text) for finding in ordered]
    return "\n".join([*lines, f"=> {subject} is {VERDICTS[code_of(ordered)]}"])


def paragraph(head: str, text: str) -> str:
    """Lines of `WIDTH` columns, `head` before the first."""
    lines = wrap(text, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(f"{head if not k else '':<{INDENT}}{line}" for k, line in enumerate(lines))


def look_around() -> list[Finding]:
    """Findings about this machine."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (_packages, _torch, _codecs, _folders)
    return [finding for check in checks for finding in check()]


def _packages() -> Iterator[Finding]:
    """Python, and what the installed distribution asks for: required packages, and those of its extras."""
    if sys.version_info[:2] != (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        text = f"Python {version}: numbers were made, and versions are locked, with Python 3.11"
        yield Finding(weight=1, kind="python", text=text)
    try:
        from packaging.requirements import Requirement

        needs = [Requirement(line) for line in metadata.requires("v2sbench") or ()]
    except (ImportError, metadata.PackageNotFoundError) as error:
        yield Finding(weight=1, kind="packages", text=f"packages cannot be checked ({error}); run: make env")
        return
    missing: dict[str, list[str]] = {}  # by extra; "" is what everybody needs
    wrong: dict[str, list[str]] = {}
    for need in needs:
        found = re.search(r'extra == "([^"]+)"', str(need.marker or ""))
        extra = found[1] if found else ""
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            missing.setdefault(extra, []).append(need.name)
            continue
        if not need.specifier.contains(version, prereleases=True):
            wrong.setdefault(extra, []).append(f"{need.name} {version}, needed is {need.name}{need.specifier}")
    for extra, told in (*missing.items(), *wrong.items()):
        text = f"{', '.join(told)}; run: pip install 'v2sbench{f'[{extra}]' if extra else ''}'"
        if not extra:
            yield Finding(weight=2, kind="packages", text=f"missing or of another version: {text}")
        elif told is missing.get(extra):
            yield Finding(weight=0, kind="extras", text=f"extra {extra} is not installed: {text}")
        else:
            yield Finding(weight=1, kind="extras", text=f"extra {extra} has another version: {text}")


def _torch() -> Iterator[Finding]:
    """PyTorch and torchaudio have to be of one build: a torchaudio for CUDA does not load beside a torch without."""
    if not importlib.util.find_spec("torch"):  # told as a missing extra
        return
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        yield Finding(weight=2, kind="torch", text=f"PyTorch cannot be imported ({_line(error)}); run: make env")
        return
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: training runs on the processors"
    yield Finding(weight=0, kind="torch", text=f"torch {torch.__version__}, {gpu}")
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError) as error:
        text = (
            f"torchaudio cannot be imported beside torch {torch.__version__} ({_line(error)}); install both of one "
            "build and version, e.g. pip install torch==2.11.0 torchaudio==2.11.0"
        )
        yield Finding(weight=2, kind="torch", text=text)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _codecs() -> Iterator[Finding]:
    if not importlib.util.find_spec("av"):
        return
    try:
        av = importlib.import_module("av")
    except (ImportError, OSError) as error:
        yield Finding(weight=2, kind="codecs", text=f"PyAV cannot be imported ({_line(error)}); run: make env")
        return
    lacking = [name for name in CODECS if name not in av.codecs_available]
    if lacking:
        text = f"this PyAV ({av.__version__}) has no codec {', '.join(lacking)}; run: pip install --force-reinstall av"
        yield Finding(weight=1, kind="codecs", text=text)


def _folders() -> Iterator[Finding]:
    told = os.environ.get("V2S_DATA")
    folder = Path(told or "data")
    if told and not folder.is_dir():
        yield Finding(weight=1, kind="data", text=f"V2S_DATA={told} is no folder: no corpus is found there")
    else:
        here = [name for name, item in discover().items() if not item.embedded and (folder / name).is_dir()]
        where = f"V2S_DATA={told}" if told else f"V2S_DATA is not set, so corpora are looked for in {folder.resolve()}"
        yield Finding(weight=0, kind="data", text=f"{where}; there: {', '.join(here) or 'none'}")
    free = shutil.disk_usage(".").free / 1e9
    text = f"{free:.0f} GB of disk are free in {Path.cwd()}"
    yield Finding(weight=1 if free < LITTLE else 0, kind="disk", text=text)
    if not os.access(".", os.W_OK):
        text = f"the folder {Path.cwd()} cannot be written to; work in one of your own"
        yield Finding(weight=1, kind="disk", text=text)
    try:
        yield Finding(weight=0, kind="workers", text=f"{worker_count()} worker processes (V2S_JOBS)")
    except UseError as error:
        yield Finding(weight=1, kind="workers", text=str(error))
