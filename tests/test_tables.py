"""A split's table: cells and rows, comparisons with a base, what is in bold, and every layout."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import fake_scores
from v2sbench import cli
from v2sbench.results import Results, Table, read_reported, table
from v2sbench.results.bootstrap import holm
from v2sbench.results.layout import best, cells, console, csv_text, header, json_text, latex, markdown, save
from v2sbench.results.measured import GROUPS
from v2sbench.results.published import BARE_PESQ, FIELDS
from v2sbench.results.table import measured_rows, reported_rows
from v2sbench.results.tidy import BASE_FIELDS, CSV_FIELDS, precise
from v2sbench.results.wording import BOLD, notes
from v2sbench.runtime import UseError

SPLIT = "grid33-unseen"
SCRATCH, FROZEN, TUNED = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "frozen", "tuned"))
USUAL = ["pesq_wb", "pesq_nb8", "stoi", "estoi", "wer"]
Layout = Callable[[Table], str]


def build(measured: Path, split: str = SPLIT, **options: Any) -> Table:
    places = {name: options.pop(name) for name in ("published", "claims") if name in options}
    return table(Results(split=split, measured=measured, **places), **options)


def row_of(text: str, system: str) -> dict[str, str]:
    """A row of the first Markdown table: heading without its arrow -> cell."""
    lines = [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    found = next(line for line in lines if line[0].strip("*§") == system)
    return {name.rstrip(" ↑↓"): cell for name, cell in zip(lines[0], found, strict=True)}


def tidy(made: Table) -> dict[tuple[str, str], dict[str, str]]:
    return {(line["system"], line["metric"]): line for line in csv.DictReader(io.StringIO(csv_text(made)))}


def constant(level: float, count: int = 30) -> list[dict[str, Any]]:
    """Utterances that all have one STOI, so that ties can be made; and one WER of 3 in 6 words."""
    wer = {"sub": 3, "del": 0, "ins": 0, "words": 6}
    return [{"clip": f"c{index}", "status": "ok", "stoi": level, "wer": wer} for index in range(count)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All systems of the suite, and two users': one with a clip missing and a PESQ that failed, one like FROZEN."""
    folder = tmp_path_factory.mktemp("measured")
    split = fake_scores.write_all(folder, SPLIT, coverage="partial 40/9000")
    lines = fake_scores.scores(0.7, 40, 9)
    lines.pop(7)
    lines[3] = {**lines[3], "status": "partial", "errors": {"pesq_wb": "too-short"}}
    del lines[3]["pesq_wb"]
    fake_scores.write(split, "mine", lines, vocoder="")
    fake_scores.write(split, "yours", fake_scores.scores(0.51, 40, 11), vocoder="")
    return folder


@pytest.fixture(scope="module")
def made(measured: Path) -> Table:
    return build(measured)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A table that has every mark there is: bad recogniser, other protocol, differences from a base, reported WER."""
    folder = tmp_path_factory.mktemp("marked")
    fake_scores.write_all(folder, SPLIT)
    bad = {"sub": 3, "del": 0, "ins": 0, "words": 6}
    truth = [{**line, "wer": bad} for line in fake_scores.scores(1.0, 40)]
    fake_scores.write(folder / SPLIT, "ground-truth", truth)
    fake_scores.write(folder / SPLIT, "mine", fake_scores.scores(0.56, 40, 9))
    fake_scores.write(folder / SPLIT, "yours", fake_scores.scores(0.7, 40, 9), protocol="svts-2022")
    return build(folder)


# ---------------------------------------------------------------- cells and rows


def test_failures_are_counted_and_in_no_mean(made: Table) -> None:
    row = made.row("mine")
    assert (row.n, row.n_failed) == (40, 2)
    wide, narrow, wer = (row.cells[name] for name in ("pesq_wb", "pesq_nb8", "wer"))
    assert [(cell.n, cell.n_failed) for cell in (wide, narrow, wer)] == [(38, 2), (39, 1), (39, 1)]
    lines = [line for index, line in enumerate(fake_scores.scores(0.7, 40, 9)) if index != 7]
    scored = [line["pesq_wb"] for index, line in enumerate(lines) if index != 3]
    edits = sum(line["wer"]["sub"] for line in lines)
    assert wide.value == pytest.approx(sum(scored) / 38)
    assert wide.floored == pytest.approx((sum(scored) + 2 * 1.0) / 40)
    assert wer.value == pytest.approx(100 * edits / (6 * 39))
    assert wer.floored == pytest.approx(100 * (edits + 6) / (6 * 40)), "a lost clip counts all its words"
    assert all(cell.floored is None for cell in made.row(TUNED).cells.values())


def test_wer_is_pooled_and_the_utterance_mean_stands_beside(tmp_path: Path) -> None:
    lines = [
        {"clip": "a", "status": "ok", "wer": {"sub": 2, "del": 3, "ins": 1, "words": 6}},
        {"clip": "b", "status": "ok", "wer": {"sub": 0, "del": 0, "ins": 0, "words": 2}, "stoi": None},
    ]
    fake_scores.write(tmp_path / "s", "mine", lines)
    (row,) = measured_rows("s", Results(split="s", measured=tmp_path).recipes)
    assert (row.cells["wer"].value, row.cells["wer"].utterance_mean) == (75.0, 50.0)
    assert set(row.cells) == {"wer"}, "a metric that was never asked for has no cell"
    assert row.n_failed == 0


def test_reported_rows_gather_the_metrics_of_one_system() -> None:
    lines = [line for line in read_reported() if line.split == SPLIT]
    for order in (lines, lines[::-1]):
        first = reported_rows(SPLIT, order)[0]
        assert (first.group, first.system, first.grade) == ("reported", "V2A-MelSpec-S", "secondary"), "ours come first"
        values = {name: cell.value for name, cell in first.cells.items()}
        assert values == {"pesq": 1.43, "stoi": 0.598, "estoi": 0.335, "wer": 17.9}
    with pytest.raises(UseError, match="two values of one metric"):
        reported_rows(SPLIT, [lines[0], lines[0]])


def test_rows_stand_in_the_papers_order(made: Table, tmp_path: Path) -> None:
    assert list(dict.fromkeys(row.group for row in made.rows)) == list(GROUPS)
    names = [f"v2a-{model}-{identity}-{init}" for model in ("wave", "mel-s", "mel-m", "mel-s-wide")
             for identity in ("speaker", "face") for init in ("scratch", "frozen", "tuned")]  # fmt: skip
    for name in reversed(names):
        fake_scores.write(tmp_path / SPLIT, name, constant(0.5, 3))
    assert [row.system for row in build(tmp_path).measured] == names


def test_a_difference_is_printed_between_equal_protocols_only(tmp_path: Path, made: Table) -> None:
    assert {item.metric for item in made.contrasts} == {"pesq", "stoi", "estoi", "wer"}
    assert all(item.difference is None and item.why_not for item in made.contrasts)
    path = tmp_path / "reported.csv"
    said = f"{SPLIT},V2A-MelSpec-S,tuned,speaker"
    lines = [f"{said},stoi,v2sbench-1,0.5,k,T,primary,", f"{said},wer,v2sbench-1,20,k,T,primary,"]
    lines.append(f"{SPLIT},V2A-MelSpec-S,tuned,speaker,estoi,v2sbench-1;asr={fake_scores.ASR},0.4,k,T,primary,")
    path.write_text("\n".join([",".join(FIELDS), *lines, ""]), encoding="utf-8")
    again = build(made.results.measured, published=path)
    found = {item.metric: item for item in again.contrasts}
    assert found["stoi"].difference == pytest.approx(made.row(TUNED).cells["stoi"].value - 0.5)
    assert "recogniser" in found["wer"].why_not
    assert tidy(again)[TUNED, "stoi"]["reported"] == "0.5"


# ---------------------------------------------------------------- against a base


def test_without_a_users_system_nothing_is_marked(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    found = build(tmp_path)
    assert (found.base, found.marks) == ("", ())
    assert csv_text(found).splitlines()[0] == ",".join(CSV_FIELDS)
    assert not re.search("[▲▼]|Against", markdown(found))


def test_the_first_users_system_is_the_base_of_variants_and_of_other_users(made: Table) -> None:
    assert made.base == "mine"
    assert {(item.left, item.right) for item in made.marks} == {
        (name, "mine") for name in (SCRATCH, FROZEN, TUNED, "yours")
    }
    assert [item.metric for item in made.marks[:5]] == USUAL
    assert {item.outcome for item in made.marks} == {"worse"}
    plain = [item.comparison.p for item in made.marks if item.comparison]
    assert [item.p_adjusted for item in made.marks] == holm(plain), "corrected over all that is compared"


def test_any_system_can_be_the_base(measured: Path) -> None:
    found = build(measured, base=FROZEN)
    said = {(item.left, item.metric): item.outcome for item in found.marks}
    assert said["mine", "wer"] == said[TUNED, "stoi"] == "better"
    assert said["yours", "wer"] == "inconclusive"
    assert "noise" not in {item.left for item in found.marks}
    assert {item.outcome for item in build(measured, base="noise").marks} == {"better"}


@pytest.mark.parametrize(
    ("meta", "spoiled"), [({"protocol": "svts-2022"}, USUAL), ({"asr": "whisper"}, ["wer"])], ids=["protocol", "asr"]
)
def test_what_was_scored_otherwise_is_not_compared(tmp_path: Path, meta: dict[str, str], spoiled: list[str]) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    fake_scores.write(tmp_path / SPLIT, "mine", fake_scores.scores(0.7, 40, 9), **meta)
    found = build(tmp_path)
    assert {item.metric for item in found.marks if item.comparison is None} == set(spoiled)
    text = markdown(found)
    assert f"not comparable: {next(iter(meta))} differs" in text
    assert "| mine§" in text
    assert row_of(text, TUNED)["WER %"][-1] == "]", "no mark"


def test_a_system_without_a_recogniser_is_not_odd(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT, count=8)
    lines = [{key: value for key, value in line.items() if key != "wer"} for line in fake_scores.scores(0.7, 8, 9)]
    fake_scores.write(tmp_path / SPLIT, "mine", lines, asr=None)
    found = build(tmp_path)
    assert "§" not in markdown(found)
    assert {item.metric for item in found.marks} == set(USUAL) - {"wer"}
    assert {item.outcome for item in found.marks} == {"inconclusive"}, "eight utterances decide nothing"
    assert "fewer than 20 utterances" in markdown(found)


def test_a_program_that_stops_has_no_number_and_is_not_compared(tmp_path: Path) -> None:
    lines = fake_scores.scores(0.5, 30)
    lines[0] = {**lines[0], "pesq_nb8": None, "errors": {"pesq_nb8": "pesq-failed"}}
    fake_scores.write(tmp_path / SPLIT, "mine", lines, protocol="vca-gan-2021")
    fake_scores.write(tmp_path / SPLIT, "yours", fake_scores.scores(0.6, 30), protocol="vca-gan-2021")
    found = build(tmp_path)
    text = markdown(found)
    assert row_of(text, "mine")["STOI"] == ""
    assert row_of(text, "yours")["STOI"] != ""
    assert "mine: no PESQ-WB, PESQ-NB, STOI, ESTOI: the program behind vca-gan-2021 stops at a failed PESQ" in text
    assert {item.metric for item in found.marks if not item.why_not} == {"wer"}


def test_a_protocols_own_metrics_are_its_columns(tmp_path: Path) -> None:
    counts = {"sub": 1, "del": 1, "ins": 0, "words": 4}
    scored = {"status": "ok", "pesq_raw8": 2.0, "stoi_int16": 0.5, "stoi": 0.6, "wer": counts}
    lines: list[dict[str, Any]] = [{"clip": f"c{index}", **scored} for index in range(30)]
    lines[0] |= {"pesq_raw8": None, "errors": {"pesq_raw8": "pesq-failed"}}
    fake_scores.write(tmp_path / SPLIT, "mine", lines, protocol="evalaudio-2020")
    text = markdown(build(tmp_path))
    row = row_of(text, "mine")
    assert row["PESQ-NB raw"].startswith(f"{2.0 * 29 / 30:.3f} ["), "a failed PESQ is 0 in this mean"
    assert row["WER %"].startswith("66.7"), "edits over the three words of the transcript"
    assert "of which a failed PESQ is 0 in the mean above: PESQ-NB raw 1" in text


# ---------------------------------------------------------------- a table of one's own choice


def test_only_what_was_chosen_is_shown(measured: Path) -> None:
    found = build(measured, only=[TUNED, "mine", "SVTS"], columns=["wer", BARE_PESQ])
    text = markdown(found)
    assert [row.system for row in found.shown] == ["SVTS", TUNED, "mine"]
    assert found.base == TUNED, "the first that was named"
    assert not found.verdicts
    assert f"--systems {TUNED},mine,SVTS --columns wer,pesq --base {TUNED}`" in text.splitlines()[0]
    assert {system for system, _ in tidy(found)} == {"SVTS", TUNED, "mine"}


def test_pairs_of_a_selection_are_those_of_its_rows(measured: Path) -> None:
    found = build(measured, only=[SCRATCH, TUNED], columns=["stoi", "estoi"])
    said = {(pair.left.name, pair.right.name, pair.metric) for pair in found.pairs}
    assert said == {(TUNED, SCRATCH, "stoi"), (TUNED, SCRATCH, "estoi")}
    assert {system for system, _ in best(found)} <= {SCRATCH, TUNED}


def test_further_metrics_are_columns_when_they_are_asked_for(tmp_path: Path) -> None:
    for name, wrong in (("mine", 2), ("yours", 9)):
        counts = {"sub": wrong, "del": 0, "ins": 0, "chars": 20}
        lines = [{"clip": f"c{index}", "status": "ok", "stoi": 0.5, "cer": counts} for index in range(30)]
        fake_scores.write(tmp_path / SPLIT, name, lines)
    assert "CER" not in markdown(build(tmp_path))
    text = markdown(build(tmp_path, columns=["cer"]))
    assert row_of(text, "mine")["CER %"] == "**10.0** [10.0, 10.0]"
    assert row_of(text, "yours")["CER %"] == "45.0▼ [45.0, 45.0]"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"only": ["mien"]}, "unknown system 'mien', did you mean 'mine'"),
        ({"columns": ["stio"]}, "unknown metric 'stio', did you mean 'stoi'"),
        ({"columns": ["cer"]}, "no system of grid33-unseen was scored in cer"),
        ({"base": "SVTS"}, "unknown system 'SVTS'"),
    ],
)
def test_a_choice_that_is_not_there_is_named(measured: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UseError, match=re.escape(said)):
        build(measured, **options)


def test_scores_of_a_protocol_that_is_gone_are_named(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / SPLIT, "mine", fake_scores.scores(0.5, 3), protocol="v2sbench-0")
    with pytest.raises(UseError, match="'v2sbench-0'"):
        build(tmp_path)


# ---------------------------------------------------------------- bold


def test_the_best_of_the_compared_is_bold_and_ceilings_do_not_compete(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    found = build(tmp_path)
    assert best(found) == {(TUNED, metric) for metric in USUAL}
    text = markdown(found)
    assert re.fullmatch(r"\*\*0\.\d{3}\*\* \[0\.\d{3}, 0\.\d{3}\]", row_of(text, TUNED)["STOI"])
    for name in ("ground-truth", "griffin-lim", SCRATCH):
        assert not any("**" in cell for cell in row_of(text, name).values())
    assert BOLD in text


def test_ties_as_printed_are_bold_alike_and_one_alone_is_not(tmp_path: Path) -> None:
    levels = {SCRATCH: 0.5, FROZEN: 0.70041, TUNED: 0.6999, "mine": 0.69951}
    for name, level in levels.items():
        fake_scores.write(tmp_path / SPLIT, name, constant(level))
    found = build(tmp_path)
    assert best(found) == {(name, "wer") for name in levels} | {(name, "stoi") for name in (FROZEN, TUNED, "mine")}
    assert row_of(markdown(found), "mine")["STOI"].startswith("**0.700** [")
    alone = build(tmp_path, only=[TUNED])
    assert best(alone) == set()
    assert BOLD not in markdown(alone)


@pytest.mark.parametrize(
    ("meta", "out"),
    [
        ({"protocol": "svts-2022"}, {"stoi", "wer"}),
        ({"asr": "whisper"}, {"wer"}),
        ({"versions": {**fake_scores.VERSIONS, "stoi": "2"}}, {"stoi"}),
    ],
)
def test_a_number_made_otherwise_does_not_compete(tmp_path: Path, meta: dict[str, Any], out: set[str]) -> None:
    for name, level in {"ground-truth": 1.0, SCRATCH: 0.5, TUNED: 0.6}.items():
        fake_scores.write(tmp_path / SPLIT, name, constant(level))
    lines = [{**line, "wer": {"sub": 1, "del": 0, "ins": 0, "words": 6}} for line in constant(0.9)]
    fake_scores.write(tmp_path / SPLIT, "mine", lines, **meta)
    winners = best(build(tmp_path))
    for metric in ("stoi", "wer"):
        assert (("mine", metric) in winners) == (metric not in out), metric


def test_a_terminal_shows_bold_letters_and_a_file_does_not(made: Table) -> None:
    plain, bold = console(made), console(made, bold=True)
    assert "\033" not in plain + BOLD
    assert len(re.findall(r"\033\[1m[\d.]+\033\[0m", bold)) == len(best(made)) == 5
    stripped = re.sub(r"\033\[\d+m", "", bold).replace(f"{BOLD}\n", "")
    assert [line.rstrip() for line in stripped.splitlines()] == [line.rstrip() for line in plain.splitlines()]


# ---------------------------------------------------------------- layouts for people


@pytest.mark.parametrize("layout", [markdown, latex, console])
def test_every_layout_carries_what_a_number_needs(made: Table, layout: Layout) -> None:
    text = layout(made)
    for needed in (
        "v2sbench-1", "partial 40/9000", fake_scores.ASR, "ground truth is 0.0", "BCa", "over these 20 comparisons",
        "mine", "other-sentence", "not tested here", "Pre-training improves", "as if silent",
    ):  # fmt: skip
        assert needed in text
    assert layout(made) == text


def test_a_reported_pesq_is_not_under_pesq_wb(made: Table) -> None:
    named = row_of(markdown(made), "V2A-MelSpec-S")
    assert named["PESQ-WB"] == named["PESQ-NB"] == ""
    assert named["PESQ (as reported)"] == "*1.43*"
    assert named["WER %"] == "*17.9†*"
    assert named["source"] == "*kefalas2024 (secondary)*"


def test_a_measured_row_says_all_of_itself(made: Table) -> None:
    named = row_of(markdown(made), TUNED)
    assert re.fullmatch(r"0\.\d{3}▼ \[0\.\d{3}, 0\.\d{3}\]", named["STOI"])
    said = [named[name] for name in ("init", "identity", "vocoder", "n", "failed")]
    assert said == ["tuned", "speaker", "griffin-lim", "40", "0"]


def test_every_mark_of_a_number_has_its_footnote(marked: Table) -> None:
    shown = " ".join(cell.number for row in marked.shown for cell in cells(marked, row))
    for mark in "†‡§▲▼":
        assert mark in shown, "the table of this test has all of them"
        (note,) = [note for note in notes(marked) if mark in note.split()[:2]]
        assert f"- {note}" in markdown(marked)
        assert note in console(marked)


def test_a_table_without_marks_explains_none(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / "demo-seen", TUNED, constant(1.0))
    assert not re.search("[†‡§▲▼]|[Rr]eported", markdown(build(tmp_path, "demo-seen", columns=["stoi"])))


# ---------------------------------------------------------------- LaTeX


def rows_of_latex(text: str) -> list[list[str]]:
    """Cells of the rows of the tabular."""
    (body,) = re.findall(r"\\toprule\n(.*)\\bottomrule", text, re.DOTALL)
    return [re.split(r"(?<!\\) & ", line.removesuffix(r"\\")) for line in body.splitlines() if line[:8] != r"\midrule"]


def odd_tables(marked: Table, folder: Path) -> list[Table]:
    """Tables with every mark, without reported rows, and with names that LaTeX must not read as its own."""
    fake_scores.write_all(folder, "demo-seen")
    fake_scores.write(folder / "odd", "my_own~100%&#1", fake_scores.scores(0.7, 3, 9), vocoder="a\\b{c}^<d>$")
    return [marked, build(folder, "demo-seen"), build(folder, "odd")]


def test_latex_is_plain_ascii_with_whole_rows(marked: Table, tmp_path: Path) -> None:
    for found in odd_tables(marked, tmp_path):
        text = latex(found)
        assert text.isascii()
        assert text.count(r"\begin{") == text.count(r"\end{")
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}")
        assert len({len(row) for row in rows_of_latex(text)}) == 1
        assert not re.search(r"(?<!\\)[%#_]", text.partition("\n")[2])


def test_latex_sets_the_best_in_bold_and_intervals_below(marked: Table) -> None:
    rows = rows_of_latex(latex(marked))
    place = next(index for index, row in enumerate(rows) if row[0] == TUNED)
    column = next(index for index, head in enumerate(rows[0]) if head.startswith("STOI"))
    assert re.fullmatch(r"\\textbf\{0\.\d{3}(\\textsuperscript\{\$\\bigtriangleup\$\})?\}", rows[place][column])
    assert re.fullmatch(r"\{\\tiny \[0\.\d{3}, 0\.\d{3}\]\}", rows[place + 1][column])
    reported = next(row for row in rows if row[0] == r"\textit{V2A-MelSpec-S}")
    assert reported[-1] == r"\cite{kefalas2024} (secondary)"
    assert r"$-$0." in latex(marked), "minus signs are as long as plus signs"


def test_latex_without_reported_rows_is_narrow(marked: Table, tmp_path: Path) -> None:
    _, plain, _ = odd_tables(marked, tmp_path)
    assert len(rows_of_latex(latex(plain))[0]) == len(header(plain)) - len(("init", "identity", "source"))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles_and_is_no_wider_than_the_page(marked: Table, tmp_path: Path) -> None:
    texts = "\n".join(latex(found) for found in odd_tables(marked, tmp_path)[1:])
    (tmp_path / "t.tex").write_text(
        "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
        f"{texts}\n\\end{{document}}\n", encoding="ascii",
    )  # fmt: skip
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search(r"Overfull|too large", done.stdout)


# ---------------------------------------------------------------- csv and json


def test_csv_is_tidy_and_complete(made: Table) -> None:
    lines = tidy(made)
    assert len(lines) == sum(len(row.cells) for row in made.rows)
    line = lines[TUNED, "wer"]
    assert tuple(line) == (*CSV_FIELDS, *BASE_FIELDS)
    assert (line["asr"], line["coverage"], line["metric_version"]) == (fake_scores.ASR, "partial 40/9000", "1")
    assert (line["n"], line["n_failed"]) == ("40", "0")
    assert line["value"] == precise(made.row(TUNED).cells["wer"].value)
    assert float(line["low"]) < float(line["value"]) < float(line["high"])
    assert (lines["V2A-MelSpec-S", "pesq"]["n"], lines["V2A-MelSpec-S", "pesq"]["low"]) == ("", "")
    assert float(lines["mine", "pesq_wb"]["value_floored"]) < float(lines["mine", "pesq_wb"]["value"])


def test_the_csv_says_what_the_marks_say(made: Table) -> None:
    lines = tidy(made)
    mark = next(item for item in made.marks if (item.left, item.metric) == (TUNED, "wer"))
    assert mark.comparison is not None
    numbers = (mark.comparison.difference, mark.comparison.low, mark.comparison.high, mark.p_adjusted)
    assert [lines[TUNED, "wer"][name] for name in BASE_FIELDS] == ["mine", *map(precise, numbers), "worse"]
    assert {lines[name, "wer"]["base"] for name in ("mine", "noise", "ground-truth", "V2A-MelSpec-S")} == {""}


def test_the_json_holds_every_measured_number_and_no_other(made: Table) -> None:
    found = json.loads(json_text(made))
    lines = {key: float(line["value"]) for key, line in tidy(made).items() if line["group"] != "reported"}
    assert {(name, metric): value for name, row in found.items() for metric, value in row.items()} == lines
    assert list(found) == sorted(found)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e6, 1e6))
def test_precise_keeps_twelve_digits(value: float) -> None:
    assert float(precise(value)) == pytest.approx(value, rel=1e-11)


def test_every_file_is_the_same_every_time_or_not_there(made: Table, tmp_path: Path) -> None:
    for out in ("a", "b"):
        save(made, tmp_path / out)
    names = [f"{SPLIT}.{ending}" for ending in ("csv", "json", "md", "tex")]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    bad = tmp_path / "claims.yaml"
    bad.write_text("claims: 3\n", encoding="utf-8")
    with pytest.raises(UseError, match="must hold a list"):
        build(made.results.measured, claims=bad)


# ---------------------------------------------------------------- on the command line


@pytest.fixture
def project(tmp_path: Path, measured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = Path.cwd()
    (tmp_path / "results").mkdir()
    for name in ("reported.csv", "claims.yaml"):
        (tmp_path / "results" / name).symlink_to(root / "results" / name)
    (tmp_path / "results/measured").symlink_to(measured)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_chosen_table_is_written_only_where_it_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["table", SPLIT, "--base", TUNED, "--columns", "stoi,wer"]) == 0
    assert capsys.readouterr().out.endswith("table: nothing written; --out DIR writes it\n")
    assert cli.main(["table", SPLIT, "--base", TUNED, "--out", "own", "--quiet"]) == 0
    assert capsys.readouterr().out == f"table: own/{SPLIT}.md (and .csv, .tex, .json)\n"
    assert not Path("results/tables").exists()
    assert cli.main(["table", SPLIT]) == 0
    assert Path(f"results/tables/{SPLIT}.md").is_file()


def test_scores_of_two_folders_make_a_table_too(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside of any project: neither reported numbers nor claims nor params.yaml are asked for."""
    (tmp_path / "my-scores").symlink_to(measured / SPLIT)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["table", "--scores", "my-scores/", "--systems", "yours,mine", "--out", "own"]) == 0
    out = capsys.readouterr().out
    assert "Against yours" in out
    assert not re.search("Reported|Claim", out)
    (page,) = Path("own").glob("*.md")
    assert page.read_text(encoding="utf-8").startswith("<!-- Generated by `v2sbench table --scores ")
    assert cli.main(["table", "--scores", "nowhere"]) == 2
    assert "no scores under" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--quiet", "--base", TUNED], "writes nothing; give --out DIR"),
        (["--show", "--out", "own"], "give one of them"),
        (["--protocols", "--columns", "stoi"], "drop --base, --columns"),
        (["--protocols"], f"v2sbench score SYSTEM --split {SPLIT} --protocol all"),
        (["--scores", "my-scores"], "exclude each other"),
    ],
)
def test_options_that_do_not_go_together(
    project: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert cli.main(["table", SPLIT, *options]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
