"""Stored scores: one JSON line a clip, sorted, written whole; and the journal that a killed run is taken up from.

results/measured/<split>/<system>.jsonl        the lines
results/measured/<split>/<system>.meta.json    protocol, recogniser, versions, machine
results/measured/<split>/<system>.jsonl.part   the journal of a run that is not over
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from v2sbench.runtime import UseError, atomic

__all__ = ["Journal", "Line", "meta_path", "read_scores", "write_meta"]

Line = dict[str, Any]
"""One clip. Keys: clip, status, a value a metric, errors (metric -> reason), and key (see `scoring.Plan.key`)."""


def read_scores(path: Path) -> list[Line]:
    """Every line of a file of scores; UseError when it is missing, or names the line that is none."""
    try:
        content = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UseError(f"no scores {path}; run: v2sbench score") from None
    lines = []
    for number, text in enumerate(content.splitlines(), start=1):
        line = _parsed(text)
        if line is None:
            raise UseError(f"{path} line {number}: not a line of scores: {text[:60]!r}; score again")
        lines.append(line)
    return lines


def meta_path(scores: Path) -> Path:
    """The .meta.json beside a file of scores."""
    return scores.with_name(f"{scores.name.removesuffix('.jsonl')}.meta.json")


def write_meta(scores: Path, meta: Mapping[str, Any]) -> None:
    """Write what is true of every line of `scores`."""
    with atomic(meta_path(scores)) as draft:
        draft.write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _parsed(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("clip"), str) and "status" in line else None


class Journal:
    """The lines of one run: those of earlier runs that still hold, and new ones, on disk as soon as they are made.

    A clip is `pending` when its audio is measured and its transcript is not there yet.
    """

    def __init__(self, out: Path, key_of: Callable[[str], str | None]) -> None:
        """Take up what `out` and its .part hold. key_of: clip -> the key that its line must have, None for no such."""
        self._out, self._path = out, out.with_name(f"{out.name}.part")
        self.lines: dict[str, Line] = {}
        self.pending: dict[str, Line] = {}
        self._handle: IO[str] | None = None
        for line in (*_readable(out), *_readable(self._path)):
            if "key" in line and line["key"] == key_of(line["clip"]):
                self._take(line)

    def __enter__(self) -> Journal:
        """Start the .part again, with what holds and without a line that was torn."""
        self._out.parent.mkdir(parents=True, exist_ok=True)
        with atomic(self._path) as draft:
            draft.write_text("".join(map(_text, (*self.pending.values(), *self.lines.values()))), encoding="utf-8")
        self._handle = open(self._path, "a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the .part; it stays."""
        if self._handle:
            self._handle.close()

    def add(self, line: Line) -> None:
        """Keep a line, in memory and in the .part. One with `"pending": true` waits for its transcript."""
        self._take(line)
        if self._handle is None:
            raise ValueError("the journal is not open")
        self._handle.write(_text(line))
        self._handle.flush()

    def finish(self, clips: Iterable[str]) -> list[Line]:
        """Write the lines of `clips` to the file of scores in that order and remove the .part."""
        lines = [self.lines[clip] for clip in clips]
        with atomic(self._out) as draft:
            draft.write_text("".join(map(_text, lines)), encoding="utf-8")
        self._path.unlink()
        return lines

    def _take(self, line: Line) -> None:
        clip = line["clip"]
        if line.get("pending"):
            self.pending[clip] = line
        else:
            self.lines[clip] = line
            self.pending.pop(clip, None)


def _readable(path: Path) -> Iterator[Line]:
    """The whole lines of a file that may be missing, or torn where a run was killed."""
    if path.is_file():
        with open(path, encoding="utf-8", errors="replace") as handle:
            yield from filter(None, map(_parsed, handle))


def _text(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
