"""HiFi-GAN (Kong et al. 2020, 2010.05646), V1 to V3: a file `generator_*` or `g_*` with config.json beside it.

Its mel is the natural logarithm of the magnitude, floored at 1e-5, over windows that are not centred: the wave is
reflected by (n_fft - hop) / 2 at its ends, so frame m is centred on sample m x hop + hop / 2, while ours is centred on
m x hop. From our frames the generator makes everything half a hop late; `Conditioned.shift` takes that back exactly.
One difference stays: under the square root of the power it adds 1e-9, which raises values near the floor.

B clips   C channels   M mel frames   T = hop x M samples
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from v2sbench.audio import RATE
from v2sbench.nets.cards import MelArch
from v2sbench.runtime import UseError, build, suggest
from v2sbench.synthesis.checkpoints import Conditioned, check_mel, check_positive, load_state, read_config, read_weights

FLOOR = 1e-5  # smallest magnitude before the logarithm in the repository's feature extraction
SLOPE = 0.1  # of the leaky ReLUs; the one before the last convolution has PyTorch's 0.01, in the public code too
MEL_KEYS = ("sampling_rate", "n_fft", "hop_size", "win_size", "fmin", "fmax")
# Keys of config.json that the generator does not read; any other key might change it and is refused.
TRAINING_KEYS = frozenset((
    "num_gpus", "batch_size", "learning_rate", "adam_b1", "adam_b2", "lr_decay", "seed", "segment_size", "num_freq",
    "fmax_for_loss", "num_workers", "dist_config",
))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HifiGanConfig:
    """What shapes a generator, whichever repository trained it, under the names of config.json."""

    resblock: str  # `1`: a second, undilated convolution follows each dilated one; `2`: none does
    num_mels: int
    upsample_initial_channel: int  # channels before the first upsampling; each upsampling halves them
    upsample_rates: tuple[int, ...]  # their product is the hop
    upsample_kernel_sizes: tuple[int, ...]
    resblock_kernel_sizes: tuple[int, ...]  # of the residual blocks, side by side after each upsampling
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]  # in each of those blocks

    def check(self, path: Path) -> None:
        """UseError when lists have different lengths or a number has no meaning; path: the config, for the message."""
        check_positive(path, vars(self))
        rates, kernels, blocks = self.upsample_rates, self.upsample_kernel_sizes, self.resblock_kernel_sizes
        needed = {
            "resblock 1 or 2": self.resblock in ("1", "2"),
            "as many upsampling kernels as factors": len(rates) == len(kernels),
            "as many lists of dilations as kernels of blocks": len(blocks) == len(self.resblock_dilation_sizes),
            "odd kernels of blocks": all(kernel % 2 for kernel in blocks),
            "kernels as long as the factor": all(u <= k for u, k in zip(rates, kernels, strict=False)),
            "channels that each upsampling can halve": self.upsample_initial_channel % 2 ** len(rates) == 0,
        }
        for what, right in needed.items():
            if not right:
                raise UseError(f"{path}: HiFi-GAN needs {what}; use the config that was published with the weights")


class _Block(nn.Module):
    """Residual stack of dilated convolutions, (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], paired: bool) -> None:
        super().__init__()
        self.paired = paired
        if paired:
            self.convs1 = self._convolutions(channels, kernel, dilations)
            self.convs2 = self._convolutions(channels, kernel, (1,) * len(dilations))
        else:
            self.convs = self._convolutions(channels, kernel, dilations)

    @staticmethod
    def _convolutions(channels: int, kernel: int, dilations: tuple[int, ...]) -> nn.ModuleList:
        return nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2 * step, dilation=step) for step in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        chains = zip(self.convs1, self.convs2, strict=True) if self.paired else zip(self.convs, strict=True)
        for chain in chains:
            residual = x
            for conv in chain:
                residual = conv(functional.leaky_relu(residual, SLOPE))
            x = x + residual
        return x


class HifiGan(nn.Module):
    """Mel in, waveform out. Parameters bear the names of the HiFi-GAN repository.

    kernel: of the first and the last convolution. exact: whether odd factors give exactly factor x M samples, as in
    the ParallelWaveGAN repository, or some more, as in HiFi-GAN's own.
    """

    def __init__(self, config: HifiGanConfig, kernel: int = 7, exact: bool = False) -> None:
        super().__init__()
        channels, blocks = config.upsample_initial_channel, config.resblock_kernel_sizes
        self.side_by_side = len(blocks)
        self.conv_pre = nn.Conv1d(config.num_mels, channels, kernel, padding=(kernel - 1) // 2)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, size in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            odd = (size - rate) % 2 if exact else 0
            padding = (size - rate + odd) // 2
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, size, rate, padding, output_padding=odd))
            channels //= 2
            for block, dilations in zip(blocks, config.resblock_dilation_sizes, strict=True):
                self.resblocks.append(_Block(channels, block, dilations, config.resblock == "1"))
        self.conv_post = nn.Conv1d(channels, 1, kernel, padding=(kernel - 1) // 2)

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


def load_hifigan(path: Path, mel: MelArch) -> Conditioned:
    """Renderer of a generator of the HiFi-GAN repository.

    UseError when config.json is missing, has a key that is neither known nor one of training, describes another mel, or
    the weights do not fit it.
    """
    file = path.parent / "config.json"
    found = read_config(file)
    shaping = HifiGanConfig.__dataclass_fields__
    for key in found:
        if key not in (*shaping, *MEL_KEYS, *TRAINING_KEYS):
            near = suggest(str(key), [*shaping, *MEL_KEYS])
            raise UseError(f"{file}: unknown key {key!r}{near} (it may ask for another architecture than HiFi-GAN's)")
    config = build(HifiGanConfig, {key: found[key] for key in shaping if key in found}, str(file))
    config.check(file)
    if found.get("fmax") is None:
        found["fmax"] = RATE / 2
    needed = (RATE, mel.n_fft, mel.hop, mel.window, mel.low, mel.high)
    differing = {key: (found.get(key), ours) for key, ours in zip(MEL_KEYS, needed, strict=True)}
    differing["num_mels"] = (config.num_mels, mel.bands)
    differing["product of upsample_rates"] = (math.prod(config.upsample_rates), mel.hop)
    check_mel(file, differing)
    generator = load_state(lambda: HifiGan(config), read_weights(path, "generator"), path)
    # Centre of frame m in the vocoder's definition (from m x hop minus its padding, half a window on) minus m x hop.
    shift = mel.n_fft // 2 - (mel.n_fft - mel.hop) // 2
    return Conditioned(generator=generator, floor=FLOOR, gain=math.log(10.0), shift=shift)
