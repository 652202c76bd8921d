"""Audio of systems: ceilings, floors, trained variants, one silent video."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.small import small_params
from v2sbench.corpora.fakes import fake_grid
from v2sbench.media import SAMPLES_PER_FRAME, read_wav
from v2sbench.nets.model import weights_path
from v2sbench.runtime import UseError
from v2sbench.shards import Clips
from v2sbench.splits import read_split
from v2sbench.synthesis import REFERENCES, audio_folder, speak, synth
from v2sbench.train import train_variant

SCRATCH = "v2a-mel-s-speaker-scratch"


@pytest.mark.parametrize("system", REFERENCES)
def test_reference_systems_cover_the_test_clips_with_lawful_lengths(project: Path, system: str) -> None:
    folder = synth(system, "toy", params=small_params())
    assert folder == audio_folder("toy", system)
    table = read_split(Path("splits/toy"))
    wanted = {f"{row.id}.wav" for row in table.subset("test")}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.wav")} == wanted
    clips = Clips(table.clips)
    for row in table.subset("test"):
        wave, rate = read_wav(folder / f"{row.id}.wav")
        truth = clips.wave(row.id)
        assert (rate, len(wave)) == (24_000, SAMPLES_PER_FRAME * row.frames)
        if system == "ground-truth":
            assert np.array_equal(wave, truth)
        elif system == "noise":
            assert 20 * np.log10(wave.std()) == pytest.approx(-40.0, abs=0.5)
        else:
            assert not np.array_equal(wave, truth)


def test_the_same_system_gives_the_same_bytes(project: Path) -> None:
    def digest(folder: Path) -> str:
        files = sorted(folder.rglob("*.wav"))
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    for system in ("griffin-lim", "noise"):
        folders = [synth(system, "toy", params=small_params(), out=Path(f"{system}{turn}")) for turn in range(2)]
        assert digest(folders[0]) == digest(folders[1])


def test_a_trained_variant_speaks_for_a_split_and_for_one_video(project: Path) -> None:
    params = small_params(steps=2)
    with pytest.raises(UseError, match="no weights at"):
        synth(SCRATCH, "toy", params=params)
    assert not audio_folder("toy", SCRATCH).exists()
    weights = train_variant(SCRATCH, "toy", params=params)
    folder = synth(SCRATCH, "toy", params=params)
    assert len(list(folder.rglob("*.wav"))) == len(read_split(Path("splits/toy")).subset("test"))
    fake_grid(project / "grid")
    video = next((project / "grid").rglob("*.mpg"))
    (landmarks,) = (project / "grid").rglob(f"landmarks/*/{video.stem}.npz")
    voice = next(folder.rglob("*.wav"))
    speak(video, weights, Path("mean.wav"), landmarks=landmarks)
    speak(video, weights, Path("voice.wav"), landmarks=landmarks, voice=voice)
    waves = [read_wav(Path(name))[0] for name in ("mean.wav", "voice.wav")]
    assert [len(wave) for wave in waves] == [75 * SAMPLES_PER_FRAME] * 2
    assert not np.array_equal(*waves)


def test_wrong_use_is_one_clear_line(project: Path) -> None:
    params = small_params(steps=1)
    for system, split, message in (
        ("griffin-lin", "toy", "did you mean 'griffin-lim'"),
        ("v2a-mel-s-speaker-scrach", "toy", f"did you mean '{SCRATCH}'"),
        ("noise", "toys", "no split in splits/toys"),
    ):
        with pytest.raises(UseError, match=message):
            synth(system, split, params=params)
    with pytest.raises(UseError, match="unknown vocoder 'hifigan'"):
        synth("noise", "toy", params=params, vocoder="hifigan")
    with pytest.raises(UseError, match="which hears"):
        speak(Path("x.mpg"), train_variant("a2a-mel-s", "toy", params=params), Path("x.wav"))
    assert weights_path("a2a-mel-s", "toy").exists()
    with pytest.raises(UseError, match="no tast clips here"):
        synth("noise", "toy", params=params, subset="tast")
