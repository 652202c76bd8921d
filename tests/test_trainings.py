"""Trainings from the prompt to every output: a user's system in three folders, and a variant's seeds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.small_report import TUNED, small_report
from tests.trees import ROOT
from v2sbench import cli
from v2sbench.audio import RATE, read_wav, write_wav
from v2sbench.nets import Params, weights_path
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import Variant, recipe_of, seed_of, training


def test_a_trainings_name_is_taken_apart() -> None:
    assert training(TUNED, 12) == f"{TUNED}.seed12"
    assert (recipe_of(f"{TUNED}.seed12"), seed_of(f"{TUNED}.seed12")) == (TUNED, 12)
    for name in (TUNED, "hifigan-v1.1", "mine.seed", "mine.seed01", "mine.seedling"):
        assert (recipe_of(name), seed_of(name)) == (name, None)
    assert Variant.of(f"{TUNED}.seed2") == Variant.of(TUNED)
    assert weights_path(TUNED, "toy", 3) == Path(f"models/weights/toy/{TUNED}.seed3.safetensors")


def test_without_seeds_there_is_one_training_with_the_seed() -> None:
    kept = {"profile": "p", "threads": 1, "corpora": {}, "splits": {}, "pretrain_split": "s", "models": (),
            "identities": (), "v2a_splits": (), "references": (), "asr": "none", "protocol": "p"}  # fmt: skip
    assert Params(seed=4, **kept).trainings == (4,)
    assert Params(seed=4, seeds=(1, 2), **kept).trainings == (1, 2)


@pytest.fixture
def folders(project: Path) -> str:
    """Three trainings of a system: the truth with more and more noise."""
    clips = small_report(project)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("asr: grid-grammar", "asr: none")
    (project / "params.yaml").write_text(params, encoding="utf-8")  # the toy's sentences are none of GRID's
    for name in (project / "results/measured/toy").glob("*"):
        name.unlink()
    for place in (1, 2, 3):
        draw = np.random.default_rng(place)
        for clip in clips:
            wave, _ = read_wav(project / "audio/toy/ground-truth" / f"{clip}.wav", RATE)
            noisy = wave + draw.normal(0, 0.02 * place, len(wave)).astype(np.float32)
            write_wav(project / f"run{place}" / f"{clip}.wav", np.clip(noisy, -1, 1), RATE)
    return "mine=run1,run2,run3"


@pytest.mark.slow
def test_three_folders_are_one_row_in_table_latex_page_and_gate(
    folders: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("AUTHOR_NAME", "AUTHOR_EMAIL"):
        monkeypatch.setenv(f"GIT_{role}", "tester")
    cli.run(["score", "ground-truth", "--split", "toy", "--system", folders])
    cli.run(["table", "toy"])
    shown = capsys.readouterr().out
    assert "trainings" in shown
    assert "A row is a recipe" in shown
    with Path("results/tables/toy.csv").open(encoding="utf-8", newline="") as stream:
        lines = {line["system"]: line for line in csv.DictReader(stream) if line["metric"] == "stoi"}
    assert set(lines) == {"ground-truth", "mine"}
    values = []
    for seed in (1, 2, 3):
        rows = Path(f"results/measured/toy/mine.seed{seed}.jsonl").read_text(encoding="utf-8").splitlines()
        values.append(np.mean([json.loads(row)["stoi"] for row in rows]))
    assert lines["mine"]["trainings"] == "3"
    assert float(lines["mine"]["value"]) == pytest.approx(np.mean(values))
    assert float(lines["mine"]["spread"]) == pytest.approx(np.std(values, ddof=1))
    assert r"$\pm$" in Path("results/tables/toy.tex").read_text(encoding="utf-8")
    cli.run(["table", "toy", "--trainings"])
    assert "mine.seed3" in capsys.readouterr().out

    cli.run(["accept", "toy", "--systems", "mine", "--why", "ours"])
    cli.run(["gate", "toy", "--systems", "mine"])
    assert "4 of 4 cells lie within the spread of 3 trainings" in capsys.readouterr().out
    cli.run(["report", "toy", "--system", folders, "--clips", "1"])
    page = Path("results/reports/toy.html").read_text(encoding="utf-8")
    assert '<td data-order="3" class="number">3</td>' in page
    assert "mine.seed2" not in page, "a recipe is one player, by its first training"


def test_what_is_wrong_with_folders_of_trainings(folders: str, project: Path) -> None:
    with pytest.raises(UseError, match="no folder run4"):
        cli.run(["score", "--split", "toy", "--system", f"{folders},run4"])
    for name, protocol in (("mine.seed1", "v2sbench-1"), ("mine.seed2", "svts-2022")):
        how = ["--metrics", "stoi", "--protocol", protocol]
        cli.run(["score", "--split", "toy", "--system", f"{name}=run1", *how])
    with pytest.raises(UseError, match="score the trainings of mine alike"):
        cli.run(["table", "toy"])
