"""Corpora of plain speech, for pre-training: LibriTTS, VCTK, Hi-Fi TTS, Common Voice and OMCEB, each one row.

A corpus of the plain kind is a `Speech` row of about twenty lines: a regular expression of its sounds' paths, one of
its ids, the licence, and how to get it. `scan` reads the folder by the row. Texts are not read, since nothing is
trained on them and nothing is scored on these corpora.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from v2sbench.corpora.corpus import Access, Clip, Corpus, Problem, Remote, Scan
from v2sbench.corpora.folder import File, Found, files, scan_of_found
from v2sbench.corpora.splits import pretraining_split
from v2sbench.runtime import short_digest


@dataclass(frozen=True, kw_only=True)
class Speech:
    """One corpus of plain speech: which files are its clips, and what their paths say about them."""

    name: str
    title: str
    licence: str
    url: str
    suffixes: tuple[str, ...]
    """Of the sounds, lower case, the best one first."""
    sound: str
    """Regular expression of the end of a sound's path, without the suffix; its named groups are put into `clip`."""
    shape: str
    """The same for people: ``SPK/CHAP/SPK_CHAP_NNN_NNN``."""
    clip: str = "{speaker}/{stem}"
    """A clip's id."""
    ids: str
    """Regular expression of all possible ids."""
    chosen: str = ""
    """Regular expression: where set, only sounds with it in their path are clips; other takes give way to them."""
    table: str = ""
    """Regular expression of the names of files that list the sounds: where set, a sound must be listed."""
    read: Callable[[Path], Iterator[tuple[Path, str]]] | None = None
    """Reads such a file: sounds, and who speaks ("" where the path says it). ValueError for lines that it cannot read,
    after all others.
    """
    unlisted: str = ""
    """What the sounds are that no table lists: passed over, and counted under this name. "": they are problems."""
    total: int | None = None
    """Clips of a full copy, where a source says it."""
    access: Access


def scan(root: Path, *, row: Speech) -> Scan:
    """Find the sounds below `root`, wherever in it the folders of the corpus begin.

    A sound with another name, an empty one, and one that no table lists are problems.
    """
    listed: dict[Path, str] = {}
    tables: set[Path] = set()
    sounds: list[File] = []
    problems: list[Problem] = []
    for file in files(root):
        if file.suffix in row.suffixes:
            sounds.append(file)
        elif row.read is None or not re.fullmatch(row.table, file.path.name):
            continue
        elif file.fault:
            problems.append(Problem(path=file.path, reason=file.fault))
        else:
            try:
                for path, speaker in row.read(file.path):
                    listed[path] = speaker
                    tables.add(file.path.parent)
            except (OSError, ValueError) as error:
                problems.append(Problem(path=file.path, reason=str(error)))

    found: list[Found] = []
    passed = 0
    for file in sounds:
        match = re.search(rf"(?:^|/){row.sound}\.\w+\Z", file.path.as_posix())
        if match is None:
            reason = f"not named {row.shape}{file.suffix}"
            problems.append(Problem(path=file.path, reason=reason, foreign=True))
        elif file.fault:
            problems.append(Problem(path=file.path, reason=file.fault))
        elif row.read is None or file.path in listed:
            found.append(_found(file, row, {"speaker": listed.get(file.path, ""), **match.groupdict()}))
        elif row.unlisted and not tables.isdisjoint(file.path.parents):
            passed += 1
        else:
            reason = "not listed by the corpus' own table, or no table is here"
            problems.append(Problem(path=file.path, reason=reason))

    here = {item.clip.id for item in found if _is_chosen(item.clip.media, row)}
    reason = f"only {row.shape} is used, and it is not here"
    problems += [Problem(path=item.clip.media, reason=reason) for item in found if item.clip.id not in here]
    note = f"; {passed} {row.unlisted}" if passed else ""
    return scan_of_found([item for item in found if item.clip.id in here], problems, note=note)


def _found(file: File, row: Speech, fields: dict[str, str]) -> Found:
    folders = row.shape.split("/")[:-1]
    above = file.parts[: max(0, len(file.parts) - len(folders))]
    return Found(
        clip=Clip(id=row.clip.format(**fields), speaker=fields["speaker"], media=file.path, text=None, video=False),
        pattern="/".join([*above, *folders, f"*{file.suffix}"]),  # LibriTTS/dev-clean/SPK/CHAP/*.wav
        rank=(int(not _is_chosen(file.path, row)), row.suffixes.index(file.suffix)),
        recording=fields["stem"] if row.unlisted else "",  # another release may rename a volunteer
    )


def _is_chosen(path: Path, row: Speech) -> bool:
    return re.search(row.chosen, path.as_posix()) is not None


def _is_id(clip: str, *, ids: str) -> bool:
    return re.fullmatch(ids, clip) is not None


def speech_corpus(row: Speech, *, generate: Callable[..., object] | None = None) -> Corpus:
    """The corpus of a row, with one split of its own name. generate: for an embedded corpus, what makes it."""
    return Corpus(
        name=row.name,
        title=row.title,
        licence=row.licence,
        url=row.url,
        kind="audio",
        scan=partial(scan, row=row),
        splits=(pretraining_split(row.name, row.title),),
        is_id=partial(_is_id, ids=row.ids),
        generate=generate,
        total=row.total,
        access=row.access,
    )


def read_manifest(path: Path) -> Iterator[tuple[Path, str]]:
    """The sounds of a Hi-Fi TTS manifest: one JSON object a line, with `audio_filepath` from the manifest's folder."""
    bad: list[int] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield path.parent / json.loads(line)["audio_filepath"], ""
        except (ValueError, KeyError, TypeError):
            bad.append(number)
    if bad:
        raise ValueError(f"{len(bad)} lines are no JSON with audio_filepath, e.g. line {bad[0]}")


def read_validated(path: Path) -> Iterator[tuple[Path, str]]:
    """The English clips of a Common Voice table; a speaker is the digest of `client_id`, 128 digits in the table.

    Sentences are not quoted and may hold quotation marks, so a line is split at tabs and nothing else.
    """
    speakers: dict[str, str] = {}
    with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as handle:
        header = handle.readline().rstrip("\r\n").split("\t")
        missing = [name for name in ("client_id", "path") if name not in header]
        if missing:
            raise ValueError(f"no column {', '.join(missing)} in its first line; it must be UTF-8 with tabs")
        for line in handle:
            row = dict(zip(header, line.rstrip("\r\n").split("\t"), strict=False))
            client, stem = row.get("client_id", ""), row.get("path", "").removesuffix(".mp3")
            if client and stem.startswith("common_voice_en_") and row.get("locale", "en") == "en":
                speaker = speakers.setdefault(client, short_digest([client]))
                yield path.parent / "clips" / f"{stem}.mp3", speaker


# ---------------------------------------------------------------- the corpora

# Bytes and SHA-256: TensorFlow Datasets, libritts/checksums.tsv, and the same digests in torchaudio's libritts.py
# (graded: two libraries that download by them agree).
_LIBRITTS = {
    "dev-clean": (1_291_469_655, "da0864e1bd26debed35da8a869dd5c04dfc27682921936de7cff9c8a254dbe1a"),
    "dev-other": (924_804_676, "d413eda26f3a152ac7c9cf3658ef85504dfb1b625296e5fa83727f5186cca79c"),
    "test-clean": (1_230_670_113, "234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5"),
    "test-other": (964_502_297, "33a5342094f3bba7ccc2e0500b9e72d558f72eb99328ac8debe1d9080402f10d"),
    "train-clean-100": (7_723_686_890, "c5608bf1ef74bb621935382b8399c5cdd51cd3ee47cec51f00f885a64c6c7f6b"),
    "train-clean-360": (27_504_073_644, "ce7cff44dcac46009d18379f37ef36551123a1dc4e5c8e4eb73ae57260de4886"),
    "train-other-500": (44_565_031_479, "e35f7e34deeb2e2bdfe4403d88c8fdd5fbf64865cae41f027a185a6965f0a5df"),
}
# Names and bytes: the log of a download from these addresses, printed in Keras' example of accent recognition (graded:
# one source, what the server told it). No source gives a digest.
_OMCEB = {
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

LIBRITTS = Speech(  # LibriTTS-R and any part of either come in the same layout
    name="libritts",
    title="LibriTTS",
    licence="CC BY 4.0",
    url="https://www.openslr.org/60/",
    suffixes=(".wav", ".flac"),  # what was distributed before what was made of it
    sound=r"(?P<speaker>\d+)/(?P<chapter>\d+)/(?P<stem>(?P=speaker)_(?P=chapter)_\d+_\d+)",
    shape="SPK/CHAP/SPK_CHAP_NNN_NNN",
    ids=r"(\d+)/\1_\d+_\d+_\d+",
    # TensorFlow Datasets' catalogue, libritts 1.0.1, seven parts (graded: counted on the archives by two libraries)
    total=33_236 + 116_500 + 205_044 + 5_736 + 4_613 + 4_837 + 5_120,
    access=Access(
        note="CC BY 4.0: any use with attribution (Interspeech 2019).",
        steps=(
            "the archives are train-clean-100.tar.gz and so on, on the page above",
            "unpack them into one folder: LibriTTS/train-clean-100/... and so on",
        ),
        files=tuple(
            Remote(
                url=f"https://www.openslr.org/resources/60/{part}.tar.gz",
                part=part,
                size=size,
                digest=f"sha256:{digits}",
            )
            for part, (size, digits) in _LIBRITTS.items()
        ),
    ),
)

# The clip is the first microphone's: p280 and p315 have no second one, so only the first gives every speaker, and all
# in one recording set-up. Sounds whose silence was not trimmed would teach silence. One of the 110 speakers is s5.
VCTK = Speech(
    name="vctk",
    title="VCTK 0.92",
    licence="CC BY 4.0",
    url="https://datashare.ed.ac.uk/handle/10283/3443",
    suffixes=(".flac", ".wav"),
    sound=r"(?P<speaker>[ps]\d+)/(?P<stem>(?P=speaker)_\d+)(?:_mic[12])?",
    shape="pNNN/pNNN_NNN_mic1",
    ids=r"([ps]\d+)/\1_\d+",
    chosen=r"(^|/)wav48_silence_trimmed/.*_mic1\.\w+$",
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
)

# Whole books cut into utterances by its makers, who list them in manifests. Clean or other is a grade of the recording
# and not part of a clip's name.
HIFITTS = Speech(
    name="hifitts",
    title="Hi-Fi TTS",
    licence="CC BY 4.0",
    url="https://www.openslr.org/109/",
    suffixes=(".flac",),
    sound=r"(?P<speaker>\d+)_(?:clean|other)/(?P<book>\d+)/(?P<stem>[^/]+)",
    shape="SPK_{clean,other}/BOOK/NAME",
    clip="{speaker}/{book}_{stem}",
    ids=r"\d+/\d+_[^/]+",
    table=r"\d+_manifest_\w+\.json",
    read=read_manifest,
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
)

# The folder clips holds rejected clips and those not judged yet as well; they are passed over. Releases contain one
# another: of several under one folder each clip counts once.
COMMONVOICE = Speech(
    name="commonvoice",
    title="Common Voice (English)",
    licence="CC0",
    url="https://commonvoice.mozilla.org/en/datasets",
    suffixes=(".mp3",),
    sound=r"clips/(?P<stem>common_voice_en_\d+)",
    shape="clips/common_voice_en_NNN",
    ids=r"[0-9a-f]{16}/common_voice_en_\d+",
    table=r"validated\.tsv",
    read=read_validated,
    unlisted="not validated",
    access=Access(
        note="CC0. Whoever downloads agrees not to try to find out who the volunteers are, and not to host copies.",
        steps=(
            "open https://commonvoice.mozilla.org/en/datasets, choose English and a release, and follow it to the "
            "page of the download, where you sign in and agree to the terms",
            "unpack the archive: cv-corpus-RELEASE/en/clips/*.mp3 with validated.tsv beside the folder clips",
        ),
    ),
)

# Open-source multi-speaker corpora of the English accents in the British Isles, {irish,...}_english_{female,male}/.
# The number counts within an accent and sex (irm_02484_...), so a speaker is both together.
OMCEB = Speech(
    name="omceb",
    title="OMCEB (OpenSLR 83)",
    licence="CC BY-SA 4.0",
    url="https://www.openslr.org/83/",
    suffixes=(".wav",),
    sound=r"(?P<stem>(?P<speaker>[a-z]{2}[fm]_\d+)_\d+)",
    shape="ACCENT_NUMBER_LINE",
    ids=r"([a-z]{2}[fm]_\d+)/\1_\d+",
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
            for name, size in _OMCEB.items()
        ),
    ),
)

CORPORA = tuple(speech_corpus(row) for row in (LIBRITTS, VCTK, HIFITTS, COMMONVOICE, OMCEB))
