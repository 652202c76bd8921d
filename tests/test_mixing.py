"""A mix of corpora: an index over their clips, divided as each of them is."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.miniatures import fake
from tests.prepared import digests
from v2sbench import cli
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import COLUMNS, Clips, Table
from v2sbench.corpora import corpus, split
from v2sbench.corpora.mix import PARTS, mixed, unmixed
from v2sbench.prepare.clips import prepare
from v2sbench.prepare.mixing import prepare_mix
from v2sbench.prepare.splits import write_split
from v2sbench.runtime import UseError

MIX = corpus("speech-mix")
HERE = ("libritts", "omceb", "vctk")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three of the parts, prepared."""
    place = tmp_path_factory.mktemp("mix")
    for part in HERE:
        fake(part, place / "raw" / part)
        prepare(corpus(part), place / "raw" / part, place / "clips" / part, jobs=1)
    return place / "clips"


def test_every_clip_of_every_part_under_a_name_of_its_own(clips, tmp_path):
    report = prepare_mix(MIX, clips, clips / "speech-mix")
    assert report.lacking == ("commonvoice", "hifitts", "swc")
    assert "PARTIAL, without commonvoice, hifitts, swc" in str(report)
    store = Clips(clips / "speech-mix")
    assert store.about["lacking"] == ["commonvoice", "hifitts", "swc"]
    assert list(store.ids) == sorted(store.ids)
    assert len(store) == sum(len(Clips(clips / part)) for part in HERE)
    for part in HERE:
        own = Clips(clips / part)
        assert report.hours[part] == pytest.approx(sum(entry.frames for entry in own) / 25 / 3600)
        for entry in own:
            name = mixed(part, entry.id)
            assert unmixed(name, PARTS) == (part, entry.id)
            assert MIX.is_id(name)
            found = store.entry(name)
            assert found == replace(entry, id=name, speaker=f"{part}-{entry.speaker}", shard=found.shard)
            np.testing.assert_array_equal(store.wave(name, 1, 3), own.wave(entry.id, 1, 3))
            assert store.intact(name)
    assert sorted(path.name for path in (clips / "speech-mix").iterdir()) == [
        "clips.json", "index.tsv", "quarantine.tsv"
    ]  # fmt: skip
    before = digests(clips / "speech-mix")
    prepare_mix(MIX, clips, clips / "speech-mix")
    assert digests(clips / "speech-mix") == before


def test_its_split_follows_each_parts_own_and_says_what_is_lacking(clips, tmp_path):
    shutil.copytree(clips, tmp_path / "clips")
    prepare_mix(MIX, tmp_path / "clips", tmp_path / "clips" / "speech-mix")
    coverage = write_split(split("speech-mix"), tmp_path / "clips" / "speech-mix", tmp_path / "splits" / "speech-mix")
    assert coverage.label == "partial, without commonvoice, hifitts, swc"
    table = read_split(tmp_path / "splits" / "speech-mix")
    assert table.coverage_label == coverage.label
    for row in table.rows:
        part, name = unmixed(row.id, PARTS) or ("", "")
        assert split(part).assign([name]) == {name: row.subset}
    shutil.move(tmp_path / "clips", tmp_path / "moved")
    store = Clips(tmp_path / "moved" / "speech-mix")  # paths are relative: parts and mix move together
    assert store.intact(store.ids[0])


def test_all_parts_are_no_partial_mix(clips, tmp_path):
    whole = replace(MIX, parts=HERE)
    assert "PARTIAL" not in str(prepare_mix(whole, clips, tmp_path / "mix"))
    assert Clips(tmp_path / "mix").about["lacking"] == []


def test_ids_interleave_where_one_parts_name_begins_anothers(tmp_path, clips):
    """`lib-...` and `lib-ri-...`: the index is sorted whatever the names are."""
    for part in ("omceb", "omceb-2"):
        shutil.copytree(clips / "omceb", tmp_path / part)
        about = tmp_path / part / "clips.json"
        about.write_text(about.read_text().replace('"omceb"', f'"{part}"'))
    prepare_mix(replace(MIX, parts=("omceb", "omceb-2")), tmp_path, tmp_path / "mix")
    ids = list(Table(tmp_path / "mix" / "index.tsv", COLUMNS).column("id"))
    assert ids == sorted(ids)
    assert unmixed("omceb-2-x/y", ("omceb", "omceb-2")) == ("omceb-2", "x/y")
    assert unmixed("vctk-x/y", ("omceb",)) is None


def test_what_is_no_part(clips, tmp_path):
    with pytest.raises(UseError, match=r"none of them is prepared in .*; run: v2sbench prepare commonvoice"):
        prepare_mix(MIX, tmp_path, tmp_path / "mix")
    shutil.copytree(clips / "vctk", tmp_path / "swc")
    with pytest.raises(UseError, match="holds clips of vctk, not of swc"):
        prepare_mix(MIX, tmp_path, tmp_path / "mix")
    assert not (tmp_path / "mix").exists()


def test_at_the_prompt(clips, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["prepare", "speech-mix"]) == 2
    assert "none of them is prepared in clips" in capsys.readouterr().err
    shutil.copytree(clips, tmp_path / "clips")
    assert cli.main(["prepare", "speech-mix", "--jobs", "2"]) == 2
    assert "takes no --jobs" in capsys.readouterr().err
    assert cli.main(["prepare", "speech-mix"]) == 0
    assert "PARTIAL, without commonvoice, hifitts, swc" in capsys.readouterr().out
