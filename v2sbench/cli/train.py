"""The verbs of the models: train, synth, and speak, which does one video."""

from __future__ import annotations

from pathlib import Path

import click

from v2sbench.cli.options import DIR, FILE, exclusive, need_split, split_option, trainings_of, verb, vocoder_option
from v2sbench.runtime import UseError, choose

SEED = click.IntRange(0, 2**31 - 1)


@verb(
    "split -> weights of one variant",
    "train a2a-mel-s --split demo-audio",
    "train v2a-mel-s-speaker-tuned --split demo-seen",
    "train v2a-mel-s-speaker-tuned --split demo-seen --seed 2",
)
@click.argument("variant", help="A name of `v2sbench list models`.")
@split_option
@click.option("--seed", type=SEED, help="Of this training (default: the first of params.yaml).")
@click.option("--init", type=FILE, help="Weights to start from (default: those the card names, of the same seed).")
@click.option("--out", type=FILE, help="Default: models/weights/S/VARIANT.seedN.safetensors.")
@click.option("--fresh", is_flag=True, help="Do not resume an interrupted run.")
def train(variant: str, split: str, seed: int | None, init: Path | None, out: Path | None, fresh: bool) -> None:
    """Split -> weights."""
    from v2sbench.nets import load_params

    need_split(split)
    from v2sbench import train as training  # after the check, since it takes seconds to load

    print(training.train(variant, split, params=load_params(), seed=seed, out=out, init=init, resume=not fresh))


@verb(
    "weights -> the audio of a split's test clips",
    "synth ground-truth --split demo-seen",
    "synth v2a-mel-s-speaker-tuned --split demo-seen",
)
@click.argument("system", help="A variant, or ground-truth, griffin-lim, copy-VOCODER, noise, other-sentence.")
@split_option
@click.option("--seed", type=SEED, help="Only this training of the variant (default: all that there are).")
@click.option("--weights", type=FILE, help="Default: models/weights/S/SYSTEM.seedN.safetensors.")
@vocoder_option
@click.option("--subset", default="test", metavar="NAME", help="train, val or test (default: test).")
@click.option("--out", type=DIR, help="Default: audio/S/SYSTEM.")
def synth(
    system: str,
    split: str,
    seed: int | None,
    weights: Path | None,
    vocoder: str | None,
    subset: str,
    out: Path | None,
) -> None:
    """System x split -> wavs; of a variant, those of every training."""
    from v2sbench.nets import MODELS, load_params

    exclusive(seed=seed is not None, weights=weights)

    choose("subset", subset, dict.fromkeys(("train", "val", "test")))
    need_split(split)
    from v2sbench.synthesis import synthesise  # after the check, since it takes seconds to load

    params = load_params()
    systems = [system] if weights else trainings_of(system, MODELS / "weights" / split, seed, ".safetensors")
    if out and len(systems) > 1:
        raise UseError(f"--out is for one training, and {system} has {len(systems)}; give --seed N")
    for name in systems:
        print(synthesise(name, split, params, weights=weights, out=out, vocoder=vocoder, subset=subset))


@verb(
    "one silent video -> speech",
    "speak face.mp4 --model models/weights/demo-seen/v2a-mel-s-speaker-tuned.seed1.safetensors --out said.wav",
)
@click.argument("video", type=FILE, help="A film of one talking face; its sound is not read.")
@click.option("--model", required=True, type=FILE, metavar="WEIGHTS", help="A trained V2A .safetensors.")
@click.option("--voice", type=FILE, metavar="WAV", help="A recording of the voice to speak with.")
@click.option("--face", type=FILE, metavar="IMAGE", help="A picture of the face to speak as, for a face model.")
@vocoder_option
@click.option("--landmarks", type=FILE, help="68-point landmarks: .npz, .npy or .pkl.")
@click.option("--roi", metavar="NAME", help="What finds the mouth: haar or mesh (default: auto, which is mesh).")
@click.option("--out", required=True, type=FILE, metavar="WAV", help="The speech, 24 kHz.")
def speak(
    video: Path,
    model: Path,
    voice: Path | None,
    face: Path | None,
    vocoder: str | None,
    landmarks: Path | None,
    roi: str | None,
    out: Path,
) -> None:
    """Silent video -> speech."""
    exclusive(voice=voice, face=face)
    exclusive(landmarks=landmarks, roi=roi)
    given = {"video": video, "model": model, "voice": voice, "face": face, "landmarks": landmarks}
    for option, path in given.items():
        if path is not None and not path.is_file():
            raise UseError(f"no file {path} (the {option})")
    from v2sbench.audio import MediaError  # after the checks, since these take seconds to load
    from v2sbench.prepare.crops import RoiError
    from v2sbench.synthesis.speak import speak

    try:
        print(speak(video, model, out, voice=voice, face=face, landmarks=landmarks, roi=roi or "auto", vocoder=vocoder))
    except MediaError as error:
        raise UseError(str(error)) from error
    except RoiError as error:
        raise UseError(f"{video}: {error}") from error


VERBS = (train, synth, speak)
