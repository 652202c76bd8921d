"""What every corpus promises, asked of each one that is found: a new corpus file is tested by being there."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from tests.miniatures import fake
from v2sbench.corpora import SUBSETS, Corpus, Scan, Split, discover, scan_of, splits
from v2sbench.prepare.media import decode

every_corpus = pytest.mark.parametrize("name", sorted(discover()))
every_split = pytest.mark.parametrize("name", sorted(splits()))


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Corpus, Path, Scan]]:
    made = {}
    for name, item in discover().items():
        root = tmp_path_factory.mktemp(name)
        fake(name, root)
        made[name] = (item, root, scan_of(item, root))
    return made


@every_corpus
def test_metadata_is_complete(name: str) -> None:
    item = discover()[name]
    assert item.name == name == name.lower()
    assert item.title
    assert item.licence
    assert item.url.startswith("https://") or item.embedded
    assert item.splits
    assert all(count > 0 for count in item.inventory.values())
    assert item.total is None or (item.total > 0 and not item.inventory)


@every_corpus
def test_its_miniature_is_read_without_a_problem(name: str, fakes: dict[str, tuple[Corpus, Path, Scan]]) -> None:
    item, root, found = fakes[name]
    assert len(found.clips) >= 2
    assert len(found.counts) >= 2, "more than one speaker, so that mixing them up shows"
    assert not found.problems
    assert found.layout
    ids = [clip.id for clip in found.clips]
    assert ids == sorted(set(ids))
    for clip in found.clips:
        assert clip.id == f"{clip.speaker}/{clip.id.split('/')[1]}"
        assert item.is_id(clip.id)
        assert clip.media.is_relative_to(root)
        assert clip.video == (item.kind == "audio-visual")
        assert clip.text is None or clip.text == " ".join(clip.text.lower().split())
        assert clip.landmarks is None or clip.landmarks.is_file()
        assert (clip.start is None) == (clip.end is None)
        assert clip.start is None or 0 <= clip.start < (clip.end or 0)


@every_corpus
def test_its_media_are_real(name: str, fakes: dict[str, tuple[Corpus, Path, Scan]]) -> None:
    clip = fakes[name][2].clips[0]
    recording = decode(clip.media, video=clip.video, start=clip.start, end=clip.end)
    assert recording.wave is not None
    assert len(recording.wave) > 12_000
    assert 0.01 < abs(recording.wave).max() <= 1
    assert not recording.damage
    if recording.frames is not None:
        assert recording.frames.ndim == 3
        assert abs(len(recording.frames) * 960 - len(recording.wave)) < 0.1 * len(recording.wave)


@every_corpus
def test_a_corpus_and_its_clips_travel_to_workers(name: str, fakes: dict[str, tuple[Corpus, Path, Scan]]) -> None:
    _, _, found = fakes[name]
    assert pickle.loads(pickle.dumps(found)) == found
    for part in discover()[name].splits:
        ids = [clip.id for clip in found.clips]
        assert pickle.loads(pickle.dumps(part)).assign(ids) == part.assign(ids)


@every_corpus
def test_a_scan_does_not_write(name: str, fakes: dict[str, tuple[Corpus, Path, Scan]]) -> None:
    def digest(root: Path) -> str:
        lines = [f"{path} {path.stat().st_size if path.is_file() else ''}" for path in sorted(root.rglob("*"))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    item, root, found = fakes[name]
    before = digest(root)
    assert item.scan(root) == found
    assert digest(root) == before


@every_corpus
def test_a_stray_file_is_fatal_to_nothing(name: str, tmp_path: Path) -> None:
    item = discover()[name]
    fake(name, tmp_path)
    clean = item.scan(tmp_path)
    victim = clean.clips[0].media
    victim.write_bytes(b"")
    victim.with_name(f"holiday{victim.suffix}").write_bytes(b"x")
    found = item.scan(tmp_path)
    assert {clip.id for clip in found.clips} == {clip.id for clip in clean.clips if clip.media != victim}
    assert {problem.path for problem in found.problems} == {victim, victim.with_name(f"holiday{victim.suffix}")}
    assert all(problem.reason for problem in found.problems)


@every_split
def test_a_split_is_complete(name: str) -> None:
    part = splits()[name]
    assert isinstance(part, Split)
    item = discover()[part.corpus]
    assert part in item.splits
    assert part.description
    assert "train" in part.expected
    assert ("test" in part.expected) == (item.kind == "audio-visual")
    known = [count is not None for count in part.expected.values()]
    assert all(known) or not any(known)
    assert all(known) == bool(item.inventory)


@every_split
def test_a_split_is_a_function_of_ids(name: str, fakes: dict[str, tuple[Corpus, Path, Scan]]) -> None:
    part = splits()[name]
    ids = [clip.id for clip in fakes[part.corpus][2].clips]
    parts = part.assign(ids)
    assert set(parts) <= set(ids)
    assert set(parts.values()) <= set(part.expected) <= set(SUBSETS)
    assert part.assign(reversed(ids)) == parts
    if part.subset is not None:
        assert part.assign(ids[:1]).items() <= parts.items()
