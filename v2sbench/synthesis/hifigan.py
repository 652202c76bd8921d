"""HiFi-GAN (Kong et al. 2020, 2010.05646), V1 to V3: a file `generator_*` or `g_*` with config.json beside it.

Its mel is the natural logarithm of the magnitude, floored at 1e-5, over windows that are not centred: the wave is
reflected by (n_fft - hop) / 2 at its ends, so frame m is centred on sample m x hop + hop / 2, while ours is centred on
m x hop. From our frames the generator makes everything half a hop late; `Conditioned.shift` takes that back exactly.
What is left: under the square root of the power it adds 1e-9, which moves values near the floor up.

B clips   C channels   M mel frames   T = hop x M samples
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from v2sbench.audio import RATE
from v2sbench.nets.cards import MelArch
from v2sbench.runtime import UseError, build, suggest
from v2sbench.synthesis.checkpoints import Conditioned, check_mel, check_positive, load_state, read_config, read_weights

FLOOR = 1e-5
"""Smallest magnitude before the logarithm in the repository's feature extraction."""

SLOPE = 0.1
"""Of the leaky ReLUs; the one before the last convolution has PyTorch's default of 0.01, in the public code too."""

MEL_KEYS = ("sampling_rate", "n_fft", "hop_size", "win_size", "num_mels", "fmin", "fmax")
TRAINING_KEYS = frozenset((
    "num_gpus", "batch_size", "learning_rate", "adam_b1", "adam_b2", "lr_decay", "seed", "segment_size", "num_freq",
    "fmax_for_loss", "num_workers", "dist_config",
))  # fmt: skip
"""Keys of config.json that a generator does not read; any other key might change it and is refused."""


@dataclass(frozen=True, kw_only=True)
class _Config:
    """Keys of config.json that shape the generator."""

    resblock: str
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class HifiGanArch:
    """What shapes a HiFi-GAN generator, whichever repository trained it."""

    bands: int
    """Mel bands."""
    channels: int
    """Channels before the first upsampling; halved by each."""
    kernel: int
    """Kernel of the first and of the last convolution."""
    rates: tuple[int, ...]
    """Upsampling factors; their product is the hop."""
    rate_kernels: tuple[int, ...]
    """Kernel of each transposed convolution."""
    block_kernels: tuple[int, ...]
    """Kernels of the residual blocks that run side by side after each upsampling."""
    dilations: tuple[tuple[int, ...], ...]
    """Dilations in each of those blocks."""
    paired: bool
    """Whether a second, undilated convolution follows each dilated one (ResBlock1) or not (ResBlock2)."""
    whole: bool
    """Whether odd factors give exactly factor x M samples (ParallelWaveGAN repository) or some more (HiFi-GAN's)."""

    def check(self, path: Path) -> None:
        """UseError when lists have different lengths or a number has no meaning; path: the config, for the message."""
        check_positive(path, vars(self))
        for right, message in (
            (len(self.rates) == len(self.rate_kernels), "as many upsampling kernels as factors"),
            (len(self.block_kernels) == len(self.dilations), "as many lists of dilations as kernels of blocks"),
            (all(kernel % 2 for kernel in (self.kernel, *self.block_kernels)), "odd kernels outside of upsampling"),
            (all(u <= k for u, k in zip(self.rates, self.rate_kernels, strict=False)), "kernels as long as the factor"),
            (self.channels % 2 ** len(self.rates) == 0, "channels that can be halved by each upsampling"),
        ):
            if not right:
                raise UseError(f"{path}: HiFi-GAN needs {message}; use the config that was published with the weights")


# ---------------------------------------------------------------- network


class _Block(nn.Module):
    """Residual stack of dilated convolutions, (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], paired: bool) -> None:
        super().__init__()

        def convolutions(steps: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2 * step, dilation=step) for step in steps
            )

        self.paired = paired
        if paired:
            self.convs1, self.convs2 = convolutions(dilations), convolutions((1,) * len(dilations))
        else:
            self.convs = convolutions(dilations)

    def forward(self, x: Tensor) -> Tensor:
        chains = zip(self.convs1, self.convs2, strict=True) if self.paired else ((conv,) for conv in self.convs)
        for chain in chains:
            residual = x
            for conv in chain:
                residual = conv(functional.leaky_relu(residual, SLOPE))
            x = x + residual
        return x


class HifiGan(nn.Module):
    """Mel in, waveform out. Parameters bear the names of the HiFi-GAN repository."""

    def __init__(self, arch: HifiGanArch) -> None:
        super().__init__()
        channels, side = arch.channels, (arch.kernel - 1) // 2
        self.side_by_side = len(arch.block_kernels)
        self.conv_pre = nn.Conv1d(arch.bands, channels, arch.kernel, padding=side)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(arch.rates, arch.rate_kernels, strict=True):
            odd = (kernel - rate) % 2 if arch.whole else 0
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate,
                                               padding=(kernel - rate + odd) // 2, output_padding=odd))  # fmt: skip
            channels //= 2
            for block_kernel, dilations in zip(arch.block_kernels, arch.dilations, strict=True):
                self.resblocks.append(_Block(channels, block_kernel, dilations, arch.paired))
        self.conv_post = nn.Conv1d(channels, 1, arch.kernel, padding=side)

    def forward(self, mel: Tensor) -> Tensor:
        """(B, bands, M) -> (B, T) in [-1, 1]."""
        x = self.conv_pre(mel)
        for index, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, SLOPE))
            first = index * self.side_by_side
            total = self.resblocks[first](x)
            for block in self.resblocks[first + 1 : first + self.side_by_side]:
                total += block(x)
            x = total / self.side_by_side
        return torch.as_tensor(self.conv_post(functional.leaky_relu(x)).tanh()[:, 0])


# ---------------------------------------------------------------- loading


def load_hifigan(path: Path, mel: MelArch) -> Conditioned:
    """Renderer of a generator of the HiFi-GAN repository.

    UseError when config.json is missing, has a key that is neither known nor one of training, describes another mel, or
    the weights do not fit it.
    """
    file = path.parent / "config.json"
    config = read_config(file)
    arch = _arch(file, config)
    check_mel(file, {
        "sampling_rate": (config.get("sampling_rate"), RATE), "n_fft": (config.get("n_fft"), mel.n_fft),
        "hop_size": (config.get("hop_size"), mel.hop), "win_size": (config.get("win_size"), mel.window),
        "num_mels": (arch.bands, mel.bands), "fmin": (config.get("fmin"), mel.low),
        "fmax": (RATE / 2 if config.get("fmax") is None else config["fmax"], mel.high),
        "product of upsample_rates": (math.prod(arch.rates), mel.hop),
    })  # fmt: skip
    generator = load_state(lambda: HifiGan(arch), read_weights(path, "generator"), path)
    # Centre of frame m in the vocoder's definition (from m x hop minus its padding, half a window on) minus m x hop.
    shift = mel.n_fft // 2 - (mel.n_fft - mel.hop) // 2
    return Conditioned(generator=generator, floor=FLOOR, gain=math.log(10.0), shift=shift)


def _arch(file: Path, config: dict[str, Any]) -> HifiGanArch:
    """The architecture in config.json, every key accounted for."""
    shaping = _Config.__dataclass_fields__
    for key in config:
        if key not in shaping and key not in MEL_KEYS and key not in TRAINING_KEYS:
            near = suggest(str(key), [*shaping, *MEL_KEYS])
            raise UseError(f"{file}: unknown key {key!r}{near} (it may ask for another architecture than HiFi-GAN's)")
    content = build(_Config, {key: config[key] for key in shaping if key in config}, str(file))
    if content.resblock not in ("1", "2"):
        raise UseError(f"{file}: resblock must be '1' or '2', not {content.resblock!r}")
    bands = config.get("num_mels")
    if not isinstance(bands, int):
        raise UseError(f"{file}: num_mels must be a number of bands, not {bands!r}")
    arch = HifiGanArch(
        bands=bands, channels=content.upsample_initial_channel, kernel=7, rates=content.upsample_rates,
        rate_kernels=content.upsample_kernel_sizes, block_kernels=content.resblock_kernel_sizes,
        dilations=content.resblock_dilation_sizes, paired=content.resblock == "1", whole=False,
    )  # fmt: skip
    arch.check(file)
    return arch
