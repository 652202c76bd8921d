"""Stored scores: what is torn is left out, what is impossible refused; transcripts for several processes at once."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.runtime import UseError
from v2sbench.scoring import meta_path, read_scores
from v2sbench.scoring.scores import Journal, write_meta
from v2sbench.scoring.transcripts import Transcripts

LINE = {"clip": "a", "status": "ok", "key": "k"}


def stored(out, *lines):
    """The lines as a run writes them, with their sums; the file's bytes."""
    with Journal(out, lambda clip: None) as journal:
        for line in lines:
            journal.add(line)
        journal.finish(line["clip"] for line in lines)
    return out.read_bytes()


def kept(out, known=()):
    """Clips of which a run that asks for the key k keeps the line."""
    with Journal(out, lambda clip: "k", known) as journal:
        return "".join(clip for clip in "abcd" if journal.knows(clip))


@given(cut=st.integers(0, 400))
def test_a_journal_torn_anywhere_yields_whole_lines(tmp_path_factory, cut):
    out = tmp_path_factory.mktemp("journal") / "a.jsonl"
    lines = [LINE | {"clip": clip, "stoi": 0.5} for clip in "abcd"]
    text = stored(out, *lines)
    out.unlink()
    out.with_name("a.jsonl.part").write_bytes(text[:cut])
    with Journal(out, lambda clip: "k") as held:
        assert len(held) >= text[:cut].count(b"\n")
        for line in lines[len(held) :]:
            held.add(line)
        held.finish("abcd")
    assert out.read_bytes() == text


def test_a_pending_line_waits_until_it_is_finished(tmp_path):
    out = tmp_path / "scores" / "a.jsonl"
    with Journal(out, lambda clip: "k") as journal:
        journal.add(LINE | {"pending": True})
    with pytest.raises(ValueError, match="closed"):
        journal.add(LINE)
    with Journal(out, lambda clip: "k") as again:
        assert (again.pending, len(again)) == (["a"], 0)
        again.add(LINE)
        assert not again.pending
        again.finish(["a"])
    (line,) = read_scores(out)
    assert line.items() >= LINE.items()
    assert [path.name for path in out.parent.iterdir()] == ["a.jsonl"]


def test_lines_are_kept_while_they_hold_and_from_other_files_too(tmp_path):
    other, out = tmp_path / "other.jsonl", tmp_path / "a.jsonl"
    before = stored(other, LINE, LINE | {"clip": "b", "key": "another"})
    assert kept(out, [other, tmp_path / "none.jsonl"]) == "a"
    stored(out, LINE | {"clip": "c"}, LINE)
    assert kept(out, [other]) == "ac"
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1.5", b"4.5"),
        (b'"ok"', b'"partial"'),
        (b'"pesq_wb": 1.5, ', b""),
        (b'"a"', b'"b"'),
        (b'"sum"', b'"was"'),
        (b'{"c', b'{"hyp": "bin", "c'),
        (b"1.5", b"[" * 100_000),
        (b'"ok"', b'"\xff"'),
        (b'"ok"', b"7"),
    ],
)
def test_a_line_that_was_edited_is_not_kept(tmp_path, old, new):
    out = tmp_path / "a.jsonl"
    text = stored(out, LINE | {"pesq_wb": 1.5}, LINE | {"clip": "c"})
    assert kept(out) == "ac"
    out.with_name("a.jsonl.part").unlink()
    first, second = text.splitlines(keepends=True)
    assert old in first
    out.write_bytes(first.replace(old, new) + second)
    assert kept(out) == "c"
    if new != b'"was"':  # files without sums are others' work, and tables take them
        with pytest.raises(UseError, match="score again"):
            read_scores(out)


def test_one_run_at_a_time_has_the_journal(tmp_path):
    with Journal(tmp_path / "a.jsonl", lambda clip: "k") as journal:
        journal.add(LINE)
        with pytest.raises(UseError, match="another run"):
            Journal(tmp_path / "a.jsonl", lambda clip: "k")
        with Journal(tmp_path / "b.jsonl", lambda clip: "k") as other:
            assert not len(other)
    with Journal(tmp_path / "a.jsonl", lambda clip: "k") as journal:
        assert journal.knows("a")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"stoi": 74.3}, "stoi of clip b must be a number from -1 to 1, not 74.3"),
        ({"pesq_wb": float("nan")}, "pesq_wb of clip b"),
        ({"pesq_wb": "2.1"}, "pesq_wb of clip b"),
        ({"wer": 12.5}, "wer of clip b must be edit counts"),
        ({"wer": {"sub": -1, "del": 0, "ins": 0, "words": 6}}, "wer of clip b"),
        ({"wer": {"sub": 1, "del": 0, "ins": 0, "words": 0}}, "wer of clip b"),
        ({"mcd": float("inf")}, "mcd of clip b"),
    ],
)
def test_values_that_cannot_be_are_refused(tmp_path, values, names):
    possible = {"stoi": -0.2, "pesq_raw": -0.67, "mcd": 40.0, "wer": {"sub": 9, "del": 0, "ins": 9, "words": 6}}
    lines = [LINE | possible, LINE | {"clip": "b"} | values]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UseError, match=names):
        read_scores(tmp_path / "a.jsonl")


def test_scores_that_are_none(tmp_path):
    with pytest.raises(UseError, match="no scores"):
        read_scores(tmp_path / "none.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"clip": "a", "status": "ok"}\n{"clip"\n')
    with pytest.raises(UseError, match="line 2: not a line of scores"):
        read_scores(tmp_path / "bad.jsonl")


def test_meta_stands_beside(tmp_path):
    out = tmp_path / "deep" / "a.jsonl"
    write_meta(out, {"protocol": "v2sbench-1"})
    assert meta_path(out) == tmp_path / "deep" / "a.meta.json"
    assert json.loads(meta_path(out).read_text()) == {"protocol": "v2sbench-1"}


# ---------------------------------------------------------------- transcripts


def test_what_was_heard_is_found_again_unless_it_was_edited(tmp_path):
    path = tmp_path / "deep" / "t.sqlite"
    assert Transcripts(path, "a/1", readonly=True).get("x") is None
    assert not path.exists(), "reading makes no file"
    first = Transcripts(path, "a/1")
    first.put({"x": "bin blue", "y": ""})
    assert first.get("x") == "bin blue"
    first.close()
    again = Transcripts(path, "a/1", readonly=True)
    assert (again.get("x"), again.get("y"), again.get("z")) == ("bin blue", "", None)
    assert Transcripts(path, "a/2").get("x") is None, "another recogniser, another transcript"
    assert Transcripts(None, "a/1").get("x") is None, "without a path they last as long as the run"
    for edited in ("'bin red'", "x'00ff'", "7"):
        with sqlite3.connect(path) as base:
            base.execute(f"UPDATE heard SET text = {edited} WHERE audio = 'x'")
        assert Transcripts(path, "a/1").get("x") is None
    Transcripts(path, "a/1").put({"x": "bin blue"})
    assert again.get("x") == "bin blue"


PROGRAM = """
import sys
from pathlib import Path
from v2sbench.scoring.transcripts import Transcripts
store = Transcripts(Path(sys.argv[1]), "a")
for index in range(20):
    store.put({f"{sys.argv[2]}-{index}": str(index), "shared": "same"})
"""


def test_two_processes_write_at_once(tmp_path):
    path = tmp_path / "t.sqlite"
    runs = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), name]) for name in "pq"]
    assert [run.wait() for run in runs] == [0, 0]
    store = Transcripts(path, "a")
    assert all(store.get(f"{name}-{index}") == str(index) for name in "pq" for index in range(20))
    assert store.get("shared") == "same"
