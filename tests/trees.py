"""Where the project is, and files for made-up corpora, where only names and a few bytes matter."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the project."""


def put(root: Path, name: str, data: bytes | str = b"x") -> Path:
    """Write a file under `root`, its folders too; returns its path."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def touch(root: Path, *names: str, data: bytes | str = b"x") -> None:
    """Write several files with the same content."""
    for name in names:
        put(root, name, data)


def read_align(path: Path) -> list[tuple[str, float, float]]:
    """Words of GRID's word times with start and end in seconds, silences left out."""
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    return [(word, int(start) / 25_000, int(end) / 25_000) for start, end, word in rows if word not in ("sil", "sp")]
