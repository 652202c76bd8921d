"""espeak-ng as the embedded corpora use it: times of phonemes and words, the same samples every time; sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest

from v2sbench.corpora.grid_grammar import GRAMMAR, fault_of
from v2sbench.runtime import UseError, rng
from v2sbench.talker.cast import CAST, HELD_OUT, READERS, SEEN, UNSEEN
from v2sbench.talker.sentences import TEMPLATES, WORDS, sentence
from v2sbench.talker.voice import SPEECH_RATE, Speech, Voice, speak

pytest.importorskip("espeakng_loader", reason="no espeak-ng")

SAID = ["place", "blue", "with", "F", "five", "soon"]
VOICE = Voice(name="en-us+f2", rate=150)


@pytest.fixture(scope="module")
def speech() -> Speech:
    return speak(SAID, VOICE)


def test_one_clock_for_phonemes_and_sound(speech: Speech) -> None:
    ends = [phone.end for phone in speech.phones]
    assert [phone.start for phone in speech.phones][1:] == ends[:-1]
    assert ends[-1] == len(speech.wave) / SPEECH_RATE
    assert 1.2 < ends[-1] < 2.5
    assert speech.wave.dtype == np.float32
    assert 0.05 < np.abs(speech.wave).max() < 1


def test_phonemes_belong_to_their_words(speech: Speech) -> None:
    names = [[phone.name for phone in speech.phones if phone.word == k and phone.name] for k in range(len(SAID))]
    assert names == [
        ["p", "l", "eI", "s"], ["b", "l", "u:"], ["w", "I", "D"], ["E", "f"], ["f", "aI", "v"], ["s", "u:", "n"],
    ]  # fmt: skip


def test_words_follow_without_a_gap(speech: Speech) -> None:
    times = speech.word_times(SAID)
    assert [start for start, _ in times][1:] == [end for _, end in times][:-1]
    assert all(0.05 < end - start < 0.7 for start, end in times)


def test_an_s_hisses_where_it_is_said_to_be(speech: Speech) -> None:
    """Over all /s/ and all vowels, the phoneme times agree with what is in the sound."""

    def brightness(start: float, end: float) -> float:
        piece = speech.wave[round(start * SPEECH_RATE) : round(end * SPEECH_RATE)]
        power = np.abs(np.fft.rfft(piece * np.hanning(len(piece)))) ** 2
        return float((np.fft.rfftfreq(len(piece), 1 / SPEECH_RATE) * power).sum() / power.sum())

    found = {name: [p for p in speech.phones if p.name == name] for name in ("s", "u:", "eI", "aI")}
    hiss = min(brightness(p.start, p.end) for p in found.pop("s"))
    assert hiss > 2 * max(brightness(p.start, p.end) for group in found.values() for p in group)


@pytest.mark.parametrize("name", ["en-us+f2", "en-us+klatt4", "en-us+m1", "en-gb-scotland+steph"])
def test_what_was_said_before_does_not_matter(name: str) -> None:
    voice = Voice(name=name, rate=150)
    first = speak(SAID, voice, seed=5)
    speak(["set", "white", "by", "Q", "nine", "again"], Voice(name="en-us+klatt2", rate=170), seed=6)
    second = speak(SAID, voice, seed=5)
    np.testing.assert_array_equal(first.wave, second.wave)
    assert first.phones == second.phones


def test_rate_and_pitch_are_heard() -> None:
    usual, slow = (speak(SAID, Voice(name="en-us+m3", rate=rate)) for rate in (150, 110))
    assert len(slow.wave) > 1.2 * len(usual.wave)
    high = speak(SAID, Voice(name="en-us+m3", rate=150, pitch=90))
    assert not np.array_equal(high.wave[: len(usual.wave)], usual.wave[: len(high.wave)])


def test_every_word_of_the_grammar_is_heard_as_one() -> None:
    """Letters too; /A/ is given as a phoneme, since espeak-ng reads a lone A as the article."""
    slots = [list(words.values()) for _, words in GRAMMAR]
    for k in range(max(map(len, slots))):
        words = [slot[k % len(slot)] for slot in slots]
        words[3] = "[['eI]]" if words[3] == "a" else words[3].upper()
        speech = speak(words, VOICE)
        assert len(speech.word_times(words)) == 6
        assert all(phone.name != "a#" for phone in speech.phones if phone.word == 3)


def test_an_unknown_voice_is_named() -> None:
    for name in ("en-us+nobody", "xx-nowhere+f2"):
        with pytest.raises(UseError, match=re.escape(f"no voice {name!r}")):
            speak(SAID, Voice(name=name, rate=150))
    speak(SAID, Voice(name="en-us", rate=150))


def test_silence_and_merged_words_are_errors() -> None:
    words = ["There", "was", "a", "storm."]
    with pytest.raises(ValueError, match=r"merges \['was'\]"):
        speak(words, VOICE).word_times(words)
    with pytest.raises(ValueError, match="says nothing"):
        speak([""], VOICE)


# ---------------------------------------------------------------- who speaks, and what


def test_nobody_has_two_parts() -> None:
    parts = [*SEEN, HELD_OUT, *UNSEEN]
    assert sorted(parts) == sorted(CAST)
    assert len(set(parts)) == len(parts)
    variants = [member.voice.name.split("+")[1] for member in CAST.values()]
    assert len(set(variants)) == len(variants)
    assert not set(variants) & {voice.name.split("+")[1] for voice in READERS}
    assert len(set(READERS)) == len(READERS)


def test_espeak_has_every_voice() -> None:
    for voice in [*READERS, *(member.voice for member in CAST.values())]:
        loudest = np.abs(speak(["again"], voice).wave).max()
        assert 0.02 < loudest < 1, voice.name


def test_sentences_are_varied_and_no_grid_sentences() -> None:
    draw = rng(1, "test")
    said = [sentence(draw) for _ in range(400)]
    assert len(set(said)) > 395
    for text in said:
        words = re.sub(r"[.,?]", "", text.lower()).split()
        assert re.fullmatch(r"[A-Z][A-Za-z, -]*[.?]", text), text
        assert 6 <= len(words) <= 16, text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text
        assert fault_of("".join(words)) is not None


def test_sentences_have_every_sound_of_english() -> None:
    draw = rng(2, "test")
    heard = {phone.name for _ in range(60) for phone in speak(sentence(draw).split(), VOICE).phones}
    wanted = "p b t d k g f v T D s z S Z h tS dZ m n N l r w j i: I E a 0 A: O: U u: V 3: @ eI aI OI aU oU"
    like = {"0": "A:", "A:": "aa", "O:": "O:", "3:": "3"}
    missing = {name for name in wanted.split() if name not in heard and like.get(name, name) not in heard}
    assert not missing, heard


def test_every_place_of_a_template_is_filled() -> None:
    assert {place.removesuffix("-s") for text in TEMPLATES for place in text.split()} >= set(WORDS) - {"base"}
    assert all(len(set(words)) > 10 for words in WORDS.values() if len(words) > 11)
