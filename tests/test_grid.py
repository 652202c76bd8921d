"""GRID: sentences, every layout on disk, the corpus's divisions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaks import leaked
from tests.trees import read_align, touch
from v2sbench.corpora import Scan, corpus, scan_of, split
from v2sbench.corpora.grid import INVENTORY, scan, unseen
from v2sbench.corpora.grid_grammar import NotGridError, stem_of, stems, text_of
from v2sbench.runtime import rng

SEEN = ("grid1-seen", "grid4-seen", "grid33-seen")


@pytest.fixture(scope="module")
def full() -> list[str]:
    """Ids of a full corpus: the true number of sentences for each speaker, none shared by two."""
    sentences = list(stems())
    rng(0, "full grid").shuffle(sentences)
    drawn = iter(sentences)
    return [f"{speaker}/{next(drawn)}" for speaker, count in INVENTORY.items() for _ in range(count)]


# ---------------------------------------------------------------- sentences


def test_all_stems_round_trip() -> None:
    every = list(stems())
    texts = [text_of(stem) for stem in every]
    assert len(set(every)) == len(set(texts)) == 64_000
    assert [stem_of(text) for text in texts] == every


@pytest.mark.parametrize(
    ("stem", "text"),
    [
        ("bbaf2n", "bin blue at f two now"),
        ("swwzzs", "set white with z zero soon"),
        ("lgbq9a", "lay green by q nine again"),
        ("PRIA1P", "place red in a one please"),
    ],
)
def test_text_of_literal_stems(stem: str, text: str) -> None:
    assert text_of(stem) == text
    assert stem_of(text.upper()) == stem.lower()


@pytest.mark.parametrize(
    ("stem", "said"),
    [
        ("bbaf2", "has 5 signs, not 6"),
        ("bbaw2n", "sign 4 is 'w', a letter is one of"),
        ("bbaf0n", "sign 5 is '0', a digit is one of z123456789"),
        ("xbaf2n", "sign 1 is 'x', a command is one of blps"),
        ("", "has 0 signs"),
    ],
)
def test_a_stem_outside_the_grammar_says_where(stem: str, said: str) -> None:
    with pytest.raises(NotGridError, match="not a GRID stem") as error:
        text_of(stem)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["bin blue at f two", "bin blue at w two now", "", "now two f at blue bin"])
def test_a_text_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(NotGridError, match="not a GRID sentence"):
        stem_of(text)


# ---------------------------------------------------------------- layouts


@pytest.mark.parametrize(
    ("place", "layout"),
    [
        ("s1/{}.mpg", "sN/*.mpg"),
        ("s1/s1/{}.mpg", "sN/sN/*.mpg"),
        ("s1/video/{}.mpg", "sN/video/*.mpg"),
        ("s1/video/mpg_6000/{}.mpg", "sN/video/mpg_6000/*.mpg"),
        ("s1/{}.mp4", "sN/*.mp4"),
        ("video/s1/{}.avi", "video/sN/*.avi"),
        ("S1/{}.MPG", "sN/*.mpg"),
    ],
)
def test_every_layout_is_read(tmp_path: Path, place: str, layout: str) -> None:
    touch(tmp_path, place.format("bbaf2n"), place.format("prwqzs"), "README.txt", "s1/align/bbaf2n.align")
    found = scan(tmp_path)
    assert [clip.id for clip in found.clips] == ["s1/bbaf2n", "s1/prwqzs"]
    assert found.clips[0].text == "bin blue at f two now"
    assert found.clips[0].align == tmp_path / "s1/align/bbaf2n.align"
    assert found.clips[1].align is None
    assert found.layout == f"{layout} (2)"
    assert found.counts == {"s1": 2}
    assert not found.problems


def test_the_best_copy_of_a_clip_is_taken(tmp_path: Path) -> None:
    copies = ["s1/bbaf2n.mpg", "s1/video/mpg_6000/bbaf2n.mpg", "s1/bbaf2n.mp4", "s1/bbaf2n.avi"]
    for k in range(len(copies)):
        touch(tmp_path / str(k), *copies[k:])
        found = scan(tmp_path / str(k))
        assert [clip.media for clip in found.clips] == [tmp_path / str(k) / copies[k]]
        assert set(found.superseded) == {tmp_path / str(k) / copy for copy in copies[k + 1 :]}


def test_unusable_files_are_problems_and_fatal_to_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "s1/bbaf2n.mpg", "s1/holiday.mpg", "s1/prwq0s.mp4", "s21/lgix9p.mpg", "lgix8p.mpg", "s3.zip")
    touch(tmp_path, "s1/prwqzs.mpg", data=b"")
    (tmp_path / "s1/lgix7p.mpg").symlink_to(tmp_path / "nowhere")
    touch(tmp_path, "s1/._bbaf2n.mpg", "__MACOSX/s1/swwzzs.mpg", "s1/bbaf2n.wav", "s1.zip", "s1/swwzzs.mpg.part")
    found = scan(tmp_path, speakers=INVENTORY)
    assert [clip.id for clip in found.clips] == ["s1/bbaf2n"]
    reasons = {str(problem.path.relative_to(tmp_path)): problem.reason for problem in found.problems}
    assert set(reasons) == {
        "s1/holiday.mpg", "s1/prwq0s.mp4", "s21/lgix9p.mpg", "lgix8p.mpg", "s3.zip", "s1/prwqzs.mpg", "s1/lgix7p.mpg"
    }  # fmt: skip
    assert "7 signs" in reasons["s1/holiday.mpg"]
    assert reasons["s1/prwqzs.mpg"] == "empty file"
    assert "broken link" in reasons["s1/lgix7p.mpg"]
    assert reasons["s21/lgix9p.mpg"] == "s21 is no speaker of this corpus"
    assert "no speaker's folder" in reasons["lgix8p.mpg"]
    assert reasons["s3.zip"] == "archive not unpacked"


@pytest.mark.parametrize("inner", ["alignments", "alignments/alignments"])
def test_shuffled_alignment_folders_are_repaired_by_stem(tmp_path: Path, inner: str) -> None:
    touch(tmp_path, "s5/bbaf2n.mpg", "s6/prwqzs.mpg", "s20/lgix9p.mpg")
    touch(tmp_path, f"{inner}/s6/bbaf2n.align", f"{inner}/s5/prwqzs.align", f"{inner}/s21/lgix9p.align")
    aligns = {clip.id: clip.align for clip in scan(tmp_path).clips}
    assert aligns == {
        "s5/bbaf2n": tmp_path / inner / "s6/bbaf2n.align",
        "s6/prwqzs": tmp_path / inner / "s5/prwqzs.align",
        "s20/lgix9p": tmp_path / inner / "s21/lgix9p.align",
    }


def test_word_times_of_another_speaker_are_not_taken_where_sentences_are_shared(tmp_path: Path) -> None:
    touch(tmp_path, "s1/bbaf2n.mpg", "s2/bbaf2n.mpg", "s1/align/bbaf2n.align")
    by_speaker = {clip.speaker: clip.align for clip in scan(tmp_path, shared=True).clips}
    assert by_speaker == {"s1": tmp_path / "s1/align/bbaf2n.align", "s2": None}


def test_a_sentence_under_two_speakers_is_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "s1/bbaf2n.mpg", "s2/bbaf2n.mpg", "s2/prwqzs.mpg")
    found = scan(tmp_path)
    assert [clip.id for clip in found.clips] == ["s2/prwqzs"]
    assert len(found.problems) == 2
    assert "under s1 and s2" in found.problems[0].reason


def test_landmarks_beside_the_clips(tmp_path: Path) -> None:
    touch(tmp_path, "s1/bbaf2n.mpg", "s1/prwqzs.mpg", "landmarks/s1/bbaf2n.npz", "features/s1/prwqzs.npz")
    touch(tmp_path, "landmarks/s1/prwqzs.npz", data=b"")
    marks = {clip.id: clip.landmarks for clip in scan(tmp_path).clips}
    assert marks == {"s1/bbaf2n": tmp_path / "landmarks/s1/bbaf2n.npz", "s1/prwqzs": None}


# ---------------------------------------------------------------- divisions


@pytest.mark.parametrize(
    ("name", "total", "parts"),
    [
        ("grid1-seen", 1_000, {"train": 900, "val": 50, "test": 50}),
        ("grid4-seen", 3_999, {"train": 3_599, "val": 200, "test": 200}),
        ("grid33-seen", 32_870, {"train": 29_583, "val": 1_644, "test": 1_643}),
    ],
)
def test_seen_totals_are_exact_and_parts_are_near(
    full: list[str], name: str, total: int, parts: dict[str, int]
) -> None:
    found = split(name).coverage(full)
    assert dict(split(name).expected) == parts
    assert found.have == found.expected == total
    assert found.label == ""
    for have, expected in found.parts.values():
        assert expected is not None
        assert abs(have - expected) < 4 * (total * 0.05 * 0.95) ** 0.5 * 1.5


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("grid33-unseen", {"train": 15_888, "val": 7_000, "test": 9_982}),
        ("grid33-overlap", {"train": 24_455, "test": 8_415}),
    ],
)
def test_exact_parts(full: list[str], name: str, parts: dict[str, int]) -> None:
    assigned = split(name).assign(full)
    assert Counter(assigned.values()) == parts == split(name).expected
    assert split(name).coverage(full).label == ""
    tested = Counter(clip.split("/")[0] for clip, part in assigned.items() if part == "test")
    assert name != "grid33-overlap" or tested == dict.fromkeys(INVENTORY, 255)


def test_overlap_keeps_its_share_on_a_partial_copy(full: list[str]) -> None:
    some = [*[clip for clip in full if clip.startswith("s1/")][:600], "s2/bbaf2n"]
    found = split("grid33-overlap").coverage(some)
    assert found.parts["test"][0] in {153, 154}  # round(255 x 600 / 1000), and s2's one clip if its number is high
    assert found.label == "partial 601/32870"


@given(st.data())
def test_seen_splits_never_leak_into_each_other(data: st.DataObject) -> None:
    speakers = st.sampled_from(sorted(INVENTORY))
    digits = st.tuples(*(st.sampled_from("".join(words)) for words in ("bl", "bg", "ai", "abcd", "z123456789", "anps")))
    ids = data.draw(st.lists(st.builds(lambda who, stem: f"{who}/{''.join(stem)}", speakers, digits), max_size=60))
    divisions = [split(name).assign(ids) for name in SEEN]
    for one in divisions:
        for other in divisions:
            assert not leaked(one, other)
            assert all(other.get(clip, part) == part for clip, part in one.items())
    # and the whole answers as the part does: membership is of the id alone
    half = ids[: len(ids) // 2]
    for name, whole in zip(SEEN, divisions, strict=True):
        assert split(name).assign(half).items() <= whole.items()
    assert not leaked(split("grid33-overlap").assign(ids), divisions[2])


def test_the_s24_switch(full: list[str]) -> None:
    moved = unseen(s24="val")
    assert moved.assign(["s24/bbaf2n"]) == {"s24/bbaf2n": "val"}
    assert moved.coverage(full).parts == {"train": (14_888, 14_888), "val": (8_000, 8_000), "test": (9_982, 9_982)}


def test_divisions_are_frozen() -> None:
    """All 64,000 sentences by one speaker: a change of seed, salt or hash would orphan every stored number."""
    ids = [f"s1/{stem}" for stem in stems()]
    assert {name: split(name).digest(ids) for name in ("grid1-seen", "grid4-seen", "grid33-seen")} == dict.fromkeys(
        SEEN, split("grid1-seen").digest(ids)
    )
    assert split("grid1-seen").digest(ids) == "c6dd1f13dee08b42"
    assert split("grid33-overlap").digest(ids[:1000]) == "e148b1cd6853c4b0"


# ---------------------------------------------------------------- real clips


@pytest.fixture(scope="module")
def real(grid_root: Path) -> Scan:
    return scan_of(corpus("grid"), grid_root)


@pytest.mark.real
def test_real_clips_are_all_recognised(grid_root: Path, real: Scan) -> None:
    videos = [path for path in grid_root.rglob("*") if path.suffix in {".mpg", ".mp4"}]
    assert len(real.clips) + len(real.superseded) + len(real.problems) == len(videos)
    assert all(full is not None and have <= full for have, full in corpus("grid").counts(real).values())


@pytest.mark.real
def test_real_word_times_agree_with_the_stem(real: Scan) -> None:
    timed = [clip for clip in real.clips if clip.align is not None]
    assert timed
    for clip in timed:
        words = read_align(clip.align)
        assert " ".join(word for word, _, _ in words) == clip.text
        assert words[-1][2] <= 3.0
