"""Miniatures of the corpora of plain speech: LibriTTS, VCTK, Hi-Fi TTS, Common Voice and OMCEB."""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

from tests.miniatures.drawing import chord
from v2sbench.audio import RATE, encode_flac, write_wav
from v2sbench.runtime import atomic


def fake_libritts(root: Path) -> None:
    """Two speakers with two utterances each, 24 kHz, one of them without a text."""
    utterances = {
        "84_121123_000007_000001": "But you know, don't you, why he went?",
        "84_121123_000008_000000": 'Nothing stirred; "all\'s well", he said.',
        "1272_128104_000001_000000": "MR. QUILTER is the apostle of the middle classes.",
        "1272_128104_000003_000002": None,
    }
    for stem, text in utterances.items():
        speaker, chapter, *_ = stem.split("_")
        folder = root / "LibriTTS" / "dev-clean" / speaker / chapter
        write_wav(folder / f"{stem}.wav", chord(stem, RATE * 2 + 137, RATE))
        if text is not None:
            with atomic(folder / f"{stem}.normalized.txt") as draft:
                draft.write_text(f"{text}\n", encoding="utf-8")


def fake_vctk(root: Path) -> None:
    """Two speakers, 48 kHz FLAC; p225 heard by both microphones, p280 by one; one utterance lacks a text."""
    rate = 48_000
    spoken = {
        "p225_001": ("Please call Stella.", (1, 2)),
        "p225_002": ("Ask her to bring these things with her from the store.", (1, 2)),
        "p280_001": ("Please call Stella.", (1,)),
        "p280_002": (None, (1,)),
    }
    for stem, (text, microphones) in spoken.items():
        speaker = stem.split("_", 1)[0]
        for microphone in microphones:
            sound = root / "wav48_silence_trimmed" / speaker / f"{stem}_mic{microphone}.flac"
            sound.parent.mkdir(parents=True, exist_ok=True)
            with atomic(sound) as draft:
                draft.write_bytes(encode_flac(chord(f"{stem}_{microphone}", rate * 6 // 10, rate), rate))
        if text is not None:
            path = root / "txt" / speaker / f"{stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as draft:
                draft.write_text(f"{text}\n", encoding="utf-8")


def fake_hifitts(root: Path) -> None:
    """Two readers, one clean and one other, 44.1 kHz FLAC, in a manifest for training and one for validation."""
    top, rate = root / "hi_fi_tts_v0", 44_100
    lines = {
        "92_manifest_clean_train": {
            "audio/92_clean/10425/book_01_reader_0000.flac": "Chapter 1.",
            "audio/92_clean/10425/book_01_reader_0001.flac": "It was, she said, a fine day.",
        },
        "92_manifest_clean_dev": {"audio/92_clean/10426/book_01_reader_0000.flac": "Don't!"},
        "11614_manifest_other_train": {"audio/11614_other/10547/tales_04_reader_0003.flac": "Once upon a time"},
    }
    for manifest, rows in lines.items():
        for name in rows:
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as draft:
                draft.write_bytes(encode_flac(chord(name, rate * 6 // 10, rate), rate))
        objects = [
            {
                "audio_filepath": name,
                "text": text.lower(),
                "duration": 0.6,
                "text_no_preprocessing": text,
                "text_normalized": text.replace("1", "one"),
            }
            for name, text in rows.items()
        ]
        with atomic(top / f"{manifest}.json") as draft:
            draft.write_text("".join(f"{json.dumps(row)}\n" for row in objects), encoding="utf-8")


def fake_commonvoice(root: Path) -> None:
    """Two volunteers with three validated clips, 48 kHz MP3, and a rejected clip of the second one."""
    rate = 48_000
    top = root / "cv-corpus-9.0-2022-04-27" / "en"
    (top / "clips").mkdir(parents=True, exist_ok=True)
    rows = {
        "validated.tsv": [
            ("a" * 128, 17_110_001, 'He said "Yes".'),
            ("a" * 128, 17_110_002, "It\N{RIGHT SINGLE QUOTATION MARK}s raining."),
            ("b" * 128, 17_110_003, '"No, thank you.'),
        ],
        "invalidated.tsv": [("b" * 128, 17_110_004, "Nothing of this was read.")],
    }
    for table, clips in rows.items():
        lines = ["client_id\tpath\tsentence\tup_votes\tdown_votes\tlocale"]
        for client, number, sentence in clips:
            name = f"common_voice_en_{number}.mp3"
            lines.append(f"{client}\t{name}\t{sentence}\t2\t0\ten")
            with atomic(top / "clips" / name) as draft:
                soundfile.write(draft, chord(name, rate * 7 // 10, rate), rate, format="MP3")
        with atomic(top / table) as draft:
            draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def fake_omceb(root: Path) -> None:
    """Two accents, three speakers, 48 kHz; two of them have one number; one line's text is missing."""
    spoken: dict[str, dict[str, str | None]] = {
        "irish_english_male": {
            "irm_02484_00000000001": "Aer Lingus flies to Dublin, Cork and Shannon.",
            "irm_02484_00000000002": None,
        },
        "welsh_english_female": {
            "wef_02484_00000000003": "Who's there?",
            "wef_03397_00000000004": "The weather in Cardiff will be fine.",
        },
    }
    rate = 48_000
    for folder, lines in spoken.items():
        for stem in lines:
            write_wav(root / folder / f"{stem}.wav", chord(stem, rate * 6 // 10, rate), rate)
        rows = [f"EN{k:04d}, {stem}, {text}\n" for k, (stem, text) in enumerate(lines.items()) if text is not None]
        with atomic(root / folder / "line_index.csv") as draft:
            draft.write_text("".join(rows), encoding="utf-8")
