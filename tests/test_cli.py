"""The command line: help, mistakes, exit codes, terminals. What the verbs call is tested with what they call."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trees import ROOT
from v2sbench import cli
from v2sbench.cli.extras import EXTRAS
from v2sbench.runtime import CheckError, UseError


def fails(capsys: pytest.CaptureFixture[str], line: str, code: int = 2) -> str:
    """Run, expect an exit code, and return the one line on stderr without its prefix."""
    assert cli.main(shlex.split(line)) == code
    said = capsys.readouterr()
    assert said.err.startswith("v2sbench: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("v2sbench: ").strip()


def type_in(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in the project, in a process of its own."""
    program = f"{shlex.quote(sys.executable)} -m v2sbench"
    words = ["bash", "-c", line.replace("v2sbench", program)]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False)


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_shows_examples_that_parse(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    said = capsys.readouterr().out
    examples = re.findall(r"^ +v2sbench (.+)$", said.split("Examples:")[1], re.MULTILINE)
    assert examples
    for line in examples:
        name, *arguments = shlex.split(line)
        assert name == verb
        cli.VERBS[verb].make_context(verb, arguments)
    for parameter in cli.VERBS[verb].params:
        assert parameter.help, f"{verb}: nothing is said of {parameter.name}"


def test_help_of_the_program_lists_verbs_and_completion(capsys):
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert re.findall(r"^  (\w+)  +\S", said.split("Commands:")[1], re.MULTILINE) == list(cli.VERBS)
    assert "bash_source" in said


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"v2sbench \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_loads_nothing_heavy():
    heavy = ("torch", "av", "cv2", "scipy", "joblib", "matplotlib", "pandas", "tabulate")
    program = f"import sys, v2sbench.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_verbs_and_options(shell):
    # what bash, zsh and fish each hand over: the words and the place of the cursor, or the word under it
    words = {"COMP_WORDS": "v2sbench table --sh", "COMP_CWORD": "--sh" if shell == "fish" else "2"}
    done = type_in("v2sbench", _V2SBENCH_COMPLETE=f"{shell}_complete", **words)
    assert b"--show" in done.stdout
    assert b"_V2SBENCH_COMPLETE" in type_in("v2sbench", _V2SBENCH_COMPLETE=f"{shell}_source").stdout


@pytest.mark.parametrize("path", sorted((ROOT / "v2sbench").rglob("*.py")), ids=lambda path: path.stem)
def test_what_messages_tell_to_run_exists(path):
    text = path.read_text(encoding="utf-8")
    for verb in re.findall(r"(?:`|run: |see: |&& |first )v2sbench ([a-z]+)", text):
        assert verb in cli.VERBS, f"{path} tells to run v2sbench {verb}"


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "v2sbench --help"),
        ("scor x", "'score'"),
        ("--splt", "--splt"),
        ("score --splt demo-seen", "Did you mean '--split'? See: v2sbench score --help"),
        ("train v2a-mel-s-speaker-tuned", "--split"),
        ("accept demo-seen", "--why"),
        ("list splts", "did you mean 'splits'?"),
        ("score --wavs a --refs b --out c --jobs many", "--jobs"),
        ("prepare grit", "did you mean 'grid'?"),
        ("split grid4-sen", "did you mean 'grid4-seen'?"),
        ("split grid4-seen", "run: v2sbench prepare grid"),
        ("split grid4-seen --face --list l", "leave out --list"),
        ("train x --split grid4-sen", "did you mean 'grid4-seen'?"),
        ("train x --split grid4-seen", "run: v2sbench prepare grid && v2sbench split grid4-seen"),
        ("synth x --split grid4-sen", "did you mean 'grid4-seen'?"),
        ("speak no.mp4 --model no.safetensors --out o.wav", "no file no.mp4"),
        ("speak a --model b --out c --voice d --face e", "--voice and --face exclude each other"),
        ("fetch grid --parts ,", "names nothing"),
        ("doctor --fast", "--fast needs a corpus"),
        ("doctor grid --fast --deep", "--fast and --deep exclude each other"),
        ("prepare speech-mix --roi haar", "takes no --roi"),
        ("table x --show --out d", "give one of them"),
        ("table x --quiet --show", "give --out DIR"),
        ("table x --scores d", "exclude each other"),
        ("table x --protocols --base b", "drop --base"),
        ("report a b --out c", "--out is for one split"),
        ("reported", "add"),
        ("reported check --value 1", "goes with `reported add`"),
        ("reported add --split grid4-seen", "needs --method, --metric"),
        ("sweep", "which sweep?"),
    ],
)
def test_a_mistake_is_one_line(line, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(capsys, line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, ""])
def test_a_corpus_that_is_missing_or_empty(content, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "corpora"))
    if content is not None:
        (tmp_path / "corpora" / "grid").mkdir(parents=True)
    assert ("no folder" if content is None else "is empty") in fails(capsys, "prepare grid")
    assert not (tmp_path / "clips").exists()


# ---------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UseError("two\nlines"), 2, "two lines"),
        (CheckError("moved"), 1, "moved"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "file"), 2, "Permission denied: file"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (ModuleNotFoundError("no", name="torch.nn"), 2, "pip install 'v2sbench[train]'"),
        (ModuleNotFoundError("no", name="dask"), 2, "pip install 'v2sbench[cluster]'"),
    ],
)
def test_exit_codes(error, code, said, capsys, monkeypatch):
    monkeypatch.setattr(cli.VERBS["list"], "callback", lambda kind: raises(error))
    assert said in fails(capsys, "list models", code)


def raises(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [ZeroDivisionError(), ModuleNotFoundError("no", name="v2sbench.nowhere")])
def test_a_bug_is_not_hidden(error, monkeypatch):
    monkeypatch.setattr(cli.VERBS["list"], "callback", lambda kind: raises(error))
    with pytest.raises(type(error)):
        cli.main(["list", "models"])


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("V2S_DEBUG", "1")
    with pytest.raises(UseError):
        cli.main(["scor"])


def test_every_extra_that_messages_name_is_one_of_the_package():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(extras)


# ---------------------------------------------------------------- terminals


@pytest.mark.parametrize("reader", ["true", "head -n 1"])
def test_a_closed_pipe_is_quiet(reader):
    assert type_in(f"v2sbench list metrics | {reader}").stderr == b""


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_terminal_without_the_character_shows_another(encoding):
    done = type_in("v2sbench list metrics; v2sbench train ÿ▲ --split grid1-seen", PYTHONIOENCODING=encoding)
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout.count(b"\n") > 5


# ---------------------------------------------------------------- verbs


@pytest.mark.parametrize("kind", ["corpora", "splits", "models", "metrics", "protocols", "recognisers"])
def test_list(kind, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.main(["list", kind]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 2


def test_scan_counts_the_files_of_a_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "corpora"))
    film = tmp_path / "corpora" / "grid" / "s1" / "bbaf2n.mpg"
    film.parent.mkdir(parents=True)
    found = set()
    for size in (5, 6):
        film.write_bytes(b"1" * size)
        assert cli.main(["prepare", "grid", "--scan"]) == 0
        found.add(Path("clips/grid.scan.tsv").read_text(encoding="utf-8"))
    assert len(found) == 2
    assert all(text.startswith("files\tdigest\n1\t") for text in found)
