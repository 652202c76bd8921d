"""`v2sbench score` as a user types it: several systems, several protocols, and what it says when something is off."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.voices import noisy, voice
from v2sbench import cli
from v2sbench.audio import write_wav
from v2sbench.cli.options import AUDIO, MEASURED
from v2sbench.runtime.systems import GROUND_TRUTH
from v2sbench.scoring import PROTOCOLS
from v2sbench.scoring.scores import read_scores

NAMES = ("bbaf2n", "lgwp7a", "sgib8n")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder as the current one, one process, no progress bars, no store of transcripts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_QUIET", "1")
    monkeypatch.setenv("V2S_JOBS", "1")
    monkeypatch.delenv("V2S_CACHE", raising=False)
    return tmp_path


@pytest.fixture
def two(place):
    """Folders refs, a and b: three clips, b with more noise."""
    for index, name in enumerate(NAMES):
        wave = voice(1.0, index, 16_000)
        write_wav(place / "refs" / "s1" / f"{name}.wav", wave, 16_000)
        write_wav(place / "a" / "s1" / f"{name}.wav", noisy(wave, 20, index), 16_000)
        write_wav(place / "b" / f"{name}.wav", noisy(wave, 0, index), 16_000)
    return place


def said(capsys, line: str) -> tuple[str, str]:
    """Run, expect success; what was printed to stdout and stderr."""
    capsys.readouterr()
    assert cli.main(line.split()) == 0
    return capsys.readouterr()


def fails(capsys, line: str) -> str:
    """Run, expect exit code 2 and one line on stderr."""
    capsys.readouterr()
    assert cli.main(line.split()) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


# ---------------------------------------------------------------- several systems, several protocols


def test_several_systems_in_one_call(two, capsys):
    out, err = said(capsys, "score --system a=a --system b=b --refs refs --metrics stoi --asr none --out o")
    stoi = {name: np.mean([line["stoi"] for line in read_scores(two / "o" / f"{name}.jsonl")]) for name in "ab"}
    assert stoi["a"] > stoi["b"]
    table = out[out.index("system") :].splitlines()
    assert table[2].split() == ["a", "v2sbench-1", f"{stoi['a']:.3f}", "0"]
    assert table[3].split() == ["b", "v2sbench-1", f"{stoi['b']:.3f}", "0"]
    assert "not comparable" not in out
    assert not err


def test_one_system_under_every_protocol(two, capsys):
    out, _ = said(capsys, "score --wavs a --refs refs --protocol all --asr none --out o")
    assert {path.name for path in (two / "o").glob("*.jsonl")} == {f"a.{name}.jsonl" for name in PROTOCOLS}
    assert all(f" {name} " in out for name in PROTOCOLS)
    assert "not comparable" in out
    meta = json.loads((two / "o" / "a.svts-2022.meta.json").read_text())
    assert (meta["protocol"], meta["system"]) == ("svts-2022", "a")


def test_without_a_place_several_runs_only_say_what_they_came_to(two, capsys):
    before = sorted(two.rglob("*"))
    out, _ = said(capsys, "score --wavs a --refs refs --protocol v2sbench-1,lip2wav-2020 --metrics stoi --asr none")
    assert "lip2wav-2020" in out
    assert '"clip"' not in out
    assert "/tmp" not in out, "the scratch folder is nobody's business"
    assert sorted(two.rglob("*")) == before


def test_missing_clips_are_listed_and_counted(two, capsys):
    (two / "a" / "s1" / "bbaf2n.wav").unlink()
    out, _ = said(capsys, "score --wavs a --refs refs --metrics stoi --asr none --out o.jsonl")
    assert "not ok: 1 missing" in out
    assert "missing: s1/bbaf2n" in out
    assert read_scores(two / "o.jsonl")[0]["status"] == "missing"


# ---------------------------------------------------------------- doubts


def test_exchanged_folders_are_told_by_what_is_understood(two, capsys, monkeypatch):
    """Predictions that are understood better than the references they are held to."""
    from v2sbench.scoring import recognisers as asr

    class Ear:
        id, grammar, batch = "ear/1", None, 1

        def transcribe(self, waves):
            clean = [np.percentile(np.abs(wave), 20) < 0.01 for wave in waves]
            return ["bin blue at f two now" if quiet else "no idea" for quiet in clean]

    monkeypatch.setitem(asr.RECOGNISERS, "ear", asr.Backend(name="ear", description="", make=lambda option: Ear()))
    asr.recogniser.cache_clear()
    for name in NAMES:
        (two / "b" / f"{name}.wav").replace(two / "b" / "bbaf2n.wav")
    (two / "refs" / "s1" / "bbaf2n.wav").rename(two / "bbaf2n.wav")
    (two / "clean").mkdir()
    (two / "bbaf2n.wav").rename(two / "clean" / "bbaf2n.wav")
    line = "score --grammar grid --metrics wer --asr ear --truth --out o"
    assert "exchanged" in said(capsys, f"{line} --wavs clean --refs b").err
    assert {path.name for path in (two / "o").glob("*.jsonl")} == {"clean.jsonl", f"{GROUND_TRUTH}.jsonl"}
    assert "exchanged" not in said(capsys, f"{line}2 --wavs b --refs clean").err
    asr.recogniser.cache_clear()


def test_references_that_synth_made_are_doubted(two, capsys):
    (two / "refs" / "system.json").write_text('{"vocoder": "griffin-lim"}')
    line = "score --wavs a --refs refs --metrics stoi --asr none --out o.jsonl"
    assert "exchanged" in said(capsys, line).err


def test_warnings_do_not_mix_with_lines_on_the_terminal(two, capsys):
    out, err = said(capsys, "score --wavs refs --name x --refs refs --metrics stoi --asr none")
    assert [json.loads(line)["clip"] for line in out.splitlines()] == [f"s1/{name}" for name in NAMES]
    assert err.startswith("v2sbench: warning: 3 predictions are their references, byte for byte")
    assert err.count("\n") == 1
    assert not said(capsys, "score --wavs a --refs refs --metrics stoi --asr none").err


# ---------------------------------------------------------------- transcripts


def test_transcripts_are_kept_where_v2s_cache_says(two, capsys, monkeypatch):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    monkeypatch.setenv("V2S_CACHE", str(two / "cache"))
    line = "score --wavs a --refs refs --grammar grid --metrics wer --out"
    said(capsys, f"{line} one.jsonl")
    assert (two / "cache" / "transcripts.sqlite").is_file()
    monkeypatch.setattr(
        "v2sbench.scoring.recognisers.sphinx.GridGrammar.transcribe", lambda *_: pytest.fail("heard twice")
    )
    said(capsys, f"{line} two.jsonl")
    assert (two / "one.jsonl").read_bytes() == (two / "two.jsonl").read_bytes()


def test_outside_a_project_nothing_is_left_behind(two, capsys):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    before = sorted(two.rglob("*"))
    said(capsys, "score --wavs a --refs refs --grammar grid --metrics wer")
    assert sorted(two.rglob("*")) == before


# ---------------------------------------------------------------- with a split


def test_own_systems_of_a_split(project, capsys, monkeypatch):
    """Scores lie where tables look for them, those under other protocols in a folder beside."""
    from v2sbench.clips.splits import read_split

    monkeypatch.setenv("V2S_QUIET", "1")
    name = next((project / "splits").iterdir()).name
    clips = [row.id for row in read_split(project / "splits" / name).rows if row.subset == "test"]
    for index, clip in enumerate(clips):
        wave = voice(1.0, index, 16_000)
        write_wav(project / AUDIO / name / GROUND_TRUTH / f"{clip}.wav", wave, 16_000)
        for system, snr in (("mine", 20), ("theirs", 5)):
            write_wav(project / system / f"{clip}.wav", noisy(wave, snr, index), 16_000)
    line = f"score --split {name} --system mine=mine --system theirs=theirs --asr none --metrics stoi"
    said(capsys, line)
    assert {path.name for path in (project / MEASURED / name).glob("*.jsonl")} == {"mine.jsonl", "theirs.jsonl"}
    out = said(capsys, f"{line} --protocol v2sbench-1,svts-2022").out
    held = project / MEASURED / name / "protocols"
    assert len(list(held.glob("*.jsonl"))) == 4
    assert (held / "mine.v2sbench-1.jsonl").read_bytes() == (held.parent / "mine.jsonl").read_bytes()
    assert f"{len(clips)} clips of mine, {len(clips)} kept" in out, "what is the same is not scored again"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "--wavs or --system is needed"),
        ("--wavs a", "--refs is needed"),
        ("x", "needs --split"),
        ("--name a --refs refs", "names the system of --wavs"),
        ("--system a --refs refs", "takes NAME=DIR, not 'a'"),
        ("--wavs a --system a=b --refs refs", "two systems are called 'a'"),
        ("--system ground-truth=a --refs refs --truth", "two systems are called 'ground-truth'"),
        ("--system a=nowhere --refs refs", "no folder nowhere"),
        ("--wavs a --refs refs --name x/y", "cannot name a system"),
        ("--split grid4-seen", "name a SYSTEM, --wavs DIR or --system NAME=DIR"),
        ("--split grid4-sen x", "did you mean 'grid4-seen'"),
        ("--split grid4-seen --truth --wavs a", "--truth does not go with --split"),
        ("--split grid4-seen --system noise=a", "one of this project's own systems"),
        ("--system a=a --system b=b --refs refs --out a/s1/bbaf2n.wav", "must be a folder"),
        ("--wavs a --refs refs --protocol v2sbench-1,svts", "did you mean 'svts-2022'"),
        ("--wavs a --refs refs --protocol ,", "names nothing"),
        ("--wavs a --refs refs --metrics wer", "wer needs texts"),
        ("--wavs a --refs refs --metrics stoy", "did you mean 'stoi'"),
        ("--wavs a --refs refs --grammar grid --asr grid-gramar", "did you mean 'grid-grammar'"),
        ("--wavs a --refs refs --texts texts.tsv --grammar grid", "exclude each other"),
        ("--wavs a --refs refs --asr words-grammar --texts texts.tsv", "'bin blue' is none"),
        ("--wavs a --refs refs --texts bad.tsv", "bad.tsv:2: not `clip<TAB>text`"),
        ("--wavs a --refs b2 --grammar grid", "holiday"),
    ],
)
def test_wrong_use(two, capsys, line, says):
    (two / "texts.tsv").write_text("s1/bbaf2n\tbin blue\n")
    (two / "bad.tsv").write_text("a\tone two\nno tab here\n")
    write_wav(two / "b2" / "holiday.wav", voice(1.0, 0, 16_000), 16_000)
    before = sorted(two.rglob("*"))
    assert says in fails(capsys, f"score {line}")
    assert sorted(two.rglob("*")) == before
