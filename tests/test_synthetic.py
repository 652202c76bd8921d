"""The embedded corpora: on disk as GRID and LibriTTS are, the same bytes every time, whole or gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trees import read_align
from v2sbench import corpora
from v2sbench.audio import read_wav
from v2sbench.prepare.media import decode
from v2sbench.runtime import UseError, sha256_file
from v2sbench.talker import corpus as synthetic
from v2sbench.talker import embedded
from v2sbench.talker.cast import CAST, SEEN, UNSEEN
from v2sbench.talker.corpus import DemoSize, generate_audio, generate_faces

pytest.importorskip("espeakng_loader", reason="no espeak-ng")

SMALL = {"seen_speakers": 2, "unseen_speakers": 2, "clips_per_speaker": 2, "unseen_clips": 1}
SPOKEN = {"audio_speakers": 2, "audio_minutes": 0.3}


def digests(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): sha256_file(path) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("V2S_QUIET", "1")
        yield


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora") / "demo"
    generate_faces(root, jobs=1, **SMALL)
    return root


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora") / "demo-audio"
    generate_audio(root, jobs=1, **SPOKEN)
    return root


# ---------------------------------------------------------------- faces


def test_the_scan_that_reads_grid_reads_it(faces: Path) -> None:
    scan = corpora.scan_of(corpora.corpus("demo"), faces)
    assert scan.counts == {"s1": 2, "s2": 2, "s11": 1, "s12": 1}
    assert scan.layout == "sN/*.mpg (6)"
    assert not scan.problems
    assert all(clip.landmarks and clip.align and clip.text for clip in scan.clips)
    assert len({clip.text for clip in scan.clips}) == 6


def test_picture_sound_times_and_landmarks_agree(faces: Path) -> None:
    for clip in corpora.scan_of(corpora.corpus("demo"), faces).clips:
        recording = decode(clip.media)
        assert recording.frames is not None
        frames = len(recording.frames)
        assert recording.frames.shape[1:] == (288, 360)
        assert 40 <= frames <= 80
        assert clip.landmarks is not None
        with np.load(clip.landmarks) as stored:
            assert stored["landmarks"].shape == (frames, 68, 2)
            assert stored["landmarks"].dtype == np.float32
        words = read_align(clip.align)
        assert " ".join(word for word, _, _ in words) == clip.text
        begin, end = words[0][1], words[-1][2]
        assert 4 / 25 <= begin < end <= (frames - 3) / 25
        spoken = recording.wave[round(begin * 24_000) : round(end * 24_000)]
        silent = recording.wave[: round((begin - 0.06) * 24_000)]
        assert np.abs(spoken).max() > 0.3
        assert np.abs(silent).max() < 0.01
        assert abs(frames * 960 - len(recording.wave)) < 960


def test_the_mouth_opens_while_there_is_sound(faces: Path) -> None:
    """Correlation of the lips' gap with the sound's level is highest without a shift of more than two frames."""
    scores = np.zeros(17)
    for clip in corpora.scan_of(corpora.corpus("demo"), faces).clips:
        recording = decode(clip.media)
        assert recording.wave is not None
        assert clip.landmarks is not None
        with np.load(clip.landmarks) as stored:
            gap = np.linalg.norm(stored["landmarks"][:, 66] - stored["landmarks"][:, 62], axis=-1)
        level = np.array([np.sqrt((part**2).mean()) for part in np.array_split(recording.wave, len(gap))])
        gap, level = gap - gap.mean(), level - level.mean()
        scores += [float((np.roll(gap, shift) * level).sum()) for shift in range(-8, 9)]
    assert abs(int(scores.argmax()) - 8) <= 2


def test_bytes_depend_on_parameters_alone(faces: Path, tmp_path: Path) -> None:
    generate_faces(tmp_path / "again", jobs=2, **SMALL)
    assert digests(tmp_path / "again") == digests(faces)
    generate_faces(tmp_path / "more", jobs=1, **{**SMALL, "seen_speakers": 1, "clips_per_speaker": 3})
    kept = {name: value for name, value in digests(tmp_path / "more").items() if name in digests(faces)}
    kept.pop(embedded.MANIFEST)
    assert len(kept) == 3 * 4
    assert all(digests(faces)[name] == value for name, value in kept.items())


def test_made_once(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_film", lambda batch: pytest.fail("made again"))
    generate_faces(faces, jobs=1, **SMALL)
    generate_faces(faces, jobs=1, **SMALL, audio_minutes=7)  # of the other corpus


def test_interrupted_then_gone_on_with(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "demo"
    film, made = synthetic._film, []

    def stop(batch: synthetic._Batch) -> int:
        if made:
            raise KeyboardInterrupt
        made.append(batch)
        return film(batch)

    monkeypatch.setattr(synthetic, "_film", stop)
    with pytest.raises(KeyboardInterrupt):
        generate_faces(root, jobs=1, **SMALL)
    assert not (root / embedded.MANIFEST).exists()
    (root / "s2" / ".left.x").mkdir(parents=True)
    first = next(root.glob("s1/*.mpg"))
    before = first.stat().st_mtime_ns
    monkeypatch.setattr(synthetic, "_film", film)
    generate_faces(root, jobs=1, **SMALL)
    assert first.stat().st_mtime_ns == before
    assert digests(root) == digests(faces)
    assert not (root / "s2" / ".left.x").exists()


def test_other_parameters_clear_what_was_there(faces: Path, tmp_path: Path) -> None:
    root = tmp_path / "demo"
    shutil.copytree(faces, root)
    one = {"seen_speakers": 1, "unseen_speakers": 0, "clips_per_speaker": 1}
    generate_faces(root, jobs=1, **one, seed=2)
    assert len(list(root.rglob("*.mpg"))) == 1
    assert json.loads((root / embedded.MANIFEST).read_text())["recipe"]["parameters"]["seed"] == 2
    assert not set(digests(root).values()) & set(digests(faces).values())


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UseError, match="something else than an embedded corpus"):
        generate_faces(tmp_path, jobs=1, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# ---------------------------------------------------------------- voices


def test_the_scan_that_reads_libritts_reads_it(voices: Path) -> None:
    scan = corpora.scan_of(corpora.corpus("demo-audio"), voices)
    assert set(scan.counts) == {"101", "102"}
    assert not scan.problems
    seconds = 0.0
    for clip in scan.clips:
        wave, rate = read_wav(clip.media)
        assert rate == 24_000
        assert 1.5 < len(wave) / rate < 8
        assert 0.4 < np.abs(wave).max() < 0.7
        seconds += len(wave) / rate
    assert 18 <= seconds <= 18 + 2 * 8
    told = json.loads((voices / embedded.MANIFEST).read_text())
    assert told["clips"] == len(scan.clips)
    assert told["seconds"] == pytest.approx(seconds, abs=0.01)


def test_voices_have_the_same_bytes(voices: Path, tmp_path: Path) -> None:
    generate_audio(tmp_path / "again", jobs=2, **SPOKEN)
    assert digests(tmp_path / "again") == digests(voices)


# ---------------------------------------------------------------- sizes and splits


def test_unknown_and_impossible_sizes() -> None:
    with pytest.raises(UseError, match=r"demo\.clip_per_speaker, did you mean 'clips_per_speaker'"):
        DemoSize.of(clip_per_speaker=3)
    for name, value in [("seen_speakers", 0), ("seen_speakers", 10), ("unseen_speakers", 1), ("seed", -1),
                        ("clips_per_speaker", 1001), ("clips_per_speaker", 2.5), ("audio_minutes", 0),
                        ("audio_speakers", 41), ("audio_minutes", "many"), ("unseen_clips", True)]:  # fmt: skip
        with pytest.raises(UseError, match=rf"demo\.{name} is"):
            DemoSize.of(**{name: value})


@given(st.integers(1, 9), st.sampled_from([0, 2, 3, 9]), st.integers(1, 1000), st.integers(0, 5))
def test_no_two_clips_say_the_same(seen: int, unseen: int, clips: int, seed: int) -> None:
    size = DemoSize(seen_speakers=seen, unseen_speakers=unseen, clips_per_speaker=clips, unseen_clips=clips, seed=seed)
    said = [stem for batch in synthetic._batches(Path(), size) for stem in batch.stems]
    assert len(set(said)) == len(said) == clips * (seen + unseen)


def test_unseen_speakers_are_heard_in_no_training() -> None:
    ids = [f"s{number}/bbaf2n" for number in CAST]
    unseen = corpora.split("demo-unseen").assign(ids)
    assert {name for name, part in unseen.items() if part == "train"} == {f"s{number}/bbaf2n" for number in SEEN}
    assert {name for name, part in unseen.items() if part == "test"} == {f"s{number}/bbaf2n" for number in UNSEEN}
    seen = corpora.split("demo-seen").assign(ids)
    assert {name.split("/")[0] for name in seen} == {f"s{number}" for number in SEEN}


def test_seen_shares() -> None:
    ids = [f"s{batch.number}/{stem}" for batch in synthetic._batches(Path(), DemoSize()) for stem in batch.stems]
    parts = list(corpora.split("demo-seen").assign(ids).values())
    assert len(parts) == 4 * 170
    assert parts.count("train") / 680 == pytest.approx(0.85, abs=0.05)
    assert parts.count("test") / 680 == pytest.approx(0.10, abs=0.04)
    assert parts.count("val") > 10
