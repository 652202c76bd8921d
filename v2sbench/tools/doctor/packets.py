"""What a media file says of itself: headers and the time stamps of its packets, without decoding any.

Cheap (3 ms a GRID clip), so a whole corpus can be asked. It tells what stands at which second and what is plainly lost;
damage inside a packet shows only when it is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from v2sbench.audio import MediaError, cut_off
from v2sbench.prepare.media import MediaInfo, headers, open_media, videos


@dataclass(frozen=True, kw_only=True)
class Track:
    """The packets of one stream."""

    start: float
    """Seconds on the file's clock at which the first one is shown or heard; priming is not counted."""
    end: float
    """Seconds at which the last one ends."""
    packets: int
    """How many there are; of a picture, pictures."""
    declared: int
    """How many the file's index tells of; 0 without an index."""
    corrupt: int
    """Those of them that the container marks as damaged."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """One media file, not decoded."""

    info: MediaInfo
    """Its headers."""
    picture: Track | None
    """None without a picture, and when only the sound was asked for."""
    sound: Track | None
    """None without sound, and when only the sound was asked for: then headers tell enough."""
    lost: tuple[str, ...]
    """What is plainly missing, one phrase each."""

    @property
    def offset(self) -> float | None:
        """Seconds by which the sound starts after the picture."""
        return self.sound.start - self.picture.start if self.picture and self.sound else None

    @property
    def gap(self) -> float | None:
        """Seconds by which the sound ends before the picture."""
        return self.picture.end - self.sound.end if self.picture and self.sound else None


def contents(path: Path, *, video: bool = True) -> Contents:
    """Read headers and packets of `path`; without `video` its headers alone, since sound files can be long.

    Raises MediaError as `media.probe` does, and for a stream without one packet (truncated).
    """
    with open_media(path) as container:
        info, lost = headers(container), list(filter(None, [cut_off(path)]))
        tracks = _tracks(container, lost) if video else None
    picture = sound = None
    if tracks is not None:
        picture, sound = tracks.get("video"), tracks.get("audio")
        for kind, codec, track in (("picture", info.video_codec, picture), ("sound", info.audio_codec, sound)):
            if codec and track is None:
                raise MediaError("truncated", f"{path}: not one packet of the {kind} is there")
            if track and track.declared > track.packets:
                lost.append(f"{track.packets} of {track.declared} packets of the {kind} are there: its end is missing")
            if track and track.corrupt:
                lost.append(f"{track.corrupt} packets of the {kind} are marked as damaged")
        if picture and info.fps and not picture.declared:
            gone = round((picture.end - picture.start) * info.fps) - picture.packets
            if gone > 0:
                lost.append(f"{gone} of {picture.packets + gone} pictures are lost")
    return Contents(info=info, picture=picture, sound=sound, lost=tuple(lost))


def _tracks(container: InputContainer, lost: list[str]) -> dict[str, Track]:
    """First video and first audio stream; reading that stops early is told in `lost`."""
    spans: dict[str, list[tuple[float, float, bool]]] = {}
    declared: dict[str, int] = {}
    streams: list[Any] = [*videos(container)[:1], *container.streams.audio[:1]]
    for stream in streams:
        declared[stream.type] = int(stream.frames)
        spans[stream.type] = []
    try:
        for packet in container.demux(streams):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                if packet.is_discard:
                    declared[packet.stream.type] -= 1
                    continue
                start, end = packet.pts * packet.time_base, (packet.pts + (packet.duration or 0)) * packet.time_base
                spans[packet.stream.type].append((float(start), float(end), packet.is_corrupt))
    except av.FFmpegError as error:
        lost.append(f"reading stops early: {error.strerror}")
    return {
        kind: Track(
            start=min(start for start, _, _ in found),
            end=max(end for _, end, _ in found),
            packets=len(found),
            declared=max(0, declared[kind]),
            corrupt=sum(corrupt for _, _, corrupt in found),
        )
        for kind, found in spans.items()
        if found
    }
