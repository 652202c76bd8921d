"""Hi-Fi TTS: what its manifests list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.miniatures import fake
from tests.trees import put
from v2sbench.corpora import corpus, split
from v2sbench.corpora.hifitts import scan
from v2sbench.prepare.media import probe

SOUND = "audio/92_clean/10425/book_01_reader_0000.flac"


def manifest(*rows: Mapping[str, object]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


@pytest.mark.parametrize("inside", ["", "hi_fi_tts_v0/"])
def test_a_listed_sound_is_a_clip(tmp_path: Path, inside: str) -> None:
    media = put(tmp_path, f"{inside}{SOUND}")
    row = {"audio_filepath": SOUND, "text": "chapter 1", "text_normalized": "Chapter one."}
    put(tmp_path, f"{inside}92_manifest_clean_train.json", manifest(row))
    found = scan(tmp_path)
    (clip,) = found.clips
    assert (clip.id, clip.speaker, clip.media) == ("92/10425_book_01_reader_0000", "92", media)
    assert clip.text == "chapter one"
    assert found.layout == f"{inside}audio/92_clean/BOOK/*.flac (1)"
    assert not found.problems


@pytest.mark.parametrize(("row", "words"), [({"text": "A b."}, "a b"), ({}, None), ({"text_normalized": ""}, "")])
def test_texts(tmp_path: Path, row: dict[str, object], words: str | None) -> None:
    put(tmp_path, SOUND)
    put(tmp_path, "92_manifest_clean_test.json", manifest({"audio_filepath": SOUND} | row))
    assert [clip.text for clip in scan(tmp_path).clips] == [words]


def test_one_name_in_two_books_is_two_clips(tmp_path: Path) -> None:
    names = [SOUND, SOUND.replace("10425", "10426")]
    for name in names:
        put(tmp_path, name)
    put(tmp_path, "92_manifest_clean_dev.json", manifest(*({"audio_filepath": name} for name in names)))
    assert [clip.id for clip in scan(tmp_path).clips] == [
        "92/10425_book_01_reader_0000",
        "92/10426_book_01_reader_0000",
    ]


def test_a_part_of_the_corpus_is_a_good_corpus(tmp_path: Path) -> None:
    put(tmp_path, SOUND)
    rows = [{"audio_filepath": SOUND}, {"audio_filepath": SOUND.replace("0000", "0001")}]
    put(tmp_path, "92_manifest_clean_train.json", manifest(*rows))
    found = scan(tmp_path)
    assert len(found.clips) == 1
    assert not found.problems


def test_unusable_files_are_problems(tmp_path: Path) -> None:
    put(tmp_path, "11614_manifest_other_train.json", b"")
    put(tmp_path, "92_manifest_clean_train.json", manifest({"audio_filepath": SOUND}) + b'{"text": "a"}\n\n[1]\n{')
    put(tmp_path, SOUND, b"")
    put(tmp_path, SOUND.replace("0000", "0001"))
    put(tmp_path, "stray.flac")
    found = scan(tmp_path)
    assert not found.clips
    assert [(problem.path.name, problem.reason) for problem in found.problems] == [
        ("11614_manifest_other_train.json", "empty file"),
        ("92_manifest_clean_train.json", "3 lines are no JSON with audio_filepath, e.g. line 2"),
        ("book_01_reader_0000.flac", "empty file"),
        ("book_01_reader_0001.flac", "no SPK_manifest_*.json here lists it"),
        ("stray.flac", "not in a folder SPK_clean/BOOK or SPK_other/BOOK"),
    ]


def test_the_miniature(tmp_path: Path) -> None:
    fake("hifitts", tmp_path)
    found = scan(tmp_path)
    assert found.counts == {"92": 3, "11614": 1}
    info = probe(found.clips[0].media)
    assert (info.rate, info.audio_codec) == (44_100, "flac")
    assert sorted(clip.text or "" for clip in found.clips) == [
        "chapter one",
        "don't",
        "it was she said a fine day",
        "once upon a time",
    ]


def test_the_split_trains_and_validates() -> None:
    ids = [f"92/10425_book_{k:04d}" for k in range(4_000)]
    parts = list(split("hifitts").assign(ids).values())
    assert len(parts) == len(ids)
    assert set(parts) == {"train", "val"}
    assert 15 <= parts.count("val") <= 70


def test_ids() -> None:
    is_id = corpus("hifitts").is_id
    assert is_id("92/10425_book_01_reader_0000")
    assert not any(map(is_id, ["92", "92_clean/10425_a_0000", "92/book", "92/10425/a_0000"]))
