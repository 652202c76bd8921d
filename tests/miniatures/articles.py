"""A miniature of the Spoken Wikipedia, for tests: Ogg Vorbis, alignments with gaps, an article in two parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.miniatures.drawing import chord
from v2sbench.runtime import atomic

SOUND_RATE = 44_100
"""Hz of the miniature's sound."""

Word = tuple[str, int | None, int | None]
"""What is said, start and end in ms; None where it was not aligned."""


def write_article(
    folder: Path, reader: str | None, sentences: Sequence[Sequence[Word]], parts: Sequence[float]
) -> None:
    """Write an article: a tone for every word, aligned or not, silence between.

    parts: seconds of each sound file; one of them is ``audio.ogg``, several are numbered.
    """
    seconds = sum(parts)
    wave = np.zeros(round(seconds * SOUND_RATE), np.float32)
    for word, start, end in (word for sentence in sentences for word in sentence):
        if start is not None and end is not None:
            span = slice(start * SOUND_RATE // 1000, end * SOUND_RATE // 1000)
            wave[span] = chord(word, span.stop - span.start, SOUND_RATE)[: len(wave[span])]
    folder.mkdir(parents=True, exist_ok=True)
    begins = [sum(parts[:k]) for k in range(len(parts))]
    for k, (begin, length) in enumerate(zip(begins, parts, strict=True), 1):
        first = round(begin * SOUND_RATE)
        name = "audio.ogg" if len(parts) == 1 else f"audio{k}.ogg"
        _write_ogg(folder / name, wave[first : first + round(length * SOUND_RATE)])
    with atomic(folder / "info.json") as draft:
        described = {"title": folder.name, "audio_files": [{"offset": begin} for begin in begins]}
        draft.write_text(json.dumps(described), encoding="utf-8")
    with atomic(folder / "aligned.swc") as draft:
        ElementTree.ElementTree(_article(reader, sentences)).write(draft, encoding="utf-8", xml_declaration=True)


def _article(reader: str | None, sentences: Sequence[Sequence[Word]]) -> ElementTree.Element:
    article = ElementTree.Element("article")
    meta = ElementTree.SubElement(article, "meta")
    if reader is not None:
        ElementTree.SubElement(meta, "prop", {"key": "reader.name", "value": reader})
    section = ElementTree.SubElement(ElementTree.SubElement(article, "d"), "section", {"level": "1"})
    content = ElementTree.SubElement(section, "sectioncontent")
    for words in sentences:
        sentence = ElementTree.SubElement(ElementTree.SubElement(content, "p"), "s")
        for word, start, end in words:
            token = ElementTree.SubElement(sentence, "t")
            token.text = word
            spoken = ElementTree.SubElement(token, "n", {"pronunciation": word.lower()})
            if start is not None and end is not None:
                spoken.attrib |= {"start": str(start), "end": str(end)}
                ElementTree.SubElement(spoken, "ph", {"type": "AH", "start": str(start), "end": str(end)})
        ElementTree.SubElement(sentence, "t").text = "."
    unread = ElementTree.SubElement(content, "ignored")
    ElementTree.SubElement(unread, "t").text = "References"
    return article


def _write_ogg(path: Path, wave: NDArray[np.float32]) -> None:
    """Ogg Vorbis, a second at a time: libsndfile's encoder overruns its stack on long blocks."""
    with (
        atomic(path) as draft,
        soundfile.SoundFile(draft, "w", SOUND_RATE, 1, format="OGG", subtype="VORBIS") as file,
    ):
        for start in range(0, len(wave), SOUND_RATE):
            file.write(wave[start : start + SOUND_RATE])


def _evenly(text: str, start: int, step: int) -> list[Word]:
    """Words of equal length, in ms, a fifth of it silent."""
    return [(word, start + k * step, start + k * step + step * 4 // 5) for k, word in enumerate(text.split())]


def fake_swc(root: Path) -> None:
    """Two readers and one unnamed, four articles' worth of layout: one sound, two parts, a word that is not aligned."""
    top = root / "english"
    apple = _evenly("An apple is the round fruit of an apple tree", 500, 300)
    grown = _evenly("Apple trees are grown worldwide", 4000, 400)
    write_article(top / "Apple_(fruit)", "Reader One", [apple, [*grown, ("pomaceous", None, None)]], [7.0])
    cosmos = _evenly("The universe is all of space and time", 200, 250)
    galaxies = _evenly("There are more stars than grains of sand", 3300, 300)
    write_article(top / "Universe", "Reader Two", [cosmos, galaxies], [3.0, 3.5])
    write_article(top / "S._A._Andr%c3%a9e", None, [_evenly("He flew to the pole in a balloon", 300, 300)], [3.5])
