"""The order of the modules, their size, and what they offer."""

from __future__ import annotations

import ast
import importlib

import pytest

from tests.imports import EVERY_CORPUS, MODULES, imports_of

ORDER = (
    "runtime", "pool", "pcm", "card", "mpeg1", "tracks", "media", "corpora", "fetch", "roi", "lines", "shards",
    "shardwriter", "drafts", "splits", "heard", "clips", "mixing", "contact", "doctor", "dsp", "pictures",
    "identity", "nets", "vocoders", "adversary", "spectral", "batches", "objectives", "train", "synthesis", "asr",
    "mos", "stoi", "cepstra", "metrics", "folders", "ledger", "transcripts", "scoring", "stats", "results",
    "reported", "rows", "paired", "claims", "sheet", "wording", "tables", "spread", "sweeps", "report", "baseline",
    "gate", "cli", "__main__",
)  # fmt: skip
"""A module or package imports only from what stands to its left, and from its own package."""
LONGEST = 400
"""Lines of a file."""


def place(module: str) -> int:
    """Index in ORDER of the top-level module or package."""
    parts = module.split(".")
    return ORDER.index(parts[1]) if len(parts) > 1 else -1


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_the_left(module):
    if module == "v2sbench":
        assert not imports_of(module, typing=True)
        return
    assert module.split(".")[1] in ORDER, "a new module: give it a place in ORDER"
    own = module.split(".")[1]
    for other in imports_of(module, typing=True):
        if other not in ("v2sbench", EVERY_CORPUS):
            assert place(other) < place(module) or other.split(".")[1] == own, f"{module} imports {other}"


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_long(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("module", [name for name in MODULES if name != "v2sbench.__main__"])
def test_all_is_sorted_and_there(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    named = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    if not named:
        return
    (names,) = named
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    loaded = importlib.import_module(module)
    assert all(hasattr(loaded, name) for name in names)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
