"""Media in: decoding by time stamps.  With `pcm` and `mpeg1`, whose names it offers too, the project's only media I/O.

`decode` opens a file, seeks where that is exact, and hands what comes out of the decoders to `tracks`.

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
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from v2sbench.audio import (
    RATE,
    MediaError,
    Wave,
    check_file,
    cut_off,
)
from v2sbench.clips.store import UInt8
from v2sbench.prepare.tracks import Missed, Pictures, Sounds, Stretch

PREROLL = 1.0
"""Seconds before a stretch at which decoding begins: what a codec carries over from block to block is right by then."""
EXACT = frozenset({"flac", "mov", "mp3", "ogg", "wav"})
"""FFmpeg's names of containers that are sought in: their clocks count samples. Any other is decoded from its start."""

_LOG = logging.getLogger(__name__)


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
    shown: NDArray[np.intp] | None
    """(F,) which of the stream's own decoded pictures, counted from 0, each frame is: takes what somebody measured in
    the file's own pictures to 25 fps. None without pictures, and where those before `start` were not decoded."""
    wave: Wave | None
    """(T,) float32 in [-1, 1], mono; sample i is heard at i/rate s."""
    damage: tuple[str, ...]
    """What was lost, one phrase each; empty for a sound file."""


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
    """Decode picture and sound of `path` in one pass, both placed by time stamps.

    start, end: seconds on the recording's clock, of the stretch that is wanted; the result's time 0 is `start`. Its
    samples are those of a whole decode, and so are its pictures when `start` is a whole number of 25ths. Sound or
    picture that ends before `end` gives a shorter result, which is told; what is lost outside the stretch is not.
    Undecodable packets are skipped and told in `Recording.damage`.
    Raises MediaError: missing, empty, undecodable, truncated (not one frame can be decoded), too-short (nothing is left
    behind `start`), no-video, no-audio; ValueError unless 0 <= start < end.
    """
    first, last = start or 0.0, inf if end is None else end
    if not 0 <= first < last:
        raise ValueError(f"start {start} and end {end}: allowed is 0 <= start < end")
    path, part = Path(path), Stretch(start=first, end=last)
    if first > PREROLL:
        try:
            return _decode(path, video, audio, colour, rate, replace(part, sought=True))
        except Missed:
            pass
    return _decode(path, video, audio, colour, rate, part)


def _decode(path: Path, video: bool, audio: bool, colour: bool, rate: int, part: Stretch) -> Recording:
    """The stretch `part`; Missed when it was to be sought and that cannot be done exactly."""
    with open_media(path) as container:
        films = videos(container)
        if video and not films:
            raise MediaError("no-video", f"{path} has no video stream")
        if audio and not container.streams.audio:
            raise MediaError("no-audio", f"{path} has no audio stream")
        damage: list[str] = []
        streams: list[Any] = films[:1] * video + [*container.streams.audio[:1]] * audio
        for stream in streams:
            _decodable(container, stream).codec_context.thread_count = 1
        part = replace(part, origin=_origin(container))
        if part.sought:
            _seek(container, streams[0], part)
        pictures = Pictures(films[0], part, colour) if video else None
        sounds = Sounds(container.streams.audio[0], part, rate, alone=not films) if audio else None
        for frame in _frames(container, streams, damage, part):
            if isinstance(frame, av.VideoFrame):
                assert pictures is not None  # only the asked-for streams are demultiplexed
                pictures.add(frame)
            else:
                assert sounds is not None
                sounds.add(frame)
            if all(track.done for track in (pictures, sounds) if track is not None):
                break
        declared = container.duration / av.time_base if container.duration else 0.0
    if part.end == inf and (lack := cut_off(path)):
        damage.append(lack)
    frames, shown = pictures.finish(str(path), damage, declared) if pictures else (None, None)
    wave = sounds.finish(str(path), damage) if sounds else None
    return Recording(frames=frames, shown=None if part.sought else shown, wave=wave, damage=tuple(damage))


def _seek(container: InputContainer, stream: Any, part: Stretch) -> None:
    """Go to the last place before the stretch from which all of it can be decoded."""
    if stream.time_base is None or container.format.name.split(",")[0] not in EXACT:
        raise Missed
    try:
        container.seek(int((part.origin + part.start - PREROLL) / stream.time_base), stream=stream)
    except av.FFmpegError as error:
        raise Missed from error


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
    with open_media(Path(path)) as container:
        return headers(container)


def headers(container: InputContainer) -> MediaInfo:
    """What the headers of an open file declare.  Raises MediaError undecodable for a codec without a decoder."""
    video = next(iter(videos(container)), None)
    audio = container.streams.audio[0] if container.streams.audio else None
    for stream in filter(None, (video, audio)):
        _decodable(container, stream)
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


def open_media(path: Path) -> InputContainer:
    """Open `path` for reading; to be used in a `with`.  Raises MediaError: missing, empty, undecodable, truncated."""
    check_file(path)
    try:
        return av.open(str(path))
    except av.FFmpegError as error:
        with path.open("rb") as file:
            mp4 = file.read(8)[4:] == b"ftyp"
        detail = f"{path}: {error.strerror}" + (" (an MP4 that lost its index, its end is missing)" if mp4 else "")
        raise MediaError("truncated" if mp4 else "undecodable", detail) from error


def videos(container: InputContainer) -> list[Any]:
    """Streams of pictures in an open file; the cover that is bound into a sound file is none."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _decodable(container: InputContainer, stream: Any) -> Any:
    """`stream`, unless its codec is not known: then PyAV gives it no context."""
    if stream.codec_context is None:
        raise MediaError("undecodable", f"{container.name}: no decoder for the codec of its {stream.type}")
    return stream


def _origin(container: InputContainer) -> float:
    """Seconds on the container's clock at which the recording starts: its first picture, else its first sound."""
    stream = (videos(container) or container.streams.audio)[0]
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _frames(container: InputContainer, streams: list[Any], damage: list[str], part: Stretch) -> Iterator[Any]:
    """Every frame that can be decoded; packets that cannot are counted in `damage`.

    A decoder that starts in the middle may refuse its first packets: before the stretch nobody counts.
    """
    bad, last = 0, ""
    try:
        for packet in container.demux(streams):
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                if not part.holds(packet):
                    continue
                bad, last = bad + 1, str(error.strerror)
    except av.FFmpegError as error:
        damage.append(f"reading stopped early: {error.strerror}")
    if bad:
        damage.append(f"{bad} packets undecodable: {last}")


def _tell(path: Path | str, recording: Recording) -> None:
    for phrase in recording.damage:
        _LOG.warning("%s: %s", path, phrase)
