"""Media: the clock, the codecs' delays, damage."""

from __future__ import annotations

import pickle
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from v2sbench.audio import (
    FPS,
    RATE,
    SAMPLES_PER_FRAME,
    MediaError,
    decode_flac,
    encode_flac,
    fit,
    quantise,
    read_wav,
    resample,
    write_wav,
)
from v2sbench.prepare import media
from v2sbench.prepare.tracks import TOLERANCE
from v2sbench.talker import films as mpeg1
from v2sbench.talker.films import write_mpeg1


def pictures(levels, height=48, width=64):
    """Flat RGB pictures of the given grey levels."""
    levels = np.asarray(levels, np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (len(levels), height, width, 3)).copy()


def textured(count, height=96, width=128, seed=0):
    """Pictures with noise: large enough in bytes to start one packet each."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def chord(seconds, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1250 * time)).astype(np.float32)


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


# ---------------------------------------------------------------- waves


def test_geometry():
    assert (RATE, FPS, SAMPLES_PER_FRAME) == (24_000, 25, 960)
    assert SAMPLES_PER_FRAME * FPS == RATE


@given(st.integers(0, 5000), st.integers(0, 6))
def test_fit_pads_or_cuts_and_never_stretches(samples, frames):
    wave = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    fitted = fit(wave, frames)
    kept = min(samples, 960 * frames)
    assert fitted.shape == (960 * frames,)
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted[:kept], wave[:kept])
    assert not fitted[kept:].any()


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=400))
def test_pcm16_survives_flac_and_wav_exactly(tmp_path_factory, values):
    wave = (np.array(values) / 32768).astype(np.float32)
    np.testing.assert_array_equal(decode_flac(encode_flac(wave)), wave)
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    write_wav(path, wave)
    back, rate = read_wav(path)
    assert rate == RATE
    np.testing.assert_array_equal(back, wave)


def test_quantise_clips_rather_than_wraps():
    np.testing.assert_array_equal(quantise(np.array([-2.0, -1.0, 1.0, 2.0])), [-32768, -32768, 32767, 32767])


def test_flac_bytes_are_stable_and_smaller():
    wave = chord(1.0)
    data = encode_flac(wave)
    assert data == encode_flac(wave)
    assert len(data) < 2 * len(wave)


@given(st.integers(0, 24_000), st.integers(0, 24_000))
@settings(max_examples=20)
def test_a_part_of_a_flac_file(start, samples):
    wave = chord(1.0)
    samples = min(samples, len(wave) - start)
    data = encode_flac(wave)
    np.testing.assert_array_equal(decode_flac(data, start, samples), decode_flac(data)[start:][:samples])


def test_wav_bytes_are_stable(tmp_path):
    write_wav(tmp_path / "a.wav", chord(0.1))
    write_wav(tmp_path / "b" / "c.wav", chord(0.1))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b" / "c.wav").read_bytes()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["c.wav"]


def test_read_wav_averages_channels_and_resamples(tmp_path):
    both = np.stack([chord(0.5, 16_000), np.zeros(8000, np.float32)], axis=1)
    soundfile.write(tmp_path / "a.flac", both, 16_000)
    wave, rate = read_wav(tmp_path / "a.flac", RATE)
    assert (wave.shape, rate) == ((12_000,), RATE)
    np.testing.assert_allclose(wave[2000:10_000], chord(0.5)[2000:10_000] / 2, atol=2e-4)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "missing"), (b"", "empty"), (b"no sound at all", "undecodable"), ("silent", "empty")]
)
def test_read_wav_names_the_reason(tmp_path, content, reason):
    path = tmp_path / "a.wav"
    if content == "silent":
        soundfile.write(path, np.zeros(0), RATE)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match=r"a\.wav") as caught:
        read_wav(path)
    assert caught.value.reason == reason


@given(st.sampled_from([8000, 16_000, 22_050, 25_000, 44_100, 48_000]), st.integers(0, 3000))
@settings(max_examples=30, deadline=None)
def test_resample_length_and_place(source, samples):
    wave = np.zeros(samples, np.float32)
    wave[samples // 2 :][:1] = 1
    out = resample(wave, source, RATE)
    assert len(out) == -(-samples * RATE // source)
    if samples > 1000:
        assert abs(int(out.argmax()) - samples // 2 * RATE / source) <= 0.5


def test_resample_keeps_the_band_and_removes_what_would_fold():
    time = np.arange(44_100) / 44_100
    inside = resample(np.sin(2 * np.pi * 11_000 * time), 44_100, RATE)[4000:-4000]
    folding = resample(np.sin(2 * np.pi * 12_600 * time), 44_100, RATE)[4000:-4000]
    assert np.sqrt(2) * inside.std() == pytest.approx(1, abs=2e-3)
    assert folding.std() < 1e-3


# ---------------------------------------------------------------- MPEG-1


def test_mpeg1_bytes_are_stable(tmp_path):
    for name in ("a.mpg", "b.mpg"):
        write_mpeg1(tmp_path / name, textured(10), chord(0.4, 44_100))
    assert (tmp_path / "a.mpg").read_bytes() == (tmp_path / "b.mpg").read_bytes()
    info = media.probe(tmp_path / "a.mpg")
    assert (info.width, info.height, info.fps) == (128, 96, 25)
    assert (info.video_codec, info.audio_codec, info.rate, info.channels) == ("mpeg1video", "mp2", 44_100, 2)


@given(st.integers(1, 40), st.sampled_from([32_000, 44_100, 48_000]))
@settings(max_examples=8, deadline=None)
def test_mpeg1_keeps_the_number_of_pictures(tmp_path_factory, count, rate):
    path = tmp_path_factory.mktemp("mpg") / "a.mpg"
    write_mpeg1(path, textured(count), chord(count / FPS, rate), rate)
    recording = media.decode(path)
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
    assert int(media.read_audio(path, rate=44_100).argmax()) == place
    assert abs(int(media.read_audio(path).argmax()) - place * RATE / 44_100) <= 1
    with av.open(str(path)) as container:
        counted = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert int(counted.argmax()) - place == mpeg1.MP2_DELAY == 481


def test_the_last_samples_are_not_lost(tmp_path):
    wave = chord(1.0, 44_100)
    write_mpeg1(tmp_path / "a.mpg", textured(25), wave)
    back = media.read_audio(tmp_path / "a.mpg", rate=44_100)[: len(wave)]
    assert np.corrcoef(back[-1000:], wave[-1000:])[0, 1] > 0.999


def test_mpeg1_keeps_the_grey(tmp_path):
    """Small pictures, too, several of which begin in one packet of the stream and then carry wrong time stamps."""
    levels = np.arange(75) * 3
    write_mpeg1(tmp_path / "a.mpg", pictures(levels, 288, 360), chord(3.0, 44_100))
    recording = media.decode(tmp_path / "a.mpg")
    np.testing.assert_allclose(recording.frames[:, 100, 100], levels, atol=2)
    assert recording.damage == ()


def test_mpeg1_keeps_the_colours(tmp_path):
    rgb = np.zeros((5, 64, 96, 3), np.uint8)
    rgb[:, :, :32, 0] = rgb[:, :, 32:64, 1] = rgb[:, :, 64:, 2] = 220
    write_mpeg1(tmp_path / "a.mpg", rgb, chord(0.2, 44_100))
    back = media.read_video(tmp_path / "a.mpg", colour=True)
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
    frames = media.read_video(path)
    assert len(frames) == int(np.ceil(float(count / rate) * FPS - 0.05))
    shown = frames[:, 0, 0] // 2
    seconds = np.arange(len(frames)) / FPS
    assert (shown / float(rate) <= seconds + TOLERANCE + 6e-4).all()
    assert ((shown + 1) / float(rate) > seconds + TOLERANCE - 6e-4).sum() >= len(frames) - 1  # but the last


def test_variable_frame_rate_holds_pictures(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [10, 20, 30, 40], [0, 40, 280, 320], Fraction(1, 1000))
    np.testing.assert_array_equal(media.read_video(path)[:9, 0, 0], [10, 20, 20, 20, 20, 20, 20, 30, 40])


def test_limited_range_is_spread(tmp_path):
    path = write_mkv(tmp_path / "a.mkv", [0, 128, 255], [0, 1, 2], Fraction(1, 25), pix_fmt="yuv420p")
    np.testing.assert_allclose(media.read_video(path)[:, 0, 0], [0, 128, 255], atol=1)


@pytest.mark.parametrize("late", [0.0, 0.08, 0.5])
def test_sound_that_starts_late_is_silent_before(tmp_path, late):
    wave = fit(chord(1.0), 25)
    sound = [(round(late * RATE) + k, wave[k : k + 1000]) for k in range(0, 24_000, 1000)]
    path = write_mkv(tmp_path / "a.mkv", range(30), range(30), Fraction(1, 25), sound)
    back = media.read_audio(path)
    start = round(late * RATE)
    assert not back[:start].any()
    np.testing.assert_allclose(back[start : start + 24_000], wave, atol=2e-5)


def test_a_gap_in_the_sound_keeps_the_rest_in_step(tmp_path):
    wave = chord(1.0)
    blocks = [(k, wave[k : k + 960]) for k in range(0, 24_000, 960) if k not in (5760, 6720)]
    path = write_mkv(tmp_path / "a.mkv", range(25), range(25), Fraction(1, 25), blocks)
    recording = media.decode(path)
    assert not recording.wave[5760:7680].any()
    np.testing.assert_allclose(recording.wave[7680:], wave[7680:], atol=2e-5)
    assert recording.damage == ("1 gaps in the sound, left silent",)


def test_lost_pictures_are_held_and_told(tmp_path, caplog):
    kept = [k for k in range(25) if k not in (10, 11, 12)]
    path = write_mkv(tmp_path / "a.mkv", kept, kept, Fraction(1, 25))
    frames = media.read_video(path)
    np.testing.assert_array_equal(frames[:, 0, 0], [*range(10), 9, 9, 9, *range(13, 25)])
    assert "3 pictures lost, the one before held" in caplog.text


@pytest.mark.parametrize("jump", ["picture", "sound"])
def test_a_mad_time_stamp_is_no_hour_of_stills(tmp_path, jump):
    ticks = [0, 1, 2, 90_000] if jump == "picture" else range(4)
    starts = [0, 1000, 2000, 90_000_000 if jump == "sound" else 3000]
    sound = [(start, chord(1000 / RATE)) for start in starts]
    path = write_mkv(tmp_path / "a.mkv", range(4), ticks, Fraction(1, 25), sound)
    with pytest.raises(MediaError, match="jump") as caught:
        media.decode(path)
    assert caught.value.reason == "undecodable"


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
    for read in (media.read_video, media.read_audio, media.probe):
        with pytest.raises(MediaError, match=r"a\.mpg") as caught:
            read(path)
        assert caught.value.reason == reason


def test_missing_streams(tmp_path):
    write_wav(tmp_path / "a.wav", chord(0.2))
    with pytest.raises(MediaError, match="no-video"):
        media.read_video(tmp_path / "a.wav")
    mute = write_mkv(tmp_path / "a.mkv", range(5), range(5), Fraction(1, 25))
    with pytest.raises(MediaError, match="no-audio"):
        media.decode(mute)
    assert media.probe(mute).audio_codec is None
    assert media.probe(tmp_path / "a.wav").fps is None
    np.testing.assert_array_equal(media.read_audio(tmp_path / "a.wav"), read_wav(tmp_path / "a.wav")[0])


def test_a_truncated_file_gives_what_is_left(tmp_path):
    path = tmp_path / "a.mpg"
    write_mpeg1(path, textured(50), chord(2.0, 44_100))
    whole = media.decode(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half = media.decode(path)
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
    recording = media.decode(path)
    assert abs(len(recording.frames) - 25) <= 3
    assert abs(len(recording.wave) - 24_000) <= 4 * SAMPLES_PER_FRAME


def test_errors_cross_processes():
    error = pickle.loads(pickle.dumps(MediaError("empty", "a.mpg has no bytes")))
    assert (error.reason, error.detail, str(error)) == ("empty", "a.mpg has no bytes", "empty: a.mpg has no bytes")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_every_depth_is_scaled_alike(tmp_path, subtype):
    wave = chord(0.2)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, wave], axis=1), RATE, subtype=subtype)
    np.testing.assert_allclose(media.read_audio(tmp_path / "a.wav"), wave, atol=0.02 if subtype == "PCM_U8" else 1e-4)


# ---------------------------------------------------------------- real recordings


@pytest.mark.parametrize("clip", ["s1/bbbf6n.mpg", "s1/bbaf2n.mp4"])
def test_grid_clip(grid_root, clip):
    if not (grid_root / clip).exists():
        pytest.skip(f"{clip} is not in this copy of GRID")
    recording = media.decode(grid_root / clip)
    assert recording.frames.shape == (75, 288, 360)
    assert len(recording.wave) == 71_472  # 22 ms short of the picture
    assert recording.damage == ()
    np.testing.assert_array_equal(recording.frames, media.read_video(grid_root / clip))
    np.testing.assert_array_equal(recording.wave, media.read_audio(grid_root / clip))


def test_damaged_grid_clip(grid_root):
    path = grid_root / "s4" / "bbaf2a.mpg"
    if not path.exists():
        pytest.skip("s4/bbaf2a is not in this copy of GRID")
    recording = media.decode(path)
    assert recording.frames.shape == (75, 576, 720)  # 71 pictures came through
    assert "4 pictures lost, the one before held" in recording.damage
    assert len(recording.wave) == 71_472
