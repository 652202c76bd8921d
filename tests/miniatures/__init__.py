"""Miniatures of corpora: real media bytes in the true on-disk layouts, made in a second.

``fake("grid", root)`` writes what the corpus of that name looks like on a disk, with a few clips of two or more
speakers: enough for every stage to run on, nothing to learn from. A corpus of this project has a function here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.miniatures.articles import fake_swc
from tests.miniatures.films import fake_grid, fake_lrw, fake_tcdtimit
from tests.miniatures.speech import fake_commonvoice, fake_hifitts, fake_libritts, fake_omceb, fake_vctk

SPEECH: dict[str, Callable[[Path], None]] = {
    "commonvoice": fake_commonvoice,
    "hifitts": fake_hifitts,
    "libritts": fake_libritts,
    "omceb": fake_omceb,
    "swc": fake_swc,
    "vctk": fake_vctk,
}


def fake_speech_mix(root: Path) -> None:
    """Every part in its folder."""
    for name, write in SPEECH.items():
        write(root / name)


MINIATURES: dict[str, Callable[[Path], None]] = {
    **SPEECH,
    "demo": fake_grid,
    "demo-audio": fake_libritts,
    "grid": fake_grid,
    "lrw": fake_lrw,
    "speech-mix": fake_speech_mix,
    "tcdtimit": fake_tcdtimit,
}


def fake(name: str, root: Path) -> None:
    """Write the miniature of the corpus of that name at `root`."""
    MINIATURES[name](root)
