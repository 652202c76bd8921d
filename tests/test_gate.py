"""Accepted numbers and the gate: what is taken in, what the files say, what moved, and what is not compared."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests import fake_scores
from tests.trees import ROOT
from v2sbench import cli
from v2sbench.results import Results, accept, check
from v2sbench.results.cells import DEFAULT_TOLERANCE, moved, tolerance
from v2sbench.results.gate import SCORING, Change, Checked
from v2sbench.results.gate_files import (
    BASELINE,
    PUBLISHED,
    Baseline,
    author,
    read_baseline,
    read_utterances,
    write_spread,
)
from v2sbench.results.gate_report import report, summary
from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS

SCRATCH, TUNED = "v2a-mel-s-speaker-scratch", "v2a-mel-s-speaker-tuned"
WHO = "A Tester <tester@example.org>"
SPOILED = (
    {"protocol": "svts-2022"},
    {"asr": "whisper"},
    {"versions": {**fake_scores.VERSIONS, "stoi": "2"}},
)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    fake_scores.write_all(tmp_path / "results" / "measured", "s", count=8)
    fake_scores.write(tmp_path / "results" / "measured" / "s", "mine", fake_scores.scores(0.3, 8, 9))
    return tmp_path / "results" / "measured"


@pytest.fixture
def folder(tmp_path: Path, measured: Path) -> Path:
    take(measured, tmp_path / BASELINE, "first numbers")
    return tmp_path / BASELINE


def take(measured: Path, folder: Path, why: str, *systems: str) -> Baseline:
    return accept(Results(split="s", measured=measured), why, who=WHO, systems=systems, baseline=folder)


def held(measured: Path, folder: Path, *only: str) -> Checked:
    return check(Results(split="s", measured=measured), only=only, baseline=folder)


def rewrite(measured: Path, system: str, lines: list[dict[str, Any]], **meta: Any) -> None:
    fake_scores.write(measured / "s", system, lines, **meta)


def kinds(found: Checked) -> dict[tuple[str, str], str]:
    return {(change.system, change.metric): change.kind for change in found.changes}


def of(found: Checked, system: str, metric: str) -> Change:
    (change,) = [change for change in found.changes if (change.system, change.metric) == (system, metric)]
    return change


# ---------------------------------------------------------------- what is accepted


def test_the_file_says_who_why_and_how(folder: Path) -> None:
    head = (folder / "s.csv").read_text(encoding="utf-8").splitlines()[:8]
    versions = "; ".join(f"{name}=1" for name in sorted(fake_scores.VERSIONS))
    assert head == [
        f"# accepted by: {WHO}", "# why: first numbers", "# changed: first baseline, 35 cells of 7 systems",
        "# protocol: v2sbench-1", f"# asr: {fake_scores.ASR}", f"# metrics: {versions}",
        "system,metric,value,n,n_failed", head[7],
    ]  # fmt: skip
    found = read_baseline("s", folder)
    assert tuple(found.cells.loc["ground-truth", "stoi"][["value", "n", "n_failed"]]) == (1.0, 8, 0)
    assert "mine" not in found.systems, "a user's system is taken in by its name only"


def test_accepting_again_gives_the_same_bytes(measured: Path, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"s.csv", "s.utterances.tsv"}
    (folder / "s.utterances.tsv").unlink()
    assert read_utterances("s", folder) is None
    assert take(measured, folder, "another reason").changed == "nothing changed"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_utterances_have_six_digits_of_every_score(measured: Path, folder: Path) -> None:
    lines = fake_scores.scores(0.05, 8, 5)
    del lines[2]["stoi"]
    rewrite(measured, "noise", lines)
    take(measured, folder, "one is missing")
    found = read_utterances("s", folder).loc["noise"]
    for line in lines:
        assert found["stoi"].get(line["clip"]) == pytest.approx(line.get("stoi", float("nan")), rel=1e-5, nan_ok=True)
        assert found["wer"][line["clip"]] == pytest.approx(100 * line["wer"]["sub"] / 6, rel=1e-5)


def test_the_head_sums_up_what_changed(measured: Path, folder: Path) -> None:
    rewrite(measured, TUNED, fake_scores.scores(0.75, 8, 2))
    rewrite(measured, "v2a-mel-m-speaker-tuned", fake_scores.scores(0.8, 8, 1))
    (measured / "s" / "other-sentence.jsonl").unlink()
    lines = fake_scores.scores(0.05, 8, 5)
    lines[0] = {"clip": lines[0]["clip"], "status": "missing"}
    rewrite(measured, "noise", lines)
    text = take(measured, folder, "much at once").changed
    assert text == read_baseline("s", folder).changed
    added, removed, moves, recounted = text.split("; ")[:4]
    named = ", ".join(f"v2a-mel-m-speaker-tuned {metric}" for metric in ("pesq_wb", "pesq_nb8", "stoi", "estoi"))
    assert added == f"5 added ({named}, ...)"
    assert removed.startswith("5 removed (other-sentence pesq_wb, ")
    assert "(better)" in moves
    assert recounted.startswith("5 recounted (noise pesq_wb n 8, failed 0 -> n 7, failed 1, ")


def test_a_step_within_the_tolerance_is_told_from_a_move(measured: Path, folder: Path) -> None:
    lines = fake_scores.scores(0.6, 8, 2)
    for line in lines:
        line["stoi"] += 0.5 * DEFAULT_TOLERANCE
        line["estoi"] += 2 * DEFAULT_TOLERANCE
    rewrite(measured, TUNED, lines)
    text = take(measured, folder, "another processor").changed
    assert text.startswith(f"1 moved ({TUNED} estoi ")
    assert text.endswith(f"; 1 within tolerance ({TUNED} stoi)")


def test_another_recogniser_stands_in_the_head(measured: Path, folder: Path) -> None:
    fake_scores.write_all(measured, "s", count=8, asr="whisper")
    assert take(measured, folder, "a better recogniser").changed == f"recogniser {fake_scores.ASR} -> whisper"


@pytest.mark.parametrize("metric", METRICS)
def test_the_tolerance_is_the_same_up_and_down(metric: str) -> None:
    step = tolerance(metric)
    up, down = ("better", "worse") if METRICS[metric].higher_is_better else ("worse", "better")
    assert [moved(metric, 1.0, 1.0 + share * step) for share in (0.9, -0.9, 1.1, -1.1)] == ["", "", up, down]


def test_a_users_system_is_taken_in_by_name_and_others_stay(measured: Path, folder: Path) -> None:
    before, kept = read_baseline("s", folder).cells, read_utterances("s", folder)
    rewrite(measured, TUNED, fake_scores.scores(0.75, 8, 2))
    take(measured, folder, "our first numbers", "mine")
    found, known = read_baseline("s", folder), read_utterances("s", folder)
    assert found.cells.drop("mine", level="system").equals(before), "nothing else is accepted"
    assert known.drop("mine", level="system").equals(kept)
    assert found.systems[-1] == "mine"
    assert found.changed.startswith("5 added (mine pesq_wb, ")
    rewrite(measured, "mine", fake_scores.scores(0.5, 8, 9))
    take(measured, folder, "all")
    assert read_baseline("s", folder).cells.loc[("mine", "stoi"), "value"] > 0.4, "it goes along from then on"


def test_a_repository_of_ones_own_needs_no_other_system(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", "mine", fake_scores.scores(0.3, 8, 9))
    with pytest.raises(UseError, match=r"--systems mine"):
        take(tmp_path, tmp_path / "b", "why not")
    take(tmp_path, tmp_path / "b", "ours", "mine")
    assert read_baseline("s", tmp_path / "b").systems == ["mine"]


def test_a_system_scored_in_fewer_metrics_is_scored_alike(measured: Path, folder: Path) -> None:
    lines = [{"clip": line["clip"], "status": "ok", "stoi": line["stoi"]} for line in fake_scores.scores(0.3, 8, 9)]
    rewrite(measured, "mine", lines, versions={"stoi": "1"}, asr=None)
    take(measured, folder, "STOI alone", "mine")
    assert list(read_baseline("s", folder).cells.loc["mine"].index) == ["stoi"]


@pytest.mark.parametrize("meta", SPOILED, ids=["protocol", "asr", "version"])
@pytest.mark.parametrize("system", ["mine", "noise"])
def test_what_was_scored_otherwise_cannot_join(measured: Path, folder: Path, meta: dict[str, Any], system: str) -> None:
    before = (folder / "s.csv").read_bytes()
    rewrite(measured, system, fake_scores.scores(0.3, 8, 9), **meta)
    with pytest.raises(UseError, match=f"{system} was scored by another|than {system}"):
        take(measured, folder, "why not", *[name for name in (system,) if name == "mine"])
    assert (folder / "s.csv").read_bytes() == before


@pytest.mark.parametrize("why", ["", "  ", "two\nlines"])
def test_a_baseline_needs_a_reason_and_a_known_system(measured: Path, tmp_path: Path, why: str) -> None:
    with pytest.raises(UseError, match="reason"):
        take(measured, tmp_path, why)
    with pytest.raises(UseError, match="'mien' was not scored on s"):
        take(measured, tmp_path, "why not", "mien")
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize("damage", ["noise,stoi,0.1,x,0", "noise,stoi,nan,8,0", "noise,stoi,1", "noise,stio,1,8,0"])
def test_a_damaged_baseline_is_said(measured: Path, folder: Path, damage: str) -> None:
    path = folder / "s.csv"
    path.write_text(f"{path.read_text(encoding='utf-8')}{damage}\n", encoding="utf-8")
    for use in (held, lambda *places: take(*places, "over it")):
        with pytest.raises(UseError, match=r"s\.csv is damaged"):
            use(measured, folder)


@pytest.mark.parametrize("line", ["noise", "noise\tc\t1", "noise\tc\tx\t1\t1\t1\t1", "noise\tc\t1\t1\t1\t1\t1\t1"])
def test_damaged_utterances_are_said(folder: Path, line: str) -> None:
    path = folder / "s.utterances.tsv"
    path.write_text(f"{path.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")
    with pytest.raises(UseError, match=r"s\.utterances\.tsv is damaged"):
        read_utterances("s", folder)


def test_the_author_is_gits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "none"))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UseError, match=r"git config user\.name"):
        author()
    subprocess.run(["git", "init", "-q"], check=True)
    for key, value in (("user.name", "From Config"), ("user.email", "config@example.org")):
        subprocess.run(["git", "config", key, value], check=True)
    assert author() == "From Config <config@example.org>"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "From Environment")
    assert author() == "From Environment <config@example.org>"


# ---------------------------------------------------------------- this project's own


@pytest.mark.parametrize("path", sorted((ROOT / PUBLISHED).glob("*.tsv")), ids=lambda path: path.name.split(".")[0])
def test_the_accepted_means_are_those_of_the_accepted_utterances(path: Path) -> None:
    split = path.name.split(".")[0]
    known, cells = read_utterances(split, path.parent), read_baseline(split, path.parent).cells
    for (system, metric), cell in cells.iterrows():
        scores = known.loc[system, metric].dropna()
        assert len(scores) == cell["n"]
        assert scores.mean() == pytest.approx(cell["value"], rel=1e-5), (
            "sentences of one length: a pooled rate is a mean"
        )


# ---------------------------------------------------------------- what moved


def test_what_was_accepted_passes(measured: Path, folder: Path) -> None:
    found = held(measured, folder)
    assert (found.changes, found.cells, found.new) == ((), 35, ("mine",))
    text = report(found)
    assert text.startswith(
        "s: no utterance has the same audio, so the scoring could not be compared; 35 of 35 cells are as accepted"
    )
    assert "not in the baseline: mine; v2sbench accept s --systems mine --why REASON adds them" in text
    assert "if this is meant" not in text


def test_every_move_is_named_in_one_report(measured: Path, folder: Path) -> None:
    rewrite(measured, TUNED, fake_scores.scores(0.75, 8, 2))
    rewrite(measured, "griffin-lim", fake_scores.scores(0.7, 8, 4))
    lines = fake_scores.scores(0.05, 8, 5)
    del lines[0]["stoi"]
    rewrite(measured, "noise", lines)
    (measured / "s" / "other-sentence.jsonl").unlink()
    found = held(measured, folder)
    said = kinds(found)
    assert said[TUNED, "pesq_wb"] == said[TUNED, "wer"] == "better"
    assert said["griffin-lim", "pesq_wb"] == said["griffin-lim", "wer"] == "worse"
    assert said["other-sentence", "wer"] == "missing"
    counts = [change for change in found.changes if change.kind == "n changed"]
    assert [(change.system, change.metric, change.before, change.now) for change in counts] == [
        ("noise", "stoi", "n 8, failed 0", "n 7, failed 1"),
    ]  # fmt: skip
    assert SCRATCH not in {change.system for change in found.changes}
    text = report(found)
    assert all(re.search(f"^{change.kind} +{change.system} +{change.metric} ", text, re.M) for change in found.changes)
    assert "if this is meant: v2sbench accept s --why REASON" in text
    assert f"accepted by {WHO}: first numbers" in text
    assert "\n" not in summary(found)


@pytest.mark.parametrize(("share", "moved"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_tolerance_holds_on_both_sides(measured: Path, folder: Path, share: float, moved: bool, sign: int) -> None:
    lines = fake_scores.scores(0.6, 8, 2)
    for line in lines:
        line["stoi"] += sign * share * DEFAULT_TOLERANCE
    rewrite(measured, TUNED, lines)
    found = held(measured, folder)
    assert [change.kind for change in found.changes] == ([("better" if sign > 0 else "worse")] if moved else [])


def test_a_cell_says_old_new_difference_and_tolerance(measured: Path, folder: Path) -> None:
    lines = fake_scores.scores(0.6, 8, 2)
    lines[3]["stoi"] -= 0.16
    lines[5]["stoi"] -= 0.08
    rewrite(measured, TUNED, lines)
    found = held(measured, folder)
    change = of(found, TUNED, "stoi")
    assert change.difference == pytest.approx(-0.03)
    assert float(change.now) - float(change.before) == pytest.approx(-0.03, abs=1e-3)
    assert change.clips == ("s1/clip003 -0.1600", "s1/clip005 -0.0800"), "those that moved, the most first"
    line = next(line for line in report(found).splitlines() if line.startswith("worse"))
    assert re.split(" {2,}", line)[1:] == [
        TUNED, "stoi", change.before, change.now, "-0.0300", "0.005", "s1/clip003 -0.1600, s1/clip005 -0.0800",
    ]  # fmt: skip


def test_clips_that_were_lost_or_came_are_named(measured: Path, folder: Path) -> None:
    lines = fake_scores.scores(0.05, 8, 5)
    del lines[2]["estoi"]
    rewrite(measured, "noise", lines)
    assert of(held(measured, folder), "noise", "estoi").clips == ("s1/clip002 lost",)
    take(measured, folder, "one is lost")
    rewrite(measured, "noise", fake_scores.scores(0.05, 8, 5))
    assert of(held(measured, folder), "noise", "estoi").clips == ("s1/clip002 new",)


def test_without_utterances_the_gate_works_and_says_so(measured: Path, folder: Path) -> None:
    rewrite(measured, TUNED, fake_scores.scores(0.75, 8, 2))
    full = held(measured, folder)
    (folder / "s.utterances.tsv").unlink()
    bare = held(measured, folder)
    assert kinds(bare) == kinds(full)
    assert {change.clips for change in bare.changes} == {()}
    assert "which clips moved is unknown: s.utterances.tsv is not there" in report(bare)
    assert "unknown" not in report(full)


def test_new_systems_are_no_regression(measured: Path, folder: Path) -> None:
    rewrite(measured, "v2a-mel-m-speaker-tuned", fake_scores.scores(0.3, 8, 9))
    found = held(measured, folder)
    assert found.changes == ()
    assert found.new == ("v2a-mel-m-speaker-tuned", "mine")


def test_a_users_system_is_gated_once_it_was_accepted(measured: Path, folder: Path) -> None:
    take(measured, folder, "ours", "mine")
    assert held(measured, folder).cells == 40
    rewrite(measured, "mine", fake_scores.scores(0.2, 8, 9))
    assert set(kinds(held(measured, folder))) == {("mine", metric) for metric in fake_scores.VERSIONS}
    rewrite(measured, TUNED, fake_scores.scores(0.9, 8, 9))
    assert {change.system for change in held(measured, folder, "mine").changes} == {"mine"}
    assert held(measured, folder, "noise").changes == ()


def test_only_what_the_baseline_has_can_be_chosen(measured: Path, folder: Path) -> None:
    with pytest.raises(UseError, match=r"mine: not in .*s\.csv; .* v2sbench accept s --systems mine --why REASON"):
        held(measured, folder, "mine")


# ---------------------------------------------------------------- the two questions


def spoken(measured: Path, recipe: str, levels: list[float], first: int = 1, audio: str = "a") -> None:
    """Scores of a recipe's trainings, one a level, with digests of their audio."""
    for seed, level in enumerate(levels, start=first):
        lines = fake_scores.scores(level, 24, seed)
        digests = [{"audio": f"{audio}{seed}.{k}", "ref": f"r{k}"} for k in range(len(lines))]
        rewrite(measured, f"{recipe}.seed{seed}", [line | more for line, more in zip(lines, digests, strict=True)])


@pytest.fixture
def seeds(tmp_path: Path) -> tuple[Path, Path]:
    """Five trainings of two recipes, accepted."""
    measured, folder = tmp_path / "results" / "measured", tmp_path / BASELINE
    spoken(measured, SCRATCH, [0.40, 0.42, 0.44, 0.38, 0.41])
    spoken(measured, TUNED, [0.60, 0.63, 0.59, 0.61, 0.62])
    take(measured, folder, "five seeds")
    return measured, folder


def test_the_same_audio_with_other_scores_fails_the_first_question(seeds: tuple[Path, Path]) -> None:
    measured, folder = seeds
    assert (held(measured, folder).changes, held(measured, folder).same) == ((), 240)
    path = measured / "s" / f"{TUNED}.seed2.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    shifted = [{**line, "stoi": line["stoi"] + 0.01} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in shifted), encoding="utf-8")
    found = held(measured, folder)
    assert kinds(found) == {(f"{TUNED}.seed2", "stoi"): SCORING}
    assert "1. The same audio scores otherwise" in report(found)
    assert "the scoring has changed: 1 cell of" in summary(found)
    assert "10 of 10 cells lie within the spread of 5 trainings" in summary(found)


@pytest.mark.parametrize(("levels", "outside"), [([0.62], False), ([0.58, 0.64], False), ([0.40], True), ([0.9], True)])
def test_new_weights_are_held_against_the_spread(seeds: tuple[Path, Path], levels: list[float], outside: bool) -> None:
    """One new training of a recipe stands for it; the others need not be there."""
    measured, folder = seeds
    for path in (measured / "s").glob("*"):
        path.unlink()
    spoken(measured, SCRATCH, [0.40, 0.42], audio="other machine")
    spoken(measured, TUNED, levels, audio="other machine")
    found = held(measured, folder)
    assert found.same == 0
    assert {change.system for change in found.changes} == ({TUNED} if outside else set())
    if outside:
        change = of(found, TUNED, "stoi")
        assert change.allowed is not None
        assert change.difference is not None
        assert abs(change.difference) > change.allowed > tolerance("stoi")
        assert "2. Other audio, and the numbers are not those" in report(found)


def test_a_spread_over_processors_is_wider(seeds: tuple[Path, Path]) -> None:
    measured, folder = seeds
    frame = read_baseline("s", folder).cells[["value"]].reset_index()
    far = frame.assign(processor="another", value=frame["value"] + 0.15)
    write_spread("s", pd.concat([frame.assign(processor="one"), far]), folder)
    spoken(measured, TUNED, [0.75] * 5, audio="new")
    found = held(measured, folder)
    assert (TUNED, "stoi") not in kinds(found)
    assert (found.trainings, found.processors) == (10, 2)
    assert "within the spread of 10 trainings on 2 processors" in summary(found)


# ---------------------------------------------------------------- what is not compared


@pytest.mark.parametrize(
    ("change", "metrics", "said"),
    [
        (
            {"protocol": "svts-2022"}, set(fake_scores.VERSIONS),
            "protocol v2sbench-1 in the baseline, protocol svts-2022 now",
        ),
        ({"asr": "whisper"}, {"wer"}, f"recogniser {fake_scores.ASR} in the baseline, recogniser whisper now"),
        ({"versions": {**fake_scores.VERSIONS, "stoi": "2"}}, {"stoi"}, "version 1 in the baseline, version 2 now"),
    ],
)  # fmt: skip
def test_cells_of_another_make_are_refused_and_the_others_compared(
    measured: Path, folder: Path, change: dict[str, Any], metrics: set[str], said: str
) -> None:
    fake_scores.write_all(measured, "s", count=8, **change)
    rewrite(measured, TUNED, fake_scores.scores(0.95, 8, 2), **change)
    found = held(measured, folder)
    refused = {(system, metric) for (system, metric), kind in kinds(found).items() if kind == "refused"}
    assert refused == {(system, metric) for system in fake_scores.LEVELS for metric in metrics}
    others = {key: kind for key, kind in kinds(found).items() if kind != "refused"}
    assert others == {(TUNED, metric): "better" for metric in set(fake_scores.VERSIONS) - metrics}
    (line,) = [line for line in report(found).splitlines() if line.startswith("refused")]
    assert said in line
    assert all(f"{system} {metric}" in line for system, metric in refused)
    assert f"{len(refused)} refused" in summary(found)


def test_no_baseline_names_the_command(measured: Path, tmp_path: Path) -> None:
    with pytest.raises(UseError, match="v2sbench accept s --why"):
        held(measured, tmp_path / "none")


# ---------------------------------------------------------------- at the prompt


@pytest.fixture
def prompt(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the current folder; the accepted table of `s`."""
    root = Path.cwd()
    for name in ("reported.csv", "claims.yaml"):
        (tmp_path / "results" / name).symlink_to(root / "results" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "A Tester")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "tester@example.org")
    return folder / "s.csv"


def doctor(path: Path, system: str, metric: str, *cells: str) -> None:
    """Replace the value and counts of one line of a baseline; without any, name a metric that nobody measured."""
    text = path.read_text(encoding="utf-8")
    (line,) = re.findall(rf"^{system},{metric},.*$", text, re.M)
    value, n, n_failed = line.split(",")[2:]
    new = (
        [system, metric, *(cells or (value, n, n_failed))] if cells else ["gone-" + system, metric, value, n, n_failed]
    )
    path.write_text(text.replace(line, ",".join(new)), encoding="utf-8")


def test_a_doctored_baseline_fails_with_all_four_named(prompt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gate", "s"]) == 0, "the untouched one passes"
    assert "35 of 35 cells are as accepted" in capsys.readouterr().out
    doctor(prompt, TUNED, "stoi", "0.9", "8", "0")
    doctor(prompt, SCRATCH, "wer", "99", "8", "0")
    doctor(prompt, "ground-truth", "estoi", "1", "7", "1")
    doctor(prompt, "noise", "pesq_wb")
    assert cli.main(["gate", "s"]) == 1
    out, err = capsys.readouterr()
    for kind, system, metric in (
        ("worse", TUNED, "stoi"), ("better", SCRATCH, "wer"), ("n changed", "ground-truth", "estoi"),
        ("missing", "gone-noise", "pesq_wb"),
    ):  # fmt: skip
        assert re.search(rf"^{kind} +{system} +{metric} ", out, re.M), kind
    assert "none of them" in out, "no utterance moved: it is the accepted number that did"
    assert "31 of 35 cells are as accepted (1 worse, 1 better, 1 n changed, 1 missing)" in err


def test_a_user_gates_a_system_of_their_own(prompt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["gate", "s", "--systems", "mine"]) == 2
    assert "v2sbench accept s --systems mine" in capsys.readouterr().err
    assert cli.main(["accept", "s", "--systems", "mine", "--why", "our first numbers"]) == 0
    assert capsys.readouterr().out.startswith(f"baseline: {BASELINE}/s.csv: 5 added (mine pesq_wb, ")
    assert "# accepted by: A Tester <tester@example.org>\n# why: our first numbers\n" in prompt.read_text("utf-8")
    assert cli.main(["gate", "s", "--systems", "mine"]) == 0
    assert cli.main(["gate", "s"]) == 0
    capsys.readouterr()
    doctor(prompt, "mine", "stoi", "0.1", "8", "0")
    assert cli.main(["gate", "s"]) == 1
    assert "better  mine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gate", "t"], "no baseline results/baseline/t.csv"),
        (["gate"], "SPLIT"),
        (["accept", "s"], "--why"),
        (["accept", "s", "--why", " "], "the reason must be one line"),
    ],
)
def test_wrong_use_is_exit_code_two(
    prompt: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
