"""The documents: every command is a real one, every link leads somewhere, nothing is of one machine.

What can be run in seconds is run, by tests/test_docs_run.py.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from tests.documents import (
    DOCUMENTS,
    OTHERS,
    SHELLS,
    WRITTEN,
    Command,
    anchors,
    blocks,
    commands,
    exists,
    links,
    named_paths,
    pieces,
    prose,
    read,
    root_relative,
    spans,
)
from tests.trees import ROOT
from v2sbench import cli
from v2sbench.cli.corpora import LISTS
from v2sbench.corpora import discover, splits
from v2sbench.nets import list_cards
from v2sbench.prepare.mouths import PROVIDERS
from v2sbench.results.published import read_sources
from v2sbench.runtime.systems import REFERENCES
from v2sbench.scoring import METRICS, PROTOCOLS
from v2sbench.scoring.recognisers import recogniser, recognisers

PLACEHOLDER = re.compile(r"[A-Z][A-Z,]*(?:=[A-Z]+)?")
"""S, NAME, DIR: what running text leaves to the reader."""
RECIPE = {"films", "films-seen"}
"""The corpus that README's recipe adds, and its split."""
SHELL_WORDS = (".", "cd", "cp", "git", "pip", "apt-get")
"""Programs of blocks that are not this project's."""


@cache
def known() -> dict[str, set[str]]:
    """Argument of a verb -> the names that it may have."""
    cards, metrics, divisions = set(list_cards(ROOT / "models")), set(METRICS), set(splits())
    return {
        "kind": set(LISTS),
        "corpus": set(discover()),
        "split": divisions,
        "splits": divisions,
        "variant": cards,
        "system": {*cards, *REFERENCES},
        "made": {*cards, *REFERENCES},
        "roi": {*PROVIDERS, "auto"},
        "metric": {*metrics, "pesq"},
        "metrics": metrics,
        "columns": metrics,
        "protocol": {*PROTOCOLS, "all"},
        "source": set(read_sources()),
        "name": {path.stem for path in (ROOT / "sweeps").glob("*.yaml")},
    }


def fault(words: tuple[str, ...]) -> str:
    """Why a `v2sbench` line (without the program) cannot be typed; empty when it can."""
    verb, *arguments = words
    if verb not in cli.VERBS:
        return f"no verb {verb}"
    numbers = {name for option in cli.VERBS[verb].params if option.type is click.INT for name in option.opts}
    for place, word in enumerate(arguments[1:], start=1):
        if arguments[place - 1] in numbers and PLACEHOLDER.fullmatch(word):
            arguments[place] = "1"
    try:
        given = cli.VERBS[verb].make_context(verb, arguments).params
    except click.UsageError as error:
        return error.format_message()
    return next(unknown(verb, given), "")


def unknown(verb: str, given: dict[str, Any]) -> Iterator[str]:
    """What is named and does not exist."""
    for argument, value in given.items():
        values = value if isinstance(value, tuple) else str(value).split(",") if value is not None else []
        for name in values if argument in known() and (verb, argument) != ("score", "name") else []:
            placeholder = PLACEHOLDER.fullmatch(name) or name.startswith("copy-")
            if name not in known()[argument] | RECIPE and not placeholder:
                yield f"{argument}: no {name}"
    asr = given.get("asr") or "none"
    if asr != "none" and not PLACEHOLDER.fullmatch(asr):
        recogniser(asr.split(":")[0])


def of(program: str) -> list[Command]:
    """Commands of one program."""
    return [command for command in commands() if command.words[0] == program]


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("command", of("v2sbench"), ids=str)
def test_what_is_told_to_run_parses_and_names_what_there_is(command):
    if len(command.words) == 2 and not command.fenced:  # in running text a verb may stand for itself
        assert command.words[1] in (*cli.VERBS, "--help")
        return
    assert not fault(command.words[1:])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scor --split S", "no verb scor"),
        ("score --splt S", "No such option"),
        ("score --split grid5-seen --wavs a", "no grid5-seen"),
        ("table S --columns stoi,stoj", "no stoj"),
        ("prepare grid --jobs many", "not a valid integer"),
        ("prepare grid --jobs N", ""),
        ("synth copy-hifigan --split grid4-seen", ""),
    ],
)
def test_the_check_itself_finds_what_is_wrong(line, said):
    found = fault(tuple(line.split()))
    assert said in found if said else not found


def test_every_verb_is_shown_in_the_readme_or_in_contributing():
    assert {command.words[1] for command in of("v2sbench")} >= set(cli.VERBS)


def test_make_targets_exist():
    targets = set(re.search(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE)[1].split())
    for command in of("make"):
        assert all(word in targets or re.fullmatch(r"[A-Z]+=.+", word) for word in command.words[1:]), command
    swept = {word.split("=")[1] for command in of("make") for word in command.words if word.startswith("NAME=")}
    assert swept <= {"NAME", *known()["name"]}


PARSE = """
import json, sys
from dvc.cli.parser import get_main_parser
parser = get_main_parser()
for words, fenced in json.load(sys.stdin):
    try:
        parser.parse_args(words if fenced else [*words, "--help"])
    except SystemExit as left:  # in running text a verb may stand for itself: then it has at least a help
        assert not left.code, words
"""


def test_dvc_understands_its_commands():
    lines = json.dumps([(command.words[1:], command.fenced) for command in of("dvc")])
    done = subprocess.run([sys.executable, "-c", PARSE], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pytest_has_the_options_and_files():
    words = [sys.executable, "-m", "pytest", "benchmarks", "--help", "-p", "no:cacheprovider"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", told))
    for command in of("pytest"):
        for word in command.words[1:]:
            option = re.match(r"--?[a-z][a-z-]*", word)
            assert not option or option[0] in options, command
            made = "=" in word or word.startswith(("build/", "results/speed/"))
            assert "/" not in word or made or exists(word), command


def test_python_modules_and_scripts_are_there_and_know_their_options():
    for command in of("python"):
        words = command.words[1:]
        if words[0] == "-m":
            found = importlib.util.find_spec(words[1])
            text = Path(str(found and found.origin)).read_text(encoding="utf-8")
            for word in words[2:]:
                assert not word.startswith("--") or f'"{word}"' in text, f"{command}: {word}"
        else:
            assert (ROOT / words[0]).is_file(), command


def test_pip_installs_what_this_project_names():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    locked = (read("requirements.lock") + read("requirements-nodeps.lock")).split()
    for command in of("pip"):
        assert command.words[1] == "install", command
        for word in command.words[2:]:
            if extra := re.fullmatch(r"(?:v2sbench|\.)\[([\w,]+)\]", word):
                assert set(extra[1].split(",")) <= set(extras), command
            else:
                assert word in ("-e", ".", "--no-deps", *locked), command


def test_blocks_have_no_other_programs():
    programs = {command.words[0] for command in commands() if command.fenced}
    assert programs <= {"bash", "dask", "dvc", "make", "pytest", "python", "v2sbench", *SHELL_WORDS}
    assert all((ROOT / command.words[1]).is_file() for command in of("bash"))
    languages = {language for document in DOCUMENTS for language, _ in blocks(read(document))}
    assert languages <= {*SHELLS, *OTHERS}, "a fence without a language, or with a new one"


def test_models_that_are_named_exist():
    cards = {*list_cards(ROOT / "models"), *(Path(path).stem for path in WRITTEN)}
    name = re.compile(r"(?<![\w<-])(?:a2a|v2a)-[a-z]+(?:-[a-z]+)*(?![\w<{*-])")
    assert {found for document in DOCUMENTS for found in name.findall("\n".join(spans(read(document))))} <= cards


# ---------------------------------------------------------------- what the README says of the code


def test_the_readme_has_every_split_and_its_sizes():
    rows = {
        name: row
        for row in re.findall(r"^\| (`.+)$", read("README.md"), re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", row.split("|")[0])
    }
    for name, item in splits().items():
        assert name in rows, f"{name} has no row"
        sizes = [item.expected.get(part, 0) for part in ("train", "val", "test")]
        if None not in sizes:
            assert " / ".join(str(size or "-") for size in sizes) in rows[name], name


def test_the_readme_has_every_variable_of_the_environment():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "v2sbench").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r"\bV2S_[A-Z]+", text)}
    assert set(re.findall(r"^\| `(V2S_[A-Z]+)` \|", read("README.md"), re.MULTILINE)) == used


def test_the_readme_names_protocols_recognisers_and_providers():
    text = read("README.md")
    assert all(f"`{name}" in text for name in (*PROTOCOLS, *recognisers(), *PROVIDERS))


# ---------------------------------------------------------------- links, paths, pictures


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_paths_lead_somewhere(document):
    for target in links(read(document)):
        path = ROOT / document if target.startswith("#") else root_relative(document, target)
        assert path.exists(), target
        if "#" in target:
            assert target.split("#")[1] in anchors(path.read_text(encoding="utf-8")), target
    assert [path for path in named_paths(read(document)) if not exists(path)] == []


def test_every_picture_is_shown_and_every_document_is_linked():
    targets = {
        document: {root_relative(document, target).resolve() for target in links(read(document))}
        for document in DOCUMENTS
    }
    assert {path.resolve() for path in (ROOT / "docs" / "pictures").iterdir()} <= set().union(*targets.values())
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        document = str(todo.pop().relative_to(ROOT))
        if document in targets and document not in reached:
            reached.add(document)
            todo += [path for path in targets[document] if path.suffix == ".md" and path.is_relative_to(ROOT)]
    assert set(DOCUMENTS) <= reached


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_is_of_one_machine(document):
    text = read(document)
    assert set(re.findall(r"https?://([^/\s)\"'`]+)", text)) <= {"example.org"}
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|mnt|Users|usr|opt)/\w", text)
    assert not re.search(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)
    assert not re.search(r"\bTO" r"DO\b|\bFIX" r"ME\b|\bX" r"XX\b", prose(text))


# ---------------------------------------------------------------- the reader of documents


def test_commands_are_found_in_blocks_and_in_text():
    text = (
        "Say `make demo`, or `v2sbench\ngate S`.\n\n```console\n$ dvc repro\nit prints\n```\n\n    pytest benchmarks/\n"
    )
    assert spans(text) == ["make demo", "v2sbench gate S"]
    assert list(blocks(text)) == [("console", "$ dvc repro\nit prints\n"), ("sh", "pytest benchmarks/\n")]
    line = "V2S_DATA=/c v2sbench prepare grid --roi 'a b' && make demo | head & dvc repro # why"
    assert [words[0] for words in pieces(line)] == ["v2sbench", "make", "head", "dvc"]
    assert next(pieces(line))[-1] == "a b"
