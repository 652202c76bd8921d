"""What a module of the package imports, read from its source: for the tests of the module order and of the pipeline."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "v2sbench"


def module_files() -> dict[str, Path]:
    """Dotted name of every module of the package -> its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = module_files()
DISCOVERY = {"CORPORA", "corpus", "discover", "split", "splits"}
"""Names of `v2sbench.corpora` behind which all modules of that package run: it finds them by itself."""
EVERY_CORPUS = "v2sbench.corpora.*"
"""Stands for all of them."""


def imported(node: ast.AST, *, typing: bool) -> Iterator[str]:
    """Modules of the package that are imported anywhere below `node`.

    typing: whether imports under `if TYPE_CHECKING:` count; they bring nothing in when the program runs.
    """
    if isinstance(node, ast.If) and not typing and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.orelse:
            yield from imported(child, typing=typing)
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in MODULES)
    elif isinstance(node, ast.ImportFrom) and node.module in MODULES and not node.level:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in MODULES else node.module
            if inner == "v2sbench.corpora" or (node.module == "v2sbench.corpora" and alias.name in DISCOVERY):
                yield EVERY_CORPUS
    for child in ast.iter_child_nodes(node):
        yield from imported(child, typing=typing)


@functools.cache
def imports_of(module: str, *, typing: bool) -> frozenset[str]:
    """Modules of the package that `module` imports, itself not among them."""
    found = set(imported(ast.parse(MODULES[module].read_text(encoding="utf-8")), typing=typing))
    return frozenset(found - {module})


def closure(modules: Iterable[str]) -> set[str]:
    """`modules` and all that they bring in when they run.

    A module of a package brings the package's `__init__` along; that alone runs none of its other modules.
    """
    found: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module in found:
            continue
        if module == EVERY_CORPUS:
            todo.extend(name for name in MODULES if name.startswith("v2sbench.corpora."))
            continue
        found.add(module)
        todo.extend(imports_of(module, typing=False))
        if module.count(".") > 1:
            todo.append(module.rpartition(".")[0])
    return found
