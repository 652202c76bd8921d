"""Films: the clock, the codecs' delays, turned pictures, damage."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.miniatures.mp4 import write_mp4
from tests.test_audio import chord
from v2sbench.audio import FPS, RATE, SAMPLES_PER_FRAME, MediaError, fit, quantise, read_wav, write_wav
from v2sbench.prepare.media import TOLERANCE, decode, probe
from v2sbench.talker import films as mpeg1
from v2sbench.talker.films import write_mpeg1


def frames_of(path, **options):
    return decode(path, audio=False, **options).frames


def wave_of(path, **options):
    return decode(path, video=False, **options).wave


def pictures(levels, height=48, width=64):
    """Flat RGB pictures of the given grey levels."""
    levels = np.asarray(levels, np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (len(levels), height, width, 3)).copy()


def textured(count, height=96, width=128, seed=0):
    """Pictures with noise: large enough in bytes to start one packet each."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def write_mkv(path, levels, ticks, base, sound=(), rate=RATE, pix_fmt="gray"):
    """Lossless Matroska: flat pictures at `ticks` of `base` seconds, blocks of (start sample, PCM16 wave)."""
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("ffv1", rate=Fraction(1) / base) if len(levels) else None
        audio = container.add_stream("pcm_s16le", rate=rate, layout="mono") if sound else None
        packets = []
        if video:
            video.width, video.height, video.pix_fmt, video.codec_context.time_base = 32, 16, pix_fmt, base
        for level, tick in zip(levels, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32), level, np.uint8), format="gray")
            if pix_fmt != "gray":
                frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = tick, base
            packets += video.encode(frame)
        packets += video.encode(None) if video else []
        for start, wave in sound:
            frame = av.AudioFrame.from_ndarray(quantise(wave)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            packets += audio.encode(frame)
        packets += audio.encode(None) if audio else []
        for packet in sorted(packets, key=lambda packet: packet.pts * packet.time_base):
            container.mux(packet)
    return path


# ---------------------------------------------------------------- MPEG-1


def test_mpeg1_bytes_are_stable(tmp_path):
    for name in ("a.mpg", "b.mpg"):
        write_mpeg1(tmp_path / name, textured(10), chord(0.4, 44_100))
    assert (tmp_path / "a.mpg").read_bytes() == (tmp_path / "b.mpg").read_bytes()
    info = probe(tmp_path / "a.mpg")
    assert (info.width, info.height, info.fps) == (128, 96, 25)
    assert (info.video_codec, info.audio_codec, info.rate, info.channels) == ("mpeg1video", "mp2", 44_100, 2)


@given(st.integers(1, 40), st.sampled_from([32_000, 44_100, 48_000]))
@settings(max_examples=8, deadline=None)
def test_mpeg1_keeps_the_number_of_pictures(tmp_path_factory, count, rate):
    path = tmp_path_factory.mktemp("mpg") / "a.mpg"
    write_mpeg1(path, textured(count), chord(count / FPS, rate), rate)
    recording = decode(path)
    assert len(recording.frames) == count
    assert len(recording.wave) >= count * SAMPLES_PER_FRAME  # the codec's last packet is padded
    assert recording.damage == ()


@given(st.integers(300, 40_000))
@settings(max_examples=10, deadline=None)
def test_sound_comes_back_at_its_sample(tmp_path_factory, place):
    """The delay of MP2 is taken off by time stamps, to within the 90 kHz clock of the container."""
    path = tmp_path_factory.mktemp("mpg") / "a.mpg"
    wave = np.zeros(44_100, np.float32)
    wave[place] = 0.9
    write_mpeg1(path, textured(25), wave)
    assert int(wave_of(path, rate=44_100).argmax()) == place
    assert abs(int(wave_of(path).argmax()) - place * RATE / 44_100) <= 1
    with av.open(str(path)) as container:
        counted = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert int(counted.argmax()) - place == mpeg1.MP2_DELAY == 481


def test_the_last_samples_are_not_lost(tmp_path):
    wave = chord(1.0, 44_100)
    write_mpeg1(tmp_path / "a.mpg", textured(25), wave)
    back = wave_of(tmp_path / "a.mpg", rate=44_100)[: len(wave)]
    assert np.corrcoef(back[-1000:], wave[-1000:])[0, 1] > 0.999


def test_mpeg1_keeps_the_grey(tmp_path):
    """Small pictures, too, several of which begin in one packet of the stream and then carry wrong time stamps."""
    levels = np.arange(75) * 3
    write_mpeg1(tmp_path / "a.mpg", pictures(levels, 288, 360), chord(3.0, 44_100))
    recording = decode(tmp_path / "a.mpg")
    np.testing.assert_allclose(recording.frames[:, 100, 100], levels, atol=2)
    assert recording.damage == ()


def test_mpeg1_keeps_the_colours(tmp_path):
    rgb = np.zeros((5, 64, 96, 3), np.uint8)
    rgb[:, :, :32, 0] = rgb[:, :, 32:64, 1] = rgb[:, :, 64:, 2] = 220
    write_mpeg1(tmp_path / "a.mpg", rgb, chord(0.2, 44_100))
    back = frames_of(tmp_path / "a.mpg", colour=True)
    assert back.shape == rgb.shape
    for column, place in ((16, 0), (48, 1), (80, 2)):
        np.testing.assert_allclose(back[2, 32, column], rgb[2, 32, column], atol=12, err_msg=str(place))


@pytest.mark.parametrize("shape", [(0, 48, 64, 3), (3, 47, 64, 3), (3, 48, 64), (3, 48, 64, 4)])
def test_mpeg1_refuses_other_shapes(tmp_path, shape):
    with pytest.raises(ValueError, match="allowed are"):
        write_mpeg1(tmp_path / "a.mpg", np.zeros(shape, np.uint8), chord(0.1, 44_100))
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- time stamps


@pytest.mark.parametrize(
    ("rate", "count"),
    [(Fraction(30_000, 1001), 90), (Fraction(25), 30), (Fraction(50), 61), (Fraction(24), 48), (Fraction(10), 20)],
)
def test_other_frame_rates_by_what_is_on_screen(tmp_path, rate, count):
    levels = np.arange(count) * 2
    path = write_mkv(tmp_path / "a.mkv", levels, range(count), 1 / rate)  # Matroska rounds stamps to milliseconds
    frames = frames_of(path)
    assert len(frames) == int(np.ceil(float(count / rate) * FPS - 0.05))
    shown = frames[:, 0, 0] // 2
    seconds = np.arange(len(frames)) / FPS
    assert (shown / float(rate) <= seconds + TOLERANCE + 6e-4).all()
    assert ((shown + 1) / float(rate) > seconds + TOLERANCE - 6e-4).sum() >= len(frames) - 1  # but the last


def test_variable_frame_rate_holds_pictures(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [10, 20, 30, 40], [0, 40, 280, 320], Fraction(1, 1000))
    np.testing.assert_array_equal(frames_of(path)[:9, 0, 0], [10, 20, 20, 20, 20, 20, 20, 30, 40])


def test_limited_range_is_spread(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [0, 128, 255], [0, 1, 2], Fraction(1, 25), pix_fmt="yuv420p")
    np.testing.assert_allclose(frames_of(path)[:, 0, 0], [0, 128, 255], atol=1)


@pytest.mark.parametrize("late", [0.0, 0.08, 0.5])
def test_sound_that_starts_late_is_silent_before(tmp_path, late):
    wave = fit(chord(1.0), 25)
    sound = [(round(late * RATE) + k, wave[k : k + 1000]) for k in range(0, 24_000, 1000)]
    path = write_mkv(tmp_path / "a.mkv", range(30), range(30), Fraction(1, 25), sound)
    back = wave_of(path)
    start = round(late * RATE)
    assert not back[:start].any()
    np.testing.assert_allclose(back[start : start + 24_000], wave, atol=2e-5)


def test_a_gap_in_the_sound_keeps_the_rest_in_step(tmp_path):
    wave = chord(1.0)
    blocks = [(k, wave[k : k + 960]) for k in range(0, 24_000, 960) if k not in (5760, 6720)]
    path = write_mkv(tmp_path / "a.mkv", range(25), range(25), Fraction(1, 25), blocks)
    recording = decode(path)
    assert not recording.wave[5760:7680].any()
    np.testing.assert_allclose(recording.wave[7680:], wave[7680:], atol=2e-5)
    assert recording.damage == ("1 gaps in the sound, left silent",)


def test_lost_pictures_are_held_and_told(tmp_path):
    kept = [k for k in range(25) if k not in (10, 11, 12)]
    path = write_mkv(tmp_path / "a.mkv", kept, kept, Fraction(1, 25))
    recording = decode(path, audio=False)
    np.testing.assert_array_equal(recording.frames[:, 0, 0], [*range(10), 9, 9, 9, *range(13, 25)])
    assert recording.damage == ("3 pictures lost, the one before held",)


@pytest.mark.parametrize("jump", ["picture", "sound"])
def test_a_mad_time_stamp_is_no_hour_of_stills(tmp_path, jump):
    ticks = [0, 1, 2, 90_000] if jump == "picture" else range(4)
    starts = [0, 1000, 2000, 90_000_000 if jump == "sound" else 3000]
    sound = [(start, chord(1000 / RATE)) for start in starts]
    path = write_mkv(tmp_path / "a.mkv", range(4), ticks, Fraction(1, 25), sound)
    with pytest.raises(MediaError, match="jump") as caught:
        decode(path)
    assert caught.value.reason == "undecodable"


def test_a_film_that_starts_late_lacks_nothing(tmp_path):
    """Matroska declares when it ends, and not how long it lasts."""
    sound = [(120_000 + k, chord(1000 / RATE)) for k in range(0, 24_000, 1000)]
    recording = decode(write_mkv(tmp_path / "a.mkv", range(25), range(125, 150), Fraction(1, 25), sound))
    assert (len(recording.frames), recording.damage) == (25, ())


# ---------------------------------------------------------------- turned pictures

TURNS = {0: (1, 0, 0, 1), -90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 90: (0, -1, 1, 0)}
"""Degrees counterclockwise -> display matrix, as phones write it (-90 for a film that was held upright)."""


@pytest.mark.parametrize("degrees", TURNS)
def test_the_display_matrix_is_applied(tmp_path, degrees):
    write_mp4(tmp_path / "a.mp4", textured(5, 48, 64), chord(0.2, 48_000), Fraction(25))
    data = (tmp_path / "a.mp4").read_bytes()
    level, turned = (
        b"".join(value.to_bytes(4, "big", signed=True) for value in (a << 16, b << 16, 0, c << 16, d << 16, 0))
        for a, b, c, d in (TURNS[0], TURNS[degrees])
    )
    at = data.index(level, data.index(b"tkhd"))
    (tmp_path / "b.mp4").write_bytes(data[:at] + turned + data[at + len(turned) :])
    as_stored = frames_of(tmp_path / "a.mp4")
    for colour in (False, True):
        frames = frames_of(tmp_path / "b.mp4", colour=colour)
        assert frames.shape[1:3] == ((48, 64) if degrees in (0, 180) else (64, 48))
    np.testing.assert_array_equal(frames_of(tmp_path / "b.mp4"), np.rot90(as_stored, degrees // 90, axes=(1, 2)))


# ---------------------------------------------------------------- AVI


@pytest.mark.parametrize("lost", [(), (20, 21)])
def test_an_avi_with_b_pictures_keeps_them_all(tmp_path, lost):
    """It holds no stamps: FFmpeg makes them of the order of decoding."""
    with av.open(str(tmp_path / "a.avi"), "w", format="avi") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"bf": "3", "crf": "10", "x264-params": "b-adapt=0"}
        packets = []
        for rgb in pictures(np.arange(50) * 4 + 20):
            packets += stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
        for k, packet in enumerate([*packets, *stream.encode(None)]):
            if k not in lost:
                container.mux(packet)
    recording = decode(tmp_path / "a.avi", audio=False)
    assert len(recording.frames) == 50
    assert recording.damage == (("2 pictures lost, the one before held",) if lost else ())
    if not lost:
        np.testing.assert_array_equal(recording.shown, np.arange(50))
        np.testing.assert_allclose(recording.frames[:, 24, 32], np.arange(50) * 4 + 20, atol=3)


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "missing"),
        (b"", "empty"),
        (bytes(range(256)) * 8, "undecodable"),
        (b"\0\0\0\x18ftypisom" + b"\1" * 900, "truncated"),
    ],
)
def test_decode_names_the_reason(tmp_path, content, reason):
    path = tmp_path / "a.mpg"
    if content is not None:
        path.write_bytes(content)
    for read in (frames_of, wave_of, probe):
        with pytest.raises(MediaError, match=r"a\.mpg") as caught:
            read(path)
        assert caught.value.reason == reason


def test_missing_streams(tmp_path):
    write_wav(tmp_path / "a.wav", chord(0.2))
    with pytest.raises(MediaError, match="no-video"):
        frames_of(tmp_path / "a.wav")
    mute = write_mkv(tmp_path / "a.mkv", range(5), range(5), Fraction(1, 25))
    with pytest.raises(MediaError, match="no-audio"):
        decode(mute)
    assert probe(mute).audio_codec is None
    assert probe(tmp_path / "a.wav").fps is None
    np.testing.assert_array_equal(wave_of(tmp_path / "a.wav"), read_wav(tmp_path / "a.wav")[0])


def test_a_truncated_file_gives_what_is_left(tmp_path):
    path = tmp_path / "a.mpg"
    write_mpeg1(path, textured(50), chord(2.0, 44_100))
    whole = decode(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half = decode(path)
    assert 15 <= len(half.frames) <= 35
    np.testing.assert_array_equal(half.frames[:10], whole.frames[:10])
    np.testing.assert_array_equal(half.wave[:9600], whole.wave[:9600])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_noise_in_the_stream_never_moves_the_clock(tmp_path_factory, seed):
    """Whatever is overwritten, the result has about the right length."""
    path = tmp_path_factory.mktemp("mpg") / "a.mpg"
    write_mpeg1(path, textured(25), chord(1.0, 44_100))
    data = bytearray(path.read_bytes())
    draw = np.random.default_rng(seed)
    at = int(draw.integers(4096, len(data) - 4000))
    data[at : at + 3000] = draw.bytes(3000)
    path.write_bytes(data)
    recording = decode(path)
    assert abs(len(recording.frames) - 25) <= 3
    assert abs(len(recording.wave) - 24_000) <= 4 * SAMPLES_PER_FRAME


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_every_depth_is_scaled_alike(tmp_path, subtype):
    wave = chord(0.2)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, wave], axis=1), RATE, subtype=subtype)
    np.testing.assert_allclose(wave_of(tmp_path / "a.wav"), wave, atol=0.02 if subtype == "PCM_U8" else 1e-4)


def test_a_flac_of_unknown_length_is_read(tmp_path):
    soundfile.write(tmp_path / "a.flac", chord(1.0), RATE)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "b.flac").write_bytes(data)
    np.testing.assert_array_equal(wave_of(tmp_path / "b.flac"), wave_of(tmp_path / "a.flac"))
    np.testing.assert_array_equal(wave_of(tmp_path / "b.flac", start=0.5), wave_of(tmp_path / "a.flac")[RATE // 2 :])


# ---------------------------------------------------------------- real recordings


@pytest.mark.parametrize(
    ("name", "frames"), [("b01-rotated-180.mp4", 75), ("b06-h264-bframes.avi", 75), ("b06-pcm-whole.avi", 75)]
)
def test_whole_films_of_others(faulty_files, name, frames):
    recording = decode(faulty_files / name)
    assert (len(recording.frames), recording.damage) == (frames, ())
    np.testing.assert_array_equal(recording.shown, np.arange(frames))


@pytest.mark.parametrize("clip", ["s1/bbbf6n.mpg", "s1/bbaf2n.mp4"])
def test_grid_clip(grid_root, clip):
    if not (grid_root / clip).exists():
        pytest.skip(f"{clip} is not in this copy of GRID")
    recording = decode(grid_root / clip)
    assert recording.frames.shape == (75, 288, 360)
    assert len(recording.wave) == 71_472  # 22 ms short of the picture
    assert recording.damage == ()
    np.testing.assert_array_equal(recording.frames, frames_of(grid_root / clip))
    np.testing.assert_array_equal(recording.wave, wave_of(grid_root / clip))


def test_damaged_grid_clip(grid_root):
    path = grid_root / "s4" / "bbaf2a.mpg"
    if not path.exists():
        pytest.skip("s4/bbaf2a is not in this copy of GRID")
    recording = decode(path)
    assert recording.frames.shape == (75, 576, 720)  # 71 pictures came through
    assert "4 pictures lost, the one before held" in recording.damage
    assert len(recording.wave) == 71_472
