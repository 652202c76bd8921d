"""Preparation: what is written of a corpus, and what is left out of it."""

from __future__ import annotations

import errno
import shutil
import zipfile

import numpy as np
import pytest

from tests.prepared import digests, noise, sounds, table
from v2sbench.audio import fit
from v2sbench.clips.store import Clips
from v2sbench.corpora import corpus
from v2sbench.prepare import clips as module
from v2sbench.prepare import media
from v2sbench.prepare import mouths as roi
from v2sbench.prepare import writer as shardwriter
from v2sbench.prepare.clips import prepare
from v2sbench.prepare.crops import STILL, face_still
from v2sbench.runtime import UseError
from v2sbench.talker.films import write_mpeg1


def test_prepared_clips_hold_what_the_files_hold(raw, ready):
    store = Clips(ready)
    assert store.ids == ("s1/bbaf2n", "s1/prwqzs", "s2/lgix9p")
    assert len(store) == 3
    assert "s1/bbaf2n" in store
    assert store.about == {"corpus": "grid", "kind": "audio-visual", "roi": "auto"}
    for clip in store.ids:
        entry = store.entry(clip)
        recording = media.decode(raw / f"{clip}.mpg")
        assert (entry.frames, entry.video, entry.speaker) == (75, True, clip[:2])
        wave = store.wave(clip)
        assert wave.shape == (72_000,)
        assert wave.dtype == np.float32
        np.testing.assert_allclose(wave, fit(recording.wave, 75), atol=1 / 65536 + 1e-7)
        crops = store.roi(clip)
        assert crops.shape == (75, 96, 96)
        assert crops.dtype == np.uint8
        assert store.intact(clip)
    assert store.entry("s1/bbaf2n").text == "bin blue at f two now"
    assert table(ready / "quarantine.tsv") == []


def test_the_drawn_mouth_is_in_the_middle(ready):
    crops = Clips(ready).roi("s1/prwqzs").astype(float)
    moving = np.abs(np.diff(crops, axis=0)).mean(axis=0)
    at = np.arange(96)
    assert moving.sum(axis=0) @ at / moving.sum() == pytest.approx(48, abs=3)
    assert moving.sum(axis=1) @ at / moving.sum() == pytest.approx(48, abs=4)


def test_the_still_shows_the_face_of_the_middle_picture(raw, ready):
    """Drawn faces: the same place in the still as landmarks say, and the pixels of frame 37."""
    store = Clips(ready)
    still = store.still("s1/bbaf2n")
    assert (still.shape, still.dtype) == ((STILL, STILL), np.uint8)
    pictures = media.decode(raw / "s1" / "bbaf2n.mpg", audio=False).frames
    warps = roi.find_mouth(pictures, landmarks=raw / "landmarks" / "s1" / "bbaf2n.npz")
    np.testing.assert_array_equal(still, face_still(pictures[37], warps[37]))
    with zipfile.ZipFile(ready / "shard-00000.zip") as shard:
        assert shard.read("s1/bbaf2n.png") == shardwriter.encode_still(still)


def test_bytes_depend_on_nothing_but_the_corpus(raw, ready, tmp_path):
    elsewhere = tmp_path / "other" / "grid"
    shutil.copytree(raw, elsewhere)
    prepare(corpus("grid"), elsewhere, tmp_path / "clips", jobs=2)
    assert digests(tmp_path / "clips") == digests(ready)


def test_a_new_shard_when_one_is_full(raw, ready, tmp_path, monkeypatch):
    monkeypatch.setattr(shardwriter.ShardWriter.__init__, "__defaults__", (1_000_000, None))
    prepare(corpus("grid"), raw, tmp_path / "clips", jobs=1)
    assert sorted(path.name for path in (tmp_path / "clips").glob("*.zip")) == [f"shard-0000{k}.zip" for k in range(3)]
    small, whole = Clips(tmp_path / "clips"), Clips(ready)
    for clip in whole.ids:
        assert small.entry(clip).sha256 == whole.entry(clip).sha256
        np.testing.assert_array_equal(small.roi(clip), whole.roi(clip))


def test_bad_clips_are_quarantined_with_their_reason(raw, ready, tmp_path):
    root = tmp_path / "grid"
    shutil.copytree(raw, root)
    good = (root / "s1" / "bbaf2n.mpg").read_bytes()
    (root / "s1" / "bbaf3s.mpg").write_bytes(b"this is no video" * 100)
    (root / "s1" / "bbaf4p.mpg").write_bytes(b"")
    grey = np.full((20, 288, 360, 3), 90, np.uint8)
    write_mpeg1(root / "s1" / "bbal6n.mpg", grey, noise(35_280))
    write_mpeg1(root / "s1" / "bbal7s.mpg", grey, np.zeros(35_280, np.float32))
    write_mpeg1(root / "s1" / "bbal8p.mpg", grey[:3], noise(5000))
    (root / "s1" / "holiday.mpg").write_bytes(good)
    (root / "landmarks" / "s2" / "lgix9p.npz").write_bytes(b"broken")
    report = prepare(corpus("grid"), root, tmp_path / "clips", jobs=1)
    left = {row["id"]: row["reason"] for row in table(tmp_path / "clips" / "quarantine.tsv")}
    assert {key: left[key] for key in left if key.startswith("s1/bb") and "." not in key} == {
        "s1/bbaf3s": "undecodable",
        "s1/bbal6n": "no-face",
        "s1/bbal7s": "no-sound",
        "s1/bbal8p": "too-short",
    }
    assert left["s2/lgix9p"] == "bad-landmarks"
    unusable = [name for name, reason in left.items() if reason == "unusable-file"]
    assert any("holiday" in name for name in unusable)
    assert any("bbaf4p" in name for name in unusable)
    assert Clips(tmp_path / "clips").ids == ("s1/bbaf2n", "s1/prwqzs")
    assert report.kept == 2
    assert sum(report.quarantined.values()) == len(left)
    assert "2 clips" in str(report)
    assert "no-sound 1" in str(report)
    assert str(tmp_path) not in (tmp_path / "clips" / "quarantine.tsv").read_text()


def test_a_truncated_clip_with_landmarks_of_the_whole_is_told(raw, tmp_path):
    root = tmp_path / "grid"
    shutil.copytree(raw, root)
    path = root / "s1" / "prwqzs.mpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    report = prepare(corpus("grid"), root, tmp_path / "clips", jobs=1)
    assert report.quarantined == {"bad-landmarks": 1}
    (row,) = table(tmp_path / "clips" / "quarantine.tsv")
    assert "75 frames of landmarks for" in row["detail"]


def test_audio_only_clips_are_cut_to_whole_frames(tmp_path):
    item = sounds(tmp_path / "raw", a=noise(24_000), b=noise(24_959, 1), c=noise(4799, 2), d=np.zeros(24_000))
    report = prepare(item, tmp_path / "raw", tmp_path / "clips", jobs=1)
    store = Clips(tmp_path / "clips")
    assert store.ids == ("p1/a", "p1/b")
    assert report.quarantined == {"no-sound": 1, "too-short": 1}
    for clip, seed in (("p1/a", 0), ("p1/b", 1)):
        assert store.entry(clip).frames == 25
        assert store.entry(clip).text is None
        assert not store.entry(clip).video
        np.testing.assert_allclose(store.wave(clip), noise(24_959, seed)[:24_000] if seed else noise(24_000), atol=2e-5)
    assert store.entry("p1/a").face_size == 0
    for read in (store.roi, store.still):
        with pytest.raises(UseError, match="audio only"):
            read("p1/a")
    with zipfile.ZipFile(tmp_path / "clips" / "shard-00000.zip") as shard:
        assert shard.namelist() == ["p1/a.flac", "p1/b.flac"]


def test_nothing_usable_leaves_the_old_folder_alone(raw, ready, tmp_path):
    out = tmp_path / "clips"
    shutil.copytree(ready, out)
    item = sounds(tmp_path / "raw", a=np.zeros(24_000))
    with pytest.raises(UseError, match="p1/a: no-sound"):
        prepare(item, tmp_path / "raw", out, jobs=1)
    assert digests(out) == digests(ready)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("fault", ["gone", "disk", "files", "memory"])
def test_a_corpus_that_goes_away_stops_the_run_and_costs_nothing(raw, ready, tmp_path, monkeypatch, fault):
    """What was prepared before stays where it was, as does the draft, which the next run continues."""
    root, out = tmp_path / "grid", tmp_path / "clips"
    shutil.copytree(raw, root)
    shutil.copytree(ready, out)
    real = module.decode

    def decode(path, **options):
        if path.stem != "prwqzs":
            return real(path, **options)
        if fault == "gone":
            shutil.rmtree(root)
            return real(path, **options)
        if fault == "memory":
            raise MemoryError
        number = errno.EIO if fault == "disk" else errno.EMFILE
        raise OSError(number, "as the system says")

    with monkeypatch.context() as patch:
        patch.setattr(module, "decode", decode)
        with pytest.raises(UseError, match=r"prwqzs\.mpg cannot be read any more .* it goes on") as stopped:
            prepare(corpus("grid"), root, out, jobs=1, fresh=True)
    assert "\n" not in str(stopped.value)
    assert digests(out) == digests(ready)
    if fault == "gone":
        shutil.copytree(raw, root)
    report = prepare(corpus("grid"), root, out, jobs=1)
    assert report.resumed == 1
    assert digests(out) == digests(ready)


def test_a_mistake_in_the_code_is_no_quarantine(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_mouth", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        prepare(corpus("grid"), raw, tmp_path / "clips", jobs=1)


def test_use_errors(raw, tmp_path):
    with pytest.raises(UseError, match="did you mean 'haar'"):
        prepare(corpus("grid"), raw, tmp_path / "clips", roi="harr")
    with pytest.raises(UseError, match="no folder"):
        prepare(corpus("grid"), tmp_path / "nowhere", tmp_path / "clips")
    assert not (tmp_path / "clips").exists()
