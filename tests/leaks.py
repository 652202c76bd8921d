"""Whether a model of one division may be scored on another."""

from __future__ import annotations

from collections.abc import Mapping


def leaked(trained: Mapping[str, str], scored: Mapping[str, str]) -> tuple[str, ...]:
    """Test clips of the assignment `scored` on which a model of the assignment `trained` was trained, sorted."""
    return tuple(sorted(name for name, part in scored.items() if part == "test" and trained.get(name) == "train"))
