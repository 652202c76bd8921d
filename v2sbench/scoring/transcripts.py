"""Transcripts that were made once: (audio, recogniser) -> text, in one file for all systems, protocols and splits.

A recogniser is the slowest part of a scoring, and what it hears depends on nothing but the samples and itself: its id
holds version, weights and options. So a file of transcripts may be shared, copied or deleted at any time. It is SQLite
and no further JSONL, since workers look single texts up while several runs add to it. A text that was edited there is
heard again: a digest stands beside each.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from v2sbench.runtime import UseError

_WAIT = 60.0
"""Seconds that one run waits while another writes."""
_TABLE = """CREATE TABLE IF NOT EXISTS heard (
    audio TEXT NOT NULL, recogniser TEXT NOT NULL, text TEXT NOT NULL, sum TEXT NOT NULL,
    PRIMARY KEY (audio, recogniser)
) WITHOUT ROWID"""


class Transcripts:
    """A file of transcripts; without a path they last as long as this object."""

    def __init__(self, path: Path | None, recogniser: str, *, readonly: bool = False) -> None:
        """recogniser: its id, and what is done to a wave before it hears it. readonly: make no file."""
        self._path, self._recogniser = path, recogniser
        with self._trouble():
            if readonly and (path is None or not path.is_file()):
                self._base = sqlite3.connect(":memory:")
            elif readonly:
                self._base = sqlite3.connect(f"{Path(path or '').resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT)
                return
            else:
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                self._base = sqlite3.connect(path or ":memory:", timeout=_WAIT)
            with self._base:
                self._base.execute(_TABLE)

    def get(self, audio: str) -> str | None:
        """What was heard in the audio of that digest; None when nobody has listened, or the text was edited."""
        with self._trouble():
            rows = self._base.execute(
                "SELECT text, sum FROM heard WHERE audio = ? AND recogniser = ?", (audio, self._recogniser)
            )
            found: tuple[str, str] | None = rows.fetchone()
        return found[0] if found and found[1] == self._sum(audio, found[0]) else None

    def put(self, heard: Mapping[str, str]) -> None:
        """Keep what was heard, by the digests of the audio."""
        if heard:
            with self._trouble(), self._base:
                self._base.executemany(
                    "INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?)",
                    [(audio, self._recogniser, text, self._sum(audio, text)) for audio, text in heard.items()],
                )

    def _sum(self, audio: str, text: str) -> str:
        return hashlib.sha256(f"{audio}\n{self._recogniser}\n{text}".encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise UseError(
                f"{self._path}: {error}; it only saves listening twice: delete it, or set V2S_CACHE to another folder"
            ) from None
