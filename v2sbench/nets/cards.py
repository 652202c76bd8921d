"""What a model card and a profile hold: frozen dataclasses, a docstring at every field."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
class WaveArch:
    """Waveform decoder: transposed convolutions, each followed by dilated residual units."""

    channels: tuple[int, ...]
    """Channels before the first stage and after each one."""
    strides: tuple[int, ...]
    """Upsampling of each stage. Their product is 960 (samples per video frame), or the mel hop in a vocoder."""
    kernel: int
    """Kernel of the residual units (odd)."""
    dilations: tuple[int, ...]
    """Dilation of each residual unit of a stage."""


@dataclass(frozen=True, kw_only=True)
class Arch:
    """Everything that shapes the network."""

    mel: MelArch
    """Mel definition: what a mel model predicts, and what all models are validated on."""
    video: VideoEncoderArch
    """Front end of V2A models."""
    audio: AudioEncoderArch
    """Front end of A2A models."""
    temporal: TemporalArch
    """Bridge between encoder and decoder."""
    identity_dim: int
    """Size of the identity code that the decoder gets at every frame."""
    decoder: DecoderArch | None = None
    """Mel decoder, the part of a mel model that is pre-trained."""
    wave: WaveArch | None = None
    """Waveform decoder, the part of a wave model that is pre-trained; also a vocoder's generator."""


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
    share: float = 1.0
    """Share of the split's training clips that are used, by a hash of their names; a larger one includes them."""
    speakers: tuple[str, ...] = ()
    """Patterns (`p2*`) of the speakers whose training clips are used; none: all speakers."""


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
    """AdamW betas (without weight decay this is Adam)."""
    weight_decay: float
    """AdamW decoupled weight decay."""
    schedule: str
    """`cosine` (decay to zero at the last step) or `constant`, after the warm-up."""
    warmup: float
    """Share of the steps with linear warm-up."""
    clip_norm: float
    """Gradient norm limit."""
    precision: str
    """`fp32` or `bf16` (autocast)."""
    channels_last: bool
    """Memory layout of pictures in the video encoder."""
    compile: bool
    """`torch.compile` the encoder and the decoder."""
    log_every: int
    """Steps between lines of the training log."""
    validate_every: int
    """Steps between validations (also at the end)."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weight of each loss term; 0 leaves a term out."""

    l1: float = 0.0
    """Mean absolute difference of log-mels (mel models)."""
    power: float = 0.0
    """Mean absolute difference of log power spectra of 25 ms windows."""
    mfcc: float = 0.0
    """Mean absolute difference of 25 mel-frequency cepstral coefficients."""
    stft: float = 0.0
    """Multi-resolution STFT loss, in the place of the perceptual term (whose PASE weights are not to be had)."""
    adversarial: float = 0.0
    """Least-squares GAN loss of the generator."""
    features: float = 0.0
    """Mean absolute difference of the discriminator's feature maps."""


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """MelGAN's multi-scale discriminator and how it is trained."""

    scales: int
    """Networks of one architecture, each at half the rate of the one before."""
    width: int
    """Channels of the first layer."""
    limit: int
    """Most channels of any layer."""
    start: float
    """Share of the steps before the generator feels it."""
    lead: float
    """Share of the steps for which it learns before that."""
    lr: float
    """Peak learning rate."""
    betas: tuple[float, ...]
    """Adam betas."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One variant: what is built, from what it starts, how it is trained."""

    name: str
    """Variant name, e.g. `v2a-mel-s-speaker-tuned`."""
    family: str
    """`mel` (log-mel out), `wave` (waveform out), or `vocoder` (log-mel in, waveform out)."""
    source: str
    """`audio` (A2A) or `video` (V2A)."""
    identity: str
    """`speaker` or `face`: the embedding of another clip of the speaker."""
    arch: Arch
    """Network."""
    data: Data
    """Training crops and augmentation."""
    train: Train
    """Recipe."""
    loss: LossWeights
    """What is minimised."""
    adversary: Adversary | None = None
    """Discriminator of wave models and vocoders."""
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
    mixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Corpora that are made of others -> these."""
    scan: tuple[str, ...] = ()
    """Corpora on disk whose files are counted anew on every `dvc repro`."""
    roi: str = "auto"
    """What finds the mouths in the pictures: a name of `roi.PROVIDERS`, or `auto`."""
    demo: Mapping[str, Any] = field(default_factory=dict)
    """Size of the embedded corpora."""
    face_splits: tuple[str, ...] = ()
    """Splits whose face embeddings are made: v2a_splits when `face` is among the identities."""
    vocoders: tuple[str, ...] = ()
    """Vocoder cards to train on pretrain_split; each adds a row of copy synthesis."""
    override: Mapping[str, Any] = field(default_factory=dict)
    """Sections merged over the cards, by model (`mel-s`) and by card name."""
