"""Metrics judged by networks: their inputs are made right, and without their packages they say what to install."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voices import RATE, voice
from v2sbench.runtime import UseError
from v2sbench.scoring.metrics import METRICS, metric, networks

JUDGED = {name: item.extra for name, item in METRICS.items() if item.extra}


@pytest.fixture
def ready():
    try:
        for name in JUDGED:
            metric(name)
    except UseError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", JUDGED)
def test_a_missing_package_is_an_error_with_the_command(monkeypatch, name):
    monkeypatch.setattr(networks, "installed", lambda package: "none")
    assert metric("stoi") is METRICS["stoi"], "which needs no further package"
    with pytest.raises(
        UseError, match=rf"metric {name} needs onnxruntime and .+ pip install 'v2sbench\[{JUDGED[name]}\]'"
    ):
        metric(name)


def test_extras_are_those_of_the_project():
    import tomllib
    from pathlib import Path

    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for extra, packages in networks.EXTRAS.items():
        assert tuple(line.partition(">=")[0] for line in extras[extra]) == packages
    assert set(JUDGED.values()) == set(networks.EXTRAS)


# ---------------------------------------------------------------- speaker similarity


def test_the_bands_are_slaneys():
    import torch
    from torchaudio.functional import melscale_fbanks

    theirs = melscale_fbanks(257, 0.0, 8000.0, 40, RATE, norm="slaney", mel_scale="slaney")
    assert torch.allclose(theirs.T.double(), torch.from_numpy(networks._slaney()), atol=1e-7)


@pytest.mark.parametrize("seconds", [0.26, 0.8, 1.0])
def test_an_embedding_is_a_unit_vector_whatever_the_length(ready, seconds):
    found = networks.embed(voice(seconds))
    assert found.shape == (256,)
    assert np.linalg.norm(found) == pytest.approx(1)


def test_a_voice_is_itself_at_another_level(ready):
    wave = voice(1.0)
    assert networks.similarity(wave, wave) == pytest.approx(1)
    assert networks.similarity(wave, 0.7 * wave) > 0.9


@pytest.mark.real
def test_speakers_are_told_apart(ready, grid_root):
    """One speaker's clips are nearer to one another than to any clip of another speaker."""
    from v2sbench.audio import resample
    from v2sbench.prepare.media import decode

    clips = [sorted(folder.glob("*.mp*"))[:2] for folder in sorted(grid_root.glob("s*"))]
    files = [path for pair in clips if len(pair) == 2 for path in pair][:4]
    if len(files) < 4:
        pytest.skip("two clips of two speakers are needed")
    waves = [decode(path, video=False).wave for path in files]
    embedded = np.stack([networks.embed(resample(wave, 24_000, RATE)) for wave in waves])
    alike = embedded @ embedded.T
    assert min(alike[0, 1], alike[2, 3]) > alike[:2, 2:].max()


# ---------------------------------------------------------------- DNSMOS


class Mean:
    """A network whose three scores are means of its input."""

    def run(self, _, feed):
        (wave,) = feed.values()
        assert wave.shape == (1, int(networks.SECONDS * RATE))
        assert wave.dtype == np.float32
        return [np.full((1, 3), 1 + 10 * wave.mean(dtype=np.float64) + wave[0, 0])]


def by_the_book(wave):
    """The authors' procedure: doubled until long enough, a window at each second, their mean."""
    wave = np.clip(wave, -1, 1)
    samples = int(networks.SECONDS * RATE)
    while len(wave) < samples:
        wave = np.append(wave, wave)
    starts = range(int(np.floor(len(wave) / RATE) - networks.SECONDS) + 1)
    parts = [wave[None, second * RATE : second * RATE + samples] for second in starts]
    return np.mean([np.polyval(networks.OVERALL, Mean().run(None, {"x": part})[0][0, 2]) for part in parts])


@settings(max_examples=20, deadline=None)
@given(samples=st.one_of(st.integers(4_000, 200_000), st.sampled_from([RATE, 2 * RATE, 3 * RATE, 12 * RATE])))
def test_windows_are_the_authors(samples):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_session", lambda *_: Mean())
        wave = np.sin(np.arange(samples) ** 1.2 / 50).astype(np.float32)
        assert networks.dnsmos(wave) == pytest.approx(by_the_book(wave), abs=1e-6)


def test_a_window_that_comes_again_is_heard_once(monkeypatch):
    calls = []
    monkeypatch.setattr(networks, "_session", lambda *_: Mean())
    monkeypatch.setattr(Mean, "run", lambda self, _, feed: calls.append(1) or [np.ones((1, 3))])
    networks.dnsmos(voice(1.0))
    assert len(calls) == 1


def test_what_exceeds_full_scale_is_clipped(monkeypatch):
    monkeypatch.setattr(networks, "_session", lambda *_: Mean())
    wave = voice(3.0)
    assert networks.dnsmos(40 * wave) == networks.dnsmos(np.clip(40 * wave, -1, 1))


def test_babble_sounds_worse_than_speech(ready, pesq_pair):
    clean, babble = (networks.dnsmos(soundfile.read(path, dtype="float32")[0]) for path in pesq_pair)
    assert (clean, babble) == pytest.approx((3.25, 1.09), abs=0.02)
