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

from tests.miniatures import fake
from tests.miniatures.drawing import chord
from tests.miniatures.mp4 import write_mp4
from tests.trees import ROOT, put
from v2sbench import cli
from v2sbench.audio import write_wav
from v2sbench.corpora import Clip, Corpus, corpus, discover
from v2sbench.prepare.clips import prepare
from v2sbench.talker.films import write_mpeg1
from v2sbench.tools import doctor, doctor_machine
from v2sbench.tools.doctor import Checkup, examine, page
from v2sbench.tools.doctor_machine import Case, Finding, look_around
from v2sbench.tools.doctor_media import look as look_at


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


def kinds(checkup: Checkup) -> dict[str, Finding]:
    return {finding.kind: finding for finding in checkup.findings}


def clip(path, video=True) -> Clip:
    return Clip(id="s1/a", speaker="s1", media=path, text=None, video=video)


# ---------------------------------------------------------------- one file


def test_time_stamps_of_a_miniature_are_those_of_real_clips(miniature):
    seen = look_at(clip(miniature / "s1" / "bbaf2n.mpg"))
    assert seen.offset == pytest.approx(-481 / 44_100, abs=1e-3)
    assert (seen.reason, seen.damage) == ("", "")


def test_priming_of_an_aac_encoder_is_no_offset(tmp_path):
    write_mp4(tmp_path / "a.mp4", np.zeros((10, 32, 32, 3), np.uint8), chord("a", 19_200, 48_000), Fraction(25))
    seen = look_at(clip(tmp_path / "a.mp4"))
    assert seen.damage == ""
    assert seen.offset == pytest.approx(0, abs=1e-3)


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
    assert look_at(clip(lossy)).damage == "3 of 75 pictures are lost"


def test_a_cut_wav_tells_what_it_lacks(tmp_path):
    write_wav(tmp_path / "a.wav", chord("a", 24_000, 24_000))
    assert look_at(clip(tmp_path / "a.wav", video=False)).damage == ""
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:10_000])
    assert "10000 of 48044 bytes are there" in look_at(clip(tmp_path / "a.wav", video=False)).damage


def test_sound_that_ends_early_is_told(tmp_path):
    write_mpeg1(tmp_path / "a.mpg", np.zeros((25, 32, 32, 3), np.uint8), chord("a", 22_050, 44_100), 44_100)
    assert re.fullmatch(r"the sound ends 0\.4\d s before the picture", look_at(clip(tmp_path / "a.mpg")).damage)


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"no film", "undecodable")])
def test_what_is_no_media_file(tmp_path, data, reason):
    (tmp_path / "a.mpg").write_bytes(data)
    assert look_at(clip(tmp_path / "a.mpg")).reason == reason


# ---------------------------------------------------------------- names


def test_a_complete_corpus_is_usable(miniature, ready):
    checkup = look(miniature, whole(), clips=ready)
    assert (checkup.code, checkup.findings) == (0, ())
    assert checkup.layout == "sN/*.mpg (3)"
    assert (checkup.prepared["checked"], checkup.prepared["intact"]) == (3, 3)
    assert checkup.media["pictures"] == {"360x288": 3}
    assert page(checkup).endswith("=> grid is usable")


def test_missing_clips_are_counted_for_each_speaker(grid):
    (grid / "s1" / "bbaf2n.mpg").unlink()
    checkup = look(grid, depth="names")
    assert (checkup.speakers["s1"], checkup.speakers["s8"]) == ((1, 1000), (0, 889))
    assert kinds(checkup)["missing"].count == 32_868
    assert "all of 31 speakers" in kinds(checkup)["missing"].text
    assert checkup.splits["grid1-seen"].endswith("(partial 1/1000)")
    assert kinds(checkup)["absent"].cases == (Case(name="s1/bbaf2n"),)  # its word times are here
    text = page(checkup)
    assert "s1 1/1000, s2 1/1000; nothing of s3, s4" in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_a_surplus_fills_no_gap(grid):
    found = kinds(look(grid, replace(corpus("grid"), inventory={"s1": 1, "s2": 2}), depth="names"))
    assert (found["missing"].count, found["surplus"].weight) == (1, 0)
    assert found["surplus"].cases == (Case(name="s1"),)


def test_a_list_names_what_is_missing(grid, tmp_path):
    listing = put(tmp_path, "my_test.txt", "s1/bbaf2n\ns1/lwbz9s\ns9/pbio7a\n")
    found = kinds(look(grid, depth="names", listing=listing))["absent"]
    assert [case.name for case in found.cases] == ["s1/lwbz9s", "s9/pbio7a"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("s1/holiday.mpg", b"x", "is not"),
        ("s1/lwbz9s.mpg", b"", "empty file"),
        ("s3.zip", b"x", "archive not unpacked"),
        ("s3/lgix9p.mpg", b"x", "one is misfiled"),
        ("s21/lwbz9s.mpg", b"x", "no speaker of this corpus"),
    ],
)
def test_unusable_files_are_told(grid, name, data, reason):
    put(grid, name, data)
    checkup = look(grid, whole(), depth="names")
    problem = next(case for case in kinds(checkup)["problems"].cases if case.name == name)
    assert reason in problem.reason or "signs" in problem.reason
    assert checkup.code == 1
    assert name in page(checkup)


def test_names_that_are_no_text(grid, tmp_path, capsys):
    film = (grid / "s1" / "bbaf2n.mpg").read_bytes()
    (grid / "s1" / os.fsdecode(b"b\xff.mpg")).write_bytes(film)
    put(grid, "s1/\u00fc\tb\n.mpg", film)
    prepare(corpus("grid"), grid, tmp_path / "out", jobs=1)
    line = ["doctor", "grid", "--root", str(grid), "--clips", str(tmp_path / "out"), "--fast", "--json"]
    assert cli.main(line) == 1
    found = {item["kind"]: item for item in json.loads(capsys.readouterr().out)["findings"]}
    assert [case["name"] for case in found["problems"]["cases"]] == ["s1/b\\xff.mpg", "s1/\u00fc\tb\n.mpg"]
    assert [case["name"] for case in found["quarantined"]["cases"]] == ["s1/b\\xff.mpg", "s1/\u00fc b .mpg"]


def test_a_folder_without_a_clip_is_not_usable(tmp_path, capsys):
    put(tmp_path, "grid/s1.zip")
    assert cli.main(["doctor", "grid", "--root", str(tmp_path / "grid")]) == 2
    said = capsys.readouterr().out
    assert "not one usable clip" in said
    assert "=> grid is not usable" in said


def test_the_parts_of_a_mix_that_are_not_here(tmp_path):
    fake("libritts", tmp_path / "libritts")
    fake("vctk", tmp_path / "vctk")
    found = kinds(look(tmp_path, corpus("speech-mix")))["lacking"]
    assert found.text == "4 of 6 parts are not here: commonvoice, hifitts, omceb, swc"


def test_only_names_opens_no_file(grid, monkeypatch):
    monkeypatch.setattr(doctor, "look", lambda *_, **__: pytest.fail("a file was opened"))
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
    found = kinds(look(grid, replace(corpus("grid"), inventory={"s1": 4, "s2": 1})))["faults"]
    assert [(case.name, case.reason, case.detail) for case in found.cases] == [
        ("s1/lgbq9a", "no-audio", "s1/lgbq9a.mp4 has no audio stream"),
        ("s1/lwbz9s", "no-video", "s1/lwbz9s.mpg has no video stream"),
    ]
    assert found.weight == 1


def test_all_files_bad_is_not_usable(grid):
    for path in grid.rglob("*.mpg"):
        path.write_bytes(b"no film")
    checkup = look(grid, whole())
    assert kinds(checkup)["faults"].count == 3
    assert checkup.code == 2


@pytest.mark.parametrize("deep", [False, True])
def test_landmarks_that_cannot_be_read_are_faults(deep, tmp_path):
    """The media of every clip is fine, and yet `prepare` could use none."""
    fake("lrw", tmp_path / "lrw")
    clips = corpus("lrw").scan(tmp_path / "lrw").clips
    for item in clips:
        item.landmarks.write_bytes(b"no array")
    checkup = look(tmp_path / "lrw", corpus("lrw"), depth="deep" if deep else "headers")
    found = kinds(checkup)["faults"]
    assert (found.weight, found.count) == (2, len(clips))
    assert {case.reason for case in found.cases} == {"bad-landmarks"}


def test_late_sound_is_astray_by_so_many_samples(grid):
    with av.open(str(grid / "s1" / "lwbz9s.mp4"), "w", format="mp4") as container:
        video, audio = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=44_100)
        video.width = video.height = 32
        audio.layout = "mono"
        packets = []
        for _ in range(10):
            packets += video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24"))
        for k in range(10):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 44_100, 8820 + 1024 * k, Fraction(1, 44_100)
            packets += audio.encode(sound)
        for packet in [*packets, *video.encode(None), *audio.encode(None)]:
            container.mux(packet)
    (case,) = kinds(look(grid))["astray"].cases
    assert case.name == "s1/lwbz9s"
    assert int(case.detail.split()[0]) == pytest.approx(0.2 * 24_000, abs=720)


@pytest.mark.parametrize(
    "name", [name for name, item in discover().items() if not (item.embedded or item.parts or name == "grid")]
)
def test_every_corpus_can_be_examined(name, tmp_path):
    fake(name, tmp_path / name)
    checkup = look(tmp_path / name, corpus(name))
    assert checkup.clips
    assert not {"faults", "damaged", "astray"} & set(kinds(checkup))
    assert all(len(line) <= 120 for line in page(checkup).splitlines())


# ---------------------------------------------------------------- prepared clips


def test_deep_says_what_prepare_says(grid, tmp_path):
    film = (grid / "s1" / "bbaf2n.mpg").read_bytes()
    put(grid, "s1/lwbz9s.mpg", film[:40_000])  # opens, and its landmarks are missing: no drawn face is found
    put(grid, "s1/sgib8n.mpg", film[:3000])
    write_mpeg1(grid / "s1" / "pbio7a.mpg", np.zeros((25, 32, 32, 3), np.uint8), np.zeros(44_100, np.float32), 44_100)
    prepare(corpus("grid"), grid, tmp_path / "clips", jobs=1, roi="haar")
    found = kinds(look(grid, clips=tmp_path / "clips", depth="deep", roi="haar"))
    assert found["faults"].cases == found["quarantined"].cases
    assert ("s1/pbio7a", "no-sound") in {(case.name, case.reason) for case in found["faults"].cases}
    assert not {"unprepared", "gone"} & set(found)


def test_damaged_prepared_clips_are_found_and_the_remedy_works(grid, ready, tmp_path):
    out = shutil.copytree(ready, tmp_path / "out")
    (shard,) = out.glob("shard-*")
    data = bytearray(shard.read_bytes())
    data[2000] ^= 1  # in the first clip's sound
    shard.write_bytes(data)
    found = kinds(look(grid, clips=out, depth="names"))["broken"]
    assert found.cases == (Case(name="s1/bbaf2n"),)
    (remedy,) = re.findall(r"run: v2sbench (prepare grid .* --fresh)$", found.text)
    assert cli.main(remedy.split()) == 0
    assert "broken" not in kinds(look(grid, clips=out, depth="names"))
    next(out.glob("shard-*")).unlink()
    assert kinds(look(grid, clips=out, depth="names"))["broken"].count == 3


def test_what_was_prepared_is_compared_with_what_is_there(grid, ready, monkeypatch):
    (grid / "s2" / "lgix9p.mpg").unlink()
    shutil.copy(grid / "s1" / "bbaf2n.mpg", grid / "s1" / "lwbz9s.mpg")
    monkeypatch.setattr(doctor, "SAMPLE", 2)
    checkup = look(grid, clips=ready, depth="names")
    assert checkup.prepared["checked"] == 2  # a sample is enough
    assert kinds(checkup)["unprepared"].cases == (Case(name="s1/lwbz9s"),)
    assert kinds(checkup)["gone"].cases == (Case(name="s2/lgix9p"),)


@pytest.mark.parametrize("name", ["index.tsv", "quarantine.tsv", "clips.json"])
def test_damaged_lists_of_prepared_clips_are_one_line(name, grid, ready, tmp_path, capsys):
    out = shutil.copytree(ready, tmp_path / "out")
    (out / name).write_bytes(b"\xff\x00 cut o")
    assert cli.main(["doctor", "grid", "--root", str(grid), "--clips", str(out), "--fast"]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert said.count("\n") == 1


def test_a_sheet_is_drawn_beside_the_report(grid, ready, tmp_path, capsys):
    line = ["doctor", "grid", "--root", str(grid), "--clips", str(ready), "--fast", "--json", "--sheet"]
    assert cli.main([*line, str(tmp_path / "deep" / "faces.png")]) == 1
    json.loads(capsys.readouterr().out)
    assert len(np.unique(cv2.imread(str(tmp_path / "deep" / "faces.png")))) > 50


# ---------------------------------------------------------------- the report


def test_the_document_tells_every_key_and_kind(grid, ready, capsys):
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE)
                for part in text.split("### ")}  # fmt: skip
    assert cli.main(["doctor", "grid", "--root", str(grid), "--clips", str(ready), "--json"]) == 1
    assert set(json.loads(capsys.readouterr().out)) == set(sections["Checkup"])
    assert sections["Finding"] == [field.name for field in fields(Finding)]
    assert sections["Case"] == [field.name for field in fields(Case)]
    source = (ROOT / "v2sbench" / "tools" / "doctor.py").read_text(encoding="utf-8")
    used = re.findall(r'kind="([a-z-]+)"|_finding\((?:[^,]*), "([a-z-]+)"', source)
    assert {one or other for one, other in used} == set(sections["Kinds"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("doctor grit", "did you mean 'grid'"),
        ("doctor grid", "no folder"),
        ("doctor demo", "not made yet at data/demo; run: v2sbench prepare demo"),
        ("doctor --fast", "--fast needs a corpus"),
        ("doctor grid --root {grid} --clips nowhere", "no prepared clips in nowhere"),
        ("doctor grid --root {grid} --list nowhere", "nowhere"),
        ("doctor grid --root {grid} --deep --roi hair", "did you mean 'haar'"),
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
    monkeypatch.setattr(doctor_machine, "LITTLE", 0)
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["code"] == 0
    assert any("V2S_DATA is not set" in finding["text"] for finding in report["findings"])
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("=> this machine is usable\n")


def test_a_torchaudio_of_another_build(monkeypatch):
    real = importlib.import_module

    def broken(name):
        if name == "torchaudio":
            raise OSError("libcudart.so.13: cannot open shared object file")
        return real(name)

    monkeypatch.setattr(doctor_machine.importlib, "import_module", broken)
    (grave,) = [finding for finding in look_around() if finding.weight == 2]
    assert "libcudart" in grave.text
    assert "pip install torch==" in grave.text


def test_packages_that_are_missing_or_old(monkeypatch):
    real = metadata.version

    def version(name):
        if name in ("av", "resemblyzer"):
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name in ("scipy", "h5py") else real(name)

    needs = ["av>=14", "scipy>=1.14", 'h5py>=3.10; extra == "vocoders"', 'resemblyzer>=0.1.4; extra == "speaker"']
    monkeypatch.setattr(doctor_machine.metadata, "version", version)
    monkeypatch.setattr(doctor_machine.metadata, "requires", lambda name: needs)
    found = [finding for finding in look_around() if finding.kind in ("packages", "extras")]
    assert [(finding.weight, finding.text) for finding in found] == [
        (2, "missing or of another version: av; run: pip install 'v2sbench'"),
        (0, "extra speaker is not installed: resemblyzer; run: pip install 'v2sbench[speaker]'"),
        (2, "missing or of another version: scipy 0.1, needed is scipy>=1.14; run: pip install 'v2sbench'"),
        (
            1,
            "extra vocoders has another version: h5py 0.1, needed is h5py>=3.10; run: pip install 'v2sbench[vocoders]'",
        ),
    ]


def test_what_is_set_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("V2S_JOBS", "many")
    monkeypatch.setattr(doctor_machine, "CODECS", ("h264", "no-such-codec"))
    texts = "\n".join(finding.text for finding in look_around() if finding.weight == 1)
    for said in ("nowhere is no folder", "V2S_JOBS='many'", "has no codec no-such-codec"):
        assert said in texts


# ---------------------------------------------------------------- real clips


@pytest.mark.real
def test_real_time_stamps(grid_root, tmp_path):
    for path in sorted(grid_root.glob("s[2-5]*/*.mpg")):
        put(tmp_path, f"grid/{path.parent.name}/{path.name}", path.read_bytes())
    found = kinds(look(tmp_path / "grid"))
    assert not {"faults", "astray"} & set(found)
    if (grid_root / "s4" / "bbaf2a.mpg").exists():
        assert Case(name="s4/bbaf2a", detail="4 of 75 pictures are lost") in found["damaged"].cases
