"""The store of prepared clips: shards, index, random access."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.clips.store import Clips
from v2sbench.prepare import writer as shardwriter
from v2sbench.runtime import UseError


@given(st.integers(0, 2**32), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_stills_are_kept_to_the_pixel(tmp_path_factory, seed, shape):
    folder = tmp_path_factory.mktemp("still")
    still = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    with shardwriter.ShardWriter(folder) as writer:
        writer.add("p1/a", "p1", None, 1, b"sound", b"", "", shardwriter.encode_still(still))
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


def test_a_name_too_long_for_tar(tmp_path):
    with shardwriter.ShardWriter(tmp_path) as writer, pytest.raises(UseError, match="too long"):
        writer.add("p1/" + "a" * 200, "p1", None, 1, b"x", b"", "")


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
    with shardwriter.ShardWriter(tmp_path) as writer:
        writer.add("p1/a", "p1", None, 1, b"sound", b"", "", b"no picture")
        writer.finish([], {})
    with pytest.raises(UseError, match="damaged; run: v2sbench prepare"):
        Clips(tmp_path).still("p1/a")
