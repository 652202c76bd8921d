"""README's recipe for a corpus in one file outside of the package, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PROJECT
from tests.miniatures.drawing import chord, face_landmarks, face_picture
from tests.miniatures.mp4 import write_mp4

RECIPE = "### Add a corpus in one file"


def blocks() -> dict[str, str]:
    """Language -> what stands in the recipe's fenced block of it."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8").split(RECIPE, 1)[1].split("\n##", 1)[0]
    return dict(re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the recipe's distribution as pip would install it."""
    folder = tmp_path_factory.mktemp("site")
    written = blocks()
    about = tomllib.loads(written["toml"])["project"]
    (folder / "films.py").write_text(written["python"], encoding="utf-8")
    info = folder / f"{about['name']}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in about["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def run(site: Path, folder: Path, *words: str) -> str:
    """What a command with the distribution on its path prints; it must succeed."""
    path = os.pathsep.join([str(site), str(PROJECT)])
    env = {**os.environ, "PYTHONPATH": path, "V2S_JOBS": "1", "V2S_DATA": str(folder / "data"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def record(root: Path) -> None:
    """Two voices with four clips of a second each, in the recipe's layout."""
    for voice in ("ann", "bob"):
        (root / voice).mkdir(parents=True)
        for number in range(1, 5):
            name = root / voice / f"{number:03d}"
            mouth = 0.5 - 0.5 * np.cos(np.arange(25) * 0.1 * (number + 4))
            sound = chord(f"{voice}/{number}", 48_000, 48_000)
            write_mp4(name.with_suffix(".mp4"), face_picture(mouth, 90), sound, Fraction(25))
            np.savez(name.with_suffix(".npz"), landmarks=face_landmarks(mouth))
            name.with_suffix(".txt").write_text(f"This is take {number}.\n", encoding="utf-8")


def test_the_recipe_of_the_readme_works(site: Path, tmp_path: Path) -> None:
    record(tmp_path / "recordings")
    (tmp_path / "recordings" / "bob" / "holiday.mp4").write_bytes(b"x")
    verbs = [line.split("#")[0].split() for line in blocks()["sh"].splitlines()]
    assert [verb[1] for verb in verbs] == ["list", "prepare", "split"]
    told = {}
    for verb in verbs:
        words = ["recordings" if word == "/recordings" else word for word in verb[1:]]
        told[verb[1]] = run(site, tmp_path, "-m", "v2sbench", *words)
    assert re.search(r"^films +audio-visual +\? +mine +Films of my own$", told["list"], re.MULTILINE)
    assert "8 clips" in told["prepare"]
    assert "1 quarantined (unusable-file 1" in told["prepare"]
    rows = (tmp_path / "splits" / "films-seen" / "split.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) == 8
    assert rows[0].endswith("this is take 1")


def test_the_contract_tries_it_too(site: Path) -> None:
    """Those of its tests that need no miniature."""
    told = run(site, PROJECT, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_every_corpus.py",
               "-k", "films and (metadata or split_is_complete)")  # fmt: skip
    assert re.search(r"^2 passed", told, re.MULTILINE), told


def test_a_plugin_that_cannot_be_loaded_says_so_in_one_line(site: Path, tmp_path: Path) -> None:
    (tmp_path / "films.py").write_text("CORPORA = (\n", encoding="utf-8")
    (tmp_path / "films-2.dist-info").mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (tmp_path / "films-2.dist-info" / name).write_bytes((site / "films-1.dist-info" / name).read_bytes())
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT)])}
    done = subprocess.run(
        [sys.executable, "-m", "v2sbench", "list", "corpora"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.fullmatch(r"v2sbench.*: corpus plug-in 'films' \(films:CORPORA\) cannot be loaded: .*\n", done.stderr)
