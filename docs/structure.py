"""Prints the plan of the code: which package of v2sbench imports which, the floors, and every circle.

    python docs/structure.py

An arrow is drawn from a package (or file) directly below v2sbench/ to another that it imports, also inside functions;
imports for types alone count too. A floor is the longest way down from a package to one that imports none.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1] / "v2sbench"


def room_of(path: Path) -> str:
    """The package, or file, directly below v2sbench/ that holds a file."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module of v2sbench that a file imports, as dotted names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("v2sbench.")}


def arrows() -> dict[str, set[str]]:
    """Room -> the rooms that it imports."""
    rooms: dict[str, set[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        room = room_of(path)
        used = {name.split(".")[1] for name in imported(path)} - {room, "__version__"}
        rooms.setdefault(room, set()).update(used)
    return rooms


def main() -> None:
    """Print floors from the top down, then the counts."""
    rooms = arrows()
    try:
        order = list(TopologicalSorter(rooms).static_order())
    except CycleError as error:
        raise SystemExit(f"a circle: {' -> '.join(error.args[1])}") from error
    floor: dict[str, int] = {}
    for room in order:
        floor[room] = 1 + max((floor[below] for below in rooms[room]), default=-1)
    for level in range(max(floor.values()), -1, -1):
        for room in sorted(name for name in floor if floor[name] == level):
            print(f"{level}  {room:<10} -> {', '.join(sorted(rooms[room])) or '-'}")
    print(f"{len(rooms)} rooms, {sum(map(len, rooms.values()))} arrows, {max(floor.values()) + 1} floors, no circle")


if __name__ == "__main__":
    main()
