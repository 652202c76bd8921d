"""The listening page's material: which clips, and each clip's crops, sound and spectrograms as data URIs.

    scores of the variants -> best, median and worst utterance of each -> Exhibit a clip
    Exhibit: mouth crops as one JPEG of tiles, and a Sample a system: FLAC, log-mel PNG, scores, transcript

Tiles, because no video codec plays in every browser; FLAC, because it does and loses nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from v2sbench.audio import RATE, encode_flac, read_wav
from v2sbench.clips.store import Clips
from v2sbench.report.spectrograms import SPAN, log_mel
from v2sbench.results import Measured, Table, wording
from v2sbench.runtime import UseError
from v2sbench.runtime.systems import GROUND_TRUTH, Variant
from v2sbench.scoring.folders import locate
from v2sbench.scoring.metrics import METRICS

TILES = 10  # crops side by side in the JPEG of tiles
QUALITY = 70  # of that JPEG, in percent


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A clip to listen to, and why."""

    clip: str
    why: tuple[str, ...]  # `best of v2a-..., v2a-...`, one a place in the ranking


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One system's rendering of one clip."""

    system: str
    audio: str  # FLAC as a data URI
    mel: str  # log-mel spectrogram as a PNG data URI, low bands at the bottom
    seconds: float
    line: Mapping[str, object]  # its stored scores; empty when it was not scored


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One clip of the listening page."""

    pick: Pick
    text: str  # the sentence, empty when unknown
    frames: int  # video frames, 25 a second; 0 without a picture
    tiles: str  # mouth crops, TILES in a row, as a JPEG data URI; empty without a picture
    samples: tuple[Sample, ...]  # of the systems that have audio of this clip


def pick(systems: Mapping[str, Measured], metric: str, clips: Sequence[str], count: int) -> list[Pick]:
    """At most `count` clips: best, median and worst utterance by `metric` of each variant, best variants first.

    A split without a variant takes its users' systems. A higher score must be better in `metric`. Ties go by clip id.
    """
    chosen = {name: scores for name, scores in systems.items() if Variant.of(name)} or dict(systems)
    spread = {name: scores.utterances(metric, clips) for name, scores in chosen.items()}
    means = {name: float(np.mean(list(found.values()))) for name, found in spread.items() if found}
    ranked = sorted(means, key=lambda name: (-means[name], name))
    reasons: dict[str, dict[str, list[str]]] = {}
    for name in ranked:
        order = sorted(spread[name], key=lambda clip: (-spread[name][clip], clip))
        for word, place in (("best", 0), ("median", len(order) // 2), ("worst", -1)):
            clip = order[place]
            if clip in reasons or len(reasons) < count:
                reasons.setdefault(clip, {}).setdefault(word, []).append(name)
    return [
        Pick(clip=clip, why=tuple(f"{word} of {', '.join(names)}" for word, names in why.items()))
        for clip, why in reasons.items()
    ]


def audio_of(folders: Mapping[str, Path], clip: str) -> dict[str, Path]:
    """System -> its file of the clip, for the systems that have one; both ways of naming a file are known."""
    found = {name: locate(folder, [clip])[clip] for name, folder in folders.items()}
    return {name: path for name, path in found.items() if path is not None}


def exhibit(chosen: Pick, clips: Clips | None, folders: Mapping[str, Path], systems: Mapping[str, Measured]) -> Exhibit:
    """All that the page needs of one clip. UseError when no system has audio of it, or a file cannot be read."""
    clip = chosen.clip
    files = audio_of(folders, clip)
    if not files:
        raise UseError(f"no audio of {clip} under {', '.join(str(folder) for folder in folders.values())}")
    samples = []
    for name, path in files.items():
        wave, _ = read_wav(path, RATE)
        line = systems[name].lines.get(clip, {}) if name in systems else {}
        sound, picture = _uri("audio/flac", encode_flac(wave)), _uri("image/png", _picture(log_mel(path)))
        samples.append(Sample(system=name, audio=sound, mel=picture, seconds=len(wave) / RATE, line=line))
    crops = clips.roi(clip) if clips is not None and clip in clips and clips.entry(clip).video else None
    texts = (str(sample.line["text"]) for sample in samples if sample.line.get("text"))
    return Exhibit(
        pick=chosen,
        text=next(texts, ""),
        frames=0 if crops is None else len(crops),
        tiles="" if crops is None else _uri("image/jpeg", _tiles(crops)),
        samples=tuple(samples),
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _tiles(crops: NDArray[np.uint8]) -> bytes:
    """(F, 96, 96) -> JPEG of all crops, TILES in a row, in reading order."""
    import cv2  # here, so that a page without clips needs none

    frames, height, width = crops.shape
    rows = -(-frames // TILES)
    sheet = np.zeros((rows * TILES, height, width), np.uint8)
    sheet[:frames] = crops
    sheet = sheet.reshape(rows, TILES, height, width).transpose(0, 2, 1, 3).reshape(rows * height, TILES * width)
    done, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return bytes(data)


def _picture(mel: NDArray[np.float32]) -> bytes:
    """(M, bands) log10 magnitudes -> PNG (bands, M), the colours over SPAN."""
    import cv2

    share = np.clip((mel.T[::-1] - SPAN[0]) / (SPAN[1] - SPAN[0]), 0, 1)
    colours = cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_MAGMA)
    done, data = cv2.imencode(".png", colours, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done
    return bytes(data)


# ---------------------------------------------------------------- for the page's script


def as_json(table: Table, exhibits: Sequence[Exhibit]) -> Markup:
    """The exhibits as JSON that cannot end the element it stands in; the ground truth before all other systems."""
    order = sorted((row.system for row in table.measured), key=lambda name: name != GROUND_TRUTH)
    there = {sample.system for item in exhibits for sample in item.samples}
    content = {
        "tiles": TILES,
        "systems": [name for name in order if name in there],
        "clips": [_as_json(table, item) for item in exhibits],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _as_json(table: Table, item: Exhibit) -> dict[str, object]:
    return {
        "id": item.pick.clip,
        "why": item.pick.why,
        "text": item.text,
        "frames": item.frames,
        "tiles": item.tiles,
        "samples": {sample.system: _shown(table, sample) for sample in item.samples},
    }


def _shown(table: Table, sample: Sample) -> dict[str, object]:
    """A system's player, and the text under it."""
    line, scores = sample.line, []
    for metric in table.metrics:
        value = line.get(metric)
        if isinstance(value, Mapping):
            scores.append(f"{METRICS[metric].column} {value['sub'] + value['del'] + value['ins']} of {value['words']}")
        elif isinstance(value, int | float):
            scores.append(f"{wording.label(metric)} {wording.number(metric, float(value))}")
    status = line.get("status", "not scored")
    return {
        "audio": sample.audio,
        "mel": sample.mel,
        "seconds": round(sample.seconds, 3),
        "scores": ", ".join(scores),
        "heard": line.get("hyp"),
        "status": "" if status == "ok" else status,
    }
