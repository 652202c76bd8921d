"""What every corpus promises, asked of each one that is found; its miniature is in tests/miniatures."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from tests.miniatures import fake
from v2sbench.corpora import SUBSETS, discover, scan_of, splits
from v2sbench.prepare.media import decode
from v2sbench.runtime import UseError

every_corpus = pytest.mark.parametrize("name", sorted(discover()))
every_corpus_with_files = pytest.mark.parametrize("name", [name for name in sorted(discover()) if name != "speech-mix"])
NAMED = [name for name in sorted(discover()) if name not in ("speech-mix", "hifitts")]
"""Where a name says that a file is no clip: in Hi-Fi TTS any will do, if a manifest lists it."""
every_split = pytest.mark.parametrize("name", sorted(splits()))
MEDIA = {".mpg", ".mp4", ".wav", ".flac", ".mp3", ".ogg", ".npz"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Corpus -> its miniature's folder and scan."""
    folders = {name: tmp_path_factory.mktemp(name) / "raw" for name in discover()}
    for name, root in folders.items():
        fake(name, root)
    return {name: (root, scan_of(discover()[name], root)) for name, root in folders.items()}


def ids(scan):
    return [clip.id for clip in scan.clips]


@every_corpus
def test_metadata_is_complete(name):
    item = discover()[name]
    assert item.name == name == name.lower()
    assert item.title
    assert item.licence
    assert item.url.startswith("https://") or item.embedded
    assert item.splits
    assert all(count > 0 for count in item.inventory.values())
    assert item.total is None or (item.total > 0 and not item.inventory)


@every_corpus
def test_its_miniature_is_read_without_a_problem(name, made):
    item = discover()[name]
    root, found = made[name]
    assert len(found.counts) >= 2, "more than one speaker, so that mixing them up shows"
    assert not found.problems
    assert found.layout
    assert ids(found) == sorted(set(ids(found)))
    for clip in found.clips:
        speaker, stem = clip.id.split("/")
        assert clip.speaker == speaker
        assert item.is_id(clip.id)
        assert not any(map(item.is_id, (stem, speaker, f"{clip.id}/{stem}", f"x/{clip.id}", f"{speaker}/")))
        assert clip.media.is_relative_to(root)
        assert clip.video == (item.kind == "audio-visual")
        assert clip.text == (None if item.kind == "audio" else " ".join(clip.text.lower().split()))
        assert clip.landmarks is None or clip.landmarks.is_file()
        assert (clip.start is None) == (clip.end is None)
        assert clip.start is None or 0 <= clip.start < clip.end


@every_corpus
def test_its_media_are_real(name, made):
    clip = made[name][1].clips[0]
    recording = decode(clip.media, video=clip.video, start=clip.start, end=clip.end)
    assert len(recording.wave) > 12_000
    assert 0.01 < abs(recording.wave).max() <= 1
    assert not recording.damage
    if clip.video:
        assert recording.frames.ndim == 3
        assert abs(len(recording.frames) * 960 - len(recording.wave)) < 0.1 * len(recording.wave)


@every_corpus
def test_a_corpus_and_its_clips_travel_to_workers(name, made):
    root, found = made[name]
    item = pickle.loads(pickle.dumps(discover()[name]))
    assert item.scan(root) == found == pickle.loads(pickle.dumps(found))
    assert [part.assign(ids(found)) for part in item.splits] == [
        part.assign(ids(found)) for part in discover()[name].splits
    ]


@every_corpus
def test_a_scan_does_not_write(name, made):
    root, found = made[name]
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert discover()[name].scan(root) == found
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@every_corpus
def test_a_stray_file_is_fatal_to_nothing(name, tmp_path):
    item = discover()[name]
    fake(name, tmp_path)
    clean = item.scan(tmp_path)
    victim = clean.clips[0].media
    victim.write_bytes(b"")
    stray = victim.with_name(f"holiday{victim.suffix}")
    stray.write_bytes(b"x")
    found = item.scan(tmp_path)
    assert set(ids(found)) == {clip.id for clip in clean.clips if clip.media != victim}
    assert {problem.path for problem in found.problems if problem.foreign} == (set() if name == "hifitts" else {stray})
    assert {victim, stray} <= {problem.path for problem in found.problems} <= {victim, stray, *clean.superseded}
    assert all(problem.reason for problem in found.problems)
    victim.unlink()
    victim.symlink_to(tmp_path / "nowhere")
    assert [problem.path for problem in item.scan(tmp_path).problems] == [problem.path for problem in found.problems]


@every_corpus_with_files
def test_it_is_found_deeper_and_through_links_and_twice_counts_once(name, made, tmp_path):
    item = discover()[name]
    root, found = made[name]
    shutil.copytree(root, tmp_path / "deep" / "copy")
    assert ids(item.scan(tmp_path)) == ids(found)
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    twice = item.scan(tmp_path)
    assert ids(twice) == ids(found)
    assert not twice.problems
    assert {clip.media for clip in twice.clips}.isdisjoint(twice.superseded)
    assert len(twice.superseded) == 2 * len(found.superseded) + len(found.clips)


@every_corpus_with_files
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_a_label_file_in_another_encoding_is_a_problem_or_read(name, encoding, tmp_path):
    item = discover()[name]
    fake(name, tmp_path)
    clean = item.scan(tmp_path)
    labels = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in MEDIA]
    for path in labels:
        text = path.read_text(encoding="utf-8")
        path.write_bytes(f"{text}\N{LATIN SMALL LETTER E WITH ACUTE}".encode(encoding, "replace"))
    found = item.scan(tmp_path)
    if encoding == "utf-8-sig" and name != "swc":  # a letter after the end is no XML
        assert [clip.media for clip in found.clips] == [clip.media for clip in clean.clips]
    assert all(problem.reason for problem in found.problems)


@pytest.mark.parametrize("name", NAMED)
def test_a_folder_of_something_else_is_refused(name, tmp_path):
    item = discover()[name]
    fake(name, tmp_path)
    media = item.scan(tmp_path).clips[0].media
    for k in range(20):
        media.with_name(f"holiday{k}{media.suffix}").write_bytes(b"x")
    with pytest.raises(UseError, match=r"most files under .* --root DIR"):
        scan_of(item, tmp_path)


@every_split
def test_a_split_is_complete(name):
    part = splits()[name]
    item = discover()[part.corpus]
    assert part in item.splits
    assert part.description
    assert "train" in part.expected
    assert ("test" in part.expected) == (item.kind == "audio-visual")
    known = [count is not None for count in part.expected.values()]
    assert all(known) == any(known) == bool(item.inventory)


@every_split
def test_a_split_is_a_function_of_ids(name, made):
    part = splits()[name]
    names = ids(made[part.corpus][1])
    parts = part.assign(names)
    assert set(parts) <= set(names)
    assert set(parts.values()) <= set(part.expected) <= set(SUBSETS)
    assert part.assign(reversed(names)) == parts
    if part.subset is not None:
        assert part.assign(names[:1]).items() <= parts.items()


def test_every_miniature_is_of_a_corpus(tmp_path: Path):
    with pytest.raises(KeyError):
        fake("gird", tmp_path)
