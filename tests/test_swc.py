"""The Spoken Wikipedia: articles cut into utterances by their alignment."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.miniatures import fake
from tests.miniatures.articles import write_article
from tests.trees import put
from v2sbench.audio import RATE
from v2sbench.clips.store import Clips
from v2sbench.corpora import corpus, scan_of
from v2sbench.corpora.spoken_wikipedia import (
    LONGEST,
    MARGIN,
    PAUSE,
    SHORTEST,
    cut,
    read_alignment,
    scan,
    speaker_of,
)
from v2sbench.prepare.clips import prepare
from v2sbench.prepare.media import decode


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("swc")
    fake("swc", root)
    return root


def said(count: int, start: float, *, step: float = 0.3, length: float = 0.25) -> list[tuple[float, float]]:
    """Times of words one after the other."""
    return [(round(start + k * step, 3), round(start + k * step + length, 3)) for k in range(count)]


# ---------------------------------------------------------------- the folder


def test_the_miniature(miniature: Path) -> None:
    found = scan_of(corpus("swc"), miniature)
    assert {clip.id.split("/")[1]: (clip.media.name, clip.start, clip.end) for clip in found.clips} == {
        "Apple_(fruit)_0000500": ("audio.ogg", 0.5, 5.92),
        "S._A._Andr%c3%a9e_0000300": ("audio.ogg", 0.3, 2.64),
        "Universe_0000200": ("audio1.ogg", 0.2, 2.25),
        "Universe_0003200": ("audio2.ogg", 0.2, 2.64),
    }
    speakers = {clip.id.split("/")[1][:5]: clip.speaker for clip in found.clips}
    assert speakers["Apple"] == speaker_of("Reader One", "")
    assert speakers["S._A."] == speaker_of(None, "S._A._Andr%c3%a9e") != speaker_of(None, "Universe")
    assert found.layout == "english/ARTICLE/audio*.ogg (4); 39 of 40 words in utterances"


def test_what_is_prepared_is_what_was_said(miniature: Path, tmp_path: Path) -> None:
    """Each clip holds its own stretch: of the second part of an article, too, on the part's own clock."""
    item = corpus("swc")
    report = prepare(item, miniature, tmp_path / "clips", jobs=1)
    assert (report.kept, report.damaged, dict(report.quarantined)) == (4, 0, {})
    clips = Clips(tmp_path / "clips")
    for clip in scan(miniature).clips:
        assert clip.start is not None
        assert clip.end is not None
        whole = decode(clip.media, video=False).wave
        assert whole is not None
        wave = clips.wave(clip.id)
        first = round(clip.start * RATE)
        np.testing.assert_allclose(wave, whole[first : first + len(wave)], atol=1e-4)
        assert len(wave) / RATE == pytest.approx(clip.end - clip.start, abs=0.04)


def test_every_file_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    write_article(tmp_path / "english" / "Good", "R", [[("one", 100, 900), ("two", 950, 2000)]], [3.0])
    write_article(tmp_path / "english" / "Parts", "R", [[("one", 100, 900), ("two", 950, 2000)]], [2.5, 0.5])
    put(tmp_path, "english/Parts/info.json", b"{}")
    put(tmp_path, "english/Deaf/aligned.swc", b"<article/>")
    put(tmp_path, "english/Mute/audio.ogg")
    put(tmp_path, "english/Torn/audio.ogg")
    put(tmp_path, "english/Torn/aligned.swc", b"<article><d>")
    put(tmp_path, "english/Other/audio.ogg")
    put(tmp_path, "english/Other/aligned.swc", b"<html/>")
    put(tmp_path, "english/Times/audio.ogg")
    put(tmp_path, "english/Times/aligned.swc", b'<article><d><t>a<n start="x" end="2"/></t><t>b</t></d></article>')
    put(tmp_path, "english/Good/holiday.ogg")
    put(tmp_path, "german/Apfel/audio.ogg")
    found = scan(tmp_path)
    assert [clip.id.split("/")[1] for clip in found.clips] == ["Good_0000100"]
    reasons = {str(problem.path.relative_to(tmp_path / "english")): problem.reason for problem in found.problems}
    assert reasons == {
        "Deaf/aligned.swc": "no audio.ogg beside it",
        "Good/holiday.ogg": "not an article's sound: 'holiday' is not audio, audio1, audio2, ...",
        "Mute/audio.ogg": "no aligned.swc beside it",
        "Other/aligned.swc": "its outermost element is <html>, not <article>",
        "Parts/audio1.ogg": "no info.json says when this part begins",
        "Parts/audio2.ogg": "no info.json says when this part begins",
        "Times/aligned.swc": "1 of its 2 words have times that are no whole milliseconds; they are left out",
        "Torn/aligned.swc": "no XML: no element found: line 1, column 12",
    }


def test_parts_go_before_what_was_joined_from_them(tmp_path: Path) -> None:
    sentences = [[("one", 100, 900), ("two", 950, 2000)], [("three", 3100, 4200), ("four", 4300, 4900)]]
    write_article(tmp_path / "A", "R", sentences, [3.0, 2.0])
    put(tmp_path, "A/audio.ogg")
    clips = scan(tmp_path).clips
    assert [(clip.media.name, clip.start, clip.end) for clip in clips] == [
        ("audio1.ogg", 0.1, 2.1),
        ("audio2.ogg", 0.0, 1.9),
    ]


def test_what_runs_from_one_part_into_the_next_is_left_out(tmp_path: Path) -> None:
    write_article(tmp_path / "A", "R", [[("one", 2000, 2900), ("two", 2950, 4000)]], [3.0, 2.0])
    assert not scan(tmp_path).clips
    info = json.loads((tmp_path / "A" / "info.json").read_text())
    assert [entry["offset"] for entry in info["audio_files"]] == [0, 3.0]


def test_ids() -> None:
    is_id = corpus("swc").is_id
    speaker = speaker_of("Reader", "")
    assert is_id(f"{speaker}/Apple_(fruit)_0012345")
    assert not any(map(is_id, [speaker, f"{speaker}/Apple", "Reader/Apple_0012345", f"{speaker}/a/b_0012345"]))


# ---------------------------------------------------------------- the alignment


def test_an_alignment_is_read_as_it_is_distributed(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "aligned.swc",
        b"""<?xml version="1.0" encoding="utf-8"?><article>
        <meta><prop key="DC.title" value="X"/><prop key="reader.name" value=" A. Reader "/></meta>
        <d><extra><s><t>This<n pronunciation="this" start="10" end="200"/></t></s></extra>
        <section level="1"><sectiontitle><t>Life</t></sectiontitle><sectioncontent><p><s>
        <t>1984<n pronunciation="nineteen" start="300" end="700"><ph type="N" start="300" end="400"/></n>
                <n pronunciation="eighty" start="700" end="900"/><n pronunciation="four"/></t><t>,</t>
        <t>a<n pronunciation="a" start="950"/></t><t>b<n pronunciation="b" start="990" end="990"/></t>
        </s></p><ignored><t>Notes<n pronunciation="notes" start="1" end="2"/></t></ignored></sectioncontent></section>
        </d></article>""",
    )
    found = read_alignment(path)
    assert found.reader == "A. Reader"
    assert found.words == ((0.01, 0.2), None, (0.3, 0.7), (0.7, 0.9), None, None, None)
    assert not found.bad


def test_nothing_is_expanded_without_end(tmp_path: Path) -> None:
    """Entities that hold entities: the parser itself stops, and that is an unusable file."""
    bomb = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 20}">' for k in range(1, 12))
    path = put(
        tmp_path, "aligned.swc", f'<!DOCTYPE a [<!ENTITY e0 "0123456789">{bomb}]><article>&e11;</article>'.encode()
    )
    with pytest.raises(ValueError, match="no XML"):
        read_alignment(path)


# ---------------------------------------------------------------- cutting


def test_a_word_that_is_not_aligned_ends_an_utterance() -> None:
    found = cut([*said(4, 1), None, *said(5, 3)])
    assert [(item.start, item.end, item.words) for item in found] == [(1, 2.15, 4), (3, 4.45, 5)]


@pytest.mark.parametrize(("pause", "count"), [(PAUSE - 0.01, 1), (PAUSE + 0.01, 2)])
def test_a_long_pause_ends_an_utterance(pause: float, count: int) -> None:
    found = cut([*said(4, 0), *said(4, 1.15 + pause)])
    assert len(found) == count
    if count == 2:  # of a known pause some goes with the words at its sides
        assert found[0].end == pytest.approx(1.15 + MARGIN)
        assert found[1].start == pytest.approx(1.15 + pause - MARGIN)


def test_a_clock_that_runs_back_ends_an_utterance() -> None:
    assert [item.start for item in cut([*said(4, 5), *said(4, 1)])] == [5, 1]


def test_a_long_stretch_is_parted_at_its_longest_pause() -> None:
    assert [item.words for item in cut([*said(40, 0), *said(30, 12.6)])] == [40, 30]  # 12 s, .65 s of silence, 9 s


def test_a_piece_that_is_too_short_or_too_long_is_left_out() -> None:
    assert not cut(said(2, 0))
    assert not cut([(0.0, LONGEST + 1)])
    assert not cut([])


@given(
    st.lists(st.tuples(st.floats(0.05, 2), st.one_of(st.floats(0, 0.4), st.floats(0.9, 3), st.none())), max_size=120)
)
def test_cuts_are_in_order_and_of_the_right_length_and_hold_whole_words(spec: list[tuple[float, float | None]]) -> None:
    words: list[tuple[float, float] | None] = []
    clock = 0.0
    for length, pause in spec:
        words.append(None if pause is None else (clock, clock + length))
        clock += length + (pause or 0)
    found = cut(words)
    assert all(SHORTEST <= item.end - item.start <= LONGEST for item in found)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(found))
    for item in found:
        inside = [word for word in words if word is not None and item.start <= word[0] < item.end]
        assert item.words == len(inside)
        assert all(end <= item.end + 1e-9 for _, end in inside)
        first, last = (words.index(inside[k]) for k in (0, -1))
        assert None not in words[first : last + 1]


def test_a_large_article_is_cut_in_a_moment() -> None:
    """20,000 words without a pause, all alike: divided in the middle, not one word at a time."""
    found = cut([(k * 0.3, k * 0.3 + 0.3) for k in range(20_000)])
    assert sum(item.words for item in found) == 20_000
    assert min(item.end - item.start for item in found) > LONGEST / 3
    assert max(item.end - item.start for item in found) <= LONGEST
