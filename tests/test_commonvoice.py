"""Common Voice: what its volunteers validated, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.miniatures import fake
from tests.trees import put
from v2sbench.corpora import corpus, split
from v2sbench.corpora.commonvoice import scan, speaker_of
from v2sbench.prepare.media import probe

ANNE, BEN = "a" * 128, "b" * 128


def table(*rows: tuple[str, ...], header: tuple[str, ...] = ("client_id", "path", "sentence", "locale")) -> bytes:
    return "".join("\t".join(row) + "\n" for row in (header, *rows)).encode()


def clip(number: int, suffix: str = ".mp3") -> str:
    return f"common_voice_en_{number}{suffix}"


@pytest.mark.parametrize("inside", ["", "en/", "cv-corpus-9.0-2022-04-27/en/"])
def test_a_validated_clip(tmp_path: Path, inside: str) -> None:
    media = put(tmp_path, f"{inside}clips/{clip(7)}")
    put(tmp_path, f"{inside}validated.tsv", table((ANNE, clip(7), "It's here.", "en")))
    found = scan(tmp_path)
    (only,) = found.clips
    assert (only.id, only.speaker, only.media) == (f"{speaker_of(ANNE)}/common_voice_en_7", speaker_of(ANNE), media)
    assert only.text == "it's here"
    assert found.layout == f"{inside}clips/*.mp3 (1)"
    assert not found.problems


def test_clips_that_are_not_validated_are_passed_over(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        put(tmp_path, f"en/clips/{clip(number)}")
    put(tmp_path, "en/validated.tsv", table((ANNE, clip(2), "Yes.", "en"), (BEN, clip(9), "Not here.", "en")))
    put(tmp_path, "en/other.tsv", table((BEN, clip(1), "No.", "en")))
    found = scan(tmp_path)
    assert [item.media.name for item in found.clips] == [clip(2)]
    assert found.layout == "en/clips/*.mp3 (1); 2 not validated"
    assert not found.problems


def test_a_quotation_mark_swallows_no_row(tmp_path: Path) -> None:
    for number in (1, 2):
        put(tmp_path, f"clips/{clip(number)}")
    rows = [(ANNE, clip(1), '"Go, he said.', "en"), (BEN, clip(2), 'He said "no".', "en")]
    put(tmp_path, "validated.tsv", table(*rows))
    assert sorted(item.text or "" for item in scan(tmp_path).clips) == ["go he said", "he said no"]


def test_rows_of_other_columns_in_other_orders(tmp_path: Path) -> None:
    put(tmp_path, f"clips/{clip(1)}")
    header = ("client_id", "sentence_id", "path", "age", "sentence")
    put(tmp_path, "validated.tsv", table((ANNE, "17", clip(1), "", "Yes."), (BEN, "cut off"), header=header))
    assert [item.text for item in scan(tmp_path).clips] == ["yes"]


def test_other_languages_are_not_english(tmp_path: Path) -> None:
    put(tmp_path, "de/clips/common_voice_de_1.mp3")
    put(tmp_path, f"de/clips/{clip(1)}")
    put(tmp_path, "de/validated.tsv", table((ANNE, "common_voice_de_1.mp3", "Ja.", "de"), (ANNE, clip(1), "", "de")))
    found = scan(tmp_path)
    assert not found.clips
    assert {problem.reason for problem in found.problems} == {"no validated.tsv with clips of en beside its folder"}


def test_a_clip_of_two_releases_counts_once(tmp_path: Path) -> None:
    paths = []
    for release, client in (("cv-corpus-7", ANNE), ("cv-corpus-9", BEN)):  # client_id need not stay
        paths.append(put(tmp_path, f"{release}/en/clips/{clip(1)}"))
        put(tmp_path, f"{release}/en/validated.tsv", table((client, clip(1), "Yes.", "en")))
    found = scan(tmp_path)
    assert [item.media for item in found.clips] == paths[:1]
    assert found.superseded == (paths[1],)


def test_unusable_files_are_problems(tmp_path: Path) -> None:
    put(tmp_path, f"a/clips/{clip(1)}", b"")
    put(tmp_path, "a/clips/music.mp3")
    put(tmp_path, "a/validated.tsv", table((ANNE, clip(1), "Yes.", "en")))
    put(tmp_path, "b/validated.tsv", table((ANNE, clip(1)), header=("client_id", "path")))
    put(tmp_path, "c/validated.tsv", b"")
    put(tmp_path, f"d/{clip(1)}")
    found = scan(tmp_path)
    assert not found.clips
    assert [(str(problem.path.relative_to(tmp_path)), problem.reason) for problem in found.problems] == [
        (f"a/clips/{clip(1)}", "empty file"),
        ("a/clips/music.mp3", "not a clip's name: 'music' is not common_voice_en_NNN"),
        ("b/validated.tsv", "no column sentence in its first line"),
        ("c/validated.tsv", "empty file"),
        (f"d/{clip(1)}", "no validated.tsv with clips of en beside its folder"),
    ]


def test_the_miniature(tmp_path: Path) -> None:
    fake("commonvoice", tmp_path)
    found = scan(tmp_path)
    assert found.counts == {speaker_of(ANNE): 2, speaker_of(BEN): 1}
    assert found.layout.endswith("*.mp3 (3); 1 not validated")
    info = probe(found.clips[0].media)
    assert (info.rate, info.audio_codec) == (48_000, "mp3float")
    assert {item.text for item in found.clips} == {"he said yes", "it's raining", "no thank you"}


def test_the_split_trains_and_validates() -> None:
    ids = [f"{speaker_of(ANNE)}/{clip(number, '')}" for number in range(4_000)]
    parts = list(split("commonvoice").assign(ids).values())
    assert len(parts) == len(ids)
    assert set(parts) == {"train", "val"}
    assert 15 <= parts.count("val") <= 70


def test_ids() -> None:
    is_id = corpus("commonvoice").is_id
    assert is_id(f"{speaker_of(ANNE)}/common_voice_en_7")
    assert not any(map(is_id, ["common_voice_en_7", f"{ANNE}/common_voice_en_7", f"{speaker_of(ANNE)}/{clip(7)}"]))
