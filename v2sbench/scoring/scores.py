"""Stored scores: one JSON line a clip, sorted, written whole; and the journal that a killed run is taken up from.

results/measured/<split>/<system>.jsonl        the lines
results/measured/<split>/<system>.meta.json    protocol, recogniser, versions, machine
results/measured/<split>/<system>.jsonl.part   the journal of a run that is not over
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from v2sbench.runtime import UseError, atomic
from v2sbench.scoring.metrics import METRICS, Metric

Line = dict[str, Any]
"""One clip. Keys: clip, status, a value a metric, errors (metric -> reason), key (see `Method.key`), and sum: a digest
of all the rest, so that a line that was edited is not taken for one that was computed."""
ROUNDING = 0.01
"""How far a stored value may lie out of its metric's range."""
LARGEST = 1e12
"""Nothing that is counted or measured is as large."""


def read_scores(path: Path) -> list[Line]:
    """Every line of a file of scores.

    UseError when it is missing, and for a line that is none, was edited, or has a value outside of its metric's range.
    A line without a sum is not held against one.
    """
    lines = list(iter_scores(path))
    for line in lines:
        if "sum" in line and line["sum"] != _sum(line):
            raise UseError(f"{path}: the line of clip {line['clip']} was edited; score again")
        for name in METRICS.keys() & line.keys():
            if line[name] is not None and (fault := _fault(METRICS[name], line[name])):
                raise UseError(f"{path}: {name} of clip {line['clip']} {fault}, not {line[name]!r}; score again")
    return lines


def _fault(item: Metric, value: object) -> str:
    """Why a stored value cannot be the metric's; empty where it can."""
    if not item.per:
        fits = _is_number(value) and item.low - ROUNDING <= value <= item.high + ROUNDING
        return "" if fits else f"must be a number from {item.low:g} to {item.high:g}"
    keys = ("sub", "del", "ins", item.per)
    counts: list[Any] = [value.get(key) for key in keys] if isinstance(value, dict) else [None]
    fits = all(_is_number(count) and count >= 0 for count in counts) and counts[-1] > 0
    return "" if fits else f"must be edit counts ({', '.join(sorted(keys))})"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and abs(value) < LARGEST


def _sum(line: Line) -> str:
    """Digest of a line, its own `sum` left out."""
    rest = {key: value for key, value in line.items() if key != "sum"}
    return hashlib.sha256(json.dumps(rest).encode()).hexdigest()[:16]


def iter_scores(path: Path) -> Iterator[Line]:
    """The lines of a file of scores of any length, one by one, their values unchecked."""
    try:
        with open(path, "rb") as handle:
            for number, text in enumerate(handle, start=1):
                line = _parsed(text)
                if line is None:
                    start = text[:60].decode(errors="replace").rstrip()
                    raise UseError(f"{path} line {number}: not a line of scores: {start!r}; score again")
                yield line
    except FileNotFoundError:
        raise UseError(f"no scores {path}; run: v2sbench score") from None
    except OSError as error:
        raise UseError(f"cannot read {path}: {error.strerror}") from None


def meta_path(scores: Path) -> Path:
    """The .meta.json beside a file of scores."""
    return scores.with_name(f"{scores.name.removesuffix('.jsonl')}.meta.json")


def read_meta(scores: Path) -> dict[str, Any]:
    """What stands beside `scores`; empty where there is nothing that can be read."""
    try:
        return dict(json.loads(meta_path(scores).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return {}


def write_meta(scores: Path, meta: Mapping[str, Any]) -> None:
    """Write what is true of every line of `scores`."""
    with atomic(meta_path(scores), sync=True) as draft:
        draft.write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(line, dict) and all(isinstance(line.get(key), str) for key in ("clip", "status"))
    return line if fits and isinstance(line.get("errors", {}), dict) else None


class Journal:
    """The lines of one run, on disk as soon as they are made: new ones, and those of earlier runs that still hold.

    A clip is pending when its audio is measured and its transcript is not there yet. Only the place of each line is
    held in memory. One run at a time has the .part of a file of scores.
    """

    def __init__(self, out: Path, key_of: Callable[[str], str | None], known: Iterable[Path] = ()) -> None:
        """Take up what the .part of `out`, `out` itself and the files of scores `known` hold.

        key_of: clip -> the key that its line must have, None for a clip that is not asked for. UseError when another
        run has the .part.
        """
        self._out, self._path = out, out.with_name(f"{out.name}.part")
        self._done: dict[str, int] = {}
        self._pending: dict[str, int] = {}
        out.parent.mkdir(parents=True, exist_ok=True)
        self._file = _locked(self._path)

        def holds(line: Line | None) -> bool:
            """Whether it was computed, and would come out the same."""
            return line is not None and line.get("sum") == _sum(line) and line.get("key", "") == key_of(line["clip"])

        start = 0
        for text in self._file:
            line = _parsed(text)
            if line is not None and holds(line):
                self._take(line, start)
            start += len(text)
        if start and not text.endswith(b"\n"):  # torn where a run was killed
            self._file.write(b"\n")
        for path in dict.fromkeys((out, *known)):
            if path.is_file():
                with open(path, "rb") as handle:
                    for line in map(_parsed, handle):
                        if line is not None and holds(line) and line["clip"] not in self._done:
                            self.add(line)

    def __len__(self) -> int:
        """Clips whose line is done."""
        return len(self._done)

    @property
    def pending(self) -> list[str]:
        """Clips that wait for their transcript, sorted."""
        return sorted(self._pending)

    def knows(self, clip: str) -> bool:
        """Whether the clip was measured."""
        return clip in self._done or clip in self._pending

    def line(self, clip: str) -> Line:
        """The line of a clip that it knows."""
        found: Line = json.loads(self._text(clip))
        return found

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        """Let other runs have the .part; it stays."""
        self._file.close()

    def add(self, line: Line) -> None:
        """Keep a line in the .part, with its sum. One with `"pending": true` waits for its transcript."""
        line = {**line, "sum": _sum(line)}
        start = self._file.seek(0, os.SEEK_END)
        self._file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
        self._file.flush()
        self._take(line, start)

    def finish(self, clips: Iterable[str]) -> None:
        """Write the lines of `clips` to the file of scores in that order and remove the .part."""
        with atomic(self._out, sync=True) as draft, open(draft, "wb") as handle:
            handle.writelines(map(self._text, clips))
        self._path.unlink()

    def _text(self, clip: str) -> bytes:
        self._file.seek(self._done[clip] if clip in self._done else self._pending[clip])
        return self._file.readline()

    def _take(self, line: Line, start: int) -> None:
        clip = line["clip"]
        if line.get("pending"):
            self._pending[clip] = start
        else:
            self._done[clip] = start
            self._pending.pop(clip, None)


def _locked(path: Path) -> BinaryIO:
    """A file to read and append to for this process alone; UseError while another has it."""
    while True:
        file = open(path, "a+b")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise UseError(f"another run is writing {path}; wait until it is done, or give another --out") from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.seek(0)
                return file
        file.close()  # the other run has just ended and removed it
