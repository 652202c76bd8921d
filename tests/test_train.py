"""Batches and training: pure functions of the step, exact resume, learning, refusals."""

from __future__ import annotations

import hashlib
import math
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.small import small_card, small_params, small_split
from tests.small_wave import wave_params
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.nets import Card, Params, load_card, weights_path
from v2sbench.nets.batch import centre_crop
from v2sbench.nets.cards import Data
from v2sbench.nets.model import load_weights
from v2sbench.runtime import UseError, merge
from v2sbench.train import train
from v2sbench.train.batches import Batches, augment, read_ahead
from v2sbench.train.loop import Run, run_folder
from v2sbench.train.objectives import learning_rate

SCRATCH, TUNED, FROZEN = (f"v2a-mel-s-speaker-{init}" for init in ("scratch", "tuned", "frozen"))
WAVE = "v2a-wave-face-scratch"


def batches(variant: str, params: Params, subset: str = "train") -> Batches:
    table = read_split(Path("splits/toy"))
    return Batches(table, Clips(table.clips), load_card(variant, params), params.seed, subset)


def same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    return one is other is None or (one is not None and other is not None and torch.equal(one, other))


@pytest.mark.parametrize("variant", ["a2a-mel-s", SCRATCH, WAVE, "vocoder"])
def test_a_batch_is_a_function_of_its_step(project: Path, variant: str) -> None:
    first, second = (batches(variant, wave_params()) for _ in range(2))
    ahead = dict(enumerate(read_ahead(first, 4, 9), start=4))
    for step in (8, 4, 6):
        again = second.at(step)
        for field in ("crops", "wave", "identity", "lengths"):
            assert same(getattr(again, field), getattr(ahead[step], field)), field
    assert not torch.equal(ahead[4].wave, ahead[5].wave)
    assert (ahead[4].crops is None) == (not variant.startswith("v2a"))
    assert ahead[4].identity.shape[1] == {WAVE: 128, "vocoder": 0}.get(variant, 256)


def test_batches_have_lawful_shapes(project: Path) -> None:
    batch = batches(SCRATCH, small_params()).at(0)
    assert batch.crops is not None
    assert batch.crops.shape == (3, 10, 88, 88)
    assert batch.wave.shape == (3, 10 * 960)
    whole = batches(SCRATCH, small_params(), "test").whole([0, 1, 2, 3])
    assert whole.wave.shape[1] == 960 * int(whole.lengths.max())
    for slot, length in enumerate(whole.lengths.tolist()):
        assert not whole.wave[slot, 960 * length :].any()
        assert whole.crops is not None
        assert not whole.crops[slot, length:].any()


def test_identity_is_never_of_the_clip_itself(project: Path) -> None:
    loader = batches(SCRATCH, small_params())
    table, vectors = loader.table, loader.table.embeddings()
    for index, row in enumerate(table.rows):
        for step in range(5):
            drawn = int(np.flatnonzero((vectors == loader.identities.draw(index, step)).all(axis=1))[0])
            assert drawn != index
            assert table.rows[drawn].speaker == row.speaker
            assert table.rows[drawn].subset == "train"
    assert math.isclose(float(np.linalg.norm(loader.mean_identity())), 1.0, rel_tol=1e-5)


def test_a_lone_utterance_is_refused_before_training(tmp_path: Path) -> None:
    """Where no other speaker is there whose voice might stand for it."""
    table = read_split(small_split(tmp_path, speakers=1, clips=4))
    rows = tuple(replace(row, sha256="0" * 64) for row in table.rows)
    with pytest.raises(UseError, match="no other clip"):
        Batches(replace(table, rows=rows), Clips(table.clips), small_card(SCRATCH), 1, "test")


@given(st.integers(0, 2**31), st.integers(1, 40), st.booleans())
def test_augmentation_keeps_shape_and_moves_all_frames_alike(seed: int, frames: int, masked: bool) -> None:
    data = Data(frames=40, crop=88, flip=0.5, erase=0.5, time_mask=0.4 if masked else 0.0)
    still = np.random.default_rng(1).integers(0, 256, (1, 96, 96)).astype(np.uint8).repeat(frames, axis=0)
    crops = augment(still, data, np.random.default_rng(seed))
    assert crops.shape == (frames, 88, 88)
    plain = [frame for frame in crops if not (frame == frame[0, 0]).all()]
    assert masked or len(plain) == frames
    assert all((frame == plain[0]).all() for frame in plain)
    assert (still == still[0]).all()


def test_centre_crop() -> None:
    roi = np.arange(96 * 96).reshape(1, 96, 96)
    assert centre_crop(roi, 88)[0, 0, 0] == roi[0, 4, 4]
    assert centre_crop(roi, 96).shape == (1, 96, 96)


@given(st.integers(2, 500), st.floats(0.0, 0.5))
def test_learning_rate_warms_up_and_ends_near_zero(steps: int, warmup: float) -> None:
    train = small_card(SCRATCH, train={"steps": steps, "warmup": warmup}).train
    rates = [learning_rate(train, step, train.lr) for step in range(steps)]
    assert all(0.0 < rate <= train.lr + 1e-12 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_training_learns_and_writes_weights_and_log(project: Path) -> None:
    params = small_params(steps=40, log_every=10, validate_every=20, lr=1e-2)
    path = train(SCRATCH, "toy", params=params)
    assert path == weights_path(SCRATCH, "toy", 1)
    assert load_weights(path).card == load_card(SCRATCH, params)
    header, *lines = [line.split("\t") for line in path.with_suffix(".tsv").read_text().splitlines()]
    assert header[0] == "step"
    assert [line[0] for line in lines] == ["10", "20", "30", "40"]
    assert float(lines[-1][2]) < 0.7 * float(lines[0][2])
    assert float(lines[-1][4]) < float(lines[1][4])


@pytest.mark.parametrize("variant", ["a2a-mel-s", WAVE, "vocoder"])
def test_same_seed_same_bytes_and_resume_is_exact(project: Path, variant: str) -> None:
    params = wave_params(steps=8)
    whole = train(variant, "toy", params=params, out=Path("whole.safetensors"), resume=False)
    card = load_card(variant, params)
    table = read_split(Path("splits/toy"))
    halves = [Run(card, batches(variant, params), None, params.seed, params.threads) for _ in range(2)]
    for batch in read_ahead(halves[0].batches, 0, 5):
        halves[0].note(halves[0].train_step(batch))
    state = run_folder(card, table.digest, params.seed, params.threads, None) / "state.pt"
    halves[0].save(state)
    resumed = train(variant, "toy", params=params, out=Path("resumed.safetensors"))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, resumed)}
    assert len(digests) == 1
    assert not state.exists()
    lines = [Path(f"{name}.tsv").read_text().splitlines()[3:] for name in ("whole", "resumed")]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.6, 0.999, "no step"])
def test_a_damaged_resume_state_is_refused_and_fresh_goes_past_it(project: Path, kept: float | str) -> None:
    params = small_params(steps=3)
    card = load_card(SCRATCH, params)
    run = Run(card, batches(SCRATCH, params), None, params.seed, params.threads)
    state = run_folder(card, read_split(Path("splits/toy")).digest, params.seed, params.threads, None) / "state.pt"
    run.save(state)
    if isinstance(kept, str):
        torch.save({"model": {}}, state)
    else:
        os.truncate(state, int(kept * state.stat().st_size))
    with pytest.raises(UseError, match=rf"{state} .*--fresh"):
        train(SCRATCH, "toy", params=params)
    assert train(SCRATCH, "toy", params=params, resume=False).is_file()


def test_sigterm_saves_and_leaves(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = small_params(steps=500)
    original = Run.note

    def note(self: Run, terms: Mapping[str, float]) -> None:
        original(self, terms)
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Run, "note", note)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        train("a2a-mel-s", "toy", params=params)
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert not weights_path("a2a-mel-s", "toy", 1).exists()
    (state,) = Path("runs").glob("*/state.pt")
    assert torch.load(state, weights_only=True)["step"] == 3


@pytest.mark.parametrize("model", ["mel-s", "wave"])
@pytest.mark.parametrize("identity", ["speaker", "face"])
def test_the_three_initialisations(project: Path, model: str, identity: str) -> None:
    params, variant = wave_params(steps=5), f"v2a-{model}-{identity}"
    with pytest.raises(UseError, match=f"v2sbench train a2a-{model} --split toy"):
        train(f"{variant}-tuned", "toy", params=params)
    given_decoder = load_weights(train(f"a2a-{model}", "toy", params=params)).decoder.state_dict()
    trained = load_weights(train(f"{variant}-tuned", "toy", params=params))
    (past,) = trained.trained_on  # once, although both have it
    assert (past.split, len(past.clips)) == ("toy", len(read_split(Path("splits/toy")).subset("train")))
    tuned = trained.decoder.state_dict()
    frozen = load_weights(train(f"{variant}-frozen", "toy", params=params)).decoder.state_dict()
    for name, tensor in given_decoder.items():
        source = given_decoder[name.replace("video_", "audio_")]
        assert torch.equal(frozen[name], source), name
        assert name.endswith(("audio_mean", "audio_var")) == torch.equal(tuned[name], tensor), name
    with pytest.raises(UseError, match="takes no --init"):
        train(f"{variant}-scratch", "toy", params=params, init=weights_path(f"a2a-{model}", "toy", 1))
    with pytest.raises(UseError, match=f"holds {variant}-tuned"):
        train(f"{variant}-tuned", "toy", params=params, init=weights_path(f"{variant}-tuned", "toy", 1))


@pytest.mark.parametrize(("variant", "term"), [("a2a-mel-s", "l1"), (WAVE, "power")])
def test_a_loss_that_is_no_number_stops_the_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, variant: str, term: str
) -> None:
    def wild(name: str, params: Params) -> Card:
        """The card with a learning rate that none may have."""
        card = load_card(name, params)
        return replace(card, train=replace(card.train, lr=1e30, clip_norm=1e30))

    monkeypatch.setattr("v2sbench.train.loop.load_card", wild)
    with pytest.raises(UseError, match=rf"{variant}: ({term}|gradient_norm) is (nan|inf) at step \d+; lower train.lr"):
        train(variant, "toy", params=wave_params(steps=30))


def test_the_adversary_enters_when_the_card_says(project: Path) -> None:
    params = wave_params(steps=10, log_every=1)
    run = Run(load_card(WAVE, params), batches(WAVE, params), None, params.seed, params.threads)
    terms = [set(run.train_step(batch)) for batch in read_ahead(run.batches, 0, 10)]
    reconstruction = {"power", "mfcc", "stft", "gradient_norm"}
    assert terms[:2] == [reconstruction] * 2
    assert terms[2:4] == [reconstruction | {"discriminator"}] * 2
    assert terms[4:] == [reconstruction | {"discriminator", "adversarial", "features"}] * 6


def test_fewer_clips_and_speakers_are_a_subset(project: Path) -> None:
    def used(**data: object) -> set[int]:
        params = small_params()
        section = merge(params.override["mel-s"], {"data": data})
        return set(batches(SCRATCH, replace(params, override={"mel-s": section})).rows)

    shares = [used(share=share) for share in (0.5, 0.8, 1.0)]
    assert shares[0] < shares[1] < shares[2]
    table = read_split(Path("splits/toy"))
    assert {table.rows[index].speaker for index in used(speakers=["s[2-9]"])} == {"s2"}
    with pytest.raises(UseError, match=r"no train clips here that data\.share and data\.speakers leave"):
        used(speakers=["x*"])


def test_video_models_need_video(tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, video=False))
    with pytest.raises(UseError, match="audio only"):
        Batches(table, Clips(table.clips), small_card(SCRATCH), 1)
