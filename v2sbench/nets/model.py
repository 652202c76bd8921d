"""A2A-MelSpec and V2A-MelSpec: encoder -> temporal module -> repetition to the mel rate + identity -> mel decoder."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from v2sbench.card import Card, card_from_json
from v2sbench.dsp import repeat_index
from v2sbench.media import SAMPLES_PER_FRAME
from v2sbench.nets.audio import AudioEncoder
from v2sbench.nets.mel_decoder import MelDecoder
from v2sbench.nets.norm import adopt_statistics
from v2sbench.nets.temporal import TemporalModule
from v2sbench.nets.video import VideoEncoder
from v2sbench.runtime import UseError, atomic

__all__ = ["MelModel", "load_weights", "save_weights", "transfer_decoder"]


class MelModel(nn.Module):
    """The model of a mel card. Input: mouth crops (V2A) or waveform (A2A), and an identity embedding."""

    voice: Tensor
    """(identity_dim,) unit mean embedding of the training speakers: the identity when nobody gives one."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        arch = card.arch
        self.card = card
        self.modality = card.source
        self.hop = arch.mel.hop
        self.encoder = VideoEncoder(arch.video) if card.source == "video" else AudioEncoder(arch.audio)
        self.temporal = TemporalModule((arch.video if card.source == "video" else arch.audio).dim, arch.temporal)
        self.decoder = MelDecoder(2 * arch.temporal.dim + arch.identity_dim, arch.mel.bands, arch.decoder)
        self.register_buffer("voice", torch.zeros(arch.identity_dim))
        for name in card.freeze:
            self.get_submodule(name).requires_grad_(False)

    def train(self, mode: bool = True) -> MelModel:
        """Training mode, except for frozen modules: their statistics and dropout stay as in evaluation."""
        super().train(mode)
        for name in self.card.freeze:
            self.get_submodule(name).eval()
        return self

    def forward(self, source: Tensor, identity: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel of a batch of clips.

        source: (B, F, H, W) uint8 crops, or (B, 960 F) waveform in [-1, 1]; identity: (B, identity_dim);
        lengths: (B,) valid video frames, at most F, on the CPU. Samples and pictures outside must be zero.
        Returns the log-mel (B, M, bands) with M = ceil(960 F / hop), and its mask (B, M) bool.
        """
        frames = source.shape[1] if self.modality == "video" else source.shape[1] // SAMPLES_PER_FRAME
        index = repeat_index(frames, self.hop)
        mel_mask = (torch.arange(len(index)) * self.hop < SAMPLES_PER_FRAME * lengths[:, None]).to(source.device)
        partial = bool((lengths < frames).any())
        mask = (torch.arange(frames) < lengths[:, None]).to(source.device) if partial else None
        codes = self.temporal(self.encoder(source, mask), lengths)[:, index.to(source.device)]
        codes = torch.cat((codes, identity[:, None].expand(-1, len(index), -1).to(codes.dtype)), dim=-1)
        return self.decoder(codes, mel_mask if partial else None, self.modality), mel_mask


def transfer_decoder(model: MelModel, pretrained: MelModel) -> None:
    """Initialise `model`'s decoder from `pretrained`'s; video statistics start from the audio ones.

    UseError when the decoders have other shapes.
    """
    ours, theirs = model.decoder.state_dict(), pretrained.decoder.state_dict()
    for name, tensor in ours.items():
        if name not in theirs or theirs[name].shape != tensor.shape:
            raise UseError(
                f"the decoder of {pretrained.card.name} does not fit {model.card.name} (first at {name}); "
                "pre-train it with the same arch section"
            )
    model.decoder.load_state_dict(theirs)
    adopt_statistics(model.decoder, pretrained.modality, model.modality)


def save_weights(model: MelModel, path: Path) -> None:
    """Write weights with the card inside (metadata key `card`, canonical JSON: the same bytes every time)."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic(path) as draft:
        save_file(state, draft, metadata={"card": model.card.json()})
        draft.chmod(0o644)  # safetensors leaves it readable to its owner alone


def load_weights(path: Path, card: Card | None = None) -> MelModel:
    """The model of a weights file, in evaluation mode; the card comes from the file.

    card: what the caller expects; UseError when the file's architecture or name is another, when the file is missing,
    no safetensors file, or holds no card.
    """
    try:
        with safe_open(path, "pt") as archive:
            text = (archive.metadata() or {}).get("card")
            state = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise UseError(f"no weights at {path}; train them: `v2sbench train VARIANT --split SPLIT`") from None
    except (SafetensorError, OSError) as error:
        raise UseError(f"{path} is not a safetensors file ({error})") from None
    if text is None:
        raise UseError(f"{path} holds no v2sbench card; only weights written by `v2sbench train` can be loaded")
    found = card_from_json(text)
    if card is not None and (found.name != card.name or found.arch != card.arch):
        what = f"card {found.name!r}" if found.name != card.name else "another arch section"
        raise UseError(f"{path} was trained with {what}, not with {card.name!r} as params.yaml has it; train it anew")
    model = MelModel(found)
    model.load_state_dict(state)
    return model.eval()
