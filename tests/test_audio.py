"""Sound: the geometry, samples that survive, resampling, and files that are refused with a reason."""

from __future__ import annotations

import pickle

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


def chord(seconds, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1250 * time)).astype(np.float32)


def reason_of(path):
    with pytest.raises(MediaError, match=path.name) as caught:
        read_wav(path)
    return caught.value.reason


def test_geometry():
    assert (RATE, FPS, SAMPLES_PER_FRAME) == (24_000, 25, 960)
    assert SAMPLES_PER_FRAME * FPS == RATE


@given(st.integers(0, 5000), st.integers(0, 6))
def test_fit_pads_or_cuts_and_never_stretches(samples, frames):
    wave = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    fitted = fit(wave, frames)
    kept = min(samples, 960 * frames)
    assert (fitted.shape, fitted.dtype) == ((960 * frames,), np.float32)
    np.testing.assert_array_equal(fitted[:kept], wave[:kept])
    assert not fitted[kept:].any()


# ---------------------------------------------------------------- files


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


@given(st.integers(0, 24_000), st.integers(0, 24_000))
@settings(max_examples=20)
def test_a_part_of_a_flac_file(start, samples):
    samples = min(samples, 24_000 - start)
    data = encode_flac(chord(1.0))
    assert data == encode_flac(chord(1.0))
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
    ("content", "reason"), [(None, "missing"), (b"", "empty"), (b"no sound at all", "undecodable"), ("header", "empty")]
)
def test_read_wav_names_the_reason(tmp_path, content, reason):
    path = tmp_path / "a.wav"
    if content == "header":
        soundfile.write(path, np.zeros(0), RATE)
    elif content is not None:
        path.write_bytes(content)
    assert reason_of(path) == reason


@pytest.mark.parametrize("rate", [1, 16, 3_999, 400_000])
def test_rates_of_no_recording_are_refused(tmp_path, rate):
    """Resampling from 1 Hz takes gigabytes."""
    soundfile.write(tmp_path / "a.wav", chord(0.1), rate)
    assert reason_of(tmp_path / "a.wav") == "undecodable"


@pytest.mark.parametrize("claimed", [0, 2**36 - 1], ids=["unknown", "too many"])
def test_a_flac_of_another_length_than_claimed(tmp_path, claimed):
    """Nothing is allocated by the claim; 0 stands for a length that is not known."""
    data = bytearray(encode_flac(chord(0.5)))
    data[21] = data[21] & 0xF0 | claimed >> 32
    data[22:26] = (claimed & 0xFFFFFFFF).to_bytes(4, "big")
    (tmp_path / "a.flac").write_bytes(data)
    assert reason_of(tmp_path / "a.flac") in ("undecodable", "truncated")


def test_errors_cross_processes():
    error = pickle.loads(pickle.dumps(MediaError("empty", "a.mpg has no bytes")))
    assert (error.reason, error.detail, str(error)) == ("empty", "a.mpg has no bytes", "empty: a.mpg has no bytes")


# ---------------------------------------------------------------- resampling


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
