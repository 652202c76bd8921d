"""LRW: its layout, the folders as the division, and AAC priming."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.miniatures import fake
from tests.trees import touch
from v2sbench.audio import RATE, SAMPLES_PER_FRAME, fit
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import read_split
from v2sbench.corpora import SUBSETS, corpus, scan_of, split
from v2sbench.corpora.lrw import scan
from v2sbench.prepare.clips import prepare
from v2sbench.prepare.identity import embed_speakers
from v2sbench.prepare.media import decode, probe
from v2sbench.prepare.splits import write_split

words = st.from_regex(r"[A-Z]{2,12}", fullmatch=True)
ids = st.builds(
    lambda word, part, number: (part, f"{word}_{part}_{number:05d}/{word}_{number:05d}"),
    words,
    st.sampled_from(SUBSETS),
    st.integers(1, 1000),
)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lrw")
    fake("lrw", root)
    return root


# ---------------------------------------------------------------- the folder


def test_the_miniature(miniature: Path) -> None:
    found = scan_of(corpus("lrw"), miniature)
    assert [clip.id for clip in found.clips] == [
        f"{word}_{part}_00001/{word}_00001" for word in ("ABOUT", "YEARS") for part in sorted(SUBSETS)
    ]
    assert Counter(clip.text for clip in found.clips) == {"about": 3, "years": 3}
    assert all(clip.landmarks and clip.align for clip in found.clips)
    assert found.layout == ", ".join(f"lipread_mp4/WORD/{part}/*.mp4 (2)" for part in sorted(SUBSETS))
    assert set(found.counts.values()) == {1}, "who speaks is unknown, so no two clips have one speaker"
    parts = split("lrw-unseen").assign(clip.id for clip in found.clips)
    assert all(Path(clip.media).parent.name == parts[clip.id] for clip in found.clips)


def test_media_of_the_miniature(miniature: Path) -> None:
    path = miniature / "lipread_mp4/ABOUT/test/ABOUT_00001.mp4"
    info = probe(path)
    assert (info.width, info.height, info.fps, info.video_codec, info.audio_codec) == (256, 256, 25, "h264", "aac")
    recording = decode(path)
    assert recording.frames is not None
    assert recording.wave is not None
    assert recording.frames.shape == (29, 256, 256)
    assert not recording.damage
    samples = 29 * SAMPLES_PER_FRAME
    assert samples <= len(recording.wave) < samples + 1024  # whole AAC packets: a little longer than the picture
    assert len(fit(recording.wave, 29)) == samples == round(1.16 * RATE)


def test_it_is_prepared_and_divided(miniature: Path, project: Path) -> None:
    """Nobody knows who speaks: every clip's voice is the mean of the training clips', never its own."""
    report = prepare(corpus("lrw"), miniature, project / "clips" / "lrw", jobs=1, roi="precomputed")
    assert (report.kept, report.damaged, dict(report.quarantined)) == (6, 0, {})
    folder = project / "splits" / "lrw-unseen"
    coverage = write_split(split("lrw-unseen"), project / "clips" / "lrw", folder, embed=embed_speakers)
    assert {part: have for part, (have, _) in coverage.parts.items()} == dict.fromkeys(SUBSETS, 2)
    table = read_split(folder)
    voices = Identities(table, 1)
    vectors = table.embeddings("speaker")
    mean = vectors[[row.subset == "train" for row in table.rows]].mean(axis=0)
    for index in range(6):
        np.testing.assert_allclose(voices.draw(index), mean / np.linalg.norm(mean), atol=1e-6)


def test_both_folder_names_and_any_depth_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "lrw_mp4/ABOUT/train/ABOUT_00001.mp4", "a/lipread_mp4/ABOUT/test/ABOUT_00001.mp4")
    touch(tmp_path, "YEARS/val/YEARS_00050.MP4", "lrw_mp4/ABOUT/train/ABOUT_00001.txt")
    found = scan(tmp_path)
    assert {clip.id: clip.align is not None for clip in found.clips} == {
        "ABOUT_test_00001/ABOUT_00001": False,
        "ABOUT_train_00001/ABOUT_00001": True,
        "YEARS_val_00050/YEARS_00050": False,
    }
    assert not found.problems


def test_unusable_files_are_problems_and_fatal_to_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "ABOUT/train/ABOUT_00001.mp4", "ABOUT/train/ABOUT_1.mp4", "ABOUT/train/YEARS_00001.mp4")
    touch(tmp_path, "ABOUT/dev/ABOUT_00002.mp4", "ABOUT_00003.mp4", "landmarks/ABOUT/train/ABOUT_1.npz")
    touch(tmp_path, "ABOUT/train/ABOUT_00004.mp4", "landmarks/ABOUT/train/ABOUT_00001.npz", data="")
    found = scan(tmp_path)
    assert [(clip.id, clip.landmarks) for clip in found.clips] == [("ABOUT_train_00001/ABOUT_00001", None)]
    assert {problem.path.relative_to(tmp_path).as_posix(): problem.reason for problem in found.problems} == {
        "ABOUT/train/ABOUT_1.mp4": "not a clip's name: 'ABOUT_1' is not WORD_NNNNN",
        "ABOUT/train/YEARS_00001.mp4": "not in the folder YEARS that its name tells",
        "ABOUT/dev/ABOUT_00002.mp4": "not in a folder train, val or test of its word",
        "ABOUT_00003.mp4": "not in a folder train, val or test of its word",
        "ABOUT/train/ABOUT_00004.mp4": "empty file",
    }


# ---------------------------------------------------------------- the division


@given(st.lists(ids, max_size=60))
def test_a_clip_is_in_the_part_of_its_folder(drawn: list[tuple[str, str]]) -> None:
    division = split("lrw-unseen")
    parts = division.assign(name for _, name in drawn)
    assert parts == {name: part for part, name in drawn}
    assert all(corpus("lrw").is_id(name) for name in parts)
    assert division.coverage(parts).label == ""
