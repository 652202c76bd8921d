"""Public checkpoints: reading weights without running code, weight norm, the fit of weights, config and mel."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.runtime import UseError, read_yaml

Module = TypeVar("Module", bound=nn.Module)

# Names of magnitude and direction in torch.nn.utils.weight_norm, then in torch.nn.utils.parametrizations.
NORM_KEYS = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))


def read_weights(path: Path, *keys: str) -> dict[str, Tensor]:
    """The tensors at `file[keys[0]][keys[1]]...`, on the CPU; nothing in the file is executed.

    UseError when the file is damaged, holds more than tensors and plain values, or has no such entry.
    """
    advice = "download it again from where it was published"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a plain pickle's protocol, before it is refused anyway
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UseError(
            f"{path} is no PyTorch file of weights alone (what else it holds could be code); {advice}"
        ) from None
    except Exception as error:  # the ones that a damaged file raises are not documented, and differ by where it is cut
        raise UseError(f"{path} is truncated or no PyTorch checkpoint ({type(error).__name__}); {advice}") from None
    for depth, key in enumerate(keys):
        if not isinstance(content, Mapping) or key not in content:
            where = "".join(f"[{name!r}]" for name in keys[: depth + 1])
            raise UseError(f"{path} holds no {where}, where the generator's weights belong; is it another format?")
        content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UseError(f"{path}: the generator's entry must map names to tensors; is it another format?")
    return {str(name): value.detach() for name, value in content.items()}


def read_config(path: Path) -> dict[str, Any]:
    """The mapping of a .json or .yml file beside a checkpoint; UseError when it is missing or unreadable."""
    if not path.is_file():
        raise UseError(f"no {path.name} beside the checkpoint in {path.parent}; it was published together with it")
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else read_yaml(path)
    except ValueError as error:
        raise UseError(f"{path} is unreadable: {error}") from None
    if not isinstance(content, dict):
        raise UseError(f"{path} must hold a mapping of keys to values")
    return content


def fold_weight_norm(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """`state` with magnitude and direction of every normalised weight multiplied, `w = g v / |v|`, under `.weight`.

    The norm is over all axes but the first, as both public layouts have it. UseError when one half is missing.
    """
    folded = dict(state)
    for magnitude_key, direction_key in NORM_KEYS:
        ends = (f".{magnitude_key}", f".{direction_key}")
        stems = {name.removesuffix(end) for name in state for end in ends if name.endswith(end)}
        for stem in sorted(stems):
            magnitude, direction = (folded.pop(stem + end, None) for end in ends)
            if magnitude is None or direction is None:
                raise UseError(f"{path}: {stem}.weight has only one half of its weight norm; the file is incomplete")
            if magnitude.shape != (len(direction), *[1] * (direction.ndim - 1)):
                raise UseError(
                    f"{path}: {stem}{ends[0]} has shape {tuple(magnitude.shape)}, which is no magnitude per channel of "
                    f"{tuple(direction.shape)}"
                )
            direction = direction.float()
            norm = torch.linalg.vector_norm(direction, dim=tuple(range(1, direction.ndim)), keepdim=True)
            folded[f"{stem}.weight"] = magnitude.float() * direction / norm
    return folded


def load_state(build: Callable[[], Module], state: Mapping[str, Tensor], path: Path) -> Module:
    """The generator with the file's weights, for inference only.

    build: makes the module; it is called without allocating. UseError when the weights are not exactly the module's.
    """
    with torch.device("meta"):
        module = build()
    state = fold_weight_norm(state, path)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    if shapes != found:
        name = min(name for name in {*shapes, *found} if shapes.get(name) != found.get(name))
        raise UseError(
            f"{path} does not fit its config: {name} has shape {found.get(name, 'none (it is missing)')}, the config "
            f"says {shapes.get(name, 'nothing about it')}; use the config that was published with the weights"
        )
    for name, value in state.items():
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise UseError(f"{path}: {name} holds values that are not finite numbers; the file is damaged")
    module.load_state_dict({name: value.float().contiguous() for name, value in state.items()}, assign=True)
    return module.requires_grad_(False).eval()


def check_mel(path: Path, keys: Mapping[str, tuple[object, object]]) -> None:
    """UseError that names every key with two different values, the vocoder's and ours."""
    off = [f"{key} {found} (needed {needed})" for key, (found, needed) in keys.items() if found != needed]
    if off:
        raise UseError(f"{path}: the vocoder was made for another mel: {', '.join(off)}; choose one made for this mel")


def check_positive(path: Path, values: Mapping[str, object]) -> None:
    """UseError when a number among `values`, also within nested tuples, is not positive, or a tuple is empty."""
    for key, value in values.items():
        if not _positive(value):
            raise UseError(f"{path}: {key} must be positive, not {value}")


def _positive(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_positive(entry) for entry in value)
    return not isinstance(value, int) or isinstance(value, bool) or value > 0


@dataclass(frozen=True, kw_only=True)
class Conditioned:
    """A generator behind the exact conversion from our log-mel to the one that it was trained on."""

    generator: Callable[[Tensor], Tensor]  # (1, bands, M) -> (1, hop x M)
    floor: float  # smallest magnitude that the generator saw in training
    gain: Tensor | float = 1.0  # (bands,) or one for all: factor on log10
    offset: Tensor | float = 0.0  # (bands,) or one for all: added after the factor
    shift: int = 0  # samples from the start of a mel frame's output to the frame's centre, less ours (0)

    def __call__(self, mel: Tensor, frames: int) -> Tensor:
        """Log-mel (M, bands) -> wave (960 x frames,), not limited to [-1, 1]."""
        mel = mel.float().clamp_min(math.log10(self.floor)) * self.gain + self.offset
        if self.shift:  # the samples cut at the start are missing at the end
            mel = torch.cat((mel, mel[-1:]))
        wave = self.generator(mel.T[None])[0]
        return wave[self.shift : self.shift + SAMPLES_PER_FRAME * frames]
