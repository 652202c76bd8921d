"""Writes GRID's own media format, MPEG-1 with MP2 sound, with the same bytes every time.

MP2 has a codec delay of 481 samples (10.9 ms at 44.1 kHz): the encoder stamps the first packet 481 samples before the
picture's start, and a reader that goes by time stamps finds every sample at its place, to within the 90 kHz clock (half
a sample at 44.1 kHz). A reader that only counts samples is 10.9 ms late.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import FPS, Wave, quantise
from v2sbench.runtime import atomic

MP2_FRAME = 1152
"""Samples in one MP2 packet."""
MP2_DELAY = 481
"""Samples by which MP2 encoding and decoding are late together."""

UInt8 = NDArray[np.uint8]


def write_mpeg1(path: Path | str, frames: UInt8, wave: Wave, rate: int = 44_100, *, bit_rate: int = 1_200_000) -> None:
    """Write GRID's own format: MPEG-1 picture at 25 fps and MP2 stereo sound, the same bytes every time.

    frames: (F, H, W, 3) RGB uint8, H and W even.  wave: (T,) float32 mono in [-1, 1] at `rate` (32, 44.1 or 48 kHz).
    Colours are turned in integers and the codecs run bit-exact and with integer transforms, so that bytes do not depend
    on the processor.  `bit_rate` (bits per second) is the picture's.
    Raises ValueError for a shape that MPEG-1 cannot hold.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.shape[1] % 2 or frames.shape[2] % 2 or not len(frames):
        raise ValueError(f"frames are {frames.shape}, allowed are (F, H, W, 3) with F > 0, H and W even")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        container = av.open(str(temporary), "w", format="mpeg", options={"fflags": "+bitexact"})
        with container:
            video: Any = container.add_stream("mpeg1video", rate=FPS)
            video.height, video.width, video.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
            video.bit_rate = bit_rate
            video.codec_context.thread_count = 1
            video.options = {"flags": "+bitexact", "dct": "int", "idct": "simple", "g": "12", "bf": "0"}
            audio: Any = container.add_stream("mp2fixed", rate=rate)
            audio.layout, audio.bit_rate = "stereo", 256_000
            audio.options = {"flags": "+bitexact"}
            packets = [*_encode_video(video, frames), *_encode_audio(audio, wave, rate)]
            for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
                container.mux(packet)


def _encode_video(stream: Any, frames: UInt8) -> Iterator[Any]:
    for k, rgb in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(_yuv420(rgb), format="yuv420p")
        picture.pts, picture.time_base = k, Fraction(1, FPS)
        yield from stream.encode(picture)
    yield from stream.encode(None)


def _encode_audio(stream: Any, wave: Wave, rate: int) -> Iterator[Any]:
    size = MP2_FRAME  # MP2_DELAY of silence behind the sound flushes its last samples out
    pcm = np.zeros(ceil((len(wave) + MP2_DELAY) / size) * size, np.int16)
    pcm[: len(wave)] = quantise(wave)
    for start in range(0, len(pcm), size):
        block = np.repeat(pcm[start : start + size], 2).reshape(1, -1)
        sound = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
        sound.sample_rate, sound.pts, sound.time_base = rate, start, Fraction(1, rate)
        yield from stream.encode(sound)
    yield from stream.encode(None)


def _yuv420(rgb: UInt8) -> UInt8:
    """(H, W, 3) RGB -> (H * 3 / 2, W) planar 4:2:0, BT.601 limited range, in 8-bit fixed-point arithmetic."""
    height, width, _ = rgb.shape
    red, green, blue = (np.ascontiguousarray(rgb[..., k], np.int32) for k in range(3))
    luma = ((66 * red + 129 * green + 25 * blue + 128) >> 8) + 16
    wide = rgb.astype(np.uint16)
    fours = (wide[0::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 0::2] + wide[1::2, 1::2]).astype(np.int32)
    red, green, blue = np.moveaxis(fours, -1, 0)
    u = ((-38 * red - 74 * green + 112 * blue + 512) >> 10) + 128
    v = ((112 * red - 94 * green - 18 * blue + 512) >> 10) + 128
    planes = np.concatenate([luma.ravel(), u.ravel(), v.ravel()])
    return planes.astype(np.uint8).reshape(height * 3 // 2, width)
