"""Recognisers read the same wave the same way; normalisers are literal pairs."""

from __future__ import annotations

import dataclasses
import sys
import urllib.error

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.voices import noisy, voice
from v2sbench.corpora.grid_grammar import GRAMMAR, fault_of, text_of
from v2sbench.runtime import UseError, sha256_file
from v2sbench.scoring.recognisers import (
    GROUP,
    NORMALISERS,
    RATE,
    RECOGNISERS,
    are_grid,
    backend,
    normalise,
    recogniser,
    recognisers,
    sphinx,
    with_words,
)
from v2sbench.scoring.recognisers.sphinx import GridGrammar, WordsGrammar, words_of
from v2sbench.scoring.recognisers.whisper import Whisper

pytestmark = pytest.mark.filterwarnings(
    # whisper leaves its own asset files to the garbage collector
    r"ignore:.*whisper.(assets|normalizers).*:pytest.PytestUnraisableExceptionWarning"
)

# ---------------------------------------------------------------- normalisers


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("Bin blue at F2 now.", "bin blue at f two now", "bin blue at f two now"),
        ("PLACE RED IN A 0 SOON", "place red in a zero soon", "place red in a zero soon"),
        ("Set white with U, ate again!", "set white with u ate again", "set white with u eight again"),
        ("bin blew at you won now", "bin blew at you won now", "bin blue at u one now"),
        ("lay red by why to soon", "lay red by why to soon", "lay red by y two soon"),
        ("place-green in B. 4, now", "place green in b four now", "place green in b four now"),
        ("it's 10", "its one zero", "its one zero"),
        ("", "", ""),
        (" ... ", "", ""),
    ],
)
def test_grid_normalisers(text, strict, lenient):
    assert normalise(text, "grid-strict-v1") == strict
    assert normalise(text, "grid-lenient-v1") == lenient


@pytest.mark.parametrize("version", ["grid-strict-v1", "grid-lenient-v1"])
@given(text=st.text(max_size=60))
def test_grid_normalisers_are_idempotent(version, text):
    once = normalise(text, version)
    assert normalise(once, version) == once
    assert once == " ".join(once.split())


def test_normalisers_have_versions():
    assert all(name.rsplit("-v", 1)[1].isdigit() for name in NORMALISERS)
    assert normalise("  Don't, YOUNG! ", "words-v1") == "dont young"
    with pytest.raises(UseError, match="did you mean 'grid-strict-v1'"):
        normalise("bin", "grid-strict")


def test_plain_normaliser_is_whispers():
    pytest.importorskip("whisper", reason="openai-whisper is not installed")
    assert normalise("Mr. Smith won't pay twenty-five dollars.", "plain-v1") == "mister smith will not pay $25"


def test_are_grid():
    assert are_grid(["bin blue at f two now", "set white by a zero soon"])
    assert not are_grid(["bin blue at f two now", "hello"])
    assert not are_grid([])


# ---------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("wisper:tiny.en", "did you mean 'whisper'"),
        ("grid-grammar:fast", "takes no option"),
        ("whisper", "needs a model, e.g. whisper:tiny.en"),
        ("whisper:tiny.fr", "neither a .pt file nor one of tiny.en"),
        ("whisper:/nowhere/tiny.pt", "neither a .pt file"),
    ],
)
def test_wrong_recognisers(spec, says):
    if spec.startswith("whisper"):
        pytest.importorskip("whisper", reason="openai-whisper is not installed")
    with pytest.raises(UseError, match=says):
        recogniser(spec)


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise backend.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(backend.metadata, "version", missing)
    with pytest.raises(UseError, match=r"pip install 'v2sbench\[demo\]'"):
        GridGrammar()
    with pytest.raises(UseError, match=r"pip install 'v2sbench\[whisper\]'"):
        Whisper("tiny.en")


# ---------------------------------------------------------------- pocketsphinx


@pytest.fixture(scope="module")
def grammar():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    return recogniser("grid-grammar")


def test_it_says_only_the_words_of_the_grammar_in_their_order(grammar):
    slots = [set(words.values()) for _, words in GRAMMAR]
    for text in grammar.transcribe([noisy(voice(2.5, seed), 10) for seed in range(3)]):
        said = text.split()  # a sentence, or the beginning of one where the sound ended before
        assert said
        assert all(word in words for word, words in zip(said, slots, strict=False))


def test_an_utterance_is_read_alike_whatever_came_before(grammar):
    """Its noise estimate would carry over; a fresh decoder is the truth. Next to no sound is no crash."""
    assert all(isinstance(grammar.transcribe([np.zeros(n, np.float32)])[0], str) for n in (0, 1, 100, 4_000))
    waves = [
        noisy(voice(2.0, seed), snr) * gain for seed, snr, gain in ((0, 20, 1), (1, 0, 0.05), (2, -10, 1), (3, 30, 0.3))
    ]
    forth = grammar.transcribe(waves)
    back = grammar.transcribe(waves[::-1])[::-1]
    fresh = [GridGrammar().transcribe([wave])[0] for wave in waves]
    assert forth == back == fresh


def test_its_id_says_version_and_options(grammar, monkeypatch):
    assert grammar.id.startswith("grid-grammar/pocketsphinx-5.")
    assert recogniser("grid-grammar") is grammar, "made once"
    monkeypatch.setattr(sphinx, "RATE", 8_000)
    assert GridGrammar().id != grammar.id


def grid_waves(root, speaker, count):
    from v2sbench.audio import MediaError
    from v2sbench.prepare.media import decode

    paths = sorted((root / speaker).iterdir()) if (root / speaker).is_dir() else []
    found = []
    for path in paths[:: max(1, len(paths) // count)]:
        if fault_of(path.stem) is None:
            try:
                found.append((text_of(path.stem), decode(path, video=False, rate=RATE).wave))
            except MediaError:
                continue  # damaged clips are the business of `prepare`
    return found


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("speaker", "count", "expected"), [("s1", 180, 12), ("s4", 40, 4.5)])
def test_wer_of_real_grid(grammar, grid_root, speaker, count, expected):
    """Over all 900 clips of s1 it is 11.5 %; a hundred of them in a row lie between 7 and 17."""
    clips = grid_waves(grid_root, speaker, count)
    if len(clips) < count * 0.8:
        pytest.skip(f"only {len(clips)} clips of {speaker}")
    texts, waves = zip(*clips, strict=True)
    heard = grammar.transcribe(waves)
    assert 100 * jiwer.wer(list(texts), heard) == pytest.approx(expected, abs=3)
    assert grammar.transcribe(waves[::-10]) == heard[::-10]


# ---------------------------------------------------------------- pocketsphinx with a list of words

LIST = ("about", "young", "seventeen")


def test_words_grammar_says_a_word_of_its_list():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    held = recogniser(f"words-grammar:{','.join(LIST)}")
    heard = held.transcribe([noisy(voice(0.8, seed), 10) for seed in range(4)])
    assert set(heard) <= {*LIST, ""}
    assert held.grammar == "words"
    assert held.transcribe([np.zeros(10, np.float32)]) == [""]


def test_words_grammar_is_named_by_its_words_wherever_they_are_from(tmp_path):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    path = tmp_path / "words.txt"
    path.write_text("Young\nseventeen\n\nABOUT\n")
    named = {WordsGrammar(option).id for option in (str(path), ",".join(LIST), with_words("words-grammar", LIST)[14:])}
    assert len(named) == 1
    assert WordsGrammar("about").id not in named


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("", "needs its words"),
        ("about,xqzzy", r"dictionary lacks 1 of 2 words \(xqzzy\)"),
        ("/nowhere/words.txt", "is no list of words"),
        ("about,bin blue", "'bin blue' is none"),
        ("a;b", "'a;b' is none"),
    ],
)
def test_lists_that_are_none(option, says):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    with pytest.raises(UseError, match=says):
        WordsGrammar(option)


def test_words_of_texts():
    assert words_of(["Young", "about ", "young"]) == ("about", "young")
    assert with_words("grid-grammar", ["bin blue"]) == "grid-grammar"
    with pytest.raises(UseError, match="needs texts"):
        words_of([])


# ---------------------------------------------------------------- recognisers of other packages

PLUGIN = """
from v2sbench.scoring.recognisers import Backend

class Constant:
    id, grammar, batch = "constant/1", None, 1
    def __init__(self, option):
        self.option = option
    def transcribe(self, waves):
        return [self.option] * len(waves)

constant = Backend(name="constant", description="says what it is told", make=Constant)
other = 7
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Installs an entry point of that name and target."""
    (tmp_path / "ears.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ears", raising=False)  # another test's

    def install(line):
        info = tmp_path / "ears-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ears\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{line}\n")
        recogniser.cache_clear()

    yield install
    recogniser.cache_clear()


def test_another_package_brings_a_recogniser(plugin):
    plugin("constant = ears:constant")
    assert recogniser("constant:bin blue").transcribe([np.zeros(5, np.float32)]) == ["bin blue"]
    assert list(recognisers()) == [*RECOGNISERS, "constant"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("constant = ears:nothing", "constant of ears:nothing cannot be loaded"),
        ("constant = ears:other", "must name a Backend of that name, not 7"),
        ("else = ears:constant", "must name a Backend of that name"),
    ],
)
def test_a_recogniser_that_is_none(plugin, line, says):
    plugin(line)
    with pytest.raises(UseError, match=says):
        recogniser("something")
    assert recogniser("grid-grammar").batch == 1, "those of this package need no other"


# ---------------------------------------------------------------- whisper


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained model of the smallest size on disk: the real decoding, without the meaning."""
    whisper = pytest.importorskip("whisper", reason="openai-whisper is not installed")
    import torch

    size = whisper.model.ModelDimensions(
        n_mels=80, n_audio_ctx=1500, n_audio_state=32, n_audio_head=2, n_audio_layer=1, n_vocab=51_864,
        n_text_ctx=24, n_text_state=32, n_text_head=2, n_text_layer=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = whisper.model.Whisper(size)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path_factory.mktemp("whisper") / "tiny.pt"
    torch.save({"dims": dataclasses.asdict(size), "model_state_dict": model.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def model(weights):
    return recogniser(f"whisper:{weights}")


def test_whisper_decodes_by_the_batch(model):
    waves = [voice(1.0 + 0.1 * seed, seed) for seed in range(3)]
    together = model.transcribe(waves)
    assert together == [model.transcribe([wave])[0] for wave in waves]
    assert model.transcribe(waves[::-1]) == together[::-1]
    assert any(together)


def test_whisper_reads_long_waves_window_by_window(model):
    wave = np.tile(voice(2.0), 18)  # 36 s
    first, second = model.transcribe([wave[: 30 * RATE], wave[30 * RATE :]])
    assert model.transcribe([wave]) == [" ".join(filter(None, (first, second)))]


def test_whispers_id_holds_its_weights(model, weights):
    digest = sha256_file(weights)
    assert f"/tiny@{digest[:12]}/" in model.id
    assert model.id.startswith("whisper-2")
    assert recogniser(f"whisper:{weights}@{digest[:16]}").id == model.id
    with pytest.raises(UseError, match=f"has the SHA-256 {digest}, not 'ffffffff'"):
        recogniser(f"whisper:{weights}@ffffffff")


def test_a_file_that_is_no_model(tmp_path, weights):
    path = tmp_path / "other.pt"
    path.write_bytes(weights.read_bytes()[:1_000])
    with pytest.raises(UseError, match="not an openai-whisper checkpoint"):
        recogniser(f"whisper:{path}")


def test_an_official_name_without_a_network(monkeypatch):
    whisper = pytest.importorskip("whisper", reason="openai-whisper is not installed")

    def offline(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(whisper, "load_model", offline)
    with pytest.raises(UseError, match=r"neither in its cache nor to be had from here.*--asr whisper:/path/to/it.pt"):
        Whisper("tiny.en")
