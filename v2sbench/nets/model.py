"""A2A and V2A models: encoder -> temporal module -> repetition in time + identity -> mel or waveform decoder.

Families: `mel` (A2A-MelSpec, V2A-MelSpec) gives a log-mel for a vocoder; `wave` (A2A-WaveGAN, V2A-WaveGAN) gives
samples; `vocoder` is the waveform decoder alone, on a log-mel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.clips.splits import DIMENSIONS
from v2sbench.nets.audio import AudioEncoder
from v2sbench.nets.cards import Card, card_from_json
from v2sbench.nets.face import FaceToVoice
from v2sbench.nets.mel import repeat_index
from v2sbench.nets.mel_decoder import MelDecoder
from v2sbench.nets.norm import adopt_statistics
from v2sbench.nets.temporal import TemporalModule
from v2sbench.nets.trained_on import TrainedOn
from v2sbench.nets.video import VideoEncoder
from v2sbench.nets.wave_decoder import WaveDecoder
from v2sbench.runtime import UseError, atomic

ABOUT = "v2sbench"  # metadata key of a weights file: JSON with `card` and `heard`, the training parts without clips
HASHES = "heard."  # how the names of tensors begin that hold hashes of training clips


class SpeechModel(nn.Module):
    """What all families share: a card, a decoder that another model can start from, and parts that can be frozen."""

    decoder: nn.Module
    trained_on: tuple[TrainedOn, ...] = ()
    """Training parts behind these weights and behind those that they started from."""
    recipe: Mapping[str, int] = MappingProxyType({})
    """What the weights depend on beside card and clips: `seed` and `threads`; empty for an untrained model."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card
        self.modality = card.source

    def freeze(self) -> None:
        """Hold the parts that the card freezes."""
        for name in self.card.freeze:
            self.get_submodule(name).requires_grad_(False)

    def train(self, mode: bool = True) -> SpeechModel:
        """Training mode, except for frozen modules: their statistics and dropout stay as in evaluation."""
        super().train(mode)
        for name in self.card.freeze:
            self.get_submodule(name).eval()
        return self


class _CodeModel(SpeechModel):
    """Encoder, temporal module and identity: from mouth crops (V2A) or waveform (A2A) to codes."""

    voice: Tensor
    """Unit mean embedding of the training speakers: the identity when nobody gives one."""

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        arch = card.arch
        self.encoder = VideoEncoder(arch.video) if card.source == "video" else AudioEncoder(arch.audio)
        self.temporal = TemporalModule((arch.video if card.source == "video" else arch.audio).dim, arch.temporal)
        self.register_buffer("voice", torch.zeros(DIMENSIONS[card.identity]))
        self.identity = FaceToVoice(len(self.voice), arch.identity_dim) if card.identity == "face" else nn.Identity()
        self.code_dim = 2 * arch.temporal.dim + arch.identity_dim

    def codes(self, source: Tensor, identity: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Codes (B, F, 2 dim) at the video rate, identity code (B, identity_dim), and mask (B, F), None when full."""
        frames = source.shape[1] if self.modality == "video" else source.shape[1] // SAMPLES_PER_FRAME
        partial = bool((lengths < frames).any())
        mask = (torch.arange(frames) < lengths[:, None]).to(source.device) if partial else None
        return self.temporal(self.encoder(source, mask), lengths), self.identity(identity), mask


class MelModel(_CodeModel):
    """The model of a mel card."""

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        assert card.arch.decoder is not None  # a rule of the card
        self.hop = card.arch.mel.hop
        self.decoder = MelDecoder(self.code_dim, card.arch.mel.bands, card.arch.decoder)
        self.freeze()

    def forward(self, source: Tensor, identity: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel of a batch of clips.

        source: (B, F, H, W) uint8 crops, or (B, 960 F) waveform in [-1, 1]; identity: (B, 256) or, for a face card,
        (B, 128); lengths: (B,) valid video frames, at most F, on the CPU. Samples and pictures outside must be zero.
        Returns the log-mel (B, M, bands) with M = ceil(960 F / hop), and its mask (B, M) bool.
        """
        codes, voice, mask = self.codes(source, identity, lengths)
        index = repeat_index(codes.shape[1], self.hop)
        valid = (torch.arange(len(index)) * self.hop < SAMPLES_PER_FRAME * lengths[:, None]).to(source.device)
        codes = _with_identity(codes[:, index.to(source.device)], voice)
        return self.decoder(codes, None if mask is None else valid, self.modality), valid


class WaveModel(_CodeModel):
    """The model of a wave card."""

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        assert card.arch.wave is not None  # a rule of the card
        self.decoder = WaveDecoder(self.code_dim, card.arch.wave)
        self.freeze()

    def forward(self, source: Tensor, identity: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveform of a batch of clips: (B, 960 F) in [-1, 1], and its mask (B, 960 F) bool; inputs as in MelModel."""
        codes, voice, mask = self.codes(source, identity, lengths)
        codes = _with_identity(codes, voice)
        if mask is not None:
            codes = codes * mask[..., None]
        samples = SAMPLES_PER_FRAME * codes.shape[1]
        valid = (torch.arange(samples) < SAMPLES_PER_FRAME * lengths[:, None]).to(source.device)
        return self.decoder(codes, mask, self.modality), valid


class VocoderModel(SpeechModel):
    """The model of a vocoder card: the waveform decoder on a log-mel."""

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        assert card.arch.wave is not None  # a rule of the card
        self.decoder = WaveDecoder(card.arch.mel.bands, card.arch.wave, ("audio",))
        self.freeze()

    def forward(self, mel: Tensor) -> Tensor:
        """(B, M, bands) log-mel as `LogMel` makes it -> (B, hop M) samples in [-1, 1]."""
        return self.decoder(mel + 2.0, None, "audio")  # type: ignore[no-any-return]  # about zero mean for speech


FAMILIES: dict[str, type[SpeechModel]] = {"mel": MelModel, "wave": WaveModel, "vocoder": VocoderModel}


def build_model(card: Card) -> SpeechModel:
    """The untrained model of a card."""
    return FAMILIES[card.family](card)


def _with_identity(codes: Tensor, voice: Tensor) -> Tensor:
    """(B, T, C) and (B, identity_dim) -> (B, T, C + identity_dim): the same identity at every frame (AutoVC)."""
    return torch.cat((codes, voice[:, None].expand(-1, codes.shape[1], -1).to(codes.dtype)), dim=-1)


def transfer_decoder(model: SpeechModel, pretrained: SpeechModel) -> None:
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


def save_weights(model: SpeechModel, path: Path) -> None:
    """Write weights with their card, their seed and the clips that they were trained on: the same bytes every time."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    state |= {f"{HASHES}{place}": torch.from_numpy(item.clips) for place, item in enumerate(model.trained_on)}
    about = {"card": json.loads(model.card.json()), "heard": [item.about for item in model.trained_on]}
    if model.recipe:
        about["training"] = dict(model.recipe)
    with atomic(path) as draft:
        # One metadata key: safetensors does not keep the order of several.
        save_file(state, draft, metadata={ABOUT: json.dumps(about, sort_keys=True, separators=(",", ":"))})
        draft.chmod(0o644)  # safetensors leaves it readable to its owner alone


def load_weights(path: Path, card: Card | None = None) -> SpeechModel:
    """The model of a weights file, in evaluation mode; the card comes from the file.

    card: what the caller expects; UseError when the file's architecture or name is another, when the file is missing,
    no safetensors file, holds no card or one that breaks a rule, or holds values that are not finite.
    """
    about, state = _read(path)
    try:
        found = card_from_json(json.dumps(about["card"]))
        past = tuple(_part(about, place, state) for place in range(len(about["heard"])))
        recipe = {str(key): int(value) for key, value in about.get("training", {}).items()}
    except UseError as error:
        raise UseError(f"{path}: {error}; the file is damaged, or not from `v2sbench train`") from None
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UseError(f"{path} says nothing usable about its training ({error!r:.80}); the file is damaged") from None
    if card is not None and (found.name != card.name or found.arch != card.arch):
        what = f"card {found.name!r}" if found.name != card.name else "another arch section"
        raise UseError(f"{path} was trained with {what}, not with {card.name!r} as params.yaml has it; train it anew")
    with torch.device("meta"):  # a card from elsewhere takes no memory before its shapes are known to be the file's
        wanted = build_model(found).state_dict()
    for name in [*wanted, *state]:
        ours, theirs = wanted.get(name), state.get(name)
        if ours is None or theirs is None or (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise UseError(f"{path}: tensor {name} is not the one that its card describes; the file is damaged")
        if not bool(theirs.isfinite().all()):
            raise UseError(f"{path}: tensor {name} holds values that are not finite numbers; the file is damaged")
    model = build_model(found)
    model.trained_on, model.recipe = past, recipe
    model.load_state_dict(state)
    return model.eval()


def _part(about: Mapping[str, Any], place: int, state: dict[str, Tensor]) -> TrainedOn:
    """One training part of a weights file; its hashes of clips leave `state`."""
    clips, item = state.pop(f"{HASHES}{place}"), about["heard"][place]
    if clips.dtype != torch.int64 or clips.ndim != 1 or not all(isinstance(v, str | None) for v in item.values()):
        raise ValueError("hashes of clips that are none")
    return TrainedOn(**item, clips=clips.numpy())


def _read(path: Path) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """What a weights file says about itself, and its tensors; nothing in the file is executed."""
    try:
        with safe_open(path, "pt") as archive:
            text = (archive.metadata() or {}).get(ABOUT)
            state = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise UseError(f"no weights at {path}; train them: `v2sbench train VARIANT --split SPLIT`") from None
    except (SafetensorError, OSError) as error:
        raise UseError(f"{path} is not a safetensors file ({error})") from None
    if text is None:
        raise UseError(f"{path} holds no v2sbench card; only weights written by `v2sbench train` can be loaded")
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise UseError(f"{path}: what it says of its card is no JSON; the file is damaged")
    return about, state
