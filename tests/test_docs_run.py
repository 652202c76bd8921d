"""The documents' commands, run as they are printed: on miniatures of corpora, under the names that the documents use.

Every `v2sbench` line of a block, or with arguments in running text, is either run here or stands in ELSEWHERE with what
does run it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.documents import Command, commands
from tests.miniatures import fake
from tests.miniatures.drawing import chord, face_picture
from tests.trees import ROOT
from v2sbench import cli
from v2sbench.audio import RATE, read_wav, write_wav
from v2sbench.corpora.grid_grammar import stems
from v2sbench.corpora.splits import place
from v2sbench.runtime import rng
from v2sbench.talker.films import write_mpeg1

SPLITS = ("grid1-seen", "grid4-seen", "demo-seen")
"""Splits of the documents that have scores here, all of the same few clips."""
VARIANTS = {"v2a-mel-s-speaker-scratch": 0.3, "v2a-mel-s-speaker-frozen": 0.32, "v2a-mel-s-speaker-tuned": 0.1}
"""System -> how much noise is in its audio."""
FOLDERS = {"my-wavs": 0.1, "their-wavs": 0.2, "truth": 0.0}
"""A user's folders, likewise."""
FILLED = {
    "CORPUS": "grid",
    "SPLIT": "demo-seen",
    "S": "demo-seen",
    "DIR": "my-wavs",
    "REASON": "because",
    "NAME": "mine",
}
"""What a reader puts for a placeholder."""
ELSEWHERE = {
    r"train ": "tests/test_train.py: minutes",
    r"synth (v2a-|copy-)": "tests/test_synthesis.py, tests/test_vocoders.py: needs weights",
    r"speak ": "tests/test_synthesis.py: needs weights",
    r"fetch (?!.*--list)(grid|libritts|vctk|hifitts|omceb)": "tests/test_fetch.py: needs a publisher",
    r"prepare .*--cluster": "tests/test_cluster.py: needs a scheduler",
    r"(prepare films|split films-seen)": "tests/test_corpus_recipe.py: the recipe's own block",
    r"split .*--face": "tests/test_identity.py",
    r"sweep ": "tests/test_sweeps.py: minutes",
    r"reported add$": "the same with all that it needs, in CONTRIBUTING.md",
}
"""Start of a line -> what runs it instead."""
PARTLY = {"doctor": (0, 1, 2)}
"""Exit codes of verbs that judge: miniatures are far from complete."""

TYPED = [
    command for command in dict.fromkeys(commands())
    if command.words[0] == "v2sbench" and (command.fenced or len(command.words) > 2)
]  # fmt: skip
HERE = [line for line in TYPED if not any(re.match(start, " ".join(line.words[1:])) for start in ELSEWHERE)]


def sentences(count: dict[str, int]) -> list[str]:
    """GRID sentences that the seen splits put into these parts, as many of each."""
    found: dict[str, list[str]] = {part: [] for part in count}
    for stem in stems():
        where = place("grid", f"s1/{stem}")
        part = "train" if where < 0.9 else "val" if where < 0.95 else "test"
        if len(found[part]) < count[part]:
            found[part].append(stem)
        if sum(map(len, found.values())) == sum(count.values()):
            return [stem for part in found.values() for stem in part]
    raise AssertionError("no such sentences")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose splits have scores, and users' folders beside it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("benchmarks", "models", "profiles", "sweeps", "v2sbench", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "profiles" / "demo.yaml", folder / "params.yaml")
    (folder / "results").mkdir()
    for name in ("reported.csv", "claims.yaml", "sources.bib"):
        shutil.copy(ROOT / "results" / name, folder / "results")
    fake("libritts", folder / "data" / "libritts")
    names = sentences({"train": 3, "val": 1, "test": 4})
    for stem in names:
        opening = 0.5 - 0.5 * np.cos(np.arange(75) * rng(0, stem).uniform(0.4, 0.8))
        video = folder / "data" / "grid" / "s1" / f"{stem}.mpg"
        write_mpeg1(video, face_picture(opening, 90), chord(stem, 131_328, 44_100), 44_100)
    listing = [f"{part}\ts1/{stem}\n" for part, stem in zip(("train", "train", "val", "test"), names, strict=False)]
    (folder / "my_list.txt").write_text("".join(listing), encoding="utf-8")
    (folder / "my_test.txt").write_text(f"s1/{names[0]}\ns1/bbaf2n\n", encoding="utf-8")
    inside(folder, scored)
    return folder


def inside(folder: Path, what, *arguments):
    """Call with the project as the current folder, one worker, and no progress bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {"V2S_JOBS": "1", "V2S_QUIET": "1", "V2S_DATA": "data"}.items():
            patch.setenv(name, value)
        patch.delenv("V2S_CACHE", raising=False)
        return what(*arguments)


def scored() -> None:
    """Splits, references and scores of every system, by the verbs themselves."""
    type_in("prepare", "grid")
    type_in("prepare", "libritts")
    for split in SPLITS:
        copy = Path("splits") / split
        if copy.name == SPLITS[0]:
            type_in("split", split)
        else:
            shutil.copytree(Path("splits") / SPLITS[0], copy)
            about = json.loads((copy / "split.json").read_text(encoding="utf-8"))
            (copy / "split.json").write_text(json.dumps({**about, "name": split}), encoding="utf-8")
        type_in("synth", "ground-truth", "--split", split)
        truth = Path("audio") / split / "ground-truth"
        for system, noise in VARIANTS.items():
            spoilt(truth, Path("audio") / split / system, noise)
        type_in("score", "ground-truth", *VARIANTS, "--split", split)
    for name, noise in FOLDERS.items():
        spoilt(truth, Path(name), noise)
    for split in SPLITS:
        type_in("score", "--split", split, "--system", "mine=my-wavs")
    type_in("accept", "demo-seen", "--why", "first numbers")


def spoilt(truth: Path, folder: Path, noise: float) -> None:
    """The references with noise of some amplitude, in a folder of their own."""
    for path in sorted(truth.rglob("*.wav")):
        wave, _ = read_wav(path)
        drawn = noise * rng(7, folder.name, path.stem).uniform(-1, 1, len(wave))
        write_wav(folder / path.relative_to(truth), np.clip(wave + drawn, -1, 1).astype(np.float32), RATE)


def filled(words: tuple[str, ...]) -> list[str]:
    """Words without placeholders."""
    return ["=".join(FILLED.get(part, part) for part in word.split("=")) for word in words]


def type_in(*words: str) -> int:
    """The exit code of a line."""
    return cli.main(words)


@pytest.mark.slow
@pytest.mark.parametrize("command", HERE, ids=[str(line) for line in HERE])
def test_what_is_printed_runs(command: Command, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = inside(project, type_in, *filled(command.words[1:]))
    said = capsys.readouterr()
    assert code in PARTLY.get(command.words[1], (0,)), said.err
    assert said.out.strip() or "--quiet" in command.words
    assert not [line for line in said.err.splitlines() if line.startswith("v2sbench: ") and "warning" not in line]


@pytest.mark.slow
def test_the_harness_runs_as_printed(project: Path) -> None:
    lines = {
        line.words for line in commands() if line.fenced and line.words[0] == "pytest" and "--system" in line.words
    }
    assert lines
    for words in sorted(lines):
        inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
        done = subprocess.run(
            [sys.executable, "-m", *filled(words), "-p", "no:cacheprovider"],
            cwd=project, text=True, capture_output=True,
            env={**inherited, "PYTHONPATH": str(project), "V2S_JOBS": "1", "V2S_QUIET": "1"}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "mine" in done.stdout


def test_nothing_is_left_to_other_tests_without_need() -> None:
    lines = [" ".join(line.words[1:]) for line in TYPED]
    assert all(any(re.match(start, line) for line in lines) for start in ELSEWHERE)
    verbs = {"list", "doctor", "prepare", "split", "synth", "score", "table", "report"}
    assert {line.words[1] for line in HERE} >= verbs
