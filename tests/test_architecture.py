"""The plan of the code: which package may import which, and what every file owes its reader."""

from __future__ import annotations

import ast

import pytest

from docs.structure import ROOT, arrows, imported

USES = {
    "runtime": "",
    "audio": "runtime",
    "corpora": "audio runtime",
    "clips": "audio runtime",
    "talker": "audio corpora runtime",
    "scoring": "audio corpora runtime",
    "nets": "audio clips runtime",
    "prepare": "audio clips corpora runtime",
    "results": "runtime scoring",
    "train": "audio clips nets runtime",
    "synthesis": "audio clips nets prepare runtime",
    "report": "audio clips corpora nets results runtime scoring",
    "tools": "audio clips corpora nets prepare results runtime scoring",
    "cli": "audio clips corpora nets prepare report results runtime scoring synthesis tools train",
    "__main__": "cli",
    "__init__": "",
}
"""Package -> the packages that it may import."""
FILES = sorted(ROOT.rglob("*.py"))


def test_packages_import_only_what_the_plan_allows():
    assert {room: used - set(USES[room].split()) for room, used in arrows().items()} == {room: set() for room in USES}


def test_synthesis_asks_prepare_only_to_read_a_film():
    asks = [
        path.name for path in (ROOT / "synthesis").glob("*.py") if any("prepare" in name for name in imported(path))
    ]
    assert asks == ["speak.py"], "a stage of synthesis must not depend on the mouth finder"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is_and_is_short(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400
