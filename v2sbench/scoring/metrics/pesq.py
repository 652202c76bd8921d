"""PESQ as MOS-LQO (ITU-T P.862.1, P.862.2) by the pesq package, with each of its traps turned into a reason."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pesq
from numpy.typing import NDArray

from v2sbench.scoring.metrics.unusable import UnusableError

Mode = Literal["wb", "nb"]
"""Wide band (16 kHz only) or narrow band (8 or 16 kHz)."""

SHORTEST = 0.25
"""Seconds that PESQ asks for."""
LONGEST = 20.0
"""Seconds. PESQ numbers utterances, of 0.4 s at least, in a table of 50 and never checks its end: 60 short words in 2
minutes kill the process."""


def mos(reference: NDArray[np.float32], prediction: NDArray[np.float32], rate: int, mode: Mode) -> float:
    """MOS-LQO of (T,) `prediction` against (T,) `reference`, about 1 to 4.64 (wb) or 4.55 (nb); levels do not matter.

    rate: 16,000, or 8,000 for nb. Raises UnusableError; ValueError when lengths differ, which the package would take.
    """
    if reference.shape != prediction.shape or reference.ndim != 1:
        raise ValueError(f"waves must be (T,) and equally long, not {reference.shape} and {prediction.shape}")
    if len(reference) > LONGEST * rate:
        raise UnusableError("too-long")
    if not (np.isfinite(reference).all() and np.isfinite(prediction).all()):
        raise UnusableError("not-finite")
    if not prediction.any():
        raise UnusableError("silent")
    try:
        with _denormals_flushed():
            value = float(pesq.pesq(rate, reference, prediction, mode))
    except pesq.BufferTooShortError:
        raise UnusableError("too-short") from None
    except pesq.NoUtterancesError:
        raise UnusableError("no-utterances") from None
    except pesq.PesqError:
        raise UnusableError("pesq-failed") from None
    if not np.isfinite(value):
        raise UnusableError("pesq-failed")
    return value


def raw_mos(lqo: float, mode: Mode = "nb") -> float:
    """The raw PESQ score behind a MOS-LQO: ITU-T P.862.1 (nb) or P.862.2 (wb) inverted. Papers print either."""
    slope, offset = (-1.4945, 4.6607) if mode == "nb" else (-1.3669, 3.8224)
    return float((np.log(4 / (lqo - 0.999) - 1) - offset) / slope)


# ---------------------------------------------------------------- speed

_CONTROL_WORD = 28
"""Byte of Linux's `fenv_t` on x86-64 at which the SSE control word starts."""
_FLUSH = 0x8040
"""Its bits that write and read denormal floats as zero."""


@contextlib.contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Let PESQ's filters end in zero instead of in denormal floats, on which they spend 40 % of all time.

    Only magnitudes under 1.2e-38 change, which no score shows. Set for the call alone, and on Linux/x86-64 alone.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        yield
        return
    libm = _libm()
    kept, flushed = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
    libm.fegetenv(kept)
    flushed.raw = kept.raw
    ctypes.c_uint32.from_buffer(flushed, _CONTROL_WORD).value |= _FLUSH
    libm.fesetenv(flushed)
    try:
        yield
    finally:
        libm.fesetenv(kept)


@functools.cache
def _libm() -> ctypes.CDLL:
    return ctypes.CDLL("libm.so.6")
