"""What happens to bad input at the command line: one line and exit code 2, or quarantine; nothing half-written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.miniatures import fake
from tests.small import small_card
from tests.trees import ROOT
from v2sbench import cli
from v2sbench.corpora import split
from v2sbench.nets.model import MelModel, save_weights
from v2sbench.prepare.splits import write_split
from v2sbench.talker.films import write_mpeg1

VARIANT = "v2a-mel-s-speaker-scratch"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No progress bars on stderr."""
    monkeypatch.setenv("V2S_QUIET", "1")


def fails(capsys, line: str) -> str:
    """Run, expect exit code 2 and one line on stderr; return it."""
    capsys.readouterr()
    assert cli.main(line.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("v2sbench: ")
    assert said.count("\n") == 1
    return said


def files(folder: Path) -> set[str]:
    """Relative paths of all files under a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project folder with a miniature of GRID, broken in every way, prepared and split."""
    place = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "models", place / "models", ignore=shutil.ignore_patterns("weights"))
    shutil.copy(ROOT / "profiles" / "paper.yaml", place / "params.yaml")
    grid = place / "data" / "grid"
    fake("grid", grid)
    whole = (grid / "s1" / "bbaf2n.mpg").read_bytes()
    (grid / "s1" / "lwbz9s.mpg").write_bytes(whole[:5000])
    (grid / "s1" / "sgib8n.mpg").write_bytes(b"")
    (grid / "s1" / "holiday.mpg").write_bytes(whole)
    draw = np.random.default_rng(1)
    noise = draw.integers(0, 255, (25, 96, 96, 3), dtype=np.uint8)
    speech = draw.standard_normal(44_100).astype(np.float32) * 0.1
    write_mpeg1(grid / "s1" / "pbio7a.mpg", noise, speech)  # no face
    write_mpeg1(grid / "s1" / "brwg8p.mpg", noise, np.zeros(44_100, np.float32))  # no sound
    done = subprocess.run(
        [sys.executable, "-m", "v2sbench", "prepare", "grid", "--jobs", "1"],
        cwd=place, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "V2S_QUIET": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    write_split(split("grid33-overlap"), place / "clips" / "grid", place / "splits" / "grid33-overlap")
    rows = len((place / "splits" / "grid33-overlap" / "split.tsv").read_text(encoding="utf-8").splitlines()) - 1
    np.save(place / "splits" / "grid33-overlap" / "speaker.npy", np.zeros((rows, 256), np.float32))
    return place, done.stdout


@pytest.fixture
def project(prepared, monkeypatch):
    """The folder of `prepared`, as the current one."""
    monkeypatch.chdir(prepared[0])
    return prepared[0]


def test_bad_clips_are_quarantined_with_a_reason(prepared):
    place, said = prepared
    lines = (place / "clips" / "grid" / "quarantine.tsv").read_text(encoding="utf-8").splitlines()[1:]
    reasons = {Path(line.split("\t")[0]).stem: line.split("\t")[1] for line in lines}
    assert set(reasons) == {"lwbz9s", "sgib8n", "holiday", "pbio7a", "brwg8p"}
    assert reasons["pbio7a"] == "no-face"
    assert reasons["brwg8p"] == "no-sound"
    assert reasons["holiday"] == "unusable-file"
    assert "3 clips" in said
    assert "no-face" in said


def test_a_corpus_without_one_usable_clip(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "grid" / "s1").mkdir(parents=True)
    (tmp_path / "data" / "grid" / "s1" / "bbaf2n.mpg").write_bytes(b"no film")
    said = fails(capsys, "prepare grid --jobs 1")
    assert "bbaf2n" in said
    assert files(tmp_path) == {"data/grid/s1/bbaf2n.mpg"}


def test_a_split_of_clips_that_are_not_here(project, capsys):
    before = files(project)
    assert "grid1-seen" in fails(capsys, "train x --split grid1-seen")
    assert "prepare demo" in fails(capsys, "split demo-seen")
    assert files(project) == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"train {VARIANT}x --split grid33-overlap", f"did you mean '{VARIANT}'"),
        (f"synth {VARIANT}x --split grid33-overlap", f"did you mean '{VARIANT}'"),
        (f"synth {VARIANT} --split grid33-overlap", "v2sbench train"),
        ("synth noise --split grid33-overlap --subset tset", "did you mean 'test'"),
        ("synth v2a-mel-s-speaker-scratch --split grid33-overlap --vocoder griffin", "did you mean 'griffin-lim'"),
        ("train v2a-mel-s-speaker-tuned --split grid33-overlap", "v2sbench train a2a-mel-s"),
        ("score noise --split grid33-overlap", "v2sbench synth ground-truth --split grid33-overlap"),
        ("table grid33-overlap", "v2sbench"),
        ("table grid33-overlp", "grid33-overlp"),
        ("gate grid33-overlap", "v2sbench accept grid33-overlap"),
        ("accept grid33-overlap --why none", "v2sbench"),
        ("prepare grid --roi hair", "did you mean 'haar'"),
        ("prepare grid --jobs 0", "at least 1"),
    ],
)
def test_what_is_missing_or_unknown_is_named(line, said, project, capsys):
    before = files(project)
    assert said in fails(capsys, line)
    assert files(project) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("override: {}", "override:\n  mel-s:\n    train:\n      stepps: 3", "did you mean 'steps'"),
        ("seed: 1", "sead: 1", "did you mean 'seed'"),
        ("seed: 1", "seed: [1", "params.yaml is not valid YAML"),
    ],
)
def test_a_bad_profile(old, new, said, project, capsys):
    kept = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(kept.replace(old, new), encoding="utf-8")
    try:
        assert said in fails(capsys, f"train {VARIANT} --split grid33-overlap")
    finally:
        (project / "params.yaml").write_text(kept, encoding="utf-8")


def test_weights_of_another_card(project, tmp_path, capsys):
    hears, sees = tmp_path / "a2a.safetensors", tmp_path / "v2a.safetensors"
    save_weights(MelModel(small_card("a2a-mel-s")), hears)
    save_weights(MelModel(small_card(VARIANT)), sees)
    line = f"synth {VARIANT} --split grid33-overlap --weights"
    assert "was trained with card 'a2a-mel-s'" in fails(capsys, f"{line} {hears}")
    assert "another arch section" in fails(capsys, f"{line} {sees}")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    assert "not a safetensors file" in fails(capsys, f"{line} {tmp_path / 'junk.safetensors'}")
    assert not (project / "audio").exists()
    film = project / "data" / "grid" / "s1" / "bbaf2n.mpg"
    assert "which reads audio" in fails(capsys, f"speak {film} --model {hears} --out {tmp_path / 'said.wav'}")


@pytest.mark.parametrize(("stem", "reason"), [("lwbz9s", "no-face"), ("sgib8n", "empty"), ("pbio7a", "no-face")])
def test_speak_of_a_bad_film(stem, reason, project, tmp_path, capsys):
    weights = tmp_path / "v2a.safetensors"
    save_weights(MelModel(small_card(VARIANT)), weights)
    film = project / "data" / "grid" / "s1" / f"{stem}.mpg"
    assert reason in fails(capsys, f"speak {film} --model {weights} --out {tmp_path / 'said.wav'}")
    assert not (tmp_path / "said.wav").exists()


def test_speak(project, tmp_path, capsys):
    """And the good case: 960 samples a frame."""
    weights = tmp_path / "v2a.safetensors"
    save_weights(MelModel(small_card(VARIANT)), weights)
    film = project / "data" / "grid" / "s1" / "bbaf2n.mpg"
    marks = project / "data" / "grid" / "landmarks" / "s1" / "bbaf2n.npz"
    line = f"speak {film} --model {weights} --landmarks {marks} --out {tmp_path / 'said.wav'}"
    assert cli.main(line.split()) == 0
    assert (tmp_path / "said.wav").stat().st_size > 960
