"""Model cards and the profile: what they hold, how they are read, and the rules that a card must keep.

    models/NAME.yaml, its bases, params.yaml's override  --load_card-->  Card
    params.yaml                                          --load_params-->  Params

An unknown key is refused with the nearest known one, a wrong value with its dotted key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from v2sbench.audio import RATE, SAMPLES_PER_FRAME
from v2sbench.runtime import Between, UseError, below, build, choose, merge, read_yaml
from v2sbench.runtime.systems import IDENTITIES, model_of, training

MODELS = Path("models")
PARAMS = Path("params.yaml")

# ---------------------------------------------------------------- what a card holds


Steps = Annotated[int, Between(1, 10**9)]  # of a training
Size = Annotated[int, Between(1, 16_384)]  # channels, units, samples
Sizes = Annotated[tuple[Size, ...], Between(1, 17)]
Few = Annotated[int, Between(1, 64)]  # layers, blocks, heads
Hertz = Annotated[float, Between(0, RATE / 2)]
Share = Annotated[float, Between(0, 1)]
Rate = Annotated[float, Between(1e-12, 100)]  # of learning
Weight = Annotated[float, Between(0, 1e9)]
Stages = Annotated[tuple[Few, ...], Between(1, 6)]  # blocks per stage; six halve an audio frame's 160 steps to 5
Betas = Annotated[tuple[Annotated[float, Between(0, 0.999999)], ...], Between(2, 2)]
Seed = Annotated[int, Between(0, 2**32 - 1)]
"""Ranges: wide enough for any model that a machine of today could train, and no wider."""


@dataclass(frozen=True, kw_only=True)
class MelArch:
    """The mel spectrogram that the decoder predicts; it must equal the vocoder's exactly."""

    n_fft: Size  # FFT size in samples
    window: Size  # Hann window in samples
    hop: Size  # samples; 960 are one video frame, so hop 300 gives 3.2 mel frames per video frame
    bands: Annotated[int, Between(1, 1024)]
    low: Hertz  # lower edge in Hz
    high: Hertz  # upper edge in Hz
    floor: Annotated[float, Between(1e-30, 1)]  # smallest magnitude before log10


@dataclass(frozen=True, kw_only=True)
class VideoEncoderArch:
    """3D convolution and 2D ResNet-18 over mouth crops."""

    pool: Annotated[int, Between(1, 96)]  # average pooling of the picture before the stem; 1 is none
    width: Size  # channels of the stem and of the first stage; each further stage doubles them
    blocks: Stages  # basic blocks per stage; (2, 2, 2, 2) is ResNet-18
    dim: Size  # size of the code per video frame


@dataclass(frozen=True, kw_only=True)
class AudioEncoderArch:
    """1D ResNet-18 over the waveform, one code per video frame."""

    width: Size  # channels of the stem and of the first stage; each further stage doubles them
    blocks: Stages  # basic blocks per stage
    dim: Size  # size of the code per video frame


@dataclass(frozen=True, kw_only=True)
class TemporalArch:
    """Bidirectional GRU over the codes of a clip."""

    layers: Few
    dim: Size  # units per direction
    dropout: Share  # on the codes that enter


@dataclass(frozen=True, kw_only=True)
class DecoderArch:
    """Conformer decoder at the mel rate."""

    blocks: Few
    dim: Size  # model width
    heads: Few
    kernel: Annotated[int, Between(1, 1023)]  # of the depthwise convolution, in mel frames; odd
    feed_forward: Annotated[int, Between(1, 65_536)]  # inner size of the two feed-forward halves
    dropout: Share  # in every residual branch


@dataclass(frozen=True, kw_only=True)
class WaveArch:
    """Waveform decoder: transposed convolutions, each followed by dilated residual units."""

    channels: Sizes  # before the first stage and after each one
    strides: Annotated[
        tuple[Size, ...], Between(1, 16)
    ]  # upsampling per stage; their product is 960 samples, or the mel hop in a vocoder
    kernel: Annotated[int, Between(1, 1023)]  # of the residual units; odd
    dilations: Sizes  # one residual unit of a stage each


@dataclass(frozen=True, kw_only=True)
class Arch:
    """Everything that shapes the network."""

    mel: MelArch  # what a mel model predicts, and what all models are validated on
    video: VideoEncoderArch
    audio: AudioEncoderArch
    temporal: TemporalArch
    identity_dim: Size  # size of the identity code that the decoder gets at every frame
    decoder: DecoderArch | None = None  # the part of a mel model that is pre-trained
    wave: WaveArch | None = None  # the part of a wave model that is pre-trained; also a vocoder's generator


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a training step sees of a clip."""

    frames: Annotated[int, Between(1, 15_000)]  # video frames of a training crop; shorter clips are padded and masked
    crop: Annotated[int, Between(1, 96)]  # side of the square picture in pixels: random in training, centred in test
    flip: Share  # probability that the whole clip is flipped horizontally
    erase: Share  # probability that one rectangle is erased, the same in all frames
    time_mask: Share  # longest share of a second whose frames become the mean picture, one mask per second; 0 is off
    share: Annotated[float, Between(1e-9, 1)] = (
        1.0  # of the training clips, by a hash: a larger share has the smaller in it
    )
    speakers: tuple[str, ...] = ()  # patterns (`p2*`) of the speakers to train on; none is all of them


@dataclass(frozen=True, kw_only=True)
class Train:
    """The recipe."""

    steps: Steps
    batch: Annotated[int, Between(1, 65_536)]  # clips per step
    lr: Rate  # peak learning rate
    betas: Betas  # of AdamW, which is Adam without weight decay
    weight_decay: Weight
    schedule: str  # after the warm-up: `cosine` (to zero at the last step) or `constant`
    warmup: Share  # share of the steps with linear warm-up
    clip_norm: Annotated[float, Between(1e-9, 1e12)]  # gradient norm limit
    precision: str  # `fp32` or `bf16` (autocast)
    channels_last: bool  # memory layout of pictures in the video encoder
    compile: bool  # `torch.compile` the encoder and the decoder
    log_every: Steps  # steps between lines of the training log
    validate_every: Steps  # steps between validations; there is always one at the end


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weight of each loss term; 0 leaves a term out."""

    l1: Weight = 0.0  # mean absolute difference of log-mels (mel models)
    power: Weight = 0.0  # mean absolute difference of log power spectra of 25 ms windows
    mfcc: Weight = 0.0  # mean absolute difference of 25 mel-frequency cepstral coefficients
    stft: Weight = 0.0  # multi-resolution STFT, in place of the paper's PASE loss, which has no public weights
    adversarial: Weight = 0.0  # least-squares GAN loss of the generator
    features: Weight = 0.0  # mean absolute difference of the discriminator's feature maps


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """MelGAN's multi-scale discriminator and how it is trained."""

    scales: Annotated[int, Between(1, 8)]  # networks of one architecture, each at half the rate of the one before
    width: Annotated[int, Between(4, 1024)]  # channels of the first layer
    limit: Annotated[int, Between(4, 16_384)]  # most channels of any layer
    start: Share  # share of the steps before the generator feels it
    lead: Share  # share of the steps for which it learns before that
    lr: Rate  # peak learning rate
    betas: Betas  # of Adam


@dataclass(frozen=True, kw_only=True)
class Card:
    """One variant: what is built, what it starts from, how it is trained."""

    name: str  # such as `v2a-mel-s-speaker-tuned`
    family: str  # `mel` (log-mel out), `wave` (waveform out), or `vocoder` (log-mel in, waveform out)
    source: str  # `audio` (A2A) or `video` (V2A)
    identity: str  # `speaker` or `face`: the embedding of another clip of the speaker
    arch: Arch
    data: Data
    train: Train
    loss: LossWeights
    adversary: Adversary | None = None  # discriminator of wave models and vocoders
    init: str | None = None  # the card whose decoder initialises this one's; None is from scratch
    freeze: tuple[str, ...] = ()  # modules whose parameters and statistics never move

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

    profile: str  # its name: demo, smoke, paper
    seed: Seed  # of every draw beside the trainings: the identities at test, the noise floor
    threads: Annotated[int, Between(1, 1024)]  # of a training process; sums depend on it, so it is part of the recipe
    corpora: Mapping[str, str]  # to prepare: name -> the file whose content stands for the raw corpus
    splits: Mapping[str, Mapping[str, str]]  # name -> {corpus: name}
    pretrain_split: str  # where the A2A models are trained
    models: Annotated[tuple[str, ...], Between(1, 100)]  # family and size, such as `mel-s`
    identities: tuple[str, ...]
    v2a_splits: tuple[str, ...]  # where the V2A models are trained and scored
    references: tuple[str, ...]  # ceiling and floor systems to score
    asr: str  # recogniser for the WER
    protocol: str  # scoring protocol
    seeds: tuple[Seed, ...] = ()  # of the trainings, one a seed; none is one training with `seed`
    mixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # corpus -> the corpora that it is made of
    scan: tuple[str, ...] = ()  # corpora on disk whose files are counted anew on every `dvc repro`
    roi: str = "auto"  # what finds the mouths in the pictures: `haar`, `mesh` or `auto`
    demo: Mapping[str, Any] = field(default_factory=dict)  # size of the embedded corpora
    face_splits: tuple[str, ...] = ()  # splits that get face embeddings
    vocoders: tuple[str, ...] = ()  # cards to train on pretrain_split; each adds a row of copy synthesis
    override: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)  # over the cards, by model or card

    @property
    def trainings(self) -> tuple[int, ...]:
        """The seeds that every recipe is trained with."""
        return self.seeds or (self.seed,)


# ---------------------------------------------------------------- reading


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
        if not isinstance(following, str | None):
            raise UseError(f"{folder / chain[-1]}.yaml: base must be the name of a card, not {following!r:.60}")
    return chain


def load_card(name: str, params: Params | None = None, folder: Path = MODELS) -> Card:
    """The card of a variant with the profile's overrides, checked; UseError names the dotted key that is off.

    An override by model (`mel-s`) is for all cards of exactly that model, one by card name lies on top of it.
    """
    content: dict[str, Any] = {}
    for link in reversed(card_chain(name, folder)):
        content = merge(content, read_yaml(folder / f"{link}.yaml"))
    content.pop("base", None)
    if params is not None:
        cards = list_cards(folder)
        for key in params.override:
            choose("override", key, dict.fromkeys([*cards, *map(model_of, cards)]))
        for key in (model_of(name), name):
            content = merge(content, params.override.get(key) or {})
    card = build(Card, {**content, "name": name}, name)
    _check(card)
    return card


def changed_values(card: Card) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (the value of the card's file, the value used), for all that the profile's override changed.

    UseError when the card has no file here.
    """
    ours, used = (_flat(dataclasses.asdict(item)) for item in (load_card(card.name), card))
    return {key: (ours.get(key), used.get(key)) for key in sorted(ours | used) if ours.get(key) != used.get(key)}


def _flat(content: Mapping[str, Any], stem: str = "") -> dict[str, Any]:
    """Dotted key -> value of nested mappings."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{stem}{key}.") if isinstance(value, Mapping) else {f"{stem}{key}": value}
    return found


def card_from_json(text: str) -> Card:
    """The card inside a weights file, checked as one in models/ is; UseError for what is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UseError(f"a card that is no JSON: {error}") from None
    card = build(Card, content, "card")
    _check(card)
    return card


def load_params(path: Path | str = PARAMS) -> Params:
    """The profile; UseError when the file is missing or a key is unknown."""
    path = Path(path)
    return _params(path, path.stat().st_mtime_ns if path.exists() else 0)


@cache
def _params(path: Path, stamp: int) -> Params:
    return build(Params, read_yaml(path), path.name)


def weights_path(variant: str, split: str, seed: int) -> Path:
    """Where the weights of a variant lie that was trained on a split with a seed; UseError for `../` in a name."""
    return below(MODELS / "weights", split, f"{training(variant, seed)}.safetensors")


# ---------------------------------------------------------------- rules


def _check(card: Card) -> None:
    """UseError, with the dotted key, for the first rule that the card breaks beyond the types of its values."""
    choose("family", card.family, dict.fromkeys(("mel", "wave", "vocoder")))
    choose("source", card.source, dict.fromkeys(("audio", "video")))
    choose("identity", card.identity, dict.fromkeys(IDENTITIES))
    choose("precision", card.train.precision, dict.fromkeys(("fp32", "bf16")))
    choose("schedule", card.train.schedule, dict.fromkeys(("cosine", "constant")))
    for module in card.freeze:
        choose("module to freeze", module, {"decoder": 0})
    mel, pool = card.arch.mel, card.arch.video.pool
    _need(card, mel.low < mel.high, f"arch.mel.low must be below arch.mel.high, not {mel.low}")
    _need(card, mel.window <= mel.n_fft, f"arch.mel.window must be at most arch.mel.n_fft, not {mel.window}")
    _need(card, pool <= card.data.crop, f"arch.video.pool must be at most data.crop, not {pool}")
    _need(card, not card.freeze or card.init is not None, "freeze needs init: a frozen random decoder cannot learn")
    _need(card, card.identity == "speaker" or card.source == "video", "identity face needs source video")
    if card.family == "mel":
        _check_mel(card, card.arch.decoder)
    else:
        _check_wave(card, card.arch.wave)


def _need(card: Card, right: bool, message: str) -> None:
    if not right:
        raise UseError(f"{card.name}: {message}")


def _check_mel(card: Card, decoder: DecoderArch | None) -> None:
    """Rules of cards whose decoder predicts a log-mel."""
    if decoder is None:
        raise UseError(f"{card.name}: family mel needs the section arch.decoder")
    _need(card, decoder.kernel % 2 == 1, f"arch.decoder.kernel must be odd, not {decoder.kernel}")
    right = decoder.dim % (2 * decoder.heads) == 0
    _need(card, right, "arch.decoder.dim must be a multiple of twice arch.decoder.heads")
    _need(card, card.loss.l1 > 0, "family mel is trained on loss.l1, which must be positive")


def _check_wave(card: Card, wave: WaveArch | None) -> None:
    """Rules of cards whose decoder makes samples."""
    if wave is None:
        raise UseError(f"{card.name}: family {card.family} needs the section arch.wave")
    total, what = SAMPLES_PER_FRAME, "the samples of a video frame"
    if card.family == "vocoder":
        total, what = card.arch.mel.hop, "arch.mel.hop"
    right = math.prod(wave.strides) == total
    _need(card, right, f"arch.wave.strides {wave.strides} must multiply to {total}, {what}")
    count = len(wave.strides) + 1
    right = len(wave.channels) == count
    _need(card, right, f"arch.wave.channels must be {count}, one more than arch.wave.strides")
    _need(card, wave.kernel % 2 == 1, f"arch.wave.kernel must be odd, not {wave.kernel}")
    loss, adversary = card.loss, card.adversary
    right = loss.power + loss.mfcc + loss.stft > 0
    _need(card, right, "one of loss.power, loss.mfcc, loss.stft must be positive")
    _need(card, loss.l1 == 0, f"loss.l1 is for family mel; family {card.family} has power, mfcc, stft")
    if adversary is None:
        right = loss.adversarial <= 0 and loss.features <= 0
        _need(card, right, "loss.adversarial and loss.features need the section adversary")
        return
    _need(card, 0 <= adversary.lead <= adversary.start < 1, "adversary needs 0 <= lead <= start < 1")
    _need(card, adversary.width % 4 == 0, f"adversary.width must be a multiple of 4, not {adversary.width}")
    limits = [adversary.width * 4**power for power in range(5)]
    _need(card, adversary.limit in limits, f"adversary.limit must be adversary.width x 4^n, one of {limits}")
