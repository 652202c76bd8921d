"""Networks of every family: separate statistics, transfer, freezing, gradients, lengths, padding, checkpoints."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.small_wave import identity_of, output_of, small_variant, source_of
from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets import list_cards
from v2sbench.nets.mel_decoder import rotary, rotate
from v2sbench.nets.model import SpeechModel, build_model, load_weights, save_weights, transfer_decoder
from v2sbench.nets.norm import ModalityNorm
from v2sbench.nets.trained_on import TrainedOn
from v2sbench.runtime import UseError, merge

SCRATCH, TUNED, FROZEN = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "tuned", "frozen"))
SPEECH = [
    name for name in list_cards() if not name.startswith(("a2a-mel-m", "v2a-mel-m", "vocoder"))
]  # every variant but those of size M, which is S with more blocks


def step(model: SpeechModel) -> None:
    """One optimiser step on random clips, one of them padded."""
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    output_of(model.train()).square().mean().backward()
    optimiser.step()


def norms(model: SpeechModel) -> list[ModalityNorm]:
    """Every norm of the decoder."""
    return [module for module in model.decoder.modules() if isinstance(module, ModalityNorm)]


def test_modality_norm_equals_batch_norm_on_valid_frames() -> None:
    torch.manual_seed(0)
    norm, plain = ModalityNorm(5), torch.nn.BatchNorm1d(5)
    x = torch.randn(4, 5, 9) * 3 + 1
    mask = torch.arange(9)[None] < torch.tensor([9, 4, 7, 1])[:, None]
    valid = x.transpose(1, 2)[mask]
    for _ in range(3):
        ours, theirs = norm(x, mask, "video"), plain(valid)
    assert torch.allclose(ours.transpose(1, 2)[mask], theirs, atol=1e-6)
    assert torch.all(ours.transpose(1, 2)[~mask] == 0)
    assert torch.allclose(norm.get_buffer("video_mean"), plain.running_mean)
    assert torch.allclose(norm.get_buffer("video_var"), plain.running_var)


@pytest.mark.parametrize("name", [SCRATCH, "v2a-wave-speaker-scratch"])
def test_the_wrong_modality_in_evaluation_is_another_output(name: str) -> None:
    """A fifth of the output's own spread over time at least: no matter of rounding."""
    torch.manual_seed(0)
    model = build_model(small_variant(name))
    for _ in range(20):
        output_of(model.train())
    model.eval()
    source, identity, lengths = source_of(model.card), identity_of(model.card), torch.tensor([8, 8, 8])
    with torch.no_grad():
        codes = model.temporal(model.encoder(source, None), lengths)
        joined = torch.cat((codes, model.identity(identity)[:, None].expand(-1, 8, -1)), dim=-1)
        right, wrong = (model.decoder(joined, None, modality) for modality in ("video", "audio"))
    assert float((right - wrong).square().mean().sqrt() / right.std(dim=1).mean()) > 0.2


@pytest.mark.parametrize("name", [TUNED, "v2a-wave-face-frozen", "v2a-wave-speaker-tuned"])
def test_transfer_takes_the_decoder_and_starts_the_video_statistics(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(small_variant(name))
    assert model.card.init is not None
    pretrained = build_model(small_variant(model.card.init))
    step(pretrained)
    untouched = {key: tensor.clone() for key, tensor in model.encoder.state_dict().items()}
    transfer_decoder(model, pretrained)
    given_decoder = pretrained.decoder.state_dict()
    for key, tensor in model.decoder.state_dict().items():
        assert torch.equal(tensor, given_decoder[key.replace("video_", "audio_")])
    for key, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, untouched[key])


@pytest.mark.parametrize("other", ["a2a-mel-s", "a2a-wave", "vocoder"])
@pytest.mark.parametrize("name", [TUNED, "v2a-wave-speaker-tuned"])
def test_transfer_refuses_another_shape_or_family(name: str, other: str) -> None:
    wider = {"decoder": {"dim": 32}} if other == "a2a-mel-s" else {"wave": {"channels": [32, 8, 8, 4, 4]}}
    with pytest.raises(UseError, match=f"the decoder of {other} does not fit {name}"):
        transfer_decoder(build_model(small_variant(name)), build_model(small_variant(other, arch=wider)))


@pytest.mark.parametrize("name", [*SPEECH, "vocoder"])
def test_every_free_parameter_learns_and_nothing_frozen_moves(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(small_variant(name))
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    step(model)
    for key, parameter in model.named_parameters():
        frozen = name.endswith("frozen") and key.startswith("decoder.")
        assert parameter.requires_grad is not frozen
        assert frozen or (parameter.grad is not None and float(parameter.grad.abs().sum()) > 0), key
    for key, tensor in model.state_dict().items():
        if name.endswith("frozen") and key.startswith("decoder."):
            assert torch.equal(tensor, before[key]), key
        elif key.endswith((f"{model.modality}_mean", "running_mean")):
            assert not torch.equal(tensor, before[key]), key


@pytest.mark.parametrize("name", [SCRATCH, "v2a-mel-s-face-scratch", "v2a-wave-speaker-scratch", "a2a-wave"])
def test_identity_reaches_the_output(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(small_variant(name)).eval()
    source, lengths = source_of(model.card, 4, 1), torch.tensor([4])
    one, other = (model(source, identity_of(model.card, 1), lengths)[0] for _ in range(2))
    assert not torch.allclose(one, other)


def test_rotation_makes_attention_relative() -> None:
    query, key = torch.randn(8), torch.randn(8)
    turn = rotary(30, 8, query)
    turned = [rotate(x.expand(30, 8), turn) for x in (query, key)]
    assert torch.allclose(turned[0][3] @ turned[1][7], turned[0][20] @ turned[1][24], atol=1e-5)


@settings(max_examples=10)
@given(st.integers(1, 300))
def test_a_vocoder_makes_hop_samples_of_a_mel_frame(frames: int) -> None:
    with torch.inference_mode():
        wave = build_model(small_variant("vocoder")).eval()(torch.rand(2, frames, 80) - 3)
    assert wave.shape == (2, 300 * frames)
    assert float(wave.abs().max()) <= 1.0


@pytest.mark.parametrize("strides", [[8, 6, 5, 4], [960], [5, 3, 64], [2, 480], [15, 64]])
def test_any_strides_of_a_frame_keep_the_law(strides: list[int]) -> None:
    channels = [16, 8, 12, 4, 4][: len(strides) + 1]
    card = small_variant("a2a-wave", arch={"wave": {"strides": strides, "channels": channels}})
    model = build_model(card).eval()
    with torch.inference_mode():
        wave, _ = model(source_of(card, 3, 1), identity_of(card, 1), torch.tensor([3]))
    assert wave.shape == (1, 3 * SAMPLES_PER_FRAME)


@pytest.mark.parametrize("name", ["a2a-mel-s", "a2a-wave", SCRATCH, "v2a-wave-speaker-scratch"])
def test_a_clip_does_not_depend_on_its_batch_mates(name: str) -> None:
    """Beside a longer clip it comes out as it does alone, to rounding; the mate's content does not matter either."""
    torch.manual_seed(0)
    model = build_model(small_variant(name))
    for _ in range(5):
        output_of(model.train())
    model.eval()
    source, identity = source_of(model.card, 12), identity_of(model.card)
    unit = source.shape[1] // 12
    short = source[:1, : 7 * unit]
    padded = source.clone()
    padded[0, 7 * unit :] = 0
    with torch.no_grad():
        alone, _ = model(short, identity[:1], torch.tensor([7]))
        beside, mask = model(padded, identity, torch.tensor([7, 12, 9]))
    assert int(mask[0].sum()) == alone.shape[1]
    assert torch.allclose(alone[0], beside[0][mask[0]], atol=2e-5)
    if model.card.family == "wave":
        assert not beside[0][~mask[0]].any()


def test_checkpoint_holds_its_card_and_has_stable_bytes(tmp_path: Path) -> None:
    for name in (SCRATCH, "a2a-wave", "v2a-wave-face-frozen", "vocoder"):
        card = small_variant(name)
        model = build_model(card)
        clips = np.arange(-2, 3)
        model.trained_on = (TrainedOn(corpus="grid", split="grid1-seen", division="0" * 16, listing=None, clips=clips),)
        digests = set()
        for file in ("a", "b"):
            save_weights(model, tmp_path / f"{file}.safetensors")
            digests.add(hashlib.sha256((tmp_path / f"{file}.safetensors").read_bytes()).hexdigest())
        assert len(digests) == 1
        assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o644
        loaded = load_weights(tmp_path / "a.safetensors", card)
        assert type(loaded) is type(model)
        assert loaded.card == card
        assert [item.about for item in loaded.trained_on] == [item.about for item in model.trained_on]
        assert np.array_equal(loaded.trained_on[0].clips, clips)
        assert not loaded.training
        for key, tensor in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], tensor)


@pytest.mark.parametrize("name", [SCRATCH, "a2a-wave"])
def test_weights_of_another_card_or_shape_are_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(build_model(small_variant(name)), path)
    with pytest.raises(UseError, match=f"trained with card '{name}', not with '{TUNED}'"):
        load_weights(path, small_variant(TUNED))
    with pytest.raises(UseError, match="another arch section"):
        load_weights(path, small_variant(name, arch={"temporal": {"dim": 32}}))
    with pytest.raises(UseError, match="no weights at"):
        load_weights(tmp_path / "none.safetensors")


def test_damaged_files_are_one_clear_line(tmp_path: Path) -> None:
    path, other = tmp_path / "w.safetensors", tmp_path / "damaged.safetensors"
    model = build_model(small_variant("a2a-wave"))
    save_weights(model, path)
    tensors = load_file(path)
    with safe_open(path, "pt") as archive:
        about = archive.metadata()
    name = "decoder.stages.0.transposed.weight"
    for damaged in (
        {key: tensor for key, tensor in tensors.items() if key != name},
        tensors | {name: tensors[name][:-1].contiguous()},
        tensors | {"decoder.more": torch.zeros(3)},
    ):
        save_file(damaged, other, metadata=about)
        with pytest.raises(UseError, match="is not the one that its card describes; the file is damaged"):
            load_weights(other)
    for value in (math.nan, math.inf):
        tensors[name][0, 0, 0] = value
        save_file(tensors, other, metadata=about)
        with pytest.raises(UseError, match=f"tensor {name} holds values that are not finite"):
            load_weights(other)
    tensors[name][0, 0, 0] = 0.0
    said = json.loads(about["v2sbench"])
    for change in (
        {"card": {"arch": {"wave": {"channels": [16_384, 16_384, 16_384, 4, 4]}}}},  # gigabytes, if it were believed
        {"card": {"arch": {"temporal": {"dim": 2**27}}}},
        {"card": {"arch": {"audio": {"blocks": [10**6]}}}},
        {"card": {"train": {"lr": -1}}},
        {"card": [1]},
        {"heard": [{"corpus": 1}]},
        {"training": {"seed": "x"}},
    ):
        save_file(tensors, other, metadata={"v2sbench": json.dumps(merge(said, change))})
        with pytest.raises(UseError, match=re.escape(str(other))):
            load_weights(other)
    other.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UseError, match="not a safetensors file"):
        load_weights(other)
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(UseError, match="no v2sbench card"):
        load_weights(other)


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("content", ["text", "pickle", "torch"])
def test_what_is_no_safetensors_file_is_refused_unread(tmp_path: Path, content: str) -> None:
    path, sprung = tmp_path / "w.safetensors", tmp_path / "sprung"
    if content == "torch":
        torch.save({"x": Trap(sprung)}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(sprung)) if content == "pickle" else b"not a tensor in sight")
    with pytest.raises(UseError, match="not a safetensors file"):
        load_weights(path)
    assert not sprung.exists()
