"""What a file's bytes are held against: a digest that is written down, or the publisher's own list of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from v2sbench.runtime import UseError

_LINE = re.compile(r"\\?([0-9a-f]{32}|[0-9a-f]{64})\s+\*?(.+)", re.IGNORECASE)
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publisher says of one file."""

    size: int | None = None
    """Bytes; None where it does not say."""
    digest: str = ""
    """``md5:`` or ``sha256:`` and the hex digits; "" where it does not say."""


def read_index(text: str, url: str) -> dict[str, Published]:
    """File name -> what is published of it, from a record of Zenodo's interface or from lines as of ``md5sum``.

    url: for the message of the UseError when the text is neither.
    """
    found: dict[str, Published] = {}
    try:
        for entry in json.loads(text)["files"]:
            digest = str(entry["checksum"])
            found[str(entry["key"])] = Published(
                size=int(entry["size"]), digest=digest.lower() if ":" in digest else f"md5:{digest.lower()}"
            )
    except (ValueError, TypeError, KeyError):
        found = {}
        for line in text.splitlines():
            if match := _LINE.fullmatch(line.strip()):
                kind = "md5" if len(match[1]) == 32 else "sha256"
                found[match[2].rsplit("/", 1)[-1]] = Published(digest=f"{kind}:{match[1].lower()}")
    known = {name: item for name, item in found.items() if item.digest.split(":")[0] in ("md5", "sha256")}
    if not known:
        raise UseError(f"{url} is no list of digests that could be read; is it another page by now?")
    return known


def differs(path: Path, digest: str, pause: Callable[[], None] = lambda: None) -> str:
    """Empty when the file has that digest, else what it has instead. pause: called between reads."""
    kind, _, digits = digest.partition(":")
    state = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            state.update(chunk)
            pause()
    return "" if state.hexdigest() == digits else f"{kind} {state.hexdigest()}, published is {digits}"
