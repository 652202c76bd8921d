"""Vocoder files that must not be taken: another mel, another architecture, damaged, with code, or incomplete."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.public_vocoders import (
    FEATURES,
    FORMATS,
    HIFIGAN,
    MEL,
    REPOSITORY_HIFIGAN,
    WAVENET,
    dump_yaml,
    hifigan,
    own,
    random_mel,
    repository_hifigan,
    wavenet,
    write_stats,
)
from tests.small import small_card
from v2sbench.nets.model import build_model, save_weights
from v2sbench.runtime import UseError
from v2sbench.synthesis import load_vocoder


def refusal(path: Path | str, mel: Any = MEL) -> str:
    """The one line with which loading is refused."""
    with pytest.raises(UseError) as caught:
        load_vocoder(str(path), mel)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["griffin-limm", "nowhere/checkpoint-1steps.pkl", "."])
def test_an_unknown_name_is_refused(name: str) -> None:
    message = refusal(name)
    assert repr(name) in message
    assert "known: griffin-lim" in message
    assert ("did you mean 'griffin-lim'?" in message) == (name == "griffin-limm")


def test_a_file_whose_name_tells_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "do_02500000").touch()
    assert "no name by which its format is known" in refusal(tmp_path / "do_02500000")


HIFIGAN_MEL = {
    "sampling_rate": (22050, 24000), "n_fft": (1024, 2048), "hop_size": (256, 300), "win_size": (1024, 1200),
    "fmin": (0, 80.0), "fmax": (8000, 7600.0),
}  # fmt: skip


def test_every_difference_of_the_public_hifigan_is_named(tmp_path: Path) -> None:
    message = refusal(hifigan(tmp_path, **{key: theirs for key, (theirs, _) in HIFIGAN_MEL.items()}))
    for key, (theirs, ours) in HIFIGAN_MEL.items():
        assert f"{key} {theirs} (needed {ours})" in message
    message = refusal(hifigan(tmp_path, fmax=None, num_mels=100))
    assert "fmax 12000.0 (needed 7600.0)" in message
    assert "num_mels 100 (needed 80)" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"gen_istft_n_fft": 16}, "unknown key 'gen_istft_n_fft'"),
        ({"upsample_ratez": [2]}, "did you mean 'upsample_rates'?"),
        ({"resblock": "3"}, "needs resblock 1 or 2"),
        ({"resblock": 1}, "resblock must be str, not 1"),
        ({"num_mels": "80"}, "num_mels must be int"),
        ({"upsample_rates": [5, 5, 4]}, "as many upsampling kernels as factors"),
        ({"upsample_rates": [5, 5, 4, 0]}, "upsample_rates must be positive"),
        ({"upsample_rates": [5, 5, 4, 2]}, "product of upsample_rates 200 (needed 300)"),
        ({"upsample_kernel_sizes": [4, 11, 8, 7]}, "kernels as long as the factor"),
        ({"upsample_initial_channel": 20}, "halve"),
        ({"resblock_kernel_sizes": [3]}, "as many lists of dilations"),
        ({"resblock_kernel_sizes": [3, 4]}, "odd kernels"),
        ({"resblock_dilation_sizes": [[1], []]}, "resblock_dilation_sizes must be positive"),
        ({"upsample_rates": 300}, "upsample_rates must be"),
    ],
)
def test_hifigan_of_another_architecture_is_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    path = hifigan(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(HIFIGAN | change))
    assert expected in refusal(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"hop_size": 256}, "hop_size 256 (needed 300)"),
        ({"fft_size": 1024, "win_length": None}, "fft_size 1024 (needed 2048), win_length 1024 (needed 1200)"),
        ({"fmin": None, "fmax": None}, "fmin 0 (needed 80.0), fmax 12000.0 (needed 7600.0)"),
        ({"window": "hamming"}, "window hamming (needed hann)"),
        ({"log_base": None}, "log_base None (needed 10)"),
        ({"global_gain_scale": 0.5}, "global_gain_scale 0.5 (needed 1)"),
        ({"num_mels": 40}, "num_mels 40 (needed 80)"),
        ({"sampling_rate_for_feats": 16000}, "sampling_rate_for_feats 16000 (needed 24000)"),
        ({"generator_type": "MelGANGenerator"}, "unknown generator_type 'MelGANGenerator'"),
        ({"generator_params": None}, "generator_params must be a mapping"),
    ],
)
def test_parallel_wavegan_of_another_definition_is_refused(
    tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    path = wavenet(tmp_path)
    dump_yaml(tmp_path / "config.yml", FEATURES | {"generator_params": WAVENET} | change)
    assert expected in refusal(path)


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        (WAVENET, {"use_spectral_norm": True}, "unknown key"),
        (WAVENET, {"use_causal_conv": True}, "use_causal_conv is True, of which only False is supported"),
        (WAVENET, {"out_channels": 4}, "out_channels is 4"),
        (WAVENET, {"upsample_net": "MelGANGenerator"}, "upsample_net is MelGANGenerator"),
        (WAVENET, {"layers": 5}, "layers modulo stacks is 1"),
        (WAVENET, {"layers": 0}, "layers must be positive"),
        (WAVENET, {"kernel_size": 4}, "kernel_size modulo 2"),
        (WAVENET, {"aux_channels": 40}, "channels of the generator's input 40 (needed 80)"),
        (WAVENET, {"upsample_params": {"upsample_scales": [4, 4, 4, 4]}}, "product of upsample_scales 256"),
        (
            WAVENET,
            {"upsample_params": {"upsample_scales": [300], "nonlinear_activation": "ReLU"}},
            "activation is ReLU",
        ),
        (WAVENET, {"residual_channels": 7}, "does not fit its config"),
        (REPOSITORY_HIFIGAN, {"bias": False}, "bias is False"),
        (REPOSITORY_HIFIGAN, {"nonlinear_activation_params": {"negative_slope": 0.2}}, "negative_slope"),
        (REPOSITORY_HIFIGAN, {"upsample_scales": [5, 5, 12]}, "upsample_kernel_sizes is"),
        (REPOSITORY_HIFIGAN, {"channels": 32}, "does not fit its config"),
    ],
)
def test_parallel_wavegan_of_another_architecture_is_refused(
    tmp_path: Path, kind: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    path = (wavenet if kind is WAVENET else repository_hifigan)(tmp_path)
    kind_of = "ParallelWaveGANGenerator" if kind is WAVENET else "HiFiGANGenerator"
    dump_yaml(tmp_path / "config.yml", FEATURES | {"generator_type": kind_of, "generator_params": kind | change})
    assert expected in refusal(path)


class _Code:
    """Unpickled the usual way, this would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code of a checkpoint ran",))


@pytest.mark.parametrize("kind", ["parallel-wavegan", "hifigan", "repository-hifigan"])
def test_damaged_and_foreign_files_are_refused(tmp_path: Path, kind: str) -> None:
    path = FORMATS[kind](tmp_path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        assert str(path) in refusal(path)
    path.write_bytes(pickle.dumps({"generator": _Code()}))
    assert "what else it holds could be code" in refusal(path)
    for content in ({"model": {"generator": _Code()}, "generator": _Code()}, _Code()):
        torch.save(content, path)
        assert "what else it holds could be code" in refusal(path)
    for content in ([1, 2], {"state": {}}, {"model": 3}):
        torch.save(content, path)
        assert "where the generator's weights belong" in refusal(path)
    torch.save({"model": {"generator": {"a": 1}}, "generator": {"a": 1}}, path)
    assert "must map names to tensors" in refusal(path)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("conv_pre.bias", None, "conv_pre.bias has shape none (it is missing), the config says (16,)"),
        ("conv_pre.bias", torch.zeros(17), "conv_pre.bias has shape (17,), the config says (16,)"),
        ("source.weight", torch.zeros(1), "source.weight has shape (1,), the config says nothing about it"),
        ("ups.0.weight_v", None, "ups.0.weight has only one half of its weight norm"),
        ("ups.0.weight_g", torch.zeros(1, 8, 1), "ups.0.weight_g has shape (1, 8, 1)"),
        ("conv_pre.bias", torch.full((16,), math.nan), "conv_pre.bias holds values that are not finite numbers"),
        ("conv_pre.bias", torch.zeros(16, dtype=torch.int64), "conv_pre.bias holds values that are not finite numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, value: torch.Tensor | None, expected: str
) -> None:
    path = hifigan(tmp_path)
    state = {**torch.load(path)["generator"], name: value}
    torch.save({"generator": {key: tensor for key, tensor in state.items() if tensor is not None}}, path)
    assert expected in refusal(path)


@pytest.mark.parametrize("kind", ["parallel-wavegan", "hifigan"])
def test_a_missing_or_unreadable_config_is_refused(tmp_path: Path, kind: str) -> None:
    path = FORMATS[kind](tmp_path)
    config = tmp_path / ("config.json" if kind == "hifigan" else "config.yml")
    for content in (b"[1, 2]", b"{", b"\xff\xfe\x00"):
        config.write_bytes(content)
        assert str(config) in refusal(path)
    config.unlink()
    assert f"no {config.name} beside the checkpoint" in refusal(path)


def test_missing_or_wrong_statistics_are_refused(tmp_path: Path) -> None:
    path, stats = wavenet(tmp_path), tmp_path / "stats.npy"
    for table in (np.ones((2, 79)), np.ones((1, 80)), np.ones(()), np.stack([np.ones(80), np.zeros(80)]),
                  np.full((2, 80), np.nan)):  # fmt: skip
        np.save(stats, table)
        assert str(stats) in refusal(path)
    np.save(stats, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "holds no mean and scale" in refusal(path)
    stats.write_bytes(b"")
    assert "holds no mean and scale" in refusal(path)
    stats.unlink()
    assert "no stats.npy or stats.h5 beside the checkpoint" in refusal(path)


def test_hdf5_statistics_need_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wavenet(tmp_path)
    (tmp_path / "stats.npy").unlink()
    (tmp_path / "stats.h5").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "`pip install h5py`" in refusal(path)


def test_hdf5_statistics_are_the_same_numbers(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = wavenet(tmp_path)
    expected = load_vocoder(str(path), MEL)(random_mel(2), 2)
    mean, scale = write_stats(tmp_path)
    with h5py.File(tmp_path / "stats.h5", "w") as archive:
        archive["mean"], archive["scale"] = mean.numpy(), scale.numpy()
    (tmp_path / "stats.npy").unlink()
    assert torch.equal(load_vocoder(str(path), MEL)(random_mel(2), 2), expected)
    with h5py.File(tmp_path / "stats.h5", "w") as archive:
        archive["mean"] = mean.numpy()
    assert "holds no mean and scale" in refusal(path)
    (tmp_path / "stats.h5").write_bytes(b"x" * 100)
    assert "holds no mean and scale" in refusal(path)


def test_our_own_vocoder_of_another_mel_or_family_is_refused(tmp_path: Path) -> None:
    path = own(tmp_path)
    other = dataclasses.replace(MEL, high=8000.0, bands=100)
    assert "arch.mel.bands 80 (needed 100), arch.mel.high 7600.0 (needed 8000.0)" in refusal(path, other)
    save_weights(build_model(small_card("a2a-mel-s")), path)
    assert "needs the family vocoder" in refusal(path)
    path.write_bytes(b"")
    assert "not a safetensors file" in refusal(path)
