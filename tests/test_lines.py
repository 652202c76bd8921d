"""Tables on disk: what is written is read, by place, by key and by column."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.clips import lines as module
from v2sbench.clips.lines import Lines, write_table

COLUMNS = ("id", "text", "number")
cells = st.text("ab\tc\r\n dé\N{MUSICAL SYMBOL G CLEF}", max_size=6)


@given(st.lists(st.tuples(cells, st.none() | cells, st.integers()), max_size=30), st.integers(1, 5), st.integers(5, 40))
def test_what_is_written_is_read(tmp_path_factory, rows, block, chunk):
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    write_table(path, COLUMNS, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "CHUNK", chunk)
        found = Lines(path, COLUMNS)
        assert len(found) == len(rows)
        assert list(found) == [found[at] for at in range(len(rows))] == found[:]
        assert found[1:-1:2] == list(found)[1:-1:2]
        assert [int(number) for number in found.column("number")] == [row[2] for row in rows]
    for line, (name, text, number) in zip(found, rows, strict=True):
        blank = [value.translate(str.maketrans("\t\r\n", "   ")) for value in (name, text or "")]
        assert line.split("\t") == [*blank, str(number)]


@given(st.sets(st.text("ab-/é\N{MUSICAL SYMBOL G CLEF}", min_size=1, max_size=5)), st.text("ab-/é", max_size=5))
def test_every_key_is_found_and_no_other(tmp_path_factory, names, other):
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    write_table(path, COLUMNS, [(name, "x" * len(name) ** 2, at) for at, name in enumerate(sorted(names))])
    found = Lines(path, COLUMNS)
    for at, name in enumerate(sorted(names)):
        assert found.find(name) == found[at]
    assert (found.find(other) is None) == (other not in names)


def test_places_outside_and_unknown_columns(tmp_path):
    write_table(tmp_path / "a.tsv", COLUMNS, [("a", None, 1)])
    found = Lines(tmp_path / "a.tsv", COLUMNS)
    assert found[-1] == "a\t\t1"
    with pytest.raises(IndexError):
        found[1]
    with pytest.raises(ValueError, match="not in tuple"):
        found.column("name")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("id\ttext\tnumber", "another version's"),
        ("id\tnumber\ttext\na\tb\t1\n", "another version's"),
        ("id\ttext\tnumber\na\tb\t1", "cut off"),
        ("id\ttext\tnumber\na\tb\n", "cut off"),
    ],
)
def test_damaged_tables(tmp_path, text, what):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(ValueError, match=what):
        Lines(tmp_path / "a.tsv", COLUMNS)


def test_a_line_in_the_middle_that_lacks_cells(tmp_path):
    (tmp_path / "a.tsv").write_text("id\ttext\tnumber\na\tb\nc\td\t2\n")
    found = Lines(tmp_path / "a.tsv", COLUMNS)
    assert found.find("c") == "c\td\t2"
    with pytest.raises(ValueError, match="not every line has 3 cells"):
        len(found)


def test_a_table_that_is_replaced_is_read_on_as_it_was(tmp_path):
    write_table(tmp_path / "a.tsv", COLUMNS, [("a", "old", 1)])
    found = Lines(tmp_path / "a.tsv", COLUMNS)
    write_table(tmp_path / "b.tsv", COLUMNS, [("b", "new", 1)] * 9)
    (tmp_path / "b.tsv").replace(tmp_path / "a.tsv")
    assert list(found) == ["a\told\t1"]
    assert len(pickle.loads(pickle.dumps(found))) == 9


def test_a_long_table_costs_eight_bytes_a_line(tmp_path):
    write_table(tmp_path / "a.tsv", COLUMNS, ((f"{at:06d}", "text", at) for at in range(20_000)))
    found = Lines(tmp_path / "a.tsv", COLUMNS)
    assert found.find("012345") == "012345\ttext\t12345"
    assert "_ends" not in vars(found)  # a key is found without a pass over the lines
    assert found[12_345] == "012345\ttext\t12345"
    assert found._ends.nbytes == 8 * 20_001
    assert np.array_equal(np.fromiter(map(int, found.column("number")), int), np.arange(20_000))
