"""Preparation that is cut off: what is there is taken over, and the result is as if nothing had happened."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from tests.prepared import digests, noise, sounds
from v2sbench.prepare import clips as module
from v2sbench.prepare.clips import prepare
from v2sbench.prepare.writer import ShardWriter, draft_of, receipt_of
from v2sbench.runtime import UseError, rng

SHARD = 40_000
"""Bytes of a shard here: a few clips."""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(ShardWriter.__init__, "__defaults__", (SHARD, None))


@pytest.fixture(scope="module")
def item(tmp_path_factory):
    """Twelve sounds of half a second, two of them silent and one a problem of the scan's."""
    root = tmp_path_factory.mktemp("raw")
    waves = {f"a{at:02d}": noise(12_000, at) * (at not in (0, 7)) for at in range(12)}
    return sounds(root, **waves), root


@pytest.fixture(scope="module")
def whole(item, tmp_path_factory):
    """What an uninterrupted run makes, and how many calls and returns of functions that takes."""
    out, events = tmp_path_factory.mktemp("whole") / "sounds", [0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ShardWriter.__init__, "__defaults__", (SHARD, None))
        patch.setenv("V2S_QUIET", "1")
        prepare(*item, out, jobs=1)  # what is imported on the way is imported once
        sys.setprofile(lambda *_: events.__setitem__(0, events[0] + 1))
        try:
            report = prepare(*item, out, jobs=1, fresh=True)
        finally:
            sys.setprofile(None)
    assert (report.kept, report.quarantined) == (10, {"no-sound": 2})
    assert len([*out.glob("*.zip")]) > 2
    return digests(out), events[0]


def killed(item, out, moment, *, writing=False):
    """Run the preparation in a child that is killed, as by `kill -9`, at the given call or return of a function.

    writing: counted from when a draft is taken up.
    """

    def child():
        left = [moment]

        def count(*_):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        tqdm.set_lock(threading.RLock())  # the usual one is shared with the parent, and would die locked
        if writing:
            resume = ShardWriter.resume
            ShardWriter.resume = lambda *args: (sys.setprofile(count), resume(*args))[1]
        else:
            sys.setprofile(count)
        prepare(*item, out, jobs=1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    process.kill()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("number", range(10))
def test_killed_at_a_random_moment(item, whole, tmp_path, number):
    expected, events = whole
    out = tmp_path / "sounds"
    killed(item, out, int(rng(3, "moment", number).integers(events * 0.9)))
    report = prepare(*item, out, jobs=1)
    assert digests(out) == expected
    assert report.kept == 10
    assert [path.name for path in tmp_path.iterdir() if path != receipt_of(out)] == ["sounds"]


def test_killed_ten_times_on_the_way(item, whole, tmp_path):
    out, lines = tmp_path / "sounds", []
    for number in range(10):
        killed(item, out, int(rng(4, "moment", number).integers(5000)), writing=True)
        assert not out.exists()
        lines.append((tmp_path / ".sounds.partial" / "journal.tsv").read_bytes().count(b"\n"))
    assert lines == sorted(lines)
    report = prepare(*item, out, jobs=1)
    assert report.resumed == lines[-1] > 3
    assert "of them done before" in str(report)
    assert digests(out) == whole[0]


@pytest.mark.parametrize("back", range(8))
def test_killed_while_it_is_published(item, whole, tmp_path, monkeypatch, back):
    """The last steps: the old folder out of the way, the new one into place, the draft away."""
    expected, _ = whole
    out, left = tmp_path / "sounds", [back]
    prepare(*item, out, jobs=1)

    def dies(function):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dies(os.replace))
        patch.setattr("shutil.rmtree", dies(shutil.rmtree))
        try:
            prepare(*item, out, jobs=1, fresh=True)
        except KeyboardInterrupt:
            assert back < 7
    prepare(*item, out, jobs=1)
    assert digests(out) == expected


payloads = st.lists(st.tuples(st.integers(0, 3000), st.booleans(), st.booleans()), min_size=1, max_size=8)


@given(payloads, st.data())
def test_whatever_is_left_of_files(tmp_path_factory, sizes, data):
    """Journal and shard cut or torn anywhere behind what was handed over: the result is the same."""
    content = [np.random.default_rng(at).bytes(size + 1) for at, (size, _, _) in enumerate(sizes)]
    keys = [(f"p/{at:02d}", f"key{at}") for at in range(len(sizes))]

    def write(folder, cut=None):
        with ShardWriter(folder, 8192) as writer:
            done = writer.resume(keys)
            for at in range(done, len(sizes)):
                _, kept, face = sizes[at]
                if at == cut:
                    return done
                if kept:
                    writer.add(keys[at][0], "p", None, 1, content[at], b"", "", content[at] * face, key=keys[at][1])
                else:
                    writer.leave_out(keys[at][0], "no-sound", "silent", key=keys[at][1])
            writer.finish([], {})
        return done

    straight, halting = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    write(straight)
    cut = data.draw(st.integers(0, len(sizes) - 1))
    write(halting, cut)
    journal = halting / "journal.tsv"
    lost = data.draw(st.integers(0, 60))
    os.truncate(journal, max(0, journal.stat().st_size - lost))
    with journal.open("ab") as file:
        file.write(data.draw(st.binary(max_size=20)))
    for path in sorted(halting.glob("shard-*"))[-1:]:
        with path.open("ab") as file:
            file.write(bytes(data.draw(st.integers(0, 2000))))
    (halting / "shard-00007.zip").write_bytes(b"of a clip that no journal names")
    assert write(halting) <= cut
    assert digests(halting) == digests(straight)


def test_a_shard_that_lost_its_end(tmp_path):
    keys = [(f"p/{at}", "") for at in range(3)]
    for lost, expected in ((0, 3), (300, 2), (600, 1), (10_000, 0)):
        folder = tmp_path / str(lost)
        folder.mkdir()
        with ShardWriter(folder) as writer:
            for name, _ in keys:
                writer.add(name, "p", None, 1, name.encode() * 100, b"", "")
        shard = folder / "shard-00000.zip"
        os.truncate(shard, max(0, shard.stat().st_size - lost))
        with ShardWriter(folder) as writer:
            assert writer.resume(keys) == expected


def test_a_clip_whose_bytes_did_not_reach_the_disk(tmp_path):
    """After a loss of power a file may have its length and not its content: then nothing of the draft is trusted."""
    with ShardWriter(tmp_path) as writer:
        writer.add("p/a", "p", None, 1, b"a" * 100, b"", "")
        writer.add("p/b", "p", None, 1, b"b" * 100, b"", "")
    with (tmp_path / "shard-00000.zip").open("r+b") as file:
        file.seek(-260, os.SEEK_END)
        file.write(bytes(260))
    with ShardWriter(tmp_path) as writer:
        assert writer.resume([("p/a", ""), ("p/b", "")]) == 0
    assert not [*tmp_path.glob("shard-*")]


def test_ids_ascend(tmp_path):
    with ShardWriter(tmp_path) as writer:
        writer.add("p/b", "p", None, 1, b"x", b"", "")
        for name in ("p/a", "p/b"):
            with pytest.raises(ValueError, match="must ascend"):
                writer.leave_out(name, "no-sound", "")


# ---------------------------------------------------------------- what is taken over


def interrupted(item, out, after, monkeypatch, **options):
    """A run that ends, as by Ctrl-C, before clip number `after` is prepared; returns the ids it asked for."""
    asked, real = [], module.prepare_clip

    def prepare_clip(clip, **settings):
        asked.append(clip.id)
        if len(asked) > after:
            raise KeyboardInterrupt
        return real(clip, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(module, "prepare_clip", prepare_clip)
        try:
            prepare(*item, out, jobs=1, **options)
        except KeyboardInterrupt:
            return asked[:-1]
    return asked


def test_only_what_is_missing_is_done(item, whole, tmp_path, monkeypatch):
    out = tmp_path / "sounds"
    first = interrupted(item, out, 5, monkeypatch)
    assert not out.exists()
    second = interrupted(item, out, 4, monkeypatch)
    third = interrupted(item, out, 99, monkeypatch)
    assert [*first, *second, *third] == [f"p1/a{at:02d}" for at in range(12)]
    assert digests(out) == whole[0]


def test_fresh_takes_nothing_over(item, whole, tmp_path, monkeypatch):
    out = tmp_path / "sounds"
    interrupted(item, out, 5, monkeypatch)
    assert len(interrupted(item, out, 99, monkeypatch, fresh=True)) == 12
    assert digests(out) == whole[0]


def test_a_file_that_changed_is_done_again_with_all_behind_it(item, tmp_path, monkeypatch):
    corpus, root = item
    found = corpus.scan(root)
    copies = []
    for clip in found.clips:
        path = tmp_path / "raw" / clip.media.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(clip.media.read_bytes())
        copies.append(replace(clip, media=path))
    moved = replace(found, clips=tuple(copies))
    item = replace(corpus, scan=lambda _: moved), tmp_path / "raw"
    out = tmp_path / "sounds"
    interrupted(item, out, 8, monkeypatch)
    os.utime(tmp_path / "raw" / "a03.wav", (1, 1))
    assert interrupted(item, out, 99, monkeypatch)[0] == "p1/a03"
    os.utime(tmp_path / "raw" / "a03.wav", (2, 2))  # and behind a full run likewise
    assert len(interrupted(item, out, 99, monkeypatch)) == 12


@pytest.mark.parametrize("change", ["roi", "code"])
def test_other_options_and_other_code_take_nothing_over(item, tmp_path, monkeypatch, change):
    out = tmp_path / "sounds"
    interrupted(item, out, 5, monkeypatch)
    if change == "code":
        monkeypatch.setattr(module, "PACKAGES", module.PACKAGES[1:])
    report = prepare(*item, out, jobs=1, **({"roi": "haar"} if change == "roi" else {}))
    assert (report.resumed, report.outdated) == (0, 5)
    assert "5 done before are out of date" in str(report)


# ---------------------------------------------------------------- a second run


def test_a_second_run_finds_that_nothing_changed(item, tmp_path, monkeypatch):
    out = tmp_path / "sounds"
    first = prepare(*item, out, jobs=1)
    assert not first.unchanged
    before = out.stat().st_mtime_ns
    assert interrupted(item, out, 99, monkeypatch) == []
    again = prepare(*item, out, jobs=1)
    assert replace(again, unchanged=False) == first
    assert "nothing has changed" in str(again)
    assert out.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["shard", "index", "gone", "receipt"])
def test_a_folder_that_is_not_as_it_was_is_made_again(item, whole, tmp_path, damage):
    out = tmp_path / "sounds"
    prepare(*item, out, jobs=1)
    if damage == "shard":
        os.truncate(out / "shard-00001.zip", 100)
    elif damage == "index":
        (out / "index.tsv").write_text((out / "index.tsv").read_text().replace("a03", "a04"))
    elif damage == "gone":
        (out / "shard-00000.zip").unlink()
    else:
        receipt_of(out).write_text(json.dumps({"made_from": 1}))
    assert not prepare(*item, out, jobs=1).unchanged
    assert digests(out) == whole[0]


def test_two_at_once(item, tmp_path):
    out = tmp_path / "sounds"
    with draft_of(out), pytest.raises(UseError, match="another `v2sbench prepare` is at work"):
        prepare(*item, out, jobs=1)
    prepare(*item, out, jobs=1)
