"""Common Voice, English: sentences read by volunteers into their own microphones, judged by other volunteers.

    cv-corpus-*/en/clips/*.mp3   with   cv-corpus-*/en/validated.tsv

Only what ``validated.tsv`` lists is a clip. The clips folder holds the rejected and the not yet judged as well; those
are passed over and counted in the layout. A speaker is the digest of ``client_id``, 128 digits in the table. Releases
contain one another: of several under one folder each clip counts once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from v2sbench.corpora import Problem, Scan
from v2sbench.corpora.folder import File, files
from v2sbench.corpora.remote import Access
from v2sbench.corpora.utterances import Utterance, scan_of_utterances, speech_corpus, words_of
from v2sbench.runtime import short_digest

TABLE = "validated.tsv"
"""The list of good clips."""
LOCALE = "en"
"""Language that is taken when the table tells languages."""
_COLUMNS = ("client_id", "path", "sentence")
_STEM = re.compile(r"common_voice_en_\d+")
_FOREIGN = re.compile(r"common_voice_[\w-]+_\d+")
_SPEAKER = re.compile(r"[0-9a-f]{16}")

Listed = dict[str, tuple[str, str]]
"""Stem of a sound -> (speaker, words)."""


def speaker_of(client: str) -> str:
    """Name of the volunteer with that ``client_id``: 16 hexadecimal digits."""
    return short_digest([client])


def scan(root: Path) -> Scan:
    """Find the validated English clips below `root`: each ``validated.tsv`` with the folder ``clips`` beside it."""
    tables: dict[Path, Listed] = {}
    sounds: defaultdict[Path, list[File]] = defaultdict(list)
    problems: list[Problem] = []
    for file in files(root):
        if file.path.name == TABLE:
            try:
                tables[file.path.parent] = _read(file)
            except ValueError as error:
                problems.append(Problem(path=file.path, reason=str(error)))
        elif file.suffix == ".mp3":
            sounds[file.path.parent].append(file)
    best: dict[str, Utterance] = {}
    others: list[Path] = []
    judged = 0
    for folder in sorted(sounds):
        listed = tables.get(folder.parent, {}) if folder.name == "clips" else {}
        for file in sounds[folder]:
            if file.fault:
                problems.append(Problem(path=file.path, reason=file.fault))
            elif row := listed.get(file.stem):
                if file.stem in best:
                    others.append(file.path)
                    continue
                pattern = "/".join([*file.parts, "*.mp3"])
                best[file.stem] = Utterance(speaker=row[0], stem=file.stem, file=file, text=row[1], pattern=pattern)
            elif not listed:
                problems.append(Problem(path=file.path, reason=f"no {TABLE} with clips of {LOCALE} beside its folder"))
            elif _FOREIGN.fullmatch(file.stem):
                judged += 1
            else:
                reason = f"not a clip's name: {file.stem!r} is not common_voice_{LOCALE}_NNN"
                problems.append(Problem(path=file.path, reason=reason))
    result = scan_of_utterances(best.values(), problems, note=f"; {judged} not validated" if judged else "")
    return Scan(clips=result.clips, problems=result.problems, layout=result.layout, superseded=tuple(others))


def _read(file: File) -> Listed:
    """The English rows of a table. ValueError when it is none.

    Sentences are not quoted and may hold quotation marks, so that a line is split at tabs and nothing more.
    """
    if file.fault:
        raise ValueError(file.fault)
    listed: Listed = {}
    speakers: dict[str, str] = {}
    with open(file.path, encoding="utf-8", errors="replace", newline="\n") as handle:
        header = handle.readline().rstrip("\r\n").split("\t")
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            raise ValueError(f"no column {', '.join(missing)} in its first line")
        client, path, sentence = (header.index(name) for name in _COLUMNS)
        locale = header.index("locale") if "locale" in header else None
        last = max(client, path, sentence, locale or 0)
        for line in handle:
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) <= last or (locale is not None and fields[locale] != LOCALE):
                continue
            stem = fields[path].removesuffix(".mp3")
            if _STEM.fullmatch(stem):
                speaker = speakers.setdefault(fields[client], speaker_of(fields[client]))
                listed[stem] = speaker, words_of(fields[sentence])
    return listed


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    return _SPEAKER.fullmatch(speaker) is not None and _STEM.fullmatch(stem) is not None


CORPORA = (
    speech_corpus(
        "commonvoice",
        title="Common Voice (English)",
        licence="CC0",
        url="https://commonvoice.mozilla.org/en/datasets",
        scan=scan,
        is_id=_is_id,
        access=Access(
            note="CC0. Whoever downloads agrees not to try to find out who the volunteers are, and not to host copies.",
            steps=(
                "open https://commonvoice.mozilla.org/en/datasets, choose English and a release, and follow it to the "
                "page of the download, where you sign in and agree to the terms",
                "unpack the archive: cv-corpus-RELEASE/en/clips/*.mp3 with validated.tsv beside the folder clips",
            ),
        ),
    ),
)
