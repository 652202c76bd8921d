"""Transcripts are kept by audio and recogniser, for several processes at once; a damaged file is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from v2sbench.runtime import UseError
from v2sbench.scoring.transcripts import Transcripts


def test_what_was_heard_is_found_again(tmp_path):
    path = tmp_path / "deep" / "t.sqlite"
    with_first = Transcripts(path, "a/1")
    with_first.put({"x": "bin blue", "y": ""})
    assert with_first.get("x") == "bin blue"
    with_first.close()
    again = Transcripts(path, "a/1", readonly=True)
    assert (again.get("x"), again.get("y"), again.get("z")) == ("bin blue", "", None)
    assert Transcripts(path, "a/2").get("x") is None, "another recogniser, another transcript"


def test_without_a_path_they_last_as_long_as_the_run(tmp_path):
    first = Transcripts(None, "a")
    first.put({"x": "bin"})
    assert first.get("x") == "bin"
    assert Transcripts(None, "a").get("x") is None


def test_reading_makes_no_file(tmp_path):
    path = tmp_path / "none.sqlite"
    assert Transcripts(path, "a", readonly=True).get("x") is None
    assert not path.exists()


def test_a_damaged_file_is_said(tmp_path):
    path = tmp_path / "t.sqlite"
    path.write_bytes(b"not a data base, but long enough to be taken for one" * 20)
    with pytest.raises(UseError, match=r"t.sqlite: .*delete it, or set V2S_CACHE"):
        Transcripts(path, "a")


PROGRAM = """
import sys
from pathlib import Path
from v2sbench.transcripts import Transcripts
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
