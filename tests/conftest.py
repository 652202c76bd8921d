"""Fixtures that several test modules share: real recordings, skipped with a reason where there are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.miniatures import fake
from tests.small import small_split
from v2sbench.corpora import corpus
from v2sbench.prepare.clips import prepare

# The same examples every time, however slow the machine is.
settings.register_profile("v2sbench", deadline=None, derandomize=True)
settings.load_profile("v2sbench")

PROJECT = Path(__file__).resolve().parent.parent


def _recordings(name: str) -> Path:
    """``$V2S_DATA/<name>``, else the folder beside the project where a workplace keeps shared recordings."""
    places = [PROJECT.parent / "shared" / "data" / name]
    if data := os.environ.get("V2S_DATA"):
        places.insert(0, PROJECT / data / name)  # a relative one is meant from the project's root, as at the prompt
    for place in places:
        if place.is_dir() and any(place.iterdir()):
            return place
    pytest.skip(f"no {name} recordings: neither {' nor '.join(map(str, places))} is there")


@pytest.fixture(scope="session")
def grid_root() -> Path:
    """A folder of real GRID clips, whole or in part."""
    return _recordings("grid")


@pytest.fixture(scope="session")
def speech_samples() -> Path:
    """A folder of a few real files of corpora, each in a folder of its name."""
    return _recordings("samples")


@pytest.fixture(scope="session")
def faulty_files() -> Path:
    """A folder of small files as others have them, on each of which something once failed."""
    return _recordings("faults")


@pytest.fixture(scope="session")
def pesq_pair() -> tuple[Path, Path]:
    """The PESQ package's own example: (clean, with babble at 0 dB), 16 kHz wav files."""
    folder = _recordings("pesq")
    return folder / "speech.wav", folder / "speech_bab_0dB.wav"


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature GRID: s1 with two clips, s2 with one, landmarks beside them."""
    root = tmp_path_factory.mktemp("raw") / "grid"
    fake("grid", root)
    return root


@pytest.fixture(scope="session")
def ready(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, prepared."""
    out = tmp_path_factory.mktemp("clips") / "grid"
    prepare(corpus("grid"), raw, out, jobs=1)
    return out


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with the cards and the toy split of `tests.small`, as the current folder."""
    monkeypatch.setenv("V2S_JOBS", "1")  # workers of an earlier test would stay in its folder
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for card in (PROJECT / "models").glob("*.yaml"):
        (tmp_path / "models" / card.name).symlink_to(card)
    small_split(tmp_path)
    return tmp_path
