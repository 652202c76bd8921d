"""The regression gate: two-sided, deferred, and silent about nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import fake_scores
from v2sbench import gate, sheet
from v2sbench.gate import DEFAULT_TOLERANCE, accept, changes, read_baseline, report
from v2sbench.runtime import CheckError, UseError
from v2sbench.sheet import Table

TUNED = "v2a-mel-s-speaker-tuned"
WHO = "A Tester <tester@example.org>"


def table_of(folder: Path) -> Table:
    return sheet.build("s", measured=folder)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    fake_scores.write_all(tmp_path / "measured", "s", count=8)
    fake_scores.write(tmp_path / "measured" / "s", "mine", fake_scores.scores(0.3, 8, 9))
    return tmp_path / "measured"


@pytest.fixture
def baseline(tmp_path: Path, measured: Path) -> Path:
    folder = tmp_path / "baseline"
    accept("s", "first numbers", who=WHO, table=table_of(measured), baseline=folder)
    return folder


def test_what_was_accepted_passes(measured: Path, baseline: Path) -> None:
    assert gate.gate("s", table=table_of(measured), baseline=baseline) == []


def test_the_file_says_who_why_and_how(baseline: Path) -> None:
    found = read_baseline("s", baseline)
    assert (found.who, found.why, found.protocol, found.asr) == (WHO, "first numbers", "v2sbench-1", fake_scores.ASR)
    assert found.versions == fake_scores.VERSIONS
    assert found.cells["ground-truth", "stoi"] == (1.0, 8, 0)
    assert not any(system == "mine" for system, _ in found.cells), "a user's system is nobody's baseline"


def test_accepting_again_gives_the_same_bytes(measured: Path, baseline: Path) -> None:
    before = (baseline / "s.csv").read_bytes()
    accept("s", "first numbers", who=WHO, table=table_of(measured), baseline=baseline)
    assert (baseline / "s.csv").read_bytes() == before


def test_every_move_is_named_in_one_failure(measured: Path, baseline: Path) -> None:
    fake_scores.write(measured / "s", TUNED, fake_scores.scores(0.75, 8, 2), vocoder="griffin-lim")
    fake_scores.write(measured / "s", "griffin-lim", fake_scores.scores(0.7, 8, 4), vocoder="griffin-lim")
    lines = fake_scores.scores(0.05, 8, 5)
    del lines[0]["stoi"]
    fake_scores.write(measured / "s", "noise", lines)
    (measured / "s" / "other-sentence.jsonl").unlink()
    found = changes("s", table=table_of(measured), baseline=baseline)
    kinds = {(change.system, change.metric): change.kind for change in found if change.metric != "stoi"}
    assert kinds[TUNED, "pesq_wb"] == kinds[TUNED, "wer"] == "better"
    assert kinds["griffin-lim", "pesq_wb"] == kinds["griffin-lim", "wer"] == "worse"
    assert kinds["other-sentence", "wer"] == "missing"
    counts = next(change for change in found if (change.system, change.metric) == ("noise", "stoi"))
    assert (counts.kind, counts.before, counts.now) == ("n changed", "n 8, failed 0", "n 7, failed 1")
    assert "v2a-mel-s-speaker-scratch" not in {change.system for change in found}
    text = report("s", found)
    assert text.count("\n") == len(found) + 1
    with pytest.raises(CheckError, match=f"{len(found)} cells moved") as failed:
        gate.gate("s", table=table_of(measured), baseline=baseline)
    assert all(f"{change.system} {change.metric} {change.kind}" in str(failed.value) for change in found)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(("share", "moved"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_tolerance_holds_on_both_sides(
    measured: Path, baseline: Path, share: float, moved: bool, sign: int
) -> None:
    lines = fake_scores.scores(0.6, 8, 2)
    for line in lines:
        line["stoi"] += sign * share * DEFAULT_TOLERANCE
    fake_scores.write(measured / "s", TUNED, lines, vocoder="griffin-lim")
    found = changes("s", table=table_of(measured), baseline=baseline)
    assert [change.kind for change in found] == ([("better" if sign > 0 else "worse")] if moved else [])


def test_new_systems_are_no_regression(measured: Path, baseline: Path) -> None:
    fake_scores.write(measured / "s", "v2a-mel-m-speaker-tuned", fake_scores.scores(0.3, 8, 9))
    assert changes("s", table=table_of(measured), baseline=baseline) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "svts-2022"}, "another protocol .'v2sbench-1'. than .* .'svts-2022'."),
        ({"asr": "whisper"}, "another recogniser"),
        ({"metrics": {**fake_scores.VERSIONS, "stoi": "2"}}, "another version of stoi"),
    ],
)
def test_numbers_of_another_make_are_refused(
    measured: Path, baseline: Path, change: dict[str, object], said: str
) -> None:
    fake_scores.write_all(measured, "s", count=8, **change)
    with pytest.raises(CheckError, match=said):
        changes("s", table=table_of(measured), baseline=baseline)


def test_no_baseline_names_the_command(measured: Path, tmp_path: Path) -> None:
    with pytest.raises(UseError, match="v2sbench accept s --why"):
        changes("s", table=table_of(measured), baseline=tmp_path)


@pytest.mark.parametrize("damage", ["0.1,x,0", "nan,8,0", "1"])
def test_a_damaged_baseline_is_said(baseline: Path, damage: str) -> None:
    path = baseline / "s.csv"
    path.write_text(path.read_text(encoding="utf-8") + f"noise,stoi,{damage}\n", encoding="utf-8")
    with pytest.raises(UseError, match=r"s\.csv is damaged"):
        read_baseline("s", baseline)


def test_a_baseline_needs_a_reason_and_rows_scored_alike(measured: Path, tmp_path: Path) -> None:
    for why in ("", "  ", "two\nlines"):
        with pytest.raises(UseError, match="reason"):
            accept("s", why, who=WHO, table=table_of(measured), baseline=tmp_path)
    fake_scores.write(measured / "s", "noise", fake_scores.scores(0.1, 8, 1), asr="whisper")
    with pytest.raises(UseError, match="noise was not scored like"):
        accept("s", "why not", who=WHO, table=table_of(measured), baseline=tmp_path)
    assert not (tmp_path / "s.csv").exists()


def test_only_a_users_system_is_no_baseline(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", "mine", fake_scores.scores(0.3, 8, 9))
    with pytest.raises(UseError, match="no variant or reference system"):
        accept("s", "why not", who=WHO, table=table_of(tmp_path), baseline=tmp_path)


def test_the_author_is_gits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "none"))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UseError, match=r"git config user\.name"):
        gate.author()
    subprocess.run(["git", "init", "-q"], check=True)
    for key, value in (("user.name", "From Config"), ("user.email", "config@example.org")):
        subprocess.run(["git", "config", key, value], check=True)
    assert gate.author() == "From Config <config@example.org>"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "From Environment")
    assert gate.author() == "From Environment <config@example.org>"
