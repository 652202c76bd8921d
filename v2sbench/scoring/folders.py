"""Folders of audio and files of texts, as people lay them out, and which file is which clip.

Names are compared in Unicode's composed form (NFC): some systems write `é` as one character, some as two.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from v2sbench.runtime import UseError

SUFFIXES = (".wav", ".flac")
"""Audio files that are looked for."""


def clips_of(folder: Path) -> list[str]:
    """Names of all clips in a folder, `<speaker>/<clip>` or `<clip>`, sorted; UseError when there are none."""
    return sorted(files_of(folder))


def locate(folder: Path, clips: Sequence[str]) -> dict[str, Path | None]:
    """Clip -> its audio file, None where there is none.

    Files are `<speaker>/<clip>.wav` or .flac; the speaker may be left out, in the file or in the clip, as long as it is
    clear who is meant. UseError: no audio at all, none of the clips, one clip twice, or a name that two speakers share.
    """
    index = files_of(folder)
    by_stem: dict[str, list[str]] = {}
    for name in index:
        by_stem.setdefault(_stem(name), []).append(name)
    wanted = Counter(_stem(_composed(clip)) for clip in clips)
    found: dict[str, Path | None] = {}
    for clip in clips:
        name, stem = _composed(clip), _stem(_composed(clip))
        if name in index:
            found[clip] = index[name]
        elif stem in index or ("/" not in name and stem in by_stem):
            if wanted[stem] > 1 or len(by_stem[stem]) > 1:
                raise UseError(f"{folder}: {stem} may be one of several speakers'; name the files <speaker>/{stem}.wav")
            found[clip] = index[by_stem[stem][0]]
        else:
            found[clip] = None
    if clips and not any(found.values()):
        there = index[min(index)].relative_to(folder)
        raise UseError(f"{folder} has none of the {len(clips)} clips: {clips[0]}.wav is wanted, {there} is there")
    return found


def files_of(folder: Path) -> dict[str, Path]:
    """Every audio file below `folder`, by its path without suffix; UseError when there is none or one twice.

    Hidden files and folders are left out. A link to nothing stays in: its clip is missing, and says so.
    """
    if not folder.is_dir():
        raise UseError(f"no folder {folder}; give one with <speaker>/<clip>.wav or <clip>.wav in it")
    index: dict[str, Path] = {}
    others: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in inner.parts):
            others[path.suffix] += 1
            continue
        name = _composed(inner.with_suffix("").as_posix())
        if name in index:
            raise UseError(f"{folder} has {name} twice, as {index[name].name} and {path.name}; remove one")
        index[name] = path
    if not index:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(3) if suffix)
        raise UseError(f"no .wav or .flac file under {folder}" + (f", but {kinds}: convert them" if kinds else ""))
    return index


def read_texts(path: Path) -> dict[str, str]:
    """Clip -> sentence in lower case, from `clip<TAB>text` lines in UTF-8; UseError names the line that is none."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UseError(f"{path} is not in UTF-8; save it as UTF-8, or run: iconv -f ... -t utf-8 {path}") from None
    texts: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        clip, tab, text = line.partition("\t")
        if not tab or not clip or not text.strip():
            raise UseError(f"{path}:{number}: not `clip<TAB>text`: {line[:60]!r}")
        texts[_composed(clip)] = text.strip().lower()
    return texts


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
