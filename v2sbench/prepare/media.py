"""Films and sound files in: pictures at 25 fps and sound on one clock.

    film        -- PyAV: pictures and blocks of sound with time stamps --> placed at their times --> Recording
    sound file  -- soundfile: seeks exactly ------------------------------------------------------> Recording

Time 0 of a recording is the start of its picture. Its sound is placed on that clock by time stamps, cut before 0, and
never stretched. By time stamps a damaged stream stays in step, too: the picture before a gap is held, the sound in a
gap is silent, and `Recording.damage` says what was lost (GRID's s4/bbaf2a has 71 of 75 pictures).

GRID's picture lasts 75 x 40 ms = 3.000 s, its sound 131,328 samples at 44.1 kHz = 2.978 s; both start at 0. MP2 has a
codec delay of 481 samples (10.9 ms), which our own films stamp away; GRID's packets start at 0 and say nothing of their
encoder's delay, so there a constant of up to 10.9 ms stays unknown.

Pictures are turned as the file's display matrix says; the sample aspect ratio is not applied (GRID is 360x288 in both
distributions).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from v2sbench.audio import (
    FPS,
    RATE,
    MediaError,
    Wave,
    check_file,
    check_rate,
    cut_off,
    read_sound,
    resample_stretch,
    samples_for,
)
from v2sbench.clips.store import UInt8

TOLERANCE = 0.002  # seconds by which a time stamp may be off, since containers round to 1 ms
MAX_GAP = 10.0  # seconds; a longer jump between two time stamps is damage that holding pictures cannot mend
SHUFFLED = 0.5  # seconds by which the stamps of pictures may be out of order
LACK = 0.5  # seconds that may be missing at the end without being told
MARGIN = 0.1  # seconds before a stretch in which a lost packet may still be heard or seen in it


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a file's headers declare; None where they do not, or without such a stream."""

    seconds: float | None
    width: int | None
    height: int | None
    fps: float | None
    video_codec: str | None  # FFmpeg's names
    rate: int | None  # Hz
    channels: int | None
    audio_codec: str | None


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A decoded file: pictures and sound, as far as asked for, on one clock.

    frames: (F, H, W) grey or (F, H, W, 3) RGB; frame k is the picture on screen at k/25 s.
    shown: (F,) which of the stream's own decoded pictures, counted from 0, each frame is. It takes what somebody
        measured in the file's own pictures to 25 fps.
    wave: (T,) mono; sample i is heard at i/rate s.
    damage: what was lost, one phrase each.
    """

    frames: UInt8 | None = None
    shown: NDArray[np.intp] | None = None
    wave: Wave | None = None
    damage: tuple[str, ...] = ()


def decode(
    path: Path | str,
    *,
    video: bool = True,
    audio: bool = True,
    colour: bool = False,
    rate: int = RATE,
    start: float | None = None,
    end: float | None = None,
) -> Recording:
    """Decode the picture and the sound of `path`, both placed by time stamps.

    start, end: the stretch that is wanted, in seconds on the recording's clock; the result's time 0 is `start`. Its
    samples are those of a whole decode, and so are its pictures when `start` is a whole number of 25ths. Sound files
    are sought in, films are decoded from their beginning. Sound or picture that ends before `end` gives a shorter
    result; damage outside of the stretch is not told.
    Undecodable packets are skipped and told in `Recording.damage`.
    Raises MediaError: missing, empty, undecodable, truncated (nothing can be decoded), too-short (nothing is left
    behind `start`), no-video, no-audio; ValueError unless 0 <= start < end.
    """
    part = Stretch(start=start or 0.0, end=inf if end is None else end)
    if not 0 <= part.start < part.end:
        raise ValueError(f"start {start} and end {end}: allowed is 0 <= start < end")
    path = Path(path)
    if audio and not video:
        try:
            return _decode_sound_file(path, rate, part)
        except MediaError as error:
            if error.reason != "undecodable":
                raise
    return _decode_film(path, video, audio, colour, rate, part)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The part of a recording that is wanted, in seconds on its clock."""

    start: float
    end: float  # may be infinite


def _decode_sound_file(path: Path, rate: int, part: Stretch) -> Recording:
    """A file that libsndfile reads; MediaError undecodable for any other and for a damaged one."""
    wave, _, lack = read_sound(path, rate, part.start, part.end)
    damage = _sound_damage(path, wave, rate, part)
    if part.end == inf and lack > LACK:
        damage.append(f"the last {lack:.2f} s of the sound are missing")
    if part.end == inf and (phrase := cut_off(path)):
        damage.append(phrase)
    return Recording(wave=wave, damage=tuple(damage))


def _decode_film(path: Path, video: bool, audio: bool, colour: bool, rate: int, part: Stretch) -> Recording:
    """Any file that FFmpeg reads, from its beginning."""
    damage: list[str] = []
    with open_media(path) as container:
        if video and not videos(container):
            raise MediaError("no-video", f"{path} has no video stream")
        if audio and not container.streams.audio:
            raise MediaError("no-audio", f"{path} has no audio stream")
        pictures = _Pictures(container, part, colour) if video else None
        sounds = _Sounds(container, part, rate) if audio else None
        tracks = [track for track in (pictures, sounds) if track is not None]
        for frame in _frames(container, [track.stream for track in tracks], damage, part):
            if pictures is not None and isinstance(frame, av.VideoFrame):
                pictures.add(frame)
            elif sounds is not None and isinstance(frame, av.AudioFrame):
                sounds.add(frame)
            if all(track.done for track in tracks):
                break
        frames, shown = pictures.finish(damage) if pictures is not None else (None, None)
        wave = sounds.finish(damage) if sounds is not None else None
    return Recording(frames=frames, shown=shown, wave=wave, damage=tuple(damage))


class _Pictures:
    """Collects decoded pictures with their times; at the end says which one is on screen at each 25th of a second."""

    def __init__(self, container: InputContainer, part: Stretch, colour: bool) -> None:
        self.container, self.part, self.colour = container, part, colour
        self.stream = _decodable(container, videos(container)[0])
        self.origin = _origin(container)
        self.spacing = float(1 / self.stream.average_rate) if self.stream.average_rate else 1 / FPS
        self.times: list[float] = []
        self.kept: list[UInt8] = []  # the last pictures, without those that are over before the stretch
        self.corrupt = 0

    @property
    def done(self) -> bool:
        """Whether all of the stretch is here, with some pictures more, since stamps may be out of order."""
        return bool(self.times) and self.times[-1] > self.part.end + SHUFFLED

    def add(self, frame: av.VideoFrame) -> None:
        """Take the next picture. MediaError for a mad time stamp, or a picture of another size."""
        expected = self.times[-1] + self.spacing if self.times else 0.0
        time = expected if frame.time is None else frame.time - self.origin
        if time - expected > MAX_GAP:
            raise MediaError("undecodable", f"time stamps jump from {expected:.2f} s to {time:.2f} s")
        picture = frame.to_ndarray(format="rgb24" if self.colour else "gray")
        picture = np.rot90(picture, round(frame.rotation / 90))  # both count counterclockwise
        if self.kept and picture.shape != self.kept[0].shape:
            raise MediaError("undecodable", f"the picture changes from {self.kept[0].shape} to {picture.shape}")
        if time < self.part.start - SHUFFLED:
            self.kept.clear()
        self.times.append(time)
        self.kept.append(np.asarray(picture, np.uint8))
        self.corrupt += bool(frame.is_corrupt) and self.part.start - self.spacing < time < self.part.end

    def finish(self, damage: list[str]) -> tuple[UInt8, NDArray[np.intp]]:
        """The pictures at 25 moments a second, and which of the decoded ones they are; adds to `damage`."""
        path = self.container.name
        if not self.times:
            raise MediaError("truncated", f"{path}: not one picture can be decoded")
        steps = np.diff(self.times)
        if (steps > 0).any():  # surer than the header, where a container may write its clock's tick
            self.spacing = float(np.median(steps[steps > 0]))
        times = _in_order(np.array(self.times), self.spacing)
        if self.container.format.name == "avi":  # holds no stamps; those made of it are late by the decoder's delay
            times -= times[0]
        start, end = self.part.start, min(times[-1] + self.spacing, self.part.end)
        moments = start + np.arange(ceil((end - TOLERANCE - start) * FPS)) / FPS
        if not len(moments):
            raise MediaError("too-short", f"{path}: the picture ends at {end:.2f} s, before {start:.2f} s")
        shown = np.searchsorted(times, moments + TOLERANCE, "right") - 1
        shown = np.maximum(shown, 0)  # before the first picture, that is the first

        before = np.concatenate([[-self.spacing], times[:-1]])
        gaps = (times - before)[(times > start) & (before < end)]
        lost = int(np.maximum(np.round(gaps / self.spacing) - 1, 0).sum())
        if lost:
            damage.append(f"{lost} pictures lost, the one before held")
        if self.corrupt:
            damage.append(f"{self.corrupt} pictures decoded with errors")
        declared = (self.container.duration or 0) / av.time_base
        declared -= max(0.0, self.origin)  # a Matroska file that starts late declares its end and not its length
        if min(declared, self.part.end) - end > LACK:
            damage.append(f"the picture ends at {end:.2f} s of {declared:.2f} s declared")
        dropped = len(times) - len(self.kept)
        return np.stack([self.kept[max(0, k - dropped)] for k in shown]), shown


def _in_order(times: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """(n,) stamps of pictures in the order of showing, in which decoders give them -> the same, ascending.

    FFmpeg mixes up the stamps of neighbours in an AVI with B-frames, and where two pictures begin in one packet of an
    MPEG program stream: then pictures are evenly spaced when none is lost, and have each other's stamps otherwise. A
    stamp that lies further back is wrong, and its picture is not shown.
    """
    ordered = np.sort(times)
    even = ordered[0] + np.arange(len(times)) * spacing
    if (np.diff(times) <= 0).any() and np.abs(ordered - even).max() < 1.5 * spacing:
        return np.asarray(even)
    if np.abs(ordered - times).max() < SHUFFLED:
        return ordered
    return np.asarray(np.maximum.accumulate(times))


class _Sounds:
    """Collects blocks of sound with their places; at the end lays them out, silent where none is."""

    def __init__(self, container: InputContainer, part: Stretch, rate: int) -> None:
        self.path, self.part, self.rate = Path(container.name), part, rate
        self.stream = _decodable(container, container.streams.audio[0])
        self.origin = _origin(container)
        self.source = check_rate(int(self.stream.codec_context.sample_rate), self.path)
        self.low, self.high = samples_for(part.start, part.end, self.source, rate)
        self.blocks: list[tuple[int, Wave]] = []
        self.end: int | None = None  # the sample after the last one

    @property
    def done(self) -> bool:
        """Whether all of the stretch is here."""
        return self.end is not None and self.end >= self.high

    def add(self, frame: av.AudioFrame) -> None:
        """Take the next block. MediaError for a mad time stamp, or another rate."""
        if frame.sample_rate != self.source:
            raise MediaError("undecodable", f"the sampling rate changes from {self.source} to {frame.sample_rate} Hz")
        start = self.end or 0
        if frame.time is not None:
            stamped = round((frame.time - self.origin) * self.source)
            if self.end is None or abs(stamped - self.end) > TOLERANCE * self.source:
                start = stamped
        if abs(start - (self.end or 0)) > MAX_GAP * self.source:
            raise MediaError("undecodable", f"time stamps of the sound jump to {start / self.source:.2f} s")
        wave = _mono(frame)
        self.end = start + len(wave)
        if self.end > self.low and start < self.high:
            self.blocks.append((start, wave))

    def finish(self, damage: list[str]) -> Wave:
        """The sound of the stretch at the wanted rate; adds to `damage`."""
        if self.end is None:
            raise MediaError("truncated", f"{self.path}: no sound can be decoded")
        ends = [start + len(block) for start, block in self.blocks]
        wave = np.zeros(max([0, *ends]) - self.low if ends else 0, np.float32)
        for start, block in self.blocks:
            at = start - self.low
            wave[max(at, 0) : max(at + len(block), 0)] = block[max(-at, 0) :]
        gaps = sum(start != end for (start, _), end in zip(self.blocks[1:], ends, strict=False))
        if gaps:
            damage.append(f"{gaps} gaps in the sound, left silent")
        out = resample_stretch(wave, self.low, self.part.start, self.part.end, self.source, self.rate)
        damage += _sound_damage(self.path, out, self.rate, self.part)
        return out


def _sound_damage(path: Path, wave: Wave, rate: int, part: Stretch) -> list[str]:
    """Whether the sound ends before the stretch does; MediaError too-short when nothing of it is there."""
    if part.start and not len(wave):
        raise MediaError("too-short", f"{path}: the sound ends before {part.start:.2f} s")
    end = part.start + len(wave) / rate
    if end < part.end < inf and part.end - end > LACK:
        return [f"the sound ends at {end:.2f} s of {part.end:.2f} s asked for"]
    return []


def _mono(frame: av.AudioFrame) -> Wave:
    """The mean of a block's channels, (T,) in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    kind = samples.dtype
    if kind == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif kind.kind == "i":
        samples = samples / 2.0 ** (8 * kind.itemsize - 1)
    return np.asarray(samples.astype(np.float32).mean(axis=0))


def _frames(container: InputContainer, streams: list[Any], damage: list[str], part: Stretch) -> Iterator[Any]:
    """Every frame that can be decoded; packets of the stretch that cannot are counted in `damage`."""
    for stream in streams:
        stream.codec_context.thread_count = 1
    bad, last = 0, ""
    try:
        for packet in container.demux(streams):
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                time = None if packet.pts is None else float(packet.pts * packet.time_base) - _origin(container)
                if time is None or part.start - MARGIN < time < part.end:
                    bad, last = bad + 1, str(error.strerror)
    except av.FFmpegError as error:
        damage.append(f"reading stopped early: {error.strerror}")
    if bad:
        damage.append(f"{bad} packets undecodable: {last}")


def open_media(path: Path) -> InputContainer:
    """Open `path` for reading, in a `with`. Raises MediaError: missing, empty, undecodable, truncated."""
    check_file(path)
    try:
        return av.open(str(path))
    except av.FFmpegError as error:
        with path.open("rb") as file:
            mp4 = file.read(8)[4:] == b"ftyp"
        if mp4:
            detail = f"{path}: {error.strerror} (an MP4 that lost its index, its end is missing)"
            raise MediaError("truncated", detail) from error
        raise MediaError("undecodable", f"{path}: {error.strerror}") from error


def probe(path: Path | str) -> MediaInfo:
    """What the headers of `path` declare. Raises MediaError: missing, empty, undecodable, truncated."""
    with open_media(Path(path)) as container:
        return headers(container)


def headers(container: InputContainer) -> MediaInfo:
    """What the headers of an open file declare. Raises MediaError undecodable for a codec without a decoder."""
    video = _decodable(container, next(iter(videos(container)), None))
    audio = _decodable(container, next(iter(container.streams.audio), None))
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


def videos(container: InputContainer) -> list[Any]:
    """The streams of pictures in an open file; a cover that is bound into a sound file is none."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _decodable(container: InputContainer, stream: Any) -> Any:
    """`stream`; MediaError undecodable when FFmpeg has no decoder for it, and so PyAV no context."""
    if stream is not None and stream.codec_context is None:
        raise MediaError("undecodable", f"{container.name}: no decoder for the codec of its {stream.type}")
    return stream


def _origin(container: InputContainer) -> float:
    """Seconds on the container's clock at which the recording starts: its picture, else its sound."""
    stream = (videos(container) or container.streams.audio)[0]
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)
