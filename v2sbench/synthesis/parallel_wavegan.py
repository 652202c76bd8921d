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
from functools import partial
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
from v2sbench.synthesis.hifigan import SLOPE, HifiGan, HifiGanArch

FLOOR = 1e-10
"""Smallest magnitude before the logarithm in the repository's feature extraction."""

NOISE_SEED = 0
"""Of the generator's input noise: the same mel gives the same samples."""


@dataclass(frozen=True, kw_only=True)
class _Upsampling:
    """`upsample_params` of the config, with the repository's defaults."""

    upsample_scales: tuple[int, ...]
    nonlinear_activation: str | None = None
    nonlinear_activation_params: Mapping[str, Any] | None = None
    interpolate_mode: str = "nearest"
    freq_axis_kernel_size: int = 1
    aux_channels: int | None = None
    aux_context_window: int | None = None
    use_causal_conv: bool = False


@dataclass(frozen=True, kw_only=True)
class _Params:
    """`generator_params` of a ParallelWaveGANGenerator, with the repository's defaults."""

    upsample_params: _Upsampling
    in_channels: int = 1
    out_channels: int = 1
    kernel_size: int = 3
    layers: int = 30
    stacks: int = 3
    residual_channels: int = 64
    gate_channels: int = 128
    skip_channels: int = 64
    aux_channels: int = 80
    aux_context_window: int = 2
    dropout: float = 0.0
    bias: bool = True
    use_weight_norm: bool = True
    use_causal_conv: bool = False
    upsample_conditional_features: bool = True
    upsample_net: str = "ConvInUpsampleNetwork"


@dataclass(frozen=True, kw_only=True)
class _HifiGanParams:
    """`generator_params` of a HiFiGANGenerator, with the repository's defaults."""

    in_channels: int = 80
    out_channels: int = 1
    channels: int = 512
    kernel_size: int = 7
    upsample_scales: tuple[int, ...] = (8, 8, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 4, 4)
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    use_additional_convs: bool = True
    bias: bool = True
    nonlinear_activation: str = "LeakyReLU"
    nonlinear_activation_params: Mapping[str, Any] | None = None
    use_causal_conv: bool = False
    use_weight_norm: bool = True


# ---------------------------------------------------------------- network


class _Upsample(nn.Module):
    """Repetition and smoothing, scale by scale: (B, C, M) -> (B, C, M x product of the scales)."""

    def __init__(self, scales: tuple[int, ...], height: int) -> None:
        super().__init__()
        self.scales = scales
        layers: list[nn.Module] = []
        for scale in scales:  # the public list counts repetitions as layers
            layers += [nn.Identity(), nn.Conv2d(1, 1, (height, 2 * scale + 1), bias=False,
                                                padding=(height // 2, scale))]  # fmt: skip
        self.up_layers = nn.ModuleList(layers)

    def forward(self, mel: Tensor) -> Tensor:
        mel = mel[:, None]
        for scale, smooth in zip(self.scales, self.up_layers[1::2], strict=True):
            mel = smooth(mel.repeat_interleave(scale, dim=-1))
        return mel[:, 0]


class _ContextUpsample(nn.Module):
    """A convolution over neighbouring frames, then `_Upsample`."""

    def __init__(self, params: _Params) -> None:
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

    def __init__(self, params: _Params, dilation: int) -> None:
        super().__init__()
        half = params.gate_channels // 2
        padding = (params.kernel_size - 1) // 2 * dilation
        self.conv = nn.Conv1d(params.residual_channels, params.gate_channels, params.kernel_size, padding=padding,
                              dilation=dilation, bias=params.bias)  # fmt: skip
        self.conv1x1_aux = nn.Conv1d(params.aux_channels, params.gate_channels, 1, bias=False)
        self.conv1x1_out = nn.Conv1d(half, params.residual_channels, 1, bias=params.bias)
        self.conv1x1_skip = nn.Conv1d(half, params.skip_channels, 1, bias=params.bias)

    def forward(self, wave: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T), (B, C, T) -> residual and skip output, both (B, C, T)."""
        filtered, gate = self.conv(wave).add_(self.conv1x1_aux(mel)).chunk(2, dim=1)
        hidden = filtered.tanh_().mul_(gate.sigmoid_())
        return self.conv1x1_out(hidden).add_(wave).mul_(math.sqrt(0.5)), self.conv1x1_skip(hidden)


class ParallelWaveGan(nn.Module):
    """Noise and mel in, waveform out, all samples at once. Parameters bear the public names."""

    def __init__(self, params: _Params) -> None:
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


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What `generator_params` ask for, checked, before any weights are read."""

    kind: str
    """First part of the label."""
    build: Callable[[], ParallelWaveGan | HifiGan]
    """Makes the generator."""
    rename: Callable[[str], str]
    """Name of a parameter in the file -> its name in the generator."""
    bands: int
    """Channels of the generator's input."""
    hop: int
    """Samples that it makes of a mel frame."""


def load_parallel_wavegan(path: Path, mel: MelArch) -> tuple[str, Conditioned]:
    """Kind (`parallel-wavegan` or `hifigan`) and renderer of a checkpoint of the repository.

    UseError when config.yml or the statistics are missing, the config asks for another architecture or another mel, or
    the weights do not fit it.
    """
    file = path.parent / "config.yml"
    config = read_config(file)
    kind = str(config.get("generator_type", "ParallelWaveGANGenerator"))
    plan_of = choose("generator_type", kind, {"ParallelWaveGANGenerator": _wavenet, "HiFiGANGenerator": _hifigan})
    content = config.get("generator_params")
    if isinstance(content, Mapping):  # published configs carry a misspelt key, which the repository corrects, too
        content = {str(key).replace("kernal", "kernel"): value for key, value in content.items()}
    plan = plan_of(file, content)
    _check_definition(file, config, plan, mel)
    mean, scale = _read_stats(path.parent, mel.bands)
    state = {plan.rename(name): value for name, value in read_weights(path, "model", "generator").items()}
    module = load_state(plan.build, state, path)
    generator = module.render if isinstance(module, ParallelWaveGan) else module
    return plan.kind, Conditioned(generator=generator, floor=FLOOR, gain=1.0 / scale, offset=-mean / scale)


def _check_definition(file: Path, config: Mapping[str, Any], plan: _Plan, mel: MelArch) -> None:
    """UseError when the features of the config are not our mel."""
    check_mel(file, {
        "sampling_rate": (config.get("sampling_rate"), RATE),
        "sampling_rate_for_feats": (config.get("sampling_rate_for_feats") or RATE, RATE),
        "fft_size": (config.get("fft_size"), mel.n_fft), "hop_size": (config.get("hop_size"), mel.hop),
        "win_length": (config.get("win_length") or config.get("fft_size"), mel.window),
        "window": (config.get("window"), "hann"), "num_mels": (config.get("num_mels"), mel.bands),
        "fmin": (config.get("fmin") or 0, mel.low), "fmax": (config.get("fmax") or RATE / 2, mel.high),
        "log_base": (config.get("log_base", 10), 10), "global_gain_scale": (config.get("global_gain_scale", 1), 1),
        "channels of the generator's input": (plan.bands, mel.bands), "product of upsample_scales": (plan.hop, mel.hop),
    })  # fmt: skip


def _wavenet(file: Path, content: object) -> _Plan:
    """Plan of a ParallelWaveGANGenerator."""
    params = build(_Params, content, f"{file}: generator_params")
    up = params.upsample_params
    check_positive(file, {**vars(params), **vars(up), "aux_context_window": params.aux_context_window + 1})
    _only(file, {
        "in_channels": (params.in_channels, 1), "out_channels": (params.out_channels, 1),
        "use_causal_conv": (params.use_causal_conv or up.use_causal_conv, False),
        "upsample_conditional_features": (params.upsample_conditional_features, True),
        "upsample_net": (params.upsample_net, "ConvInUpsampleNetwork"),
        "upsample_params.nonlinear_activation": (up.nonlinear_activation, None),
        "upsample_params.interpolate_mode": (up.interpolate_mode, "nearest"),
        "layers modulo stacks": (params.layers % params.stacks, 0), "kernel_size modulo 2": (params.kernel_size % 2, 1),
        "gate_channels modulo 2": (params.gate_channels % 2, 0),
        "upsample_params.freq_axis_kernel_size modulo 2": (up.freq_axis_kernel_size % 2, 1),
    })  # fmt: skip
    return _Plan(
        kind="parallel-wavegan", build=lambda: ParallelWaveGan(params), rename=str, bands=params.aux_channels,
        hop=math.prod(up.upsample_scales),
    )  # fmt: skip


def _hifigan(file: Path, content: object) -> _Plan:
    """Plan of a HiFiGANGenerator."""
    params = build(_HifiGanParams, content, f"{file}: generator_params")
    slope = {"negative_slope": SLOPE}
    _only(file, {
        "out_channels": (params.out_channels, 1), "use_causal_conv": (params.use_causal_conv, False),
        "bias": (params.bias, True), "nonlinear_activation": (params.nonlinear_activation, "LeakyReLU"),
        "nonlinear_activation_params": (params.nonlinear_activation_params or slope, slope),
        "upsample_kernel_sizes": (params.upsample_kernel_sizes, tuple(2 * rate for rate in params.upsample_scales)),
    })  # fmt: skip
    arch = HifiGanArch(
        bands=params.in_channels, channels=params.channels, kernel=params.kernel_size, rates=params.upsample_scales,
        rate_kernels=params.upsample_kernel_sizes, block_kernels=params.resblock_kernel_sizes,
        dilations=params.resblock_dilations, paired=params.use_additional_convs, whole=True,
    )  # fmt: skip
    arch.check(file)
    return _Plan(
        kind="hifigan", build=lambda: HifiGan(arch), rename=partial(_hifigan_name, paired=arch.paired),
        bands=params.in_channels, hop=math.prod(params.upsample_scales),
    )  # fmt: skip


def _hifigan_name(name: str, *, paired: bool) -> str:
    """Name of a parameter of a HiFiGANGenerator -> its name in the HiFi-GAN repository."""
    for pattern, target in (
        (r"^input_conv\.", "conv_pre."),
        (r"^output_conv\.1\.", "conv_post."),  # in a sequence, after its activation, as the next two
        (r"^upsamples\.(\d+)\.1\.", r"ups.\1."),
        (r"^blocks\.(\d+)\.(convs[12])\.(\d+)\.1\.", r"resblocks.\1.\2.\3."),
    ):
        name = re.sub(pattern, target, name)
    return name if paired else name.replace(".convs1.", ".convs.")


def _only(file: Path, values: Mapping[str, tuple[object, object]]) -> None:
    """UseError at the first key whose value (found, the only one supported) is another."""
    for key, (found, needed) in values.items():
        if found != needed:
            raise UseError(f"{file}: generator_params.{key} is {found}, of which only {needed} is supported")


def _read_stats(folder: Path, bands: int) -> tuple[Tensor, Tensor]:
    """Mean and scale, each (bands,), that normalise the log10 mel; UseError when they are missing or off."""
    for path in (folder / "stats.npy", folder / "stats.h5"):
        if path.is_file():
            break
    else:
        raise UseError(
            f"no stats.npy or stats.h5 beside the checkpoint in {folder}; one was published together with it"
        )
    try:
        if path.suffix == ".npy":
            table = np.load(path, allow_pickle=False)
            mean, scale = (np.asarray(table[row], dtype=np.float32).reshape(-1) for row in (0, 1))
        else:
            try:
                import h5py
            except ModuleNotFoundError:
                raise UseError(f"{path} needs h5py: `pip install h5py` (stats.npy needs nothing)") from None
            with h5py.File(path, "r") as archive:
                mean, scale = (np.asarray(archive[key][()], dtype=np.float32).reshape(-1) for key in ("mean", "scale"))
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        raise UseError(f"{path} holds no mean and scale ({error})") from None
    right = len(mean) == len(scale) == bands and bool(np.isfinite(mean).all() and np.isfinite(scale).all())
    if not right or not bool((scale > 0).all()):
        raise UseError(f"{path} must hold a finite mean and a positive scale for each of {bands} bands")
    return torch.from_numpy(mean), torch.from_numpy(scale)
