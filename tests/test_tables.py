"""Rows, the tidy csv, and the tables for people."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import fake_scores
from v2sbench.results import measured as results
from v2sbench.results import published as reported
from v2sbench.results import rows, sheet, wording
from v2sbench.results.sheet import Table, build, csv_text, json_text
from v2sbench.results.tables import console, latex, markdown, write_tables
from v2sbench.runtime import UseError

SPLIT = "grid33-unseen"
TUNED = "v2a-mel-s-speaker-tuned"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of every system, and of a user's with one clip missing and one PESQ that failed."""
    folder = tmp_path_factory.mktemp("measured")
    split = fake_scores.write_all(folder, SPLIT, coverage="partial 40/9000")
    lines = fake_scores.scores(0.4, 40, 9)
    lines.pop(7)
    lines[3] = {**lines[3], "status": "partial", "errors": {"pesq_wb": "too-short"}}
    del lines[3]["pesq_wb"]
    fake_scores.write(split, "mine", lines, vocoder="")
    return folder


@pytest.fixture(scope="module")
def table(measured: Path) -> Table:
    return build(SPLIT, measured=measured)


def tidy(table: Table) -> dict[tuple[str, str], dict[str, str]]:
    return {(line["system"], line["metric"]): line for line in csv.DictReader(io.StringIO(csv_text(table)))}


# ---------------------------------------------------------------- rows


def test_failures_are_counted_and_in_no_mean(table: Table) -> None:
    row = table.row("mine")
    assert (row.n, row.n_failed) == (40, 2)
    wide, narrow = row.cells["pesq_wb"], row.cells["pesq_nb8"]
    assert (wide.n, wide.n_failed) == (38, 2)
    assert (narrow.n, narrow.n_failed) == (39, 1)
    lines = [line for index, line in enumerate(fake_scores.scores(0.4, 40, 9)) if index != 7]
    scored = [line["pesq_wb"] for index, line in enumerate(lines) if index != 3]
    assert wide.value == pytest.approx(sum(scored) / 38)
    assert wide.floored == pytest.approx((sum(scored) + 2 * 1.0) / 40)


def test_a_lost_clip_counts_all_its_words_in_the_floored_wer(table: Table) -> None:
    cell = table.row("mine").cells["wer"]
    lines = [line for index, line in enumerate(fake_scores.scores(0.4, 40, 9)) if index != 7]
    edits = sum(line["wer"]["sub"] for line in lines)
    assert cell.value == pytest.approx(100 * edits / (6 * 39))
    assert cell.floored == pytest.approx(100 * (edits + 6) / (6 * 40))


def test_a_row_without_failures_has_no_floored_mean(table: Table) -> None:
    assert all(cell.floored is None for cell in table.row(TUNED).cells.values())


def test_wer_is_pooled_and_the_utterance_mean_stands_beside(tmp_path: Path) -> None:
    lines = [
        {"clip": "a", "status": "ok", "wer": {"sub": 2, "del": 3, "ins": 1, "words": 6}},
        {"clip": "b", "status": "ok", "wer": {"sub": 0, "del": 0, "ins": 0, "words": 2}},
    ]
    fake_scores.write(tmp_path / "s", "mine", lines)
    (row,) = rows.rows("s", systems=results.load("s", tmp_path), reported=[])
    assert row.cells["wer"].value == 75.0
    assert row.cells["wer"].utterance_mean == 50.0


def test_a_metric_never_asked_for_has_no_cell(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", "mine", [{"clip": "a", "status": "ok", "stoi": 0.5, "wer": None}])
    (row,) = rows.rows("s", systems=results.load("s", tmp_path), reported=[])
    assert set(row.cells) == {"stoi"}
    assert row.n_failed == 0


def test_reported_rows_gather_the_metrics_of_one_system(table: Table) -> None:
    first = table.rows[0]
    assert (first.group, first.system, first.grade) == ("reported", "V2A-MelSpec-S", "secondary")
    assert {name: cell.value for name, cell in first.cells.items()} == {
        "pesq": 1.43, "stoi": 0.598, "estoi": 0.335, "wer": 17.9,
    }  # fmt: skip


def test_what_this_suite_reimplements_stands_first_among_the_reported() -> None:
    lines = [line for line in reported.read_reported() if line.split == SPLIT]
    for order in (lines, lines[::-1]):
        assert rows.rows(SPLIT, systems={}, reported=order)[0].system == "V2A-MelSpec-S"


def test_two_values_of_one_reported_cell_are_refused() -> None:
    line = next(line for line in reported.read_reported() if line.split == SPLIT)
    with pytest.raises(UseError, match="two values of one metric"):
        rows.rows(SPLIT, systems={}, reported=[line, line])


def test_groups_stand_in_order(table: Table) -> None:
    groups = list(dict.fromkeys(row.group for row in table.rows))
    assert groups == list(results.GROUPS)
    assert [row.init for row in table.rows if row.group == "variant"] == ["scratch", "frozen", "tuned"]


# ---------------------------------------------------------------- differences


def test_no_difference_between_unequal_protocols(table: Table) -> None:
    assert {item.metric for item in table.contrasts} == {"pesq", "stoi", "estoi", "wer"}
    assert all(item.difference is None and item.why_not for item in table.contrasts)
    assert {line["difference"] for line in tidy(table).values()} == {""}


def test_a_difference_between_equal_protocols_is_printed(tmp_path: Path, measured: Path) -> None:
    header = ",".join(reported.FIELDS)
    said = f"{SPLIT},V2A-MelSpec-S,tuned,speaker"
    path = tmp_path / "reported.csv"
    path.write_text(
        f"{header}\n{said},stoi,v2sbench-1,0.5,k,T,primary,\n{said},wer,v2sbench-1,20,k,T,primary,\n", encoding="utf-8"
    )
    found = {item.metric: item for item in build(SPLIT, measured=measured, reported=path).contrasts}
    value = found["stoi"].measured
    assert value is not None
    assert found["stoi"].difference == pytest.approx(value - 0.5)
    assert found["wer"].difference is None
    assert "recogniser" in found["wer"].why_not
    path.write_text(f"{header}\n{said},wer,v2sbench-1;asr={fake_scores.ASR},20,k,T,primary,\n", encoding="utf-8")
    same = build(SPLIT, measured=measured, reported=path)
    assert same.contrasts[0].difference is not None
    assert "20†" not in markdown(same)


# ---------------------------------------------------------------- csv


def test_csv_is_tidy_and_complete(table: Table) -> None:
    lines = tidy(table)
    assert len(lines) == sum(len(row.cells) for row in table.rows)
    line = lines[TUNED, "wer"]
    assert line["asr"] == fake_scores.ASR
    assert (line["init"], line["identity"], line["vocoder"], line["coverage"]) == (
        "tuned", "speaker", "griffin-lim", "partial 40/9000",
    )  # fmt: skip
    assert (line["n"], line["n_failed"], line["metric_version"]) == ("40", "0", "1")
    assert float(line["value"]) == pytest.approx(table.row(TUNED).cells["wer"].value, rel=1e-11)
    assert float(line["low"]) < float(line["value"]) < float(line["high"])
    assert lines["V2A-MelSpec-S", "pesq"]["n"] == ""
    assert float(lines["mine", "pesq_wb"]["value_floored"]) < float(lines["mine", "pesq_wb"]["value"])


def test_every_file_is_the_same_every_time(measured: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        write_tables(SPLIT, measured=measured, out=tmp_path / out)
    names = [f"{SPLIT}.{ending}" for ending in ("csv", "json", "md", "tex")]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_json_holds_every_measured_number_and_no_other(table: Table) -> None:
    found = json.loads(json_text(table))
    lines = [line for line in tidy(table).values() if line["group"] != "reported"]
    assert {(name, metric) for name in found for metric in found[name]} == {
        (line["system"], line["metric"]) for line in lines
    }
    assert all(found[line["system"]][line["metric"]] == float(line["value"]) for line in lines)
    assert list(found) == sorted(found)
    assert "V2A-MelSpec-S" not in found
    assert set(found["mine"]) == set(fake_scores.VERSIONS)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e6, 1e6))
def test_precise_keeps_twelve_digits(value: float) -> None:
    assert float(sheet.precise(value)) == pytest.approx(value, rel=1e-11)


# ---------------------------------------------------------------- for people


def cells_of(text: str, system: str) -> list[str]:
    line = next(line for line in text.splitlines() if system in line and line.startswith("|"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_reported_pesq_is_not_under_pesq_wb(table: Table) -> None:
    text = markdown(table)
    named = dict(zip(cells_of(text, "system "), cells_of(text, "V2A-MelSpec-S"), strict=True))
    assert named["PESQ-WB ↑"] == named["PESQ-NB ↑"] == ""
    assert named["PESQ (as reported) ↑"] == "*1.43*"
    assert named["WER % ↓"] == "*17.9†*"
    assert named["source"] == "*kefalas2024 (secondary)*"


def test_a_measured_row_says_all_of_itself(table: Table) -> None:
    text = markdown(table)
    named = dict(zip(cells_of(text, "system "), cells_of(text, TUNED), strict=True))
    assert re.fullmatch(r"\*\*0\.\d{3}▲\*\* \[0\.\d{3}, 0\.\d{3}\]", named["STOI ↑"])
    assert (named["init"], named["identity"], named["vocoder"]) == ("tuned", "speaker", "griffin-lim")
    assert (named["n"], named["failed"]) == ("40", "0")


@pytest.mark.parametrize("layout", [markdown, latex, console])
def test_every_layout_carries_what_a_number_needs(table: Table, layout: object) -> None:
    assert callable(layout)
    text = layout(table)
    assert "too narrow" not in text
    for needed in (
        "v2sbench-1", "partial 40/9000", fake_scores.ASR, "ground truth is 0.0", "BCa", "inconclusive", "mine",
        "other-sentence", "griffin-lim", "reproduced", "Pre-training improves", "as if silent",
    ):  # fmt: skip
        assert needed in text


def test_generated_files_say_so(table: Table) -> None:
    assert markdown(table).splitlines()[0] == f"<!-- Generated by `v2sbench table {SPLIT}`; do not edit. -->"
    assert latex(table).splitlines()[0].startswith("% Generated by")


def test_latex_escapes_and_closes(table: Table) -> None:
    text = latex(table)
    assert text.count(r"\begin{") == text.count(r"\end{")
    columns = len(wording.header(table))
    body = [line for line in text.splitlines() if line.endswith(r"\\") and not line.startswith(r"\midrule")]
    assert all(line.count(" & ") == columns - 1 for line in body)
    assert not re.search(r"(?<!\\)%", "\n".join(text.splitlines()[1:]))
    assert all(ord(char) < 128 for char in text)


def test_a_bad_recogniser_is_said(tmp_path: Path) -> None:
    lines = [{**line, "wer": {"sub": 3, "del": 0, "ins": 0, "words": 6}} for line in fake_scores.scores(1.0, 5)]
    fake_scores.write(tmp_path / "s", "ground-truth", lines)
    text = markdown(build("s", measured=tmp_path))
    assert "50.0‡" in text
    assert "more about the recogniser" in text


def test_a_row_of_another_protocol_is_marked(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "s", "ground-truth", fake_scores.scores(1.0, 5))
    fake_scores.write(tmp_path / "s", "mine", fake_scores.scores(0.5, 5), protocol="svts-2022")
    text = markdown(build("s", measured=tmp_path))
    assert "| mine§" in text
    assert "scored under protocol svts-2022" in text


def test_a_split_without_reported_numbers_has_no_column_for_them(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, "demo-seen", count=4)
    text = markdown(build("demo-seen", measured=tmp_path))
    assert "as reported" not in text
    assert "Reported" not in text
    assert "partial" not in text
    assert "too narrow" in text, "four utterances"


def test_an_unscored_system_is_named(table: Table) -> None:
    with pytest.raises(UseError, match="'yours' was not scored on grid33-unseen"):
        table.row("yours")


def test_nothing_is_written_when_an_input_is_damaged(tmp_path: Path, measured: Path) -> None:
    bad = tmp_path / "claims.yaml"
    bad.write_text("claims: 3\n", encoding="utf-8")
    with pytest.raises(UseError, match="must hold a list"):
        write_tables(SPLIT, measured=measured, claims=bad, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
