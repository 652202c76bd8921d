"""The run over folders: a line a clip, a killed run taken up, workers that change nothing, one run at a time."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.voices import folders, noisy, voice
from v2sbench.audio import write_wav
from v2sbench.runtime import UseError
from v2sbench.scoring import METRICS, Column, Plan, Summary, clips_of, meta_path, read_scores, recognisers, score
from v2sbench.scoring.recognisers import Backend, recogniser

TEXT = "bin blue at f two now"
FAST = ("stoi", "estoi")


@pytest.fixture
def two(tmp_path):
    """What a plan of three clips needs."""
    wavs, refs = folders(tmp_path, 3)
    return {"wavs": wavs, "refs": refs, "clips": clips_of(refs), "out": tmp_path / "scores" / "mine.jsonl"}


def run(given, **options):
    return score(Plan(**{**given, **options}))


def said(given, text=TEXT):
    return dict.fromkeys(given["clips"], text)


# ---------------------------------------------------------------- the contract


def test_a_line_a_clip(two):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    summary = run(two, clips=two["clips"][::-1], texts=said(two))
    lines = read_scores(two["out"])
    assert [line["clip"] for line in lines] == ["s1/clip00", "s1/clip01", "s1/clip02"]
    for line in lines:
        assert list(line)[:7] == ["clip", "status", "pesq_wb", "pesq_nb8", "stoi", "estoi", "wer"]
        assert (line["status"], line["text"], line["wer"]["words"]) == ("ok", TEXT, 6)
        assert set(line["wer"]) == {"sub", "del", "ins", "words"}
        assert "errors" not in line
    assert summary.statuses == {"ok": 3}
    assert {cell.n_failed for cell in summary.columns.values()} == {0}
    assert summary.columns["stoi"].value == pytest.approx(np.mean([line["stoi"] for line in lines]))
    assert sorted(path.name for path in two["out"].parent.iterdir()) == ["mine.jsonl", "mine.meta.json"]


def test_what_is_true_of_every_line_stands_beside(two):
    run(two, system="mine", facts={"vocoder": "griffin-lim", "coverage": ""})
    meta = json.loads(meta_path(two["out"]).read_text(encoding="utf-8"))
    assert (meta["system"], meta["protocol"], meta["asr"]) == ("mine", "v2sbench-1", None)
    assert meta["vocoder"] == "griffin-lim"
    assert meta["metrics"] == {name: METRICS[name].versions for name in ("pesq_wb", "pesq_nb8", "stoi", "estoi")}
    assert meta["metrics"]["pesq_wb"].startswith("1 pesq 0.")
    assert meta["environment"]["numpy"] == np.__version__


def test_files_that_no_clip_asked_for_are_counted(two):
    assert run(two, clips=two["clips"][:2], metrics=FAST).unused == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metrics": ["wer"], "texts": {"s1/clip00": TEXT}, "asr": None}, "wer needs a recogniser"),
        ({"metrics": []}, "no metric is left"),
        ({"clips": []}, "no clips"),
        ({"texts": {"s1/clip00": "hello world"}}, "knows only GRID sentences.*use --asr whisper"),
        ({"texts": {"s1/clip00": "about"}}, "knows only GRID sentences.*use --asr words-grammar"),
        ({"texts": {"s1/clip00": TEXT}, "normaliser": "grid"}, "unknown normaliser"),
        ({"jobs": 0}, "at least 1"),
    ],
)
def test_wrong_use_writes_nothing(two, options, says):
    with pytest.raises(UseError, match=says):
        run(two, **options)
    assert not two["out"].parent.exists()


# ---------------------------------------------------------------- resuming


@pytest.fixture
def counted(monkeypatch):
    """Clips that were really scored."""
    done, module = [], importlib.import_module("v2sbench.scoring.score")
    original = module.score_clip
    monkeypatch.setattr(module, "score_clip", lambda task: done.append(task.clip) or original(task))
    return done


def test_a_second_run_keeps_everything(two, counted):
    run(two, metrics=FAST)
    before = two["out"].read_bytes()
    assert run(two, metrics=FAST).kept == 3
    assert counted == ["s1/clip00", "s1/clip01", "s1/clip02"]
    assert two["out"].read_bytes() == before


def test_what_changed_is_scored_again(two, counted, monkeypatch):
    run(two, metrics=FAST)
    write_wav(two["wavs"] / "s1" / "clip01.wav", noisy(voice(1.0, 101, 24_000), 0), 24_000)
    write_wav(two["refs"] / "s1" / "clip02.wav", voice(1.0, 55, 24_000), 24_000)
    run(two, metrics=FAST)
    assert sorted(counted[3:]) == ["s1/clip01", "s1/clip02"]
    run(two, metrics=["stoi"])
    assert len(counted) == 8, "another question"
    monkeypatch.setitem(METRICS, "stoi", METRICS["stoi"].__class__(**{**vars(METRICS["stoi"]), "version": "2"}))
    run(two, metrics=["stoi"])
    assert len(counted) == 11, "another version"


def test_a_torn_journal_is_taken_up(two, counted):
    run(two, metrics=FAST)
    whole = two["out"].read_bytes()
    first, second, _ = whole.splitlines(keepends=True)
    two["out"].unlink()
    part = two["out"].with_name("mine.jsonl.part")
    part.write_bytes(first + second[:40])
    assert run(two, metrics=FAST).kept == 1
    assert sorted(counted[3:]) == ["s1/clip01", "s1/clip02"]
    assert two["out"].read_bytes() == whole
    assert not part.exists()


PROGRAM = """
import sys
from pathlib import Path
from v2sbench.scoring import Plan, clips_of, score
wavs, refs, out = map(Path, sys.argv[1:4])
score(Plan(wavs=wavs, refs=refs, clips=clips_of(refs), out=out, jobs=1))
"""


def test_a_killed_run_is_taken_up_and_two_at_once_are_refused(tmp_path):
    """SIGKILL in the middle: what the journal holds is kept, and the end is that of an undisturbed run."""
    wavs, refs = folders(tmp_path, 10, seconds=2.0)
    given = {"wavs": wavs, "refs": refs, "clips": clips_of(refs), "out": tmp_path / "mine.jsonl"}
    part = tmp_path / "mine.jsonl.part"
    command = [sys.executable, "-c", PROGRAM, *map(str, (wavs, refs, given["out"]))]
    killed = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.read_bytes().count(b"\n") >= 2):
        time.sleep(0.005)
    with pytest.raises(UseError, match="another run"):
        run(given)
    killed.kill()
    killed.wait()
    assert not given["out"].exists()
    held = part.read_bytes().count(b"\n")
    assert 2 <= held < 10
    assert run(given).kept >= held - 1
    run(given, out=tmp_path / "other.jsonl", jobs=1)
    assert given["out"].read_bytes() == (tmp_path / "other.jsonl").read_bytes()


# ---------------------------------------------------------------- workers


def test_workers_change_nothing(tmp_path):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    wavs, refs = folders(tmp_path, 10, speakers=2)
    shutil.rmtree(wavs / "s2")
    (wavs / "s1" / "clip03.wav").write_bytes(b"")
    given = {"wavs": wavs, "refs": refs, "clips": clips_of(refs)}
    for jobs in (1, 2):
        run(given, texts=said(given), out=tmp_path / f"{jobs}.jsonl", jobs=jobs)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert [line["status"] for line in read_scores(tmp_path / "2.jsonl")].count("missing") == 10


def test_the_longest_clip_goes_first(tmp_path, counted):
    refs = tmp_path / "refs"
    for index, seconds in enumerate((0.5, 1.5, 1.0)):
        write_wav(refs / f"{index}.wav", voice(seconds, index, 24_000), 24_000)
    score(Plan(wavs=refs, refs=refs, clips=["0", "1", "2"], out=tmp_path / "o.jsonl", metrics=FAST))
    assert counted == ["1", "2", "0"]


# ---------------------------------------------------------------- recognisers that work by the batch


class Parrot:
    """A recogniser that works by the batch and may be killed."""

    id, grammar, batch = "parrot/1", None, 2

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
    backend = Backend(name="parrot", description="says one thing", make=Parrot)
    monkeypatch.setitem(recognisers.RECOGNISERS, "parrot", backend)
    recogniser.cache_clear()
    yield recogniser("parrot")
    recogniser.cache_clear()


def test_a_batch_recogniser_hears_16_khz_in_this_process(two, parrot):
    texts = dict.fromkeys(two["clips"][:2], TEXT)
    summary = run(two, texts=texts, asr="parrot")
    assert parrot.heard == [16_000] * 2
    assert summary.columns["wer"].value == pytest.approx(100 / 6)
    assert summary.asr == "parrot/1+grid-strict-v1"
    first, _, unsaid = read_scores(two["out"])
    assert first["hyp"] == "Bin blue at F2, soon!"
    assert (unsaid["status"], unsaid["errors"]) == ("partial", {"wer": "no-text"})


@pytest.mark.filterwarnings(r"ignore:.*whisper.normalizers.*:pytest.PytestUnraisableExceptionWarning")
def test_open_text_gets_the_open_normaliser(two, parrot):
    pytest.importorskip("whisper", reason="openai-whisper is not installed")
    texts = said(two) | {two["clips"][0]: "The colour of Mr. Bin"}
    assert run(two, texts=texts, asr="parrot", metrics=["wer"]).asr == "parrot/1+plain-v1"


def test_transcripts_are_taken_up_too(two, parrot, counted):
    parrot.dies_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(two, texts=said(two), asr="parrot")
    assert not two["out"].exists()
    parrot.dies_after = None
    assert run(two, texts=said(two), asr="parrot").kept == 2
    assert len(counted) == 3, "no clip is measured twice"
    assert len(parrot.heard) == 3, "no clip is heard twice"
    assert [line["status"] for line in read_scores(two["out"])] == ["ok"] * 3
    assert "pending" not in two["out"].read_text()


def test_summary_is_readable(tmp_path):
    good = Column(value=0.5, n=3, n_failed=1, floored=0.4, unit="")
    none = Column(value=None, n=0, n_failed=4, floored=None, unit="%", note="no clip has a value")
    stopped = Column(value=None, n=3, n_failed=1, floored=None, unit="", note="the program behind x stops: s1/a")
    text = str(
        Summary(
            out=tmp_path / "a.jsonl", system="mine", protocol="v2sbench-1", clips=4, kept=1,
            statuses={"ok": 2, "missing": 2}, columns={"stoi": good, "wer": none, "pesq_wb": stopped}, unused=1,
            asr="grid-grammar/x+grid-strict-v1", missing=("s1/a",), warnings=("they are the same",),
        )
    )  # fmt: skip
    assert text.splitlines()[1:] == [
        "  STOI                0.500  n 3, failed 1",
        "  WER %                   -  n 0, failed 4",
        "  PESQ-WB                 -  n 3, failed 1 (the program behind x stops: s1/a)",
        "  recogniser grid-grammar/x+grid-strict-v1",
        "  not ok: 2 missing",
        "  missing: s1/a and 1 more",
        "  1 audio files belong to no clip",
        "  WARNING: they are the same",
    ]
    assert "4 clips of mine, 1 kept" in text
