"""Writes MP4 as TCD-TIMIT and LRW come: H.264 picture, AAC sound.

An AAC encoder puts 1,024 samples of its own before the sound (priming). The files written here say so by an edit list,
as what FFmpeg writes does, so that a reader that goes by time stamps finds every sample at its place.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2sbench.runtime import atomic

NTSC = Fraction(30_000, 1001)
"""Frames a second of a TCD-TIMIT picture, about 29.97."""
AAC_FRAME = 1024
"""Samples in one AAC packet, and of priming."""
SOUND_RATE = 48_000
"""Hz of the miniatures' sound."""

UInt8 = NDArray[np.uint8]


def write_mp4(
    path: Path, frames: UInt8, wave: NDArray[np.float32], fps: Fraction, rate: int = SOUND_RATE, *, edits: bool = True
) -> None:
    """Write an MP4 of H.264 with B-pictures, 4:2:0, and mono AAC; both begin at time 0.

    frames: (F, H, W, 3) RGB uint8, H and W even.  wave: (T,) float32 in [-1, 1] at `rate` Hz.  fps: pictures a second.
    edits: whether an edit list tells of the priming; without one the whole file is shifted instead, so that no time
    stamp is negative, and the picture starts after the file does.
    """
    import av

    with atomic(path) as draft:
        moved = {} if edits else {"use_editlist": "0"}
        with av.open(str(draft), "w", format="mp4", options={"fflags": "+bitexact", **moved}) as container:
            video: Any = container.add_stream("libx264", rate=fps)
            video.height, video.width, video.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
            video.codec_context.thread_count = 1
            video.options = {"preset": "veryfast", "crf": "20", "bf": "2"}
            audio: Any = container.add_stream("aac", rate=rate)
            audio.layout, audio.bit_rate = "mono", 128_000
            audio.options = {"flags": "+bitexact"}
            packets: list[Any] = []
            for k, rgb in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
                picture.pts, picture.time_base = k, 1 / fps
                packets += video.encode(picture)
            packets += video.encode(None)
            padded = np.zeros(ceil(len(wave) / AAC_FRAME) * AAC_FRAME, np.float32)
            padded[: len(wave)] = wave
            for start in range(0, len(padded), AAC_FRAME):
                block = padded[None, start : start + AAC_FRAME]
                sound = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = rate, start, Fraction(1, rate)
                packets += audio.encode(sound)
            packets += audio.encode(None)
            for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
                container.mux(packet)
