"""Parts of files: a stretch that is decoded alone is the slice of the whole."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.miniatures.mp4 import NTSC, write_mp4
from tests.test_offsets import numbered, numbers
from v2sbench.audio import FPS, RATE, REASONS, MediaError, quantise
from v2sbench.prepare.media import decode, probe
from v2sbench.talker.films import write_mpeg1

SECONDS = 8.4
SOUNDS = ("a.wav", "a.flac", "a.ogg", "a.mp3", "b.mp3", "a.opus", "a.m4a", "a.mka")


def speech(seconds, rate):
    """Noise that swells: every stretch of it is like no other."""
    draw = np.random.default_rng(7)
    count = round(seconds * rate)
    swell = 0.5 - 0.4 * np.cos(np.arange(count) / rate * 5)
    return (0.1 * swell * draw.standard_normal(count)).astype(np.float32)


def encode(path, codec, rate, form, options):
    """Sound by FFmpeg's encoders."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout, stream.options = "mono", options
        pcm = speech(SECONDS, rate)[None]
        kind = stream.codec_context.format.name
        pcm = pcm if kind.startswith("flt") else quantise(pcm)
        frame = av.AudioFrame.from_ndarray(pcm, format=kind, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The sounds, and films with an edit list and without one, of 29.97 and 25 pictures a second."""
    out = tmp_path_factory.mktemp("stretches")
    for name, rate in (("a.wav", 44_100), ("a.flac", 48_000), ("a.ogg", 44_100), ("a.mp3", 44_100), ("b.mp3", 24_000)):
        soundfile.write(out / name, speech(SECONDS, rate), rate)
    encode(out / "a.opus", "libopus", 48_000, "ogg", {})
    encode(out / "a.m4a", "aac", 44_100, "mp4", {"aac_pns": "0"})  # else noise is drawn anew in each decoding
    encode(out / "a.mka", "flac", 44_100, "matroska", {})
    for name, fps, edits in (("a.mp4", Fraction(25), True), ("b.mp4", NTSC, False)):
        write_mp4(out / name, numbered(round(SECONDS * fps)), speech(SECONDS, 48_000), fps, edits=edits)
    write_mpeg1(out / "a.mpg", numbered(round(SECONDS * FPS)), speech(SECONDS, 44_100))
    return out


@pytest.fixture(scope="module")
def wholes(folder):
    return {name: decode(folder / name, video=False).wave for name in SOUNDS}


@given(name=st.sampled_from(SOUNDS), start=st.floats(0, SECONDS - 0.1), seconds=st.floats(0.05, 5))
@settings(max_examples=30, deadline=None)
def test_a_stretch_is_the_slice_of_the_whole(folder, wholes, name, start, seconds):
    part = decode(folder / name, video=False, start=start, end=start + seconds)
    first = round(start * RATE)
    count = round((start + seconds - start) * RATE)
    np.testing.assert_allclose(part.wave, wholes[name][first:][:count], atol=1e-7)  # 0 but for MP3, at 1.5e-8
    assert bool(part.damage) == (count - len(part.wave) > RATE // 2)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_stretch_at_another_rate(folder, rate):
    whole = decode(folder / "a.mp3", video=False, rate=rate).wave
    part = decode(folder / "a.mp3", video=False, rate=rate, start=4.321, end=5.5).wave
    first = round(4.321 * rate)
    np.testing.assert_allclose(part, whole[first : first + round((5.5 - 4.321) * rate)], atol=1e-7)


def test_an_open_end_and_an_end_behind_the_last_sample(folder, wholes):
    for end, told in ((None, ()), (SECONDS + 5, ("the sound ends at 8.40 s of 13.40 s asked for",))):
        part = decode(folder / "a.ogg", video=False, start=6.0, end=end)
        assert part.damage == told
        np.testing.assert_array_equal(part.wave, wholes["a.ogg"][6 * RATE :])
    np.testing.assert_array_equal(decode(folder / "a.ogg", video=False, end=0.5).wave, wholes["a.ogg"][: RATE // 2])


@pytest.mark.parametrize("name", ["a.mp4", "b.mp4", "a.mpg"])
@pytest.mark.parametrize(("start", "end"), [(0.4, 1.2), (2.0, 2.04), (5.72, 7.0), (8.0, None)])
def test_a_stretch_of_a_film(folder, name, start, end):
    whole, part = decode(folder / name), decode(folder / name, start=start, end=end)
    frames = slice(round(start * FPS), end and round(end * FPS))
    np.testing.assert_array_equal(part.frames, whole.frames[frames])
    np.testing.assert_array_equal(part.wave, whole.wave[round(start * RATE) : end and round(end * RATE)])
    np.testing.assert_array_equal(part.shown, whole.shown[frames])
    np.testing.assert_array_equal(part.shown, numbers(part.frames))


def test_damage_before_the_stretch_is_not_told(folder, tmp_path):
    data = bytearray((folder / "a.mp3").read_bytes())
    data[9000:12000] = bytes(3000)
    (tmp_path / "a.mp3").write_bytes(data)
    assert decode(tmp_path / "a.mp3", video=False).damage
    assert decode(tmp_path / "a.mp3", video=False, start=6.0, end=7.0).damage == ()


@given(
    name=st.sampled_from(["a.ogg", "a.mp3", "a.flac", "a.m4a", "a.mp4", "a.mpg", "a.wav"]),
    seed=st.integers(0, 2**32 - 1),
    start=st.floats(0, SECONDS),
)
@settings(max_examples=30, deadline=None)
def test_noise_in_a_file_ends_in_a_stretch_or_in_a_reason(folder, tmp_path_factory, name, seed, start):
    """Overwritten, cut off, or both: a stretch of about the right length, or an error that has one of the reasons."""
    draw = np.random.default_rng(seed)
    data = bytearray((folder / name).read_bytes())
    at = int(draw.integers(0, len(data) - 2000))
    data[at : at + 2000] = draw.bytes(2000)
    path = tmp_path_factory.mktemp("noise") / name
    path.write_bytes(data[: int(draw.integers(len(data) // 2, len(data) * 2))])
    try:
        part = decode(path, video=name in ("a.mp4", "a.mpg"), start=start, end=start + 1)
        frames, samples, reason = part.frames, len(part.wave), "truncated"
    except MediaError as error:
        frames, samples, reason = None, 0, error.reason
    assert reason in REASONS
    assert samples <= RATE + 1
    assert frames is None or 0 < len(frames) <= FPS + 1


@pytest.mark.parametrize(("start", "end"), [(-0.1, 1), (1, 1), (2, 1), (float("nan"), 1), (0, 0)])
def test_no_stretch_at_all(folder, start, end):
    with pytest.raises(ValueError, match="0 <= start < end"):
        decode(folder / "a.wav", video=False, start=start, end=end)


@pytest.mark.parametrize("name", ["a.wav", "a.ogg", "a.mp3", "a.mp4"])
def test_a_stretch_behind_the_end(folder, name):
    with pytest.raises(MediaError, match="before 30") as caught:
        decode(folder / name, video=name == "a.mp4", start=30.0, end=31.0)
    assert caught.value.reason == "too-short"


def test_a_cover_is_no_picture(tmp_path):
    """Its clock is not the sound's, and it is no film."""
    picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), format="rgb24")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 64, "rgb24", Fraction(1, 25)
    image = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    bare = io.BytesIO()
    soundfile.write(bare, speech(3, 44_100), 44_100, format="MP3")
    body = b"\0image/png\0\3\0" + image  # ID3v2.3: text encoding, type, front cover, no description, bytes
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    (tmp_path / "a.mp3").write_bytes(b"ID3\3\0\0" + size + frame + bare.getvalue())
    (tmp_path / "b.mp3").write_bytes(bare.getvalue())
    with av.open(str(tmp_path / "a.mp3")) as container:
        assert len(container.streams.video) == 1
    assert probe(tmp_path / "a.mp3").video_codec is None
    with_cover, without = (decode(tmp_path / name, video=False).wave for name in ("a.mp3", "b.mp3"))
    np.testing.assert_array_equal(with_cover, without)
    with pytest.raises(MediaError, match="no-video"):
        decode(tmp_path / "a.mp3")
