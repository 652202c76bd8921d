"""The doctor on miniatures of corpora, each with one thing wrong, and on the real clips at hand."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from dataclasses import fields, replace
from fractions import Fraction
from importlib import metadata

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.imports import ROOT
from tests.miniatures import fake
from tests.miniatures.drawing import chord
from tests.miniatures.mp4 import write_mp4
from tests.trees import put
from v2sbench import cli
from v2sbench.audio import MediaError, write_wav
from v2sbench.clips.store import Clips
from v2sbench.corpora import Corpus, corpus, discover
from v2sbench.prepare.clips import prepare
from v2sbench.prepare.media import decode
from v2sbench.prepare.writer import ShardWriter
from v2sbench.runtime import UseError
from v2sbench.talker.films import write_mpeg1
from v2sbench.tools.doctor import examine as module
from v2sbench.tools.doctor import machine
from v2sbench.tools.doctor.examine import examine, to_show
from v2sbench.tools.doctor.packets import contents
from v2sbench.tools.doctor.report import Case, Checkup, Finding, Histogram, Media, Names, Prepared, SplitCover
from v2sbench.tools.doctor.words import findings, page


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """One process, no progress bars."""
    monkeypatch.setenv("V2S_JOBS", "1")
    monkeypatch.setenv("V2S_QUIET", "1")


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    """GRID's miniature: s1 with two clips, s2 with one. Not to be changed."""
    root = tmp_path_factory.mktemp("grid") / "grid"
    fake("grid", root)
    return root


@pytest.fixture
def grid(miniature, tmp_path):
    """A copy of it to spoil."""
    return shutil.copytree(miniature, tmp_path / "data" / "grid")


@pytest.fixture(scope="module")
def ready(miniature, tmp_path_factory):
    """The miniature prepared. Not to be changed."""
    out = tmp_path_factory.mktemp("clips") / "grid"
    prepare(corpus("grid"), miniature, out, jobs=1)
    return out


def whole() -> Corpus:
    """GRID as if the miniature were all of it."""
    return replace(corpus("grid"), inventory={"s1": 2, "s2": 1})


def look(root, item=None, **options) -> Checkup:
    """Examine without prepared clips, unless `options` say where they are."""
    options = {"clips": root.parent / "no-clips", **options}
    return examine(item or corpus("grid"), root, **options)


def told(checkup: Checkup, weight: int) -> str:
    """Texts of the findings of one weight."""
    return "\n".join(finding.text for finding in checkup.findings if finding.weight == weight)


# ---------------------------------------------------------------- one file


def test_time_stamps_of_a_miniature_are_those_of_real_clips(miniature):
    seen = contents(miniature / "s1" / "bbaf2n.mpg")
    assert (seen.picture.packets, seen.sound.packets) == (
        75,
        115,
    )  # of real ones 114: they say nothing of their priming
    assert seen.offset == pytest.approx(-481 / 44_100, abs=1e-3)
    assert seen.gap == pytest.approx(3 - 115 * 1152 / 44_100 + 481 / 44_100, abs=1e-3)
    assert seen.lost == ()


def test_priming_of_an_aac_encoder_is_no_offset(tmp_path):
    frames = np.zeros((10, 32, 32, 3), np.uint8)
    write_mp4(tmp_path / "a.mp4", frames, chord("a", 19_200, 48_000), Fraction(25))
    seen = contents(tmp_path / "a.mp4")
    assert seen.lost == ()
    assert seen.offset == pytest.approx(0, abs=1e-3)
    assert seen.picture.end - seen.picture.start == pytest.approx(0.4, abs=1e-3)


def test_pictures_lost_from_the_middle_are_counted(tmp_path, miniature):
    lossy = tmp_path / "lossy.mpg"
    with av.open(str(miniature / "s1" / "bbaf2n.mpg")) as source, av.open(str(lossy), "w", format="mpeg") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        count = 0
        for packet in source.demux():
            if packet.dts is None:
                continue
            count += packet.stream.type == "video"
            if packet.stream.type == "audio" or count not in (20, 21, 50):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    assert contents(lossy).lost == ("3 of 75 pictures are lost",)


def test_a_cut_wav_tells_what_it_lacks(tmp_path):
    write_wav(tmp_path / "a.wav", chord("a", 24_000, 24_000))
    assert contents(tmp_path / "a.wav", video=False).lost == ()
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[:10_000])
    assert contents(tmp_path / "a.wav", video=False).lost == ("10000 of 48044 bytes are there, its end is missing",)
    assert decode(tmp_path / "a.wav", video=False).damage == ("10000 of 48044 bytes are there, its end is missing",)


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"no film", "undecodable")])
def test_what_is_no_media_file(tmp_path, data, reason):
    (tmp_path / "a.mpg").write_bytes(data)
    with pytest.raises(MediaError) as failed:
        contents(tmp_path / "a.mpg")
    assert failed.value.reason == reason


# ---------------------------------------------------------------- names


def test_a_complete_corpus_is_usable(miniature, ready):
    checkup = look(miniature, whole(), clips=ready)
    assert (checkup.code, checkup.verdict) == (0, "usable")
    assert checkup.findings == ()
    assert checkup.names.missing == 0
    assert checkup.names.layout == "sN/*.mpg (3)"
    assert checkup.prepared.checked == 3


def test_missing_clips_are_counted_for_each_speaker(grid):
    (grid / "s1" / "bbaf2n.mpg").unlink()
    (grid / "alignments" / "s1" / "bbaf2n.align").unlink()
    checkup = look(grid, depth="names")
    assert checkup.names.speakers["s1"] == (1, 1000)
    assert checkup.names.speakers["s8"] == (0, 889)
    assert checkup.names.missing == 32_868
    assert "all of 31 speakers" in told(checkup, 1)
    assert checkup.names.splits["grid1-seen"].label == "partial 1/1000"
    text = page(checkup)
    assert "s1 1/1000 (999 missing), s2 1/1000 (999 missing)" in " ".join(text.split())
    assert "nothing of s3, s4" in text


def test_a_surplus_fills_no_gap(grid):
    item = replace(corpus("grid"), inventory={"s1": 1, "s2": 2})
    checkup = look(grid, item, depth="names")
    assert checkup.names.missing == 1
    assert "s1 +1" in told(checkup, 0)


def test_many_speakers_are_not_told_one_by_one(tmp_path):
    for speaker in range(60):
        put(tmp_path, f"libritts/dev-clean/{100 + speaker}/1/{100 + speaker}_1_000000_000000.wav")
    checkup = look(tmp_path / "libritts", corpus("libritts"), depth="names")
    assert "speakers     60, of 1 to 1 clips" in page(checkup)


def test_a_list_names_what_is_missing(grid, tmp_path):
    listing = put(tmp_path, "my_test.txt", "s1/bbaf2n\ns1/lwbz9s\ns9/pbio7a\n")
    checkup = look(grid, depth="names", listing=listing)
    assert checkup.names.absent == ("s1/lwbz9s", "s9/pbio7a")
    assert checkup.names.listed == 3
    assert "by the list: s1/lwbz9s, s9/pbio7a" in told(checkup, 1)


def test_word_times_name_what_is_missing_and_whose_it_is(grid):
    """Under a wrong speaker, as at Zenodo: s1's lie under s10."""
    (grid / "alignments" / "s1").rename(grid / "alignments" / "s10")
    put(grid, "alignments/s10/lwbz9s.align", "0 75000 sil\n")
    put(grid, "alignments/s30/pwax9s.align", "0 75000 sil\n")  # nothing of that folder is here: whose?
    checkup = look(grid, depth="names")
    assert checkup.names.absent == ("s1/lwbz9s",)
    assert (checkup.names.aligned, checkup.names.moved) == (3, 2)
    assert "2 word times lie under another speaker" in told(checkup, 0)
    assert look(grid, whole(), depth="names").names.absent == ()  # nothing of s1 is missing


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("s1/holiday.mpg", b"x", "is not"),
        ("s1/lwbz9s.mpg", b"", "empty file"),
        ("s3.zip", b"x", "archive not unpacked"),
        ("s3/lgix9p.mpg", b"x", "one is misfiled"),
        ("lwbz9s.mpg", b"x", "in no speaker's folder"),
        ("s21/lwbz9s.mpg", b"x", "no speaker of this corpus"),
    ],
)
def test_unusable_files_are_told(grid, name, data, reason):
    put(grid, name, data)
    checkup = look(grid, whole(), depth="names")
    problem = next(problem for problem in checkup.names.problems if problem.name == name)
    assert reason in problem.reason or "signs" in problem.reason
    assert checkup.code == 1
    assert problem.name in page(checkup)


def test_names_that_are_no_text(grid, tmp_path, capsys):
    film = (grid / "s1" / "bbaf2n.mpg").read_bytes()
    (tmp_path / "data" / "grid" / "s1" / os.fsdecode(b"b\xff.mpg")).write_bytes(film)
    put(grid, "s1/\u00fc\tb\n.mpg", film)
    prepare(corpus("grid"), grid, tmp_path / "out", jobs=1)
    for options in ([], ["--json"]):
        line = ["doctor", "grid", "--root", str(grid), "--clips", str(tmp_path / "out"), "--fast", *options]
        assert cli.main(line) == 1
        said = capsys.readouterr().out
        assert said.encode()
    report = json.loads(said)
    assert [case["name"] for case in report["names"]["problems"]] == ["s1/b\\xff.mpg", "s1/\u00fc\tb\n.mpg"]
    assert [case["name"] for case in report["prepared"]["quarantined"]] == ["s1/b\\xff.mpg", "s1/\u00fc b .mpg"]


def test_a_broken_link_is_told(grid):
    (grid / "s1" / "lwbz9s.mpg").symlink_to(grid / "nowhere")
    assert look(grid, depth="names").names.problems[0].reason == "cannot be read (a broken link?)"


def test_a_folder_without_a_clip_is_not_usable(tmp_path, monkeypatch, capsys):
    put(tmp_path, "grid/s1.zip")
    checkup = look(tmp_path / "grid")
    assert checkup.code == 2
    assert checkup.names.problems == (Case(name="s1.zip", reason="archive not unpacked"),)
    assert "not one usable clip" in told(checkup, 2)
    assert cli.main(["doctor", "grid", "--root", str(tmp_path / "grid")]) == 2
    assert "=> grid is not usable" in capsys.readouterr().out


def test_the_parts_of_a_mix_that_are_not_here(tmp_path):
    fake("libritts", tmp_path / "libritts")
    fake("vctk", tmp_path / "vctk")
    checkup = look(tmp_path, corpus("speech-mix"))
    assert checkup.names.lacking == ("commonvoice", "hifitts", "omceb", "swc")
    assert "4 of 6 parts are not here: commonvoice, hifitts, omceb, swc" in told(checkup, 1)
    assert checkup.code == 1


def test_only_names_opens_no_file(grid, monkeypatch):
    monkeypatch.setattr(module, "contents", lambda *_, **__: pytest.fail("a file was opened"))
    assert look(grid, depth="names").media is None


# ---------------------------------------------------------------- media


def test_a_clip_without_sound_and_one_without_picture(grid):
    write_wav(grid / "s1" / "sound.wav", chord("a", 44_100, 44_100), 44_100)
    (grid / "s1" / "sound.wav").rename(grid / "s1" / "lwbz9s.mpg")
    with av.open(str(grid / "s1" / "lgbq9a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    checkup = look(grid, replace(corpus("grid"), inventory={"s1": 4, "s2": 1}))
    faults = {case.name: (case.reason, case.detail) for case in checkup.media.faults}
    assert faults == {
        "s1/lwbz9s": ("no-video", "s1/lwbz9s.mpg has no video stream"),
        "s1/lgbq9a": ("no-audio", "s1/lgbq9a.mp4 has no audio stream"),
    }
    assert "2 clips cannot be used" in told(checkup, 1)
    assert checkup.code == 1


def test_all_files_bad_is_not_usable(grid):
    for path in grid.rglob("*.mpg"):
        path.write_bytes(b"no film")
    checkup = look(grid, whole())
    assert [case.reason for case in checkup.media.faults] == ["undecodable"] * 3
    assert checkup.code == 2


def test_sound_apart_from_its_picture_is_measured(grid, tmp_path):
    frames = np.zeros((25, 32, 32, 3), np.uint8)
    write_mpeg1(tmp_path / "short.mpg", frames, chord("a", 22_050, 44_100), 44_100)
    shutil.copy(tmp_path / "short.mpg", grid / "s1" / "lwbz9s.mpg")
    media = look(grid).media
    assert media.gap_ms.high == pytest.approx(500, abs=27)
    assert sum(media.gap_ms.bins.values()) == sum(media.offset_ms.bins.values()) == 4
    assert media.damaged == (Case(name="s1/lwbz9s", reason="damaged", detail=media.damaged[0].detail),)
    assert re.fullmatch(r"the sound ends 0\.4\d s before the picture", media.damaged[0].detail)
    assert media.sizes == {"360x288": 3, "32x32": 1}
    assert media.pictures == {"75": 3, "25": 1}
    assert media.odd == ()  # a quarter of another length is no exception


def test_late_sound_is_astray(grid):
    def late(path):
        with av.open(str(path), "w", format="mp4") as container:
            video, audio = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=44_100)
            video.width = video.height = 32
            audio.layout = "mono"
            packets = []
            for _ in range(10):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                packets += video.encode(picture)
            for k in range(10):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = 44_100, 8820 + 1024 * k, Fraction(1, 44_100)
                packets += audio.encode(sound)
            for packet in [*packets, *video.encode(None), *audio.encode(None)]:
                container.mux(packet)

    late(grid / "s1" / "lwbz9s.mp4")
    media = look(grid).media
    assert [case.name for case in media.astray] == ["s1/lwbz9s"]
    assert media.offset_ms.high == pytest.approx(200, abs=30)


def test_a_length_unlike_all_others_is_named():
    lengths = {f"s1/{number:06d}": 75 for number in range(19)} | {"s1/a": 71}
    assert module._odd(lengths) == (Case(name="s1/a", reason="length", detail="71 pictures, not 75"),)
    assert module._odd({**lengths, **{f"s2/{number}": 80 for number in range(3)}}) == ()
    assert module._odd({}) == ()


@given(st.lists(st.floats(-2, 2), max_size=50))
def test_histograms_count_everything_once(seconds):
    values = Histogram.of(seconds)
    if not seconds:
        assert values is None
        return
    assert sum(values.bins.values()) == len(seconds)
    assert values.low <= values.median <= values.high
    assert all(place % 20 == 0 and -500 <= place <= 500 for place in values.bins)
    assert min(values.bins) - 10 <= np.clip(values.low, -510, 510) + 0.01
    assert max(values.bins) + 10 >= np.clip(values.high, -510, 510) - 0.01


def test_bins_are_half_a_frame_wide():
    assert Histogram.of([0.022, 0.0101, -0.009, 3]).bins == {0: 1, 20: 2, 500: 1}


@pytest.mark.parametrize(
    "name", [name for name, item in discover().items() if not (item.embedded or item.parts or name == "grid")]
)
def test_every_corpus_can_be_examined(name, tmp_path):
    fake(name, tmp_path / name)
    checkup = look(tmp_path / name, corpus(name))
    assert checkup.names.clips
    assert checkup.media.faults == checkup.media.damaged == ()
    assert checkup.media.seconds > 0
    assert (checkup.media.gap_ms is None) == (corpus(name).kind == "audio")
    assert all(len(line) <= 120 for line in page(checkup).splitlines())


# ---------------------------------------------------------------- prepared clips


def test_deep_says_what_prepare_says(grid, tmp_path):
    film = (grid / "s1" / "bbaf2n.mpg").read_bytes()
    put(grid, "s1/lwbz9s.mpg", film[:40_000])  # opens, and its landmarks are missing: no drawn face is found
    put(grid, "s1/sgib8n.mpg", film[:3000])
    write_mpeg1(grid / "s1" / "pbio7a.mpg", np.zeros((25, 32, 32, 3), np.uint8), np.zeros(44_100, np.float32), 44_100)
    prepare(corpus("grid"), grid, tmp_path / "clips", jobs=1, roi="haar")
    checkup = look(grid, clips=tmp_path / "clips", depth="deep", roi="haar")
    assert {(case.name, case.reason) for case in checkup.media.faults} == {
        (case.name, case.reason) for case in checkup.prepared.quarantined
    }
    assert {"s1/pbio7a": "no-sound"}.items() <= {case.name: case.reason for case in checkup.media.faults}.items()
    assert checkup.prepared.unprepared == checkup.prepared.gone == ()
    assert "prepare left out 2 (" in told(checkup, 1)


def test_prepared_clips_are_compared_with_their_digest(grid, ready, tmp_path):
    out = shutil.copytree(ready, tmp_path / "out")
    shard = bytearray((out / "shard-00000.tar").read_bytes())
    shard[2000] ^= 1  # in the first clip's sound
    (out / "shard-00000.tar").write_bytes(shard)
    (grid / "s2" / "lgix9p.mpg").unlink()
    shutil.copy(grid / "s1" / "bbaf2n.mpg", grid / "s1" / "lwbz9s.mpg")
    checkup = look(grid, clips=out, depth="names")
    assert checkup.prepared.broken == ("s1/bbaf2n",)
    assert checkup.prepared.unprepared == ("s1/lwbz9s",)
    assert checkup.prepared.gone == ("s2/lgix9p",)
    assert "1 of 3 prepared clips looked at are damaged on this disk: s1/bbaf2n" in told(checkup, 1)
    assert "1 clips are not prepared yet: s1/lwbz9s" in told(checkup, 1)


def test_a_shard_that_is_gone(grid, ready, tmp_path):
    out = shutil.copytree(ready, tmp_path / "out")
    (out / "shard-00000.tar").unlink()
    assert len(look(grid, clips=out, depth="names").prepared.broken) == 3


def test_a_sample_is_looked_at_unless_deep(grid, ready, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 2)
    assert look(grid, clips=ready, depth="names").prepared.checked == 2


@pytest.mark.parametrize("name", ["index.tsv", "quarantine.tsv", "clips.json"])
def test_damaged_lists_of_prepared_clips_are_one_line(name, grid, ready, tmp_path, capsys):
    out = shutil.copytree(ready, tmp_path / "out")
    (out / name).write_bytes(b"\xff\x00 cut o")
    assert cli.main(["doctor", "grid", "--root", str(grid), "--clips", str(out), "--fast"]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert said.count("\n") == 1


def test_a_sheet_shows_every_speaker_and_what_was_left_out(tmp_path):
    with ShardWriter(tmp_path) as writer:
        for speaker, count in (("s1", 50), ("s2", 3), ("s3", 1)):
            for number in range(count):
                writer.add(f"{speaker}/{number:02d}", speaker, None, 5, b"sound", b"crops", "", b"still")
        left = [(f"s1/q{number}", "no-face", "none") for number in range(20)]
        writer.finish([*left, ("s1/junk.mpg", "unusable-file", "no name")], {})
    shown = to_show(Clips(tmp_path), 12)
    assert len(shown) == len(set(shown)) == 12
    assert [name for name in shown if "q" in name] == ["s1/q0", "s1/q13", "s1/q18", "s1/q5"]
    assert {name.split("/")[0] for name in shown} == {"s1", "s2", "s3"}
    assert {"s2/00", "s2/01", "s2/02", "s3/00"} <= set(shown)
    assert len(to_show(Clips(tmp_path), 1000)) == 74


def test_a_sheet_is_drawn_beside_the_report(grid, ready, tmp_path, capsys):
    line = ["doctor", "grid", "--root", str(grid), "--clips", str(ready), "--fast", "--json", "--sheet"]
    assert cli.main([*line, str(tmp_path / "deep" / "faces.png")]) == 1
    json.loads(capsys.readouterr().out)
    picture = cv2.imread(str(tmp_path / "deep" / "faces.png"))
    assert picture.shape[0] > 100
    assert len(np.unique(picture)) > 50


def test_no_sheet_of_sound_alone(tmp_path, capsys):
    put(tmp_path, "libritts/dev-clean/84/121/84_121_000000_000000.wav")
    with ShardWriter(put(tmp_path, "out/x").parent) as writer:
        writer.add("84/a", "84", None, 5, b"sound", b"", "")
        writer.finish([], {})
    line = f"doctor libritts --fast --root {tmp_path}/libritts --clips {tmp_path}/out --sheet {tmp_path}/a.png"
    assert cli.main(line.split()) == 2
    assert "picture" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


# ---------------------------------------------------------------- the report


def test_json_is_the_report(grid, ready, capsys):
    assert cli.main(["doctor", "grid", "--root", str(grid), "--clips", str(ready), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"schema", "code", "verdict", *(field.name for field in fields(Checkup))}
    for key, kind in (("names", Names), ("media", Media), ("prepared", Prepared)):
        assert set(report[key]) == {field.name for field in fields(kind)}
    assert report["schema"] == 1
    assert report["verdict"] == "usable in part"
    assert report["names"]["speakers"]["s1"] == [2, 1000]
    assert report["media"]["gap_ms"]["bins"] == {"0": 3}
    assert report["note"]


def test_the_document_tells_every_key():
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    for kind in (Checkup, Names, SplitCover, Media, Histogram, Prepared, Case, Finding):
        section = text.split(f"### {kind.__name__}\n", 1)[1].split("\n### ", 1)[0]
        keys = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
        extra = ["schema", "code", "verdict"] if kind is Checkup else []
        assert keys == [*extra, *(field.name for field in fields(kind))]


def test_findings_are_ordered_and_the_gravest_decides():
    text = findings([Finding(weight=2, text="a " * 100), Finding(weight=0, text="b")])
    assert text.splitlines()[-1] == "=> not usable"
    assert all(len(line) <= 110 for line in text.splitlines())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("doctor grit", "did you mean 'grid'"),
        ("doctor grid", "no folder"),
        ("doctor demo", "not made yet at data/demo; run: v2sbench prepare demo"),
        ("doctor --fast", "--fast needs a corpus"),
        ("doctor --roi haar", "--roi needs a corpus"),
        ("doctor --list x", "--list needs a corpus"),
        ("doctor grid --fast --deep", "not allowed with"),
        ("doctor grid --root {grid} --clips nowhere", "no prepared clips in nowhere"),
        ("doctor grid --root {grid} --list nowhere", "cannot read the list nowhere"),
        ("doctor grid --root {grid} --deep --roi hair", "did you mean 'haar'"),
        ("doctor grid --root {grid} --jobs 0", "at least 1"),
        ("doctor grid --root {grid} --sheet a.png", "run: v2sbench prepare grid"),
    ],
)
def test_a_mistake_is_one_line(line, said, capsys, grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("V2S_DATA", raising=False)
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    assert cli.main(line.format(grid=tmp_path / "elsewhere" / "grid").split()) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert heard.count("\n") == 1


# ---------------------------------------------------------------- the machine


def test_this_machine_is_usable(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("V2S_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "LITTLE", 0)
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["code"] == 0
    assert any("V2S_DATA is not set" in finding["text"] for finding in report["findings"])


def test_a_torchaudio_of_another_build(monkeypatch):
    real = importlib.import_module

    def broken(name):
        if name == "torchaudio":
            raise OSError("libcudart.so.13: cannot open shared object file")
        return real(name)

    monkeypatch.setattr(machine.importlib, "import_module", broken)
    grave = machine.look_around()[0]
    assert grave.weight == 2
    assert "torchaudio" in grave.text
    assert "libcudart" in grave.text
    assert "pip install torch==" in grave.text


def test_packages_that_are_missing_or_old(monkeypatch):
    real = metadata.version
    gone = {"av", "whisper", "openai-whisper", "resemblyzer"}

    def version(name):
        if name in gone:
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name in ("scipy", "h5py") else real(name)

    needs = ["av>=14", "scipy>=1.14", 'h5py>=3.10; extra == "vocoders"', 'openai-whisper>=2025; extra == "whisper"',
             'resemblyzer>=0.1.4; extra == "speaker"']  # fmt: skip
    monkeypatch.setattr(machine.metadata, "version", version)
    monkeypatch.setattr(machine.metadata, "requires", lambda name: needs)
    found = machine.look_around()
    grave = "\n".join(finding.text for finding in found if finding.weight == 2)
    assert "av is missing" in grave
    assert "scipy 0.1 is here" in grave
    assert any(finding.weight == 1 and "extra vocoders needs h5py" in finding.text for finding in found)
    notes = "\n".join(finding.text for finding in found if finding.weight == 0)
    assert "pip install 'v2sbench[whisper]'" in notes
    assert "pip install 'v2sbench[speaker]'" in notes


@pytest.mark.parametrize(
    ("name", "weight", "said"), [("v2sbench", 1, "pip install -e ."), ("packaging", 2, "packaging is missing")]
)
def test_where_packages_cannot_be_checked(name, weight, said, monkeypatch):
    real = machine._version
    monkeypatch.setattr(machine, "_version", lambda asked: None if asked == name else real(asked))
    assert any(finding.weight == weight and said in finding.text for finding in machine.look_around())


def test_folders_and_workers_that_are_set_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("V2S_JOBS", "many")
    texts = [finding.text for finding in machine.look_around() if finding.weight == 1]
    assert any("nowhere is no folder" in text for text in texts)
    assert any("V2S_JOBS='many'" in text for text in texts)


def test_a_missing_codec(monkeypatch):
    monkeypatch.setattr(machine, "CODECS", ("h264", "no-such-codec"))
    assert any("has no codec no-such-codec" in finding.text for finding in machine.look_around())


# ---------------------------------------------------------------- real clips


@pytest.mark.real
def test_the_partial_grid_at_hand(grid_root):
    checkup = look(grid_root, depth="names")
    lacks = {who: full - have for who, (have, full) in checkup.names.speakers.items()}
    here = {who: have for who, (have, _) in checkup.names.speakers.items() if have}
    if here != {"s1": 900, "s2": 1, "s3": 1, "s4": 40, "s5": 1, "s20": 1, "s30": 2, "s33": 1}:
        pytest.skip("the clips at hand are other ones")
    assert (lacks["s1"], lacks["s4"], lacks["s2"], lacks["s30"], lacks["s8"]) == (100, 959, 999, 998, 889)
    assert checkup.names.missing == 32_870 - 947
    assert checkup.names.problems == ()
    assert (checkup.names.aligned, checkup.names.moved) == (900, 0)
    assert checkup.names.splits["grid1-seen"].label == "partial 900/1000"
    assert checkup.code == 1


@pytest.mark.real
def test_real_time_stamps(grid_root, tmp_path):
    for path in sorted(grid_root.glob("s[2-5]*/*.mpg")):
        put(tmp_path, f"grid/{path.parent.name}/{path.name}", path.read_bytes())
    checkup = look(tmp_path / "grid")
    assert checkup.media.faults == ()
    assert checkup.media.offset_ms.bins == {0: checkup.media.files}
    assert checkup.media.gap_ms.median == pytest.approx(22.04, abs=0.1)
    if (grid_root / "s4" / "bbaf2a.mpg").exists():
        assert Case(name="s4/bbaf2a", reason="damaged", detail="4 of 75 pictures are lost") in checkup.media.damaged


def test_no_folder_is_wrong_use(tmp_path):
    with pytest.raises(UseError, match="not made yet"):
        look(tmp_path / "nowhere")
