"""Geometry of the project, and sound as samples: resampling, FLAC, WAV.

``RATE`` 24,000 Hz and ``FPS`` 25 give ``SAMPLES_PER_FRAME`` = 960, an exact division.
"""

from __future__ import annotations

import io
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from v2sbench.runtime import atomic

RATE = 24_000
"""Samples per second of every wave in the project."""
FPS = 25
"""Video frames per second of every clip in the project."""
SAMPLES_PER_FRAME = RATE // FPS
"""Samples per video frame: 960, exactly."""
CROSSINGS = 48
"""Zero crossings of the resampling filter on either side."""
REASONS = ("missing", "empty", "undecodable", "truncated", "no-video", "no-audio", "too-short")
"""Every value of `MediaError.reason`."""


Wave = NDArray[np.float32]
"""(T,) float32 in [-1, 1], mono."""


class MediaError(Exception):
    """A media file cannot be used; `reason` is one of `REASONS`, `detail` says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        """Say why (`reason`) and what was seen (`detail`)."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        """Rebuild from both parts, so that the error crosses process borders."""
        return type(self), (self.reason, self.detail)


def fit(wave: Wave, frames: int) -> Wave:
    """Cut or pad (T,) `wave` with zeros to exactly ``frames * 960`` samples; time is never stretched."""
    samples = frames * SAMPLES_PER_FRAME
    fitted = np.zeros(samples, np.float32)
    kept = min(samples, len(wave))
    fitted[:kept] = wave[:kept]
    return fitted


def resample(wave: Wave, source: int, target: int) -> Wave:
    """(T,) at `source` Hz -> (ceil(T * target / source),) at `target` Hz; zero phase, so nothing moves in time."""
    if source == target:
        return np.asarray(wave, np.float32)
    divisor = gcd(source, target)
    up, down = target // divisor, source // divisor
    if not len(wave):
        return np.zeros(0, np.float32)
    from scipy.signal import resample_poly  # takes 0.5 s to import, which scoring at 16 kHz need not wait for

    return np.asarray(resample_poly(np.asarray(wave, np.float64), up, down, window=_lowpass(up, down)), np.float32)


def reach(source: int, target: int) -> int:
    """Samples at `source` Hz on either side of a moment that `resample` to `target` Hz looks at."""
    return 0 if source == target else CROSSINGS * max(source, target) // target + 1


def quantise(wave: Wave) -> NDArray[np.int16]:
    """(T,) float in [-1, 1] -> PCM16, clipped.  Inverse of ``/ 32768``: PCM16 values survive the round trip exactly."""
    return np.clip(np.rint(np.asarray(wave, np.float64) * 32768), -32768, 32767).astype(np.int16)


def encode_flac(wave: Wave, rate: int = RATE) -> bytes:
    """(T,) float32 -> FLAC file, PCM16 mono; the same bytes every time for one libFLAC."""
    buffer = io.BytesIO()
    soundfile.write(buffer, quantise(wave), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def decode_flac(data: bytes, start: int = 0, samples: int | None = None) -> Wave:
    """`samples` samples from `start` of a FLAC file in memory: (T,) float32.  The rest is not decoded."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        file.seek(start)
        return to_float(file.read(-1 if samples is None else samples, dtype="int16"))


def read_wav(path: Path | str, rate: int | None = None) -> tuple[Wave, int]:
    """A WAV or FLAC file as ((T,) float32 mono in [-1, 1], rate in Hz), resampled when `rate` is given.

    Raises MediaError: missing, empty, undecodable.
    """
    path = Path(path)
    check_file(path)
    try:
        data, source = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise MediaError("undecodable", f"{path}: {error}") from error
    if not len(data):
        raise MediaError("empty", f"{path} holds no samples")
    wave = np.asarray(data.mean(axis=1) if data.shape[1] > 1 else data[:, 0], np.float32)
    return (wave, int(source)) if rate is None else (resample(wave, int(source), rate), rate)


def write_wav(path: Path | str, wave: Wave, rate: int = RATE) -> None:
    """Write (T,) `wave`, clipped to [-1, 1], as a PCM16 WAV (stable bytes; float WAV would embed the time)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        soundfile.write(temporary, quantise(wave), rate, format="WAV", subtype="PCM_16")


def check_file(path: Path) -> None:
    """Raise MediaError missing or empty unless `path` is a file with bytes."""
    if not path.is_file():
        raise MediaError("missing", f"{path} is not there")
    if not path.stat().st_size:
        raise MediaError("empty", f"{path} has no bytes")


def cut_off(path: Path) -> str:
    """What a WAV file's own length field tells of a missing end; "" for a whole one and for any other file.

    A writer that streams puts the greatest number there or 0, and some count the header twice: that is no loss.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return ""
    told, here = int.from_bytes(head[4:8], "little") + 8, path.stat().st_size
    lost = told < 0xFFFFFF00 and here + 64 < told
    return f"{here} of {told} bytes are there, its end is missing" if lost else ""


def to_float(samples: NDArray[Any]) -> Wave:
    """PCM of any depth -> float32 in [-1, 1]."""
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    if np.issubdtype(samples.dtype, np.integer):
        return (samples / float(-int(np.iinfo(samples.dtype).min))).astype(np.float32)
    return np.asarray(samples, np.float32)


@lru_cache(maxsize=16)
def _lowpass(up: int, down: int) -> NDArray[np.float64]:
    """Kaiser low-pass, `CROSSINGS` a side: passes 93 % of the lower Nyquist band, stops 80 dB from its end on."""
    from scipy.signal import firwin

    most = max(up, down)
    return np.asarray(firwin(2 * CROSSINGS * most + 1, 0.965 / most, window=("kaiser", 8.0)), np.float64)
