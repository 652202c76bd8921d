"""Folders as people lay them out: both layouts, both formats, and never a guess."""

from __future__ import annotations

import pytest

from tests.trees import touch
from v2sbench.runtime import UseError
from v2sbench.scoring.folders import clips_of, locate


def test_locate_takes_both_layouts(tmp_path):
    touch(tmp_path / "nested", "s1/a.wav", "s2/b.flac", ".hidden.wav")
    touch(tmp_path / "flat", "a.wav", "b.FLAC", "notes.txt")
    for folder in ("nested", "flat"):
        found = locate(tmp_path / folder, ["s1/a", "s2/b", "s2/c"])
        assert [path and path.stem for path in found.values()] == ["a", "b", None]
    assert locate(tmp_path / "nested", ["b"])["b"] == tmp_path / "nested" / "s2" / "b.flac"
    assert clips_of(tmp_path / "nested") == ["s1/a", "s2/b"]


def test_locate_never_guesses_a_speaker(tmp_path):
    touch(tmp_path / "flat", "a.wav")
    with pytest.raises(UseError, match="one of several speakers"):
        locate(tmp_path / "flat", ["s1/a", "s2/a"])
    touch(tmp_path / "nested", "s1/a.wav", "s2/a.wav")
    with pytest.raises(UseError, match="one of several speakers"):
        locate(tmp_path / "nested", ["a"])
    assert locate(tmp_path / "nested", ["s3/a", "s1/a"])["s3/a"] is None


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no folder"),
        (["README"], "no .wav or .flac file under [^,]*$"),
        (["s1/a.mp3", "s1/b.mp3", "readme.txt"], "no .wav or .flac file .*, but 2 .mp3, 1 .txt: convert them"),
        (["s1/a.wav", "s1/a.flac"], "has s1/a twice"),
        (["s9/z.wav"], r"none of the 1 clips: s1/a.wav is wanted, s9/z.wav is there"),
    ],
)
def test_wrong_folders(tmp_path, names, says):
    touch(tmp_path / "wavs", *names)
    with pytest.raises(UseError, match=says):
        locate(tmp_path / "wavs", ["s1/a"])
