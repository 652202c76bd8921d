"""Who speaks in the embedded corpora.

The voices of `CAST` were chosen for being understood: over 50 sentences each, a recogniser with GRID's grammar makes 3
to 12 % errors on every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from v2sbench.talker.voice import Voice


@dataclass(frozen=True, kw_only=True)
class Member:
    """One speaker with a face."""

    voice: Voice
    """American English."""
    feminine: bool
    """Whether the face is a woman's."""


def _member(variant: str, rate: int, pitch: int) -> Member:
    return Member(voice=Voice(name=f"en-us+{variant}", rate=rate, pitch=pitch), feminine=variant.startswith("f"))


CAST: Mapping[int, Member] = {
    1: _member("f2", 150, 50),
    2: _member("m3", 152, 50),
    3: _member("klatt4", 146, 50),
    4: _member("f3", 148, 55),
    5: _member("m1", 150, 42),
    6: _member("klatt2", 150, 60),
    7: _member("f4", 142, 50),
    8: _member("Alex", 150, 50),
    9: _member("m7", 148, 45),
    11: _member("klatt", 148, 52),
    12: _member("f1", 144, 55),
    13: _member("m6", 150, 46),
    14: _member("klatt6", 146, 50),
    15: _member("Mike", 148, 50),
    16: _member("Reed", 146, 50),
    17: _member("edward2", 150, 50),
    18: _member("max", 150, 55),
    19: _member("victor", 150, 45),
}
"""Speakers of `demo` by number: 7 is s7."""
SEEN, HELD_OUT, UNSEEN = tuple(range(1, 10)), 11, tuple(range(12, 20))
"""Numbers of those who are heard in training, of the one who validates and of those who test the unseen split."""

_ACCENTS = ("en-us", "en", "en-gb-scotland", "en-us", "en-gb-x-rp", "en-us", "en-029", "en-gb-x-gbclan")
_VARIANTS = (
    *("f5", "m2", "linda", "klatt3", "steph", "m8", "Gene", "belinda", "m4", "Annie"),
    *("paul", "m5", "Andy", "ed", "robert", "anika", "rob", "john", "david", "sandro"),
)
READERS: tuple[Voice, ...] = tuple(
    Voice(
        name=f"{_ACCENTS[k % len(_ACCENTS)]}+{_VARIANTS[k % len(_VARIANTS)]}",
        rate=142 + 7 * (k % 5),
        pitch=38 + 6 * (k % 6),
        range=40 + 10 * (k % 3),
    )
    for k in range(2 * len(_VARIANTS))
)
"""Speakers of `demo-audio`: none of the voices of CAST, six accents, the second twenty in another accent and pitch."""
