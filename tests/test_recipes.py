"""What the documents tell to write: a recogniser, a card, a metric, as they stand there."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.documents import read
from v2sbench import cli
from v2sbench.nets import load_card
from v2sbench.scoring.metrics import catalogue
from v2sbench.scoring.metrics.pair import Pair
from v2sbench.scoring.recognisers import GROUP, recogniser


def block(document: str, heading: str, language: str) -> str:
    """The fenced block under a heading."""
    text = re.split(r"\n##+ ", read(document).split(f"\n### {heading}\n", 1)[1], maxsplit=1)[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


@pytest.fixture
def ears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's distribution as pip would install it."""
    (tmp_path / "ears.py").write_text(block("README.md", "Add a recogniser", "python"), encoding="utf-8")
    text = read("README.md").split("\n### Add a recogniser\n", 1)[1]
    entry = re.search(r"`(ears = \"ears:EARS\")` in the group `([\w.]+)`", text)
    assert entry
    assert entry[2] == GROUP
    info = tmp_path / "ears-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ears\nVersion: 1\n", encoding="utf-8")
    line = entry[1].replace('"', "")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{line}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ears", raising=False)  # another test's
    recogniser.cache_clear()
    yield
    recogniser.cache_clear()


def test_the_recogniser_of_the_readme_counts_words(ears: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "recognisers"]) == 0
    assert re.search(r"^ears +counts words$", capsys.readouterr().out, re.MULTILINE)
    wave = np.zeros(16_000, np.float32)
    wave[2_000:4_000] = wave[9_000:12_000] = 0.5
    found = recogniser("ears:red")
    assert found.transcribe([wave, np.zeros(10, np.float32)]) == ["red red", ""]
    assert found.id == "ears/1/red"
    assert recogniser("ears").id == "ears/1/bin"


def test_the_card_of_contributing_is_one(project: Path) -> None:
    name = re.search(r"`models/(v2a-[\w-]+)\.yaml`:", read("CONTRIBUTING.md"))[1]
    assert not (project / "models" / f"{name}.yaml").exists()
    (project / "models" / f"{name}.yaml").write_text(block("CONTRIBUTING.md", "A model", "yaml"), encoding="utf-8")
    card, base = load_card(name), load_card("v2a-mel-s-speaker-scratch")
    assert (card.arch.decoder.dim, base.arch.decoder.dim) == (384, 256)
    assert card.digest != base.digest


def test_the_metric_of_contributing_measures() -> None:
    names = dict(vars(catalogue), np=np, math=math)
    function, line = block("CONTRIBUTING.md", "A metric", "python").split("\n\n\n")
    exec(function, names)
    metric = eval(line, names)
    wave = np.sin(np.arange(32_000, dtype=np.float32) / 20) * np.float32(0.4)
    pair = Pair(wave, wave / 2, 16_000)
    assert metric.compute(pair) == pytest.approx(6.02, abs=0.01)
    assert metric.compute(Pair(wave, wave, 16_000)) == metric.low
