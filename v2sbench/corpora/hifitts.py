"""Hi-Fi TTS: ten readers of whole books, cut into utterances by its makers, who list them in manifests.

    hi_fi_tts_v0/audio/SPK_{clean,other}/BOOK/*.flac   with   hi_fi_tts_v0/SPK_manifest_*.json

A manifest has one JSON object a line: ``audio_filepath`` (from its own folder), ``text_normalized`` and ``text``. What
no manifest lists is no utterance of the corpus. Clean or other is a grade of the recording and not part of a clip's
name.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from v2sbench.corpora import Problem, Scan
from v2sbench.corpora.folder import File, files
from v2sbench.corpora.remote import Access, Remote
from v2sbench.corpora.utterances import Utterance, scan_of_utterances, speech_corpus, words_of

_MANIFEST = re.compile(r"\d+_manifest_\w+\.json")
_FOLDER = re.compile(r"(\d+)_(?:clean|other)")
_STEM = re.compile(r"\d+_.+")


def scan(root: Path) -> Scan:
    """Find the sounds below `root` that a manifest lists. A manifest's lines without a sound here are passed over."""
    texts: dict[Path, str | None] = {}
    problems: list[Problem] = []
    sounds: list[File] = []
    for file in files(root):
        if _MANIFEST.fullmatch(file.path.name):
            problems += _read(file, texts)
        elif file.suffix == ".flac":
            sounds.append(file)
    utterances = []
    for file in sounds:
        folder = _FOLDER.fullmatch(file.path.parent.parent.name)
        reason = file.fault
        if reason is None and folder is None:
            reason = "not in a folder SPK_clean/BOOK or SPK_other/BOOK"
        if reason is None and file.path not in texts:
            reason = "no SPK_manifest_*.json here lists it"
        if reason is not None or folder is None:
            problems.append(Problem(path=file.path, reason=reason or ""))
            continue
        utterances.append(
            Utterance(
                speaker=folder[1],
                stem=f"{file.path.parent.name}_{file.stem}",
                file=file,
                text=texts[file.path],
                pattern="/".join([*file.parts[:-1], "BOOK", "*.flac"]),
            )
        )
    return scan_of_utterances(utterances, problems)


def _read(file: File, texts: dict[Path, str | None]) -> list[Problem]:
    """Add a manifest's sounds and texts to `texts`; one problem for all of its lines that cannot be read."""
    if file.fault:
        return [Problem(path=file.path, reason=file.fault)]
    bad: list[int] = []
    for number, line in enumerate(file.path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            sound = file.path.parent / row["audio_filepath"]
            text = row.get("text_normalized", row.get("text"))
            texts[sound] = None if text is None else words_of(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            bad.append(number)
    if not bad:
        return []
    return [Problem(path=file.path, reason=f"{len(bad)} lines are no JSON with audio_filepath, e.g. line {bad[0]}")]


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    return speaker.isdecimal() and "/" not in stem and _STEM.fullmatch(stem) is not None


CORPORA = (
    speech_corpus(
        "hifitts",
        title="Hi-Fi TTS",
        licence="CC BY 4.0",
        url="https://www.openslr.org/109/",
        scan=scan,
        is_id=_is_id,
        # the card of a public copy: clean and other, of each train, dev and test (graded: one count, of that copy)
        total=125_989 + 196_489 + 150 + 350 + 300 + 700,
        access=Access(
            note="CC BY 4.0: any use with attribution (Interspeech 2021).",
            steps=(
                "the archive is hi_fi_tts_v0.tar.gz, on the page above, about 41 GB",
                "unpack it: hi_fi_tts_v0/audio/..., hi_fi_tts_v0/*_manifest_*.json",
            ),
            files=(
                # Address: four public recipes agree (graded: code). No source gives a digest, nor its exact bytes.
                Remote(url="https://www.openslr.org/resources/109/hi_fi_tts_v0.tar.gz", part="all"),
            ),
        ),
    ),
)
