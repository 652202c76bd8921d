"""One folder with everything that goes wrong with audio in it: the run goes on, and what was wrong is counted."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import soundfile

from tests.voices import noisy, voice
from v2sbench import cli
from v2sbench.audio import write_wav

RATE = 16_000
LONG = 600
"""Seconds."""


def good(seed: int = 0) -> np.ndarray:
    """A second and a half of a prediction."""
    return noisy(voice(1.5, seed, RATE), 15, seed)


def spoil(path) -> None:
    """Write the prediction that the file's name tells."""
    wave = good()
    match path.stem:
        case "silent":
            soundfile.write(path, np.zeros(RATE), RATE)
        case "nan":
            soundfile.write(path, np.where(np.arange(RATE) == 9, np.nan, 0.1), RATE, subtype="FLOAT")
        case "infinite":
            soundfile.write(path, np.where(np.arange(RATE) == 9, np.inf, 0.1), RATE, subtype="DOUBLE")
        case "clipped":
            soundfile.write(path, np.clip(50 * wave, -1, 1), RATE)
        case "over":
            soundfile.write(path, 50 * wave, RATE, subtype="FLOAT")
        case "offset":
            soundfile.write(path, 0.4 + 0.5 * wave, RATE)
        case "moment":
            soundfile.write(path, wave[: RATE // 100], RATE)
        case "endless":
            soundfile.write(path, np.tile(wave, LONG * 2 // 3), RATE)
        case "stereo":
            soundfile.write(path, np.stack([wave, wave], axis=1), RATE)
        case "eight-bit":
            soundfile.write(path, wave, RATE, subtype="PCM_U8")
        case "flac":
            soundfile.write(path.with_suffix(".flac"), wave, RATE)
        case "telephone":
            soundfile.write(path, noisy(voice(1.5, 0, 8_000), 15), 8_000, subtype="ULAW")
        case "odd-rate":
            soundfile.write(path, noisy(voice(1.5, 0, 15_999), 15), 15_999)
        case "empty":
            path.write_bytes(b"")
        case "header":
            soundfile.write(path, wave[:0], RATE)
        case "text":
            path.write_text("RIFF is what a wave begins with\n" * 50)
        case "folder":
            path.mkdir()
        case "torn":
            soundfile.write(path, wave, RATE)
            path.write_bytes(path.read_bytes()[:30])


STATUS = {
    "silent": "silent", "nan": "not-finite", "infinite": "not-finite", "clipped": "ok", "over": "ok", "offset": "ok",
    "moment": "too-short", "endless": "ok", "stereo": "ok", "eight-bit": "ok", "flac": "ok", "telephone": "ok",
    "odd-rate": "ok", "empty": "unreadable", "header": "unreadable", "text": "unreadable", "folder": "unreadable",
    "torn": "unreadable", "absent": "missing", "no-reference": "reference-unreadable",
}  # fmt: skip


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Clip -> line, of one run over all of them."""
    place = tmp_path_factory.mktemp("bad")
    (place / "wavs").mkdir()
    for name in STATUS:
        write_wav(place / "refs" / f"{name}.wav", voice(1.5, 0, RATE), RATE)
        spoil(place / "wavs" / f"{name}.wav")
    soundfile.write(place / "wavs" / "no-reference.wav", good(), RATE)
    (place / "refs" / "no-reference.wav").write_bytes(b"")
    out = place / "o.jsonl"
    line = f"score --wavs {place}/wavs --refs {place}/refs --metrics pesq_wb,stoi,estoi --asr none --jobs 1 --out {out}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("V2S_QUIET", "1")
        assert cli.main(line.split()) == 0
    return {line["clip"]: line for line in map(json.loads, out.read_text().splitlines())}


@pytest.mark.parametrize("name", STATUS)
def test_every_clip_has_a_line_that_says_how_it_is(lines, name):
    line, status = lines[name], STATUS[name]
    assert line["status"] == status
    for metric in ("pesq_wb", "stoi", "estoi"):
        if status == "ok":
            assert np.isfinite(line[metric])
        else:
            assert metric not in line, "nothing is zeroed"
            assert line["errors"][metric] == status


def test_they_add_up(lines):
    assert Counter(line["status"] for line in lines.values()).total() == len(STATUS)


def test_how_a_file_holds_the_samples_does_not_matter(lines):
    for name in ("stereo", "flac", "endless"):
        assert lines[name]["stoi"] == pytest.approx(lines["eight-bit"]["stoi"], abs=0.01)
    assert lines["endless"]["padded"] == -(LONG - 1.5) * RATE


@pytest.mark.parametrize("seconds", [30, 90])
def test_a_long_reference_is_partial(seconds, tmp_path, capsys):
    """PESQ's own table of utterances ends; STOI goes on, block by block."""
    wave = np.tile(voice(1.5, 0, RATE), seconds * 2 // 3)
    write_wav(tmp_path / "refs" / "a.wav", wave, RATE)
    write_wav(tmp_path / "wavs" / "a.wav", good(), RATE)
    out = tmp_path / "o.jsonl"
    line = f"score --wavs {tmp_path}/wavs --refs {tmp_path}/refs --metrics pesq_wb,stoi --asr none --out {out}"
    assert cli.main(line.split()) == 0
    (found,) = map(json.loads, out.read_text().splitlines())
    assert found["status"] == "partial"
    assert found["errors"] == {"pesq_wb": "too-long"}
    assert 0 <= found["stoi"] < 0.5
    assert found["padded"] == len(wave) - 1.5 * RATE
    assert "failed 1" in capsys.readouterr().out
