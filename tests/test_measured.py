"""Reading stored scores, and one clear line for whatever is off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import fake_scores
from v2sbench.results.measured import asked, group_of, load, order, read_measured
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import Variant, model_of


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    lines = fake_scores.scores(0.5, 3)
    found = read_measured(fake_scores.write(tmp_path / "s", "mine", lines))
    clips = [line["clip"] for line in lines]
    top, bottom = found.shares("stoi", clips)
    assert (list(top), list(bottom)) == ([line["stoi"] for line in lines], [1, 1, 1])
    top, bottom = found.shares("wer", clips)
    assert (list(top), list(bottom)) == ([100.0 * line["wer"]["sub"] for line in lines], [6, 6, 6])
    assert np.isnan(found.shares("stoi", ["s1/unknown"])).all()
    assert found.utterances("wer", clips)[clips[0]] == 100 * lines[0]["wer"]["sub"] / 6
    assert found.column("stoi", clips).value == pytest.approx(sum(line["stoi"] for line in lines) / 3)
    assert found.column("stoi", [*clips, "s1/unknown"]).n_failed == 1
    assert not found.has("pesq_nb")


def test_a_metric_that_failed_everywhere_was_asked_for(tmp_path: Path) -> None:
    lines = [{"clip": "a", "status": "silent", "errors": {"stoi": "silent"}}]
    found = read_measured(fake_scores.write(tmp_path / "s", "mine", lines))
    assert found.has("stoi")
    assert found.column("stoi", ["a"]).value is None


LINES = '{"clip": "a", "status": "ok"}\n'


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("{", "line 1: not a line of scores"),
        (LINES + '{"no": "clip"}', "line 2: not a line of scores"),
        (LINES * 2, "lists clip a twice; run `v2sbench score mine --split grid4-seen`"),
        ('{"clip": "a", "status": "ok", "wer": 0.3}', "wer of clip a must be edit counts"),
        ("", "is empty; run `v2sbench score mine --split grid4-seen`"),
    ],
)
def test_damaged_scores_name_the_file_and_what_is_wrong(tmp_path: Path, damage: str, said: str) -> None:
    path = fake_scores.write(tmp_path / "grid4-seen", "mine", [])
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(UseError, match=rf"mine\.jsonl.*{said}"):
        read_measured(path)


def test_a_damaged_meta_is_named(tmp_path: Path) -> None:
    path = fake_scores.write(tmp_path / "grid4-seen", "mine", fake_scores.scores(0.5, 2))
    path.with_name("mine.meta.json").write_text("{", encoding="utf-8")
    with pytest.raises(UseError, match=r"mine\.meta\.json is damaged .*v2sbench score mine"):
        read_measured(path)


def test_missing_scores_and_missing_meta(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"no scores under .*dvc repro"):
        load("grid4-seen", tmp_path)
    path = fake_scores.write(tmp_path / "grid4-seen", "mine", fake_scores.scores(0.5, 2))
    path.with_name("mine.meta.json").unlink()
    with pytest.raises(UseError, match=r"no file .*mine\.meta\.json"):
        load("grid4-seen", tmp_path)


def test_scores_of_another_division_are_refused(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", "ground-truth", fake_scores.scores(1.0, 3))
    fake_scores.write(tmp_path / "s", "mine", fake_scores.scores(0.5, 5))
    with pytest.raises(UseError, match=r"mine has scores of 2 clips that ground-truth has not \(e\.g\. s1/clip003\)"):
        asked(load("s", tmp_path))


def test_scored_alike(tmp_path: Path) -> None:
    lines = fake_scores.scores(0.5, 2)
    a = read_measured(fake_scores.write(tmp_path, "a", lines))
    assert a.comparable(read_measured(fake_scores.write(tmp_path, "b", lines)), "wer") == ""
    other_ear = read_measured(fake_scores.write(tmp_path, "c", lines, asr="whisper"))
    assert a.comparable(other_ear, "stoi") == ""
    assert "asr differs" in a.comparable(other_ear, "wer")
    assert "protocol differs" in a.comparable(
        read_measured(fake_scores.write(tmp_path, "d", lines, protocol="svts-2022")), "stoi"
    )
    versions = {**fake_scores.VERSIONS, "stoi": "2"}
    assert "version of stoi" in a.comparable(
        read_measured(fake_scores.write(tmp_path, "e", lines, versions=versions)), "stoi"
    )


def test_groups_and_order_are_the_papers() -> None:
    names = ["mine", "noise", "griffin-lim", "ground-truth", "other-sentence", "a2a-mel-s"]
    names += [f"v2a-{model}-speaker-{init}" for model in ("mel-m", "mel-s") for init in ("tuned", "frozen", "scratch")]
    assert sorted(names, key=order) == [
        *(f"v2a-{model}-speaker-{init}" for model in ("mel-s", "mel-m") for init in ("scratch", "frozen", "tuned")),
        "ground-truth", "griffin-lim", "a2a-mel-s", "noise", "other-sentence", "mine",
    ]  # fmt: skip
    assert group_of("a2a-mel-s") == "ceiling"
    assert group_of("v2a-mel-s-speaker-tuned-mine") == "system"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("v2a-mel-m-face-frozen", "mel-m"), ("v2a-mel-s-wide-speaker-scratch", "mel-s-wide"), ("a2a-wave", "wave"),
        ("v2a-mel-s-speaker-tuned-mine", "mel-s"), ("vocoder", "vocoder"),
    ],
)  # fmt: skip
def test_the_model_in_a_name(name: str, model: str) -> None:
    assert model_of(name) == model


def test_a_variants_name_is_taken_apart_and_put_together() -> None:
    found = Variant.of("v2a-mel-s-wide-face-frozen")
    assert found == Variant(model="mel-s-wide", identity="face", init="frozen")
    assert found.name == "v2a-mel-s-wide-face-frozen"
    assert Variant.of("ground-truth") is None
