"""The command line: help, mistakes, exit codes. What the verbs call is tested with what they call."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from tests.imports import MODULES, ROOT
from v2sbench import cli
from v2sbench.audio import RATE, write_wav
from v2sbench.cli.parser import REFERENCES, Parser, Verb
from v2sbench.runtime import CheckError, UseError


def fails(capsys, *arguments: str, code: int = 2) -> str:
    """Run, expect an exit code, and return the one line on stderr without its prefix."""
    assert cli.main(arguments) == code
    said = capsys.readouterr()
    assert said.err.startswith("v2sbench: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("v2sbench: ").strip()


def parse(line: str) -> None:
    """Check a command line (without the program's name) against the parser of its verb."""
    name, *arguments = shlex.split(line)
    parser = Parser(prog=f"v2sbench {name}", allow_abbrev=False)
    cli.VERBS[name].options(parser)
    parser.check_options(arguments)
    parser.parse_args(arguments)


def raiser(error: BaseException) -> Verb:
    """A verb that raises."""

    def run(_args) -> None:
        raise error

    return Verb(summary="", examples=(), options=lambda parser: None, run=run)


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_shows_examples_that_parse(verb, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main([verb, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert cli.VERBS[verb].examples
    for line in cli.VERBS[verb].examples:
        assert f"  v2sbench {line}\n" in said
        assert line.split()[0] == verb
        parse(line)


def test_program_help_lists_every_verb(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in cli.VERBS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert re.fullmatch(r"v2sbench \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_loads_nothing_heavy():
    heavy = ("torch", "av", "cv2", "scipy", "joblib", "matplotlib", "ruamel", "tabulate")
    program = f"import sys, v2sbench.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("module", MODULES)
def test_what_messages_tell_to_run_exists(module):
    text = MODULES[module].read_text(encoding="utf-8")
    for verb in re.findall(r"(?:`|run: |see: |&& |first )v2sbench ([a-z]+)", text):
        assert verb in cli.VERBS, f"{module} tells to run v2sbench {verb}"


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "which command?"),
        ("scor x", "unknown command 'scor', did you mean 'score'?"),
        ("--splt", "unknown option '--splt'"),
        ("score --splt demo-seen", "unknown option '--splt', did you mean '--split'?"),
        ("train v2a-mel-s-speaker-tuned", "required: --split"),
        ("list splts", "did you mean 'splits'?"),
        ("score --wavs a --refs b --out c --jobs many", "--jobs"),
        ("prepare grit", "unknown corpus 'grit', did you mean 'grid'?"),
        ("split grid4-sen", "unknown split 'grid4-sen', did you mean 'grid4-seen'?"),
        ("train x --split grid4-sen", "unknown split 'grid4-sen', did you mean 'grid4-seen'?"),
        ("synth x --split grid4-sen", "unknown split 'grid4-sen', did you mean 'grid4-seen'?"),
        ("score x --split grid4-sen", "unknown split 'grid4-sen', did you mean 'grid4-seen'?"),
        ("score --wavs a --refs nowhere", "nowhere"),
        ("score", "--wavs or --system is needed"),
        ("score --wavs a", "--refs is needed"),
        ("score x", "needs --split"),
        ("score --name a --refs b", "names the system of --wavs"),
        ("score --system a --refs b", "must be NAME=DIR, not 'a'"),
        ("score --system a= --refs b", "must be NAME=DIR, not 'a='"),
        ("score x --wavs a --refs b --out c", "needs --split"),
        ("score --wavs a --refs b --out c --texts d --grammar grid", "exclude each other"),
        ("score --wavs a --refs no-folder --out c", "no folder no-folder"),
        ("score --split grid4-seen", "name a SYSTEM, --wavs DIR or --system NAME=DIR"),
        ("score --split grid4-seen --truth --wavs a", "--truth does not go with --split"),
        ("score --split grid4-seen --system noise=a", "one of this project's own systems"),
        ("score x --split grid4-seen --refs a", "does not go with --split"),
        ("speak no.mp4 --model no.safetensors --out o.wav", "no file no.mp4"),
        ("accept demo-seen", "required: --why"),
        ("score --wavs noise --refs b --out c --asr none", "no folder b"),
        ("train x --split grid4-seen", "run: v2sbench prepare grid && v2sbench split grid4-seen"),
        ("split grid4-seen", "run: v2sbench prepare grid"),
    ],
)
def test_a_mistake_is_one_line(line, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(capsys, *shlex.split(line))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, ""])
def test_a_corpus_that_is_missing_or_empty(content, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "corpora"))
    if content is not None:
        (tmp_path / "corpora" / "grid").mkdir(parents=True)
    said = fails(capsys, "prepare", "grid")
    assert ("no folder" if content is None else "is empty") in said
    assert not (tmp_path / "clips").exists()


def test_texts_name_their_bad_line(capsys, tmp_path):
    (tmp_path / "refs").mkdir()
    write_wav(tmp_path / "refs" / "a.wav", np.zeros(960, np.float32), RATE)
    (tmp_path / "texts.tsv").write_text("a\tone two\nno tab here\n", encoding="utf-8")
    said = fails(capsys, "score", "--wavs", str(tmp_path), "--refs", str(tmp_path / "refs"), "--texts",
                 str(tmp_path / "texts.tsv"), "--out", str(tmp_path / "out.jsonl"))  # fmt: skip
    assert "texts.tsv:2: not `clip<TAB>text`" in said


def test_a_name_that_is_no_grid_sentence(capsys, tmp_path):
    write_wav(tmp_path / "refs" / "holiday.wav", np.zeros(960, np.float32), RATE)
    said = fails(capsys, "score", "--wavs", str(tmp_path), "--refs", str(tmp_path / "refs"), "--grammar", "grid",
                 "--out", str(tmp_path / "out.jsonl"))  # fmt: skip
    assert "holiday" in said


# ---------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UseError("two\nlines"), 2, "two lines"),
        (CheckError("moved"), 1, "moved"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "file"), 2, "Permission denied: file"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
    ],
)
def test_exit_codes(error, code, said, capsys, monkeypatch):
    monkeypatch.setitem(cli.VERBS, "list", raiser(error))
    assert fails(capsys, "list", code=code) == said


def test_a_failed_check_lists_what_it_found(capsys, monkeypatch):
    monkeypatch.setitem(cli.VERBS, "list", raiser(CheckError("2 moved\n  a\n  b")))
    assert cli.main(["list"]) == 1
    assert capsys.readouterr().err == "v2sbench: 2 moved\n  a\n  b\n"


def test_a_bug_is_not_hidden(monkeypatch):
    monkeypatch.setitem(cli.VERBS, "list", raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["list"])


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("V2S_DEBUG", "1")
    with pytest.raises(UseError):
        cli.main(["scor"])


def test_a_closed_pipe_is_quiet():
    for reader in ("true", "head -n 1"):  # closed before the first line, and after it
        line = f"{shlex.quote(sys.executable)} -m v2sbench list models | {reader}"
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stderr == ""


# ---------------------------------------------------------------- verbs


@pytest.mark.parametrize("kind", ["corpora", "splits", "models", "metrics", "protocols", "recognisers"])
def test_list(kind, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.main(["list", kind]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 2


def test_scan_counts_the_files_of_a_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "corpora"))
    folder = tmp_path / "corpora" / "grid" / "s1"
    folder.mkdir(parents=True)
    (folder / "bbaf2n.mpg").write_bytes(b"12345")
    found = set()
    for size in (5, 6):
        (folder / "bbaf2n.mpg").write_bytes(b"1" * size)
        assert cli.main(["prepare", "grid", "--scan"]) == 0
        found.add((tmp_path / "clips" / "grid.scan.tsv").read_text(encoding="utf-8"))
    assert len(found) == 2
    assert all(text.startswith("files\tdigest\n1\t") for text in found)
    assert "1 files" in capsys.readouterr().out


def test_reference_systems_are_those_of_synthesis():
    from v2sbench.synthesis.synth import REFERENCES as MADE

    assert set(REFERENCES) == set(MADE)


@pytest.mark.parametrize("name", ["noise", "v2a-mine", "a b", "..", "x/y"])
def test_in_a_split_a_system_needs_a_name_of_its_own(name, tmp_path, capsys):
    said = fails(capsys, "score", "--split", "demo-seen", "--wavs", str(tmp_path), "--name", name)
    assert "give --name NAME" in said


@pytest.mark.parametrize("name", ["a b", "..", "x/y"])
def test_a_name_is_a_file_name(name, tmp_path, capsys):
    for folder in ("mine", "refs"):
        write_wav(tmp_path / folder / "a.wav", np.zeros(960, np.float32), RATE)
    said = fails(capsys, "score", "--wavs", str(tmp_path / "mine"), "--refs", str(tmp_path / "refs"), "--name", name,
                 "--out", str(tmp_path / "o.jsonl"))  # fmt: skip
    assert "give --name NAME" in said


def test_score_two_folders(tmp_path, capsys):
    draw = np.random.default_rng(1)
    for name in ("s1/bbaf2n", "s1/lgwp7a"):
        wave = draw.standard_normal(RATE).astype(np.float32) * 0.1
        write_wav(tmp_path / "refs" / f"{name}.wav", wave, RATE)
        write_wav(tmp_path / "mine" / f"{name}.wav", wave, RATE)
    out = tmp_path / "mine.jsonl"
    line = ["score", "--wavs", str(tmp_path / "mine"), "--refs", str(tmp_path / "refs"), "--metrics", "stoi",
            "--asr", "none", "--jobs", "1", "--out", str(out)]  # fmt: skip
    assert cli.main(line) == 0
    lines = out.read_text(encoding="utf-8")
    assert len(lines.splitlines()) == 2
    assert "mine" in capsys.readouterr().out
    assert cli.main(line[:-2]) == 0
    assert capsys.readouterr().out == lines
