"""Sound as samples, and the geometry of the project: 24,000 samples and 25 pictures a second, 960 samples a picture."""

from __future__ import annotations

import io
from functools import lru_cache
from math import ceil, gcd, inf
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from v2sbench.runtime import atomic

RATE = 24_000  # samples per second of every wave in the project
FPS = 25  # pictures per second of every clip
SAMPLES_PER_FRAME = RATE // FPS  # 960, exactly

RATES = (4_000, 384_000)  # Hz; a header beyond is damaged, and resampling from it would take all of the memory
CROSSINGS = 48  # zero crossings of the resampling filter on either side
BLOCK = 2**20  # samples read at once, since a header may claim more than the memory holds
UNKNOWN = 2**62  # libsndfile's answer is above this when a header does not know its length
REASONS = ("missing", "empty", "undecodable", "truncated", "no-video", "no-audio", "too-short")

Wave = NDArray[np.float32]
"""(T,) float32 in [-1, 1], mono."""


class MediaError(Exception):
    """A media file cannot be used: `reason` is one of `REASONS`, `detail` says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        """Rebuild from both parts, so that the error crosses process borders."""
        return type(self), (self.reason, self.detail)


def read_wav(path: Path | str, rate: int | None = None) -> tuple[Wave, int]:
    """Read a WAV or FLAC file: ((T,) float32 mono, the mean of its channels; Hz), resampled when `rate` is given.

    Raises MediaError: missing, empty, undecodable, truncated (fewer samples than its header declares).
    """
    wave, source, lack = read_sound(path, rate)
    if lack:
        raise MediaError("truncated", f"{path} lacks {lack:.2f} s of what its header declares")
    return wave, rate or source


def read_sound(path: Path | str, rate: int | None, start: float = 0.0, end: float = inf) -> tuple[Wave, int, float]:
    """Read the stretch from `start` to `end` seconds of any sound file that libsndfile reads.

    Returns (T,) float32 mono at `rate` Hz (None: as in the file), the file's own rate in Hz, and the seconds that are
    not there although the header declares them. Seeking is exact: a stretch is the slice of the whole.
    Raises MediaError: missing, empty, undecodable.
    """
    path = Path(path)
    check_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            source = check_rate(file.samplerate, path)
            if file.frames > UNKNOWN:
                raise MediaError("undecodable", f"{path}: its header does not know its length; write the file again")
            low, high = samples_for(start, end, source, rate or source)
            if file.format == "MP3" and source < 32_000:  # MPEG-2: after a seek, libmpg123 lacks the bits kept back
                low = 0
            blocks: list[Wave] = []
            if low:
                file.seek(min(low, file.frames))
            left = min(high, file.frames) - low
            while left > 0 and len(block := file.read(int(min(left, BLOCK)), dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1, dtype=np.float32))
                left -= len(block)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a name that ends in .raw
        raise MediaError("undecodable", f"{path}: {error}") from error
    if not blocks and not start:
        raise MediaError("empty", f"{path} holds no samples")
    wave = np.concatenate([np.zeros(0, np.float32), *blocks])
    return resample_stretch(wave, low, start, end, source, rate or source), source, max(0.0, left / source)


def write_wav(path: Path | str, wave: Wave, rate: int = RATE) -> None:
    """Write (T,) `wave`, clipped to [-1, 1], as a PCM16 WAV (stable bytes; float WAV would embed the time)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        soundfile.write(temporary, quantise(wave), rate, format="WAV", subtype="PCM_16")


def encode_flac(wave: Wave, rate: int = RATE) -> bytes:
    """(T,) float32 -> FLAC file, PCM16 mono; the same bytes every time for one libFLAC."""
    buffer = io.BytesIO()
    soundfile.write(buffer, quantise(wave), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def decode_flac(data: bytes, start: int = 0, samples: int | None = None) -> Wave:
    """`samples` samples from `start` of a FLAC file in memory: (T,) float32. The rest is not decoded."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        file.seek(start)
        return np.asarray(file.read(-1 if samples is None else samples, dtype="float32"))


def quantise(wave: Wave) -> NDArray[np.int16]:
    """(T,) float in [-1, 1] -> PCM16, clipped. PCM16 values survive ``/ 32768`` and back exactly."""
    return np.clip(np.rint(np.asarray(wave, np.float64) * 32768), -32768, 32767).astype(np.int16)


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
    if not len(wave):
        return np.zeros(0, np.float32)
    from scipy.signal import resample_poly  # takes 0.5 s to import, which scoring at 16 kHz need not wait for

    divisor = gcd(source, target)
    up, down = target // divisor, source // divisor
    return np.asarray(resample_poly(np.asarray(wave, np.float64), up, down, window=_lowpass(up, down)), np.float32)


@lru_cache(maxsize=16)
def _lowpass(up: int, down: int) -> NDArray[np.float64]:
    """Kaiser low-pass, `CROSSINGS` a side: passes 93 % of the lower Nyquist band, stops 80 dB from its end on."""
    from scipy.signal import firwin

    most = max(up, down)
    return np.asarray(firwin(2 * CROSSINGS * most + 1, 0.965 / most, window=("kaiser", 8.0)), np.float64)


def samples_for(start: float, end: float, source: int, target: int) -> tuple[int, float]:
    """Which samples at `source` Hz, from and up to, the stretch from `start` to `end` seconds at `target` Hz needs."""
    margin = 0 if source == target else CROSSINGS * max(source, target) // target + 1
    step = source // gcd(source, target)  # where samples of both rates fall together
    low = max(0, int(start * source) - margin) // step * step
    return low, end if end == inf else ceil(end * source) + margin


def resample_stretch(wave: Wave, low: int, start: float, end: float, source: int, target: int) -> Wave:
    """The stretch from `start` to `end` seconds at `target` Hz, out of the samples at `source` Hz from `low` on."""
    first = round(start * target) - low * target // source
    count = None if end == inf else round((end - start) * target)
    return resample(wave, source, target)[first:][:count]


def check_file(path: Path) -> None:
    """Raise MediaError missing or empty unless `path` is a file with bytes."""
    if not path.is_file():
        raise MediaError("missing", f"{path} is not there")
    if not path.stat().st_size:
        raise MediaError("empty", f"{path} has no bytes")


def check_rate(rate: int, path: Path) -> int:
    """`rate` in Hz; MediaError undecodable outside of `RATES`."""
    if not RATES[0] <= rate <= RATES[1]:
        raise MediaError("undecodable", f"{path}: a sampling rate of {rate} Hz, allowed is {RATES[0]} to {RATES[1]}")
    return rate


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
