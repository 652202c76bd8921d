"""LibriTTS, read audio books, and whatever lies in its layout.

    {train-clean-100, ...}/SPK/CHAP/SPK_CHAP_NNN_NNN.wav   with   SPK_CHAP_NNN_NNN.normalized.txt   beside it

LibriTTS-R and any part of either come in the same layout. Texts are read for completeness; pre-training does not use
them, and a clip without one is a good clip.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from v2sbench.corpora import Problem, Scan
from v2sbench.corpora.folder import File, files
from v2sbench.corpora.remote import Access, Remote
from v2sbench.corpora.utterances import Utterance, read_words, scan_of_utterances, speech_corpus

_STEM = re.compile(r"(\d+)_(\d+)_\d+_\d+")
_SUFFIXES = (".wav", ".flac")
"""Sounds, best first: what was distributed before what was made of it."""
_TEXT = ".normalized.txt"


def scan(root: Path) -> Scan:
    """Find the utterances below `root`, wherever in it the folders of speakers begin.

    A sound whose name is no utterance's, that is empty, or that lies under another speaker or chapter than its name
    says, is a problem. The same utterance found twice (LibriTTS beside LibriTTS-R) counts once, the first by path.
    """
    texts: dict[tuple[Path, str], Path] = {}
    sounds: list[File] = []
    problems: list[Problem] = []
    for file in files(root):
        if file.path.name.endswith(_TEXT):
            texts[file.path.parent, file.path.name.removesuffix(_TEXT)] = file.path
        elif file.suffix in _SUFFIXES:
            if reason := _fault(file):
                problems.append(Problem(path=file.path, reason=reason))
            else:
                sounds.append(file)
    return scan_of_utterances(
        (
            Utterance(
                speaker=file.stem.split("_", 1)[0],
                stem=file.stem,
                file=file,
                text=read_words(text) if (text := texts.get((file.path.parent, file.stem))) else None,
                pattern="/".join([*file.parts[:-2], "SPK", "CHAP", f"*{file.suffix}"]),
                rank=_SUFFIXES.index(file.suffix),
            )
            for file in sounds
        ),
        problems,
    )


def _fault(file: File) -> str | None:
    if file.fault:
        return file.fault
    match = _STEM.fullmatch(file.stem)
    if match is None:
        return f"not an utterance's name: {file.stem!r} is not SPK_CHAP_NNN_NNN"
    if file.parts[-2:] != (match[1], match[2]):
        return f"not in the folder {match[1]}/{match[2]} that its name tells"
    return None


def _is_id(clip: str) -> bool:
    speaker, _, stem = clip.partition("/")
    match = _STEM.fullmatch(stem)
    return match is not None and match[1] == speaker


libritts_corpus = partial(speech_corpus, scan=scan, is_id=_is_id)
"""`speech_corpus` of what lies in LibriTTS's layout."""

# Bytes and SHA-256: TensorFlow Datasets, libritts/checksums.tsv, and the same digests in torchaudio's libritts.py
# (graded: two libraries that download by them agree).
_ARCHIVES = {
    "dev-clean": (1_291_469_655, "da0864e1bd26debed35da8a869dd5c04dfc27682921936de7cff9c8a254dbe1a"),
    "dev-other": (924_804_676, "d413eda26f3a152ac7c9cf3658ef85504dfb1b625296e5fa83727f5186cca79c"),
    "test-clean": (1_230_670_113, "234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5"),
    "test-other": (964_502_297, "33a5342094f3bba7ccc2e0500b9e72d558f72eb99328ac8debe1d9080402f10d"),
    "train-clean-100": (7_723_686_890, "c5608bf1ef74bb621935382b8399c5cdd51cd3ee47cec51f00f885a64c6c7f6b"),
    "train-clean-360": (27_504_073_644, "ce7cff44dcac46009d18379f37ef36551123a1dc4e5c8e4eb73ae57260de4886"),
    "train-other-500": (44_565_031_479, "e35f7e34deeb2e2bdfe4403d88c8fdd5fbf64865cae41f027a185a6965f0a5df"),
}

ACCESS = Access(
    note="CC BY 4.0: any use with attribution (Interspeech 2019).",
    steps=(
        "the archives are train-clean-100.tar.gz and so on, on the page above",
        "unpack them into one folder: LibriTTS/train-clean-100/... and so on",
    ),
    files=tuple(
        Remote(
            url=f"https://www.openslr.org/resources/60/{part}.tar.gz", part=part, size=size, digest=f"sha256:{digits}"
        )
        for part, (size, digits) in _ARCHIVES.items()
    ),
)

CORPORA = (
    libritts_corpus(
        "libritts",
        title="LibriTTS",
        licence="CC BY 4.0",
        url="https://www.openslr.org/60/",
        access=ACCESS,
        # TensorFlow Datasets' catalogue, libritts 1.0.1, seven parts (graded: counted on the archives by two libraries)
        total=33_236 + 116_500 + 205_044 + 5_736 + 4_613 + 4_837 + 5_120,
    ),
)
