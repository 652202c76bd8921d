"""Errors with an exit code, and the nearest name to a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UseError(Exception):
    """Wrong use or missing input. The message says what was wrong, the value, what is allowed, and the next command."""


class CheckError(Exception):
    """A check ran and failed (a regression, a claim without data)."""


def suggest(name: str, options: Iterable[str]) -> str:
    """`", did you mean 'x'?"` for the nearest of `options`, or an empty string."""
    near = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


def choose(kind: str, name: str, options: Mapping[str, T]) -> T:
    """`options[name]`; UseError with the nearest name where there is none.

    kind: what is chosen, as the user knows it ("split", "model", "card key"); it stands in the message.
    """
    if name in options:
        return options[name]
    known = ", ".join(sorted(options))
    raise UseError(f"unknown {kind} {name!r}{suggest(name, options)} (known: {known})")
