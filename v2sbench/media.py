"""Media in: decoding by time stamps.  With `pcm` and `mpeg1`, whose names it offers too, the project's only media I/O.

Time 0 of a recording is the start of its picture; its sound is placed on that clock by time stamps, cut before 0, and
never stretched.

Facts this module rests on (measured on real GRID clips and on our own files):

* GRID's picture is 75 x 40 ms = 3.000 s, its sound 114 MP2 packets = 131,328 samples at 44.1 kHz = 2.978 s; both start
  at 0.  `fit` pads the missing 22 ms.
* MP2 has a codec delay of 481 samples (10.9 ms).  Our own files stamp it away (`mpeg1`).  GRID's packets start at 0 and
  say nothing of their encoder's delay, so there a constant of up to 10.9 ms stays unknown.
* A damaged stream loses packets (s4/bbaf2a: 71 of 75 pictures).  By time stamps the picture before a gap is held and
  the sound in a gap is silent, so what follows stays in step.  What was lost is told in `Recording.damage`.

Pictures are the stream's own pixels: the sample aspect ratio is not applied (GRID is 360x288 in both distributions).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer

from v2sbench.mpeg1 import UInt8, write_mpeg1
from v2sbench.pcm import (
    FPS,
    RATE,
    REASONS,
    SAMPLES_PER_FRAME,
    MediaError,
    Wave,
    check_file,
    decode_flac,
    encode_flac,
    fit,
    quantise,
    read_wav,
    resample,
    to_float,
    write_wav,
)

__all__ = [
    "FPS",
    "RATE",
    "REASONS",
    "SAMPLES_PER_FRAME",
    "MediaError",
    "MediaInfo",
    "Recording",
    "UInt8",
    "Wave",
    "decode",
    "decode_flac",
    "encode_flac",
    "fit",
    "probe",
    "quantise",
    "read_audio",
    "read_video",
    "read_wav",
    "resample",
    "write_mpeg1",
    "write_wav",
]

TOLERANCE = 0.002
"""Seconds by which a time stamp may be off, since containers round to 1 ms."""
MAX_GAP = 10.0
"""Seconds: a longer jump between two time stamps is damage that no holding of pictures can mend."""

_LOG = logging.getLogger(__name__)
_LUMA_FIRST = ("gray", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p")
_FULL_RANGE = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a file's headers declare; nothing is decoded."""

    seconds: float | None
    """Declared duration, None when the container does not tell."""
    width: int | None
    """Pixels across, None without a picture."""
    height: int | None
    """Pixels down."""
    fps: float | None
    """Declared mean frame rate."""
    video_codec: str | None
    """FFmpeg's name of the picture's codec."""
    rate: int | None
    """Sampling rate in Hz, None without sound."""
    channels: int | None
    """Channels of sound."""
    audio_codec: str | None
    """FFmpeg's name of the sound's codec."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A decoded file: what was asked for, on one clock."""

    frames: UInt8 | None
    """(F, H, W) grey or (F, H, W, 3) RGB; frame k is the picture on screen at k/25 s."""
    wave: Wave | None
    """(T,) float32 in [-1, 1], mono; sample i is heard at i/rate s."""
    damage: tuple[str, ...]
    """What was lost, one phrase each; empty for a sound file."""


def decode(
    path: Path | str, *, video: bool = True, audio: bool = True, colour: bool = False, rate: int = RATE
) -> Recording:
    """Decode picture and sound of `path` in one pass, both placed by time stamps.

    Undecodable packets are skipped and told in `Recording.damage`.
    Raises MediaError: missing, empty, undecodable, truncated (not one frame can be decoded), no-video, no-audio.
    """
    path = Path(path)
    with _open(path) as container:
        if video and not container.streams.video:
            raise MediaError("no-video", f"{path} has no video stream")
        if audio and not container.streams.audio:
            raise MediaError("no-audio", f"{path} has no audio stream")
        damage: list[str] = []
        streams: list[Any] = [*container.streams.video[:1]] * video + [*container.streams.audio[:1]] * audio
        for stream in streams:
            stream.codec_context.thread_count = 1
        origin = _origin(container)
        pictures = _Pictures(container.streams.video[0], origin, colour) if video else None
        sounds = _Sounds(container.streams.audio[0], origin) if audio else None
        for frame in _frames(container, streams, damage):
            if isinstance(frame, av.VideoFrame):
                assert pictures is not None  # only the asked-for streams are demultiplexed
                pictures.add(frame)
            else:
                assert sounds is not None
                sounds.add(frame)
        declared = container.duration / av.time_base if container.duration else 0.0
    frames = pictures.finish(path, damage, declared) if pictures else None
    wave = sounds.finish(path, damage, rate) if sounds else None
    return Recording(frames=frames, wave=wave, damage=tuple(damage))


def read_video(path: Path | str, *, colour: bool = False) -> UInt8:
    """Pictures of `path` at 25 fps: (F, H, W) uint8 grey in [0, 255], or (F, H, W, 3) RGB with `colour`.

    Other frame rates are sampled by time stamps.  Damage is logged as a warning; raises MediaError as `decode` does.
    """
    recording = decode(path, audio=False, colour=colour)
    _tell(path, recording)
    assert recording.frames is not None
    return recording.frames


def read_audio(path: Path | str, *, rate: int = RATE) -> Wave:
    """Sound of `path`: (T,) float32 mono in [-1, 1] at `rate`, placed by time stamps; sample 0 is the picture's start.

    Channels are averaged.  Damage is logged as a warning; raises MediaError as `decode` does.
    """
    recording = decode(path, video=False, rate=rate)
    _tell(path, recording)
    assert recording.wave is not None
    return recording.wave


def probe(path: Path | str) -> MediaInfo:
    """Read the headers of `path`.  Raises MediaError: missing, empty, undecodable, truncated."""
    with _open(Path(path)) as container:
        video = container.streams.video[0] if container.streams.video else None
        audio = container.streams.audio[0] if container.streams.audio else None
        return MediaInfo(
            seconds=container.duration / av.time_base if container.duration else None,
            width=video.codec_context.width if video else None,
            height=video.codec_context.height if video else None,
            fps=float(video.average_rate) if video and video.average_rate else None,
            video_codec=video.codec_context.name if video else None,
            rate=audio.codec_context.sample_rate if audio else None,
            channels=audio.codec_context.channels if audio else None,
            audio_codec=audio.codec_context.name if audio else None,
        )


def _open(path: Path) -> InputContainer:
    check_file(path)
    try:
        return av.open(str(path))
    except av.FFmpegError as error:
        with path.open("rb") as file:
            mp4 = file.read(8)[4:] == b"ftyp"
        detail = f"{path}: {error.strerror}" + (" (an MP4 that lost its index, its end is missing)" if mp4 else "")
        raise MediaError("truncated" if mp4 else "undecodable", detail) from error


def _origin(container: InputContainer) -> float:
    """Seconds on the container's clock at which the recording starts: its first picture, else its first sound."""
    streams = container.streams.video or container.streams.audio
    stream = streams[0]
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _frames(container: InputContainer, streams: list[Any], damage: list[str]) -> Iterator[Any]:
    """Every frame that can be decoded; packets that cannot are counted in `damage`."""
    bad, last = 0, ""
    try:
        for packet in container.demux(streams):
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                bad, last = bad + 1, str(error.strerror)
    except av.FFmpegError as error:
        damage.append(f"reading stopped early: {error.strerror}")
    if bad:
        damage.append(f"{bad} packets undecodable: {last}")


def _tell(path: Path | str, recording: Recording) -> None:
    for phrase in recording.damage:
        _LOG.warning("%s: %s", path, phrase)


class _Pictures:
    """Collects decoded pictures with their times; at the end samples them at 25 fps."""

    def __init__(self, stream: Any, origin: float, colour: bool) -> None:
        self.origin, self.colour = origin, colour
        self.duration = float(1 / stream.average_rate) if stream.average_rate else 1 / FPS
        self.times: list[float] = []
        self.pictures: list[UInt8] = []
        self.corrupt = 0

    def add(self, frame: av.VideoFrame) -> None:
        expected = self.times[-1] + self.duration if self.times else 0.0
        time = expected if frame.time is None else frame.time - self.origin
        if time - expected > MAX_GAP:
            raise MediaError("undecodable", f"time stamps jump from {expected:.2f} s to {time:.2f} s")
        picture = self._pixels(frame)
        if self.pictures and picture.shape != self.pictures[0].shape:
            raise MediaError("undecodable", f"the picture changes from {self.pictures[0].shape} to {picture.shape}")
        self.times.append(time)
        self.pictures.append(picture)
        self.corrupt += bool(frame.is_corrupt)

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

    def finish(self, path: Path, damage: list[str], declared: float) -> UInt8:
        if not self.pictures:
            raise MediaError("truncated", f"{path}: not one picture can be decoded")
        spacing = np.diff(self.times)
        if (spacing > 0).any():  # surer than the header, where a container may write its clock's tick
            self.duration = float(np.median(spacing[spacing > 0]))
        out: list[UInt8] = []
        held, now, lost, stray = self.pictures[0], -self.duration, 0, 0
        for time, picture in zip(self._mended(), self.pictures, strict=True):
            if time <= now:
                stray += 1
                continue
            lost += max(0, round((time - now) / self.duration) - 1)
            while len(out) / FPS < time - TOLERANCE:
                out.append(held)
            held, now = picture, time
        end = now + self.duration
        while len(out) / FPS < end - TOLERANCE:
            out.append(held)
        if lost:
            damage.append(f"{lost} pictures lost, the one before held")
        if self.corrupt:
            damage.append(f"{self.corrupt} pictures decoded with errors")
        if stray:
            damage.append(f"{stray} pictures with time stamps out of order dropped")
        if declared - end > 0.5:
            damage.append(f"the picture ends at {end:.2f} s of {declared:.2f} s declared")
        return np.stack(out)


class _Sounds:
    """Places blocks of sound by time stamps."""

    def __init__(self, stream: Any, origin: float) -> None:
        self.rate = int(stream.codec_context.sample_rate)
        self.origin = origin
        self.blocks: list[tuple[int, Wave]] = []
        self.end: int | None = None

    def add(self, frame: av.AudioFrame) -> None:
        if frame.sample_rate != self.rate:
            raise MediaError("undecodable", f"the sampling rate changes from {self.rate} to {frame.sample_rate} Hz")
        wave = _mono(frame)
        start = self.end or 0
        if frame.time is not None:
            stamped = round((frame.time - self.origin) * self.rate)
            if self.end is None or abs(stamped - self.end) > TOLERANCE * self.rate:
                start = stamped
        if abs(start - (self.end or 0)) > MAX_GAP * self.rate:
            raise MediaError("undecodable", f"time stamps of the sound jump to {start / self.rate:.2f} s")
        self.blocks.append((start, wave))
        self.end = start + len(wave)

    def finish(self, path: Path, damage: list[str], rate: int) -> Wave:
        if self.end is None:
            raise MediaError("truncated", f"{path}: no sound can be decoded")
        wave = np.zeros(max(0, *(start + len(block) for start, block in self.blocks)), np.float32)
        gaps, previous = 0, None
        for start, block in self.blocks:
            gaps += previous is not None and start != previous
            previous = start + len(block)
            wave[max(start, 0) : max(previous, 0)] = block[max(-start, 0) :]
        if gaps:
            damage.append(f"{gaps} gaps in the sound, left silent")
        return resample(wave, self.rate, rate)


def _mono(frame: av.AudioFrame) -> Wave:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    return np.asarray(to_float(samples).mean(axis=0), np.float32) if len(samples) > 1 else to_float(samples[0])
