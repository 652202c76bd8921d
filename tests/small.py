"""Small networks and a toy corpus, so that tests of models take milliseconds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from v2sbench.audio import RATE, SAMPLES_PER_FRAME, encode_flac
from v2sbench.clips.splits import COLUMNS, DIMENSIONS
from v2sbench.clips.store import Clips, write_table
from v2sbench.nets import card_from_json, load_card
from v2sbench.nets.cards import Card, Params
from v2sbench.prepare.writer import ShardWriter, encode_still
from v2sbench.runtime import merge, rng

SMALL: dict[str, Any] = {
    "arch": {
        "video": {"pool": 2, "width": 4, "blocks": [1, 1, 1, 1], "dim": 16},
        "audio": {"width": 4, "blocks": [1, 1, 1, 1], "dim": 16},
        "temporal": {"layers": 1, "dim": 8, "dropout": 0.0},
        "decoder": {"blocks": 2, "dim": 16, "heads": 2, "kernel": 5, "feed_forward": 32, "dropout": 0.0},
    },
    "data": {"frames": 10},
    "train": {"steps": 6, "batch": 3, "log_every": 2, "validate_every": 4, "lr": 1e-3},
}


def small_card(name: str, **sections: Any) -> Card:
    """The card `name` with a tiny network; further sections are merged over it."""
    return card_from_json(json.dumps(merge(merge(json.loads(load_card(name).json()), SMALL), sections)))


def small_split(project: Path, *, video: bool = True, speakers: int = 2, clips: int = 8) -> Path:
    """A prepared corpus of noisy tones and moving bars under `project`, with the split `toy` of it; returns its folder.

    The tone of a clip follows the height of its bar, so that there is something to learn. Of each speaker the last two
    clips are for the test and the one before for validation.
    """
    with ShardWriter(folder_of(project / "clips" / "toy")) as writer:
        for speaker in range(1, speakers + 1):
            for number in range(clips):
                draw = rng(1, speaker, number)
                frames = int(draw.integers(12, 20))
                height = np.interp(np.arange(frames), [0, frames], draw.uniform(10, 80, 2))
                rows = np.arange(96)[None, :, None]
                roi = np.where(abs(rows - height[:, None, None]) < 8, 200, 40) + draw.integers(0, 20, (frames, 96, 96))
                hertz = np.repeat(200 + 20 * height, SAMPLES_PER_FRAME)
                wave = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE) + 0.01 * draw.standard_normal(len(hertz))
                crops = io.BytesIO()
                np.save(crops, roi.astype(np.uint8))
                name = f"s{speaker}/clip{number}"
                writer.add(name, f"s{speaker}", f"word {number}", frames, encode_flac(wave.astype(np.float32)),
                           crops.getvalue() if video else b"", "",
                           encode_still(np.repeat(np.repeat(roi[0], 2, 0), 2, 1).astype(np.uint8)) if video else b"",
                           )  # fmt: skip
        writer.finish([], {"corpus": "toy", "kind": "audio-visual", "roi": "auto"})
    part = {clips - 1: "test", clips - 2: "test", clips - 3: "val"}
    rows = [
        (part.get(int(entry.id[-1]), "train"), entry.id, entry.speaker, entry.shard, entry.wave_offset, entry.sha256,
         entry.frames, entry.text)
        for entry in Clips(project / "clips" / "toy")
    ]  # fmt: skip
    rows.sort(key=lambda row: (["train", "val", "test"].index(row[0]), row[1]))
    folder = folder_of(project / "splits" / "toy")
    write_table(folder / "split.tsv", COLUMNS, rows)
    counts = {name: [sum(row[0] == name for row in rows), None] for name in ("train", "val", "test")}
    about = {"name": "toy", "corpus": "toy", "clips": "../../clips/toy", "coverage": counts, "coverage_label": "",
             "digest": "0" * 16, "division": "0" * 16, "listing": None, "identity": "seen", "grammar": None,
             "wer": True}  # fmt: skip
    (folder / "split.json").write_text(json.dumps(about))
    for seed, (kind, size) in enumerate(DIMENSIONS.items(), start=2):
        vectors = np.stack([rng(seed, row[1]).random(size) for row in rows]).astype(np.float32)
        if video or kind == "speaker":
            np.save(folder / f"{kind}.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return folder


def folder_of(path: Path) -> Path:
    """The folder, made."""
    path.mkdir(parents=True)
    return path


def small_params(**train: Any) -> Params:
    """A profile whose mel-s is a tiny network; `train` overrides its recipe."""
    return Params(
        profile="test", seed=1, threads=1, corpora=(), splits={}, pretrain_split="toy", models=("mel-s",),
        identities=("speaker",), v2a_splits=("toy",), references=(), asr="grid-grammar", protocol="v2sbench-1",
        override={"mel-s": merge(SMALL, {"train": train})},
    )  # fmt: skip
