"""Networks: separate statistics, transfer, freezing, gradients, checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.small import small_card
from v2sbench.nets.mel_decoder import rotary, rotate
from v2sbench.nets.model import MelModel, load_weights, save_weights, transfer_decoder
from v2sbench.nets.norm import ModalityNorm
from v2sbench.runtime import UseError

SCRATCH, TUNED, FROZEN = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "tuned", "frozen"))


def step(model: MelModel) -> None:
    """One optimiser step on random clips."""
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    crops = torch.randint(0, 256, (3, 8, 88, 88), dtype=torch.uint8)
    source = crops if model.modality == "video" else torch.rand(3, 8 * 960) - 0.5
    mel, mask = model.train()(source, torch.rand(3, 256), torch.tensor([8, 6, 8]))
    mel[mask].square().mean().backward()
    optimiser.step()


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


def test_statistics_of_one_modality_are_untouched_by_the_other() -> None:
    norm = ModalityNorm(5)
    norm(torch.randn(2, 5, 9) + 4, None, "video")
    assert torch.all(norm.get_buffer("audio_mean") == 0)
    assert torch.all(norm.get_buffer("video_mean") > 0)
    norm.eval()
    x = torch.randn(2, 5, 9)
    assert not torch.allclose(norm(x, None, "audio"), norm(x, None, "video"))


def test_transfer_takes_the_decoder_and_starts_the_video_statistics() -> None:
    torch.manual_seed(0)
    pretrained = MelModel(small_card("a2a-mel-s"))
    step(pretrained)
    model = MelModel(small_card(TUNED))
    untouched = {name: tensor.clone() for name, tensor in model.encoder.state_dict().items()}
    transfer_decoder(model, pretrained)
    given = pretrained.decoder.state_dict()
    for name, tensor in model.decoder.state_dict().items():
        assert torch.equal(tensor, given[name.replace("video_", "audio_")])
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, untouched[name])


def test_transfer_refuses_another_shape() -> None:
    other = MelModel(small_card("a2a-mel-s", arch={"decoder": {"dim": 32}}))
    with pytest.raises(UseError, match="does not fit"):
        transfer_decoder(MelModel(small_card(TUNED)), other)


@pytest.mark.parametrize("name", ["a2a-mel-s", SCRATCH, TUNED, FROZEN])
def test_every_free_parameter_learns_and_nothing_frozen_moves(name: str) -> None:
    torch.manual_seed(0)
    model = MelModel(small_card(name))
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    step(model)
    for key, parameter in model.named_parameters():
        frozen = name == FROZEN and key.startswith("decoder.")
        assert parameter.requires_grad is not frozen
        assert frozen or (parameter.grad is not None and float(parameter.grad.abs().sum()) > 0), key
    for key, tensor in model.state_dict().items():
        if name == FROZEN and key.startswith("decoder."):
            assert torch.equal(tensor, before[key]), key
        elif f"{model.modality}_mean" in key:
            assert not torch.equal(tensor, before[key]), key


def test_identity_reaches_the_output() -> None:
    model = MelModel(small_card(SCRATCH)).eval()
    crops, lengths = torch.zeros(1, 4, 88, 88, dtype=torch.uint8), torch.tensor([4])
    one, other = (model(crops, torch.eye(256)[None, row], lengths)[0] for row in (0, 1))
    assert not torch.allclose(one, other)


def test_rotation_makes_attention_relative() -> None:
    query, key = torch.randn(8), torch.randn(8)
    turn = rotary(30, 8, query)
    turned = [rotate(x.expand(30, 8), turn) for x in (query, key)]
    assert torch.allclose(turned[0][3] @ turned[1][7], turned[0][20] @ turned[1][24], atol=1e-5)


def test_checkpoint_holds_its_card_and_has_stable_bytes(tmp_path: Path) -> None:
    card = small_card(SCRATCH)
    model = MelModel(card)
    digests = set()
    for name in ("a", "b"):
        save_weights(model, tmp_path / f"{name}.safetensors")
        digests.add(hashlib.sha256((tmp_path / f"{name}.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 1
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o644
    loaded = load_weights(tmp_path / "a.safetensors", card)
    assert loaded.card == card
    assert not loaded.training
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)


def test_wrong_checkpoints_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(MelModel(small_card(SCRATCH)), path)
    with pytest.raises(UseError, match="trained with card 'v2a-mel-s-speaker-scratch', not with"):
        load_weights(path, small_card(TUNED))
    with pytest.raises(UseError, match="another arch section"):
        load_weights(path, small_card(SCRATCH, arch={"decoder": {"dim": 32}}))
    with pytest.raises(UseError, match="no weights at"):
        load_weights(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_bytes(b"not a tensor in sight")
    with pytest.raises(UseError, match="not a safetensors file"):
        load_weights(tmp_path / "text.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(UseError, match="no v2sbench card"):
        load_weights(tmp_path / "bare.safetensors")
