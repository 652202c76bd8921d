"""Prepared clips, splits on disk, batches."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench import clips as module
from v2sbench import media, roi, shards
from v2sbench.clips import Clips, batch_ids, prepare, read_split, write_split
from v2sbench.corpora import Clip, Scan, Split, corpus, split
from v2sbench.runtime import UseError


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A miniature GRID: s1 with two clips, s2 with one, landmarks beside them."""
    root = tmp_path_factory.mktemp("raw") / "grid"
    corpus("grid").fake(root)
    return root


@pytest.fixture(scope="module")
def ready(raw, tmp_path_factory):
    """The same, prepared."""
    out = tmp_path_factory.mktemp("clips") / "grid"
    prepare(corpus("grid"), raw, out, jobs=1)
    return out


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def table(path):
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def sounds(root, **waves):
    """An audio-only corpus of the given waves."""
    found = []
    for stem, wave in waves.items():
        path = root / f"{stem}.wav"
        media.write_wav(path, wave)
        found.append(Clip(id=f"p1/{stem}", speaker="p1", media=path, text=None, video=False))
    scan = Scan(clips=tuple(found), problems=(), layout="flat")
    return replace(corpus("grid"), name="sounds", kind="audio", scan=lambda _: scan, splits=())


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


# ---------------------------------------------------------------- preparation


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
        np.testing.assert_allclose(wave, media.fit(recording.wave, 75), atol=1 / 65536 + 1e-7)
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
    assert (still.shape, still.dtype) == ((roi.STILL, roi.STILL), np.uint8)
    pictures = media.read_video(raw / "s1" / "bbaf2n.mpg")
    warps = roi.find_mouth(pictures, landmarks=raw / "landmarks" / "s1" / "bbaf2n.npz")
    np.testing.assert_array_equal(still, roi.face_still(pictures[37], warps[37]))
    with tarfile.open(ready / "shard-00000.tar") as tar:
        assert tar.extractfile("s1/bbaf2n.png").read() == shards.encode_still(still)


@given(st.integers(0, 2**32), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_stills_are_kept_to_the_pixel(tmp_path_factory, seed, shape):
    folder = tmp_path_factory.mktemp("still")
    still = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    with shards.ShardWriter(folder) as writer:
        writer.add("p1/a", "p1", None, 1, b"sound", b"", "", shards.encode_still(still))
        writer.finish([], {})
    store = Clips(folder)
    np.testing.assert_array_equal(store.still("p1/a"), still)
    assert store.intact("p1/a")


def test_parts_of_clips(ready):
    store = Clips(ready)
    np.testing.assert_array_equal(store.wave("s2/lgix9p", 10, 5), store.wave("s2/lgix9p")[9600:14_400])
    np.testing.assert_array_equal(store.roi("s2/lgix9p", 10, 5), store.roi("s2/lgix9p")[10:15])
    np.testing.assert_array_equal(store.roi("s2/lgix9p", 70), store.roi("s2/lgix9p")[70:])
    for start, frames in ((-1, 3), (70, 6), (0, 76)):
        with pytest.raises(ValueError, match="which has 75"):
            store.roi("s2/lgix9p", start, frames)
        with pytest.raises(ValueError, match="which has 75"):
            store.wave("s2/lgix9p", start, frames)


def test_crops_may_be_written_to(ready):
    store = Clips(ready)
    store.roi("s1/bbaf2n")[:] = 0
    assert store.roi("s1/bbaf2n").any()


def test_shards_are_plain_tar_files(ready):
    with tarfile.open(ready / "shard-00000.tar", format=tarfile.USTAR_FORMAT) as tar:
        members = tar.getmembers()
        names = [name for clip in Clips(ready).ids for name in (f"{clip}.flac", f"{clip}.npy", f"{clip}.png")]
        assert [member.name for member in members] == names
        assert {(member.mtime, member.uid, member.uname, member.mode) for member in members} == {(0, 0, "", 0o644)}
        assert all(not member.pax_headers for member in members)
        store = Clips(ready)
        for member in members:
            clip, kind = member.name.rsplit(".", 1)
            entry = store.entry(clip)
            part = {"flac": "wave", "npy": "roi", "png": "face"}[kind]
            assert member.offset_data == getattr(entry, f"{part}_offset")
            assert member.size == getattr(entry, f"{part}_size")
        np.testing.assert_array_equal(
            np.load(io.BytesIO(tar.extractfile("s1/bbaf2n.npy").read())), store.roi("s1/bbaf2n")
        )


def test_bytes_depend_on_nothing_but_the_corpus(raw, ready, tmp_path):
    elsewhere = tmp_path / "other" / "grid"
    shutil.copytree(raw, elsewhere)
    prepare(corpus("grid"), elsewhere, tmp_path / "clips", jobs=2)
    assert digests(tmp_path / "clips") == digests(ready)


def test_a_new_shard_when_one_is_full(raw, ready, tmp_path, monkeypatch):
    monkeypatch.setattr(shards.ShardWriter.__init__, "__defaults__", (1_000_000,))
    prepare(corpus("grid"), raw, tmp_path / "clips", jobs=1)
    assert sorted(path.name for path in (tmp_path / "clips").glob("*.tar")) == [f"shard-0000{k}.tar" for k in range(3)]
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
    media.write_mpeg1(root / "s1" / "bbal6n.mpg", grey, noise(35_280))
    media.write_mpeg1(root / "s1" / "bbal7s.mpg", grey, np.zeros(35_280, np.float32))
    media.write_mpeg1(root / "s1" / "bbal8p.mpg", grey[:3], noise(5000))
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
    with tarfile.open(tmp_path / "clips" / "shard-00000.tar") as tar:
        assert tar.getnames() == ["p1/a.flac", "p1/b.flac"]


def test_nothing_usable_leaves_the_old_folder_alone(raw, ready, tmp_path):
    out = tmp_path / "clips"
    shutil.copytree(ready, out)
    item = sounds(tmp_path / "raw", a=np.zeros(24_000))
    with pytest.raises(UseError, match="p1/a: no-sound"):
        prepare(item, tmp_path / "raw", out, jobs=1)
    assert digests(out) == digests(ready)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_interrupted_run_leaves_nothing(raw, tmp_path, monkeypatch):
    def killed(clip, roi):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "prepare_clip", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(corpus("grid"), raw, tmp_path / "clips", jobs=1)
    assert list(tmp_path.iterdir()) == []


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


def test_a_name_too_long_for_tar(tmp_path):
    with shards.ShardWriter(tmp_path) as writer, pytest.raises(UseError, match="too long"):
        writer.add("p1/" + "a" * 200, "p1", None, 1, b"x", b"", "")


# ---------------------------------------------------------------- the store


def test_the_store_crosses_processes_and_threads(ready):
    store = Clips(ready)
    store.wave("s1/bbaf2n")
    other = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(other.roi("s2/lgix9p"), store.roi("s2/lgix9p"))
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(store.wave, store.ids * 8))
    for wave, clip in zip(read, store.ids * 8, strict=True):
        np.testing.assert_array_equal(wave, store.wave(clip))


def test_the_store_closes_its_files(ready):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        Clips(ready).wave("s1/bbaf2n")
    assert len(os.listdir("/proc/self/fd")) <= before


def test_store_errors_name_the_remedy(ready, tmp_path):
    with pytest.raises(UseError, match="did you mean 's1/bbaf2n'"):
        Clips(ready).entry("s1/bbaf2m")
    with pytest.raises(UseError, match="v2sbench prepare"):
        Clips(tmp_path)
    shutil.copytree(ready, tmp_path / "cut")
    (tmp_path / "cut" / "shard-00000.tar").write_bytes(b"short")
    with pytest.raises(UseError, match="shorter than its index"):
        Clips(tmp_path / "cut").wave("s1/bbaf2n")
    (tmp_path / "cut" / "shard-00000.tar").unlink()
    with pytest.raises(UseError, match="v2sbench prepare"):
        Clips(tmp_path / "cut").wave("s1/bbaf2n")
    (tmp_path / "cut" / "clips.json").write_text("{")
    with pytest.raises(UseError, match="damaged"):
        _ = Clips(tmp_path / "cut").about


@pytest.mark.parametrize("damage", ["", "no header\n", "cut"])
def test_a_damaged_index(ready, tmp_path, damage):
    shutil.copytree(ready, tmp_path / "clips")
    path = tmp_path / "clips" / "index.tsv"
    path.write_text(path.read_text()[:-30] + "\n" if damage == "cut" else damage + "a\tb\n" * bool(damage))
    with pytest.raises(UseError, match="v2sbench prepare"):
        Clips(tmp_path / "clips")


@pytest.mark.parametrize("part", ["wave", "roi", "face"])
def test_changed_bytes_are_noticed(ready, tmp_path, part):
    shutil.copytree(ready, tmp_path / "clips")
    path = tmp_path / "clips" / "shard-00000.tar"
    data = bytearray(path.read_bytes())
    data[getattr(Clips(ready).entry("s1/bbaf2n"), f"{part}_offset") + 500] ^= 1
    path.write_bytes(data)
    assert not Clips(tmp_path / "clips").intact("s1/bbaf2n")
    assert Clips(tmp_path / "clips").intact("s1/prwqzs")


def test_a_still_that_is_no_picture(tmp_path):
    with shards.ShardWriter(tmp_path) as writer:
        writer.add("p1/a", "p1", None, 1, b"sound", b"", "", b"no picture")
        writer.finish([], {})
    with pytest.raises(UseError, match="damaged; run: v2sbench prepare"):
        Clips(tmp_path).still("p1/a")


@given(st.lists(st.tuples(st.text("ab\tc\r\n d", max_size=6), st.integers()), max_size=5))
def test_tables_keep_their_shape(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    shards.write_table(path, ("text", "number"), rows)
    header, *lines = shards.read_table(path)
    assert header == "text\tnumber"
    assert [line.count("\t") for line in lines] == [1] * len(rows)
    assert [int(line.split("\t")[1]) for line in lines] == [number for _, number in rows]


# ---------------------------------------------------------------- splits


def by_stem(clip, parts):
    return parts.get(clip.split("/")[1])


def division(**parts):
    return Split(
        name="three",
        corpus="grid",
        description="for tests",
        identity="seen",
        expected={"train": 2, "val": 1, "test": None},
        subset=partial(by_stem, parts=parts),
        grammar="grid",
    )


def test_split_on_disk(ready, tmp_path):
    item = division(bbaf2n="test", prwqzs="train", lgix9p="train")
    coverage = write_split(item, ready, tmp_path / "splits" / "three")
    found = read_split(tmp_path / "splits" / "three")
    assert [(row.subset, row.id) for row in found.rows] == [
        ("train", "s1/prwqzs"),
        ("train", "s2/lgix9p"),
        ("test", "s1/bbaf2n"),
    ]
    assert (found.name, found.corpus, found.grammar, found.identity, found.wer) == (
        "three",
        "grid",
        "grid",
        "seen",
        True,
    )
    assert found.coverage == coverage
    assert dict(coverage.parts) == {"train": (2, 2), "val": (0, 1), "test": (1, None)}
    assert [row.id for row in found.subset("test")] == ["s1/bbaf2n"]
    store = Clips(found.clips)
    for row in found.rows:
        entry = store.entry(row.id)
        assert (row.sha256, row.shard, row.offset) == (entry.sha256, entry.shard, entry.wave_offset)
        assert (row.frames, row.text, row.speaker) == (entry.frames, entry.text, entry.speaker)
    assert found.division == item.digest(store.ids)


def test_split_files_are_the_same_wherever_they_lie(ready, tmp_path):
    for place in ("a", "b"):
        shutil.copytree(ready, tmp_path / place / "clips" / "grid")
        write_split(division(bbaf2n="test"), tmp_path / place / "clips" / "grid", tmp_path / place / "splits" / "three")
    assert digests(tmp_path / "a" / "splits" / "three") == digests(tmp_path / "b" / "splits" / "three")
    shutil.move(tmp_path / "a", tmp_path / "moved")
    assert Clips(read_split(tmp_path / "moved" / "splits" / "three").clips).ids


def test_digest_names_division_and_content(ready, tmp_path):
    def digest(item, folder=ready):
        write_split(item, folder, tmp_path / "split")
        found = read_split(tmp_path / "split")
        return found.digest, found.division

    first = digest(division(bbaf2n="test", prwqzs="train"))
    assert digest(division(bbaf2n="test", prwqzs="train")) == first
    other = digest(division(bbaf2n="train", prwqzs="test"))
    assert other[0] != first[0]
    assert other[1] != first[1]
    shutil.copytree(ready, tmp_path / "clips")
    index = tmp_path / "clips" / "index.tsv"
    index.write_text(index.read_text().replace(Clips(ready).entry("s1/bbaf2n").sha256, "0" * 64))
    changed = digest(division(bbaf2n="test", prwqzs="train"), tmp_path / "clips")
    assert changed[0] != first[0]
    assert changed[1] == first[1]


def test_partial_coverage_is_carried(ready, tmp_path):
    write_split(split("grid4-seen"), ready, tmp_path / "grid4-seen")
    found = read_split(tmp_path / "grid4-seen")
    assert found.coverage_label == "partial 3/3999"  # s4 lacks one clip in every copy
    assert found.listing is None


def test_imported_list(ready, tmp_path):
    listing = tmp_path / "mine.txt"
    listing.write_text("[train]\ns1/bbaf2n\n[test]\ns2/lgix9p\ns2/lgix8p\n")
    write_split(split("grid4-seen"), ready, tmp_path / "split", listing)
    found = read_split(tmp_path / "split")
    assert [(row.subset, row.id) for row in found.rows] == [("train", "s1/bbaf2n"), ("test", "s2/lgix9p")]
    assert found.listing is not None
    assert found.listing.startswith("own (list ")
    assert found.coverage_label == "partial 2/3"


def test_split_errors(ready, tmp_path):
    out = tmp_path / "split"
    with pytest.raises(UseError, match="none of the 3 clips"):
        write_split(division(other="test"), ready, out)
    with pytest.raises(UseError, match="holds clips of grid"):
        write_split(replace(division(bbaf2n="test"), corpus="demo"), ready, out)
    with pytest.raises(UseError, match="v2sbench prepare"):
        write_split(division(bbaf2n="test"), tmp_path, out)
    with pytest.raises(UseError, match="run: v2sbench split split"):
        read_split(out)
    assert not out.exists()


@pytest.mark.parametrize("damage", ["json", "tsv", "part", "key"])
def test_damaged_split(ready, tmp_path, damage):
    out = tmp_path / "three"
    write_split(division(bbaf2n="test"), ready, out)
    if damage == "json":
        (out / "split.json").write_text("[")
    elif damage == "key":
        (out / "split.json").write_text(json.dumps({"coverage": {}}))
    else:
        text = (out / "split.tsv").read_text()
        (out / "split.tsv").write_text(text[:-5] if damage == "tsv" else text.replace("\ntest\t", "\ntset\t"))
    with pytest.raises(UseError, match="damaged"):
        read_split(out)


def test_embeddings(ready, tmp_path):
    out = tmp_path / "three"
    write_split(division(bbaf2n="test", prwqzs="train"), ready, out)
    with pytest.raises(UseError, match="no speaker embeddings"):
        read_split(out).embeddings()
    np.save(out / "speaker.npy", np.ones((2, 256), np.float32))
    assert read_split(out).embeddings().shape == (2, 256)
    np.save(out / "speaker.npy", np.ones((3, 256), np.float32))
    with pytest.raises(UseError, match=r"for 2 clips .*; run: v2sbench split three$"):
        read_split(out).embeddings()
    with pytest.raises(UseError, match=r"no face embeddings .*; run: v2sbench split three --face$"):
        read_split(out).embeddings("face")
    np.save(out / "face.npy", np.ones((2, 256), np.float32))
    with pytest.raises(UseError, match=r"128 values; run: v2sbench split three --face$"):
        read_split(out).embeddings("face")
    with pytest.raises(UseError, match="did you mean 'face'"):
        read_split(out).embeddings("faces")
    (out / "face.npy").write_bytes(b"")
    with pytest.raises(UseError, match="no face embeddings"):
        read_split(out).embeddings("face")
    write_split(division(bbaf2n="test"), ready, out)
    assert not (out / "speaker.npy").exists()  # those of another division
    assert not (out / "face.npy").exists()


def test_faces_outlast_the_same_division(ready, tmp_path):
    out = tmp_path / "three"
    write_split(division(bbaf2n="test", prwqzs="train"), ready, out)
    np.save(out / "face.npy", np.ones((2, 128), np.float32))
    write_split(division(bbaf2n="test", prwqzs="train"), ready, out)
    assert read_split(out).embeddings("face").shape == (2, 128)
    (out / "split.json").write_text("{")  # whose faces are they?
    write_split(division(bbaf2n="test", prwqzs="train"), ready, out)
    assert not (out / "face.npy").exists()


def test_an_interrupted_split_leaves_the_old_one(ready, tmp_path):
    def embed(clips, ids):
        assert all(clip in clips for clip in ids)
        return np.arange(len(ids), dtype=np.float32)[:, None] * np.ones(256, np.float32)

    def killed(clips, ids):
        raise KeyboardInterrupt

    out = tmp_path / "splits" / "three"
    with pytest.raises(KeyboardInterrupt):
        write_split(division(bbaf2n="test"), ready, out, embed=killed)
    assert list(out.parent.iterdir()) == []
    write_split(division(bbaf2n="test", prwqzs="train"), ready, out, embed=embed)
    before = digests(out)
    assert set(before) == {"split.tsv", "split.json", "speaker.npy"}
    assert read_split(out).embeddings()[1, 0] == 1
    with pytest.raises(KeyboardInterrupt):
        write_split(division(bbaf2n="test"), ready, out, embed=killed)
    assert digests(out) == before


# ---------------------------------------------------------------- batches

counts = st.integers(1, 60)
seeds = st.integers(0, 2**31)


@given(counts, counts, seeds)
def test_each_epoch_visits_each_item_once(n, batch, seed):
    steps = -(-3 * n // batch)
    line = np.concatenate([batch_ids(n, batch, step, seed) for step in range(steps)])
    for epoch in range(3):
        assert sorted(line[epoch * n : (epoch + 1) * n]) == list(range(n))


@given(counts, counts, st.integers(0, 500), seeds)
def test_a_step_needs_no_history(n, batch, step, seed):
    first = batch_ids(n, batch, step, seed)
    assert first.shape == (batch,)
    assert first.dtype == np.int64
    batch_ids(n + 1, batch, step, seed)
    np.testing.assert_array_equal(batch_ids(n, batch, step, seed), first)
    np.testing.assert_array_equal(
        np.concatenate([batch_ids(n, 1, step * batch + k, seed) for k in range(batch)]), first
    )


def test_a_batch_may_be_changed_without_harm():
    first = batch_ids(10, 10, 0, 1)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(batch_ids(10, 10, 0, 1), kept)


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(batch_ids(50, 50, step, seed)) for step in range(5) for seed in range(5)}
    assert len(orders) == 25


@pytest.mark.parametrize(("n", "batch", "step"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_batch_errors(n, batch, step):
    with pytest.raises(ValueError, match="allowed are"):
        batch_ids(n, batch, step, 0)
