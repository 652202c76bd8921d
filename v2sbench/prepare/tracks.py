"""Pictures and sounds of one file, as they are decoded, laid on the project's clock by their time stamps.

`Pictures` samples a stream at 25 frames a second, `Sounds` writes blocks of samples at their places; both for a
`Stretch` of the recording, so that a clip may be a part of a long file. `media` feeds them and owns the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, gcd, inf
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import FPS, MediaError, Wave, reach, resample, to_float

TOLERANCE = 0.002
"""Seconds by which a time stamp may be off, since containers round to 1 ms."""
MAX_GAP = 10.0
"""Seconds: a longer jump between two time stamps is damage that no holding of pictures can mend."""
VORBIS_SLACK = 2048
"""Samples by which a packet of Vorbis may be stamped wrongly: a quarter of its longest block."""
SLOWEST, FASTEST = 1_000, 768_000
"""Hz: a sampling rate beyond is a header's damage, and to resample from it would take all of the memory."""
MARGIN = 0.1
"""Seconds before a stretch in which a lost packet may still be heard or seen in it."""

UInt8 = NDArray[np.uint8]

_LUMA_FIRST = ("gray", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p")
_FULL_RANGE = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The part of a recording that is wanted, in seconds on its clock."""

    start: float = 0.0
    """Where it begins."""
    end: float = inf
    """Where it ends, at the latest."""
    origin: float = 0.0
    """Time stamp of the recording's time 0."""
    sought: bool = False
    """Whether decoding began near `start`, and not with the file."""

    def has_missed(self, time: float | None) -> bool:
        """Whether the search went too far: `time` is of the first thing that was decoded."""
        return self.sought and (time is None or time - self.origin > self.start)

    def holds(self, packet: av.Packet[Any]) -> bool:
        """Whether a packet may be of the stretch, as far as its time stamp tells."""
        if packet.pts is None or packet.time_base is None:
            return True
        time = float(packet.pts * packet.time_base) - self.origin
        return time < self.end and (not self.start or time > self.start - MARGIN)


class Missed(Exception):
    """The search for the stretch ended behind its start, or nobody knows where: decode from the file's start."""


class Pictures:
    """Collects decoded pictures with their times; at the end samples them at 25 fps."""

    def __init__(self, stream: Any, stretch: Stretch, colour: bool) -> None:
        """stretch: what is wanted; colour: RGB in place of grey."""
        self.stretch, self.colour = stretch, colour
        self.duration = float(1 / stream.average_rate) if stream.average_rate else 1 / FPS
        self.times: list[float] = []
        self.pictures: list[UInt8] = []
        self.corrupt = 0

    @property
    def done(self) -> bool:
        """Whether all of the stretch is here; a picture more, since two of them may be stamped in each other's way."""
        return bool(self.times) and self.times[-1] > self.stretch.end + 2 * self.duration

    def add(self, frame: av.VideoFrame) -> None:
        """Take the stream's next picture. MediaError for a mad time stamp, or a picture of another size."""
        if not self.times and self.stretch.has_missed(frame.time):
            raise Missed
        expected = self.times[-1] + self.duration if self.times else 0.0
        time = expected if frame.time is None else frame.time - self.stretch.origin
        if time - expected > MAX_GAP and (self.times or not self.stretch.sought):
            raise MediaError("undecodable", f"time stamps jump from {expected:.2f} s to {time:.2f} s")
        picture = self._pixels(frame)
        if self.pictures and picture.shape != self.pictures[0].shape:
            raise MediaError("undecodable", f"the picture changes from {self.pictures[0].shape} to {picture.shape}")
        self.times.append(time)
        self.pictures.append(picture)
        self.corrupt += bool(frame.is_corrupt) and self.stretch.start - self.duration < time < self.stretch.end

    def _pixels(self, frame: av.VideoFrame) -> UInt8:
        if self.colour:
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        if frame.format.name not in _LUMA_FIRST:
            frame = frame.reformat(format="yuv444p")
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
        full = frame.format.name.startswith(("gray", "yuvj")) or frame.color_range == 2
        return luma.copy() if full else np.asarray(_FULL_RANGE[luma])

    def _mended(self) -> list[float]:
        """Times of the pictures, evenly spaced where stamps run backwards in a stream that lost nothing.

        FFmpeg mixes up the stamps of two pictures that begin in one packet of an MPEG program stream, which happens
        when pictures are smaller than 2 kB; their number and order stay right.
        """
        even = [self.times[0] + k * self.duration for k in range(len(self.times))]
        backwards = any(a >= b for a, b in pairwise(self.times))
        apart = max(abs(a - b) for a, b in zip(self.times, even, strict=True))
        return even if backwards and apart < 1.5 * self.duration else self.times

    def finish(self, name: str, damage: list[str], declared: float) -> tuple[UInt8, NDArray[np.intp]]:
        """The pictures on screen at 25 moments a second, and which of the decoded ones they are; adds to `damage`.

        name: of the file. declared: seconds that it says it lasts, 0 for unknown.
        """
        start, stop = self.stretch.start, self.stretch.end
        if not self.pictures and self.stretch.sought:
            raise Missed
        if not self.pictures:
            raise MediaError("truncated", f"{name}: not one picture can be decoded")
        spacing = np.diff(self.times)
        if (spacing > 0).any():  # surer than the header, where a container may write its clock's tick
            self.duration = float(np.median(spacing[spacing > 0]))
        shown: list[int] = []
        held, lost, stray = 0, 0, 0
        now = self.times[0] - self.duration if self.stretch.sought else -self.duration
        for k, time in enumerate(self._mended()):
            if time <= now:
                stray += 1
                continue
            if time > start and now < stop:
                lost += max(0, round((time - now) / self.duration) - 1)
            while start + len(shown) / FPS < min(time, stop) - TOLERANCE:
                shown.append(held)
            held, now = k, time
        end = min(now + self.duration, stop)
        while start + len(shown) / FPS < end - TOLERANCE:
            shown.append(held)
        if not shown:
            raise MediaError("too-short", f"{name}: the picture ends at {end:.2f} s, before {start:.2f} s")
        if lost:
            damage.append(f"{lost} pictures lost, the one before held")
        if self.corrupt:
            damage.append(f"{self.corrupt} pictures decoded with errors")
        if stray:
            damage.append(f"{stray} pictures with time stamps out of order dropped")
        if min(declared, stop) - end > 0.5:
            damage.append(f"the picture ends at {end:.2f} s of {declared:.2f} s declared")
        return np.stack([self.pictures[k] for k in shown]), np.array(shown, np.intp)


class Sounds:
    """Places blocks of sound by time stamps."""

    def __init__(self, stream: Any, stretch: Stretch, rate: int, *, alone: bool) -> None:
        """stretch: what is wanted; rate: in Hz, of the result; alone: whether the file has no picture.

        Vorbis is counted rather than stamped. Where its block length changes FFmpeg stamps one packet up to 448 samples
        wrongly, and the next one right. And it allows for the first packet, which decodes to nothing, when it reads a
        page's clock, which it does not when one page holds all of a file: then every stamp is some 128 samples late.
        """
        self.stretch, self.rate = stretch, rate
        self.source = int(stream.codec_context.sample_rate)
        if not SLOWEST <= self.source <= FASTEST:
            raise MediaError("undecodable", f"its header tells of a sampling rate of {self.source} Hz")
        self.vorbis = stream.codec_context.name == "vorbis"
        self.slack = VORBIS_SLACK if self.vorbis else round(TOLERANCE * self.source)
        self.first_is_late = self.vorbis and alone and not stretch.sought
        self.late = 0
        self.drifts: Counter[int] = Counter()
        step = self.source // gcd(self.source, rate)  # where samples of both rates fall together
        margin = reach(self.source, rate)
        self.low = max(0, int(stretch.start * self.source) - margin) // step * step
        self.high = inf if stretch.end == inf else ceil(stretch.end * self.source) + margin
        self.blocks: list[tuple[int, Wave]] = []
        self.end: int | None = None

    @property
    def done(self) -> bool:
        """Whether all of the stretch is here."""
        return self.end is not None and self.end >= self.high + self.slack

    def add(self, frame: av.AudioFrame) -> None:
        """Take the stream's next block. MediaError for a mad time stamp, or another rate."""
        if frame.sample_rate != self.source:
            raise MediaError("undecodable", f"the sampling rate changes from {self.source} to {frame.sample_rate} Hz")
        if self.end is None and self.stretch.has_missed(frame.time):
            raise Missed
        wave = _mono(frame)
        start = self.end or 0
        if frame.time is not None:
            stamped = round((frame.time - self.stretch.origin) * self.source)
            if self.end is None and self.first_is_late and 0 < stamped <= VORBIS_SLACK:
                self.late = stamped
            stamped -= self.late
            if self.end is None or abs(stamped - self.end) > self.slack:
                start = stamped
            self.drifts[stamped - start] += 1
        jumps = abs(start - (self.end or 0)) > MAX_GAP * self.source
        if jumps and (self.end is not None or not self.stretch.sought):
            raise MediaError("undecodable", f"time stamps of the sound jump to {start / self.source:.2f} s")
        self.end = start + len(wave)
        if self.end > self.low - self.slack * self.vorbis and start < self.high + self.slack:
            self.blocks.append((start, wave))

    def finish(self, name: str, damage: list[str]) -> Wave:
        """The sound of the stretch at the wanted rate; adds to `damage`. name: of the file."""
        if self.end is None and self.stretch.sought:
            raise Missed
        if self.end is None:
            raise MediaError("truncated", f"{name}: no sound can be decoded")
        low = self.low
        if self.vorbis and self.stretch.sought:  # the first stamp may be a wrong one: go by what most of them say
            low -= self.drifts.most_common(1)[0][0]
        wave = np.zeros(max(0, *(start + len(block) - low for start, block in self.blocks), 0), np.float32)
        gaps, previous = 0, None
        for start, block in self.blocks:
            gaps += previous is not None and start != previous
            previous = start + len(block)
            at = start - low
            wave[max(at, 0) : max(at + len(block), 0)] = block[max(-at, 0) :]
        if gaps:
            damage.append(f"{gaps} gaps in the sound, left silent")
        first = round(self.stretch.start * self.rate) - self.low * self.rate // self.source
        count = None if self.stretch.end == inf else round((self.stretch.end - self.stretch.start) * self.rate)
        out = resample(wave, self.source, self.rate)[first:][:count]
        if self.stretch.start and not len(out):
            raise MediaError("too-short", f"{name}: the sound ends before {self.stretch.start:.2f} s")
        if count is not None and count - len(out) > 0.5 * self.rate:
            end = self.stretch.start + len(out) / self.rate
            damage.append(f"the sound ends at {end:.2f} s of {self.stretch.end:.2f} s asked for")
        return out


def _mono(frame: av.AudioFrame) -> Wave:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    return np.asarray(to_float(samples).mean(axis=0), np.float32) if len(samples) > 1 else to_float(samples[0])
