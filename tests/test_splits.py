"""Splits on disk, and the order in which training visits them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepared import digests
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.corpora import Split, split
from v2sbench.prepare.splits import write_split
from v2sbench.runtime import UseError
from v2sbench.train.batches import batch_ids


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
    assert found.coverage_label == coverage.label
    assert dict(found.sizes) == {part: have for part, (have, _) in coverage.parts.items()}
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
