"""The regression gate: two-sided, deferred, and silent about nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores
from v2sbench import cli
from v2sbench.results import gate, sheet
from v2sbench.results.baseline import BASELINE, DEFAULT_TOLERANCE, accept
from v2sbench.results.gate import Change, Held, hold, report, summary
from v2sbench.runtime import UseError

SCRATCH, TUNED = "v2a-mel-s-speaker-scratch", "v2a-mel-s-speaker-tuned"
WHO = "A Tester <tester@example.org>"


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    fake_scores.write_all(tmp_path / "results" / "measured", "s", count=8)
    fake_scores.write(tmp_path / "results" / "measured" / "s", "mine", fake_scores.scores(0.3, 8, 9))
    return tmp_path / "results" / "measured"


@pytest.fixture
def folder(tmp_path: Path, measured: Path) -> Path:
    path = tmp_path / BASELINE
    accept("s", "first numbers", who=WHO, measured=measured, baseline=path)
    return path


def held(measured: Path, folder: Path, *only: str) -> Held:
    return hold("s", only=only, measured=measured, baseline=folder)


def rewrite(measured: Path, system: str, lines: list[dict[str, Any]], **meta: Any) -> None:
    fake_scores.write(measured / "s", system, lines, **meta)


def kinds(found: Held) -> dict[tuple[str, str], str]:
    return {(change.system, change.metric): change.kind for change in found.changes}


def of(found: Held, system: str, metric: str) -> Change:
    (change,) = [change for change in found.changes if (change.system, change.metric) == (system, metric)]
    return change


# ---------------------------------------------------------------- what moved


def test_what_was_accepted_passes(measured: Path, folder: Path) -> None:
    found = held(measured, folder)
    assert (found.changes, found.cells, found.new) == ((), 35, ("mine",))
    text = report(found)
    assert text.startswith("s: nothing moved, 35 cells are as in the baseline")
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
    accept("s", "one is lost", who=WHO, measured=measured, baseline=folder)
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
    accept("s", "ours", who=WHO, systems=["mine"], measured=measured, baseline=folder)
    assert held(measured, folder).cells == 40
    rewrite(measured, "mine", fake_scores.scores(0.2, 8, 9))
    assert set(kinds(held(measured, folder))) == {("mine", metric) for metric in fake_scores.VERSIONS}
    rewrite(measured, TUNED, fake_scores.scores(0.9, 8, 9))
    assert {change.system for change in held(measured, folder, "mine").changes} == {"mine"}
    assert held(measured, folder, "noise").changes == ()


def test_only_what_the_baseline_has_can_be_chosen(measured: Path, folder: Path) -> None:
    with pytest.raises(UseError, match=r"mine: not in .*s\.csv; .* v2sbench accept s --systems mine --why REASON"):
        held(measured, folder, "mine")


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


def test_a_table_at_hand_is_not_built_again(measured: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = sheet.build("s", measured=measured)
    monkeypatch.setattr(gate.sheet, "build", None)
    assert hold("s", table=table, measured=measured, baseline=folder).changes == ()


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
    assert "nothing moved" in capsys.readouterr().out
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
    assert err == "v2sbench: s: 4 of 35 cells are not as in the baseline: 1 worse, 1 better, 1 n changed, 1 missing\n"


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
