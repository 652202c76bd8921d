"""`pytest benchmarks/` as a user runs it, in a process of its own, on a made-up tree of results."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conftest import checked, systems_here
from tests import fake_scores
from v2sbench.results.gate_files import read_baseline
from v2sbench.runtime import UseError

ROOT = Path(__file__).resolve().parent.parent
SPLIT = "grid33-unseen"
QUALITY = ["benchmarks/test_quality.py", "benchmarks/test_claims.py"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project root with scores and no audio: what is in git is linked."""
    for name in ("benchmarks", "models", "v2sbench", "pyproject.toml", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "results").mkdir()
    for name in ("reported.csv", "claims.yaml", "sources.bib"):
        (tmp_path / "results" / name).symlink_to(ROOT / "results" / name)
    fake_scores.write_all(tmp_path / "results/measured", SPLIT, coverage="partial 40/9000")
    return tmp_path


class Options:
    """The harness's options as pytest would give them."""

    def __init__(self, words: list[str]) -> None:
        self._values: dict[str, Any] = {
            "--split": None, "--variant": [], "--system": [], "--accept": False, "--why": "no reason given",
        }  # fmt: skip
        for name, value in zip(words, [*words[1:], ""], strict=True):
            if isinstance(self._values.get(name, ""), list):
                self._values[name].append(value)
            elif name.startswith("--"):
                self._values[name] = True if name == "--accept" else value

    def getoption(self, name: str) -> Any:
        return self._values[name]


def harness(tree: Path, *options: str, tests: list[str] = QUALITY) -> subprocess.CompletedProcess[str]:
    # Where CI is set, pytest prints the messages of its summary in full: every cell would count twice.
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
    environment = {
        **inherited, "PYTHONPATH": str(tree), "V2S_QUIET": "1", "COLUMNS": "200",
        "GIT_AUTHOR_NAME": "A Tester", "GIT_AUTHOR_EMAIL": "tester@example.org",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tree), *tests, *options]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def test_a_split_is_tabulated_judged_and_held_against_its_baseline(tree: Path) -> None:
    done = harness(tree, "--split", SPLIT, "--accept", "--why", "first numbers")
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("V2A-MelSpec-S", "v2a-mel-s-speaker-tuned", "partial 40/9000", "Claim: Pre-training improves"):
        assert shown in done.stdout
    for ending in ("md", "csv", "tex"):
        assert (tree / "results/tables" / f"{SPLIT}.{ending}").is_file()
    head = (tree / f"results/baseline/{SPLIT}.csv").read_text(encoding="utf-8").splitlines()
    assert head[:4] == [
        "# accepted by: A Tester <tester@example.org>", "# why: first numbers",
        "# changed: first baseline, 35 cells of 7 systems", "# protocol: v2sbench-1",
    ]  # fmt: skip
    folder = tree / "results/measured" / SPLIT
    fake_scores.write(folder, "griffin-lim", fake_scores.scores(0.95, 40, 4), vocoder="griffin-lim")
    for system in ("noise", "v2a-mel-s-speaker-frozen"):
        (folder / f"{system}.jsonl").unlink()
    moved = harness(tree, "--split", SPLIT)
    assert moved.returncode == 1
    assert len(re.findall(r"better +griffin-lim", moved.stdout)) == 5
    assert len(re.findall(r"missing +noise", moved.stdout)) == 5
    assert "v2sbench accept" in moved.stdout
    assert "no scores of v2a-mel-s-speaker-frozen" in moved.stdout
    assert "griffin-lim" in moved.stdout.split("Ceilings")[1], "the table is printed although the gate failed"


def test_whoever_names_a_variant_needs_no_other(tree: Path) -> None:
    (tree / "results/measured" / SPLIT / "v2a-mel-s-speaker-frozen.jsonl").unlink()
    done = harness(tree, "--split", SPLIT, "--variant", "v2a-mel-s-speaker-tuned")
    assert done.returncode == 0, done.stdout
    assert "no baseline" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "grid33-unsen"], "unknown split 'grid33-unsen', did you mean 'grid33-unseen'"),
        (["--split", SPLIT, "--variant", "v2a-mel-s-speaker-tunde"], "unknown variant"),
        (
            ["--split", SPLIT, "--variant", "v2a-mel-m-speaker-tuned"],
            f"v2a-mel-m-speaker-tuned has no weights for {SPLIT}; run: v2sbench train",
        ),
        (["--split", SPLIT, "--system", "mine"], "takes NAME=DIR, not 'mine'"),
        (["--split", SPLIT, "--system", "noise=results"], "one of this project's own systems"),
        (["--split", SPLIT, "--system", "mine=nowhere"], "no folder nowhere"),
        (
            ["--split", SPLIT, "--system", "mine=results", "--system", "mine=benchmarks"],
            "two systems are called 'mine'",
        ),
        (["--split", SPLIT, "--system", "mine=results"], f"v2sbench synth ground-truth --split {SPLIT}"),
        (["--split", "grid4-seen"], "v2sbench split grid4-seen"),
        (["--variant", "v2a-mel-s-speaker-tuned"], "--variant needs --split"),
        (["--accept"], "--accept needs --split"),
    ],
)
def test_what_is_missing_or_misspelt_is_said(
    tree: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tree)
    with pytest.raises(UseError, match=re.escape(said)):
        checked(Options(options))


def test_several_systems_are_compared_with_the_first(tree: Path) -> None:
    """Scores that are there already, since no audio is: the folders are named and hold nothing to score."""
    folder = tree / "results/measured" / SPLIT
    for name, level, seed in (("ours", 0.7, 11), ("mine", 0.55, 12)):
        fake_scores.write(folder, name, fake_scores.scores(level, 40, seed), vocoder="")
        (tree / f"{name}-wavs").mkdir()
    (tree / "audio" / SPLIT / "ground-truth").mkdir(parents=True)
    (tree / "plugin.py").write_text(
        "import benchmarks.conftest as it\nit.bring_up_to_date = lambda plan: None\n", "utf-8"
    )
    ask = ["-p", "plugin", "--split", SPLIT, "--system", "ours=ours-wavs", "--system", "mine=mine-wavs"]
    done = harness(tree, *ask, "--accept", "--why", "two of our own")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"WER % +mine +ours +\+.* worse", done.stdout)
    assert "Significantly better, worse than ours" in done.stdout
    assert "▼" in (tree / f"results/tables/{SPLIT}.md").read_text(encoding="utf-8")
    assert read_baseline(SPLIT, tree / "results/baseline").systems == ["mine", "ours"], "the named ones, and no other"
    fake_scores.write(folder, "mine", fake_scores.scores(0.4, 40, 12), vocoder="")
    moved = harness(tree, *ask)
    assert moved.returncode == 1
    assert len(re.findall(r"worse +mine .* s1/clip\d{3} ", moved.stdout)) == 5


def test_a_mistake_ends_the_run_with_one_line(tree: Path) -> None:
    done = harness(tree, "--split", "grid33-unsen")
    assert done.returncode == 4
    assert done.stderr.startswith("ERROR: v2sbench: unknown split 'grid33-unsen', did you mean")
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tree / "results/tables").exists()


def test_what_is_there_is_scored_the_truth_first(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    for system in ("griffin-lim", "ground-truth"):
        (tree / "audio" / SPLIT / system).mkdir(parents=True)
    (tree / "my-wavs").mkdir()
    plan = checked(Options(["--split", SPLIT, "--system", "mine=my-wavs", "--variant", "v2a-mel-s-speaker-tuned"]))
    assert plan is not None
    assert not plan.whole
    assert systems_here(SPLIT) == ["ground-truth", "griffin-lim"]
    assert plan.systems == {"mine": Path("my-wavs")}


def test_without_a_split_only_the_self_checks_run(tree: Path) -> None:
    done = harness(tree)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed, \d skipped", done.stdout)
    assert "needs --split S" in done.stdout
