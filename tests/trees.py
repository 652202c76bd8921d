"""Files for made-up corpora, where only names and a few bytes matter."""

from __future__ import annotations

from pathlib import Path


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
