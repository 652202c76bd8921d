"""The store of prepared clips: shards, index, random access."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2sbench.clips import Clips
from v2sbench.clips import store as module
from v2sbench.clips.store import Table, write_table
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


def test_shards_are_plain_zip_files(ready):
    store = Clips(ready)
    with zipfile.ZipFile(ready / "shard-00000.zip") as shard:
        assert shard.testzip() is None
        assert shard.namelist() == [f"{clip}.{kind}" for clip in store.ids for kind in ("flac", "npy", "png")]
        assert {(member.date_time, member.compress_type) for member in shard.infolist()} == {((1980, 1, 1, 0, 0, 0), 0)}
        for clip in store.ids:
            offset, size = store.entry(clip).parts[0]
            data = shard.read(f"{clip}.flac")
            assert (ready / "shard-00000.zip").read_bytes()[offset : offset + size] == data
            np.testing.assert_array_equal(np.load(io.BytesIO(shard.read(f"{clip}.npy"))), store.roi(clip))


def test_tar_shards_of_an_earlier_version_are_refused(ready, tmp_path):
    shutil.copytree(ready, tmp_path / "old")
    index = tmp_path / "old" / "index.tsv"
    index.write_text(index.read_text().replace(".zip\t", ".tar\t"))
    with pytest.raises(UseError, match=r"earlier version .* run: v2sbench prepare"):
        Clips(tmp_path / "old")


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
    (tmp_path / "cut" / "shard-00000.zip").write_bytes(b"short")
    with pytest.raises(UseError, match="shorter than its index"):
        Clips(tmp_path / "cut").wave("s1/bbaf2n")
    (tmp_path / "cut" / "shard-00000.zip").unlink()
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
    path = tmp_path / "clips" / "shard-00000.zip"
    data = bytearray(path.read_bytes())
    data[getattr(Clips(ready).entry("s1/bbaf2n"), f"{part}_offset") + 500] ^= 1
    path.write_bytes(data)
    store = Clips(tmp_path / "clips")
    assert not store.intact("s1/bbaf2n")
    assert store.intact("s1/prwqzs")
    for read in (store.wave, store.roi):
        with pytest.raises(UseError, match=r"s1/bbaf2n.*shard-00000\.zip.*--fresh"):
            read("s1/bbaf2n", 0, 1)
        assert len(read("s1/prwqzs", 0, 1))


def test_a_still_that_is_no_picture(tmp_path):
    with shardwriter.ShardWriter(tmp_path) as writer:
        writer.add("p1/a", "p1", None, 1, b"sound", b"", "", b"no picture")
        writer.finish([], {})
    with pytest.raises(UseError, match="damaged; run: v2sbench prepare"):
        Clips(tmp_path).still("p1/a")


# ---------------------------------------------------------------- tables

COLUMNS = ("id", "text", "number")
cells = st.text("ab\tc\r\n dé\N{MUSICAL SYMBOL G CLEF}", max_size=6)


@given(st.lists(st.tuples(cells, st.none() | cells, st.integers()), max_size=30), st.integers(1, 5), st.integers(5, 40))
def test_what_is_written_is_read(tmp_path_factory, rows, block, chunk):
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    write_table(path, COLUMNS, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "CHUNK", chunk)
        found = Table(path, COLUMNS)
        assert len(found) == len(rows)
        assert list(found) == found[:]
    assert [int(number) for number in found.column("number")] == [row[2] for row in rows]
    for line, (name, text, number) in zip(found, rows, strict=True):
        blank = [value.translate(str.maketrans("\t\r\n", "   ")) for value in (name, text or "")]
        assert line.split("\t") == [*blank, str(number)]


@given(st.sets(st.text("ab-/é\N{MUSICAL SYMBOL G CLEF}", min_size=1, max_size=5)), st.text("ab-/é", max_size=5))
def test_every_key_is_found_and_no_other(tmp_path_factory, names, other):
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    write_table(path, COLUMNS, [(name, "x" * len(name) ** 2, at) for at, name in enumerate(sorted(names))])
    found = Table(path, COLUMNS)
    assert [found.find(name) for name in sorted(names)] == list(found)
    assert (found.find(other) is None) == (other not in names)


@pytest.mark.parametrize("text", ["", "id\ttext\tnumber", "id\tnumber\ttext\na\tb\t1\n", "id\ttext\tnumber\na\tb\t1",
                                  "id\ttext\tnumber\na\tb\n", "id\ttext\tnumber\na\tb\nc\td\t2\n"])  # fmt: skip
def test_damaged_tables(tmp_path, text):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(ValueError, match=r"a\.tsv"):
        Table(tmp_path / "a.tsv", COLUMNS)


def test_a_table_that_is_replaced_is_read_on_as_it_was(tmp_path):
    write_table(tmp_path / "a.tsv", COLUMNS, [("a", "old", 1)])
    found = Table(tmp_path / "a.tsv", COLUMNS)
    write_table(tmp_path / "b.tsv", COLUMNS, [("b", "new", 1)] * 9)
    (tmp_path / "b.tsv").replace(tmp_path / "a.tsv")
    assert list(found) == ["a\told\t1"]
    assert len(pickle.loads(pickle.dumps(found))) == 9
