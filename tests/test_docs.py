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
from tests.imports import MODULES, ROOT
from v2sbench import cli
from v2sbench.cli.corpora import LISTS
from v2sbench.corpora import discover, splits
from v2sbench.nets.card_reading import list_cards
from v2sbench.prepare.mouths import PROVIDERS
from v2sbench.results.published import read_sources
from v2sbench.runtime.systems import REFERENCES
from v2sbench.scoring.metrics import METRICS, PROTOCOLS
from v2sbench.scoring.recognisers import recogniser, recognisers

PLACEHOLDER = re.compile(r"[A-Z][A-Z,]*(?:=[A-Z]+)?")
"""S, NAME, DIR: what running text leaves to the reader."""
RECIPE = {"films", "films-seen"}
"""The corpus that README's recipe adds, and its split."""
SHELL_WORDS = (".", "cd", "cp", "git", "pip", "apt-get")
"""Programs of blocks that are not this project's."""


@cache
def known() -> dict[tuple[str, str], set[str]]:
    """(verb, argument) -> the names that it may have."""
    cards, corpora, divisions = set(list_cards(ROOT / "models")), set(discover()), set(splits())
    metrics, protocols = set(METRICS), {*PROTOCOLS, "all"}
    made = {*cards, *REFERENCES}
    names = {("list", "kind"): set(LISTS), ("train", "variant"): cards, ("prepare", "roi"): {*PROVIDERS, "auto"},
             ("doctor", "roi"): {*PROVIDERS, "auto"}, ("speak", "roi"): {*PROVIDERS, "auto"},
              ("reported", "action"): {"add", "check"},
             ("reported", "metric"): {*metrics, "pesq"}, ("reported", "source"): set(read_sources()),
             ("reported", "protocol"): set(PROTOCOLS), ("score", "metrics"): metrics, ("table", "columns"): metrics,
             ("score", "protocol"): protocols, ("score", "made"): made, ("synth", "system"): made,
             ("sweep", "name"): {path.stem for path in (ROOT / "sweeps").glob("*.yaml")}}  # fmt: skip
    names |= {(verb, "corpus"): corpora for verb in ("fetch", "doctor", "prepare")}
    verbs = ("split", "train", "synth", "score", "gate", "accept", "reported")
    names |= {(verb, "split"): divisions for verb in verbs}
    return names | {(verb, "splits"): divisions for verb in ("table", "report")}


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


def unknown(verb: str, given: dict[str, Any]):
    """What is named and does not exist."""
    for attribute, value in given.items():
        names = known().get((verb, attribute))
        values = value if isinstance(value, tuple) else str(value).split(",") if value is not None else []
        for name in values:
            if (
                names
                and name not in names | RECIPE
                and not PLACEHOLDER.fullmatch(name)
                and not name.startswith("copy-")
            ):
                yield f"{attribute}: no {name}"
    if isinstance(asr := given.get("asr"), str) and asr != "none" and not PLACEHOLDER.fullmatch(asr):
        recogniser(asr.split(":")[0])


def of(program: str) -> list[Command]:
    """Commands of one program."""
    return [command for command in commands() if command.words[0] == program]


def ids(found: list[Command]) -> list[str]:
    return [str(command) for command in found]


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("command", of("v2sbench"), ids=ids(of("v2sbench")))
def test_what_is_told_to_run_parses_and_names_what_there_is(command):
    if len(command.words) == 2 and not command.fenced:  # in running text a verb may stand for itself
        assert command.words[1] in cli.VERBS
        return
    assert not fault(command.words[1:])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scor --split S", "no verb scor"),
        ("score --splt S", "No such option"),
        ("score --split grid5-seen --wavs a", "no grid5-seen"),
        ("train v2a-mel-s-speaker-frosty --split S", "no v2a-mel-s-speaker-frosty"),
        ("table S --columns stoi,stoj", "no stoj"),
        ("prepare grit", "no grit"),
        ("prepare grid --jobs many", "not a valid integer"),
        ("prepare grid --jobs N", ""),
        ("synth copy-hifigan --split grid4-seen", ""),
    ],
)
def test_the_check_itself_finds_what_is_wrong(line, said):
    found = fault(tuple(line.split()))
    assert said in found if said else not found


def test_every_verb_is_shown_in_the_readme_or_in_contributing():
    shown = {command.words[1] for command in of("v2sbench")}
    assert shown >= set(cli.VERBS)


def test_make_targets_exist():
    targets = set(re.search(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE)[1].split())
    for command in of("make"):
        for word in command.words[1:]:
            assert word in targets or re.fullmatch(r"[A-Z]+=.+", word), command
    swept = {word.split("=")[1] for command in of("make") for word in command.words if word.startswith("NAME=")}
    assert swept <= {"NAME", *(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))}


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
    lines = [(command.words[1:], command.fenced) for command in of("dvc")]
    assert lines
    done = subprocess.run([sys.executable, "-c", PARSE], input=json.dumps(lines), capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_pytest_has_the_options_and_files():
    told = subprocess.run([sys.executable, "-m", "pytest", "benchmarks", "--help", "-p", "no:cacheprovider"], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", told))
    for command in of("pytest"):
        for word in command.words[1:]:
            option = re.match(r"--?[a-z][a-z-]*", word)
            assert not option or option[0] in options, command
            assert "/" not in word or "=" in word or word.startswith(("build/", "results/speed/")) or exists(word), (
                command
            )


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
            if extra := re.fullmatch(r"v2sbench\[(\w+)\]", word):
                assert extra[1] in extras, command
            elif "==" in word:
                assert word in locked, command
            else:
                assert word in ("-e", ".", "--no-deps"), command


def test_blocks_have_no_other_programs():
    programs = {command.words[0] for command in commands() if command.fenced}
    assert programs <= {"bash", "dask", "dvc", "make", "pytest", "python", "v2sbench", *SHELL_WORDS}
    for command in of("bash"):
        assert (ROOT / command.words[1]).is_file(), command
    languages = {language for document in DOCUMENTS for language, _ in blocks(read(document))}
    assert languages <= {*SHELLS, *OTHERS}, "a fence without a language, or with a new one"


def test_models_that_are_named_exist():
    cards = {*list_cards(ROOT / "models"), *(Path(path).stem for path in WRITTEN)}
    for document in DOCUMENTS:
        for name in re.findall(
            r"(?<![\w<-])(?:a2a|v2a)-[a-z]+(?:-[a-z]+)*(?![\w<{*-])", "\n".join(spans(read(document)))
        ):
            assert name in cards, f"{document}: {name}"


# ---------------------------------------------------------------- what the README says of the code


def test_the_readme_has_every_split_and_its_sizes():
    rows = {name: row for row in re.findall(r"^\| (`.+)$", read("README.md"), re.MULTILINE)
            for name in re.findall(r"`([\w-]+)`", row.split("|")[0])}  # fmt: skip
    for name, item in splits().items():
        assert name in rows, f"{name} has no row"
        sizes = [item.expected.get(part, 0) for part in ("train", "val", "test")]
        if None not in sizes:
            assert " / ".join(str(size or "-") for size in sizes) in rows[name], name


def test_the_readme_has_every_variable_of_the_environment():
    used = {name for path in MODULES.values() for name in re.findall(r"V2S_[A-Z]+", path.read_text(encoding="utf-8"))}
    told = set(re.findall(r"^\| `(V2S_[A-Z]+)` \|", read("README.md"), re.MULTILINE))
    assert told == used


def test_the_readme_names_protocols_recognisers_and_providers():
    text = read("README.md")
    assert all(f"`{name}" in text for name in (*PROTOCOLS, *recognisers(), *PROVIDERS))


# ---------------------------------------------------------------- links, paths, pictures


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    for target in links(read(document)):
        path = root_relative(document, target)
        if not target.startswith("#"):
            assert path.exists(), target
        if "#" in target:
            text = read(document) if target.startswith("#") else path.read_text(encoding="utf-8")
            assert target.split("#")[1] in anchors(text), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document):
    assert [path for path in named_paths(read(document)) if not exists(path)] == []


def test_every_picture_is_shown():
    shown = {root_relative(document, target).resolve() for document in DOCUMENTS for target in links(read(document))}
    assert {path.resolve() for path in (ROOT / "docs" / "pictures").iterdir()} <= shown


def test_every_document_is_linked_from_the_readme():
    reached, todo = set(), ["README.md"]
    while todo:
        document = todo.pop()
        if document not in reached:
            reached.add(document)
            paths = (root_relative(document, target).resolve() for target in links(read(document)))
            todo += [
                str(path.relative_to(ROOT)) for path in paths if path.suffix == ".md" and path.is_relative_to(ROOT)
            ]
    assert set(DOCUMENTS) <= reached


# ---------------------------------------------------------------- of no machine


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_is_of_one_machine(document):
    text = read(document)
    hosts = set(re.findall(r"https?://([^/\s)\"'`]+)", text))
    assert hosts <= {"example.org"}
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|mnt|Users|usr|opt)/\w", text)
    assert not re.search(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)
    assert not re.search(r"\bTO" r"DO\b|\bFIX" r"ME\b|\bX" r"XX\b", prose(text))


# ---------------------------------------------------------------- the reader of documents


def test_lines_are_taken_apart_as_a_shell_does():
    line = "V2S_DATA=/c v2sbench prepare grid --roi 'a b' && make demo | head # why"
    assert list(pieces(line)) == [("v2sbench", "prepare", "grid", "--roi", "a b"), ("make", "demo"), ("head",)]
    assert list(pieces("dask scheduler & dvc repro")) == [("dask", "scheduler"), ("dvc", "repro")]
    assert list(pieces("# nothing")) == []


def test_commands_are_found_in_blocks_and_in_text():
    text = (
        "Say `make demo`, or `v2sbench\ngate S`.\n\n```console\n$ dvc repro\nit prints\n```\n\n    pytest benchmarks/\n"
    )
    assert spans(text) == ["make demo", "v2sbench gate S"]
    assert list(blocks(text)) == [("console", "$ dvc repro\nit prints\n"), ("sh", "pytest benchmarks/\n")]
