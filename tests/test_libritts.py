"""Audio-only corpora in LibriTTS's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trees import put
from v2sbench.corpora import corpus, split
from v2sbench.corpora.libritts import libritts_corpus, scan
from v2sbench.corpora.remote import Access
from v2sbench.corpora.utterances import words_of

STEM = "84_121123_000007_000001"


@pytest.mark.parametrize("inside", ["", "train-clean-100/", "LibriTTS/dev-clean/"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_utterances_are_found_wherever_the_speakers_begin(tmp_path: Path, inside: str, suffix: str) -> None:
    media = put(tmp_path, f"{inside}84/121123/{STEM}{suffix}")
    put(tmp_path, f"{inside}84/121123/{STEM}.original.txt", b"No.")
    put(tmp_path, f"{inside}84/121123/{STEM}.normalized.txt", "\u201cYes,\u201d he said.\n".encode())
    found = scan(tmp_path)
    (clip,) = found.clips
    assert (clip.id, clip.speaker, clip.media, clip.text, clip.video) == (
        f"84/{STEM}",
        "84",
        media,
        "yes he said",
        False,
    )
    assert found.layout == f"{inside}SPK/CHAP/*{suffix.lower()} (1)"
    assert not found.problems


def test_a_clip_without_text_is_a_good_clip(tmp_path: Path) -> None:
    put(tmp_path, f"84/121123/{STEM}.wav")
    assert [clip.text for clip in scan(tmp_path).clips] == [None]


def test_unusable_files_are_problems(tmp_path: Path) -> None:
    put(tmp_path, f"84/121123/{STEM}.wav", b"")
    put(tmp_path, "84/121123/music.wav")
    put(tmp_path, "85/121123/84_121123_000007_000002.wav")
    put(tmp_path, "84/9/84_121123_000007_000003.wav")
    found = scan(tmp_path)
    assert not found.clips
    assert [(problem.path.name, problem.reason) for problem in found.problems] == [  # in the order of paths
        (f"{STEM}.wav", "empty file"),
        ("music.wav", "not an utterance's name: 'music' is not SPK_CHAP_NNN_NNN"),
        ("84_121123_000007_000003.wav", "not in the folder 84/121123 that its name tells"),
        ("84_121123_000007_000002.wav", "not in the folder 84/121123 that its name tells"),
    ]


def test_an_utterance_found_twice_counts_once(tmp_path: Path) -> None:
    first = put(tmp_path, f"LibriTTS/dev-clean/84/121123/{STEM}.wav")
    second = put(tmp_path, f"LibriTTS_R/dev-clean/84/121123/{STEM}.wav")
    found = scan(tmp_path)
    assert [clip.media for clip in found.clips] == [first]
    assert found.superseded == (second,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("But you know, don't you, why?", "but you know don't you why"),
        ("'Tis so; \"all's well\", said  he.\n", "tis so all's well said he"),
        ("the boys' caf\u00e9 \u2014 it\u2019s open", "the boys caf\u00e9 it's open"),
        ("one_two", "one two"),
        ("...", ""),
    ],
)
def test_words_of_literal_texts(text: str, words: str) -> None:
    assert words_of(text) == words


@given(st.text(max_size=60))
def test_words_are_stable_and_lower(text: str) -> None:
    words = words_of(text)
    assert words_of(words) == words
    assert words == " ".join(words.split())
    assert not set(words) & set('.,;:!?"()_-')


def test_the_pretraining_split_has_no_test_part() -> None:
    ids = [f"84/84_121123_{k:06d}_000000" for k in range(4_000)]
    parts = split("libritts").assign(ids)
    assert set(parts) == set(ids)
    assert set(parts.values()) == {"train", "val"}
    assert 15 <= sum(part == "val" for part in parts.values()) <= 70
    assert split("libritts").coverage(ids).label == ""
    assert not split("libritts").wer


def test_the_factory_names_its_split_after_the_corpus() -> None:
    other = libritts_corpus("other", title="Other", licence="own", val=0.25, generate=print, access=Access())
    (part,) = other.splits
    assert (part.name, part.corpus, other.kind, other.embedded) == ("other", "other", "audio", True)
    ids = [f"84/84_1_{k:06d}_000000" for k in range(2_000)]
    assert 420 <= sum(where == "val" for where in part.assign(ids).values()) <= 580


def test_ids() -> None:
    is_id = corpus("libritts").is_id
    assert is_id(f"84/{STEM}")
    assert not any(map(is_id, [STEM, f"85/{STEM}", "84/84_1_2", f"84/{STEM}.wav"]))
