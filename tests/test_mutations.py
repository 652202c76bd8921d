"""Two hundred spoilt media files through `prepare` and `doctor`: no crash, no hang, and each accounted for.

Spoilt by a seeded draw: cut off, bits flipped, a stretch wiped out, emptied, another file's bytes under its name, a
name of another container, garbage behind its end, the head of another file. What comes of a file is not foretold,
since codecs bear much; but it is prepared or quarantined with a reason, and the doctor knows of it.
"""

from __future__ import annotations

import faulthandler
import io
import json
import pickle
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.miniatures import fake
from tests.miniatures.drawing import chord, face_landmarks, face_picture
from tests.miniatures.mp4 import write_mp4
from tests.trees import put
from v2sbench import cli
from v2sbench.audio import write_wav
from v2sbench.clips.store import Clips, Table
from v2sbench.corpora import Clip, corpus, discover
from v2sbench.corpora.grid_grammar import stems
from v2sbench.prepare.clips import Report, prepare, prepare_clip
from v2sbench.prepare.crops import RoiError
from v2sbench.prepare.landmark_files import read_landmarks
from v2sbench.runtime import UseError, rng
from v2sbench.talker.films import write_mpeg1

FILMS, SOUNDS, REAL = 120, 80, 40
"""Spoilt files: of a GRID with pictures, of a LibriTTS with sound alone, and of real clips where there are some."""
FRAMES = 12
REASONS = {
    "missing", "empty", "undecodable", "truncated", "no-video", "no-audio", "too-short", "no-sound", "no-face",
    "bad-landmarks", "unusable-file",
}  # fmt: skip
"""Every reason that may stand in quarantine.tsv."""


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    """One process, no progress bars; a hang ends in a traceback and not in nothing."""
    monkeypatch.setenv("V2S_JOBS", "1")
    monkeypatch.setenv("V2S_QUIET", "1")
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def spoil(good: list[bytes], number: int, *, suffixes: tuple[str, ...]) -> tuple[bytes, str]:
    """The number-th spoilt file: bytes of one of `good` after one mutation, and a suffix to lie under."""
    draw = rng(0, "mutation", number)
    which = int(draw.integers(len(good)))
    data, suffix = bytearray(good[which]), suffixes[which % len(suffixes)]
    other = good[(which + 1 + int(draw.integers(len(good) - 1))) % len(good)]
    size = len(data)
    match number % 8:
        case 0:
            del data[int(size * draw.uniform(0.001, 0.999)) :]
        case 1:
            for _ in range(int(draw.integers(1, 200))):
                data[int(draw.integers(size))] ^= 1 << int(draw.integers(8))
        case 2:
            for _ in range(int(draw.integers(1, 20))):  # the head alone: what decoders believe first
                data[int(draw.integers(200))] ^= 1 << int(draw.integers(8))
        case 3:
            start, length = int(draw.integers(size)), int(draw.integers(1, size // 3))
            data[start : start + length] = bytes(len(data[start : start + length]))
        case 4:
            texts = (b"", b"\n", b"<html>404</html>", b"PK\x03\x04" + bytes(100), draw.bytes(5000), other)
            data = bytearray(texts[int(draw.integers(len(texts)))])
        case 5:
            suffix = suffixes[int(draw.integers(len(suffixes)))]
        case 6:
            data += draw.bytes(int(draw.integers(1, 50_000)))
        case _:
            head = int(draw.integers(8, 4096))
            data[:head] = other[:head]
    return bytes(data), suffix


def outcome(out: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Digests of the clips prepared, and (reason, detail) of what was not."""
    clips = Clips(out)
    lines = [line.split("\t") for line in Table(out / "quarantine.tsv", ("id", "reason", "detail"))]
    assert len({name for name, _, _ in lines}) == len(lines)
    assert all(clips.intact(name) for name in clips.ids)
    return {name: clips.entry(name).sha256 for name in clips.ids}, {name: (why, what) for name, why, what in lines}


def account(name: str, root: Path, out: Path, capsys, monkeypatch, *, roi: str = "auto") -> tuple[Report, dict, dict]:
    """Prepare a corpus and examine it both ways; everything that must hold of any corpus."""
    monkeypatch.chdir(root.parent)
    item = corpus(name)
    report = prepare(item, root, out, jobs=1, roi=roi)
    kept, left = outcome(out)
    scan = item.scan(root)
    ids = {clip.id for clip in scan.clips}
    problems = {str(problem.path.relative_to(root)) for problem in scan.problems}
    assert set(kept) | set(left) == ids | problems
    assert set(kept) & set(left) == set()
    assert (report.kept, sum(report.quarantined.values())) == (len(kept), len(left))
    assert {why for why, _ in left.values()} <= REASONS
    assert all(what.strip() for _, what in left.values())
    for depth in ("--fast", None, "--deep"):
        capsys.readouterr()
        options = ["--root", str(root), "--clips", str(out), "--json", "--roi", roi]
        assert cli.main(["doctor", name, *options, *filter(None, [depth])]) == 1
        told = json.loads(capsys.readouterr().out)
        found = {finding["kind"]: finding for finding in told["findings"]}
        assert told["clips"] == len(ids)
        assert found.keys().isdisjoint({"unprepared", "gone", "broken"})
        for kind, expected in (("problems", problems), ("quarantined", set(left))):
            assert found.get(kind, {"count": 0})["count"] == len(expected)
            assert {case["name"] for case in found.get(kind, {"cases": []})["cases"]} <= expected
        faults = found.get("faults", {"count": 0, "cases": []})
        names = {case["name"] for case in faults["cases"]}
        assert names <= set(left) - problems, "what headers rule out is not prepared"
    assert faults["count"] == len(set(left) - problems)
    assert all(left[case["name"]][0] == case["reason"] for case in faults["cases"])
    return report, kept, left


def test_films(tmp_path, capsys, monkeypatch):
    names = list(stems())
    opening = 0.5 - 0.5 * np.cos(np.arange(FRAMES) * 0.6)
    pictures, marks = face_picture(opening, 90), io.BytesIO()
    np.savez(marks, landmarks=face_landmarks(opening))
    sound = chord("film", FRAMES * 1764, 44_100)
    write_mpeg1(tmp_path / "good.mpg", pictures, sound, 44_100)
    write_mp4(tmp_path / "good.mp4", pictures, sound, Fraction(25), 44_100)
    good = [(tmp_path / "good.mpg").read_bytes(), (tmp_path / "good.mp4").read_bytes()]
    root = tmp_path / "grid"
    for number, stem in enumerate(names[: FILMS + 2]):
        data, suffix = (good[number], (".mpg", ".mp4")[number]) if number < 2 else (b"", "")
        if number >= 2:
            data, suffix = spoil(good, number, suffixes=(".mpg", ".mp4", ".avi", ".mpeg"))
        put(root, f"s1/{stem}{suffix}", data)
        put(root, f"landmarks/s1/{stem}.npz", marks.getvalue())
    report, kept, left = account("grid", root, tmp_path / "out", capsys, monkeypatch)
    assert report.kept + len(left) == FILMS + 2
    assert {f"s1/{stem}" for stem in names[:2]} <= set(kept), "whole files suffer from nothing"
    assert len(left) >= FILMS // 8


def test_sounds(tmp_path, capsys, monkeypatch):
    wave = chord("sound", 24_000, 24_000)
    good = []
    for kind in ("WAV", "FLAC", "MP3", "OGG"):
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, 24_000, format=kind)
        good.append(buffer.getvalue())
    root = tmp_path / "libritts"
    for number in range(SOUNDS + 1):
        data = spoil(good, number, suffixes=(".wav",))[0] if number else good[0]
        put(root, f"dev-clean/84/121/84_121_{number:06d}_000000.wav", data)
    report, kept, left = account("libritts", root, tmp_path / "out", capsys, monkeypatch)
    assert report.kept + len(left) == SOUNDS + 1
    assert "84/84_121_000000_000000" in kept
    assert len(left) >= SOUNDS // 16


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("mp4", b"avc1", b"zzzz", "no decoder for the codec of its video"),
        ("mp4", b"mp4a", b"zzzz", "no decoder for the codec of its audio"),
        ("wav", (24_000).to_bytes(4, "little"), (2_000_000_000).to_bytes(4, "little"), "sampling rate of 2000000000"),
        ("wav", (24_000).to_bytes(4, "little"), (3).to_bytes(4, "little"), "sampling rate of 3 Hz"),
    ],
)
def test_headers_that_lie(kind, old, new, said, tmp_path):
    """Found by thousands more of such files: these stopped the whole of `prepare`, or took all of the memory."""
    path = tmp_path / f"a.{kind}"
    if kind == "mp4":
        write_mp4(path, np.zeros((10, 32, 32, 3), np.uint8), chord("a", 19_200, 48_000), Fraction(25))
    else:
        write_wav(path, chord("a", 24_000, 24_000))
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new).replace(b"esds", b"free"))  # which names the codec, too
    done = prepare_clip(Clip(id="s1/a", speaker="s1", media=path, text=None, video=kind == "mp4"), roi="haar")
    assert done.reason == "undecodable"
    assert said in done.detail


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "npy", "pkl"])
def test_landmarks(kind, tmp_path):
    """Of a spoilt landmark file the clip is quarantined; 1,500 of each kind, once, found what is caught there now."""
    path, marks, buffer = tmp_path / f"a.{kind.split()[-1]}", face_landmarks(np.zeros(20)), io.BytesIO()
    match kind:
        case "npz":
            np.savez(buffer, landmarks=marks)
        case "compressed npz":
            np.savez_compressed(buffer, landmarks=marks)
        case "npy":
            np.save(buffer, marks)
        case _:
            pickle.dump(list(marks), buffer)
    good, read, refused = buffer.getvalue(), 0, 0
    for number in range(200):
        path.write_bytes(spoil([good, b"another file" * 400], 2 * number, suffixes=("",))[0])
        try:
            assert read_landmarks(path).shape[1:] == (68, 2)
        except RoiError as error:
            refused += error.reason == "bad-landmarks"
        else:
            read += 1
    assert read + refused == 200
    assert refused > 20


@pytest.mark.parametrize("name", [name for name, item in discover().items() if not (item.embedded or item.parts)])
def test_texts_and_tables(name, tmp_path):
    """What lies beside the media: a scan bears it, and invents no clip."""
    item = corpus(name)
    fake(item.name, tmp_path)
    whole = {clip.id for clip in item.scan(tmp_path).clips}
    media = {".mpg", ".mp4", ".wav", ".flac", ".mp3", ".ogg", ".npz"}
    beside = [path for path in sorted(tmp_path.rglob("*")) if path.is_file() and path.suffix not in media]
    assert beside
    told: list[str] = []
    for path in beside:
        good = path.read_bytes()
        for number in range(8):
            path.write_bytes(spoil([good, b"\xff\xfe\x00 other\t\n<" * 300], number, suffixes=("",))[0])
            try:
                scan = item.scan(tmp_path)
            except UseError as error:
                told.append(str(error))
                continue
            assert len({clip.id for clip in scan.clips}) == len(scan.clips)
            assert all(item.is_id(clip.id) for clip in scan.clips)
            assert {clip.id for clip in scan.clips} <= whole or name == "commonvoice"
        path.write_bytes(good)
    assert all("\n" not in line for line in told)


@pytest.mark.real
def test_real_clips(grid_root, tmp_path, capsys, monkeypatch):
    """No face is looked for: pictures of one grey, decoded from spoilt streams, would take minutes."""
    originals = sorted(grid_root.glob("s[1-5]/*.mpg"))[:3] + sorted(grid_root.glob("s1/*.mp4"))[:3]
    good = [path.read_bytes() for path in originals]
    marks = io.BytesIO()
    np.savez(marks, landmarks=face_landmarks(np.zeros(75)))
    root = tmp_path / "grid"
    for number, stem in enumerate(list(stems())[: REAL + len(good)]):
        data, suffix = (good[number], originals[number].suffix) if number < len(good) else spoil(
            good, number, suffixes=(".mpg", ".mpg", ".mpg", ".mp4", ".mp4", ".mp4")
        )  # fmt: skip
        put(root, f"s1/{stem}{suffix}", data)
        put(root, f"landmarks/s1/{stem}.npz", marks.getvalue())
    report, kept, left = account("grid", root, tmp_path / "out", capsys, monkeypatch)
    assert report.kept + len(left) == REAL + len(good)
    assert {f"s1/{stem}" for stem in list(stems())[: len(good)]} <= set(kept)
    shutil.rmtree(root)
