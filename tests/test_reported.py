"""Numbers of the papers: the schema of what is in git, one clear line for whatever is off, and adding to them."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trees import ROOT
from v2sbench import cli, corpora
from v2sbench.results import published as reported
from v2sbench.results.published import BARE_PESQ, FIELDS, Reported, add, problems, read_reported, read_sources
from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS

HEADER = ",".join(FIELDS)
LINE = "grid4-seen,Mine,,speaker,stoi,,0.5,somebody2020,Table 1,primary,"
COLLECTED = ROOT.parent / "shared" / "design" / "reported.csv"
KNOWN = {"splits": ["grid4-seen", "lrw-unseen"], "sources": ["somebody2020", "kefalas2024"]}


def fields(**changes: str) -> dict[str, str]:
    return {**dict(zip(FIELDS, LINE.split(","), strict=True)), **changes}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "reported.csv"
    file.write_text(f"{HEADER}\n{LINE}\n", encoding="utf-8")
    return file


# ---------------------------------------------------------------- what is in git


def test_reported_numbers_in_git_are_sound() -> None:
    found = read_reported()
    assert len(found) >= 70
    assert problems(found, splits=corpora.splits(), sources=read_sources()) == []
    for line in found:
        assert line.grade != "primary", "no table cell was read in a paper itself"
        assert line.locator
        assert line.metric in (BARE_PESQ, *METRICS)


@pytest.mark.skipif(not COLLECTED.is_file(), reason="the numbers that were collected for this suite are not here")
def test_every_number_that_was_collected_is_in_git_as_it_was() -> None:
    with open(COLLECTED, encoding="utf-8", newline="") as first, open(reported.REPORTED, newline="") as second:
        collected, shipped = list(csv.DictReader(first)), list(csv.DictReader(second))
    assert collected
    assert tuple(collected[0]) == FIELDS
    assert [line for line in collected if line not in shipped] == []


def test_adding_to_what_is_in_git_changes_one_line(tmp_path: Path) -> None:
    path = tmp_path / "reported.csv"
    shutil.copy(reported.REPORTED, path)
    before = path.read_text(encoding="utf-8").splitlines()
    add(fields(split="grid33-seen", source="mira2022svts"), path=path, splits=corpora.splits(), sources=read_sources())
    after = path.read_text(encoding="utf-8").splitlines()
    (new,) = [line for line in after if line not in before]
    after.remove(new)
    assert after == before


def test_sources_have_an_arxiv_id_each_and_no_twins() -> None:
    keys = read_sources()
    ids = re.findall(r"eprint\s*=\s*\{(\d{4}\.\d{5})\}", reported.SOURCES.read_text(encoding="utf-8"))
    assert len(keys) == len(set(keys)) == len(ids) == len(set(ids)) == 16


def test_the_papers_rows_name_their_variants() -> None:
    found = {line.variant for line in read_reported() if line.source == "kefalas2024"}
    assert found == {"v2a-mel-s-speaker-tuned", "v2a-mel-m-speaker-scratch"}
    assert {line.variant for line in read_reported() if line.source != "kefalas2024"} == {None}


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE.replace("stoi", "stio"), "line 2: metric must be one of .* not 'stio'"),
        (LINE.replace("primary", "sure"), "line 2: grade must be one of"),
        (LINE.replace("0.5", "half"), "line 2: value must be a number, not 'half'"),
        (LINE.replace("0.5", "nan"), "line 2: value must be finite"),
        (LINE.replace("0.5", "50"), "line 2: value of stoi must be -1 to 1, not 50"),
        (LINE.replace("stoi", "pesq").replace("0.5", "5"), "line 2: value of pesq must be -0.5 to 4.65, not 5"),
        (LINE.replace("speaker", "voice"), "line 2: identity must be one of speaker, face, not 'voice'"),
        (LINE.replace("somebody2020", ""), "line 2: field source is empty"),
        (LINE + ",more", "line 2: must have 11 fields"),
        (LINE.rsplit(",", 1)[0], "line 2: must have 11 fields"),
    ],
)
def test_a_bad_reported_line_is_named(path: Path, line: str, said: str) -> None:
    path.write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    with pytest.raises(UseError, match=said):
        read_reported(path)


def test_a_reported_file_of_other_fields_or_none(tmp_path: Path) -> None:
    path = tmp_path / "reported.csv"
    with pytest.raises(UseError, match="no file"):
        read_reported(path)
    path.write_text("split,method\na,b\n", encoding="utf-8")
    with pytest.raises(UseError, match="line 1: the fields must be split,method,init"):
        read_reported(path)


# ---------------------------------------------------------------- checking and adding


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "grid4-sen"}, "unknown split 'grid4-sen', did you mean 'grid4-seen'?"),
        ({"source": "kefalas2042"}, "no source 'kefalas2042' in .*, did you mean 'kefalas2024'?; add its entry"),
        ({"protocol": "svts-2202"}, "not 'svts-2202', did you mean 'svts-2022'?"),
        ({"protocol": "svts-2022; ars=whisper"}, "not 'ars=whisper'"),
        ({"protocol": "asr="}, "not 'asr='"),
        ({"metric": "wer", "value": "0.179"}, "0.179 looks like a fraction; rates stand in percent"),
        ({}, "is there twice"),
        ({"value": "0.6"}, "0.6 contradicts 0.5, which is there already"),
        ({"value": "0.6", "note": "printed in the abstract", "grade": "secondary"}, "0.6 contradicts 0.5"),
        ({"locator": ""}, "field locator is empty"),
        ({"metric": "stio"}, "metric must be one of"),
        ({"value": "59.8", "metric": "estoi"}, "value of estoi must be -1 to 1"),
        ({"method": "Mi\nne"}, "must hold no line end"),
    ],
)
def test_a_bad_number_is_refused_and_the_file_stays(path: Path, changes: dict[str, str], said: str) -> None:
    before = path.read_bytes()
    with pytest.raises(UseError, match=said.replace("?", r"\?")):
        add(fields(**changes), path=path, **KNOWN)
    assert path.read_bytes() == before


def test_what_differs_in_source_or_protocol_is_another_number(path: Path) -> None:
    add(fields(value="0.6", source="kefalas2024"), path=path, **KNOWN)
    add(fields(value="0.7", protocol="svts-2022;asr=whisper-tiny"), path=path, **KNOWN)
    assert sorted(line.value for line in read_reported(path)) == [0.5, 0.6, 0.7]


def test_a_number_is_put_in_its_place_and_the_others_stay_as_written(path: Path) -> None:
    path.write_text(f'{HEADER}\n{LINE.replace("0.5", "0.50")}\n{LINE.replace("grid4", "grid1")}"a, b"\n', "utf-8")
    add(fields(metric="pesq_wb", value="1.40"), path=path, **KNOWN)
    assert path.read_text(encoding="utf-8").splitlines() == [
        HEADER,
        LINE.replace("grid4", "grid1") + '"a, b"',
        LINE.replace("stoi", "pesq_wb").replace("0.5", "1.40"),
        LINE.replace("0.5", "0.50"),
    ]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(max_examples=50, deadline=None)
@given(method=texts, locator=texts, note=texts, value=st.floats(-1, 1))
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, method: str, locator: str, note: str, value: float
) -> None:
    path = tmp_path_factory.mktemp("r") / "reported.csv"
    path.write_text(f"{HEADER}\n", encoding="utf-8")
    new = fields(method=method, locator=locator, note=note, value=repr(value))
    assert read_reported(path) == []
    assert read_reported_after(new, path) == [Reported(**{**new, "value": value})]  # type: ignore[arg-type]


def read_reported_after(new: dict[str, str], path: Path) -> list[Reported]:
    add(new, path=path, **KNOWN)
    return read_reported(path)


# ---------------------------------------------------------------- on the command line


ADD = [
    "reported", "add", "--split", "grid4-seen", "--method", "Ours", "--metric", "wer", "--value", "12.5", "--source",
    "kefalas2024", "--locator", "Table 3", "--grade", "secondary",
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree("results", tmp_path / "results", ignore=shutil.ignore_patterns("measured"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_number_is_added_from_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read_reported()
    assert cli.main([*ADD, "--init", "tuned", "--identity", "face", "--protocol", "asr=whisper", "--note", "ours"]) == 0
    out = capsys.readouterr().out
    assert out.strip() == f"reported: grid4-seen, Ours: wer 12.5 (kefalas2024, Table 3, secondary); {len(before) + 1} numbers in results/reported.csv"  # noqa: E501  # fmt: skip
    (new,) = [line for line in read_reported() if line not in before]
    assert (new.init, new.identity, new.protocol, new.value, new.note) == ("tuned", "face", "asr=whisper", 12.5, "ours")
    assert cli.main(["reported", "check"]) == 0
    assert f"{len(before) + 1} numbers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (ADD, ""),
        ([word.replace("grid4-seen", "grid4-sene") for word in ADD], "unknown split 'grid4-sene'"),
        (ADD[:-2], "needs --grade"),
        ([*ADD, "--protocol", "svts"], "did you mean 'svts-2022'"),
        (["reported"], "Choose from: add, check"),
        (["reported", "chekc"], "'chekc'"),
        (["reported", "check", "--split", "grid4-seen"], "--split goes with `reported add`"),
    ],
)
def test_a_mistake_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main(arguments) == (2 if said else 0)
    captured = capsys.readouterr().err
    assert said in captured
    assert captured.count("\n") == bool(said)


def test_a_file_that_was_spoiled_by_hand_fails_the_check(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open(reported.REPORTED, "a", encoding="utf-8") as file:
        file.write(f"{LINE}\n{LINE}\n")
    assert cli.main(["reported", "check"]) == 1
    captured = capsys.readouterr()
    assert "no source 'somebody2020'" in captured.out
    assert "is there twice" in captured.out
    assert captured.err == "v2sbench: results/reported.csv: 3 problems, listed above\n"
