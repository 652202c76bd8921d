"""The pipeline: every stage depends on what it runs, every profile resolves, what is published is of this tree."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache, reduce
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from docs.structure import arrows
from v2sbench import cli
from v2sbench.corpora import corpus, split
from v2sbench.nets import card_chain, list_cards, load_card, load_params, weights_path
from v2sbench.runtime import read_yaml
from v2sbench.talker.corpus import DemoSize

ROOT = Path(__file__).parents[1]
PROFILES = {path.stem: path for path in sorted((ROOT / "profiles").glob("*.yaml"))}
ENTRY = {"prepare": "prepare", "split": "prepare", "train": "train", "synth": "synthesis", "score": "scoring",
         "table": "results", "report": "report"}  # fmt: skip
"""Verb of a stage -> the package that it runs. The command line only parses and calls: it retrains nothing."""

RESOLVE = """
import json
from dvc.repo import Repo
index = Repo(".").index
index.check_graph()
print(json.dumps([
    {
        "name": stage.addressing,
        "cmd": stage.cmd,
        "deps": [dep.def_path for dep in stage.deps if not hasattr(dep, "params")],
        "params": {dep.def_path: dep.params for dep in stage.deps if hasattr(dep, "params")},
        "outs": {out.def_path: {"cache": out.use_cache, "push": out.can_push} for out in stage.outs},
        "always_changed": stage.always_changed,
    }
    for stage in index.stages
]))
"""


@cache
def stages(profile: str) -> dict[str, dict]:
    """The stages as DVC resolves dvc.yaml with a profile: addressing name -> cmd, deps, params, outs."""
    copy = Path(tempfile.mkdtemp(prefix="v2sbench-"))
    (copy / ".dvc").mkdir()
    (copy / ".dvc" / "config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    )
    shutil.copy(ROOT / "dvc.yaml", copy)
    shutil.copy(PROFILES[profile], copy / "params.yaml")
    shutil.copytree(ROOT / "models", copy / "models", ignore=shutil.ignore_patterns("weights"))
    done = subprocess.run([sys.executable, "-c", RESOLVE], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(copy)
    return {stage["name"]: stage for stage in json.loads(done.stdout)}


def commands(stage: dict) -> list[list[str]]:
    """Argument lists of the `v2sbench` commands of a stage."""
    lines = [shlex.split(line) for line in stage["cmd"].split("&&")]
    assert all(line[0] == "v2sbench" for line in lines)
    return [line[1:] for line in lines]


def code_of(stage: dict) -> set[str]:
    """The packages that run in a stage. `synth` runs all of synthesis but `speak`, which alone needs prepare."""
    uses = arrows()
    uses["synthesis"] = uses["synthesis"] - {"prepare"}
    found, todo = set(), [ENTRY[line[0]] for line in commands(stage)]
    while todo:
        room = todo.pop()
        if room not in found:
            found.add(room)
            todo += uses[room]
    return {f"v2sbench/{room}.py" if room == "audio" else f"v2sbench/{room}" for room in found}


# ---------------------------------------------------------------- stages


@pytest.mark.parametrize("profile", PROFILES)
def test_deps_are_the_code_that_runs(profile):
    for name, stage in stages(profile).items():
        if stage["always_changed"]:
            continue
        deps = {dep for dep in stage["deps"] if dep.startswith("v2sbench")} - {"v2sbench/talker"}
        assert deps == code_of(stage), name


@pytest.mark.parametrize("profile", PROFILES)
def test_commands_are_well_formed(profile):
    for stage in stages(profile).values():
        for verb, *arguments in commands(stage):
            cli.VERBS[verb].make_context(verb, list(arguments))


@pytest.mark.parametrize("profile", PROFILES)
def test_training_depends_on_its_card_and_on_the_bases_of_it(profile):
    for name, stage in stages(profile).items():
        for verb, *arguments in commands(stage):
            if verb == "train":
                assert {f"models/{card}.yaml" for card in card_chain(arguments[0])} <= set(stage["params"]), name
                assert {"threads", "override"} <= set(stage["params"]["params.yaml"]), "the seed is in the command"


@pytest.mark.parametrize("profile", PROFILES)
def test_training_depends_on_the_weights_it_starts_from(profile):
    params = load_params(PROFILES[profile])
    for name, stage in stages(profile).items():
        for verb, *arguments in commands(stage):
            if verb == "train" and (init := load_card(arguments[0], params).init):
                seed = int(arguments[arguments.index("--seed") + 1])
                assert str(weights_path(init, params.pretrain_split, seed)) in stage["deps"], name


@pytest.mark.parametrize("profile", PROFILES)
def test_corpora_and_speech_stay_on_this_machine(profile):
    """Licensed material never reaches a remote; and only the tables bypass the cache, since that turns off reuse."""
    for name, stage in stages(profile).items():
        for path, out in stage["outs"].items():
            if path.startswith("clips/") or path.endswith("/ground-truth") or path.startswith("splits/"):
                assert not out["push"], f"{name}: {path}"
            assert out["cache"] != path.startswith("results/tables/"), f"{name}: {path}"


def test_the_demo_has_nothing_that_always_runs():
    assert not [name for name, stage in stages("demo").items() if stage["always_changed"]]


def test_a_mix_waits_for_its_parts():
    """At the paper's size the models are pre-trained on all six corpora of it."""
    found = stages("paper")
    parts = load_params(PROFILES["paper"]).mixes["speech-mix"]
    assert {f"clips/{part}" for part in parts} <= set(found["mix@speech-mix"]["deps"])
    assert "clips/speech-mix" in found["split@speech-mix"]["deps"]


@pytest.mark.parametrize("profile", PROFILES)
def test_all_systems_are_scored_before_the_table(profile):
    params, found = load_params(PROFILES[profile]), stages(profile)
    for name in params.v2a_splits:
        scored = {
            line[1] for stage in found.values() for line in commands(stage) if line[0] == "score" and line[-1] == name
        }
        variants = {
            f"v2a-{model}-{identity}-{start}.seed{seed}"
            for model in params.models for identity in params.identities for start in ("scratch", "frozen", "tuned")
            for seed in params.seeds
        }  # fmt: skip
        copies = {f"copy-{vocoder}" for vocoder in params.vocoders}
        assert scored == variants | copies | {"ground-truth", *params.references}
        assert f"results/measured/{name}" in found[f"table@{name}"]["deps"]


# ---------------------------------------------------------------- profiles


def test_params_is_a_profile():
    """All but the seeds, of which `make demo SEEDS=1,2,3` sets more."""
    own = PROFILES[load_params(ROOT / "params.yaml").profile]
    texts = [path.read_text(encoding="utf-8").split("\nseeds: ") for path in (ROOT / "params.yaml", own)]
    (before, after), (profile_before, profile_after) = texts
    assert (before, after.partition("\n")[2]) == (profile_before, profile_after.partition("\n")[2])


def test_profiles_have_the_same_keys():
    keys = {name: sorted(read_yaml(path)) for name, path in PROFILES.items()}
    assert {"demo", "smoke", "paper", "matrix"} <= set(keys)
    assert all(found == keys["demo"] for found in keys.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_profile_names_only_what_there_is(profile):
    params = load_params(PROFILES[profile])
    assert params.profile == profile
    for name, section in params.splits.items():
        assert split(name).corpus == section["corpus"]
        assert section["corpus"] in {*params.corpora, *params.mixes}
    for name, parts in params.mixes.items():
        assert tuple(parts) == corpus(name).parts
        assert set(parts) <= set(params.corpora)
    assert {*params.v2a_splits, params.pretrain_split} == set(params.splits)
    assert params.face_splits == (params.v2a_splits if "face" in params.identities else ())
    for name, source in params.corpora.items():
        if corpus(name).embedded:
            assert (ROOT / source).is_dir()
        else:
            assert source == f"clips/{name}.scan.tsv"
            assert name in params.scan
    for card in list_cards(ROOT / "models"):
        load_card(card, params, ROOT / "models")


@pytest.mark.parametrize("profile", PROFILES)
def test_sizes_of_the_embedded_corpora_are_valid(profile):
    DemoSize.of(**load_params(PROFILES[profile]).demo)


# ---------------------------------------------------------------- what is published


RUN = ROOT / "results/published/runs/demo-seen"


@pytest.mark.skipif(not RUN.exists(), reason="no run of the demo is published")
def test_the_published_run_is_of_these_recipes():
    """Its trainings were made by the profile's commands, by the values of cards and overrides that stand."""
    lock = YAML(typ="safe", pure=True).load(RUN / "dvc.lock")["stages"]
    for name, stage in stages("demo").items():
        assert lock[name]["cmd"] == stage["cmd"], name
        for file, keys in stage["params"].items():
            now = read_yaml(ROOT / file if file != "params.yaml" else PROFILES["demo"])
            for key in keys or now:
                assert lock[name]["params"][file].get(key) == reduce(dict.__getitem__, key.split("."), now), name


def test_the_readme_shows_the_table_of_this_tree():
    done = subprocess.run([sys.executable, "docs/readme.py", "--check"], cwd=ROOT, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- the set-up


def test_lock_file_names_no_index_and_pins_everything():
    for name in ("requirements.lock", "requirements-nodeps.lock"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line), line
    assert "torch==2.11.0" in (ROOT / "requirements.lock").read_text(encoding="utf-8").split()


def test_make_env_says_what_is_missing(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    for name in ("Makefile", "requirements.lock", "requirements-nodeps.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        ["make", "env", "PYTHON=python0.0"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "needs Python 3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()
