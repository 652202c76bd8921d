"""Two towers that meet in wavs on disk: what scores, tabulates and reports needs nothing of what trains.

Run in processes where PyTorch and the other packages of the extra `train` cannot be imported.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from v2sbench.cli.extras import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
FORBID = f"""
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {(*EXTRAS["train"], *EXTRAS["pipeline"])!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Forbid())
"""


def without_train(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a process that has only the light packages."""
    words = [sys.executable, "-W", "error", "-c", FORBID + program]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "V2S_QUIET": "1", "V2S_JOBS": "2"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def type_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command line there."""
    return without_train(f"sys.argv = ['v2sbench', *{words!r}]\nfrom v2sbench.cli import entry\nentry()", folder)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Folders `truth` and `mine` with the same three clips, those of `mine` with some noise."""
    draw = np.random.default_rng(1)
    for name in ("truth", "mine"):
        (tmp_path / name).mkdir()
    for index in range(3):
        time = np.arange(24_000) / 24_000
        tone = 0.3 * np.sin(2 * np.pi * 220 * (index + 1) * time) * (np.sin(2 * np.pi * 3 * time) > 0)
        for name, level in (("truth", 0.001), ("mine", 0.05)):
            soundfile.write(tmp_path / name / f"clip{index}.wav", tone + level * draw.standard_normal(24_000), 24_000)
    return tmp_path


@pytest.mark.parametrize("package", ["scoring", "results", "report", "corpora", "cli", "nets"])
def test_a_face_needs_no_pytorch(package: str, tmp_path: Path) -> None:
    done = without_train(f"import v2sbench.{package}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_wavs_are_scored_and_tabulated(folders: Path) -> None:
    lines = type_in(folders, "score", "--wavs", "mine", "--refs", "truth", "--asr", "none")
    assert lines.returncode == 0, lines.stderr
    assert re.findall(r'"clip": ?"(\w+)"', lines.stdout) == ["clip0", "clip1", "clip2"]
    said = type_in(folders, "score", "--wavs", "mine", "--refs", "truth", "--asr", "none", "--truth", "--out", "scores")
    assert said.returncode == 0, said.stderr
    assert "PESQ-WB" in said.stdout
    table = type_in(folders, "table", "--scores", "scores", "--out", "tables")
    assert table.returncode == 0, table.stderr
    assert "mine" in table.stdout
    assert (folders / "tables" / "scores.md").is_file()


@pytest.mark.parametrize(
    ("line", "extra"), [("prepare grid --root corpus", "train"), ("speak f --model f --out said.wav", "train")]
)
def test_what_needs_an_extra_says_which(folders: Path, line: str, extra: str) -> None:
    (folders / "f").write_bytes(b"")
    (folders / "corpus" / "s1").mkdir(parents=True)
    (folders / "corpus" / "s1" / "bbaf2n.mpg").write_bytes(b"no film")
    done = type_in(folders, *line.split())
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"pip install 'v2sbench[{extra}]'" in done.stderr


def test_the_light_packages_are_light() -> None:
    light = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert not [name for name in light if re.match(r"torch|av\b|opencv|dvc|dask|openai", name)]
