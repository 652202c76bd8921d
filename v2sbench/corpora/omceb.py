"""OMCEB: the open-source multi-speaker corpora of the English accents in the British Isles (OpenSLR 83).

    {irish,midlands,northern,scottish,southern,welsh}_english_{female,male}/*.wav   with   line_index.csv beside them

A sound is named after its speaker and line, ``irm_02484_00388340234``: accent, sex, number, line. The number counts
within an accent and sex, so that a speaker is the first two fields together.
"""

from __future__ import annotations

import re
from pathlib import Path

from v2sbench.corpora import Problem, Scan
from v2sbench.corpora.folder import files
from v2sbench.corpora.remote import Access, Remote
from v2sbench.corpora.utterances import Utterance, scan_of_utterances, speech_corpus, words_of

_STEM = re.compile(r"([a-z]{2}[fm]_\d+)_\d+")
_LINE = re.compile(rf"(?:[^,]*,)?\s*({_STEM.pattern})\s*,(.*)")
"""``line id, sound, text`` or ``sound, text``. The text is not quoted and may have commas: no CSV reader's case."""


def scan(root: Path) -> Scan:
    """Find the sounds below `root`, and their texts in every ``line_index*.csv`` there."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    sounds = []
    for file in files(root):
        if file.suffix == ".csv" and file.stem.startswith("line_index"):
            if file.fault:
                problems.append(Problem(path=file.path, reason=file.fault))
                continue
            for line in file.path.read_text(encoding="utf-8", errors="replace").splitlines():
                if match := _LINE.fullmatch(line):
                    texts.setdefault(match[1], words_of(match[3]))
        elif file.suffix == ".wav":
            if file.fault:
                problems.append(Problem(path=file.path, reason=file.fault))
            elif match := _STEM.fullmatch(file.stem):
                sounds.append((match[1], file))
            else:
                reason = f"not an utterance's name: {file.stem!r} is not ACCENT_NUMBER_LINE"
                problems.append(Problem(path=file.path, reason=reason))
    return scan_of_utterances(
        (
            Utterance(
                speaker=speaker,
                stem=file.stem,
                file=file,
                text=texts.get(file.stem),
                pattern="/".join([*file.parts, "*.wav"]),
            )
            for speaker, file in sounds
        ),
        problems,
    )


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    match = _STEM.fullmatch(stem)
    return match is not None and match[1] == speaker


# Names and bytes: the log of a download from these addresses, printed in Keras' example of accent recognition (graded:
# one source, what the server told it). No source gives a digest.
_FILES = {
    "irish_english_male.zip": 164_531_638,
    "midlands_english_female.zip": 103_085_118,
    "midlands_english_male.zip": 166_833_961,
    "northern_english_female.zip": 314_983_063,
    "northern_english_male.zip": 817_772_034,
    "scottish_english_female.zip": 351_443_880,
    "scottish_english_male.zip": 620_254_118,
    "southern_english_female.zip": 1_636_701_939,
    "southern_english_male.zip": 1_700_955_740,
    "welsh_english_female.zip": 595_683_538,
    "welsh_english_male.zip": 757_645_790,
    "line_index_all.csv": 1_986_139,
}

CORPORA = (
    speech_corpus(
        "omceb",
        title="OMCEB (OpenSLR 83)",
        licence="CC BY-SA 4.0",
        url="https://www.openslr.org/83/",
        scan=scan,
        is_id=_is_id,
        access=Access(
            note="CC BY-SA 4.0: any use with attribution (LREC 2020); what is made of it, under the same licence.",
            steps=(
                "the archives are irish_english_male.zip and so on, on the page above",
                "unpack each into a folder of its own name: irish_english_male/*.wav",
            ),
            files=tuple(
                Remote(
                    url=f"https://www.openslr.org/resources/83/{name}",
                    part=name.split(".")[0],
                    size=size,
                    into=name.removesuffix(".zip") if name.endswith(".zip") else "",
                )
                for name, size in _FILES.items()
            ),
        ),
    ),
)
