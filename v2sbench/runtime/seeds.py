"""Seeds and digests folded from names: the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def fold(seed: int, *parts: object) -> int:
    """A 63-bit seed from a seed and names: the same on every machine, independent for different names."""
    text = "\x1f".join([str(seed), *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng(seed: int, *parts: object) -> np.random.Generator:
    """A numpy generator seeded by `fold(seed, *parts)`."""
    import numpy as np  # here, so that `v2sbench --help` is quick

    return np.random.default_rng(fold(seed, *parts))


def unit(seed: int, *parts: object) -> float:
    """A stateless uniform draw in [0, 1) from the hash of the parts (53 bits)."""
    return (fold(seed, *parts) >> 10) / float(1 << 53)


def short_digest(lines: Iterable[str]) -> str:
    """First 16 hex digits of the SHA-256 of the sorted lines, each followed by a newline: the name of a list."""
    text = "".join(f"{line}\n" for line in sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
