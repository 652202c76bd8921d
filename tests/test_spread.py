"""One system under several protocols: each line by its own rules, how far they lie apart, and what is missing."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores
from v2sbench import cli
from v2sbench.results import measured as results
from v2sbench.results import spread
from v2sbench.results.spread import Spread, console, csv_text, markdown
from v2sbench.runtime import UseError

SPLIT = "grid33-unseen"


def line(clip: str, **values: Any) -> dict[str, Any]:
    return {"clip": clip, "status": "ok", **values}


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A system under three protocols, whose numbers are known by hand: one PESQ fails, one word is inserted."""
    folder = tmp_path / SPLIT
    counts = {"sub": 1, "del": 0, "ins": 1, "words": 4}
    failed = {"errors": {"pesq_nb8": "pesq-failed", "pesq_raw8": "pesq-failed"}}
    fake_scores.write(
        folder,
        "my.system",
        [line("a", pesq_wb=1.1, pesq_nb8=1.7, stoi=0.6, estoi=0.4, wer=counts),
         line("b", pesq_wb=1.3, stoi=0.8, estoi=0.6, wer={**counts, "ins": 0}, **failed)],
    )  # fmt: skip
    fake_scores.write(
        folder / "protocols",
        "my.system.evalaudio-2020",
        [line("a", pesq_raw8=2.2, stoi_int16=0.7, wer=counts), line("b", stoi_int16=0.9, wer=counts, **failed)],
        protocol="evalaudio-2020",
    )
    fake_scores.write(
        folder / "protocols",
        "my.system.vca-gan-2021",
        [
            line("a", pesq_nb8=1.7, stoi=0.6, estoi=0.4, wer=counts),
            line("b", stoi=0.8, estoi=0.6, wer=counts, **failed),
        ],
        protocol="vca-gan-2021",
        asr=None,
    )
    return tmp_path


@pytest.fixture
def found(measured: Path) -> Spread:
    return spread.spread(SPLIT, measured=measured)


def test_every_line_is_made_by_its_protocols_rules(found: Spread) -> None:
    (lines,) = found.columns.values()
    assert list(lines) == ["v2sbench-1", "evalaudio-2020", "vca-gan-2021"]
    values = {(name, metric): column.value for name, line in lines.items() for metric, column in line.items()}
    assert values["v2sbench-1", "pesq_nb8"] == pytest.approx(1.7), "a failure is in no mean"
    assert values["evalaudio-2020", "pesq_raw8"] == pytest.approx(1.1), "a failure is 0 in it"
    assert values["vca-gan-2021", "pesq_nb8"] is None, "a failure ends the program"
    assert values["v2sbench-1", "wer"] == pytest.approx(100 * 3 / 8)
    assert values["evalaudio-2020", "wer"] == pytest.approx(100 * 2 / 5), "over the words of the transcript"
    assert ("evalaudio-2020", "stoi") not in values


def test_the_lines_say_what_there_is(found: Spread) -> None:
    named = {
        cells[0]: dict(zip(spread.header(found), cells, strict=True)) for cells in spread.lines(found, "my.system")
    }
    assert named["v2sbench-1"]["STOI"] == "0.700"
    assert named["evalaudio-2020"]["STOI"] == ""
    assert named["vca-gan-2021"]["STOI"] == "-"
    assert {name: cells["failed"] for name, cells in named.items()} == {
        "v2sbench-1": "1", "evalaudio-2020": "1", "vca-gan-2021": "1",
    }  # fmt: skip


def test_the_spread_of_each_family_is_the_message(found: Spread) -> None:
    said = spread.reach(found, "my.system")
    assert "PESQ from 1.100 (PESQ-NB raw, evalaudio-2020) to 1.700 (PESQ-NB, v2sbench-1)." in said
    assert "STOI from 0.700 (STOI, v2sbench-1) to 0.800 (STOI (16-bit overflow), evalaudio-2020)." in said
    assert "WER from 37.5 (WER %, v2sbench-1) to 50.0 (WER %, vca-gan-2021)." in said
    assert not any(text.startswith("ESTOI") for text in said), "one number has no spread"


@pytest.mark.parametrize("layout", [markdown, console])
def test_each_layout_says_why_and_how(found: Spread, layout: Any) -> None:
    text = layout(found)
    assert "not comparable" in text
    assert f"recogniser {fake_scores.ASR}." in text
    assert "vca-gan-2021: narrow-band PESQ at 8 kHz" in text
    assert "recogniser none." in text
    assert "vca-gan-2021: PESQ-NB, STOI, ESTOI -: the program behind vca-gan-2021 stops" in text


def test_the_csv_is_tidy(found: Spread) -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert len(lines) == 5 + 3 + 4
    named = {(entry["protocol"], entry["metric"]): entry for entry in lines}
    assert named["evalaudio-2020", "pesq_raw8"]["value"] == "1.1"
    assert named["vca-gan-2021", "stoi"]["value"] == ""
    assert named["vca-gan-2021", "stoi"]["note"].startswith("the program behind")
    assert named["vca-gan-2021", "wer"]["value"] == "50"
    assert (named["v2sbench-1", "wer"]["asr"], named["v2sbench-1", "stoi"]["asr"]) == (fake_scores.ASR, "")


def test_systems_are_chosen_by_name(measured: Path) -> None:
    fake_scores.write(measured / SPLIT / "protocols", "noise.svts-2022", [line("a", stoi=0.3)], protocol="svts-2022")
    assert list(spread.spread(SPLIT, measured=measured).columns) == ["noise", "my.system"]
    assert list(spread.spread(SPLIT, measured=measured, only=["noise"]).columns) == ["noise"]
    with pytest.raises(UseError, match=r"unknown system 'my\.sytem', did you mean 'my\.system'"):
        spread.spread(SPLIT, measured=measured, only=["my.sytem"])


def test_the_usual_table_does_not_see_the_other_protocols(measured: Path) -> None:
    assert list(results.load(SPLIT, measured)) == ["my.system"]


def test_the_page_is_written_where_it_is_told(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    (place / "results").mkdir(parents=True)
    (place / "results/measured").symlink_to(measured)
    monkeypatch.chdir(place)
    assert cli.main(["table", SPLIT, "--protocols"]) == 0
    assert capsys.readouterr().out.endswith("table: nothing written; --out DIR writes it\n")
    assert cli.main(["table", SPLIT, "--protocols", "--out", "own", "--systems", "my.system"]) == 0
    assert f"table: own/{SPLIT}.protocols.md (and .csv)" in capsys.readouterr().out
    assert sorted(path.name for path in Path("own").iterdir()) == [f"{SPLIT}.protocols.csv", f"{SPLIT}.protocols.md"]
