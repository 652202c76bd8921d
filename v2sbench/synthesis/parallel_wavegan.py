"""Vocoders of the ParallelWaveGAN repository: `checkpoint-*.pkl` with config.yml and stats.h5 or stats.npy beside it.

    ParallelWaveGANGenerator   Yamamoto et al. 2020 (1910.11480), here
    HiFiGANGenerator           the same repository's HiFi-GAN, in `hifigan`

Its LibriTTS recipes (24 kHz, FFT 2048, hop 300, window 1200, 80 bands in 80-7600 Hz, centred, log10) have our mel,
normalised by the mean and scale of the training set. They floor at 1e-10, we at 1e-5: in digital silence the generator
gets a value that it knows from quiet recordings.

B clips   C channels   M mel frames   T = hop x M samples
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from v2sbench.audio import RATE
from v2sbench.nets.cards import MelArch
from v2sbench.runtime import UseError, build, choose
from v2sbench.synthesis.checkpoints import Conditioned, check_mel, check_positive, load_state, read_config, read_weights
from v2sbench.synthesis.hifigan import SLOPE, HifiGan, HifiGanConfig

FLOOR = 1e-10  # smallest magnitude before the logarithm in the repository's feature extraction
NOISE_SEED = 0  # of the generator's input noise: the same mel gives the same samples
WEIGHTS = ("model", "generator")  # where a checkpoint holds the generator's weights


# Keys of `generator_params` with the only value that is supported, which is the repository's default.
WAVENET_FIXED = {
    "in_channels": 1,
    "out_channels": 1,
    "use_causal_conv": False,
    "upsample_conditional_features": True,
    "upsample_net": "ConvInUpsampleNetwork",
}
UPSAMPLING_FIXED = {"nonlinear_activation": None, "interpolate_mode": "nearest", "use_causal_conv": False}
HIFIGAN_FIXED = {
    "out_channels": 1,
    "use_causal_conv": False,
    "bias": True,
    "nonlinear_activation": "LeakyReLU",
    "nonlinear_activation_params": {"negative_slope": SLOPE},
}
# Keys that change nothing about the generator: training, and what upsampling has from elsewhere.
WITHOUT_EFFECT = ("dropout", "use_weight_norm")
UPSAMPLING_WITHOUT_EFFECT = ("nonlinear_activation_params", "aux_channels", "aux_context_window")


@dataclass(frozen=True, kw_only=True)
class Upsampling:
    """The rest of `upsample_params`, with the repository's defaults."""

    upsample_scales: tuple[int, ...]
    freq_axis_kernel_size: int = 1


@dataclass(frozen=True, kw_only=True)
class WaveNetParams:
    """The rest of `generator_params` of a ParallelWaveGANGenerator, with the repository's defaults."""

    upsample_params: Upsampling
    kernel_size: int = 3
    layers: int = 30
    stacks: int = 3
    residual_channels: int = 64
    gate_channels: int = 128
    skip_channels: int = 64
    aux_channels: int = 80
    aux_context_window: int = 2
    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class HifiGanParams:
    """The rest of `generator_params` of a HiFiGANGenerator, with the repository's defaults."""

    in_channels: int = 80
    channels: int = 512
    kernel_size: int = 7
    upsample_scales: tuple[int, ...] = (8, 8, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 4, 4)
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    use_additional_convs: bool = True


# ---------------------------------------------------------------- network


class _Upsample(nn.Module):
    """Repetition and smoothing, scale by scale: (B, C, M) -> (B, C, M x product of the scales)."""

    def __init__(self, scales: tuple[int, ...], height: int) -> None:
        super().__init__()
        self.scales = scales
        layers: list[nn.Module] = []
        for scale in scales:
            layers.append(nn.Identity())  # the public list counts repetitions as layers
            layers.append(nn.Conv2d(1, 1, (height, 2 * scale + 1), padding=(height // 2, scale), bias=False))
        self.up_layers = nn.ModuleList(layers)

    def forward(self, mel: Tensor) -> Tensor:
        mel = mel[:, None]
        for scale, smooth in zip(self.scales, self.up_layers[1::2], strict=True):
            mel = smooth(mel.repeat_interleave(scale, dim=-1))
        return mel[:, 0]


class _ContextUpsample(nn.Module):
    """A convolution over neighbouring frames, then `_Upsample`."""

    def __init__(self, params: WaveNetParams) -> None:
        super().__init__()
        self.context = params.aux_context_window
        self.conv_in = nn.Conv1d(params.aux_channels, params.aux_channels, 2 * self.context + 1, bias=False)
        upsampling = params.upsample_params
        self.upsample = _Upsample(upsampling.upsample_scales, upsampling.freq_axis_kernel_size)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, C, M) -> (B, C, T); the edges repeat the outer frames."""
        padded = functional.pad(mel, (self.context, self.context), mode="replicate")
        return torch.as_tensor(self.upsample(self.conv_in(padded)))


class _Block(nn.Module):
    """Gated dilated convolution, conditioned on the mel: one layer of a WaveNet that looks both ways."""

    def __init__(self, params: WaveNetParams, dilation: int) -> None:
        super().__init__()
        size, gate, bias = params.kernel_size, params.gate_channels, params.bias
        padding = (size - 1) // 2 * dilation
        self.conv = nn.Conv1d(params.residual_channels, gate, size, 1, padding, dilation, bias=bias)
        self.conv1x1_aux = nn.Conv1d(params.aux_channels, gate, 1, bias=False)
        self.conv1x1_out = nn.Conv1d(gate // 2, params.residual_channels, 1, bias=bias)
        self.conv1x1_skip = nn.Conv1d(gate // 2, params.skip_channels, 1, bias=bias)

    def forward(self, wave: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, C, T) -> residual and skip output, both (B, C, T)."""
        filtered, gate = self.conv(wave).add_(self.conv1x1_aux(mel)).chunk(2, dim=1)
        hidden = filtered.tanh_().mul_(gate.sigmoid_())
        return self.conv1x1_out(hidden).add_(wave).mul_(math.sqrt(0.5)), self.conv1x1_skip(hidden)


class ParallelWaveGan(nn.Module):
    """Noise and mel in, waveform out, all samples at once. Parameters bear the public names."""

    def __init__(self, params: WaveNetParams) -> None:
        super().__init__()
        self.hop = math.prod(params.upsample_params.upsample_scales)
        self.first_conv = nn.Conv1d(1, params.residual_channels, 1)
        self.upsample_net = _ContextUpsample(params)
        cycle = params.layers // params.stacks
        self.conv_layers = nn.ModuleList(_Block(params, 2 ** (layer % cycle)) for layer in range(params.layers))
        skip = params.skip_channels
        self.last_conv_layers = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, 1, 1))

    def forward(self, noise: Tensor, mel: Tensor) -> Tensor:
        """noise: (B, 1, T) normal; mel: (B, bands, M), normalised. Returns (B, T)."""
        mel = self.upsample_net(mel)
        wave = self.first_conv(noise)
        first, *further = self.conv_layers
        wave, total = first(wave, mel)
        for block in further:
            wave, skip = block(wave, mel)
            total += skip
        return torch.as_tensor(self.last_conv_layers(total * math.sqrt(1.0 / len(self.conv_layers)))[:, 0])

    def render(self, mel: Tensor) -> Tensor:
        """(1, bands, M) -> (1, T) with the same noise every time."""
        draw = torch.Generator().manual_seed(NOISE_SEED)
        return torch.as_tensor(self(torch.randn(1, 1, self.hop * mel.shape[-1], generator=draw), mel))


# ---------------------------------------------------------------- loading


def load_parallel_wavegan(path: Path, mel: MelArch) -> tuple[str, Conditioned]:
    """Kind (`parallel-wavegan` or `hifigan`) and renderer of a checkpoint of the repository.

    UseError when config.yml or the statistics are missing, the config asks for another architecture or another mel, or
    the weights do not fit it.
    """
    file = path.parent / "config.yml"
    config = read_config(file)
    wanted = str(config.get("generator_type", "ParallelWaveGANGenerator"))
    kinds = {"ParallelWaveGANGenerator": "parallel-wavegan", "HiFiGANGenerator": "hifigan"}
    kind = choose("generator_type", wanted, kinds)
    content = config.get("generator_params")
    if not isinstance(content, Mapping):
        raise UseError(f"{file}: generator_params must be a mapping, not {content!r}")
    # Published configs carry a misspelt key, which the repository corrects, too.
    content = {str(key).replace("kernal", "kernel"): value for key, value in content.items()}
    render: Callable[[Tensor], Tensor]
    if kind == "hifigan":
        params = _hifigan_params(file, content)
        shape = _hifigan_config(file, params)
        _check_definition(file, config, params.in_channels, params.upsample_scales, mel)
        state = {_hifigan_name(name, shape): value for name, value in read_weights(path, *WEIGHTS).items()}
        render = load_state(lambda: HifiGan(shape, params.kernel_size, exact=True), state, path)
    else:
        wavenet = wavenet_params(file, content)
        _check_definition(file, config, wavenet.aux_channels, wavenet.upsample_params.upsample_scales, mel)
        render = load_state(lambda: ParallelWaveGan(wavenet), read_weights(path, *WEIGHTS), path).render
    mean, scale = _read_stats(path.parent, mel.bands)
    return kind, Conditioned(generator=render, floor=FLOOR, gain=1.0 / scale, offset=-mean / scale)


def _check_definition(file: Path, config: Mapping[str, Any], bands: int, scales: tuple[int, ...], mel: MelArch) -> None:
    """UseError when the features of the config, or the generator's input and hop, are not those of our mel."""
    pairs = {
        "sampling_rate": (config.get("sampling_rate"), RATE),
        "sampling_rate_for_feats": (config.get("sampling_rate_for_feats") or RATE, RATE),
        "fft_size": (config.get("fft_size"), mel.n_fft),
        "hop_size": (config.get("hop_size"), mel.hop),
        "win_length": (config.get("win_length") or config.get("fft_size"), mel.window),
        "window": (config.get("window"), "hann"),
        "num_mels": (config.get("num_mels"), mel.bands),
        "fmin": (config.get("fmin") or 0, mel.low),
        "fmax": (config.get("fmax") or RATE / 2, mel.high),
        "log_base": (config.get("log_base", 10), 10),
        "global_gain_scale": (config.get("global_gain_scale", 1), 1),
        "channels of the generator's input": (bands, mel.bands),
        "product of upsample_scales": (math.prod(scales), mel.hop),
    }
    check_mel(file, pairs)


def wavenet_params(file: Path, content: Mapping[str, Any]) -> WaveNetParams:
    """`generator_params` of a ParallelWaveGANGenerator; UseError when another generator is asked for than ours."""
    where = f"{file}: generator_params"
    content = _shaping(where, content, WAVENET_FIXED, WITHOUT_EFFECT)
    upsampling = content.get("upsample_params")
    if isinstance(upsampling, Mapping):
        upsampling = _shaping(f"{where}.upsample_params", upsampling, UPSAMPLING_FIXED, UPSAMPLING_WITHOUT_EFFECT)
        content["upsample_params"] = upsampling
    params = build(WaveNetParams, content, where)
    up = params.upsample_params
    check_positive(file, {**vars(params), **vars(up), "aux_context_window": params.aux_context_window + 1})
    _only(f"{where}.layers modulo stacks", params.layers % params.stacks, 0)
    _only(f"{where}.kernel_size modulo 2", params.kernel_size % 2, 1)
    _only(f"{where}.gate_channels modulo 2", params.gate_channels % 2, 0)
    _only(f"{where}.upsample_params.freq_axis_kernel_size modulo 2", up.freq_axis_kernel_size % 2, 1)
    return params


def _hifigan_params(file: Path, content: Mapping[str, Any]) -> HifiGanParams:
    """`generator_params` of a HiFiGANGenerator; UseError when another generator is asked for than ours."""
    where = f"{file}: generator_params"
    params = build(HifiGanParams, _shaping(where, content, HIFIGAN_FIXED, WITHOUT_EFFECT), where)
    check_positive(file, {"kernel_size": params.kernel_size})
    _only(f"{where}.kernel_size modulo 2", params.kernel_size % 2, 1)
    doubled = tuple(2 * rate for rate in params.upsample_scales)
    _only(f"{where}.upsample_kernel_sizes", params.upsample_kernel_sizes, doubled)
    return params


def _shaping(
    where: str, content: Mapping[str, Any], fixed: Mapping[str, object], without_effect: tuple[str, ...]
) -> dict[str, Any]:
    """`content` less the keys with one supported value, which is checked, and those without effect."""
    for key, supported in fixed.items():
        if content.get(key) is not None:
            _only(f"{where}.{key}", content[key], supported)
    return {key: value for key, value in content.items() if key not in (*fixed, *without_effect)}


def _only(where: str, found: object, supported: object) -> None:
    """UseError when a key has another value than the only one that is supported."""
    if found != supported:
        raise UseError(f"{where} is {found}, of which only {supported} is supported")


def _hifigan_config(file: Path, params: HifiGanParams) -> HifiGanConfig:
    """The shape of a HiFiGANGenerator under the names of the HiFi-GAN repository."""
    config = HifiGanConfig(
        resblock="1" if params.use_additional_convs else "2",
        num_mels=params.in_channels,
        upsample_initial_channel=params.channels,
        upsample_rates=params.upsample_scales,
        upsample_kernel_sizes=params.upsample_kernel_sizes,
        resblock_kernel_sizes=params.resblock_kernel_sizes,
        resblock_dilation_sizes=params.resblock_dilations,
    )
    config.check(file)
    return config


def _hifigan_name(name: str, config: HifiGanConfig) -> str:
    """Name of a parameter of a HiFiGANGenerator -> its name in the HiFi-GAN repository."""
    for pattern, target in (
        (r"^input_conv\.", "conv_pre."),
        (r"^output_conv\.1\.", "conv_post."),  # in a sequence, after its activation, as the next two
        (r"^upsamples\.(\d+)\.1\.", r"ups.\1."),
        (r"^blocks\.(\d+)\.(convs[12])\.(\d+)\.1\.", r"resblocks.\1.\2.\3."),
    ):
        name = re.sub(pattern, target, name)
    return name if config.resblock == "1" else name.replace(".convs1.", ".convs.")


def _read_stats(folder: Path, bands: int) -> tuple[Tensor, Tensor]:
    """Mean and scale, each (bands,), that normalise the log10 mel; UseError when they are missing or off."""
    path = folder / "stats.npy"
    if not path.is_file():
        path = folder / "stats.h5"
    if not path.is_file():
        raise UseError(
            f"no stats.npy or stats.h5 beside the checkpoint in {folder}; one was published together with it"
        )
    try:
        mean, scale = _h5_stats(path) if path.suffix == ".h5" else np.load(path, allow_pickle=False)[:2]
        mean, scale = (np.asarray(row, dtype=np.float32).reshape(-1) for row in (mean, scale))
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        raise UseError(f"{path} holds no mean and scale ({error})") from None
    right = len(mean) == len(scale) == bands and bool(np.isfinite(mean).all() and np.isfinite(scale).all())
    if not right or not bool((scale > 0).all()):
        raise UseError(f"{path} must hold a finite mean and a positive scale for each of {bands} bands")
    return torch.from_numpy(mean), torch.from_numpy(scale)


def _h5_stats(path: Path) -> tuple[Any, Any]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise UseError(f"{path} needs h5py: `pip install h5py` (stats.npy needs nothing)") from None
    with h5py.File(path, "r") as archive:
        return archive["mean"][()], archive["scale"][()]
