"""Stored scores: what is torn is left out, what is whole is kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.runtime import UseError
from v2sbench.scoring.scores import Journal, iter_scores, meta_path, read_scores, write_meta


@given(cut=st.integers(0, 300))
def test_a_journal_torn_anywhere_yields_whole_lines(tmp_path_factory, cut):
    out = tmp_path_factory.mktemp("journal") / "a.jsonl"
    lines = [{"clip": f"s1/{index}", "status": "ok", "key": "k", "stoi": 0.5} for index in range(4)]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    out.with_name("a.jsonl.part").write_bytes(text[:cut])
    held = Journal(out, lambda clip: "k")
    assert [held.line(line["clip"]) for line in lines if held.knows(line["clip"])] == lines[: len(held)]
    assert len(held) >= text[:cut].count(b"\n")


def test_scores_that_are_none(tmp_path):
    with pytest.raises(UseError, match="no scores"):
        read_scores(tmp_path / "none.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"clip": "a", "status": "ok"}\n{"clip"\n')
    with pytest.raises(UseError, match="line 2: not a line of scores"):
        read_scores(tmp_path / "bad.jsonl")


def test_a_pending_line_waits_until_it_is_finished(tmp_path):
    out = tmp_path / "scores" / "a.jsonl"
    line = {"clip": "a", "status": "ok", "key": "k"}
    with Journal(out, lambda clip: "k") as journal:
        journal.add(line | {"pending": True})
    again = Journal(out, lambda clip: "k")
    assert list(again.pending) == ["a"]
    assert not len(again)
    with again:
        again.add(line)
    assert not again.pending
    again.finish(["a"])
    assert read_scores(out) == [line]
    assert [path.name for path in out.parent.iterdir()] == ["a.jsonl"]


def test_a_line_whose_key_holds_no_more_is_dropped(tmp_path):
    out = tmp_path / "a.jsonl"
    out.write_text('{"clip": "a", "status": "ok", "key": "old"}\n{"clip": "b", "status": "ok", "key": "k"}\n')
    held = Journal(out, lambda clip: "k")
    assert (held.knows("a"), held.knows("b"), len(held)) == (False, True, 1)
    assert not len(Journal(out, lambda clip: None))


def test_lines_of_other_files_are_taken_over_when_they_hold(tmp_path):
    other, out = tmp_path / "other.jsonl", tmp_path / "a.jsonl"
    other.write_text(
        '{"clip": "a", "status": "ok", "key": "k", "stoi": 1}\n{"clip": "b", "status": "ok", "key": "x"}\n'
    )
    before = other.read_bytes()
    with Journal(out, lambda clip: "k", [other, tmp_path / "none.jsonl"]) as journal:
        assert journal.knows("a")
        assert not journal.knows("b")
        journal.add({"clip": "b", "status": "ok", "key": "k", "stoi": 2})
        journal.finish(["a", "b"])
    assert [line["stoi"] for line in iter_scores(out)] == [1, 2]
    assert other.read_bytes() == before


def test_a_closed_journal_takes_nothing(tmp_path):
    with pytest.raises(ValueError, match="not open"):
        Journal(tmp_path / "a.jsonl", lambda clip: "k").add({"clip": "a", "status": "ok"})


def test_meta_stands_beside(tmp_path):
    out = tmp_path / "deep" / "a.jsonl"
    write_meta(out, {"protocol": "v2sbench-1"})
    assert meta_path(out) == tmp_path / "deep" / "a.meta.json"
    assert json.loads(meta_path(out).read_text()) == {"protocol": "v2sbench-1"}
