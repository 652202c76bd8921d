"""DVC's own views of the pipeline, in a small project whose stages declare what the real dvc.yaml declares.

params -> scores (made up, the better the more steps) -> table (the real verb) -> report (its plots, made up)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trees import ROOT
from v2sbench.runtime import read_yaml

SPLIT = "demo-seen"
TUNED = "v2a-mel-s-speaker-tuned"
TABLE, PLOTS = f"results/tables/{SPLIT}.json", f"results/plots/{SPLIT}"

SCORES = f"""
import sys
from pathlib import Path
from tests.fake_scores import scores, write
from v2sbench.runtime import read_yaml
steps = read_yaml(Path("params.yaml"))["override"]["mel-s"]["train"]["steps"]
for system, level in (("ground-truth", 1.0), ("{TUNED}", steps / 1000)):
    write(Path("results/measured/{SPLIT}"), system, scores(level, 8, 1))
"""
REPORT = f"""
from pathlib import Path
import cv2
import numpy as np
folder = Path("{PLOTS}/validation")
folder.mkdir(parents=True, exist_ok=True)
(folder / "{TUNED}.csv").write_text("step,validation_l1\\n50,0.8\\n100,0.7\\n")
cv2.imwrite(str(folder.parent / "mels.png"), np.zeros((4, 4, 3), np.uint8))
Path("results/reports").mkdir(exist_ok=True)
Path("results/reports/{SPLIT}.html").write_text("<!doctype html>")
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git and DVC project after its first run."""
    root = tmp_path_factory.mktemp("views")
    for name in ("reported.csv", "claims.yaml", "sources.bib"):
        (root / "results").mkdir(exist_ok=True)
        shutil.copy(ROOT / "results" / name, root / "results")
    shutil.copy(ROOT / "profiles" / "demo.yaml", root / "params.yaml")
    shutil.copy(ROOT / ".gitignore", root)
    (root / "scores.py").write_text(SCORES, encoding="utf-8")
    (root / "report.py").write_text(REPORT, encoding="utf-8")
    (root / "dvc.yaml").write_text(json.dumps({"stages": declared()}), encoding="utf-8")  # JSON is YAML
    git(root, "init", "-q", "-b", "main")
    dvc(root, "init", "-q")
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc" / "config")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "before the first run")
    dvc(root, "repro", "-q")
    return root


def declared() -> dict[str, Any]:
    """The real stages `table` and `report` with all that they write; what they need is cut to what is here."""
    real = read_yaml(ROOT / "dvc.yaml")["stages"]
    table, report = ({**real[name], "do": dict(real[name]["do"])} for name in ("table", "report"))
    table["do"]["deps"] = [dep for dep in table["do"]["deps"] if dep.startswith("results/")]
    report["do"] |= {"cmd": "python report.py", "deps": ["report.py", "results/measured/${item}"]}
    out = f"results/measured/{SPLIT}"
    scores = {"cmd": "python scores.py", "deps": ["scores.py"], "params": ["override"], "outs": [out]}
    return {"scores": scores, "table": table, "report": report}


def run(root: Path, *command: str) -> str:
    """Standard output of a command; its error where it fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_"))}
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "A Tester"), ("EMAIL", "tester@example.org"))
    }
    here = {"HOME": str(root.with_name("home")), "DVC_SITE_CACHE_DIR": str(root.with_name("site"))}
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    quiet = {"V2S_QUIET": "1", "GIT_CONFIG_NOSYSTEM": "1", "DVC_NO_ANALYTICS": "1"}
    environment = {**inherited, **who, **here, **path, **quiet}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def git(root: Path, *words: str) -> str:
    return run(root, "git", *words)


def dvc(root: Path, *words: str) -> str:
    return run(root, sys.executable, "-m", "dvc", *words)


@pytest.mark.slow
def test_metrics_say_the_right_thing_and_git_sees_no_run(repository: Path) -> None:
    stored = json.loads((repository / TABLE).read_text(encoding="utf-8"))
    assert stored["ground-truth"]["stoi"] == 1.0
    shown = json.loads(dvc(repository, "metrics", "show", "--json"))
    assert shown[""]["data"] == {TABLE: {"data": stored}}

    assert git(repository, "status", "--porcelain") == "", "a run changes nothing that is in git"

    before = stored[TUNED]["stoi"]
    params = repository / "params.yaml"
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("{steps: 250,", "{steps: 500,"), encoding="utf-8")
    dvc(repository, "repro", "-q")
    params.write_text(text, encoding="utf-8")
    assert json.loads(dvc(repository, "metrics", "show", "--json"))[""]["data"][TABLE]["data"][TUNED]["stoi"] > before


@pytest.mark.slow
def test_plots_are_curves_and_pictures(repository: Path) -> None:
    found = json.loads(dvc(repository, "plots", "show", "--json", "-o", "plots"))["data"]
    curves = [entry for name, entries in found.items() for entry in entries if name.endswith(f"{TUNED}.csv")]
    pictures = [name for name in found if name.endswith("mels.png")]
    assert (len(curves), len(pictures)) == (1, 1)
    assert curves[0]["type"] == "vega"
    drawn = [(line["step"], line["validation_l1"]) for line in curves[0]["content"]["data"]["values"]]
    assert drawn == [("50", "0.8"), ("100", "0.7")]
