"""Audio of systems: ceilings, floors, trained variants, one silent video."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.miniatures import fake
from tests.small import small_params
from tests.small_wave import wave_params
from v2sbench.audio import SAMPLES_PER_FRAME, read_wav
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.nets import load_card, weights_path
from v2sbench.nets.model import build_model, save_weights
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import REFERENCES
from v2sbench.synthesis import audio_folder, synthesise
from v2sbench.synthesis.speak import speak
from v2sbench.train import train

SCRATCH = "v2a-mel-s-speaker-scratch"


def facts(folder: Path) -> dict[str, Any]:
    """The note beside a system's audio."""
    path = folder / "system.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@pytest.mark.parametrize("system", REFERENCES)
def test_reference_systems_cover_the_test_clips_with_lawful_lengths(project: Path, system: str) -> None:
    folder = synthesise(system, "toy", params=small_params())
    vocoder = facts(folder).get("vocoder", "")
    assert vocoder == ("griffin-lim" if system == "griffin-lim" else "")
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
        first, again = (synthesise(system, "toy", small_params(), out=Path(f"{system}{turn}")) for turn in range(2))
        assert digest(first) == digest(again)


def test_a_trained_variant_speaks_for_a_split_and_for_one_video(project: Path) -> None:
    params = small_params(steps=2)
    with pytest.raises(UseError, match="no weights at"):
        synthesise(SCRATCH, "toy", params=params)
    assert not audio_folder("toy", SCRATCH).exists()
    weights = train(SCRATCH, "toy", params=params)
    folder = synthesise(SCRATCH, "toy", params=params)
    vocoder = facts(folder)["vocoder"]
    assert vocoder == "griffin-lim"
    assert len(list(folder.rglob("*.wav"))) == len(read_split(Path("splits/toy")).subset("test"))
    fake("grid", project / "grid")
    video = next((project / "grid").rglob("*.mpg"))
    (landmarks,) = (project / "grid").rglob(f"landmarks/*/{video.stem}.npz")
    voice = next(folder.rglob("*.wav"))
    speak(video, weights, Path("mean.wav"), landmarks=landmarks)
    speak(video, weights, Path("voice.wav"), landmarks=landmarks, voice=voice)
    waves = [read_wav(Path(name))[0] for name in ("mean.wav", "voice.wav")]
    assert [len(wave) for wave in waves] == [75 * SAMPLES_PER_FRAME] * 2
    assert not np.array_equal(*waves)
    with pytest.raises(UseError, match="from a speaker embedding, not from --face"):
        speak(video, weights, Path("face.wav"), landmarks=landmarks, face=Path("x.png"))


@pytest.mark.parametrize(
    ("samples", "value", "fault"),
    [(48_000, math.nan, "not finite"), (48_000, 0.0, "is silent"), (240, 0.1, r"lasts 0\.01 s")],
)
def test_a_recording_without_a_voice_is_refused(project: Path, samples: int, value: float, fault: str) -> None:
    soundfile.write("voice.wav", np.full(samples, value, np.float32), 24_000, subtype="FLOAT")
    save_weights(build_model(load_card(SCRATCH, small_params())), Path("w.safetensors"))
    with pytest.raises(UseError, match=rf"voice\.wav .*{fault}"):
        speak(Path("x.mpg"), Path("w.safetensors"), Path("said.wav"), voice=Path("voice.wav"))
    assert not Path("said.wav").exists()


def test_weights_that_heard_a_test_clip_are_refused(project: Path) -> None:
    params = wave_params(steps=1)
    for name in (SCRATCH, "vocoder"):
        train(name, "toy", params=params)
    table = Path("splits/toy/split.tsv")
    head, *lines = table.read_text().splitlines()
    swapped = {"train": "test", "test": "train"}  # what was trained on is tested now
    cells = [line.split("\t", 1) for line in lines]
    lines = sorted(
        (f"{swapped.get(part, part)}\t{rest}" for part, rest in cells),
        key=lambda line: (["train", "val", "test"].index(line.split("\t")[0]), line.split("\t")[1]),
    )
    table.write_text("\n".join([head, *lines]) + "\n")
    about = json.loads(table.with_suffix(".json").read_text())
    about["coverage"] = {swapped.get(part, part): counts for part, counts in about["coverage"].items()}
    table.with_suffix(".json").write_text(json.dumps(about))
    refused = r"trained on toy, and so on 10 test clips of toy \(s1/clip0, s1/clip1, s1/clip2, ...\)"
    for system in (SCRATCH, "copy-vocoder"):
        with pytest.raises(UseError, match=refused):
            synthesise(system, "toy", params=params)
        assert not audio_folder("toy", system).exists()
    hears = train("a2a-mel-s", "toy", params=params)
    with pytest.raises(UseError, match=refused):  # the model is innocent, its vocoder is not
        synthesise("a2a-mel-s", "toy", params=params, weights=hears, vocoder=str(weights_path("vocoder", "toy", 1)))


@pytest.mark.parametrize("identity", ["speaker", "face"])
def test_a_waveform_model_speaks_without_a_vocoder(project: Path, identity: str) -> None:
    variant, params = f"v2a-wave-{identity}-scratch", wave_params(steps=2)
    weights = train(variant, "toy", params=params)
    folder = synthesise(variant, "toy", params=params)
    vocoder = facts(folder).get("vocoder", "")
    assert vocoder == ""
    for row in read_split(Path("splits/toy")).subset("test"):
        wave, rate = read_wav(folder / f"{row.id}.wav")
        assert (rate, len(wave)) == (24_000, SAMPLES_PER_FRAME * row.frames)
    if identity == "face":
        with pytest.raises(UseError, match="from a face embedding, not from --voice"):
            speak(Path("x.mpg"), weights, Path("x.wav"), voice=Path("x.wav"))


def test_copy_synthesis_through_a_vocoder_of_our_own(project: Path) -> None:
    """By its card's name from where training put it, or any by path; and as the vocoder of a mel model."""
    params = wave_params(steps=2)
    weights = train("vocoder", "toy", params=params)
    folder = synthesise("copy-vocoder", "toy", params=params)
    again = synthesise("copy-mine", "toy", params=params, vocoder=str(weights))
    label, same = (facts(place)["vocoder"] for place in (folder, again))
    assert label == same == f"vocoder:{hashlib.sha256(weights.read_bytes()).hexdigest()[:8]}"
    rows = read_split(Path("splits/toy")).subset("test")
    for row in rows:
        waves = [read_wav(place / f"{row.id}.wav")[0] for place in (folder, again)]
        assert np.array_equal(*waves)
        assert len(waves[0]) == SAMPLES_PER_FRAME * row.frames
    train(SCRATCH, "toy", params=params)
    spoken = synthesise(SCRATCH, "toy", params=params, vocoder=str(weights))
    named = facts(spoken)["vocoder"]
    assert named == label
    assert len(list(spoken.rglob("*.wav"))) == len(rows)


def test_wrong_use_is_one_clear_line(project: Path) -> None:
    params = small_params(steps=1)
    for system, split, message in (
        ("griffin-lin", "toy", "did you mean 'griffin-lim'"),
        ("v2a-mel-s-speaker-scrach", "toy", f"did you mean '{SCRATCH}'"),
        ("noise", "toys", "no split in splits/toys"),
    ):
        with pytest.raises(UseError, match=message):
            synthesise(system, split, params=params)
    for system, vocoder, message in (
        ("noise", "griffin-lim", "noise takes no --vocoder"),
        ("griffin-lim", "g_1", "for copy synthesis through g_1: synth copy-NAME"),
        ("copy-x", "hifigan", "unknown vocoder 'hifigan'"),
        ("copy-vocodr", None, "did you mean 'vocoder'"),
        ("copy-vocoder", None, "run: v2sbench train vocoder --split toy"),
        (SCRATCH, "grifin-lim", "did you mean 'griffin-lim'"),
        ("v2a-wave-speaker-scratch", "griffin-lim", "makes waveforms itself and takes no --vocoder"),
    ):
        with pytest.raises(UseError, match=message):
            synthesise(system, "toy", params=params, vocoder=vocoder)
        assert not audio_folder("toy", system).exists()
    with pytest.raises(UseError, match="which reads audio"):
        speak(Path("x.mpg"), train("a2a-mel-s", "toy", params=params), Path("x.wav"))
    assert weights_path("a2a-mel-s", "toy", 1).exists()
    with pytest.raises(UseError, match="no tast clips here"):
        synthesise("noise", "toy", params=params, subset="tast")
