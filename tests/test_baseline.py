"""Accepted numbers: what is taken in, what the files say of it, and what is no baseline."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest

from tests import fake_scores
from tests.imports import ROOT
from v2sbench.results import baseline as it
from v2sbench.results.baseline import Baseline, accept, moved, read_baseline, read_utterances, tolerance
from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS

TUNED = "v2a-mel-s-speaker-tuned"
WHO = "A Tester <tester@example.org>"


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    fake_scores.write_all(tmp_path / "measured", "s", count=8)
    fake_scores.write(tmp_path / "measured" / "s", "mine", fake_scores.scores(0.3, 8, 9))
    return tmp_path / "measured"


@pytest.fixture
def folder(tmp_path: Path, measured: Path) -> Path:
    take(measured, tmp_path / "baseline", "first numbers")
    return tmp_path / "baseline"


def take(measured: Path, folder: Path, why: str, *systems: str) -> Baseline:
    return accept("s", why, who=WHO, systems=systems, measured=measured, baseline=folder)


def change(measured: Path, system: str, level: float, seed: int = 1) -> None:
    fake_scores.write(measured / "s", system, fake_scores.scores(level, 8, seed))


# ---------------------------------------------------------------- what the file says


def test_the_file_says_who_why_and_how(folder: Path) -> None:
    found = read_baseline("s", folder)
    assert (found.who, found.why, found.protocol, found.asr) == (WHO, "first numbers", "v2sbench-1", fake_scores.ASR)
    assert found.versions == fake_scores.VERSIONS
    assert found.changed == "first baseline, 35 cells of 7 systems"
    assert found.cells["ground-truth", "stoi"] == (1.0, 8, 0)
    assert "mine" not in found.systems, "a user's system is taken in by its name only"


def test_accepting_again_gives_the_same_bytes(measured: Path, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"s.csv", "s.utterances.tsv"}
    assert take(measured, folder, "another reason").changed == "nothing changed"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_utterances_that_were_not_kept_are_added(measured: Path, folder: Path) -> None:
    (folder / "s.utterances.tsv").unlink()
    assert read_utterances("s", folder) is None
    take(measured, folder, "with utterances")
    assert read_utterances("s", folder) is not None


def test_utterances_have_six_digits_of_every_score(folder: Path) -> None:
    found = read_utterances("s", folder)
    assert found is not None
    lines = {line["clip"]: line for line in fake_scores.scores(0.6, 8, 2)}
    assert found[TUNED, "stoi"] == {
        clip: pytest.approx(line["stoi"], rel=1e-5) for clip, line in lines.items()
    }  # fmt: skip
    assert found[TUNED, "wer"]["s1/clip000"] == pytest.approx(100 * lines["s1/clip000"]["wer"]["sub"] / 6, rel=1e-5)


def test_a_score_that_failed_is_no_number(tmp_path: Path, measured: Path) -> None:
    lines = fake_scores.scores(0.05, 8, 5)
    del lines[2]["stoi"]
    fake_scores.write(measured / "s", "noise", lines)
    take(measured, tmp_path / "b", "one is missing")
    found = read_utterances("s", tmp_path / "b")
    assert found is not None
    assert set(found["noise", "stoi"]) == {line["clip"] for line in lines} - {lines[2]["clip"]}
    assert len(found["noise", "wer"]) == 8


# ---------------------------------------------------------------- what changed


def test_the_head_sums_up_what_changed(measured: Path, folder: Path) -> None:
    change(measured, TUNED, 0.75, 2)
    change(measured, "griffin-lim", 0.7, 4)
    change(measured, "v2a-mel-m-speaker-tuned", 0.8)
    (measured / "s" / "other-sentence.jsonl").unlink()
    lines = fake_scores.scores(0.05, 8, 5)
    lines[0] = {"clip": lines[0]["clip"], "status": "missing"}
    fake_scores.write(measured / "s", "noise", lines)
    text = take(measured, folder, "much at once").changed
    assert text == read_baseline("s", folder).changed
    added, removed, moves, recounted = text.split("; ")[:4]
    named = ", ".join(f"v2a-mel-m-speaker-tuned {metric}" for metric in ("pesq_wb", "pesq_nb8", "stoi", "estoi"))
    assert added == f"5 added ({named}, ...)"
    assert removed.startswith("5 removed (other-sentence pesq_wb, ")
    assert moves.startswith("1")
    assert "(better)" in moves
    assert recounted.startswith("5 recounted (noise pesq_wb n 8, failed 0 -> n 7, failed 1, ")


def test_a_step_within_the_tolerance_is_told_from_a_move(measured: Path, folder: Path) -> None:
    lines = fake_scores.scores(0.6, 8, 2)
    for line in lines:
        line["stoi"] += 0.5 * it.DEFAULT_TOLERANCE
        line["estoi"] += 2 * it.DEFAULT_TOLERANCE
    fake_scores.write(measured / "s", TUNED, lines)
    text = take(measured, folder, "another processor").changed
    assert text.startswith(f"1 moved ({TUNED} estoi ")
    assert text.endswith(f"; 1 within tolerance ({TUNED} stoi)")


def test_another_recogniser_stands_in_the_head(measured: Path, folder: Path) -> None:
    fake_scores.write_all(measured, "s", count=8, asr="whisper")
    assert take(measured, folder, "a better recogniser").changed == f"recogniser {fake_scores.ASR} -> whisper"
    assert read_baseline("s", folder).asr == "whisper"


@pytest.mark.parametrize("metric", METRICS)
def test_the_tolerance_is_the_same_up_and_down(metric: str) -> None:
    step = tolerance(metric)
    up, down = ("better", "worse") if METRICS[metric].higher_is_better else ("worse", "better")
    assert [moved(metric, 1.0, 1.0 + share * step) for share in (0.9, -0.9, 1.1, -1.1)] == ["", "", up, down]


# ---------------------------------------------------------------- a user's own system


def test_a_users_system_is_taken_in_by_name_and_others_stay(measured: Path, folder: Path) -> None:
    before = read_baseline("s", folder).cells
    change(measured, TUNED, 0.75, 2)
    take(measured, folder, "our first numbers", "mine")
    found = read_baseline("s", folder)
    assert {key: cell for key, cell in found.cells.items() if key[0] != "mine"} == before, "nothing else is accepted"
    assert found.systems[-1] == "mine"
    assert found.changed.startswith("5 added (mine pesq_wb, ")
    kept = read_utterances("s", folder)
    assert kept is not None
    assert kept[TUNED, "stoi"]["s1/clip000"] == pytest.approx(fake_scores.scores(0.6, 8, 2)[0]["stoi"], rel=1e-5)
    assert len(kept["mine", "stoi"]) == 8


def test_what_was_taken_in_goes_along_from_then_on(measured: Path, folder: Path) -> None:
    take(measured, folder, "our first numbers", "mine")
    change(measured, "mine", 0.5, 9)
    take(measured, folder, "all")
    assert read_baseline("s", folder).cells["mine", "stoi"][0] > 0.4


def test_a_repository_of_ones_own_needs_no_other_system(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", "mine", fake_scores.scores(0.3, 8, 9))
    with pytest.raises(UseError, match=r"no variant or reference system was measured on s; .* --systems mine"):
        take(tmp_path, tmp_path / "b", "why not")
    take(tmp_path, tmp_path / "b", "ours", "mine")
    assert read_baseline("s", tmp_path / "b").systems == ["mine"]
    take(tmp_path, tmp_path / "b", "ours again")


def test_a_system_scored_in_fewer_metrics_is_scored_alike(measured: Path, folder: Path) -> None:
    lines = [{"clip": line["clip"], "status": "ok", "stoi": line["stoi"]} for line in fake_scores.scores(0.3, 8, 9)]
    fake_scores.write(measured / "s", "mine", lines, versions={"stoi": "1"}, asr=None)
    take(measured, folder, "STOI alone", "mine")
    found = read_baseline("s", folder)
    assert [metric for system, metric in found.cells if system == "mine"] == ["stoi"]
    assert found.asr == fake_scores.ASR


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"protocol": "svts-2022"}, "another protocol .'svts-2022'. than the baseline's .'v2sbench-1'."),
        ({"asr": "whisper"}, "another recogniser"),
        ({"versions": {**fake_scores.VERSIONS, "stoi": "2"}}, "another version of stoi"),
    ],
)
def test_a_system_of_another_make_cannot_join(measured: Path, folder: Path, meta: dict[str, object], said: str) -> None:
    before = (folder / "s.csv").read_bytes()
    fake_scores.write(measured / "s", "mine", fake_scores.scores(0.3, 8, 9), **meta)  # type: ignore[arg-type]
    with pytest.raises(UseError, match=said):
        take(measured, folder, "why not", "mine")
    assert (folder / "s.csv").read_bytes() == before


def test_an_unknown_system_is_named(measured: Path, folder: Path) -> None:
    with pytest.raises(UseError, match="'mien' was not scored on s"):
        take(measured, folder, "why not", "mien")


# ---------------------------------------------------------------- what is no baseline


def test_a_baseline_needs_a_reason_and_rows_scored_alike(measured: Path, tmp_path: Path) -> None:
    for why in ("", "  ", "two\nlines"):
        with pytest.raises(UseError, match="reason"):
            take(measured, tmp_path, why)
    fake_scores.write(measured / "s", "noise", fake_scores.scores(0.1, 8, 1), asr="whisper")
    with pytest.raises(UseError, match="noise was not scored like"):
        take(measured, tmp_path, "why not")
    assert not (tmp_path / "s.csv").exists()


def test_no_baseline_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UseError, match="v2sbench accept s --why"):
        read_baseline("s", tmp_path)


@pytest.mark.parametrize("damage", ["0.1,x,0", "nan,8,0", "1"])
def test_a_damaged_baseline_is_said(measured: Path, folder: Path, damage: str) -> None:
    path = folder / "s.csv"
    path.write_text(path.read_text(encoding="utf-8") + f"noise,stoi,{damage}\n", encoding="utf-8")
    for read in (lambda: read_baseline("s", folder), lambda: take(measured, folder, "over it")):
        with pytest.raises(UseError, match=r"s\.csv is damaged"):
            read()
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:7]), encoding="utf-8")
    with pytest.raises(UseError, match=r"no cells"):
        read_baseline("s", folder)


@pytest.mark.parametrize("line", ["noise", "noise\tc\t1", "noise\tc\tx\t1\t1\t1\t1", "noise\tc\t1\t1\t1\t1\t1\t1"])
def test_damaged_utterances_are_said(folder: Path, line: str) -> None:
    path = folder / "s.utterances.tsv"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(UseError, match=r"line 58 is damaged .*; take it back from git"):
        read_utterances("s", folder)


def test_the_author_is_gits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "none"))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UseError, match=r"git config user\.name"):
        it.author()
    subprocess.run(["git", "init", "-q"], check=True)
    for key, value in (("user.name", "From Config"), ("user.email", "config@example.org")):
        subprocess.run(["git", "config", key, value], check=True)
    assert it.author() == "From Config <config@example.org>"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "From Environment")
    assert it.author() == "From Environment <config@example.org>"


# ---------------------------------------------------------------- this project's own


@pytest.mark.parametrize("path", sorted((ROOT / it.BASELINE).glob("*.csv")), ids=lambda path: path.stem)
def test_the_committed_table_is_as_accepted(path: Path) -> None:
    """What `v2sbench gate` says after `make demo`, for whoever changed the table and ran no gate."""
    accepted = read_baseline(path.stem, path.parent)
    with (ROOT / "results" / "tables" / path.name).open(encoding="utf-8", newline="") as stream:
        lines = {(line["system"], line["metric"]): line for line in csv.DictReader(stream)}
    assert set(accepted.cells) <= set(lines)
    for (system, metric), (value, n, n_failed) in accepted.cells.items():
        line = lines[system, metric]
        assert (int(line["n"]), int(line["n_failed"])) == (n, n_failed)
        assert (line["protocol"], line["metric_version"]) == (accepted.protocol, accepted.versions[metric])
        assert not moved(metric, value, float(line["value"])), f"{system} {metric}"


@pytest.mark.parametrize("path", sorted((ROOT / it.BASELINE).glob("*.tsv")), ids=lambda path: path.name.split(".")[0])
def test_the_accepted_means_are_those_of_the_accepted_utterances(path: Path) -> None:
    split = path.name.split(".")[0]
    known = read_utterances(split, path.parent)
    assert known is not None
    for (system, metric), (value, n, _) in read_baseline(split, path.parent).cells.items():
        scores = known[system, metric].values()
        assert len(scores) == n
        assert sum(scores) / n == pytest.approx(value, rel=1e-5), "sentences of one length: a pooled rate is a mean"
