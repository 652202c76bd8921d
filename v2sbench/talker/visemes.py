"""What a mouth does while it speaks: phonemes with times -> smooth tracks of the mouth's shape, 25 a second.

Sixteen visemes besides rest. Phonemes that look alike in life share one: /p b m/, /f v/, /t d n/, /s z/, /k g h N/ ...
Neighbours blend by dominance: each segment pulls every channel towards its own target, with a weight that falls off
around the segment. Where a channel does not matter to a sound its weight is small, so the neighbours' shape shows
through: the lips of /k/ are those of the vowel next to it, rounding begins before the rounded vowel, closures are held.
After M. Cohen and D. Massaro, Modeling coarticulation in synthetic visual speech (1993), with our own values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import FPS
from v2sbench.talker.voice import Phone

CHANNELS = ("jaw", "open", "wide", "round", "press", "bite", "tip", "front")
"""The mouth's degrees of freedom, in the order of the last axis of a track:

jaw, open   how far the jaw is down and the lips are apart, 0 to 1
wide        corners drawn out (1) or in (-1)
round       lips rounded and protruded, 0 to 1
press       lips pressed together, 0 to 1: closes whatever `open` says
bite        upper teeth on the lower lip, 0 to 1
tip, front  tongue's tip raised to the teeth ridge, and put between the teeth, 0 to 1
"""
REACH = np.array([0.055, 0.045, 0.060, 0.085, 0.026, 0.030, 0.045, 0.035])
"""Seconds over which a segment's pull on each channel falls to 1/e beyond its core."""
CLOSURE = 0.045
"""Seconds before its burst at which a plosive's closure begins (or half of the sound before it, when that is less)."""
SHUTTER = 0.016
"""Seconds that the camera's shutter is open, in the middle of each frame."""


@dataclass(frozen=True, kw_only=True)
class Viseme:
    """A mouth shape: (target, weight) of each of CHANNELS."""

    jaw: tuple[float, float] = (0.1, 1)
    open: tuple[float, float] = (0.2, 1)
    wide: tuple[float, float] = (0, 0.6)
    round: tuple[float, float] = (0, 0.6)
    press: tuple[float, float] = (0, 1)
    bite: tuple[float, float] = (0, 1)
    tip: tuple[float, float] = (0, 1)
    front: tuple[float, float] = (0, 1)

    def table(self) -> NDArray[np.float64]:
        """(8, 2): target and weight of each of CHANNELS."""
        return np.array([getattr(self, name) for name in CHANNELS])


REST = Viseme(jaw=(0.0, 0.8), open=(0, 0.8), wide=(0, 0.3), round=(0, 0.3), press=(0.2, 0.5))
VISEMES: Mapping[str, Viseme] = {
    "p": Viseme(jaw=(0.06, 0.6), open=(0, 4), wide=(0, 0.3), round=(0, 0.15), press=(1, 9)),
    "f": Viseme(jaw=(0.10, 1.2), open=(0.12, 2), wide=(0.1, 0.4), round=(0, 0.3), bite=(1, 7)),
    "th": Viseme(jaw=(0.17, 1.2), open=(0.33, 1.6), wide=(0.1, 0.4), round=(0, 0.3), tip=(0.7, 3), front=(1, 5)),
    "t": Viseme(jaw=(0.13, 1.2), open=(0.28, 0.8), wide=(0.2, 0.3), round=(0, 0.2), tip=(1, 4)),
    "l": Viseme(jaw=(0.30, 1.2), open=(0.44, 1.2), wide=(0.1, 0.3), round=(0, 0.3), tip=(1, 4), front=(0.3, 3)),
    "s": Viseme(jaw=(0.0, 3), open=(0.33, 1.5), wide=(0.5, 0.7), round=(0, 0.3)),
    "sh": Viseme(jaw=(0.03, 3), open=(0.46, 1.5), wide=(-0.3, 0.8), round=(0.6, 2)),
    "r": Viseme(jaw=(0.14, 1), open=(0.25, 1), wide=(-0.2, 0.6), round=(0.55, 1.4)),
    "w": Viseme(jaw=(0.12, 1.2), open=(0.12, 2.2), wide=(-0.4, 1), round=(1, 3)),
    "k": Viseme(jaw=(0.22, 0.4), open=(0.30, 0.35), wide=(0, 0.1), round=(0, 0.1)),
    "ee": Viseme(jaw=(0.12, 1), open=(0.35, 1.2), wide=(1, 1.6), round=(0, 1.2)),
    "ih": Viseme(jaw=(0.25, 0.9), open=(0.37, 0.9), wide=(0.45, 0.7), round=(0, 0.8)),
    "eh": Viseme(jaw=(0.52, 1.2), open=(0.58, 1.2), wide=(0.55, 1), round=(0, 1)),
    "ah": Viseme(jaw=(0.44, 0.8), open=(0.48, 0.8), wide=(0, 0.5), round=(0, 0.6)),
    "aa": Viseme(jaw=(0.95, 1.4), open=(0.88, 1.4), wide=(0, 0.8), round=(0, 0.8)),
    "oh": Viseme(jaw=(0.52, 1.2), open=(0.55, 1.3), wide=(-0.3, 1), round=(0.72, 1.6)),
}
"""Sixteen shapes by a sound that has them."""

_LIKE = {
    "p": "p b m",
    "f": "f v",
    "th": "T D",
    "t": "t d n t# t2 n- *",
    "l": "l l#",
    "s": "s z z# s;",
    "sh": "S Z tS dZ",
    "r": "r r- R r#",
    "w": "w u: U u w#",
    "k": "k g h N x ?",
    "ee": "i: i j",
    "ih": "I I2 I# i#",
    "eh": "E a e E2 E#",
    "ah": "V @ @2 @5 3 3: a# a2 @L @- V#",
    "aa": "A: A A# aa 0 0# A@",
    "oh": "O: O o o@ O@ O2",
}
PHONEMES: Mapping[str, tuple[str, ...]] = {
    **{phoneme: (viseme,) for viseme, phonemes in _LIKE.items() for phoneme in phonemes.split()},
    "eI": ("eh", "ee"), "aI": ("aa", "ee"), "OI": ("oh", "ee"), "aU": ("aa", "w"), "oU": ("oh", "w"),
    "i@": ("ee", "ah"), "e@": ("eh", "r"), "U@": ("w", "r"), "i@3": ("ee", "r"), "aI@": ("aa", "ee", "ah"),
    "aU@": ("aa", "w", "ah"), "aI3": ("aa", "ee", "r"), "aU3": ("aa", "w", "r"),
    "A@": ("aa", "r"), "o@": ("oh", "r"), "O@": ("oh", "r"), "3:": ("r",), "@r": ("ah", "r"),
}  # fmt: skip
"""espeak-ng's English phonemes -> the shapes gone through: one, or several for glides."""

PLOSIVES = frozenset(("p", "b", "t", "d", "k", "g", "t#", "t2", "tS", "dZ", "m"))
"""Phonemes whose time starts at a burst, after a closure. (/m/ is no plosive, but its lips close as early.)"""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How one speaker articulates: small deviations from the table."""

    gain: tuple[float, ...] = (1.0,) * len(CHANNELS)
    """Factor on each channel, about 0.85 to 1.15."""
    reach: float = 1.0
    """Factor on REACH: below 1 is crisp, above 1 is mumbled."""
    spread: float = 0.0
    """Standard deviation of a target from one time to the next, in units of the channel."""


def visemes_of(phone: Phone) -> tuple[str, ...]:
    """Names of the shapes of one phoneme; () for silence. ValueError for a phoneme that has none in the table."""
    if not phone.name:
        return ()
    if phone.name not in PHONEMES:
        raise ValueError(f"phoneme {phone.name!r} of espeak-ng has no viseme; add it to PHONEMES")
    return PHONEMES[phone.name]


def _segments(phones: Sequence[Phone]) -> list[tuple[float, float, Viseme]]:
    """(start, end, shape) in seconds, in order: glides in parts, plosives with their closure, rest at both ends."""
    found: list[tuple[float, float, Viseme]] = []
    for k, phone in enumerate(phones):
        start, end = phone.start, phone.end
        if phone.name in PLOSIVES:
            start -= min(CLOSURE, 0.5 * (start - phones[k - 1].start)) if k else CLOSURE
        if k + 1 < len(phones) and phones[k + 1].name in PLOSIVES:
            end -= min(CLOSURE, 0.5 * (end - phone.start))
        names = visemes_of(phone)
        edges = np.linspace(start, end, len(names) + 1)
        found += [(a, b, VISEMES[name]) for a, b, name in zip(edges[:-1], edges[1:], names, strict=True)]
    if not found:
        return [(0.0, 0.0, REST)]
    first, last = found[0][0], found[-1][1]
    return [(first - 10, first - 0.05, REST), *found, (last + 0.05, last + 10, REST)]


def tracks(
    phones: Sequence[Phone],
    frames: int,
    *,
    offset: float = 0.0,
    manner: Manner | None = None,
    noise: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """The mouth in each frame: (F, 8) float64, channels as in CHANNELS.

    offset: seconds of the clip before the sound of `phones` begins.
    noise: draws the deviations that ``manner.spread`` allows; without it there are none.
    Frame k is the mouth in the middle of its 40 ms, (k + 0.5) / 25 s.
    """
    manner = manner or Manner()
    segments = _segments(phones)
    start, end = (np.array([segment[k] for segment in segments], np.float64) + offset for k in (0, 1))
    shape = np.stack([segment[2].table() for segment in segments])  # (S, 8, 2)
    target, weight = shape[..., 0].copy(), shape[..., 1]
    if noise is not None and manner.spread:
        target += noise.normal(0, manner.spread, target.shape) * (np.abs(target) > 0.05)
    middle, half = (start + end) / 2, (end - start) / 2
    core = np.maximum(half * 0.5, half - 0.04)
    exposed = np.linspace(-0.5, 0.5, 3) * SHUTTER
    time = ((np.arange(frames) + 0.5) / FPS)[:, None] + exposed  # (F, 3)
    away = np.maximum(0, np.abs(time[..., None] - middle) - core)  # (F, 3, S)
    pull = weight * np.exp(-away[..., None] / (REACH * manner.reach)) + 1e-9  # (F, 3, S, 8)
    blended = (pull * target).sum(axis=2) / pull.sum(axis=2)
    shown = blended.mean(axis=1) * np.asarray(manner.gain)
    low = np.array([-1.0 if name == "wide" else 0.0 for name in CHANNELS])
    return np.asarray(np.clip(shown, low, 1.1), np.float64)
