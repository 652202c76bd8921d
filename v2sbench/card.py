"""Model cards and the profile: YAML 1.2 read into frozen dataclasses, every unknown key refused with the nearest known.

    models/<name>.yaml   one card a variant; `base: <name>` makes a card a short difference of another
    params.yaml          the profile: corpora, splits, what is trained, and `override`, merged over the cards

A card is merged base first, then the profile's `override.<model>` (e.g. `mel-s`), then its `override.<card name>`.
Its hash (`Card.digest`) covers all that changes the weights: family, source, identity, init, freeze, arch, data, train.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from v2sbench.runtime import UseError, choose, suggest

__all__ = [
    "Arch",
    "AudioEncoderArch",
    "Card",
    "Data",
    "DecoderArch",
    "MelArch",
    "Params",
    "TemporalArch",
    "Train",
    "VideoEncoderArch",
    "card_chain",
    "card_from_json",
    "list_cards",
    "load_card",
    "load_params",
    "read_yaml",
]

MODELS = Path("models")
PARAMS = Path("params.yaml")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class MelArch:
    """The mel spectrogram that the decoder predicts; it must equal the vocoder's exactly."""

    n_fft: int
    """FFT size in samples."""
    window: int
    """Hann window in samples."""
    hop: int
    """Hop in samples; 960 samples are one video frame, so hop 300 gives 3.2 mel frames per video frame."""
    bands: int
    """Mel bands."""
    low: float
    """Lower edge in Hz."""
    high: float
    """Upper edge in Hz."""
    floor: float
    """Smallest magnitude before log10."""


@dataclass(frozen=True, kw_only=True)
class VideoEncoderArch:
    """3D convolution + 2D ResNet-18 over mouth crops."""

    pool: int
    """Average pooling of the input picture before the stem (1 = none)."""
    width: int
    """Channels of the stem and of the first ResNet stage; doubled by each of the three further stages."""
    blocks: tuple[int, ...]
    """Basic blocks per stage; (2, 2, 2, 2) is ResNet-18."""
    dim: int
    """Size of the code per video frame."""


@dataclass(frozen=True, kw_only=True)
class AudioEncoderArch:
    """1D ResNet-18 over the waveform, one code per video frame."""

    width: int
    """Channels of the stem and of the first ResNet stage; doubled by each of the three further stages."""
    blocks: tuple[int, ...]
    """Basic blocks per stage."""
    dim: int
    """Size of the code per video frame."""


@dataclass(frozen=True, kw_only=True)
class TemporalArch:
    """Bidirectional GRU over the codes of a clip."""

    layers: int
    """GRU layers."""
    dim: int
    """Units per direction."""
    dropout: float
    """Dropout on the codes that enter the temporal module."""


@dataclass(frozen=True, kw_only=True)
class DecoderArch:
    """Conformer decoder at the mel rate."""

    blocks: int
    """Conformer blocks."""
    dim: int
    """Model width."""
    heads: int
    """Attention heads."""
    kernel: int
    """Depthwise convolution kernel in mel frames (odd)."""
    feed_forward: int
    """Inner size of the two feed-forward halves."""
    dropout: float
    """Dropout in every residual branch."""


@dataclass(frozen=True, kw_only=True)
class Arch:
    """Everything that shapes the network."""

    mel: MelArch
    """Mel definition."""
    video: VideoEncoderArch
    """Front end of V2A models."""
    audio: AudioEncoderArch
    """Front end of A2A models."""
    temporal: TemporalArch
    """Bridge between encoder and decoder."""
    decoder: DecoderArch
    """Decoder, the part that is pre-trained."""
    identity_dim: int
    """Size of the identity embedding."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a training step sees of a clip."""

    frames: int
    """Video frames of a random training crop; shorter clips are padded and masked."""
    crop: int
    """Side of the square picture crop in pixels: random in training, centred in test."""
    flip: float
    """Probability of a horizontal flip of the whole clip."""
    erase: float
    """Probability of erasing one rectangle, the same in all frames."""
    time_mask: float
    """Longest share of a second whose frames are replaced by the mean picture (0 = off), one mask per second."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """The recipe."""

    steps: int
    """Optimiser steps."""
    batch: int
    """Clips per step."""
    lr: float
    """Peak learning rate."""
    betas: tuple[float, ...]
    """AdamW betas."""
    weight_decay: float
    """AdamW decoupled weight decay."""
    warmup: float
    """Share of the steps with linear warm-up; cosine decay to zero follows."""
    clip_norm: float
    """Gradient norm limit."""
    l1: float
    """Weight of the L1 loss on the log-mel."""
    precision: str
    """`fp32` or `bf16` (autocast)."""
    log_every: int
    """Steps between lines of the training log."""
    validate_every: int
    """Steps between validations (also at the end)."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One variant: what is built, from what it starts, how it is trained."""

    name: str
    """Variant name, e.g. `v2a-mel-s-speaker-tuned`."""
    family: str
    """`mel`."""
    source: str
    """`audio` (A2A) or `video` (V2A)."""
    identity: str
    """`speaker`: the GE2E embedding of another utterance of the speaker."""
    arch: Arch
    """Network."""
    data: Data
    """Training crops and augmentation."""
    train: Train
    """Recipe."""
    init: str | None = None
    """Card whose decoder initialises this one's, or none (from scratch)."""
    freeze: tuple[str, ...] = ()
    """Modules whose parameters and statistics never move."""

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.json().encode()).hexdigest()[:16]

    def json(self) -> str:
        """Canonical JSON of the whole card; `card_from_json` reads it back."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Params:
    """The profile in `params.yaml`."""

    profile: str
    """Its name: demo, smoke, paper."""
    seed: int
    """Seed of everything that draws."""
    threads: int
    """Threads of a training process; sums depend on it, so it is part of the recipe."""
    corpora: Mapping[str, str]
    """Corpora to prepare: name -> the file whose content stands for the raw corpus (see docs/decisions.md)."""
    splits: Mapping[str, Any]
    """Split name -> {corpus: name}."""
    pretrain_split: str
    """Split on which the A2A models are pre-trained."""
    models: tuple[str, ...]
    """Models (family and size) to train, e.g. `mel-s`."""
    identities: tuple[str, ...]
    """Identity embeddings to train with."""
    v2a_splits: tuple[str, ...]
    """Splits on which the V2A models are trained and scored."""
    references: tuple[str, ...]
    """Ceiling and floor systems to score."""
    asr: str
    """Recogniser for the WER."""
    protocol: str
    """Scoring protocol."""
    scan: tuple[str, ...] = ()
    """Corpora on disk whose files are counted anew on every `dvc repro`."""
    demo: Mapping[str, Any] = field(default_factory=dict)
    """Size of the embedded corpora."""
    override: Mapping[str, Any] = field(default_factory=dict)
    """Sections merged over the cards, by model (`mel-s`) and by card name."""


# ---------------------------------------------------------------- reading


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 mapping; UseError when the file is missing, unreadable or no mapping."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UseError(f"no file {path}; run from the project's root, or see `v2sbench list models`") from None
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise UseError(f"{path} is not valid YAML: {where}") from None
    if not isinstance(content, dict):
        raise UseError(f"{path} must hold a mapping of keys to values")
    return content


def build(kind: type[T], content: object, where: str) -> T:
    """`content` as the dataclass `kind`; UseError names the dotted key that is unknown, missing or of a wrong type."""
    if not isinstance(content, Mapping):
        raise UseError(f"{where} must be a mapping, not {content!r}")
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            raise UseError(f"unknown key {where}.{key}{suggest(str(key), fields)} (known: {', '.join(fields)})")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, item in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], f"{where}.{name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise UseError(f"missing key {where}.{name}")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type `hint` (scalar, optional, tuple, mapping or dataclass)."""
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    if type(None) in get_args(hint):
        if value is None:
            return None
        hint = next(option for option in get_args(hint) if option is not type(None))
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(get_args(hint)[0], entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise UseError(f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top: mappings merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def list_cards(folder: Path = MODELS) -> list[str]:
    """Names of all cards, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def card_chain(name: str, folder: Path = MODELS) -> list[str]:
    """The card and its bases, nearest first: the files on which the variant depends."""
    chain: list[str] = []
    following: str | None = name
    while following is not None:
        choose("model", following, dict.fromkeys(list_cards(folder)))
        if following in chain:
            raise UseError(f"card {name!r} has a circle of bases: {' -> '.join([*chain, following])}")
        chain.append(following)
        following = read_yaml(folder / f"{following}.yaml").get("base")
    return chain


def load_card(name: str, params: Params | None = None, folder: Path = MODELS) -> Card:
    """The card of a variant with the profile's overrides, checked; UseError names the dotted key that is off."""
    content: dict[str, Any] = {}
    for link in reversed(card_chain(name, folder)):
        content = merge(content, read_yaml(folder / f"{link}.yaml"))
    content.pop("base", None)
    if params is not None:
        known = {*list_cards(folder), *(model_of(card) for card in list_cards(folder))}
        for key in params.override:
            choose("override", key, dict.fromkeys(known))
        for key in (model_of(name), name):
            content = merge(content, params.override.get(key) or {})
    card = build(Card, {**content, "name": name}, name)
    _check(card)
    return card


def model_of(name: str) -> str:
    """Family and size within a variant's name: `v2a-mel-s-speaker-tuned` -> `mel-s`, `a2a-wave` -> `wave`."""
    return "-".join(part for part in name.split("-")[1:3] if part not in ("speaker", "face"))


def _check(card: Card) -> None:
    """Values that the types cannot rule out."""
    choose("family", card.family, {"mel": 0})
    choose("source", card.source, {"audio": 0, "video": 0})
    choose("identity", card.identity, {"speaker": 0})
    choose("precision", card.train.precision, {"fp32": 0, "bf16": 0})
    for module in card.freeze:
        choose("module to freeze", module, {"decoder": 0})
    decoder = card.arch.decoder
    for right, message in (
        (decoder.kernel % 2 == 1, f"arch.decoder.kernel must be odd, not {decoder.kernel}"),
        (decoder.dim % (2 * decoder.heads) == 0, "arch.decoder.dim must be a multiple of twice arch.decoder.heads"),
        (not card.freeze or card.init is not None, "freeze needs init: a frozen random decoder cannot learn"),
        (len(card.train.betas) == 2, "train.betas must be two numbers"),
        (card.train.steps > 0 and card.train.batch > 0, "train.steps and train.batch must be positive"),
        (0 < card.data.crop <= 96, f"data.crop must be within 1..96 pixels, not {card.data.crop}"),
        (card.data.frames > 0, "data.frames must be positive"),
    ):
        if not right:
            raise UseError(f"{card.name}: {message}")


def card_from_json(text: str) -> Card:
    """The card inside a checkpoint."""
    content = json.loads(text)
    return build(Card, content, content.get("name", "card"))


@cache
def _params(path: Path, stamp: int) -> Params:
    return build(Params, read_yaml(path), path.name)


def load_params(path: Path | str = PARAMS) -> Params:
    """The profile; UseError when the file is missing or a key is unknown."""
    path = Path(path)
    return _params(path, path.stat().st_mtime_ns if path.exists() else 0)
