"""The run over folders: a line a clip, a status for bad audio, a killed run taken up, workers that change nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tests.voices import folders, noisy, voice
from v2sbench.audio import write_wav
from v2sbench.runtime import UseError
from v2sbench.scoring import Summary, run, score
from v2sbench.scoring import recognisers as asr
from v2sbench.scoring.folders import clips_of
from v2sbench.scoring.metrics import METRICS, Column
from v2sbench.scoring.recognisers import Backend, recogniser
from v2sbench.scoring.scores import meta_path, read_scores

TEXT = "bin blue at f two now"
FAST = ("stoi", "estoi")


@pytest.fixture
def two(tmp_path):
    """(wavs, refs, clips, out) of three clips."""
    wavs, refs = folders(tmp_path, 3)
    return wavs, refs, clips_of(refs), tmp_path / "scores" / "mine.jsonl"


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------- the contract


def test_a_line_a_clip(two):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    wavs, refs, clips, out = two
    summary = score(wavs, refs, clips[::-1], dict.fromkeys(clips, TEXT), out)
    lines = lines_of(out)
    assert [line["clip"] for line in lines] == ["s1/clip00", "s1/clip01", "s1/clip02"]
    for line in lines:
        assert line["status"] == "ok"
        assert list(line)[:7] == ["clip", "status", "pesq_wb", "pesq_nb8", "stoi", "estoi", "wer"]
        assert set(line["wer"]) == {"sub", "del", "ins", "words"}
        assert line["wer"]["words"] == 6
        assert line["text"] == TEXT
        assert "errors" not in line
    assert summary.statuses == {"ok": 3}
    assert {cell.n_failed for cell in summary.columns.values()} == {0}
    assert summary.columns["stoi"].value == pytest.approx(np.mean([line["stoi"] for line in lines]))
    assert not list(out.parent.glob("*.part"))
    assert read_scores(out) == lines


def test_what_is_true_of_every_line_stands_beside(two):
    wavs, refs, clips, out = two
    score(wavs, refs, clips, None, out, system="mine", facts={"vocoder": "griffin-lim", "coverage": ""})
    meta = json.loads(meta_path(out).read_text(encoding="utf-8"))
    assert meta_path(out).name == "mine.meta.json"
    assert meta["system"] == "mine"
    assert meta["protocol"] == "v2sbench-1"
    assert meta["asr"] is None
    assert meta["vocoder"] == "griffin-lim"
    assert meta["metrics"] == {name: METRICS[name].version for name in ("pesq_wb", "pesq_nb8", "stoi", "estoi")}
    assert meta["environment"]["numpy"] == np.__version__


def test_same_audio_is_the_ceiling(two):
    _, refs, clips, out = two
    summary = score(refs, refs, clips, None, out, asr=None)
    assert summary.columns["pesq_wb"].value > 4.6
    assert summary.columns["stoi"].value == pytest.approx(1)


# ---------------------------------------------------------------- bad audio


def spoil(path, kind):
    wave = voice(1.0, 7, 24_000)
    match kind:
        case "missing":
            path.unlink()
        case "silent":
            write_wav(path, np.zeros(24_000, np.float32), 24_000)
        case "quiet":
            soundfile.write(path, 1e-9 * wave, 24_000, subtype="FLOAT")
        case "not-finite":
            soundfile.write(path, np.full(24_000, np.nan), 24_000, subtype="FLOAT")
        case "too-short":
            write_wav(path, wave[:240], 24_000)
        case "empty":
            path.write_bytes(b"")
        case "no-samples":
            write_wav(path, wave[:0], 24_000)
        case "text":
            path.write_text("not audio")


FAULTS = {
    "missing": "missing", "silent": "silent", "quiet": "silent", "not-finite": "not-finite", "too-short": "too-short",
    "empty": "unreadable", "no-samples": "unreadable", "text": "unreadable",
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("side", ["prediction", "reference"])
def test_bad_audio_is_a_status_and_the_run_goes_on(two, kind, side):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    wavs, refs, clips, out = two
    spoil((wavs if side == "prediction" else refs) / "s1" / "clip01.wav", kind)
    summary = score(wavs, refs, clips, dict.fromkeys(clips, TEXT), out)
    good, bad, other = lines_of(out)
    status = FAULTS[kind] if side == "prediction" else f"reference-{FAULTS[kind]}"
    assert (good["status"], bad["status"], other["status"]) == ("ok", status, "ok")
    assert not set(bad) & {"pesq_wb", "pesq_nb8", "stoi", "estoi"}
    assert {bad["errors"][name] for name in ("pesq_wb", "pesq_nb8", "stoi", "estoi")} == {status}
    assert summary.columns["stoi"].n_failed == 1
    assert summary.statuses == {"ok": 2, status: 1}
    assert f"1 {status}" in str(summary)
    if side == "reference":
        assert bad["wer"]["words"] == 6, "what was said can be heard without the reference"
    elif status == "silent":
        assert bad["wer"] == {"sub": 0, "del": 6, "ins": 0, "words": 6}, "silence leaves out every word"
    else:
        assert bad["errors"]["wer"] == status


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_any_wav_is_read(tmp_path, subtype, channels, rate):
    refs, wavs = tmp_path / "refs", tmp_path / "wavs"
    write_wav(refs / "a.wav", voice(1.0, 1, 24_000), 24_000)
    wavs.mkdir()
    wave = voice(1.2, 1, rate)[: int(rate * 1.1)]
    soundfile.write(wavs / "a.wav", np.stack([wave] * channels, axis=1), rate, subtype=subtype)
    score(wavs, refs, ["a"], None, tmp_path / "o.jsonl", metrics=FAST)
    (line,) = lines_of(tmp_path / "o.jsonl")
    assert line["status"] == "ok"
    assert line["padded"] == pytest.approx(-1_600, abs=2)


def test_one_failed_metric_is_partial(tmp_path):
    refs = tmp_path / "refs"
    write_wav(refs / "a.wav", np.concatenate([voice(0.3, 1, 24_000), np.zeros(24_000, np.float32)]), 24_000)
    summary = score(refs, refs, ["a"], None, tmp_path / "o.jsonl")
    (line,) = lines_of(tmp_path / "o.jsonl")
    assert line["status"] == "partial"
    assert line["errors"] == {"stoi": "too-short", "estoi": "too-short"}
    assert "pesq_wb" in line
    assert summary.columns["stoi"].value is None


def test_files_that_no_clip_asked_for_are_counted(two):
    wavs, refs, clips, out = two
    summary = score(wavs, refs, clips[:2], None, out, metrics=FAST)
    assert summary.unused == 1
    assert "1 audio files belong to no clip" in str(summary)


# ---------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"protocol": "v2sbench"}, "did you mean 'v2sbench-1'"),
        ({"metrics": ["soti"]}, "did you mean 'stoi'"),
        ({"metrics": ["wer"]}, "wer needs texts"),
        ({"metrics": ["wer"], "texts": {"s1/clip00": TEXT}, "asr": None}, "wer needs a recogniser"),
        ({"metrics": []}, "no metric is left"),
        ({"clips": []}, "no clips"),
        ({"texts": {"s1/clip00": "hello world"}}, "knows only GRID sentences.*use --asr whisper"),
        ({"texts": {"s1/clip00": "about"}}, "knows only GRID sentences.*use --asr words-grammar"),
        ({"texts": {"s1/clip00": TEXT}, "asr": "grid"}, "did you mean 'grid-grammar'"),
        ({"texts": {"s1/clip00": TEXT}, "normaliser": "grid"}, "unknown normaliser"),
        ({"jobs": 0}, "at least 1"),
    ],
)
def test_wrong_use_writes_nothing(two, options, says):
    wavs, refs, clips, out = two
    arguments = {"clips": clips, "texts": None} | options
    with pytest.raises(UseError, match=says):
        score(wavs, refs, arguments.pop("clips"), arguments.pop("texts"), out, **arguments)
    assert not out.exists()
    assert not meta_path(out).exists()


# ---------------------------------------------------------------- resuming


@pytest.fixture
def counted(monkeypatch):
    """Clips that were really scored."""
    done = []
    original = run.score_clip
    monkeypatch.setattr(run, "score_clip", lambda task: done.append(task.clip) or original(task))
    return done


def test_a_second_run_keeps_everything(two, counted):
    wavs, refs, clips, out = two
    score(wavs, refs, clips, None, out, metrics=FAST)
    before = out.read_bytes()
    summary = score(wavs, refs, clips, None, out, metrics=FAST)
    assert counted == ["s1/clip00", "s1/clip01", "s1/clip02"]
    assert summary.kept == 3
    assert out.read_bytes() == before


def test_a_changed_file_is_scored_again(two, counted):
    wavs, refs, clips, out = two
    score(wavs, refs, clips, None, out, metrics=FAST)
    write_wav(wavs / "s1" / "clip01.wav", noisy(voice(1.0, 101, 24_000), 0), 24_000)
    write_wav(refs / "s1" / "clip02.wav", voice(1.0, 55, 24_000), 24_000)
    score(wavs, refs, clips, None, out, metrics=FAST)
    assert sorted(counted[3:]) == ["s1/clip01", "s1/clip02"]


def test_another_question_is_asked_again(two, counted, monkeypatch):
    wavs, refs, clips, out = two
    score(wavs, refs, clips, None, out, metrics=FAST)
    score(wavs, refs, clips, None, out, metrics=["stoi"])
    assert len(counted) == 6
    monkeypatch.setitem(METRICS, "stoi", METRICS["stoi"].__class__(**{**vars(METRICS["stoi"]), "version": "2"}))
    score(wavs, refs, clips, None, out, metrics=["stoi"])
    assert len(counted) == 9


def test_a_torn_journal_is_taken_up(two, counted):
    wavs, refs, clips, out = two
    score(wavs, refs, clips, None, out, metrics=FAST)
    whole = out.read_bytes()
    first, second, _ = whole.splitlines(keepends=True)
    out.unlink()
    part = out.with_name("mine.jsonl.part")
    part.write_bytes(first + second[:40])
    summary = score(wavs, refs, clips, None, out, metrics=FAST)
    assert summary.kept == 1
    assert sorted(counted[3:]) == ["s1/clip01", "s1/clip02"]
    assert out.read_bytes() == whole
    assert not part.exists()


def test_a_killed_run_is_taken_up(tmp_path):
    """SIGKILL in the middle: what the journal holds is kept, and the end is that of an undisturbed run."""
    wavs, refs = folders(tmp_path, 10, seconds=2.0)
    program = (
        "import sys; from pathlib import Path; from v2sbench.scoring import score;"
        "from v2sbench.folders import clips_of; a, b, c = map(Path, sys.argv[1:]);"
        "print(score(a, b, clips_of(b), None, c, jobs=1))"
    )
    out = tmp_path / "mine.jsonl"
    part = tmp_path / "mine.jsonl.part"
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(wavs), str(refs), str(out)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.read_bytes().count(b"\n") >= 2):
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    assert not out.exists()
    held = part.read_bytes().count(b"\n")
    assert 2 <= held < 10
    summary = score(wavs, refs, clips_of(refs), None, out)
    assert summary.kept >= held - 1
    score(wavs, refs, clips_of(refs), None, tmp_path / "other.jsonl", jobs=1)
    assert out.read_bytes() == (tmp_path / "other.jsonl").read_bytes()


# ---------------------------------------------------------------- workers


def test_workers_change_nothing(tmp_path):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    wavs, refs = folders(tmp_path, 10, speakers=2)
    shutil.rmtree(wavs / "s2")
    (wavs / "s1" / "clip03.wav").write_bytes(b"")
    clips = clips_of(refs)
    texts = dict.fromkeys(clips, TEXT)
    for jobs in (1, 2):
        score(wavs, refs, clips, texts, tmp_path / f"{jobs}.jsonl", jobs=jobs)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert [line["status"] for line in lines_of(tmp_path / "2.jsonl")].count("missing") == 10


def test_the_longest_clip_goes_first(tmp_path, counted):
    for index, seconds in enumerate((0.5, 1.5, 1.0)):
        write_wav(tmp_path / "refs" / f"{index}.wav", voice(seconds, index, 24_000), 24_000)
    score(tmp_path / "refs", tmp_path / "refs", ["0", "1", "2"], None, tmp_path / "o.jsonl", metrics=FAST)
    assert counted == ["1", "2", "0"]


# ---------------------------------------------------------------- recognisers of the batch kind


class Parrot:
    """A recogniser that works by the batch and may be killed."""

    id = "parrot/1"
    grammar = None
    batch = 2

    def __init__(self, _option=""):
        self.heard = []
        self.dies_after = None

    def transcribe(self, waves):
        if self.dies_after is not None and len(self.heard) >= self.dies_after:
            raise KeyboardInterrupt
        self.heard += [len(wave) for wave in waves]
        return ["Bin blue at F2, soon!" for _ in waves]


@pytest.fixture
def parrot(monkeypatch):
    monkeypatch.setitem(asr.RECOGNISERS, "parrot", Backend(name="parrot", description="says one thing", make=Parrot))
    recogniser.cache_clear()
    yield recogniser("parrot")
    recogniser.cache_clear()


def test_a_batch_recogniser_hears_16_khz_in_this_process(two, parrot):
    wavs, refs, clips, out = two
    summary = score(wavs, refs, clips, dict.fromkeys(clips, TEXT), out, asr="parrot")
    assert parrot.heard == [16_000] * 3
    assert summary.columns["wer"].value == pytest.approx(100 / 6)
    assert summary.asr == "parrot/1+grid-strict-v1"
    assert {line["hyp"] for line in lines_of(out)} == {"Bin blue at F2, soon!"}


@pytest.mark.filterwarnings(r"ignore:.*whisper.normalizers.*:pytest.PytestUnraisableExceptionWarning")
def test_open_text_gets_the_open_normaliser(two, parrot):
    pytest.importorskip("whisper", reason="openai-whisper is not installed")
    wavs, refs, clips, out = two
    texts = dict.fromkeys(clips, TEXT) | {clips[0]: "The colour of Mr. Bin"}
    assert score(wavs, refs, clips, texts, out, asr="parrot", metrics=["wer"]).asr == "parrot/1+plain-v1"


def test_a_clip_without_a_text_has_no_wer(two, parrot):
    wavs, refs, clips, out = two
    score(wavs, refs, clips, dict.fromkeys(clips[:2], TEXT), out, asr="parrot")
    line = lines_of(out)[2]
    assert line["status"] == "partial"
    assert line["errors"] == {"wer": "no-text"}
    assert len(parrot.heard) == 2


def test_transcripts_are_taken_up_too(two, parrot, counted):
    wavs, refs, clips, out = two
    texts = dict.fromkeys(clips, TEXT)
    parrot.dies_after = 2
    with pytest.raises(KeyboardInterrupt):
        score(wavs, refs, clips, texts, out, asr="parrot")
    assert not out.exists()
    parrot.dies_after = None
    assert score(wavs, refs, clips, texts, out, asr="parrot").kept == 2
    assert len(counted) == 3, "no clip is measured twice"
    assert len(parrot.heard) == 3, "no clip is heard twice"
    assert [line["status"] for line in lines_of(out)] == ["ok"] * 3
    assert "pending" not in out.read_text()


# ---------------------------------------------------------------- reports


def test_summary_is_readable(tmp_path):
    good = Column(value=0.5, n=3, n_failed=1, floored=0.4, unit="")
    none = Column(value=None, n=0, n_failed=4, floored=None, unit="%", note="no clip has a value")
    stopped = Column(value=None, n=3, n_failed=1, floored=None, unit="", note="the program behind x stops: s1/a")
    text = str(
        Summary(
            out=tmp_path / "a.jsonl", system="mine", protocol="v2sbench-1", clips=4, kept=1,
            statuses={"ok": 2, "missing": 2}, columns={"stoi": good, "wer": none, "pesq_wb": stopped}, unused=0,
            asr="grid-grammar/x+grid-strict-v1", missing=("s1/a",), warnings=("they are the same",),
        )
    )  # fmt: skip
    assert "4 clips of mine, 1 kept" in text
    assert "STOI                0.500  n 3, failed 1" in text
    assert "WER %                   -  n 0, failed 4\n" in text
    assert "PESQ-WB                 -  n 3, failed 1 (the program behind x stops: s1/a)" in text
    assert "recogniser grid-grammar/x+grid-strict-v1" in text
    assert "not ok: 2 missing" in text
    assert "missing: s1/a and 1 more" in text
    assert "WARNING: they are the same" in text
