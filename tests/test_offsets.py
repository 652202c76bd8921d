"""Where sounds and pictures come out, measured in samples and in pictures' own numbers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from scipy.signal import chirp, correlate

from tests.miniatures import fake
from tests.miniatures.drawing import FRAMES, GRID_RATE, GRID_SAMPLES
from tests.miniatures.drawing import chord as spoken
from tests.miniatures.mp4 import NTSC, write_mp4
from v2sbench.audio import FPS, RATE, SAMPLES_PER_FRAME, fit, resample
from v2sbench.prepare.media import decode

BITS = 10
"""Squares of a numbered picture."""


def swept(seconds, rate):
    """A sweep of 0.2 s every half second, on silence."""
    wave = np.zeros(round(seconds * rate), np.float32)
    time = np.arange(rate // 5) / rate
    sweep = (0.5 * np.hanning(len(time)) * chirp(time, 300, 0.2, 5000)).astype(np.float32)
    for start in range(rate // 5, len(wave) - rate // 5, rate // 2):
        wave[start : start + len(sweep)] = sweep
    return wave


def late(heard, meant):
    """Samples by which (T,) `heard` lags behind (T,) `meant`, to a fraction: the top of their cross-correlation."""
    length = min(len(heard), len(meant))
    against = correlate(heard[:length].astype(float), meant[:length].astype(float), "full", "fft")
    top = int(against.argmax())
    left, mid, right = against[top - 1 : top + 2]
    return top - (length - 1) + 0.5 * (left - right) / (left - 2 * mid + right)


def numbered(count):
    """(count, 16, 16 * BITS, 3) pictures: the squares are the bits of the picture's number."""
    bits = (np.arange(count)[:, None] >> np.arange(BITS)) & 1
    row = np.repeat(bits * 255, 16, axis=1).astype(np.uint8)
    return np.broadcast_to(row[:, None, :, None], (count, 16, 16 * BITS, 3)).copy()


def numbers(frames):
    """(F, 16, 16 * BITS) decoded pictures -> (F,) their numbers."""
    middles = frames[:, 8, 8::16] > 128
    return (middles << np.arange(BITS)).sum(axis=1)


# ---------------------------------------------------------------- sound


def test_the_measure_itself():
    wave = swept(2, RATE)
    assert late(wave, wave) == pytest.approx(0, abs=1e-6)
    assert late(np.concatenate([np.zeros(481, np.float32), wave]), wave) == pytest.approx(481, abs=1e-3)
    assert late(wave[7:], wave) == pytest.approx(-7, abs=1e-3)


@pytest.mark.parametrize("edits", [True, False], ids=["edit list", "no edit list"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("fps", [Fraction(25), NTSC], ids=["25", "29.97"])
def test_aac_priming_is_no_delay(tmp_path, rate, fps, edits):
    """1,024 samples of the encoder's own come first (21 ms at 48 kHz, 64 ms at 16 kHz); none of them is heard."""
    wave = swept(2, rate)
    write_mp4(tmp_path / "a.mp4", numbered(round(2 * fps)), wave, fps, rate, edits=edits)
    recording = decode(tmp_path / "a.mp4")
    assert recording.damage == (), "what is cut before time 0 is no gap"
    # without an edit list the sound is placed by the picture's clock of 1/12800 or 1/30000 s
    assert abs(late(recording.wave, resample(wave, rate, RATE))) < (0.1 if edits else 1.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        packets = sum(packet.size > 0 for packet in container.demux(audio=0))
    assert packets * 1024 >= len(wave) + 1024, "the priming is in the file"


def test_aac_without_a_picture(tmp_path):
    wave = swept(2, 44_100)
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44_100)
        stream.layout, stream.bit_rate = "mono", 128_000
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert abs(late(decode(tmp_path / "a.m4a", video=False).wave, resample(wave, 44_100, RATE))) < 0.1


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac"])
def test_sound_files_begin_where_they_were_written(tmp_path, suffix, rate):
    """An MP3's delay of 1,105 samples is told by its first frame; Vorbis and FLAC have none."""
    wave = swept(2, rate)
    soundfile.write(tmp_path / f"a.{suffix}", wave, rate)
    heard = decode(tmp_path / f"a.{suffix}", video=False).wave
    assert abs(late(heard, resample(wave, rate, RATE))) < 0.1
    assert len(heard) == pytest.approx(2 * RATE, abs=1)


def test_the_sound_of_grid_is_padded_and_never_stretched(tmp_path):
    """131,328 samples at 44.1 kHz are 22 ms less than 75 pictures."""
    fake("grid", tmp_path)
    recording = decode(tmp_path / "s1" / "bbaf2n.mpg")
    meant = resample(spoken("s1/bbaf2n", GRID_SAMPLES, GRID_RATE), GRID_RATE, RATE)
    assert recording.frames.shape[0] == FRAMES == 75
    assert len(meant) == 71_472
    for part in (slice(0, RATE), slice(RATE, 2 * RATE), slice(2 * RATE, 71_400)):
        assert abs(late(recording.wave[part], meant[part])) < 0.5, "in step from the first second to the last"
    fitted = fit(recording.wave[:71_472], 75)
    assert len(fitted) == 75 * SAMPLES_PER_FRAME == 72_000
    np.testing.assert_array_equal(fitted[:71_472], recording.wave[:71_472])
    assert not fitted[71_472:].any(), "528 samples, 22 ms"


@pytest.mark.parametrize("clip", ["s1/bbbf6n.mpg", "s2/pwij3p.mpg", "s30/bwwy5n.mpg", "s33/lbaa7a.mpg"])
def test_a_real_clip_of_grid(grid_root: Path, clip):
    path = grid_root / clip
    if not path.exists():
        pytest.skip(f"{clip} is not in this copy of GRID")
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    counted = np.concatenate([block.reshape(-1, 2) if len(block) == 1 else block.T for block in blocks])
    assert len(counted) == 131_328
    recording = decode(path)
    assert len(recording.frames) == 75
    plain = counted.astype(np.float64).mean(axis=1)
    meant = resample((plain / np.abs(plain).max()).astype(np.float32), 44_100, RATE)
    assert len(recording.wave) == len(meant) == 71_472
    assert abs(late(recording.wave, meant)) < 1e-3, "its packets begin at 0: nothing is moved"
    assert not fit(recording.wave, 75)[71_472:].any()


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("edits", [True, False], ids=["edit list", "no edit list"])
@pytest.mark.parametrize("fps", [NTSC, Fraction(24), Fraction(15), Fraction(25), Fraction(50), Fraction(60)], ids=str)
def test_the_picture_on_screen(tmp_path, fps, edits):
    """Frame k is the picture that is on screen at k/25 s: the last one that began by then, to 2 ms."""
    count = round(4 * fps)
    write_mp4(tmp_path / "a.mp4", numbered(count), swept(4, 48_000), fps, edits=edits)
    recording = decode(tmp_path / "a.mp4")
    moments = (np.arange(len(recording.frames)) / FPS + 0.002) * float(fps)
    on_screen = np.minimum(np.floor(moments + 1e-9).astype(int), count - 1)
    np.testing.assert_array_equal(numbers(recording.frames), on_screen)
    np.testing.assert_array_equal(recording.shown, on_screen)
    assert len(recording.frames) == pytest.approx(float(count / fps) * FPS, abs=0.96)


def test_pictures_that_are_held_unevenly(tmp_path):
    """Variable frame rate: each picture is held until the next one begins."""
    begins = [0, 40, 200, 210, 220, 500, 933]  # ms; 200 is seen, 210 never, 220 from 240 on
    with av.open(str(tmp_path / "a.mkv"), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 16 * BITS, 16, "gray"
        stream.codec_context.time_base = Fraction(1, 1000)
        for begin, picture in zip(begins, numbered(len(begins)), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:, :, 0]), format="gray")
            frame.pts, frame.time_base = begin, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = decode(tmp_path / "a.mkv", audio=False)
    seconds = np.arange(len(recording.frames)) / FPS
    on_screen = np.searchsorted(np.array(begins) / 1000, seconds + 0.002, side="right") - 1
    np.testing.assert_array_equal(recording.shown, on_screen)
    np.testing.assert_array_equal(numbers(recording.frames), on_screen)
    assert 3 not in recording.shown
