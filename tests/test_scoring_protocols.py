"""One system under other people's rules: whose words, which wave, and each transcript made once."""

from __future__ import annotations

import importlib
import re
import sqlite3

import numpy as np
import pytest
import soundfile

from tests.voices import folders, noisy, voice
from v2sbench.audio import write_wav
from v2sbench.runtime import UseError
from v2sbench.scoring import PROTOCOLS, Plan, clips_of, column, read_scores, recognisers, score, spread
from v2sbench.scoring.recognisers import Backend, recogniser


class Ear:
    """Hears "one two three" in a loud wave and "one two" in one of less than half its level; counts what it hears."""

    grammar = None

    def __init__(self, batch):
        self.id, self.batch, self.heard = f"ear/{batch}", batch, []

    def transcribe(self, waves):
        self.heard += [float(np.abs(wave).max()) for wave in waves]
        return ["one two three" if np.abs(wave).max() > 0.3 else "one two" for wave in waves]


@pytest.fixture(params=[1, 2], ids=["in the workers", "by the batch"])
def ear(request, monkeypatch):
    """A recogniser of either kind."""
    made = Ear(request.param)
    monkeypatch.setitem(recognisers.RECOGNISERS, "ear", Backend(name="ear", description="", make=lambda option: made))
    recogniser.cache_clear()
    yield made
    recogniser.cache_clear()


@pytest.fixture
def quiet(tmp_path):
    """What a plan of three clips needs; the predictions are at a fifth of the level."""
    for index in range(3):
        wave = voice(1.0, index, 16_000)
        write_wav(tmp_path / "refs" / f"{index}.wav", wave, 16_000)
        write_wav(tmp_path / "wavs" / f"{index}.wav", 0.2 * noisy(wave, 20, index), 16_000)
    place = {name: tmp_path / name for name in ("wavs", "refs")}
    return {**place, "clips": ["0", "1", "2"], "out": tmp_path / "o.jsonl"}


HEARD = {"asr": "ear", "normaliser": "words-v1", "metrics": ["wer"]}


def run(given, **options):
    return score(Plan(**{**given, **options}))


def test_words_against_what_is_heard_in_the_real_audio(quiet, ear):
    """No text is needed, and the rate is per word of the transcript: 1 deletion, 2 words heard."""
    found = run(quiet, protocol="svts-2022", **HEARD)
    for line in read_scores(quiet["out"]):
        assert (line["hyp_ref"], line["hyp"], line["text"]) == ("one two three", "one two", None)
        assert line["wer"] == {"sub": 0, "del": 1, "ins": 0, "words": 3}
    assert found.columns["wer"].value == pytest.approx(50.0)
    assert len(ear.heard) == 6
    run(quiet, wavs=quiet["refs"], protocol="svts-2022", **HEARD)
    assert len(ear.heard) == 9, "the same audio on both sides is heard once"


def test_real_audio_that_cannot_be_heard_is_a_reason(quiet, ear):
    (quiet["refs"] / "1.wav").unlink()
    write_wav(quiet["refs"] / "2.wav", np.zeros(16_000, np.float32), 16_000)
    run(quiet, protocol="svts-2022", **HEARD)
    _, gone, silent = read_scores(quiet["out"])
    assert gone["errors"] == {"wer": "reference-missing"}
    assert (silent["errors"], silent["status"]) == ({"wer": "no-text"}, "reference-silent")


def test_the_recogniser_hears_what_the_protocol_prepares(quiet, ear, tmp_path):
    """VCA-GAN brings the peak to .9 first, so the level is lost and the third word is heard."""
    for protocol, hyp in (("v2sbench-1", "one two"), ("vca-gan-2021", "one two three")):
        run(quiet, texts=dict.fromkeys("012", "one"), protocol=protocol, transcripts=tmp_path / "t.sqlite", **HEARD)
        assert {line["hyp"] for line in read_scores(quiet["out"])} == {hyp}


def test_each_transcript_is_made_once(quiet, ear, tmp_path):
    options = {**HEARD, "texts": dict.fromkeys("012", "one two three"), "transcripts": tmp_path / "t.sqlite"}
    for protocol in ("v2sbench-1", "svts-2022", "lip2wav-2020", "evalaudio-2020"):
        run(quiet, protocol=protocol, **options)
    assert len(ear.heard) == 6, "three predictions, three references"
    write_wav(quiet["wavs"] / "1.wav", voice(1.0, 7, 16_000), 16_000)
    run(quiet, **options)
    assert len(ear.heard) == 7, "and the one that is new"
    with sqlite3.connect(options["transcripts"]) as base:
        base.execute("UPDATE heard SET text = 'edited'")
    before = quiet["out"].read_bytes()
    quiet["out"].unlink()
    run(quiet, **options)
    assert (len(ear.heard), quiet["out"].read_bytes()) == (10, before), "what was edited is heard again"


def test_the_store_changes_no_line(quiet, ear, tmp_path):
    options = {**HEARD, "metrics": None, "texts": dict.fromkeys("012", "one two")}
    for name, store in (("none", None), ("new", tmp_path / "t.sqlite"), ("used", tmp_path / "t.sqlite")):
        run(quiet, out=tmp_path / f"{name}.jsonl", transcripts=store, **options)
    first, *others = [(tmp_path / f"{name}.jsonl").read_bytes() for name in ("none", "new", "used")]
    assert others == [first, first]


def test_a_damaged_store_is_one_line_and_writes_nothing(quiet, ear, tmp_path):
    (tmp_path / "t.sqlite").write_bytes(b"no data base at all, but bytes enough" * 50)
    with pytest.raises(UseError, match="delete it"):
        run(quiet, texts=dict.fromkeys("012", "one"), transcripts=tmp_path / "t.sqlite", **HEARD)
    assert not quiet["out"].exists()


def test_other_scores_are_taken_over_where_they_hold(quiet, tmp_path, monkeypatch):
    options = {"metrics": ["stoi"], "out": tmp_path / "b.jsonl", "known": [quiet["out"]]}
    run(quiet, metrics=["stoi"])
    with monkeypatch.context() as patch:
        patch.setattr(
            importlib.import_module("v2sbench.scoring.score"), "score_clip", lambda task: pytest.fail("again")
        )
        assert run(quiet, **options).kept == 3
    assert (tmp_path / "b.jsonl").read_bytes() == quiet["out"].read_bytes()
    assert run(quiet, protocol="lip2wav-2020", **options).kept == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_scores_a_folder(quiet, protocol):
    """What the summary shows is the column that tables show."""
    (quiet["wavs"] / "2.wav").unlink()
    found = run(quiet, protocol=protocol, asr=None)
    assert found.statuses == {"ok": 2, "missing": 1}
    assert found.missing == ("2",)
    assert set(found.columns) == set(PROTOCOLS[protocol].metrics) - {"wer"}
    for name, cell in found.columns.items():
        assert cell == column(PROTOCOLS[protocol], name, read_scores(quiet["out"]))
        assert (cell.n, cell.n_failed) == (2, 1)


def test_the_spread_has_a_row_a_run(quiet):
    (quiet["wavs"] / "2.wav").unlink()
    found = [run(quiet, protocol=name, asr=None, system="mine") for name in ("v2sbench-1", "lip2wav-2020")]
    heading, ours, theirs = spread(found)
    assert heading == ["system", "protocol", "PESQ-WB", "PESQ-NB", "STOI", "ESTOI", "PESQ-NB (16 kHz)", "failed"]
    assert (ours[0], ours[1], ours[-2], ours[-1]) == ("mine", "v2sbench-1", "", "1")
    assert ours[2].endswith("*")
    assert theirs[2:4] == ["", ""]
    assert float(ours[4].rstrip("*")) == pytest.approx(found[0].columns["stoi"].value, abs=5e-4)


# ---------------------------------------------------------------- whose files, in which form


def test_wrong_names_are_warned_of_and_scored_all_the_same(tmp_path):
    wavs, refs = folders(tmp_path, 8)
    given = {"refs": refs, "clips": clips_of(refs), "metrics": ["stoi"], "asr": None}
    paths = sorted(wavs.rglob("*.wav"))
    held = [path.read_bytes() for path in paths]
    for path, data in zip(paths, held[1:] + held[:1], strict=True):
        path.write_bytes(data)
    found = run(given, wavs=wavs, out=tmp_path / "o.jsonl")
    (said,) = found.warnings
    assert "8 of 8 predictions run along with another clip's reference" in said
    assert found.statuses == {"ok": 8}
    assert not run(given, wavs=wavs, out=tmp_path / "p.jsonl", doubt=False).warnings
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "p.jsonl").read_bytes()
    (same,) = run(given, wavs=refs, out=tmp_path / "q.jsonl").warnings
    assert "8 predictions are their references" in same


@pytest.mark.parametrize(("named", "factor"), [(22_050, 1.088), (48_000, 0.5)])
def test_headers_with_a_wrong_rate_are_warned_of(tmp_path, named, factor):
    wavs, refs = folders(tmp_path, 5)
    for path in wavs.rglob("*.wav"):
        soundfile.write(path, soundfile.read(path)[0], named)
    given = {"wavs": wavs, "refs": refs, "clips": clips_of(refs), "metrics": ["stoi"], "asr": None}
    (said,) = run(given, out=tmp_path / "o.jsonl").warnings
    assert f"5 of 5 predictions are {factor:.3f} times as long" in said
    assert "at 24,000 Hz: correlation 0.9" in said
    assert re.search(rf"at the {named:,} Hz of its header -?0\.\d", said)


def test_words_grammar_takes_its_words_from_the_texts(quiet):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    options = {"asr": "words-grammar", "metrics": ["word_accuracy", "wer"]}
    texts = {"0": "about", "1": "young", "2": "about"}
    found = run(quiet, texts=texts, **options)
    assert found.asr.endswith("+words-v1")
    assert {line["hyp"] for line in read_scores(quiet["out"])} <= {"about", "young", ""}
    assert found.columns["word_accuracy"].value == pytest.approx(100 - found.columns["wer"].value)
    with pytest.raises(UseError, match="clips of one word, and 'bin blue'"):
        run(quiet, texts=texts | {"1": "bin blue"}, **options)
