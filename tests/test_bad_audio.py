"""Folders with everything that goes wrong with audio: the run goes on, and what was wrong is a status of its clip."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tests.voices import noisy, voice
from v2sbench.audio import write_wav
from v2sbench.scoring import Plan, read_scores, recognisers, score
from v2sbench.scoring.recognisers import Backend, recogniser

RATE = 16_000
LONG = 600
"""Seconds."""
TEXT = "one two three"


def good(seed: int = 0) -> np.ndarray:
    """A second and a half of a prediction."""
    return noisy(voice(1.5, seed, RATE), 15, seed)


def spoil(path) -> None:
    """Write the audio that the file's name tells."""
    wave = good()
    match path.stem:
        case "silent":
            soundfile.write(path, np.zeros(RATE), RATE)
        case "quiet":
            soundfile.write(path, 1e-9 * wave, RATE, subtype="FLOAT")
        case "nan":
            soundfile.write(path, np.where(np.arange(RATE) == 9, np.nan, 0.1), RATE, subtype="FLOAT")
        case "infinite":
            soundfile.write(path, np.where(np.arange(RATE) == 9, np.inf, 0.1), RATE, subtype="DOUBLE")
        case "clipped":
            soundfile.write(path, np.clip(50 * wave, -1, 1), RATE)
        case "over":
            soundfile.write(path, 50 * wave, RATE, subtype="FLOAT")
        case "integers":
            soundfile.write(path, np.rint(32767 * wave), RATE, subtype="FLOAT")
        case "unscaled":
            soundfile.write(path, np.rint(32767 * wave).astype(np.int32), RATE, subtype="PCM_32")
        case "opposite":
            soundfile.write(path, np.stack([wave, -wave], axis=1), RATE)
        case "offset":
            soundfile.write(path, 0.4 + 0.5 * wave, RATE)
        case "moment":
            soundfile.write(path, wave[: RATE // 100], RATE)
        case "endless":
            soundfile.write(path, np.tile(wave, LONG * 2 // 3), RATE)
        case "stereo":
            soundfile.write(path, np.stack([wave, wave], axis=1), RATE, subtype="PCM_24")
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
        case "dangling":
            path.symlink_to("nowhere.wav")
        case "torn":
            soundfile.write(path, wave, RATE)
            path.write_bytes(path.read_bytes()[:30])


STATUS = {
    "silent": "silent", "quiet": "silent", "nan": "not-finite", "infinite": "not-finite", "clipped": "ok", "over": "ok",
    "integers": "ok", "unscaled": "unscaled", "opposite": "opposite-phase", "offset": "ok", "moment": "too-short",
    "stereo": "ok", "eight-bit": "ok", "flac": "ok", "telephone": "ok", "odd-rate": "ok", "empty": "unreadable",
    "header": "unreadable", "text": "unreadable", "folder": "unreadable", "torn": "unreadable", "dangling": "missing",
}  # fmt: skip
FAULTY = [name for name, status in STATUS.items() if status != "ok"]


class Ear:
    """Hears the whole text in every wave, and says so when one exceeds full scale."""

    id, grammar, batch = "ear/1", None, 1

    def transcribe(self, waves):
        return [TEXT if np.abs(wave).max() <= 1.01 else "clipped" for wave in waves]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(summary, clip -> line) of one run: bad predictions under wav/, bad references under ref/."""
    place = tmp_path_factory.mktemp("bad")
    clips = [*(f"wav/{name}" for name in (*STATUS, "endless", "absent")), *(f"ref/{name}" for name in STATUS)]
    for clip in clips:
        bad = clip.split("/")[0]
        for side in ("wav", "ref"):
            path = place / side / f"{clip}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            if side == bad:
                spoil(path)
            else:
                write_wav(path, voice(1.5, 0, RATE) if side == "ref" else good(), RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("V2S_QUIET", "1")
        patch.setitem(recognisers.RECOGNISERS, "ear", Backend(name="ear", description="", make=lambda option: Ear()))
        recogniser.cache_clear()
        summary = score(
            Plan(
                wavs=place / "wav", refs=place / "ref", clips=clips, texts=dict.fromkeys(clips, TEXT), asr="ear",
                normaliser="words-v1", metrics=["pesq_wb", "stoi", "estoi", "wer"], jobs=1, out=place / "o.jsonl",
            )
        )  # fmt: skip
        recogniser.cache_clear()
    return summary, {line["clip"]: line for line in read_scores(place / "o.jsonl")}


@pytest.mark.parametrize("side", ["wav", "ref"])
@pytest.mark.parametrize("name", STATUS)
def test_every_clip_has_a_line_that_says_how_it_is(found, name, side):
    line = found[1][f"{side}/{name}"]
    status = STATUS[name] if side == "wav" or STATUS[name] == "ok" else f"reference-{STATUS[name]}"
    assert line["status"] == status
    for metric in ("pesq_wb", "stoi", "estoi"):
        if status == "ok":
            assert np.isfinite(line[metric])
        else:
            assert metric not in line, "nothing is zeroed"
            assert line["errors"][metric] == status
    if status in ("ok", "silent") or side == "ref":
        lost = 3 if status == "silent" else 0
        assert line["wer"] == {"sub": 0, "del": lost, "ins": 0, "words": 3}, "silence leaves out every word"
    else:
        assert line["errors"]["wer"] == status


def test_they_add_up(found):
    summary, lines = found
    assert sum(summary.statuses.values()) == len(lines) == 2 * len(STATUS) + 2
    assert summary.statuses["missing"] == 2
    assert lines["wav/absent"]["status"] == "missing"
    assert summary.columns["stoi"].n_failed == 2 * len(FAULTY) + 1
    assert "2 unscaled" not in str(summary)
    assert "1 unscaled" in str(summary)


def test_float_files_over_full_scale_are_divided_by_their_peak(found):
    summary, lines = found
    peak = np.abs(good()).max()
    assert lines["wav/over"]["scaled"] == pytest.approx(50 * peak, rel=1e-4)
    assert lines["ref/over"]["scaled_ref"] == pytest.approx(50 * peak, rel=1e-4)
    assert lines["wav/integers"]["scaled"] == pytest.approx(32767 * peak, rel=1e-4)
    assert [clip for clip, line in lines.items() if {"scaled", "scaled_ref"} & set(line)] == sorted(
        f"{side}/{name}" for side in ("wav", "ref") for name in ("over", "integers")
    )
    for name in ("over", "integers"):
        assert lines[f"wav/{name}"]["stoi"] == pytest.approx(lines["wav/flac"]["stoi"], abs=1e-3)
    over, *others = summary.warnings
    assert "4 clips exceed full scale" in over
    assert len(others) == 4, "opposite phase and unscaled numbers, of predictions and of references"


def test_how_a_file_holds_the_samples_does_not_matter(found):
    lines = found[1]
    for name in ("stereo", "flac", "endless", "telephone", "odd-rate"):
        bound = 0.05 if name in ("telephone", "odd-rate") else 0.01
        assert lines[f"wav/{name}"]["stoi"] == pytest.approx(lines["wav/eight-bit"]["stoi"], abs=bound)
    assert lines["wav/endless"]["padded"] == -(LONG - 1.5) * RATE


@pytest.mark.parametrize("seconds", [30, 90])
def test_a_long_reference_is_partial(seconds, tmp_path):
    """PESQ's own table of utterances ends; STOI goes on, block by block."""
    wave = np.tile(voice(1.5, 0, RATE), seconds * 2 // 3)
    write_wav(tmp_path / "refs" / "a.wav", wave, RATE)
    write_wav(tmp_path / "wavs" / "a.wav", good(), RATE)
    out = tmp_path / "o.jsonl"
    score(Plan(wavs=tmp_path / "wavs", refs=tmp_path / "refs", clips=["a"], metrics=["pesq_wb", "stoi"], out=out))
    (line,) = read_scores(out)
    assert (line["status"], line["errors"]) == ("partial", {"pesq_wb": "too-long"})
    assert 0 <= line["stoi"] < 0.5
    assert line["padded"] == len(wave) - 1.5 * RATE
