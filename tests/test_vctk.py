"""VCTK: one microphone, trimmed, and the texts from another folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.miniatures import fake
from tests.trees import put
from v2sbench.corpora import corpus, split
from v2sbench.corpora.vctk import TRIMMED, scan
from v2sbench.prepare.media import probe


@pytest.mark.parametrize("inside", ["", "VCTK-Corpus-0.92/"])
def test_the_first_microphone_is_the_clip(tmp_path: Path, inside: str) -> None:
    first = put(tmp_path, f"{inside}{TRIMMED}/p225/p225_001_mic1.flac")
    second = put(tmp_path, f"{inside}{TRIMMED}/p225/p225_001_mic2.flac")
    put(tmp_path, f"{inside}txt/p225/p225_001.txt", b"Please call Stella.\n")
    put(tmp_path, f"{inside}{TRIMMED}/log.txt")
    found = scan(tmp_path)
    (clip,) = found.clips
    assert (clip.id, clip.speaker, clip.media, clip.text) == ("p225/p225_001", "p225", first, "please call stella")
    assert found.superseded == (second,)
    assert found.layout == f"{inside}{TRIMMED}/pNNN/*_mic1.flac (1)"
    assert not found.problems


@pytest.mark.parametrize("speaker", ["p280", "p315", "s5"])
def test_speakers_without_a_second_microphone_or_text_are_here(tmp_path: Path, speaker: str) -> None:
    put(tmp_path, f"{TRIMMED}/{speaker}/{speaker}_010_mic1.flac")
    found = scan(tmp_path)
    assert [(clip.id, clip.text) for clip in found.clips] == [(f"{speaker}/{speaker}_010", None)]
    assert not found.problems


def test_a_part_of_the_corpus_is_found(tmp_path: Path) -> None:
    put(tmp_path, f"{TRIMMED}/p225/p225_001_mic1.flac")
    assert [clip.id for clip in scan(tmp_path / TRIMMED).clips] == ["p225/p225_001"]
    assert [clip.id for clip in scan(tmp_path / TRIMMED / "p225").clips] == ["p225/p225_001"]


def test_untrimmed_sounds_give_way_and_are_never_clips(tmp_path: Path) -> None:
    best = put(tmp_path, f"{TRIMMED}/p225/p225_001_mic1.flac")
    old = put(tmp_path, "wav48/p225/p225_001.wav")
    alone = put(tmp_path, "wav48/p225/p225_002.wav")
    found = scan(tmp_path)
    assert [clip.media for clip in found.clips] == [best]
    assert found.superseded == (old,)
    (problem,) = found.problems
    assert problem.path == alone
    assert problem.reason == f"p225_002_mic1 in {TRIMMED} is what is used; not here"


def test_unusable_files_are_problems(tmp_path: Path) -> None:
    put(tmp_path, f"{TRIMMED}/p225/p225_001_mic1.flac", b"")
    put(tmp_path, f"{TRIMMED}/p225/p225_001_mic2.flac")  # no substitute for it
    put(tmp_path, f"{TRIMMED}/p225/p225_002_mic2.flac")
    put(tmp_path, f"{TRIMMED}/p226/p225_003_mic1.flac")
    put(tmp_path, f"{TRIMMED}/p226/music.flac")
    found = scan(tmp_path)
    assert not found.clips
    assert [(problem.path.name, problem.reason) for problem in found.problems] == [
        ("p225_001_mic1.flac", "empty file"),
        ("p225_002_mic2.flac", f"p225_002_mic1 in {TRIMMED} is what is used; not here"),
        ("music.flac", "not an utterance's name: 'music' is not pNNN_NNN_mic1"),
        ("p225_003_mic1.flac", "not in the folder p225 that its name tells"),
    ]


def test_the_miniature(tmp_path: Path) -> None:
    fake("vctk", tmp_path)
    found = scan(tmp_path)
    assert found.counts == {"p225": 2, "p280": 2}
    assert len(found.superseded) == 2
    info = probe(found.clips[0].media)
    assert (info.rate, info.audio_codec, info.video_codec) == (48_000, "flac", None)
    assert [clip.text for clip in found.clips][2:] == ["please call stella", None]


def test_the_split_trains_and_validates() -> None:
    ids = [f"p{speaker}/p{speaker}_{k:03d}" for speaker in range(225, 235) for k in range(400)]
    parts = list(split("vctk").assign(ids).values())
    assert len(parts) == len(ids)
    assert set(parts) == {"train", "val"}
    assert 15 <= parts.count("val") <= 70


def test_ids() -> None:
    is_id = corpus("vctk").is_id
    assert is_id("p225/p225_001")
    assert is_id("s5/s5_001")
    assert not any(map(is_id, ["p225_001", "p226/p225_001", "p225/p225_001_mic1", "p225/p225"]))
