"""Folders and texts as people lay them out: both layouts, both formats, any spelling, and never a guess."""

from __future__ import annotations

import unicodedata

import pytest

from tests.trees import touch
from v2sbench.runtime import UseError
from v2sbench.scoring import clips_of, locate, read_texts


def test_locate_takes_both_layouts(tmp_path):
    touch(tmp_path / "nested", "s1/a.wav", "s2/b.flac", ".hidden.wav", ".a.wav.x/a.wav")
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


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_one_name_in_both_forms_of_unicode(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    name, same = (unicodedata.normalize(kind, "s1/jos\xe9") for kind in (form, other))
    touch(tmp_path / "wavs", f"{name}.wav")
    assert locate(tmp_path / "wavs", [same]) == {same: tmp_path / "wavs" / f"{name}.wav"}
    assert clips_of(tmp_path / "wavs") == [unicodedata.normalize("NFC", name)]
    (tmp_path / "t.tsv").write_text(f"{name}\tbin blue\n", encoding="utf-8")
    assert set(read_texts(tmp_path / "t.tsv")) == set(clips_of(tmp_path / "wavs"))
    touch(tmp_path / "wavs", f"{same}.wav")
    with pytest.raises(UseError, match="twice"):
        clips_of(tmp_path / "wavs")


def test_a_link_to_nothing_is_a_clip_that_is_missing(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to("nowhere.wav")
    assert clips_of(tmp_path) == ["a", "b"]


def test_texts_in_any_encoding_of_unicode_that_is_utf_8(tmp_path):
    path = tmp_path / "texts.tsv"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text("a\tBin \xe9\r\nb\tred\n", encoding=encoding)
        assert read_texts(path) == {"a": "bin \xe9", "b": "red"}
    for encoding in ("utf-16", "latin-1"):
        path.write_text("a\tBin \xe9\n", encoding=encoding)
        with pytest.raises(UseError, match=r"texts.tsv is not in UTF-8"):
            read_texts(path)
    path.write_text("a\tbin\nb red\n")
    with pytest.raises(UseError, match=r"texts\.tsv:2"):
        read_texts(path)
