"""Small random vocoders in the public checkpoint formats, written as PyTorch itself writes them."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import Tensor, nn

from tests.small import small_card
from v2sbench.nets import load_card
from v2sbench.nets.mel import mel_frames
from v2sbench.nets.model import build_model, save_weights
from v2sbench.runtime import build
from v2sbench.synthesis.hifigan import HifiGan, HifiGanConfig
from v2sbench.synthesis.parallel_wavegan import ParallelWaveGan, wavenet_params

MEL = load_card("a2a-mel-s").arch.mel
FEATURES = {
    "sampling_rate": 24000, "fft_size": 2048, "hop_size": 300, "win_length": 1200, "window": "hann", "num_mels": 80,
    "fmin": 80, "fmax": 7600, "global_gain_scale": 1.0, "format": "npy", "batch_size": 6, "version": "0.3.0",
}  # fmt: skip
WAVENET = {
    "in_channels": 1, "out_channels": 1, "kernel_size": 3, "layers": 4, "stacks": 2, "residual_channels": 6,
    "gate_channels": 8, "skip_channels": 5, "aux_channels": 80, "aux_context_window": 2, "dropout": 0.0,
    "use_weight_norm": True, "upsample_net": "ConvInUpsampleNetwork",
    "upsample_params": {"upsample_scales": [4, 5, 3, 5]},
}  # fmt: skip
REPOSITORY_HIFIGAN = {
    "in_channels": 80, "out_channels": 1, "channels": 16, "kernel_size": 7, "upsample_scales": [5, 5, 4, 3],
    "upsample_kernal_sizes": [10, 10, 8, 6], "resblock_kernel_sizes": [3, 5], "resblock_dilations": [[1, 3], [1, 2]],
    "use_additional_convs": True, "bias": True, "nonlinear_activation": "LeakyReLU",
    "nonlinear_activation_params": {"negative_slope": 0.1}, "use_weight_norm": True,
}  # fmt: skip
HIFIGAN = {
    "resblock": "1", "num_gpus": 0, "batch_size": 16, "learning_rate": 0.0002, "seed": 1234,
    "upsample_rates": [5, 5, 4, 3], "upsample_kernel_sizes": [11, 11, 8, 7], "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3, 5], [1, 2, 4]], "segment_size": 8400,
    "num_mels": 80, "num_freq": 1025, "n_fft": 2048, "hop_size": 300, "win_size": 1200, "sampling_rate": 24000,
    "fmin": 80, "fmax": 7600, "fmax_for_loss": None, "num_workers": 4, "dist_config": {"world_size": 1},
}  # fmt: skip


# ---------------------------------------------------------------- checkpoints in the public formats


def random_module(module: nn.Module) -> nn.Module:
    """Weights that neither vanish nor explode, from a fixed seed."""
    draw = torch.Generator().manual_seed(3)
    for value in module.parameters():
        scale = 0.1 if value.ndim == 1 else value[0].numel() ** -0.5
        value.data = scale * torch.randn(value.shape, generator=draw)
    return module.requires_grad_(False).eval()


def normalised(module: nn.Module, layout: str) -> dict[str, Tensor]:
    """State with weight norm as PyTorch itself writes it: `old`, `new` (parametrizations) or `none`."""
    if layout != "none":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the public code uses the old one
            norm = {"old": nn.utils.weight_norm, "new": nn.utils.parametrizations.weight_norm}[layout]
            for part in list(module.modules()):
                if isinstance(part, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d):
                    norm(part)
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def dump_yaml(path: Path, content: dict[str, Any]) -> None:
    YAML().dump(content, path)


def write_stats(folder: Path) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(4)
    mean, scale = torch.randn(80, generator=draw), torch.rand(80, generator=draw) + 0.5
    np.save(folder / "stats.npy", np.stack([mean.numpy(), scale.numpy()]))
    return mean, scale


def wavenet(folder: Path, *, layout: str = "old", zipped: bool = True, **params: Any) -> Path:
    """A checkpoint of the ParallelWaveGAN repository with config and statistics."""
    content = WAVENET | params
    dump_yaml(folder / "config.yml", FEATURES | {"generator_params": content})
    module = random_module(ParallelWaveGan(wavenet_params(folder, content)))
    write_stats(folder)
    path = folder / "checkpoint-400000steps.pkl"
    state = {"generator": normalised(module, layout), "discriminator": {"conv.weight": torch.zeros(2)}}
    optimizer = {"state": {}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]}
    torch.save({"model": state, "optimizer": optimizer, "steps": 4, "epochs": 1}, path,
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    return path


def hifigan(folder: Path, *, layout: str = "old", **config: Any) -> Path:
    """A generator of the HiFi-GAN repository with its config."""
    content = HIFIGAN | config
    (folder / "config.json").write_text(json.dumps(content))
    path = folder / "generator_v1"
    torch.save({"generator": normalised(random_module(HifiGan(shape_of(content))), layout)}, path)
    return path


def shape_of(config: dict[str, Any]) -> HifiGanConfig:
    shaping = {key: config[key] for key in HifiGanConfig.__dataclass_fields__}
    return build(HifiGanConfig, shaping, "config")


def repository_generator(paired: bool = True) -> HifiGan:
    """A generator of the ParallelWaveGAN repository's HiFi-GAN, as REPOSITORY_HIFIGAN describes it."""
    other = {"upsample_kernel_sizes": (10, 10, 8, 6), "resblock_dilation_sizes": ((1, 3), (1, 2))}
    return HifiGan(dataclasses.replace(shape_of(HIFIGAN), resblock="1" if paired else "2", **other), exact=True)


def repository_hifigan(folder: Path, *, paired: bool = True) -> Path:
    """A HiFi-GAN of the ParallelWaveGAN repository, with that repository's names."""
    params = REPOSITORY_HIFIGAN | {"use_additional_convs": paired}
    dump_yaml(folder / "config.yml", FEATURES | {"generator_type": "HiFiGANGenerator", "generator_params": params})
    state = {}
    for name, value in normalised(random_module(repository_generator(paired)), "old").items():
        parts = name.split(".")
        if parts[0] in ("ups", "conv_post"):
            parts[-1:] = ["1", parts[-1]]
        if parts[0] == "resblocks":
            parts[2] = "convs1" if parts[2] == "convs" else parts[2]
            parts[-1:] = ["1", parts[-1]]
        new = {"ups": "upsamples", "resblocks": "blocks", "conv_pre": "input_conv", "conv_post": "output_conv"}
        state[".".join([new[parts[0]], *parts[1:]])] = value
    write_stats(folder)
    path = folder / "checkpoint-2500000steps.pkl"
    torch.save({"model": {"generator": state}}, path)
    return path


def own(folder: Path) -> Path:
    """A vocoder as `v2sbench train` writes it."""
    torch.manual_seed(0)
    path = folder / "vocoder.safetensors"
    save_weights(build_model(small_card("vocoder", arch={"wave": {"channels": [16, 8, 8, 4, 4]}})), path)
    return path


FORMATS: dict[str, Callable[[Path], Path]] = {
    "parallel-wavegan": wavenet,
    "hifigan": hifigan,
    "repository-hifigan": repository_hifigan,
    "vocoder": own,
}


def random_mel(frames: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(mel_frames(frames, MEL.hop), MEL.bands, generator=draw) - 2.0
