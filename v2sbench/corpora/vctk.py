"""VCTK 0.92: read sentences, most of them recorded by two microphones at once.

    wav48_silence_trimmed/pNNN/pNNN_NNN_mic{1,2}.flac   with   txt/pNNN/pNNN_NNN.txt

The clip is the first microphone's: p280 and p315 have no second one, so that only the first gives every speaker, and
all in one recording set-up. A second microphone beside it is superseded. Sounds whose silence was not trimmed (another
folder, or a name without a microphone, as in older releases) are superseded by the trimmed one and else a problem:
a clip that is half silence teaches silence. Texts are optional.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from v2sbench.corpora import Problem, Scan
from v2sbench.corpora.folder import File, files
from v2sbench.corpora.remote import Access, Remote
from v2sbench.corpora.utterances import Utterance, read_words, scan_of_utterances, speech_corpus

TRIMMED = "wav48_silence_trimmed"
"""Folder of the sounds that are used."""
_STEM = re.compile(r"([ps]\d+)_\d+")  # one of the 110 speakers is s5
_NAME = re.compile(rf"({_STEM.pattern})(?:_mic[12])?")
_SUFFIXES = (".flac", ".wav")


def scan(root: Path) -> Scan:
    """Find the first microphone's trimmed sounds below `root`, and their texts wherever a folder ``txt`` is."""
    texts: dict[str, Path] = {}
    groups: defaultdict[str, list[File]] = defaultdict(list)
    problems: list[Problem] = []
    for file in files(root):
        if file.suffix == ".txt" and "txt" in (root.name, *file.parts) and _STEM.fullmatch(file.stem):
            if not file.fault:
                texts.setdefault(file.stem, file.path)
        elif file.suffix in _SUFFIXES:
            match = _NAME.fullmatch(file.stem)
            if match is None:
                reason = f"not an utterance's name: {file.stem!r} is not pNNN_NNN_mic1"
                problems.append(Problem(path=file.path, reason=reason))
            elif file.path.parent.name != match[2]:
                problems.append(Problem(path=file.path, reason=f"not in the folder {match[2]} that its name tells"))
            else:
                groups[match[1]].append(file)
    utterances: list[Utterance] = []
    passed: list[Path] = []
    for stem, found in groups.items():
        wanted = [file for file in found if _is_wanted(file, root)]
        for file in found:
            if file in wanted:
                if file.fault:
                    problems.append(Problem(path=file.path, reason=file.fault))
                else:
                    utterances.append(_utterance(stem, file, texts.get(stem)))
            elif wanted:
                passed.append(file.path)
            else:
                problems.append(Problem(path=file.path, reason=f"{stem}_mic1 in {TRIMMED} is what is used; not here"))
    result = scan_of_utterances(utterances, problems)
    return Scan(
        clips=result.clips,
        problems=result.problems,
        layout=result.layout,
        superseded=(*result.superseded, *sorted(passed)),
    )


def _is_wanted(file: File, root: Path) -> bool:
    """Whether it is the first microphone's and trimmed; the trimmed folder may be `root` itself or above it."""
    return file.stem.endswith("_mic1") and TRIMMED in (*root.parts, *file.parts)


def _utterance(stem: str, file: File, text: Path | None) -> Utterance:
    return Utterance(
        speaker=stem.split("_", 1)[0],
        stem=stem,
        file=file,
        text=read_words(text) if text else None,
        pattern="/".join([*file.parts[:-1], "pNNN", f"*_mic1{file.suffix}"]),
    )


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    match = _STEM.fullmatch(stem)
    return match is not None and match[1] == speaker


CORPORA = (
    speech_corpus(
        "vctk",
        title="VCTK 0.92",
        licence="CC BY 4.0",
        url="https://datashare.ed.ac.uk/handle/10283/3443",
        scan=scan,
        is_id=_is_id,
        access=Access(
            note="CC BY 4.0: any use with attribution (University of Edinburgh, 2019).",
            steps=(
                "the archive is VCTK-Corpus-0.92.zip, on the page above",
                "unpack it: wav48_silence_trimmed/pNNN/*.flac, txt/pNNN/*.txt",
            ),
            files=(
                # SHA-256: torchaudio's vctk.py, which downloads by it. Bytes: five public scripts agree, one of which
                # read them off the server (graded: code). The MD5 that the server tells is 8a6ba294....
                Remote(
                    url="https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
                    part="all",
                    size=11_747_302_977,
                    digest="sha256:f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
                ),
            ),
        ),
    ),
)
