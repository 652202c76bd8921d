"""Sweeps: the files, the copies and what runs in them; what comes out is in test_sweep_report.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_sweep import SCRATCH, TUNED, small, small_project, write_yaml
from tests.test_pipeline import stages
from tests.trees import ROOT
from v2sbench import cli
from v2sbench.nets import Params, card_chain, load_card, load_params
from v2sbench.runtime import CheckError, UseError, build, read_yaml, unit
from v2sbench.runtime.systems import recipe_of
from v2sbench.talker.cast import CAST, READERS, SEEN
from v2sbench.talker.corpus import DemoSize
from v2sbench.tools.sweep import copy_tree, environment_of, list_sweeps, prepare, read_sweep, reproduce, stages_of
from v2sbench.tools.sweep_report import collect

NAMES = list_sweeps(ROOT / "sweeps")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return small_project(tmp_path)


# ---------------------------------------------------------------- the files


@pytest.mark.parametrize("name", NAMES)
def test_every_point_resolves_and_trains_something_else(name):
    sweep = read_sweep(name, ROOT)
    digests = set()
    for label in sweep.points:
        params = build(Params, sweep.profiles[label], name)
        DemoSize.of(**params.demo)
        trained = {link for system in sweep.systems for link in card_chain(system, ROOT / "models")}
        trained |= {init for system in sweep.systems if (init := load_card(system, params, ROOT / "models").init)}
        digests.add(tuple(load_card(card, params, ROOT / "models").digest for card in sorted(trained)))
        for system in sweep.systems_of(label):
            (name,) = stages_of(system, sweep.split, params.seeds)
            stage = stages(params.profile)[name]
            assert [recipe_of(Path(out).stem) for out in stage["outs"] if out.endswith(".jsonl")] == [system]
    assert len(digests) == len(sweep.points)


def test_one_per_cent_of_the_audio_is_some_of_it():
    """A share is drawn by the hash of the clip's name; a chapter of 75 s has ten sentences or more."""
    size = DemoSize.of(**load_params(ROOT / "profiles" / "sweep.yaml").demo)
    chapters = max(1, round(size.audio_minutes / size.audio_speakers))
    ids = [
        f"{101 + reader}/{101 + reader}_{chapter}_{number:06d}_000000"
        for reader in range(size.audio_speakers) for chapter in range(1, chapters + 1) for number in range(1, 11)
    ]  # fmt: skip
    kept = [name for name in ids if unit(0, "share", name) < 0.01]
    assert 1 <= len(kept) < 0.03 * len(ids)


def test_accents_are_those_that_the_labels_say():
    sweep = read_sweep("accents", ROOT)
    readers = [point.params["override"]["a2a-mel-s"]["data"]["speakers"] for point in sweep.points.values()]
    assert {len(set(names)) for names in readers} == {6}, "equal amounts of audio"
    same, british, both = ([READERS[int(name) - 101].name.split("+")[0] for name in names] for names in readers)
    assert {CAST[number].voice.name.split("+")[0] for number in SEEN} == set(same) == {"en-us"}
    assert set(british) == {"en", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan"}
    assert both == same[:3] + british[:3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"systms": []}, "unknown key sweeps/small.yaml.systms, did you mean 'systems'?"),
        ({"axis": {"label": "x", "scale": "lin"}}, "unknown scale 'lin'"),
        ({"reference": "al"}, "unknown reference point 'al', did you mean 'all'?"),
        ({"metrics": ["pesq"]}, "unknown metric 'pesq', did you mean 'pesq_wb'?"),
        ({"metrics": []}, "at least one of `systems` and one of `metrics`"),
        ({"profile": "smok"}, "unknown profile 'smok', did you mean 'smoke'?"),
        ({"split": "demo-sen"}, "unknown split 'demo-sen', did you mean 'demo-seen'?"),
        ({"systems": ["a2a-mel-s"]}, "'a2a-mel-s' is no variant that is scored"),
        ({"systems": ["v2a-mel-l-speaker-tuned"]}, "unknown model of v2a-mel-l-speaker-tuned: 'mel-l'"),
        ({"systems": ["v2a-mel-s-face-tuned"]}, "unknown identity of v2a-mel-s-face-tuned: 'face'"),
        ({"once": [TUNED]}, f"'{TUNED}' stands both in `systems` and in `once`"),
        ({"points": {"all": {"value": 1.0}}}, "at least two points"),
        ({"points": {"all": {"value": 1.0}, "none": {}}}, "none needs a value: the axis has scale log"),
        ({"points": {"all": {"value": 1.0}, "none": {"value": 0.0}}}, "must be positive on a log axis, not 0"),
        ({"points": {"all": {"value": 1.0}, "ALL": {"value": 2.0}}}, "makes no folder name of its own"),
        ({"points": {"all": {"valu": 1.0}, "b": {"value": 2.0}}}, "points.all.valu, did you mean 'value'?"),
        (
            {"points": {"all": {"value": 1.0}, "b": {"value": 2.0, "params": {"override": {"mel-s": {"dat": {}}}}}}},
            "small.yaml.points.b: ",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_line(place, changes, said):
    write_yaml(place / "sweeps" / "small.yaml", small(**changes))
    with pytest.raises(UseError) as raised:
        read_sweep("small", place)
    assert said in str(raised.value)


def test_no_name_lists_the_sweeps(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.main(["sweep"]) == 2
    assert capsys.readouterr().err.startswith(f"v2sbench: which sweep? ({', '.join(NAMES)})")


# ---------------------------------------------------------------- what runs


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_stages_of_every_kind_of_system():
    trained = [f"score@mel-s-face-frozen-demo-seen-{seed}" for seed in (1, 2)]
    assert stages_of("v2a-mel-s-face-frozen", "demo-seen", (1, 2)) == trained
    assert stages_of("ground-truth", "grid4-seen", (1, 2)) == ["truth@grid4-seen"]
    assert stages_of("griffin-lim", "demo-seen", (1, 2)) == ["reference@griffin-lim-demo-seen"]


def test_a_copy_follows_the_tree_that_git_sees(tmp_path):
    root, copy = tmp_path / "root", tmp_path / "root" / "build" / "copy"
    root.mkdir()
    git(root, "init", "-q")
    for name in ("kept.py", "gone.py", "secret.log", "dvc.lock", "params.yaml", "sub/deep.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")
    (root / ".gitignore").write_text("*.log\nbuild\n", encoding="utf-8")
    git(root, "add", "kept.py")
    copy_tree(root, copy)
    assert (copy / "sub" / "deep.py").read_text(encoding="utf-8") == "sub/deep.py"
    assert not any((copy / name).exists() for name in ("secret.log", "dvc.lock", "params.yaml", "build"))
    (copy / "result.txt").write_text("made there", encoding="utf-8")
    (root / "gone.py").unlink()
    (root / "kept.py").write_text("changed", encoding="utf-8")
    copy_tree(root, copy)
    assert (copy / "kept.py").read_text(encoding="utf-8") == "changed"
    assert not (copy / "gone.py").exists()
    assert (copy / "result.txt").exists()


def test_no_checkout_no_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UseError, match="is no git checkout"):
        copy_tree(tmp_path, tmp_path / "copy")


def test_environment_of_a_point(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("V2S_DATA", "mine")
    monkeypatch.chdir(tmp_path)
    found = environment_of({"corpora": {"demo": "x", "demo-audio": "x"}}, tmp_path / "p")
    assert found["PYTHONPATH"] == str(tmp_path / "p")
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert not {"OMP_NUM_THREADS", "V2S_DATA"} & set(found), "a small demo must not replace a large one"
    assert environment_of({"corpora": {"grid": "x"}}, tmp_path)["V2S_DATA"] == str(tmp_path / "mine")


STAND_IN = """
import os, sys
from pathlib import Path
from ruamel.yaml import YAML
from tests import fake_scores
system = sys.argv[1]
share = YAML(typ="safe", pure=True).load(Path("params.yaml"))["override"]["a2a-mel-s"]["data"]["share"]
with open(os.environ["STAND_IN_LOG"], "a") as handle:
    print(system, share, file=handle)
assert share != 0.1 or Path(os.environ["STAND_IN_ALLOWED"]).exists(), "broken on purpose"
level = 1.0 if system == "ground-truth" else 0.4 + share / 5
fake_scores.write(Path("results/measured/demo-seen"), system, fake_scores.scores(level, 24, 3))
"""
PIPELINE = """
stages:
  truth:
    foreach: ${v2a_splits}
    do:
      cmd: python stand_in.py ground-truth
      deps:
      - stand_in.py
      outs:
      - results/measured/demo-seen/ground-truth.jsonl
      - results/measured/demo-seen/ground-truth.meta.json
  score:
    matrix:
      model: ${models}
      identity: ${identities}
      start:
      - scratch
      - tuned
      split: ${v2a_splits}
      seed: ${seeds}
    cmd: python stand_in.py v2a-${item.model}-${item.identity}-${item.start}.seed${item.seed}
    deps:
    - stand_in.py
    params:
    - override
    outs:
    - results/measured/demo-seen/v2a-${item.model}-${item.identity}-${item.start}.seed${item.seed}.jsonl
    - results/measured/demo-seen/v2a-${item.model}-${item.identity}-${item.start}.seed${item.seed}.meta.json
"""


def test_a_sweep_runs_stops_at_a_failure_and_goes_on(place, tmp_path_factory, monkeypatch, capfd):
    """With real DVC and stages that make up scores."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    log, allowed = elsewhere / "log", elsewhere / "allowed"
    every = small()["points"] | {"all": {"value": 1.0, "params": {"override": {"a2a-mel-s": {"data": {"share": 1.0}}}}}}
    write_yaml(place / "sweeps" / "small.yaml", small(points=every))
    monkeypatch.setenv("STAND_IN_LOG", str(log))
    monkeypatch.setenv("STAND_IN_ALLOWED", str(allowed))
    (place / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
    (place / "tests").mkdir()
    (place / "tests" / "fake_scores.py").write_bytes((ROOT / "tests" / "fake_scores.py").read_bytes())
    (place / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (place / ".dvc").mkdir()
    (place / ".dvc" / "config").write_text("[core]\n    analytics = false\n    check_update = false\n", "utf-8")
    (place / ".gitignore").write_text("build\n", encoding="utf-8")
    git(place, "init", "-q")
    sweep, said = read_sweep("small", place), []
    with pytest.raises(CheckError, match=r"stopped at point '10 %'"):
        reproduce(sweep, place, say=said.append)
    assert len(said) == 2
    with pytest.raises(UseError, match=rf"point '10 %' has no scores of {TUNED}; run: v2sbench sweep small"):
        collect(sweep, place)
    assert "broken on purpose" in capfd.readouterr().err, "what a stage says is seen"

    allowed.touch()
    reproduce(sweep, place, say=said.append)
    lines = log.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("ground-truth")] == ["ground-truth 0.01"], "from the first point"
    assert [line for line in lines if line.startswith(SCRATCH)] == [f"{SCRATCH}.seed1 1.0"]
    assert [line for line in lines if line.startswith(TUNED)] == [
        f"{TUNED}.seed1 {share}" for share in (0.01, 0.1, 0.1, 1.0)
    ]
    assert collect(sweep, place).rows["10 %", TUNED].n == 24


def test_a_point_has_its_profile_and_the_common_cache(place):
    git(place, "init", "-q")
    (place / ".gitignore").write_text("build\n", encoding="utf-8")
    sweep = read_sweep("small", place)
    folder = prepare(sweep, "1 %", place)
    assert folder == place / "build/sweeps/small/1"
    assert read_yaml(folder / "params.yaml") == sweep.profiles["1 %"]
    assert load_params(folder / "params.yaml").override["a2a-mel-s"]["data"] == {"share": 0.01}
    said = (folder / ".dvc/config.local").read_text(encoding="utf-8")
    assert "no_scm = true" in said
    assert f"dir = {(place / 'build/sweeps/cache').resolve()}" in said
