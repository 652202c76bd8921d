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

Line = dict[str, Any]
"""One clip. Keys: clip, status, a value a metric, errors (metric -> reason), and key (see `scoring.Plan.key`)."""
_Place = tuple[Path, int]
"""File, and the byte at which the line starts."""


def read_scores(path: Path) -> list[Line]:
    """Every line of a file of scores; UseError when it is missing, or names the line that is none."""
    return list(iter_scores(path))


def iter_scores(path: Path) -> Iterator[Line]:
    """`read_scores` line by line, for files of any length."""
    try:
        with open(path, encoding="utf-8") as handle:
            for number, text in enumerate(handle, start=1):
                line = _parsed(text)
                if line is None:
                    raise UseError(f"{path} line {number}: not a line of scores: {text.rstrip()[:60]!r}; score again")
                yield line
    except FileNotFoundError:
        raise UseError(f"no scores {path}; run: v2sbench score") from None


def meta_path(scores: Path) -> Path:
    """The .meta.json beside a file of scores."""
    return scores.with_name(f"{scores.name.removesuffix('.jsonl')}.meta.json")


def write_meta(scores: Path, meta: Mapping[str, Any]) -> None:
    """Write what is true of every line of `scores`."""
    with atomic(meta_path(scores)) as draft:
        draft.write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _parsed(text: str | bytes) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("clip"), str) and "status" in line else None


class Journal:
    """The lines of one run: those of earlier runs that still hold, and new ones, on disk as soon as they are made.

    A clip is `pending` when its audio is measured and its transcript is not there yet. In memory is only where each
    line stands.
    """

    def __init__(self, out: Path, key_of: Callable[[str], str | None], known: Iterable[Path] = ()) -> None:
        """Take up what `out`, its .part and the files of scores `known` hold.

        key_of: clip -> the key that its line must have, None for a clip that is not asked for.
        """
        self._out, self._path = out, out.with_name(f"{out.name}.part")
        self._done: dict[str, _Place] = {}
        self.pending: dict[str, _Place] = {}
        """Clips that wait for their transcript."""
        self._handle: IO[bytes] | None = None
        for path in dict.fromkeys((*known, out, self._path)):
            for start, line in _readable(path):
                if "key" in line and line["key"] == key_of(line["clip"]):
                    self._take(line, (path, start))

    def __len__(self) -> int:
        """Clips whose line is done."""
        return len(self._done)

    def knows(self, clip: str) -> bool:
        """Whether the clip was measured."""
        return clip in self._done or clip in self.pending

    def line(self, clip: str) -> Line:
        """The line of a clip that it knows."""
        path, start = self._done.get(clip) or self.pending[clip]
        with open(path, "rb") as handle:
            handle.seek(start)
            found: Line = json.loads(handle.readline())
        return found

    def __enter__(self) -> Journal:
        """Start the .part again, with what holds and without a line that was torn."""
        self._out.parent.mkdir(parents=True, exist_ok=True)
        places: dict[str, _Place] = {}
        with atomic(self._path) as draft, open(draft, "wb") as handle:
            for clip in (*self.pending, *self._done):
                places[clip] = self._path, handle.tell()
                handle.write(_text(self.line(clip)))
        self.pending = {clip: places[clip] for clip in self.pending}
        self._done = {clip: places[clip] for clip in self._done}
        self._handle = open(self._path, "ab")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the .part; it stays."""
        if self._handle:
            self._handle.close()

    def add(self, line: Line) -> None:
        """Keep a line in the .part. One with `"pending": true` waits for its transcript."""
        if self._handle is None:
            raise ValueError("the journal is not open")
        start = self._handle.tell()
        self._handle.write(_text(line))
        self._handle.flush()
        self._take(line, (self._path, start))

    def finish(self, clips: Iterable[str]) -> None:
        """Write the lines of `clips` to the file of scores in that order and remove the .part."""
        with atomic(self._out) as draft, open(draft, "wb") as handle, open(self._path, "rb") as lines:
            for clip in clips:
                lines.seek(self._done[clip][1])
                handle.write(lines.readline())
        self._path.unlink()

    def _take(self, line: Line, place: _Place) -> None:
        clip = line["clip"]
        if line.get("pending"):
            self.pending[clip] = place
        else:
            self._done[clip] = place
            self.pending.pop(clip, None)


def _readable(path: Path) -> Iterator[tuple[int, Line]]:
    """Where each whole line of a file starts, and the line; the file may be missing, or torn where a run was killed."""
    if path.is_file():
        with open(path, "rb") as handle:
            start = 0
            for text in handle:
                line = _parsed(text)
                if line is not None:
                    yield start, line
                start += len(text)


def _text(line: Line) -> bytes:
    return (json.dumps(line, ensure_ascii=False) + "\n").encode()
