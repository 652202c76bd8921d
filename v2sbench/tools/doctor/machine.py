"""What a fresh installation trips over: packages, codecs, the corpora's folder, the disk."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from v2sbench.corpora import discover
from v2sbench.runtime import UseError, worker_count
from v2sbench.tools.doctor.report import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement


GIGABYTE = 1_000_000_000
LITTLE = 7
"""GB of free disk under which the installation and a demo do not fit."""
CODECS = ("h264", "mpeg1video", "mp2", "mp3", "aac", "vorbis", "flac")
"""FFmpeg's names of what the corpora come in."""


def look_around() -> tuple[Finding, ...]:
    """Findings about this machine, gravest first."""
    found = [*_packages(), *_torch(), *_codecs(), *_extras(), *_data(), *_power()]
    return tuple(sorted(found, key=lambda finding: -finding.weight))


def _packages() -> Iterator[Finding]:
    """What this project needs, and cannot do without."""
    if _version("packaging") is None:
        yield Finding(
            weight=2, text="packaging is missing, without which no other package can be checked; run: make env"
        )
    elif _version("v2sbench") is None:
        yield Finding(weight=1, text="v2sbench runs from its source, so its packages are not checked; pip install -e .")
    for need in _needs():
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        version = _version(need.name)
        if version is None or not need.specifier.contains(version, prereleases=True):
            have = f"{need.name} {version} is here" if version else f"{need.name} is missing"
            yield Finding(weight=2, text=f"{have}, {need.name}{need.specifier} is needed; run: make env")


def _needs() -> list[Requirement]:
    """What the installed distribution asks for, extras and all; nothing where that cannot be told."""
    if _version("packaging") is None or _version("v2sbench") is None:
        return []
    from packaging.requirements import Requirement

    return [Requirement(line) for line in metadata.requires("v2sbench") or ()]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torch() -> Iterator[Finding]:
    """PyTorch and torchaudio have to be of one build: a torchaudio for CUDA does not load beside a torch without."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        yield Finding(weight=2, text=f"PyTorch cannot be imported ({_line(error)}); run: make env")
        return
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError) as error:
        beside = f"beside torch {torch.__version__}" + ("" if torch.version.cuda else ", a build without CUDA")
        yield Finding(
            weight=2,
            text=f"torchaudio {_version('torchaudio')} cannot be imported {beside} ({_line(error)}); install both of "
            "one build and version, e.g. pip install torch==2.11.0 torchaudio==2.11.0",
        )
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: training runs on the processors"
    yield Finding(weight=0, text=f"torch {torch.__version__}, {gpu}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _codecs() -> Iterator[Finding]:
    try:
        import av
    except (ImportError, OSError) as error:
        yield Finding(weight=2, text=f"PyAV cannot be imported ({_line(error)}); run: make env")
        return
    lacking = [name for name in CODECS if name not in av.codecs_available]
    if lacking:
        text = f"this PyAV ({av.__version__}) has no codec {', '.join(lacking)}; run: pip install --force-reinstall av"
        yield Finding(weight=1, text=text)


def _extras() -> Iterator[Finding]:
    """Optional parts: one that is missing is only good to know, one of the wrong version will fail."""
    needs = _needs()
    for extra in sorted(set(re.findall(r'extra == "([^"]+)"', " ".join(str(need.marker) for need in needs)))):
        wanted = [need for need in needs if need.marker and need.marker.evaluate({"extra": extra})
                  and not need.marker.evaluate({"extra": ""})]  # fmt: skip
        versions = {need.name: _version(need.name) for need in wanted}
        lacking = [name for name, version in versions.items() if version is None]
        old = [
            f"{need.name}{need.specifier}"
            for need in wanted
            if (have := versions[need.name]) and not need.specifier.contains(have, prereleases=True)
        ]
        remedy = f"pip install 'v2sbench[{extra}]'"
        if old:
            yield Finding(weight=1, text=f"extra {extra} needs {', '.join(old)}, and another version is here; {remedy}")
        if lacking:
            yield Finding(weight=0, text=f"extra {extra} is not installed ({', '.join(lacking)}); {remedy}")


def _data() -> Iterator[Finding]:
    told = os.environ.get("V2S_DATA")
    folder = Path(told or "data")
    if told and not folder.is_dir():
        yield Finding(weight=1, text=f"V2S_DATA={told} is no folder: no corpus is found there")
        return
    here = [name for name, item in discover().items() if not item.embedded and (folder / name).is_dir()]
    where = f"V2S_DATA={told}" if told else f"V2S_DATA is not set, so corpora are looked for in {folder.resolve()}"
    yield Finding(weight=0, text=f"{where}; there: {', '.join(here) or 'none'}")


def _power() -> Iterator[Finding]:
    if sys.version_info[:2] != (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        yield Finding(weight=1, text=f"Python {version}: numbers were made, and versions are locked, with Python 3.11")
    free = shutil.disk_usage(".").free / GIGABYTE
    yield Finding(weight=int(free < LITTLE), text=f"{free:.0f} GB of disk are free in {Path.cwd()}")  # type: ignore[arg-type]
    if not os.access(".", os.W_OK):
        yield Finding(weight=1, text=f"the folder {Path.cwd()} cannot be written to; work in one of your own")
    try:
        yield Finding(weight=0, text=f"{worker_count()} worker processes (V2S_JOBS)")
    except UseError as error:
        yield Finding(weight=1, text=str(error))
