"""openai-whisper, by the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from v2sbench.runtime import UseError, device, sha256_file
from v2sbench.scoring.recognisers.backend import Wave, digest_of, version_of


class Whisper:
    """openai-whisper without its sampling fallback: greedy at temperature 0, English, no time stamps, 32-bit floats.

    Greedy, since the beam search of 20250625 fails on a batch: it repeats the tokens for each beam, but not the audio.
    """

    grammar: Literal["grid", "words"] | None = None
    batch = 8
    OPTIONS = MappingProxyType(
        {"language": "en", "temperature": 0.0, "beam_size": None, "without_timestamps": True, "fp16": False}
    )

    def __init__(self, option: str) -> None:
        """option: an official name, or a .pt file with an optional @SHA-256 (its first 8 digits or more)."""
        found = version_of("openai-whisper", "whisper")
        import whisper

        names = whisper.available_models()
        path, _, wanted = option.partition("@")
        if not option:
            raise UseError(
                f"recogniser whisper needs a model, e.g. whisper:tiny.en or whisper:/path/to/tiny.en.pt "
                f"(names: {', '.join(names)})"
            )
        source, weights = (option, option) if option in names else (path, _weights(path, wanted, names))
        try:
            self._model = whisper.load_model(source, device=str(device()))
        except OSError as error:  # urllib's URLError is one
            raise UseError(
                f"Whisper's weights {option!r} are neither in its cache nor to be had from here ({error}); copy the "
                ".pt file here and give --asr whisper:/path/to/it.pt, or use --asr grid-grammar for GRID sentences"
            ) from None
        except (RuntimeError, KeyError, TypeError, EOFError) as error:
            raise UseError(f"{source} is not an openai-whisper checkpoint: {error}") from None
        self._model.eval()
        self.id = f"whisper-{found}/{weights}/{digest_of([dict(self.OPTIONS), self.batch])}"

    def transcribe(self, waves: Sequence[Wave]) -> list[str]:
        """All waves, `batch` windows of 30 s at a time; a longer wave is read window by window."""
        import torch
        from whisper.audio import N_SAMPLES, log_mel_spectrogram, pad_or_trim

        model, bands = self._model, self._model.dims.n_mels
        windows = [
            (number, wave[start : start + N_SAMPLES])
            for number, wave in enumerate(waves)
            for start in range(0, max(1, len(wave)), N_SAMPLES)
        ]
        texts: list[list[str]] = [[] for _ in waves]
        for first in range(0, len(windows), self.batch):
            part = windows[first : first + self.batch]
            mels = [log_mel_spectrogram(pad_or_trim(np.asarray(wave, np.float32)), bands) for _, wave in part]
            # Always a full batch: sums depend on its shape, and a text must not depend on how many clips were left.
            mels += [torch.zeros_like(mels[0])] * (self.batch - len(part))
            for (number, _), text in zip(part, self._decode(torch.stack(mels).to(model.device)), strict=False):
                texts[number].append(text)
        return [" ".join(filter(None, parts)) for parts in texts]

    def _decode(self, mels: Any) -> list[str]:
        import whisper

        options = whisper.DecodingOptions(**self.OPTIONS)
        return [found.text.strip() for found in whisper.decode(self._model, mels, options)]


def _weights(path: str, wanted: str, names: Iterable[str]) -> str:
    """`<stem>@<12 digits of the SHA-256>` of a weights file; UseError when it is missing or another one is wanted."""
    if not Path(path).is_file():
        raise UseError(f"no Whisper model {path!r}: neither a .pt file nor one of {', '.join(names)}")
    digest = sha256_file(Path(path))
    if wanted and (len(wanted) < 8 or not digest.startswith(wanted.lower())):
        raise UseError(f"{path} has the SHA-256 {digest}, not {wanted!r} (give its first 8 digits or more)")
    return f"{Path(path).stem}@{digest[:12]}"
