"""Tables as a paper prints them: the best in bold, every mark explained, LaTeX that compiles."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import fake_scores, latex
from v2sbench.results import tables, wording
from v2sbench.results.sheet import Table, build
from v2sbench.results.wording import BOLD, best

SPLIT = "grid33-unseen"
SCRATCH, FROZEN, TUNED = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "frozen", "tuned"))


def constant(level: float, count: int = 30) -> list[dict[str, Any]]:
    """Utterances that all have one STOI, so that ties can be made; and one WER of 3 in 6 words."""
    wer = {"sub": 3, "del": 0, "ins": 0, "words": 6}
    return [{"clip": f"c{index}", "status": "ok", "stoi": level, "wer": wer} for index in range(count)]


def table_of(folder: Path, systems: dict[str, list[dict[str, Any]]], **meta: Any) -> Table:
    for name, lines in systems.items():
        fake_scores.write(folder / SPLIT, name, lines, **meta)
    return build(SPLIT, measured=folder)


def row(text: str, system: str) -> dict[str, str]:
    """A row of the first Markdown table: heading without its arrow -> cell."""
    head, line = (
        next(line for line in text.splitlines() if re.match(rf"\| {re.escape(name)}[§ ]", line))
        for name in ("system", system)
    )
    heads, cells = ([cell.strip() for cell in text.strip("|").split("|")] for text in (head, line))
    return {name.rstrip(" ↑↓"): cell for name, cell in zip(heads, cells, strict=True)}


# ---------------------------------------------------------------- bold


def test_the_best_of_the_compared_is_bold_and_ceilings_do_not_compete(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    table = build(SPLIT, measured=tmp_path)
    assert best(table) == {(TUNED, metric) for metric in ("pesq_wb", "pesq_nb8", "stoi", "estoi", "wer")}
    text = tables.markdown(table)
    assert re.fullmatch(r"\*\*0\.\d{3}\*\* \[0\.\d{3}, 0\.\d{3}\]", row(text, TUNED)["STOI"])
    assert not [
        cell for name in ("ground-truth", "griffin-lim", SCRATCH) for cell in row(text, name).values() if "**" in cell
    ]
    assert f"- {BOLD}" in text


def test_what_is_printed_alike_is_bold_alike(tmp_path: Path) -> None:
    levels = {SCRATCH: 0.5, FROZEN: 0.70041, TUNED: 0.6999, "mine": 0.69951}
    table = table_of(tmp_path, {name: constant(level) for name, level in levels.items()})
    assert best(table) == {(name, "wer") for name in levels} | {(FROZEN, "stoi"), (TUNED, "stoi"), ("mine", "stoi")}
    text = tables.markdown(table)
    assert row(text, "mine")["STOI"].startswith("**0.700** [")
    assert row(text, FROZEN)["STOI"].startswith("**0.700"), "the mark of a difference stands within"


def test_one_system_alone_is_not_the_best(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"ground-truth": constant(1.0), TUNED: constant(0.6)})
    assert best(table) == set()
    for layout in (tables.markdown, tables.latex):
        assert BOLD not in layout(table)
        assert TUNED in layout(table)


def test_a_selection_has_a_best_of_its_own(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    assert best(build(SPLIT, measured=tmp_path, only=[SCRATCH, FROZEN], columns=["stoi"])) <= {
        (SCRATCH, "stoi"), (FROZEN, "stoi"),
    }  # fmt: skip
    assert best(build(SPLIT, measured=tmp_path, only=[SCRATCH, FROZEN], columns=["stoi"]))


@pytest.mark.parametrize(
    ("meta", "out"),
    [
        ({"protocol": "svts-2022"}, {"stoi", "wer"}),
        ({"asr": "whisper"}, {"wer"}),
        ({"versions": {**fake_scores.VERSIONS, "stoi": "0"}}, {"stoi"}),
    ],
)
def test_numbers_made_by_other_rules_do_not_compete(tmp_path: Path, meta: dict[str, Any], out: set[str]) -> None:
    lines = [{**line, "wer": {"sub": 0, "del": 0, "ins": 0, "words": 6}} for line in constant(0.9)]
    fake_scores.write(tmp_path / SPLIT, "mine", lines, **meta)
    known = {"ground-truth": constant(1.0), SCRATCH: constant(0.5), TUNED: constant(0.6)}
    found = best(table_of(tmp_path, known))
    for metric in ("stoi", "wer"):
        winners = {name for name, column in found if column == metric}
        assert ("mine" in winners) == (metric not in out), metric


def test_a_terminal_shows_bold_letters_and_a_file_does_not(tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, SPLIT)
    table = build(SPLIT, measured=tmp_path)
    plain, bold = tables.console(table), tables.console(table, bold=True)
    assert "\033" not in plain
    assert BOLD not in plain
    assert len(re.findall(r"\033\[1m[\d.]+\033\[0m", bold)) == len(best(table)) == 5
    assert BOLD in bold
    stripped = re.sub(r"\033\[\d+m", "", bold).replace(f"{BOLD}\n", "")
    assert [line.rstrip() for line in stripped.splitlines()] == [line.rstrip() for line in plain.splitlines()]


# ---------------------------------------------------------------- marks and their notes


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A table that has every mark there is: bad recogniser, other protocol, differences from a base, reported WER."""
    folder = tmp_path_factory.mktemp("marked")
    fake_scores.write_all(folder, SPLIT)
    bad = {"sub": 3, "del": 0, "ins": 0, "words": 6}
    lines = [{**line, "wer": bad} for line in fake_scores.scores(1.0, 40)]
    fake_scores.write(folder / SPLIT, "ground-truth", lines)
    fake_scores.write(folder / SPLIT, "mine", fake_scores.scores(0.56, 40, 9))
    fake_scores.write(folder / SPLIT, "yours", fake_scores.scores(0.7, 40, 9), protocol="svts-2022")
    return build(SPLIT, measured=folder)


def test_every_mark_of_a_number_has_its_footnote(marked: Table) -> None:
    cells = " ".join(cell for line in marked.shown for cell in wording.line(marked, line))
    for mark in "†‡§▲▼":
        assert mark in cells, "the table of this test has all of them"
        (note,) = [note for note in wording.notes(marked) if mark in note.split()[:2]]
        for layout, form in ((tables.markdown, f"- {note}"), (tables.console, note), (tables.latex, tables._tex(note))):
            assert form in layout(marked)


def test_a_table_without_marks_explains_none(tmp_path: Path) -> None:
    fake_scores.write(tmp_path / SPLIT, TUNED, constant(1.0))
    assert not re.search("[†‡§▲▼]", tables.markdown(build(SPLIT, measured=tmp_path, only=[TUNED], columns=["stoi"])))


# ---------------------------------------------------------------- LaTeX


def test_latex_sets_the_best_in_bold_and_intervals_below(marked: Table) -> None:
    rows = latex.check(tables.latex(marked))
    place = next(index for index, cells in enumerate(rows) if cells[0] == TUNED)
    column = next(index for index, head in enumerate(rows[0]) if head.startswith("STOI"))
    number, spread = rows[place][column], rows[place + 1][column]
    assert re.fullmatch(r"\\textbf\{0\.\d{3}(\\textsuperscript\{\$\\bigtriangleup\$\})?\}", number)
    assert re.fullmatch(r"\{\\tiny \[0\.\d{3}, 0\.\d{3}\]\}", spread)
    assert tables._tex(BOLD) in tables.latex(marked)
    reported = next(index for index, cells in enumerate(rows) if "V2A-MelSpec-S" in cells[0])
    assert rows[reported + 1][0], "a reported row has no interval"


def test_rows_stand_in_the_papers_order(tmp_path: Path) -> None:
    names = [f"v2a-{model}-{identity}-{init}" for model in ("wave", "mel-s", "mel-m")
             for identity in ("speaker", "face") for init in ("scratch", "frozen", "tuned")]  # fmt: skip
    table = table_of(tmp_path, {name: constant(0.5, 3) for name in reversed(names)})
    rows = [cells[0] for cells in latex.check(tables.latex(table)) if cells[0].startswith("v2a-")]
    assert rows == names


def test_latex_has_no_column_that_says_nothing(marked: Table, tmp_path: Path) -> None:
    fake_scores.write_all(tmp_path, "demo-seen")
    plain = latex.check(tables.latex(build("demo-seen", measured=tmp_path)))
    assert [re.sub(r" \$.*", "", head) for head in plain[0]] == [
        "system", "vocoder", "PESQ-WB", "PESQ-NB", "STOI", "ESTOI", r"WER \%", "n", "failed",
    ]  # fmt: skip
    assert {"init", "identity", "source"} < set(latex.check(tables.latex(marked))[0])


def test_minus_signs_are_set_as_such() -> None:
    assert tables._tex("[-0.012, 0.003] -0.5, +1.3 [-5.3, +7.9] x-5 5-95 mel-s_1") == (
        r"[$-$0.012, 0.003] $-$0.5, +1.3 [$-$5.3, +7.9] x-5 5-95 mel-s\_1"
    )


def test_what_follows_the_table_is_text_that_runs_over_pages(marked: Table) -> None:
    table, _, text = tables.latex(marked).partition(r"\end{table*}")
    assert r"\S{} yours was scored" in table
    assert "against mine: " not in table
    assert text.count(" against mine: ") == len(marked.marks)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine: the parser stands in")
def test_latex_compiles_and_is_no_wider_than_the_page(marked: Table, tmp_path: Path) -> None:
    assert "undefined control sequence" not in latex.typeset(tables.latex(marked), tmp_path).lower()
    fake_scores.write_all(tmp_path, "demo-seen")
    said = latex.typeset(tables.latex(build("demo-seen", measured=tmp_path)), tmp_path)
    assert not re.search(r"Overfull|too large", said)


@pytest.mark.parametrize("layout", [tables.markdown, tables.latex, tables.console])
def test_the_same_scores_give_the_same_text(marked: Table, layout: Callable[[Table], str]) -> None:
    assert layout(marked) == layout(marked)
