"""OMCEB: accents in folders, texts in an index of lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.miniatures import fake
from tests.trees import put
from v2sbench.corpora import corpus, split
from v2sbench.corpora.omceb import scan
from v2sbench.prepare.media import probe

STEM = "irm_02484_00388340234"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"EN0001, {STEM}, Dublin, Cork and Shannon.", "dublin cork and shannon"),
        (f'EN0001,{STEM},"Dublin", he said', "dublin he said"),
        (f"{STEM}, Who's there?", "who's there"),
        (f"{STEM},", ""),
        ("id, filename, text", None),
        (f"EN0001, {STEM}9, Another one.", None),
    ],
)
def test_lines_of_the_index(tmp_path: Path, line: str, words: str | None) -> None:
    put(tmp_path, f"irish_english_male/{STEM}.wav")
    put(tmp_path, "irish_english_male/line_index.csv", f"{line}\n".encode())
    (clip,) = scan(tmp_path).clips
    assert (clip.id, clip.speaker, clip.text) == (f"irm_02484/{STEM}", "irm_02484", words)


def test_a_quotation_mark_swallows_no_line(tmp_path: Path) -> None:
    for k in (1, 2):
        put(tmp_path, f"welsh_english_male/wem_1_{k}.wav")
    put(tmp_path, "line_index_all.csv", b'EN1, wem_1_1, "Stop, he said.\nEN2, wem_1_2, "No."\n')
    assert [clip.text for clip in scan(tmp_path).clips] == ["stop he said", "no"]


def test_one_number_is_another_speaker_in_another_accent(tmp_path: Path) -> None:
    put(tmp_path, "irish_english_male/irm_02484_1.wav")
    put(tmp_path, "midlands_english_female/mif_02484_1.wav")
    found = scan(tmp_path)
    assert found.counts == {"irm_02484": 1, "mif_02484": 1}
    assert found.layout == "irish_english_male/*.wav (1), midlands_english_female/*.wav (1)"


def test_unusable_files_are_problems(tmp_path: Path) -> None:
    put(tmp_path, f"irish_english_male/{STEM}.wav", b"")
    put(tmp_path, "irish_english_male/line_index.csv", b"")
    put(tmp_path, "irish_english_male/music.wav")
    put(tmp_path, "LICENSE")
    found = scan(tmp_path)
    assert not found.clips
    assert [(problem.path.name, problem.reason) for problem in found.problems] == [
        (f"{STEM}.wav", "empty file"),
        ("line_index.csv", "empty file"),
        ("music.wav", "not an utterance's name: 'music' is not ACCENT_NUMBER_LINE"),
    ]


def test_an_utterance_found_twice_counts_once(tmp_path: Path) -> None:
    first = put(tmp_path, f"all/{STEM}.wav")
    second = put(tmp_path, f"irish_english_male/{STEM}.wav")
    found = scan(tmp_path)
    assert [clip.media for clip in found.clips] == [first]
    assert found.superseded == (second,)


def test_the_miniature(tmp_path: Path) -> None:
    fake("omceb", tmp_path)
    found = scan(tmp_path)
    assert found.counts == {"irm_02484": 2, "wef_02484": 1, "wef_03397": 1}
    assert [clip.text for clip in found.clips][:3] == [
        "aer lingus flies to dublin cork and shannon",
        None,
        "who's there",
    ]
    assert probe(found.clips[0].media).rate == 48_000


def test_the_split_trains_and_validates() -> None:
    ids = [f"irm_02484/irm_02484_{k:011d}" for k in range(4_000)]
    parts = list(split("omceb").assign(ids).values())
    assert len(parts) == len(ids)
    assert set(parts) == {"train", "val"}
    assert 15 <= parts.count("val") <= 70


def test_ids() -> None:
    is_id = corpus("omceb").is_id
    assert is_id(f"irm_02484/{STEM}")
    assert not any(map(is_id, [STEM, f"mif_02484/{STEM}", f"irm_02484/{STEM}.wav", "irm_02484/irm_02484"]))
