"""README's recipe for a corpus in one file outside of the package, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import PROJECT

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


def test_the_recipe_of_the_readme_works(site: Path, tmp_path: Path) -> None:
    run(site, tmp_path, "-c", "from pathlib import Path; import films; films.fake(Path('recordings'))")
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
    """Those of its tests that make no other corpus' miniature as well."""
    told = run(site, PROJECT, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_every_corpus.py",
               "-k", "films and (metadata or stray or split_is_complete)")  # fmt: skip
    assert re.search(r"^3 passed", told, re.MULTILINE), told


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
