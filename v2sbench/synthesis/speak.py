"""One silent film in, its speech out."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch

from v2sbench.audio import RATE, Wave, read_wav, write_wav
from v2sbench.nets.batch import centre_crop
from v2sbench.nets.model import load_weights
from v2sbench.prepare.identity import embed, embed_picture
from v2sbench.prepare.media import decode
from v2sbench.prepare.mouths import mouth_roi
from v2sbench.runtime import UseError
from v2sbench.synthesis.synth import vocoder_of

_LOG = logging.getLogger(__name__)

SHORTEST_VOICE = 0.5  # seconds; from less an embedding says little about a voice
SILENT_RMS = 1e-4  # -80 dBFS, as in scoring: below it a recording holds rounding


@torch.inference_mode()
def speak(
    video: Path,
    weights: Path,
    out: Path,
    *,
    voice: Path | None = None,
    face: Path | None = None,
    landmarks: Path | None = None,
    roi: str = "auto",
    vocoder: str | None = None,
) -> Path:
    """Write the speech of a silent video to `out` (24 kHz PCM16, 960 samples a video frame) and return the path.

    voice: a recording of the voice to speak with (speaker models). face: a picture of the speaker (face models). By
    default the identity is the mean of the training speakers, which the weights carry. landmarks: a file with a row for
    each picture of the film; without it the mouth is found in the pictures. roi: what finds the mouth: haar, mesh or
    auto. vocoder: as for `synthesise`. UseError for weights that read no video or take their identity from elsewhere,
    and for a voice that is shorter than half a second, silent, or not finite.
    """
    model = load_weights(weights)
    card = model.card
    if card.source != "video":
        raise UseError(f"{weights} holds {card.name}, which reads audio; speak needs a v2a variant")
    for given, kind, option in ((voice, "speaker", "--voice"), (face, "face", "--face")):
        if given is not None and card.identity != kind:
            raise UseError(f"{card.name} takes its identity from a {card.identity} embedding, not from {option}")
    renders = vocoder_of(card, vocoder)
    identity = model.get_buffer("voice")
    if voice is not None:
        identity = torch.from_numpy(embed(_read_voice(voice)))
    if face is not None:
        identity = torch.from_numpy(embed_picture(face))
    recording = decode(video, audio=False)
    for phrase in recording.damage:
        _LOG.warning("%s: %s", video, phrase)
    frames = recording.frames
    assert frames is not None  # asked for
    mouths = mouth_roi(frames, landmarks=landmarks, provider=roi, shown=recording.shown)
    crops = torch.from_numpy(np.array(centre_crop(mouths, card.data.crop)))[None]
    output = model(crops, identity[None], torch.tensor([len(frames)]))[0][0]
    write_wav(out, (output if renders is None else renders(output, len(frames))).numpy())
    return out


def _read_voice(path: Path) -> Wave:
    """(T,) at 24 kHz: a recording in which a voice can be heard; UseError for any other."""
    wave, _ = read_wav(path, RATE)
    if not np.isfinite(wave).all():
        fault = "holds values that are not finite numbers"
    elif len(wave) < SHORTEST_VOICE * RATE:
        fault = f"lasts {len(wave) / RATE:.2f} s, and a voice needs {SHORTEST_VOICE} s"
    elif np.sqrt(np.mean(np.square(wave, dtype=np.float64))) < SILENT_RMS:
        fault = "is silent"
    else:
        return wave
    raise UseError(f"{path} {fault} (the voice); give a recording of one speaker, best of some seconds")
