"""Corpora of plain speech: what is special about each row."""

from __future__ import annotations

import json

import pytest

from tests.miniatures import fake
from tests.trees import put, touch
from v2sbench.corpora import corpus, split
from v2sbench.prepare.media import probe
from v2sbench.runtime import short_digest

STEM = "84_121123_000007_000001"
TRIMMED = "wav48_silence_trimmed"
SOUND = "audio/92_clean/10425/book_01_reader_0000.flac"
ANNE, BEN = "a" * 128, "b" * 128


def scan(name, root):
    return corpus(name).scan(root)


def reasons(found, root):
    return {problem.path.relative_to(root).as_posix(): problem.reason for problem in found.problems}


def media(found, root):
    return {clip.id: clip.media.relative_to(root).as_posix() for clip in found.clips}


def table(*rows, header=("client_id", "path", "sentence", "locale")):
    return "".join("\t".join(row) + "\n" for row in (header, *rows))


def cv(number):
    return f"common_voice_en_{number}.mp3"


@pytest.mark.parametrize(
    ("name", "rate", "codec", "layout"),
    [
        ("libritts", 24_000, "pcm_s16le", "LibriTTS/dev-clean/SPK/CHAP/*.wav (4)"),
        ("vctk", 48_000, "flac", f"{TRIMMED}/pNNN/*.flac (4)"),
        ("hifitts", 44_100, "flac", "hi_fi_tts_v0/audio/SPK_{clean,other}/BOOK/*.flac (4)"),
        ("commonvoice", 48_000, "mp3float", "cv-corpus-9.0-2022-04-27/en/clips/*.mp3 (3); 1 not validated"),
        ("omceb", 48_000, "pcm_s16le", "irish_english_male/*.wav (2), welsh_english_female/*.wav (2)"),
    ],
)
def test_miniatures(name, rate, codec, layout, tmp_path):
    fake(name, tmp_path)
    found = scan(name, tmp_path)
    info = probe(found.clips[0].media)
    assert (info.rate, info.audio_codec, found.layout) == (rate, codec, layout)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("libritts", "84/84_121123_{:06d}_000000"),
        ("vctk", "p225/p225_{:03d}"),
        ("hifitts", "92/10425_book_{:04d}"),
        ("commonvoice", "0123456789abcdef/common_voice_en_{}"),
        ("omceb", "irm_02484/irm_02484_{:011d}"),
        ("swc", "0123456789abcdef/Apple_{:07d}"),
    ],
)
def test_a_hundredth_validates_and_nothing_tests(name, pattern):
    names = [pattern.format(k) for k in range(4_000)]
    assert all(map(corpus(name).is_id, names))
    parts = list(split(name).assign(names).values())
    assert len(parts) == len(names)
    assert set(parts) == {"train", "val"}
    assert 15 <= parts.count("val") <= 70
    assert split(name).coverage(names).label == ""
    assert not split(name).wer


# ---------------------------------------------------------------- LibriTTS


@pytest.mark.parametrize("inside", ["", "train-clean-100/", "LibriTTS/dev-clean/"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_libritts_wherever_the_speakers_begin(tmp_path, inside, suffix):
    put(tmp_path, f"{inside}84/121123/{STEM}{suffix}")
    found = scan("libritts", tmp_path)
    assert media(found, tmp_path) == {f"84/{STEM}": f"{inside}84/121123/{STEM}{suffix}"}
    assert found.layout == f"{inside}SPK/CHAP/*{suffix.lower()} (1)"


def test_libritts_takes_what_was_distributed_first(tmp_path):
    touch(tmp_path, f"a/84/121123/{STEM}.flac", f"b/84/121123/{STEM}.wav", f"c/84/121123/{STEM}.wav")
    assert media(scan("libritts", tmp_path), tmp_path) == {f"84/{STEM}": f"b/84/121123/{STEM}.wav"}


def test_libritts_folders_must_agree_with_names(tmp_path):
    touch(tmp_path, "85/121123/84_121123_000007_000002.wav", "84/9/84_121123_000007_000003.wav", "84/121123/music.wav")
    found = scan("libritts", tmp_path)
    assert not found.clips
    assert set(reasons(found, tmp_path).values()) == {"not named SPK/CHAP/SPK_CHAP_NNN_NNN.wav"}


# ---------------------------------------------------------------- VCTK


def test_vctk_takes_the_first_microphone_trimmed(tmp_path):
    touch(
        tmp_path, f"{TRIMMED}/p225/p225_001_mic1.flac", f"{TRIMMED}/p225/p225_001_mic2.flac", "wav48/p225/p225_001.wav"
    )
    touch(tmp_path, f"{TRIMMED}/s5/s5_010_mic1.flac", f"{TRIMMED}/log.txt")
    found = scan("vctk", tmp_path)
    assert media(found, tmp_path) == {
        "p225/p225_001": f"{TRIMMED}/p225/p225_001_mic1.flac",
        "s5/s5_010": f"{TRIMMED}/s5/s5_010_mic1.flac",
    }
    assert [path.name for path in found.superseded] == ["p225_001.wav", "p225_001_mic2.flac"]
    assert not found.problems
    for part in (TRIMMED, f"{TRIMMED}/p225"):
        assert "p225/p225_001" in media(scan("vctk", tmp_path / part), tmp_path)


def test_vctk_has_no_substitute_for_it(tmp_path):
    put(tmp_path, f"{TRIMMED}/p225/p225_001_mic1.flac", b"")
    touch(
        tmp_path, f"{TRIMMED}/p225/p225_001_mic2.flac", f"{TRIMMED}/p225/p225_002_mic2.flac", "wav48/p225/p225_003.wav"
    )
    touch(tmp_path, f"{TRIMMED}/p226/p225_004_mic1.flac")
    found = scan("vctk", tmp_path)
    assert not found.clips
    unused = "only pNNN/pNNN_NNN_mic1 is used, and it is not here"
    assert reasons(found, tmp_path) == {
        f"{TRIMMED}/p225/p225_001_mic1.flac": "empty file",
        f"{TRIMMED}/p225/p225_001_mic2.flac": unused,
        f"{TRIMMED}/p225/p225_002_mic2.flac": unused,
        "wav48/p225/p225_003.wav": unused,
        f"{TRIMMED}/p226/p225_004_mic1.flac": "not named pNNN/pNNN_NNN_mic1.flac",
    }


# ---------------------------------------------------------------- Hi-Fi TTS


def test_hifitts_takes_what_a_manifest_lists(tmp_path):
    touch(tmp_path, SOUND, "audio/92_clean/10425/unlisted.flac", "audio/9/music.flac")
    rows = [{"audio_filepath": SOUND}, {"audio_filepath": "audio/92_clean/10425/absent.flac"}]
    put(tmp_path, "92_manifest_clean_train.json", "".join(f"{json.dumps(row)}\n" for row in rows))
    found = scan("hifitts", tmp_path)
    assert media(found, tmp_path) == {"92/10425_book_01_reader_0000": SOUND}
    assert set(reasons(found, tmp_path)) == {"audio/92_clean/10425/unlisted.flac", "audio/9/music.flac"}


def test_a_bad_line_of_a_manifest_costs_no_other_clip(tmp_path):
    put(tmp_path, SOUND)
    good = json.dumps({"audio_filepath": SOUND, "text": "one\N{LINE SEPARATOR}line"}, ensure_ascii=False)
    put(tmp_path, "92_manifest_x.json", f"\N{BYTE ORDER MARK}{good}\n[1]\n\nno\n{{}}\n".encode() + b'{"\xff\n')
    put(tmp_path, "9_manifest_x.json", b"")
    found = scan("hifitts", tmp_path)
    assert len(found.clips) == 1
    assert reasons(found, tmp_path) == {
        "92_manifest_x.json": "4 lines are no JSON with audio_filepath, e.g. line 2",
        "9_manifest_x.json": "empty file",
    }


# ---------------------------------------------------------------- Common Voice


@pytest.mark.parametrize("mark", ["", "\N{BYTE ORDER MARK}"])
def test_commonvoice_takes_what_was_validated(tmp_path, mark):
    touch(tmp_path, *(f"en/clips/{cv(number)}" for number in (1, 2, 3)))
    rows = [(ANNE, cv(2), '"Go, he said.\N{LINE SEPARATOR}', "en"), (BEN, cv(9), "Not here.", "en"), ("cut off",)]
    put(tmp_path, "en/validated.tsv", mark + table(*rows))
    put(tmp_path, "en/other.tsv", table((BEN, cv(1), "No.", "en")))
    found = scan("commonvoice", tmp_path)
    assert media(found, tmp_path) == {f"{short_digest([ANNE])}/common_voice_en_2": f"en/clips/{cv(2)}"}
    assert found.layout == "en/clips/*.mp3 (1); 2 not validated"
    assert not found.problems


def test_commonvoice_of_other_columns_and_two_releases(tmp_path):
    for release, client in (("cv-corpus-7", ANNE), ("cv-corpus-9", BEN)):  # client_id need not stay
        put(tmp_path, f"{release}/en/clips/{cv(1)}")
        row, header = (client, "17", cv(1), ""), ("client_id", "sentence_id", "path", "age")
        put(tmp_path, f"{release}/en/validated.tsv", table(row, header=header))
    found = scan("commonvoice", tmp_path)
    assert list(media(found, tmp_path).values()) == [f"cv-corpus-7/en/clips/{cv(1)}"]
    assert len(found.superseded) == 1


def test_commonvoice_says_why(tmp_path):
    put(tmp_path, f"a/clips/{cv(1)}", b"")
    touch(tmp_path, "a/clips/music.mp3", f"d/clips/{cv(1)}", f"de/clips/{cv(2)}")
    put(tmp_path, "a/validated.tsv", table((ANNE, cv(1), "Yes.", "en")))
    put(tmp_path, "b/validated.tsv", table((ANNE,), header=("client_id", "sentence")))
    put(tmp_path, "c/validated.tsv", b"")
    put(tmp_path, "de/validated.tsv", table((ANNE, cv(2), "Ja.", "de")))
    found = scan("commonvoice", tmp_path)
    assert not found.clips
    assert reasons(found, tmp_path) == {
        f"a/clips/{cv(1)}": "empty file",
        "a/clips/music.mp3": "not named clips/common_voice_en_NNN.mp3",
        "b/validated.tsv": "no column path in its first line; it must be UTF-8 with tabs",
        "c/validated.tsv": "empty file",
        f"d/clips/{cv(1)}": "not listed by the corpus' own table, or no table is here",
        f"de/clips/{cv(2)}": "not listed by the corpus' own table, or no table is here",
    }


# ---------------------------------------------------------------- OMCEB


def test_omceb_one_number_is_another_speaker_in_another_accent(tmp_path):
    touch(tmp_path, "irish_english_male/irm_02484_1.wav", "midlands_english_female/mif_02484_1.wav")
    touch(tmp_path, "all/irm_02484_1.wav")
    found = scan("omceb", tmp_path)
    assert found.counts == {"irm_02484": 1, "mif_02484": 1}
    assert [path.parent.name for path in found.superseded] == ["irish_english_male"]


def test_real_tables(speech_samples):
    """Release 6.1 of Common Voice as its owners give it out."""
    found = scan("commonvoice", speech_samples / "commonvoice")
    assert (len(found.clips), len(found.counts), found.problems) == (100, 95, ())
