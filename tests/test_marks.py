"""Tables with a base: who is compared with whom, marks in every layout, selections, and other protocols' columns."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores, latex
from v2sbench import cli
from v2sbench.results import bootstrap as stats
from v2sbench.results import measured as results
from v2sbench.results import paired, tables, wording
from v2sbench.results.published import BARE_PESQ
from v2sbench.results.sheet import BASE_FIELDS, CSV_FIELDS, Table, build, csv_text
from v2sbench.runtime import UseError

SPLIT = "grid33-unseen"
SCRATCH, FROZEN, TUNED = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "frozen", "tuned"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All systems of the suite, and two users': one better than all variants, one like the frozen one."""
    folder = tmp_path_factory.mktemp("measured")
    split = fake_scores.write_all(folder, SPLIT)
    fake_scores.write(split, "mine", fake_scores.scores(0.7, 40, 9), vocoder="")
    fake_scores.write(split, "yours", fake_scores.scores(0.51, 40, 11), vocoder="")
    return folder


@pytest.fixture(scope="module")
def table(measured: Path) -> Table:
    return build(SPLIT, measured=measured)


def cell(text: str, system: str, metric: str) -> str:
    """A cell of the first Markdown table."""
    lines = [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    (row,) = [line for line in lines if line[0].rstrip("§") == system and len(line) == len(lines[0])]
    return row[next(index for index, head in enumerate(lines[0]) if head.startswith(metric))]


# ---------------------------------------------------------------- who is compared with whom


def test_without_a_users_system_nothing_is_marked(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    found = build(SPLIT, measured=tmp_path)
    assert (found.base, found.marks) == ("", ())
    assert csv_text(found).splitlines()[0] == ",".join(CSV_FIELDS)
    assert not re.search("[▲▼]", tables.markdown(found))
    assert "Against" not in tables.markdown(found)


def test_the_first_users_system_is_the_base_of_variants_and_of_other_users(table: Table) -> None:
    assert table.base == "mine"
    assert {item.left for item in table.marks} == {SCRATCH, FROZEN, TUNED, "yours"}
    assert {item.right for item in table.marks} == {"mine"}
    assert [item.metric for item in table.marks[:5]] == ["pesq_wb", "pesq_nb8", "stoi", "estoi", "wer"]
    assert {item.outcome for item in table.marks} == {"worse"}


def test_any_system_can_be_the_base(measured: Path) -> None:
    found = build(SPLIT, measured=measured, base=FROZEN)
    said = {(item.left, item.metric): item.outcome for item in found.marks}
    assert said["mine", "wer"] == said[TUNED, "stoi"] == "better"
    assert said["yours", "wer"] == "inconclusive"
    assert "noise" not in {item.left for item in found.marks}
    below = build(SPLIT, measured=measured, base="noise")
    assert {item.outcome for item in below.marks} == {"better"}


def test_p_values_are_corrected_over_all_that_is_compared(table: Table, measured: Path) -> None:
    plain = [item.comparison.p for item in table.marks if item.comparison]
    assert len(plain) == 20
    assert [item.p_adjusted for item in table.marks] == stats.holm(plain)
    alone = build(SPLIT, measured=measured, only=["mine", TUNED], columns=["stoi"])
    (mark,) = alone.marks
    assert mark.comparison is not None
    assert mark.p_adjusted == mark.comparison.p
    assert "corrected by Holm over these 20 comparisons" in tables.markdown(table)


def test_unequal_protocols_are_printed_as_not_comparable(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    fake_scores.write(tmp_path / SPLIT, "mine", fake_scores.scores(0.7, 40, 9), protocol="svts-2022")
    found = build(SPLIT, measured=tmp_path)
    assert {item.comparison for item in found.marks} == {None}
    for layout in (tables.markdown, tables.latex, tables.console):
        text = layout(found)
        assert "not comparable: protocol differs" in text
        assert not re.search(r"\d[▲▼]", text)
    assert "corrected by Holm over these" not in tables.markdown(found)
    assert "mine§" in tables.markdown(found)


def test_another_recogniser_spoils_the_wer_alone(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    fake_scores.write(tmp_path / SPLIT, "mine", fake_scores.scores(0.7, 40, 9), asr="whisper")
    found = build(SPLIT, measured=tmp_path)
    said = {(item.left, item.metric): item for item in found.marks}
    assert said[TUNED, "stoi"].outcome == "worse"
    assert said[TUNED, "wer"].why_not.startswith("asr differs")
    text = tables.markdown(found)
    assert "§ mine was heard by recogniser whisper: its WER is not comparable" in text
    assert cell(text, TUNED, "STOI").split()[0].endswith("▼")
    assert cell(text, TUNED, "WER")[-1] == "]"


def test_a_system_without_a_recogniser_is_not_odd(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    lines = [{key: value for key, value in line.items() if key != "wer"} for line in fake_scores.scores(0.7, 40, 9)]
    fake_scores.write(tmp_path / SPLIT, "mine", lines, asr=None)
    found = build(SPLIT, measured=tmp_path)
    assert "§" not in tables.markdown(found)
    assert {item.metric for item in found.marks} == {"pesq_wb", "pesq_nb8", "stoi", "estoi"}


def test_few_utterances_mark_nothing(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT, count=8)
    fake_scores.write(tmp_path / SPLIT, "mine", fake_scores.scores(0.7, 8, 9))
    found = build(SPLIT, measured=tmp_path)
    assert {item.outcome for item in found.marks} == {"inconclusive"}
    assert "inconclusive (fewer than 20 utterances)" in tables.markdown(found)


# ---------------------------------------------------------------- how it is shown


def test_marks_stand_at_the_numbers_and_are_explained(table: Table) -> None:
    text = tables.markdown(table)
    assert re.fullmatch(r"0\.\d{3}▼ \[.*\]", cell(text, TUNED, "STOI"))
    assert re.fullmatch(r"\d+\.\d▼ \[.*\]", cell(text, "yours", "WER"))
    assert re.fullmatch(r"\*\*0\.\d{3}\*\* \[.*\]", cell(text, "mine", "STOI"))
    assert re.fullmatch(r"0\.\d{3} \[.*\]", cell(text, "noise", "STOI"))
    assert "- ▲ ▼ Significantly better, worse than mine: " in text
    assert "## Against mine\n" in text
    assert "\nAgainst mine\n" in tables.console(table)


def test_the_csv_says_what_the_marks_say(table: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert tuple(lines[0]) == (*CSV_FIELDS, *BASE_FIELDS)
    said = {(line["system"], line["metric"]): line for line in lines if line["group"] != "reported"}
    mark = next(item for item in table.marks if (item.left, item.metric) == (TUNED, "wer"))
    line = said[TUNED, "wer"]
    assert mark.comparison is not None
    assert (line["base"], line["base_outcome"]) == ("mine", "worse")
    assert float(line["base_difference"]) == pytest.approx(mark.comparison.difference, rel=1e-11)
    assert float(line["base_p_holm"]) == pytest.approx(mark.p_adjusted, rel=1e-11)
    assert float(line["base_low"]) < float(line["base_difference"]) < float(line["base_high"])
    assert {said[name, "wer"]["base"] for name in ("mine", "noise", "ground-truth")} == {""}
    assert {line["base"] for line in lines if line["group"] == "reported"} == {""}


def test_the_latex_of_every_kind_of_table_parses(table: Table, measured: Path, tmp_path: Path) -> None:
    rows = latex.check(tables.latex(table))
    heads = [re.sub(r" \$\\\w+\$", "", head) for head in rows[0]]
    named = {row[0]: dict(zip(heads, row, strict=True)) for row in rows if len(row) == len(heads)}
    assert named[TUNED]["STOI"].split(" ")[0].endswith(r"\textsuperscript{$\bigtriangledown$}")
    assert r"\textsuperscript" not in named["mine"]["STOI"]
    assert named[r"\textit{V2A-MelSpec-S}"]["source"] == r"\cite{kefalas2024} (secondary)"
    latex.check(tables.latex(build(SPLIT, measured=measured, base="noise", columns=["stoi"])))
    fake_scores.write(tmp_path / SPLIT, "my_own~100%&#1", fake_scores.scores(0.7, 3, 9), vocoder="a\\b{c}^<d>$")
    latex.check(tables.latex(build(SPLIT, measured=tmp_path)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"\begin{tabular}{lr}a & b \\ c\\\end{tabular}", "c"),
        (r"\begin{tabular}{lr}a & \textbf{b\\\end{tabular}", "never closed"),
        (r"\begin{tabular}{lr}a & 3_2\\\end{tabular}", "bare _"),
        (r"\begin{tabular}{l}a\uparrow\\\end{tabular}", "unknown command"),
        (r"\begin{tabular}{l}5 ▲\\\end{tabular}", "▲"),
        (r"\begin{tabular}{l}a\\[b\\\end{tabular}", "option of the line end"),
    ],
)
def test_the_parser_refuses_what_latex_would(text: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        latex.check(text)


# ---------------------------------------------------------------- a table of one's own choice


def test_only_what_was_chosen_is_shown(measured: Path) -> None:
    found = build(SPLIT, measured=measured, only=[TUNED, "mine", "SVTS"], columns=["wer", BARE_PESQ])
    text = tables.markdown(found)
    assert [row.system for row in found.shown] == ["SVTS", TUNED, "mine"]
    assert found.base == TUNED, "the first that was named"
    assert "STOI" not in text.split("\n- ")[0]
    assert "claims" not in text
    assert "recogniser grid-grammar/test; its WER on the ground truth is 0.0 %" in text
    assert f"--systems {TUNED},mine,SVTS --columns wer,pesq --base {TUNED}`" in text.splitlines()[0]
    assert {line["system"] for line in csv.DictReader(io.StringIO(csv_text(found)))} == {"SVTS", TUNED, "mine"}


def test_pairs_of_a_selection_are_those_of_its_rows(measured: Path) -> None:
    found = build(SPLIT, measured=measured, only=[SCRATCH, TUNED], columns=["stoi", "estoi"])
    assert {(pair.left.name, pair.right.name, pair.metric) for pair in found.pairs} == {
        (TUNED, SCRATCH, "stoi"), (TUNED, SCRATCH, "estoi"),
    }  # fmt: skip
    plain = [pair.comparison.p for pair in found.pairs if pair.comparison]
    assert [pair.p_adjusted for pair in found.pairs] == stats.holm(plain), "corrected over what is printed"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"only": ["mien"]}, "unknown system 'mien', did you mean 'mine'"),
        ({"columns": ["stio"]}, "unknown metric 'stio', did you mean 'stoi'"),
        ({"columns": ["cer"]}, "no system of grid33-unseen was scored in cer; run: v2sbench score SYSTEM"),
        ({"base": "min"}, "unknown system 'min', did you mean 'mine'"),
        ({"base": "SVTS"}, "unknown system 'SVTS'"),
    ],
)
def test_a_choice_that_is_not_there_is_named(measured: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UseError, match=re.escape(said)):
        build(SPLIT, measured=measured, **options)


def test_further_metrics_are_columns_when_they_are_asked_for(tmp_path: Path) -> None:
    for name, wrong in (("mine", 2), ("yours", 9)):
        counts = {"sub": wrong, "del": 0, "ins": 0, "chars": 20}
        lines = [{"clip": f"c{index}", "status": "ok", "stoi": 0.5, "cer": counts} for index in range(30)]
        fake_scores.write(tmp_path / SPLIT, name, lines)
    assert "CER" not in tables.markdown(build(SPLIT, measured=tmp_path))
    text = tables.markdown(build(SPLIT, measured=tmp_path, columns=["cer"]))
    assert cell(text, "mine", "CER %") == "**10.0** [10.0, 10.0]"
    assert cell(text, "yours", "CER %") == "45.0▼ [45.0, 45.0]"
    assert wording.digits("mcd") == 2


def test_a_protocols_own_metrics_are_its_columns(tmp_path: Path) -> None:
    lines = [{"clip": f"c{index}", "status": "ok", "pesq_raw8": 2.0, "stoi_int16": 0.5, "stoi": 0.6,
              "wer": {"sub": 1, "del": 1, "ins": 0, "words": 4}} for index in range(30)]  # fmt: skip
    lines[0]["pesq_raw8"] = None
    lines[0]["errors"] = {"pesq_raw8": "pesq-failed"}
    fake_scores.write(tmp_path / SPLIT, "mine", lines, protocol="evalaudio-2020")
    text = tables.markdown(build(SPLIT, measured=tmp_path))
    assert cell(text, "mine", "PESQ-NB raw").startswith(f"{2.0 * 29 / 30:.3f} ["), "a failed PESQ is 0 in this mean"
    assert cell(text, "mine", "WER").startswith("66.7"), "edits over the three words of the transcript"
    assert "WER: mean of the utterances' (S+D+I)/N, N being the words of the transcript" in text
    assert "of which a failed PESQ is 0 in the mean above: PESQ-NB raw 1" in text


def test_a_program_that_stops_has_no_number_and_is_not_compared(tmp_path: Path) -> None:
    lines = fake_scores.scores(0.5, 30)
    lines[0] = {**lines[0], "pesq_nb8": None, "errors": {"pesq_nb8": "pesq-failed"}}
    fake_scores.write(tmp_path / SPLIT, "mine", lines, protocol="vca-gan-2021")
    fake_scores.write(tmp_path / SPLIT, "yours", fake_scores.scores(0.6, 30), protocol="vca-gan-2021")
    found = build(SPLIT, measured=tmp_path)
    text = tables.markdown(found)
    assert cell(text, "mine", "STOI") == ""
    assert cell(text, "yours", "STOI") != ""
    assert "mine: no PESQ-WB, PESQ-NB, STOI, ESTOI: the program behind vca-gan-2021 stops at a failed PESQ" in text
    assert {item.metric: item.why_not.split(":")[0] for item in found.marks} == {
        "pesq_wb": "mine", "pesq_nb8": "mine", "stoi": "mine", "estoi": "mine", "wer": "",
    }  # fmt: skip


def test_a_wer_against_what_is_heard_says_so(tmp_path: Path) -> None:
    for name, level in (("ground-truth", 1.0), ("mine", 0.5)):
        fake_scores.write(tmp_path / SPLIT, name, fake_scores.scores(level, 30), protocol="svts-2022")
    text = tables.markdown(build(SPLIT, measured=tmp_path))
    assert "against what the recogniser hears in the real audio, recogniser" in text
    assert "its WER on the ground truth is 0 by definition" in text


def test_scores_of_a_protocol_that_is_gone_are_named(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / SPLIT, "mine", fake_scores.scores(0.5, 3), protocol="v2sbench-0")
    with pytest.raises(UseError, match="mine was scored under protocol 'v2sbench-0', unknown here; score it again"):
        build(SPLIT, measured=tmp_path)


# ---------------------------------------------------------------- one comparison


def test_one_comparison_is_undecided_until_its_family_is_known(measured: Path) -> None:
    systems = results.load(SPLIT, measured)
    clips = results.asked(systems)
    found = paired.compare(SPLIT, "stoi", ("a", systems["mine"]), ("b", systems[TUNED]), clips)
    assert found.comparison is not None
    assert (found.left, found.right, found.outcome, found.p_adjusted) == ("a", "b", None, None)
    (alone,) = paired.decide([found])
    many = paired.decide([found] * 7)
    assert (alone.outcome, alone.p_adjusted) == ("better", found.comparison.p)
    assert {item.p_adjusted for item in many} == {7 * found.comparison.p}
    assert paired.compare(SPLIT, "cer", ("a", systems["mine"]), ("b", systems[TUNED]), clips).why_not == "not measured"


def test_the_other_way_round_is_the_negative(measured: Path) -> None:
    systems = results.load(SPLIT, measured)
    clips = results.asked(systems)
    sides = ("a", systems["mine"]), ("b", systems[TUNED])
    for metric in ("stoi", "wer"):
        one, other = paired.compare(SPLIT, metric, *sides, clips), paired.compare(SPLIT, metric, *sides[::-1], clips)
        assert one.comparison is not None
        assert other.comparison is not None
        assert one.comparison.difference == pytest.approx(-other.comparison.difference)
        assert one.comparison.low == pytest.approx(-other.comparison.high)


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
    assert not Path("results/tables").exists()
    assert cli.main(["table", SPLIT, "--base", TUNED, "--out", "own", "--quiet"]) == 0
    assert capsys.readouterr().out == f"table: own/{SPLIT}.md (and .csv, .tex, .json)\n"
    assert sorted(path.name for path in Path("own").iterdir()) == [
        f"{SPLIT}.{end}" for end in ("csv", "json", "md", "tex")
    ]
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
    assert "Reported" not in out
    assert "Claim" not in out
    (page,) = Path("own").glob("*.md")
    assert page.read_text(encoding="utf-8").startswith("<!-- Generated by `v2sbench table --scores ")
    assert cli.main(["table", "--scores", "nowhere"]) == 2
    assert "no scores under" in capsys.readouterr().err
    assert cli.main(["table", SPLIT, "--scores", "my-scores"]) == 2
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(Path("results").rglob("*.tex")), ids=str)
def test_the_tables_in_git_are_latex(path: Path) -> None:
    assert latex.check(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--quiet", "--base", TUNED], "writes nothing; give --out DIR"),
        (["--show", "--out", "own"], "give one of them"),
        (["--protocols", "--columns", "stoi"], "drop --base, --columns"),
        (["--protocols"], f"v2sbench score SYSTEM --split {SPLIT} --protocol all"),
        (["--systems", "mine,mien"], "unknown system 'mien'"),
    ],
)
def test_options_that_do_not_go_together(
    project: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert cli.main(["table", SPLIT, *options]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
