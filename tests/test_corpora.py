"""Corpora in general: discovery, folders, splits, coverage, imported lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import v2sbench.corpora as corpora
from tests.leaks import leaked
from v2sbench.corpora import Clip, Corpus, Coverage, KnownList, Problem, Scan
from v2sbench.corpora.folder import words_of
from v2sbench.corpora.own_splits import read_own_split
from v2sbench.corpora.splits import SHARES, apportion, overlap_split, seen_split, unseen_split
from v2sbench.runtime import UseError, short_digest


def toy(name: str = "toy", **changes: Any) -> Corpus:
    plain = Corpus(
        name=name,
        title="Toy",
        licence="own",
        url="",
        kind="audio",
        scan=lambda root: Scan(clips=(), problems=(), layout=""),
        splits=(seen_split(f"{name}-seen", name, "toy"),),
        is_id=lambda clip: clip.startswith("a/"),
    )
    return replace(plain, **changes)


# ---------------------------------------------------------------- discovery


def test_the_modules_of_the_package_are_found() -> None:
    assert {"grid", "libritts", "demo"} <= set(corpora.discover())
    assert list(corpora.discover()) == sorted(corpora.discover())


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UseError, match="unknown corpus 'gird', did you mean 'grid'"):
        corpora.corpus("gird")
    with pytest.raises(UseError, match="unknown split 'grid4seen', did you mean 'grid4-seen'"):
        corpora.split("grid4seen")


class EntryPoint:
    """Stands for importlib.metadata.EntryPoint."""

    def __init__(self, loaded: object) -> None:
        self.name, self.value, self._loaded = "plug", "plug:CORPORA", loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.fixture
def fresh_discovery() -> Any:
    corpora.discover.cache_clear()
    yield
    corpora.discover.cache_clear()


@pytest.mark.usefixtures("fresh_discovery")
def test_another_distribution_adds_a_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "entry_points", lambda group: [EntryPoint((toy(),))])
    assert corpora.corpus("toy").title == "Toy"
    assert corpora.split("toy-seen").corpus == "toy"


@pytest.mark.usefixtures("fresh_discovery")
def test_a_broken_plug_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "entry_points", lambda group: [EntryPoint(ImportError("no torchx"))])
    with pytest.raises(UseError, match=r"plug-in 'plug' \(plug:CORPORA\) cannot be loaded: no torchx"):
        corpora.discover()


def test_names_belong_to_one() -> None:
    with pytest.raises(UseError, match="two corpora are named 'toy': in one and in two"):
        corpora.collect([("one", [toy()]), ("two", [toy()])])
    twin = toy("twin", splits=(seen_split("toy-seen", "twin", "toy"),))
    with pytest.raises(UseError, match="two splits are named 'toy-seen': of toy and of twin"):
        corpora.collect([("one", [toy(), twin])])
    with pytest.raises(UseError, match="'toy-seen' of corpus 'twin' says it divides 'toy'"):
        corpora.collect([("one", [toy("twin", splits=toy().splits)])])


# ---------------------------------------------------------------- folders


def test_root_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("V2S_DATA", raising=False)
    for place_ in ("data/toy", "lake/toy", "mine"):
        (tmp_path / place_).mkdir(parents=True)
        (tmp_path / place_ / "file").touch()
    assert corpora.root_of(toy()) == Path("data/toy")
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "lake"))
    assert corpora.root_of(toy()) == tmp_path / "lake/toy"
    assert corpora.root_of(toy(), "mine") == Path("mine")


def test_an_embedded_corpus_lies_in_the_project_and_may_not_exist_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("V2S_DATA", "/lake")
    made = toy(generate=lambda root: None)
    assert corpora.root_of(made) == Path("data/toy")
    assert corpora.root_of(made, tmp_path / "x") == tmp_path / "x"
    with pytest.raises(UseError, match=r"not made yet at data/toy; run: v2sbench prepare toy"):
        corpora.scan_of(made)


def test_a_missing_or_empty_folder_is_one_line_with_the_next_command(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/.keep").touch()
    (tmp_path / "file").touch()
    for name, said in (("none", "no folder"), ("empty", "is empty"), ("file", "is not a folder")):
        with pytest.raises(UseError, match=said) as error:
            corpora.root_of(toy(), tmp_path / name)
        assert "v2sbench prepare toy --root DIR" in str(error.value)
        assert "\n" not in str(error.value)


def test_a_folder_without_a_clip_is_refused_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "holiday.mpg").touch()
    bad = Scan(clips=(), problems=(Problem(path=tmp_path / "holiday.mpg", reason="empty file"),), layout="")
    with pytest.raises(UseError, match=r"no clip under .* \(1 unusable files, e\.g\. .*holiday\.mpg: empty file\)"):
        corpora.scan_of(toy(scan=lambda root: bad), tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("But you know, don't you, why?", "but you know don't you why"),
        ("'Tis so; \"all's well\", said  he.\n", "tis so all's well said he"),
        ("the boys' caf\u00e9 \u2014 it\u2019s open", "the boys caf\u00e9 it's open"),
        ("one_two", "one two"),
        ("...", ""),
    ],
)
def test_words_of_literal_texts(text: str, words: str) -> None:
    assert words_of(text) == words


@given(st.text(max_size=60))
def test_words_are_stable_and_lower(text: str) -> None:
    words = words_of(text)
    assert words_of(words) == words == " ".join(words.split())
    assert not set(words) & set('.,;:!?"()_-')


def test_counts_stand_beside_the_inventory(tmp_path: Path) -> None:
    clip = Clip(id="s10/x", speaker="s10", media=tmp_path, text=None, video=False)
    found = Scan(clips=(clip,), problems=(), layout="")
    assert list(toy(inventory={"s9": 3, "s2": 1}).counts(found).items()) == [
        ("s2", (0, 1)),
        ("s9", (0, 3)),
        ("s10", (1, None)),
    ]


# ---------------------------------------------------------------- splits

IDS = st.lists(st.from_regex(r"[a-d]/[a-z0-9]{1,6}", fullmatch=True), max_size=40)


@given(IDS, st.randoms())
def test_a_division_does_not_depend_on_order_or_repetition(ids: list[str], shuffle: Any) -> None:
    inventory = {"a": 10, "b": 20, "c": 5}
    for part in (seen_split("x", "toy", ""), overlap_split("y", "toy", "", inventory=inventory, test=3)):
        mixed = ids + ids[:3]
        shuffle.shuffle(mixed)
        assert part.assign(mixed) == part.assign(ids)
        assert list(part.assign(mixed)) == list(part.assign(ids))
        assert part.digest(mixed) == part.digest(ids)
        assert sum(have for have, _ in part.coverage(mixed).parts.values()) == len(part.assign(ids))


@given(IDS)
def test_overlap_trains_on_nothing_that_seen_tests_on(ids: list[str]) -> None:
    overlap = overlap_split("y", "toy", "", inventory=dict.fromkeys("abcd", 10), test=3)
    assert not leaked(overlap.assign(ids), seen_split("x", "toy", "").assign(ids))


@given(st.integers(0, 40_000))
def test_apportioned_parts_sum_to_the_total(total: int) -> None:
    parts = apportion(total, SHARES)
    assert sum(parts) == total
    assert all(abs(part - total * share) < 1 for part, share in zip(parts, SHARES, strict=True))


def test_a_speaker_is_in_one_part() -> None:
    with pytest.raises(ValueError, match="speaker a is in train and in test"):
        unseen_split("x", "toy", "", parts={"train": ["a", "b"], "test": ["a"]})


def test_an_inconsistent_split_is_refused() -> None:
    plain = seen_split("x", "toy", "")
    with pytest.raises(ValueError, match="either subset or draw"):
        replace(plain, subset=None)
    with pytest.raises(ValueError, match="parts are"):
        replace(plain, expected={"dev": 3})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("parts", "exact", "label"),
    [
        ({"train": (812, 900), "test": (88, 100)}, False, "partial 900/1000"),
        ({"train": (912, 900), "test": (88, 100)}, False, ""),  # drawn one by one: only the sum is known
        ({"train": (912, 900), "test": (88, 100)}, True, "partial 988/1000"),  # a surplus fills no gap
        ({"train": (900, 900), "test": (101, 100)}, True, ""),
        ({"train": (0, 900), "test": (0, 100)}, True, "partial 0/1000"),
        ({"train": (7, None), "test": (1, None)}, True, ""),
    ],
)
def test_coverage_labels(parts: dict[str, tuple[int, int | None]], exact: bool, label: str) -> None:
    assert Coverage(parts=parts, exact=exact).label == label


# ---------------------------------------------------------------- imported lists


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_with_sections(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.txt", "# mine\n[train]\na/1\na 2  # a remark\n\n[test]\na/3\n")
    listing = read_own_split(file, toy())
    assert listing.parts == {"a/1": "train", "a/2": "train", "a/3": "test"}
    assert listing.names == ()
    divided = listing.of(toy().splits[0])
    assert divided.assign(["a/1", "a/3", "a/4"]) == {"a/1": "train", "a/3": "test"}
    assert divided.coverage(["a/1", "a/3"]).label == "partial 2/3"
    assert divided.name == "toy-seen"
    assert listing.digest in divided.description


def test_a_list_with_a_part_in_each_line(tmp_path: Path) -> None:
    file = write(tmp_path / "split.tsv", "train\ta/1\nval a 2\n[test]\na/3\n")
    assert read_own_split(file, toy()).parts == {"a/1": "train", "a/2": "val", "a/3": "test"}


@pytest.mark.parametrize("name", ["test_4.txt", "my.test.lst", "TEST"])
def test_the_file_name_tells_the_part(tmp_path: Path, name: str) -> None:
    assert read_own_split(write(tmp_path / name, "a/1\n"), toy()).parts == {"a/1": "test"}


@pytest.mark.parametrize("name", ["list.txt", "train_test.txt", "contest.txt"])
def test_nothing_tells_the_part(tmp_path: Path, name: str) -> None:
    with pytest.raises(UseError, match=r"nothing says which part .* put a line \[train\]"):
        read_own_split(write(tmp_path / name, "a/1\n"), toy())


def test_published_lists_are_named_by_their_digest(tmp_path: Path) -> None:
    known = toy(
        known_lists={
            short_digest(["a/1", "a/2"]): KnownList(name="train_2", subset="train"),
            short_digest(["a/1", "a/2", "a/3"]): KnownList(name="all_3", subset=None),
        }
    )
    plain = read_own_split(write(tmp_path / "list.txt", "a 2\na 1\n"), known)
    assert (plain.names, set(plain.parts.values())) == (("train_2",), {"train"})
    both = read_own_split(write(tmp_path / "both.txt", "[train]\na/1\na/2\n[test]\na/3\n"), known)
    assert both.names == ("all_3", "train_2")
    assert both.title.startswith("all_3, train_2 (list ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a/1\nb/1\n", "line 2: 'b/1' is no clip of toy"),
        ("a/1\na 1\n", "line 2: a/1 stands in line 1 already"),
        ("[dev]\na/1\n", r"line 1: unknown part \[dev\]"),
        ("[tset]\na/1\n", r"unknown part \[tset\], did you mean 'test'"),
        ("# nothing\n", "names no clip"),
    ],
)
def test_a_bad_list_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UseError, match=said):
        read_own_split(write(tmp_path / "test.txt", text), toy())


def test_a_list_of_any_bytes_is_read_or_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_bytes("\N{BYTE ORDER MARK}a/1\r\na/2 # a\N{LINE SEPARATOR}b\n".encode())
    assert set(read_own_split(tmp_path / "test.txt", toy()).parts) == {"a/1", "a/2"}
    for name, data in (("utf16.txt", "a/1\n".encode("utf-16")), ("latin1.txt", b"a/\xe9\n"), ("none.txt", None)):
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(UseError, match=rf"cannot read the list .*{name}"):
            read_own_split(tmp_path / name, toy())
