"""One system under several protocols: each line by its own rules, how far they lie apart, and what is missing."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores
from v2sbench import cli
from v2sbench.results import load
from v2sbench.results.spread import Spread, console, csv_text, header, lines, markdown, remarks, spread
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
    own = [line("a", pesq_wb=1.1, pesq_nb8=1.7, stoi=0.6, estoi=0.4, wer=counts),
           line("b", pesq_wb=1.3, stoi=0.8, estoi=0.6, wer={**counts, "ins": 0}, **failed)]  # fmt: skip
    raw = [line("a", pesq_raw8=2.2, stoi_int16=0.7, wer=counts), line("b", stoi_int16=0.9, wer=counts, **failed)]
    strict = [line("a", pesq_nb8=1.7, stoi=0.6, estoi=0.4, wer=counts),
              line("b", stoi=0.8, estoi=0.6, wer=counts, **failed)]  # fmt: skip
    fake_scores.write(folder, "my.system", own)
    fake_scores.write(folder / "protocols", "my.system.evalaudio-2020", raw, protocol="evalaudio-2020")
    fake_scores.write(folder / "protocols", "my.system.vca-gan-2021", strict, protocol="vca-gan-2021", asr=None)
    return tmp_path


@pytest.fixture
def found(measured: Path) -> Spread:
    return spread(SPLIT, measured=measured)


def test_every_line_is_made_by_its_protocols_rules(found: Spread) -> None:
    entries = {(line["protocol"], line["metric"]): line for line in csv.DictReader(io.StringIO(csv_text(found)))}
    assert list(dict.fromkeys(name for name, _ in entries)) == ["v2sbench-1", "evalaudio-2020", "vca-gan-2021"]
    assert len(entries) == 5 + 3 + 4, "the metrics of a line are the protocol's own"
    values = {key: entry["value"] for key, entry in entries.items()}
    assert values["v2sbench-1", "pesq_nb8"] == "1.7", "a failure is in no mean"
    assert values["evalaudio-2020", "pesq_raw8"] == "1.1", "a failure is 0 in it"
    assert values["vca-gan-2021", "pesq_nb8"] == "", "a failure ends the program"
    assert entries["vca-gan-2021", "stoi"]["note"].startswith("the program behind")
    assert (values["v2sbench-1", "wer"], values["evalaudio-2020", "wer"]) == ("37.5", "40")
    assert (entries["v2sbench-1", "wer"]["asr"], entries["v2sbench-1", "stoi"]["asr"]) == (fake_scores.ASR, "")


def test_the_lines_say_what_there_is(found: Spread) -> None:
    named = {cells[0]: dict(zip(header(found), cells, strict=True)) for cells in lines(found, "my.system")}
    assert [cells["STOI"] for cells in named.values()] == ["0.700", "", "-"]
    assert [cells["failed"] for cells in named.values()] == ["1", "1", "1"]


def test_the_spread_of_each_family_is_the_message(found: Spread) -> None:
    said = remarks(found, "my.system")
    assert "PESQ from 1.100 (PESQ-NB raw, evalaudio-2020) to 1.700 (PESQ-NB, v2sbench-1)." in said
    assert not any(text.startswith("ESTOI") for text in said), "one number has no spread"
    for layout in (markdown, console):
        text = layout(found)
        assert all(sentence in text for sentence in said)
        assert "vca-gan-2021: PESQ-NB, STOI, ESTOI -: the program behind vca-gan-2021 stops" in text
        assert "recogniser none." in text


def test_systems_are_chosen_by_name(measured: Path) -> None:
    fake_scores.write(measured / SPLIT / "protocols", "noise.svts-2022", [line("a", stoi=0.3)], protocol="svts-2022")
    assert list(spread(SPLIT, measured=measured).columns) == ["noise", "my.system"]
    assert list(spread(SPLIT, measured=measured, only=["noise"]).columns) == ["noise"]
    assert list(load(SPLIT, measured)) == ["my.system"], "the usual table does not see the other protocols"
    with pytest.raises(UseError, match=r"did you mean 'my\.system'"):
        spread(SPLIT, measured=measured, only=["my.sytem"])


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
    assert sorted(path.name for path in Path("own").iterdir()) == [f"{SPLIT}.protocols.csv", f"{SPLIT}.protocols.md"]
