"""The overfitting script: what a step sees, and a run of a few steps as a user starts it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from benchmarks import overfit
from tests.small import SMALL
from tests.small_wave import SMALL_WAVE
from v2sbench.nets.batch import Batch
from v2sbench.runtime import UseError, read_yaml


def profile(folder: Path) -> Path:
    """A profile file whose networks are tiny."""
    from ruamel.yaml import YAML

    path = folder / "tiny.yaml"
    params = read_yaml(Path(__file__).parent.parent / "profiles/matrix.yaml")
    yaml = YAML()
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.dump({**params, "override": {"mel-s": SMALL, "wave": SMALL_WAVE}}, path)
    return path


@pytest.mark.parametrize(("lengths", "expected"), [([20, 16], 10), ([20, 7], 7)])
def test_a_step_sees_sound_and_picture_of_the_same_frames(lengths: list[int], expected: int) -> None:
    crops = torch.arange(20, dtype=torch.uint8)[None, :, None, None].expand(2, 20, 4, 4)
    wave = torch.arange(20.0).repeat_interleave(960).expand(2, -1)
    whole = Batch(crops=crops, wave=wave, identity=torch.rand(2, 3), lengths=torch.tensor(lengths))
    starts = set()
    for step in range(30):
        batch = overfit.crops_of(whole, 10, step, 1)
        assert batch.lengths.tolist() == [expected] * 2
        assert batch.crops is not None
        for clip, (pictures, sound) in enumerate(zip(batch.crops, batch.wave, strict=True)):
            assert torch.equal(pictures[:, 0, 0].float(), sound[::960])
            assert int(pictures[-1, 0, 0]) < lengths[clip]
        starts.add(tuple(batch.crops[:, 0, 0, 0].tolist()))
    assert (len(starts) > 5) == (expected == 10)


@pytest.mark.parametrize("variant", ["v2a-mel-s-speaker-scratch", "v2a-wave-face-scratch"])
def test_a_run_prints_its_log(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variant: str
) -> None:
    words = [variant, "--split", "toy", "--steps", "4", "--every", "2", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["overfit", *words, "--profile", str(profile(project))])
    overfit.main()
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith(f"{variant}: 8 clips of toy")
    assert [line.split()[1] for line in lines] == ["2", "4"]
    assert all("STOI" in line and "gradient_norm" in line for line in lines)


def test_a_vocoder_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["overfit", "vocoder", "--split", "toy", "--profile", str(profile(project))])
    with pytest.raises(UseError, match="no crops to learn from"):
        overfit.main()
