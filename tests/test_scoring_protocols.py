"""One system under other people's rules: whose words, which wave, and each transcript made once."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from tests.voices import folders, noisy, voice
from v2sbench.audio import quantise, write_wav
from v2sbench.runtime import UseError
from v2sbench.scoring import recognisers as asr
from v2sbench.scoring import run, score, spread
from v2sbench.scoring.folders import clips_of
from v2sbench.scoring.metrics import PROTOCOLS, column
from v2sbench.scoring.recognisers import Backend, recogniser
from v2sbench.scoring.scores import read_scores

TEXT = "bin blue at f two now"


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
    monkeypatch.setitem(asr.RECOGNISERS, "ear", Backend(name="ear", description="", make=lambda option: made))
    recogniser.cache_clear()
    yield made
    recogniser.cache_clear()


@pytest.fixture
def quiet(tmp_path):
    """(wavs, refs, clips) of three clips, the predictions at a fifth of the level."""
    for index in range(3):
        wave = voice(1.0, index, 16_000)
        write_wav(tmp_path / "refs" / f"{index}.wav", wave, 16_000)
        write_wav(tmp_path / "wavs" / f"{index}.wav", 0.2 * noisy(wave, 20, index), 16_000)
    return tmp_path / "wavs", tmp_path / "refs", ["0", "1", "2"]


def test_words_against_what_is_heard_in_the_real_audio(quiet, ear, tmp_path):
    """No text is needed, and the rate is per word of the transcript: 1 deletion, 2 words heard."""
    wavs, refs, clips = quiet
    out = tmp_path / "o.jsonl"
    found = score(wavs, refs, clips, None, out, protocol="svts-2022", asr="ear", metrics=["wer"], normaliser="words-v1")
    for line in read_scores(out):
        assert (line["hyp_ref"], line["hyp"], line["text"]) == ("one two three", "one two", None)
        assert line["wer"] == {"sub": 0, "del": 1, "ins": 0, "words": 3}
    assert found.columns["wer"].value == pytest.approx(50.0)
    assert len(ear.heard) == 6


def test_real_audio_that_cannot_be_heard_is_a_reason(quiet, ear, tmp_path):
    wavs, refs, clips = quiet
    (refs / "1.wav").unlink()
    write_wav(refs / "2.wav", np.zeros(16_000, np.float32), 16_000)
    out = tmp_path / "o.jsonl"
    score(wavs, refs, clips, None, out, protocol="svts-2022", asr="ear", metrics=["wer"], normaliser="words-v1")
    _, gone, silent = read_scores(out)
    assert gone["errors"] == {"wer": "reference-missing"}
    assert silent["errors"] == {"wer": "no-text"}
    assert silent["status"] == "reference-silent"


def test_the_recogniser_hears_what_the_protocol_prepares(quiet, ear, tmp_path):
    """VCA-GAN brings the peak to .9 first, so the level is lost and the third word is heard."""
    wavs, refs, clips = quiet
    texts = dict.fromkeys(clips, "one two three")
    hyp = {}
    for protocol in ("v2sbench-1", "vca-gan-2021"):
        out = tmp_path / f"{protocol}.jsonl"
        score(wavs, refs, clips, texts, out, protocol=protocol, asr="ear", metrics=["wer"], normaliser="words-v1",
              transcripts=tmp_path / "t.sqlite")  # fmt: skip
        hyp[protocol] = {line["hyp"] for line in read_scores(out)}
    assert hyp == {"v2sbench-1": {"one two"}, "vca-gan-2021": {"one two three"}}


def test_each_transcript_is_made_once(quiet, ear, tmp_path):
    wavs, refs, clips = quiet
    texts = dict.fromkeys(clips, "one two three")
    for protocol in ("v2sbench-1", "svts-2022", "lip2wav-2020", "evalaudio-2020"):
        score(wavs, refs, clips, texts, tmp_path / f"{protocol}.jsonl", protocol=protocol, asr="ear", metrics=["wer"],
              normaliser="words-v1", transcripts=tmp_path / "t.sqlite")  # fmt: skip
    assert len(ear.heard) == 6, "three predictions, three references"
    write_wav(wavs / "1.wav", voice(1.0, 7, 16_000), 16_000)
    score(wavs, refs, clips, texts, tmp_path / "v2sbench-1.jsonl", asr="ear", metrics=["wer"], normaliser="words-v1",
          transcripts=tmp_path / "t.sqlite")  # fmt: skip
    assert len(ear.heard) == 7, "and the one that is new"


def test_the_store_changes_no_line(quiet, ear, tmp_path):
    wavs, refs, clips = quiet
    texts = dict.fromkeys(clips, "one two")
    for name, store in (("none", None), ("new", tmp_path / "t.sqlite"), ("used", tmp_path / "t.sqlite")):
        score(wavs, refs, clips, texts, tmp_path / f"{name}.jsonl", asr="ear", normaliser="words-v1", transcripts=store)
    first, *others = [(tmp_path / f"{name}.jsonl").read_bytes() for name in ("none", "new", "used")]
    assert others == [first, first]


def test_twice_the_same_audio_is_heard_once(quiet, ear, tmp_path):
    _, refs, clips = quiet
    score(refs, refs, clips, None, tmp_path / "o.jsonl", protocol="svts-2022", asr="ear", metrics=["wer"],
          normaliser="words-v1")  # fmt: skip
    assert len(ear.heard) == 3


def test_other_scores_are_taken_over_where_they_hold(quiet, tmp_path, monkeypatch):
    wavs, refs, clips = quiet
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    score(wavs, refs, clips, None, first, metrics=["stoi"])
    monkeypatch.setattr(run, "score_clip", lambda task: pytest.fail("scored again"))
    assert score(wavs, refs, clips, None, second, metrics=["stoi"], known=[first]).kept == 3
    assert second.read_bytes() == first.read_bytes()
    monkeypatch.undo()
    assert score(wavs, refs, clips, None, second, protocol="lip2wav-2020", metrics=["stoi"], known=[first]).kept == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_scores_a_folder(quiet, protocol, tmp_path):
    """What the summary shows is the column that tables show."""
    wavs, refs, clips = quiet
    (wavs / "2.wav").unlink()
    out = tmp_path / "o.jsonl"
    found = score(wavs, refs, clips, None, out, protocol=protocol, asr=None)
    assert found.statuses == {"ok": 2, "missing": 1}
    assert found.missing == ("2",)
    assert set(found.columns) == set(PROTOCOLS[protocol].metrics) - {"wer"}
    for name, cell in found.columns.items():
        assert cell == column(PROTOCOLS[protocol], name, read_scores(out))
        assert (cell.n, cell.n_failed) == (2, 1)


def test_the_spread_has_a_row_a_run(quiet, tmp_path):
    wavs, refs, clips = quiet
    (wavs / "2.wav").unlink()
    found = [
        score(wavs, refs, clips, None, tmp_path / f"{name}.jsonl", protocol=name, asr=None, system="mine")
        for name in ("v2sbench-1", "lip2wav-2020")
    ]
    heading, ours, theirs = spread(found)
    assert heading == ["system", "protocol", "PESQ-WB", "PESQ-NB", "STOI", "ESTOI", "PESQ-NB (16 kHz)", "failed"]
    assert (ours[0], ours[1], ours[-2], ours[-1]) == ("mine", "v2sbench-1", "", "1")
    assert ours[2].endswith("*")
    assert theirs[2:4] == ["", ""]
    assert float(ours[4].rstrip("*")) == pytest.approx(found[0].columns["stoi"].value, abs=5e-4)


# ---------------------------------------------------------------- whose files, in which form


def test_flac_of_any_rate_scores_like_wav(tmp_path):
    wave = voice(1.5, 1, 48_000)
    for folder, name in (("refs", "s1/a.wav"), ("wavs", "s1/a.wav"), ("flacs", "a.flac")):
        (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / folder / name, quantise(noisy(wave, 20) if folder != "refs" else wave), 48_000)
    lines = []
    for folder in ("wavs", "flacs"):
        score(tmp_path / folder, tmp_path / "refs", ["s1/a"], None, tmp_path / "o.jsonl", asr=None)
        lines.append({key: value for key, value in read_scores(tmp_path / "o.jsonl")[0].items()
                      if key not in ("audio", "key")})  # fmt: skip
    assert lines[0] == lines[1]


def test_wrong_names_are_warned_of_and_scored_all_the_same(tmp_path):
    wavs, refs = folders(tmp_path, 8)
    clips = clips_of(refs)
    paths = sorted(wavs.rglob("*.wav"))
    held = [path.read_bytes() for path in paths]
    for path, data in zip(paths, held[1:] + held[:1], strict=True):
        path.write_bytes(data)
    options = {"metrics": ["stoi"], "asr": None}
    found = score(wavs, refs, clips, None, tmp_path / "o.jsonl", **options)
    (said,) = found.warnings
    assert "8 of 8 predictions run along with another clip's reference" in said
    assert said in str(found)
    assert found.statuses == {"ok": 8}
    assert not score(wavs, refs, clips, None, tmp_path / "p.jsonl", doubt=False, **options).warnings
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "p.jsonl").read_bytes()
    (same,) = score(refs, refs, clips, None, tmp_path / "q.jsonl", **options).warnings
    assert "8 predictions are their references" in same


def test_a_damaged_store_is_one_line_and_writes_nothing(quiet, ear, tmp_path):
    wavs, refs, clips = quiet
    (tmp_path / "t.sqlite").write_bytes(b"no data base at all, but bytes enough" * 50)
    with pytest.raises(UseError, match="delete it"):
        score(wavs, refs, clips, dict.fromkeys(clips, "one"), tmp_path / "o.jsonl", asr="ear", normaliser="words-v1",
              transcripts=tmp_path / "t.sqlite")  # fmt: skip
    assert not (tmp_path / "o.jsonl").exists()


def test_words_grammar_takes_its_words_from_the_texts(quiet, tmp_path):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    wavs, refs, clips = quiet
    texts = {"0": "about", "1": "young", "2": "about"}
    out = tmp_path / "o.jsonl"
    found = score(wavs, refs, clips, texts, out, asr="words-grammar", metrics=["word_accuracy", "wer"])
    assert found.asr.endswith("+words-v1")
    assert {line["hyp"] for line in read_scores(out)} <= {"about", "young", ""}
    assert found.columns["word_accuracy"].value == pytest.approx(100 - found.columns["wer"].value)
    assert "about,young" not in json.dumps(json.loads((tmp_path / "o.meta.json").read_text()))
    with pytest.raises(UseError, match="clips of one word, and 'bin blue'"):
        score(wavs, refs, clips, texts | {"1": "bin blue"}, out, asr="words-grammar")
