"""The interface of a recogniser, and what the recognisers share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from v2sbench.runtime import UseError

RATE = 16_000
"""Hz of every wave given to a recogniser."""
SHORTEST = 0.1
"""Seconds; no word fits into fewer."""
Wave = NDArray[np.float32]


class Recogniser(Protocol):
    """Turns waves into texts. The same wave gives the same text, whatever was heard before it and beside it."""

    id: str
    """Name, version, weights, and a hash of the options."""
    grammar: Literal["grid", "words"] | None
    """The closed grammar that it is held to: GRID's sentences, or one word of a list; None for open text."""
    batch: int
    """Waves that it takes at a time; with 1 it is cheap and single-threaded, and runs in the worker processes."""

    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """Texts of (T,) float32 waves at RATE in [-1, 1], as the recogniser writes them."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One line of RECOGNISERS; a package of its own offers one under the entry point group `v2sbench.recognisers`."""

    name: str
    description: str
    """One line for people."""
    make: Callable[[str], Recogniser]
    """Makes the recogniser from the option, the text behind `name:`; UseError when something is missing."""


def version_of(package: str, extra: str) -> str:
    """Version of an installed package; UseError with the command that installs it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise UseError(
            f"this recogniser needs the package {package}, which is not installed; run: pip install 'v2sbench[{extra}]'"
        ) from None


def digest_of(options: object) -> str:
    """Eight digits that stand for a recogniser's options in its id."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]
