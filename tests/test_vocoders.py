"""Vocoders: public formats read, generators against straightforward ones, mel definitions compared, refusals."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tests.public_vocoders import (
    FORMATS,
    HIFIGAN,
    MEL,
    hifigan,
    normalised,
    random_mel,
    random_module,
    repository_generator,
    repository_hifigan,
    wavenet,
    write_stats,
)
from tests.small import small_card
from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets.mel import LogMel
from v2sbench.nets.model import build_model, save_weights
from v2sbench.runtime import UseError
from v2sbench.synthesis import Vocoder, load_vocoder
from v2sbench.synthesis.checkpoints import fold_weight_norm
from v2sbench.synthesis.hifigan import load_hifigan

Loaded = Callable[[str], Vocoder]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """One vocoder of each format, for tests that only listen."""

    @cache
    def load(kind: str) -> Vocoder:
        return load_vocoder(kind if kind == "griffin-lim" else str(FORMATS[kind](tmp_path_factory.mktemp(kind))), MEL)

    return load


# ---------------------------------------------------------------- straightforward generators


def weight(state: dict[str, Tensor], name: str) -> Tensor:
    """A weight with its norm folded, element by element of the first axis."""
    if f"{name}.weight" in state:
        return state[f"{name}.weight"]
    scale, direction = state[f"{name}.weight_g"], state[f"{name}.weight_v"]
    return torch.stack([float(g) * v / v.pow(2).sum().sqrt() for g, v in zip(scale, direction, strict=True)])


def plain_wavenet(state: dict[str, Tensor], noise: Tensor, mel: Tensor) -> Tensor:
    """Parallel WaveGAN from the equations: noise (T,), normalised mel (M, bands) -> (T,)."""

    def conv(x: Tensor, name: str, **options: Any) -> Tensor:
        return functional.conv1d(x, weight(state, name), state.get(f"{name}.bias"), **options)

    c = torch.cat([mel[:1]] * 2 + [mel] + [mel[-1:]] * 2).T[None]
    c = conv(c, "upsample_net.conv_in")
    for index, scale in enumerate((4, 5, 3, 5)):
        c = functional.interpolate(c, scale_factor=float(scale), mode="nearest")
        kernel = weight(state, f"upsample_net.upsample.up_layers.{2 * index + 1}")[0]
        c = torch.cat([functional.conv1d(band[None, None], kernel, padding=scale) for band in c[0]], dim=1)
    x, skips = conv(noise[None, None], "first_conv"), torch.zeros(())
    for layer in range(4):
        name, dilation = f"conv_layers.{layer}", 2 ** (layer % 2)
        both = conv(x, f"{name}.conv", padding=dilation, dilation=dilation) + conv(c, f"{name}.conv1x1_aux")
        hidden = torch.tanh(both[:, :4]) * torch.sigmoid(both[:, 4:])
        skips = skips + conv(hidden, f"{name}.conv1x1_skip")
        x = (conv(hidden, f"{name}.conv1x1_out") + x) * 0.5**0.5
    x = conv(functional.relu(skips * 0.25**0.5), "last_conv_layers.1")
    return conv(functional.relu(x), "last_conv_layers.3")[0, 0]


def plain_hifigan(state: dict[str, Tensor], mel: Tensor, config: dict[str, Any]) -> Tensor:
    """HiFi-GAN from the paper's appendix: mel (M, bands) -> (T,)."""

    def conv(x: Tensor, name: str, step: int = 1) -> Tensor:
        kernel = weight(state, name)
        return functional.conv1d(x, kernel, state[f"{name}.bias"], padding=kernel.shape[-1] // 2 * step, dilation=step)

    def active(x: Tensor, slope: float = 0.1) -> Tensor:
        return torch.where(x > 0, x, slope * x)

    x = conv(mel.T[None], "conv_pre")
    sizes = config["resblock_kernel_sizes"]
    for index, (rate, size) in enumerate(zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)):
        x = functional.conv_transpose1d(active(x), weight(state, f"ups.{index}"), state[f"ups.{index}.bias"], rate,
                                        padding=(size - rate) // 2)  # fmt: skip
        outputs = []
        for block, steps in enumerate(config["resblock_dilation_sizes"]):
            name, y = f"resblocks.{index * len(sizes) + block}", x
            for place, step in enumerate(steps):
                if config["resblock"] == "1":
                    y = y + conv(active(conv(active(y), f"{name}.convs1.{place}", step)), f"{name}.convs2.{place}")
                else:
                    y = y + conv(active(y), f"{name}.convs.{place}", step)
            outputs.append(y)
        x = torch.stack(outputs).mean(0)
    return torch.tanh(conv(active(x, 0.01), "conv_post"))[0, 0]


# ---------------------------------------------------------------- what they compute


@pytest.mark.parametrize("layout", ["old", "new", "none"])
def test_parallel_wavegan_is_the_straightforward_one(tmp_path: Path, layout: str) -> None:
    vocoder = load_vocoder(str(wavenet(tmp_path, layout=layout)), MEL)
    mean, scale = write_stats(tmp_path)
    mel = random_mel(4)
    noise = torch.randn(1, 1, 300 * len(mel), generator=torch.Generator().manual_seed(0))[0, 0]
    state = torch.load(wavenet(tmp_path, layout="old"))["model"]["generator"]
    expected = plain_wavenet(state, noise, (mel - mean) / scale)[: 4 * SAMPLES_PER_FRAME].clamp(-1, 1)
    assert float(expected.std()) > 0.02
    assert float((expected.abs() == 1.0).float().mean()) < 0.1  # not limited away
    torch.testing.assert_close(vocoder(mel, 4), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layout", ["old", "new", "none"])
@pytest.mark.parametrize("resblock", ["1", "2"])
def test_hifigan_is_the_straightforward_one(tmp_path: Path, layout: str, resblock: str) -> None:
    path = hifigan(tmp_path, layout=layout, resblock=resblock)
    wave = load_vocoder(str(path), MEL)(random_mel(4), 4)
    state = torch.load(hifigan(tmp_path, layout="old", resblock=resblock))["generator"]
    mel = random_mel(4).clamp_min(-5.0) * math.log(10.0)
    expected = plain_hifigan(state, torch.cat((mel, mel[-1:])), HIFIGAN | {"resblock": resblock})
    torch.testing.assert_close(wave, expected[150 : 150 + 4 * SAMPLES_PER_FRAME], atol=1e-5, rtol=0)


@pytest.mark.parametrize("paired", [True, False])
def test_the_other_repositorys_hifigan_has_its_names_and_no_shift(tmp_path: Path, paired: bool) -> None:
    vocoder = load_vocoder(str(repository_hifigan(tmp_path, paired=paired)), MEL)
    mean, scale = write_stats(tmp_path)
    mel = random_mel(5)
    expected = random_module(repository_generator(paired))(((mel - mean) / scale).T[None])[0]
    assert len(expected) == 300 * len(mel)
    torch.testing.assert_close(vocoder(mel, 5), expected[: 5 * SAMPLES_PER_FRAME], atol=1e-5, rtol=0)
    assert vocoder.label.startswith("hifigan:")


def test_our_own_vocoder_gets_the_mel_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model(small_card("vocoder", arch={"wave": {"channels": [16, 8, 8, 4, 4]}})).eval()
    save_weights(model, tmp_path / "v.safetensors")
    mel = random_mel(5).clamp_min(-5.0)
    with torch.inference_mode():
        expected = model(mel[None])[0, : 5 * SAMPLES_PER_FRAME]
    vocoder = load_vocoder(str(tmp_path / "v.safetensors"), MEL)
    assert torch.equal(vocoder(mel, 5), expected)
    assert vocoder.label.startswith("vocoder:")


@pytest.mark.parametrize("layout", ["old", "new"])
def test_weight_norm_of_transposed_convolutions_is_over_the_first_axis(layout: str) -> None:
    module = nn.Sequential(nn.ConvTranspose1d(3, 5, 4))
    expected = module[0].weight.detach().clone()
    state = normalised(module, layout)
    assert "0.weight" not in state
    folded = fold_weight_norm(state, Path("x"))
    assert set(folded) == {"0.weight", "0.bias"}
    torch.testing.assert_close(folded["0.weight"], expected)


# ---------------------------------------------------------------- half a hop


def hifigan_mel(wave: Tensor) -> Tensor:
    """(T,) -> (M, bands): HiFi-GAN's definition, its reflected ends and windows that are not centred."""
    side = (MEL.n_fft - MEL.hop) // 2
    padded = functional.pad(wave[None], (side, side), mode="reflect")
    window = torch.hann_window(MEL.window)
    bins = torch.stft(padded, MEL.n_fft, MEL.hop, MEL.window, window, center=False, return_complex=True)[0].abs()
    return torch.log((bins.T @ LogMel(MEL).weights).clamp_min(1e-5))


def test_our_mel_is_hifigans_of_the_wave_half_a_hop_later() -> None:
    draw = torch.Generator().manual_seed(1)
    wave = 0.3 * torch.randn(20 * SAMPLES_PER_FRAME, generator=draw)
    later = torch.cat((torch.zeros(MEL.hop // 2), wave[: -(MEL.hop // 2)]))
    ours = LogMel(MEL)(wave[None])[0] * math.log(10.0)
    inner = slice(5, 58)
    torch.testing.assert_close(ours[inner], hifigan_mel(later)[inner], atol=2e-4, rtol=0)


@pytest.mark.parametrize("frame", [1, 17, 40])
def test_an_impulse_stays_on_its_sample(tmp_path: Path, frame: int) -> None:
    """A stand-in generator that clicks at the centre, in HiFi-GAN's sense, of the loudest frame."""

    def clicks(mel: Tensor) -> Tensor:
        wave = torch.zeros(1, MEL.hop * mel.shape[-1])
        wave[0, MEL.hop // 2 :: MEL.hop] = mel[0].exp().sum(dim=0)
        return wave

    renderer = dataclasses.replace(load_hifigan(hifigan(tmp_path), MEL), generator=clicks)
    wave = torch.zeros(15 * SAMPLES_PER_FRAME)
    wave[frame * MEL.hop] = 0.9
    assert int(renderer(LogMel(MEL)(wave[None])[0], 15).argmax()) == frame * MEL.hop
    at_centre = torch.zeros_like(wave)  # and it is right about where HiFi-GAN's frames are centred
    at_centre[frame * MEL.hop + MEL.hop // 2] = 0.9
    assert int(clicks(hifigan_mel(at_centre).T[None]).argmax()) == frame * MEL.hop + MEL.hop // 2


# ---------------------------------------------------------------- laws of every vocoder

KINDS = ["griffin-lim", *FORMATS]


@pytest.mark.parametrize("kind", list(FORMATS))
@settings(max_examples=10)
@given(frames=st.integers(1, 25))
def test_960_samples_a_frame(loaded: Loaded, kind: str, frames: int) -> None:
    wave = loaded(kind)(random_mel(frames), frames)
    assert wave.shape == (SAMPLES_PER_FRAME * frames,)
    assert wave.dtype == torch.float32
    assert wave.abs().max() <= 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_samples_every_time_and_no_draw(loaded: Loaded, kind: str) -> None:
    torch.manual_seed(5)
    first = loaded(kind)(random_mel(6), 6)
    after = torch.rand(())
    torch.manual_seed(5)
    assert torch.rand(()) == after
    assert torch.equal(first, loaded(kind)(random_mel(6), 6))
    assert not torch.equal(first, loaded(kind)(random_mel(6, seed=1), 6))


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_loads_the_file_itself(loaded: Loaded, kind: str) -> None:
    parcel = pickle.dumps(loaded(kind))
    assert len(parcel) < 1000
    other = pickle.loads(parcel)
    assert other.label == loaded(kind).label
    assert torch.equal(other(random_mel(3), 3), loaded(kind)(random_mel(3), 3))
    assert pickle.loads(parcel) is other  # once a process


def test_a_worker_notices_that_the_file_changed(tmp_path: Path) -> None:
    parcel = pickle.dumps(load_vocoder(str(hifigan(tmp_path)), MEL))
    hifigan(tmp_path, layout="new")
    with pytest.raises(UseError, match="changed while it was in use"):
        pickle.loads(parcel)


def test_a_checkpoint_of_an_old_pytorch_loads(loaded: Loaded, tmp_path: Path) -> None:
    mel = random_mel(2)
    old = load_vocoder(str(wavenet(tmp_path, zipped=False)), MEL)(mel, 2)
    assert torch.equal(old, loaded("parallel-wavegan")(mel, 2))


@pytest.mark.parametrize(("shape", "frames"), [((16, 80), 4), ((13, 79), 4), ((13, 80), 5), ((0, 80), 0)])
def test_a_mel_of_another_shape_is_refused(loaded: Loaded, shape: tuple[int, int], frames: int) -> None:
    with pytest.raises(UseError, match="need a log-mel of shape"):
        loaded("griffin-lim")(torch.zeros(shape), frames)
