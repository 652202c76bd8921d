"""What one media file or landmark file tells the doctor: headers and time stamps, or all that `prepare` does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av

from v2sbench.audio import FPS, RATE, MediaError, cut_off
from v2sbench.corpora import Clip
from v2sbench.prepare.clips import LATE, MIN_FRAMES, prepare_clip
from v2sbench.prepare.crops import RoiError
from v2sbench.prepare.landmark_files import read_landmarks
from v2sbench.prepare.landmarks import from_landmarks
from v2sbench.prepare.media import MediaInfo, headers, open_media, videos


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one file tells of a clip, or what is wrong with it."""

    info: MediaInfo | None = None
    offset: float | None = None  # seconds by which the sound starts after the picture; None without both
    reason: str = ""  # why the clip cannot be used
    detail: str = ""
    damage: str = ""  # what the file lost though the clip can be used


def look(clip: Clip) -> Look:
    """Headers and time stamps of a clip's file; nothing is decoded (3 ms a GRID clip)."""
    try:
        with open_media(clip.media) as container:
            info = headers(container)
            spans = _spans(container) if clip.video else {}
    except MediaError as error:
        return Look(reason=error.reason, detail=error.detail)
    except (av.FFmpegError, OSError, ValueError) as error:
        return Look(reason="undecodable", detail=f"{type(error).__name__}: {error}")
    picture, sound = spans.get("video"), spans.get("audio")
    lost = [phrase for phrase in (cut_off(clip.media),) if phrase]
    reason = detail = ""
    if clip.video and info.video_codec is None:
        reason, detail = "no-video", f"{clip.media} has no video stream"
    elif info.audio_codec is None:
        reason, detail = "no-audio", f"{clip.media} has no audio stream"
    elif clip.video and (picture is None or sound is None):
        reason, detail = (
            "truncated",
            f"{clip.media}: not one packet of the {'sound' if picture else 'picture'} is there",
        )
    if reason or picture is None or sound is None:
        return Look(info=info, reason=reason, detail=detail, damage="; ".join(lost))
    length = picture.end - picture.start
    if round(length * FPS) < MIN_FRAMES:
        detail = f"{round(length * FPS)} frames, at least {MIN_FRAMES} are needed"
        return Look(info=info, reason="too-short", detail=detail)
    for kind, span in (("picture", picture), ("sound", sound)):
        if span.declared > span.packets:
            lost.append(f"{span.packets} of {span.declared} packets of the {kind} are there: its end is missing")
        if span.corrupt:
            lost.append(f"{span.corrupt} packets of the {kind} are marked as damaged")
    pictures = round(length * info.fps) if info.fps and not picture.declared else 0
    if pictures > picture.packets:
        lost.append(f"{pictures - picture.packets} of {pictures} pictures are lost")
    if picture.end - sound.end > LATE / RATE:
        lost.append(f"the sound ends {picture.end - sound.end:.2f} s before the picture")
    return Look(info=info, offset=sound.start - picture.start, damage="; ".join(lost))


@dataclass(kw_only=True)
class _Span:
    """The packets of one stream, in seconds on the file's clock."""

    declared: int  # packets that the file's index tells of; 0 without an index
    start: float = float("inf")
    end: float = float("-inf")
    packets: int = 0
    corrupt: int = 0


def _spans(container: Any) -> dict[str, _Span]:
    """The first video and the first audio stream, without decoding; a stream without a packet is not there."""
    streams = [*videos(container)[:1], *container.streams.audio[:1]]
    spans = {stream.type: _Span(declared=int(stream.frames)) for stream in streams}
    for packet in container.demux(streams):
        span = spans.get(packet.stream.type)  # None: a stream that turned up in the middle of a damaged file
        if span is None or not packet.size or packet.pts is None:
            continue
        if packet.is_discard:  # an encoder's priming
            span.declared -= 1
            continue
        span.start = min(span.start, float(packet.pts * packet.time_base))
        span.end = max(span.end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        span.packets += 1
        span.corrupt += packet.is_corrupt
    return {kind: span for kind, span in spans.items() if span.packets}


def look_at_landmarks(clip: Clip) -> Look | None:
    """Read a clip's landmarks as `prepare` does; None when they can be used."""
    assert clip.landmarks is not None
    try:
        rows = read_landmarks(clip.landmarks)
        from_landmarks(rows, len(rows))
    except RoiError as error:
        return Look(reason=error.reason, detail=error.detail)
    return None


def try_clip(clip: Clip, *, roi: str) -> Look:
    """Do to a clip what `prepare` does, and keep only what was wrong with it."""
    done = prepare_clip(clip, roi=roi)
    return Look(reason=done.reason, detail=done.detail, damage=done.damage)
