"""Workflows of GitHub Actions: ours calls `.ci/run`; the one for users' repositories can be typed, and runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents import pieces
from tests.small_report import small_report
from tests.test_docs import fault
from tests.trees import ROOT
from v2sbench.corpora import split
from v2sbench.runtime import read_yaml

OURS, USERS = ROOT / ".github" / "workflows" / "check.yml", ROOT / "docs" / "workflow.yml"
SPLIT = "grid4-seen"


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of a workflow's first job."""
    return list(next(iter(read_yaml(path)["jobs"].values()))["steps"])


def script(name: str) -> str:
    """What a step of the users' workflow runs."""
    (found,) = [step["run"] for step in steps(USERS) if step.get("name") == name]
    return str(found)


@pytest.mark.parametrize("path", [OURS, USERS], ids=lambda path: path.name)
def test_a_workflow_has_what_actions_asks_for(path: Path) -> None:
    found = read_yaml(path)
    assert {"name", "on", "permissions", "jobs"} <= set(found)
    assert found["permissions"] == {"contents": "read"}
    assert "push" in found["on"]
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))
    python = next(step["with"] for step in steps(path) if "setup-python" in step.get("uses", ""))
    assert python["python-version"] == "3.11", "a text: 3.10 as a number is 3.1"


def test_ours_does_what_ci_does() -> None:
    assert [step["run"] for step in steps(OURS) if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    kept = next(step["with"]["path"] for step in steps(OURS) if "upload" in step.get("uses", ""))
    assert kept.startswith("build/smoke/results/reports/"), "where `make smoke` leaves it"


def test_every_line_for_users_can_be_typed() -> None:
    text = "\n".join(step["run"] for step in steps(USERS) if "run" in step)
    text += "\n" + "\n".join(re.findall(r"^# +(v2sbench .*)$", USERS.read_text(encoding="utf-8"), re.M))
    lines = [words for line in text.splitlines() for words in pieces(line) if words[0] == "v2sbench"]
    verbs = {"fetch", "prepare", "split", "synth", "score", "accept", "gate", "table", "report"}
    assert {words[1] for words in lines} == verbs
    assert [said for words in lines if (said := fault(words[1:]))] == []


def test_what_is_fetched_cached_and_kept_is_what_the_verbs_need_and_write() -> None:
    (line,) = [line for line in script("Make the split").splitlines() if "fetch" in line]
    assert re.findall(r"s\d+", line.split("--speakers")[1]) == re.findall(r"s\d+", split(SPLIT).description)
    paths = {
        step["uses"].split("@")[0]: step["with"]["path"] for step in steps(USERS) if "path" in step.get("with", {})
    }
    assert paths["actions/cache"].split() == ["suite/clips/grid", f"suite/splits/{SPLIT}"]
    kept = [f"suite/results/reports/{SPLIT}.html", f"suite/results/tables/{SPLIT}.*"]
    assert paths["actions/upload-artifact"].split() == kept


@pytest.mark.slow
def test_the_users_steps_run(project: Path) -> None:
    """On a toy split: no baseline yet, then one that holds, then audio that got worse."""
    small_report(project)
    own = project / "own"  # beside the suite in the workflow
    params = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("asr: grid-grammar", "asr: none")
    (project / "params.yaml").write_text(params, encoding="utf-8")  # its sentences are none of GRID's
    shutil.copytree(project / "audio" / "toy" / "noise", own / "audio")
    for made in (project / "results" / "measured" / "toy").iterdir():
        made.unlink()

    def run(text: str) -> subprocess.CompletedProcess[str]:
        who = {"GIT_AUTHOR_NAME": "A Tester", "GIT_AUTHOR_EMAIL": "tester@example.org"}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, **who, "PATH": path, "V2S_QUIET": "1"}
        words = ["bash", "-e", "-c", text.replace(SPLIT, "toy").replace("../mine", "own")]
        return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)

    score = run(script("Score"))
    assert score.returncode == 0, score.stderr
    assert run(script("Gate")).returncode != 0, "nothing was accepted yet"
    accept = run(f'v2sbench accept {SPLIT} --systems mine --why "as submitted"')
    assert accept.returncode == 0, accept.stderr
    shutil.copytree(project / "results" / "baseline", own / "baseline")
    gate = run(script("Gate"))
    assert gate.returncode == 0, gate.stderr
    assert "4 of 4 cells are as accepted" in gate.stdout
    shutil.rmtree(own / "audio")
    shutil.copytree(project / "audio" / "toy" / "ground-truth", own / "audio")
    assert run(script("Score")).returncode == 0
    moved = run(script("Gate"))
    assert moved.returncode == 1
    assert re.search(r"^better +mine +stoi", moved.stdout, re.M)
    shown = run(script("Table and report"))
    assert shown.returncode == 0, shown.stderr
    assert (project / "results" / "reports" / "toy.html").is_file()
    assert (project / "results" / "tables" / "toy.json").is_file()
