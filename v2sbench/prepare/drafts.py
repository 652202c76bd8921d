"""A folder that takes hours to make: its draft outlives a kill, its receipt says that it need not be made again.

    .NAME.partial/   beside the folder NAME: the draft, the journal of what is in it, and a lock, while it is made
    .NAME.done       beside it: what it was made from, and what it holds

Neither lies inside the folder, whose bytes depend on its contents alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2sbench.runtime import UseError, atomic, sha256_file


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Where a folder is made before it is moved to its place."""

    out: Path
    """Where it will lie."""
    holder: Path
    """``.NAME.partial``."""

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.holder / self.out.name

    @property
    def journal(self) -> Path:
        """What is in it."""
        return self.holder / "journal.tsv"

    def done(self) -> int:
        """Whole lines of the journal."""
        with self.journal.open("rb") as file:
            return sum(line.endswith(b"\n") for line in file)

    def publish(self, made_from: str) -> None:
        """Move the folder to its place, with a receipt; what lay there is replaced. It is whole or as it was, always.

        made_from: names all inputs, for `is_made`.
        """
        with atomic(receipt_of(self.out)) as receipt:
            receipt.write_text(json.dumps({"made_from": made_from, **_holds(self.folder)}) + "\n", encoding="utf-8")
        if self.out.is_dir():
            shutil.rmtree(self.holder / "replaced", ignore_errors=True)  # of a run killed at this very place
            os.replace(self.out, self.holder / "replaced")
        os.replace(self.folder, self.out)
        self.discard()

    def discard(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.holder, ignore_errors=True)


@contextlib.contextmanager
def draft_of(out: Path, *, fresh: bool = False) -> Iterator[Draft]:
    """The draft of the folder `out`, as an earlier run left it, else empty; it stays until published or discarded.

    fresh: begin anew. UseError while another process works on it.
    """
    draft = Draft(out=out, holder=out.parent / f".{out.name}.partial")
    draft.holder.mkdir(parents=True, exist_ok=True)
    with (draft.holder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UseError(f"another `v2sbench prepare` is at work on {out}; wait for it, or end it") from error
        if fresh:
            shutil.rmtree(draft.folder, ignore_errors=True)
            draft.journal.unlink(missing_ok=True)
        draft.folder.mkdir(exist_ok=True)
        yield draft


def receipt_of(out: Path) -> Path:
    """The receipt's file."""
    return out.parent / f".{out.name}.done"


def is_made(out: Path, made_from: str) -> bool:
    """Whether `out` was published from these inputs and holds what it held then, by its index and all files' sizes."""
    try:
        receipt = json.loads(receipt_of(out).read_text(encoding="utf-8"))
        return bool(receipt == {"made_from": made_from, **_holds(out)})
    except (OSError, ValueError):
        return False


def _holds(folder: Path) -> dict[str, object]:
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return {"sizes": sizes, "index": sha256_file(folder / "index.tsv")}
