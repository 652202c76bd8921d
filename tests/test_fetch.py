"""Fetching a corpus: from a publisher on this machine to a scan, by way of everything that can go wrong between."""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

import v2sbench.tools.fetch as fetching
from tests.imports import ROOT
from tests.miniatures import fake
from tests.publisher import Fault, Publisher, packed, tarred, toy
from tests.trees import put
from v2sbench import cli, corpora
from v2sbench.corpora import Corpus, discover
from v2sbench.corpora.remote import Access, Remote
from v2sbench.runtime import CheckError, UseError
from v2sbench.tools.fetch import GROWTH, amount, chosen, fetch, transfer
from v2sbench.tools.fetch.archives import MARGIN

DRAW = random.Random(1)
SPEAKERS = {f"s{k}": {f"s{k}/{name}.dat": DRAW.randbytes(40_000) for name in "abc"} for k in (1, 2, 3)}
OPEN = ("grid", "hifitts", "libritts", "omceb", "vctk")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE", 0.001)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("V2S_QUIET", "1")


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as running:
        for speaker, files in SPEAKERS.items():
            running.files[f"{speaker}.zip"] = packed(files)
        yield running


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def corpus_of(publisher: Publisher, **changes: object) -> Corpus:
    """The three speakers' archives, each with its digest and size."""
    return toy(*(
        replace(Remote(url=publisher.url(name), part=name[:2], speaker=name[:2], size=len(data), digest=sha256(data)),
                **changes)  # type: ignore[arg-type]
        for name, data in publisher.files.items() if "." in name
    ))  # fmt: skip


def tree(root: Path) -> dict[str, bytes]:
    """Everything that a scan may see."""
    paths = [path for path in root.rglob("*") if path.is_file() and ".fetch" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(paths)}


def all_of(*speakers: str) -> dict[str, bytes]:
    return {name: data for speaker in speakers or SPEAKERS for name, data in SPEAKERS[speaker].items()}


def state(root: Path) -> set[str]:
    return {path.name for path in (root / ".fetch").iterdir()} - {"lock"}


# ---------------------------------------------------------------- the way it is meant


def test_everything_comes_and_once_is_enough(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    report = fetch(item, tmp_path)
    assert tree(tmp_path) == all_of()
    assert (report.fetched, report.present) == (("s1.zip", "s2.zip", "s3.zip"), ())
    assert (report.unverified, report.damaged) == ((), ())
    assert len(report.scan.clips) == 9
    assert state(tmp_path) == {"s1.zip.done", "s2.zip.done", "s3.zip.done"}
    publisher.asked.clear()
    again = fetch(item, tmp_path)
    assert (again.fetched, again.present) == ((), ("s1.zip", "s2.zip", "s3.zip"))
    assert publisher.asked == []


def test_what_was_taken_away_comes_back(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    fetch(item, tmp_path)
    (tmp_path / "s2/b.dat").unlink()
    assert fetch(item, tmp_path).fetched == ("s2.zip",)
    assert tree(tmp_path) == all_of()
    put(tmp_path, "s2/b.dat", b"cut shorter")  # somebody's own work
    assert fetch(item, tmp_path).fetched == ()
    assert tree(tmp_path)["s2/b.dat"] == b"cut shorter"


def test_speakers_and_parts(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    fetch(item, tmp_path, speakers=["s3", "s1", "s3"])
    assert tree(tmp_path) == all_of("s1", "s3")
    fetch(item, tmp_path, parts=["s2"])
    assert tree(tmp_path) == all_of()
    shared = replace(item.access.files[0], part="texts", speaker="", url=publisher.url("texts.zip"))
    mixed = toy(*item.access.files, shared)
    assert [file.part for file in chosen(mixed, speakers=["s2"])] == ["s2", "texts"]
    assert [file.part for file in chosen(mixed, parts=["texts"])] == ["texts"]
    with pytest.raises(UseError, match="unknown part 's9'"):
        chosen(mixed, parts=["s9"])
    with pytest.raises(UseError, match="unknown speaker 'texts'"):
        chosen(mixed, speakers=["texts"])
    with pytest.raises(UseError, match=r"not cut by speaker; give --parts instead \(s1, s2, s3\)"):
        chosen(corpus_of(publisher, speaker=""), speakers=["s1"])


def test_archives_are_kept_on_demand_and_taken_when_they_are_there(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    fetch(item, tmp_path / "a", keep=True)
    archives = {name for name in state(tmp_path / "a") if name.endswith(".zip")}
    assert archives == set(publisher.files)
    publisher.asked.clear()
    for name in archives:
        put(tmp_path / "b/.fetch", name, (tmp_path / "a/.fetch" / name).read_bytes())
    put(tmp_path / "b/.fetch", "s2.zip", publisher.files["s2.zip"][:-1])  # cut while it was copied
    fetch(item, tmp_path / "b")
    assert tree(tmp_path / "b") == all_of()
    assert [name for name, *_ in publisher.asked] == ["s2.zip"]


def test_a_file_that_is_no_archive_and_one_with_a_folder_of_its_own(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files = {"wavs.zip": packed({"x.dat": b"x"}), "index.csv": b"a,b\n"}
    item = corpus_of(publisher)
    zipped, table = item.access.files
    fetch(toy(replace(zipped, into="wavs", speaker=""), table), tmp_path)
    assert tree(tmp_path) == {"index.csv": b"a,b\n", "wavs/x.dat": b"x"}
    assert fetch(toy(replace(zipped, into="wavs"), table), tmp_path).fetched == ()
    (tmp_path / ".fetch/index.csv.done").unlink()
    put(tmp_path, "index.csv", b"mine")
    assert fetch(toy(table), tmp_path).kept == (str(tmp_path / "index.csv"),)
    assert tree(tmp_path)["index.csv"] == b"mine"


# ---------------------------------------------------------------- the way it goes


def test_a_bad_line(publisher: Publisher, tmp_path: Path) -> None:
    publisher.faults = {
        "s1.zip": [Fault("cut", 30_000), Fault("status", 503), Fault("no-range")],
        "s2.zip": [Fault("corrupt", 5_000), Fault("cut", 10)],
        "s3.zip": [Fault("moved"), Fault("page"), Fault("length", 40)],
    }
    report = fetch(corpus_of(publisher), tmp_path, jobs=3)
    assert tree(tmp_path) == all_of()
    assert report.damaged == ("s2.zip",)
    assert "s2.zip.bad" not in state(tmp_path)  # a good copy came


@pytest.mark.parametrize("digest", [True, False])
def test_bytes_that_stay_bad(digest: bool, publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher) if digest else corpus_of(publisher, digest="")
    publisher.always["s2.zip"] = Fault("corrupt", 5_000)
    with pytest.raises(
        CheckError, match=r"1 of 3 files .* s2\.zip: came damaged 3 times, the last copy is .*bad"
    ) as told:
        fetch(item, tmp_path)
    assert ("sha256" if digest else "CRC") in str(told.value)
    assert "\n" not in str(told.value)
    assert tree(tmp_path) == all_of("s1", "s3")  # the others came
    assert "s2.zip.bad" in state(tmp_path)
    assert len(publisher.ranges_of("s2.zip")) == fetching.DAMAGED
    publisher.always.clear()
    assert fetch(item, tmp_path).fetched == ("s2.zip",)
    assert tree(tmp_path) == all_of()


def test_a_file_that_cannot_be_had_does_not_stop_the_others(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    del publisher.files["s1.zip"]
    with pytest.raises(UseError, match=r"1 of 3 files could not be had: s1\.zip: the server answers 404"):
        fetch(item, tmp_path, jobs=1)
    assert tree(tmp_path) == all_of("s2", "s3")


def test_nothing_of_the_users_is_overwritten(publisher: Publisher, tmp_path: Path) -> None:
    put(tmp_path, "s1/b.dat", b"mine")
    assert fetch(corpus_of(publisher), tmp_path).kept == (str(tmp_path / "s1/b.dat"),)
    assert tree(tmp_path) == {**all_of(), "s1/b.dat": b"mine"}


def test_archives_may_share_a_note(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files = {f"s{k}.zip": packed({"NOTE.txt": b"n" * 50_000, f"s{k}/a.dat": b"a"}) for k in range(6)}
    assert fetch(corpus_of(publisher), tmp_path, jobs=6).kept == ()
    assert set(tree(tmp_path)) == {"NOTE.txt", *(f"s{k}/a.dat" for k in range(6))}


def test_what_nobody_may_download_is_not_even_begun(tmp_path: Path) -> None:
    with pytest.raises(UseError, match="toy cannot be downloaded by anybody; see: v2sbench fetch toy"):
        fetch(toy(), tmp_path)
    with pytest.raises(UseError, match="jobs must be at least 1, not 0"):
        fetch(discover()["grid"], tmp_path, jobs=0)
    assert tree(tmp_path) == {}


def test_no_digest_is_said(publisher: Publisher, tmp_path: Path) -> None:
    report = fetch(corpus_of(publisher, digest="", size=None), tmp_path)
    assert report.unverified == report.fetched
    assert tree(tmp_path) == all_of()


# ---------------------------------------------------------------- publishers' lists


def test_a_list_read_now_is_what_counts(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher, digest="", size=None, index=publisher.publish_index())
    publisher.faults = {
        "s1.zip": [Fault("corrupt", 9_000)],
        "index": [Fault("status", 500), Fault("cut", 9), Fault("gzip")],
    }
    report = fetch(item, tmp_path)
    assert (report.unverified, report.damaged) == ((), ("s1.zip",))
    assert len(publisher.ranges_of("index")) == 3  # once for all files


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (None, "list of digests cannot be had: the server answers 404"),
        (b"<html>moved</html>", "is no list of digests that could be read"),
        (b"0" * 32 + b"  s1.zip", r"s2\.zip is not in its publisher's list http://.*/index"),
    ],
)
def test_a_list_that_is_none(index: bytes | None, said: str, publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher, digest="", size=None, index=publisher.url("index"))
    if index is not None:
        publisher.files["index"] = index
    with pytest.raises(UseError, match=said):
        fetch(item, tmp_path)
    assert tree(tmp_path) == {}


# ---------------------------------------------------------------- room


def test_no_room_is_said_before_anything_is_asked_for(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    free = 0
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage(1, 1, free))
    item = corpus_of(publisher)
    sizes = sorted(len(data) for data in publisher.files.values())
    need = int(GROWTH * sum(sizes)) + sizes[-1] + MARGIN
    for short, keep, jobs in ((2, False, 1), (0, False, 2), (0, True, 1)):
        free = need - short
        with pytest.raises(UseError, match=r"not enough room in .* free, about .* MiB needed for 3 files"):
            fetch(item, tmp_path, jobs=jobs, keep=keep)
    assert publisher.asked == []
    free = need
    fetch(item, tmp_path, jobs=1)
    free = 0
    fetch(item, tmp_path)  # nothing to do needs no room


def test_a_full_disk_stops_everything(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*about: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "download", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(corpus_of(publisher), tmp_path)


def test_amounts() -> None:
    assert [amount(size) for size in (0, 1023, 1536, 5 << 20, 3 << 30, 5 << 40)] == [
        "0 bytes", "1023 bytes", "1.5 KiB", "5 MiB", "3.0 GiB", "5120.0 GiB",
    ]  # fmt: skip


# ---------------------------------------------------------------- killed

PROGRAM = """
import signal
import sys
from pathlib import Path
from tests.publisher import toy
from v2sbench.corpora.remote import Remote
from v2sbench.fetch import fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
files = [Remote(url=url, part=url[-6:-4], size=int(size), digest=digest)
         for url, size, digest in (line.split() for line in sys.argv[2:])]
fetch(toy(*files), Path(sys.argv[1]), jobs=2)
"""


def started(item: Corpus, root: Path) -> subprocess.Popen[str]:
    lines = [f"{file.url} {file.size} {file.digest}" for file in item.access.files]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root), *lines], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def wait_until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def stalled(publisher: Publisher, root: Path, where: int) -> subprocess.Popen[str]:
    """A fetch in another process, of which two files have come up to byte `where` and no further."""
    publisher.always = dict.fromkeys(publisher.files, Fault("stall", where))
    process = started(corpus_of(publisher), root)
    parts = [root / ".fetch" / f"{name}.part" for name in ("s1.zip", "s2.zip")]
    wait_until(lambda: all(part.exists() and part.stat().st_size == where for part in parts))
    return process


def test_killed_again_and_again_it_is_gone_on_with(publisher: Publisher, tmp_path: Path) -> None:
    for where in (10_000, 50_000, 100_000):
        process = stalled(publisher, tmp_path, where)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    publisher.always.clear()
    fetch(corpus_of(publisher), tmp_path)
    assert tree(tmp_path) == all_of()
    assert publisher.ranges_of("s1.zip") == ["", "bytes=10000-", "bytes=50000-", "bytes=100000-"]


def test_killed_while_it_unpacks_it_is_gone_on_with(publisher: Publisher, tmp_path: Path) -> None:
    files = {f"s1/{k:04d}.dat": k.to_bytes(4, "big") * 100 for k in range(2_000)}
    publisher.files = {"s1.zip": packed(files)}
    item = corpus_of(publisher)
    process = started(item, tmp_path)
    wait_until(lambda: (tmp_path / "s1/0100.dat").exists())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    fetch(item, tmp_path)
    assert tree(tmp_path) == files  # and no draft beside them
    assert len(publisher.asked) == 1


def test_an_interrupt_waits_for_no_server_and_keeps_what_came(publisher: Publisher, tmp_path: Path) -> None:
    process = stalled(publisher, tmp_path, 30_000)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=120)[1]
    assert not publisher.gate.is_set()
    assert (tmp_path / ".fetch/s1.zip.part").read_bytes() == publisher.files["s1.zip"][:30_000]


def test_two_at_once_do_not_mix(publisher: Publisher, tmp_path: Path) -> None:
    process = stalled(publisher, tmp_path, 30_000)
    with pytest.raises(UseError, match="another fetch is at work in"):
        fetch(corpus_of(publisher), tmp_path)
    process.kill()
    process.communicate()
    publisher.always.clear()
    fetch(corpus_of(publisher), tmp_path)  # the lock went with it


def test_a_file_system_without_locks(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(*about: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", none)
    monkeypatch.delenv("V2S_QUIET")
    fetch(corpus_of(publisher), tmp_path)
    assert tree(tmp_path) == all_of()
    assert "without locks: let no other fetch work there" in capsys.readouterr().err


# ---------------------------------------------------------------- what the corpora say


@pytest.mark.parametrize("name", discover())
def test_every_corpus_says_how_it_is_had(name: str) -> None:
    access = discover()[name].access
    assert access.note.endswith(".")
    assert access.steps
    assert (name in OPEN) == bool(access.files)
    for file in access.files:
        assert file.url.startswith("https://")
        assert file.size or file.index or name == "hifitts"


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": "md5:abc"},
        {"digest": f"sha1:{'0' * 40}"},
        {"digest": f"md5:{'G' * 32}"},
        {"url": "ftp://host/file"},
        {"url": "https://host/"},
    ],
)
def test_a_remote_that_is_none(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"is not md5: or sha256:|is no http or https address"):
        Remote(**{"url": "https://host/file", "part": "x", **wrong})
    one = Remote(url="https://host/a/s%201.zip?download=1", part="x")
    assert one.name == "s 1.zip"
    with pytest.raises(ValueError, match="two files of one name"):
        Access(files=(one, replace(one, part="y")))


def packs(name: str, root: Path) -> dict[str, bytes]:
    """The files of a miniature, packed as their publisher packs them: name of the archive -> its bytes."""
    files = tree(root)
    if name == "grid":
        tops = {file.part for file in discover()[name].access.files} & {path.split("/")[0] for path in files}
        return {f"{top}.zip": packed({p: d for p, d in files.items() if p.startswith(f"{top}/")}) for top in tops}
    if name == "libritts":
        return {
            f"{part}.tar.gz": tarred(
                {f"LibriTTS/{path}": data for path, data in files.items() if part in path.split("/")}
            )
            for part in {file.part for file in discover()[name].access.files}
            if any(part in path.split("/") for path in files)
        }
    if name == "omceb":
        tops = {path.split("/")[0] for path in files}
        return {
            f"{top}.zip": packed({p.split("/")[1]: d for p, d in files.items() if p.startswith(f"{top}/")})
            for top in tops
        }
    return {discover()[name].access.files[0].name: packed(files) if name == "vctk" else tarred(files)}


def published(name: str, publisher: Publisher, tmp_path: Path) -> Corpus:
    """A corpus as it is, but that its files are its miniature's and lie at `publisher`."""
    item = discover()[name]
    fake(item.name, tmp_path / "fake")
    publisher.files = packs(name, tmp_path / "fake")
    index = publisher.publish_index()
    files = tuple(
        replace(file, url=publisher.url(file.name), size=None, digest="", index=index)
        for file in item.access.files
        if file.name in publisher.files
    )
    assert len(files) == len(publisher.files) - 1
    return replace(item, access=replace(item.access, files=files))


@pytest.mark.parametrize("name", OPEN)
def test_what_is_fetched_is_what_the_scan_reads(
    name: str, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item = published(name, publisher, tmp_path)
    monkeypatch.setattr(corpora, "discover", lambda: MappingProxyType({name: item}))
    monkeypatch.setenv("V2S_DATA", str(tmp_path / "lake"))
    assert cli.main(["fetch", name]) == 0
    wanted, found = item.scan(tmp_path / "fake"), item.scan(tmp_path / "lake" / name)
    assert [(clip.id, clip.text) for clip in found.clips] == [(clip.id, clip.text) for clip in wanted.clips]
    assert found.clips
    said = capsys.readouterr().out
    assert f"{name}: {len(item.access.files)} files fetched, 0 there already" in said
    assert f"there now: {len(found.clips)} clips" in said
    assert item.access.note in said
    assert said.endswith(f"next: v2sbench prepare {name}\n")


# ---------------------------------------------------------------- the command


def test_the_command_tells_what_a_person_should_know(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(corpora, "discover", lambda: {"toy": corpus_of(publisher, digest="")})
    put(tmp_path, "s1/b.dat", b"mine")
    publisher.faults["s2.zip"] = [Fault("corrupt", 5_000)]
    told = said(capsys, f"fetch toy --root {tmp_path} --speakers s1,s2").splitlines()
    assert told == [
        f"toy: 2 files fetched, 0 there already, in {tmp_path}",
        "came damaged and were fetched again: s2.zip",
        "no digest is published of s1.zip, s2.zip: only lengths and the archives' own check sums were compared",
        f"left as they lay there, with other bytes than the published ones: 1 files, e.g. {tmp_path}/s1/b.dat",
        "there now: 6 clips of 2 speakers, 0 unusable files; SPEAKER/*.dat",
        "CC0: any use.",
        f"next: v2sbench prepare toy --root {tmp_path}",
    ]
    listed = said(capsys, f"fetch toy --root {tmp_path} --list").splitlines()
    assert [line.endswith("here") for line in listed[2:5]] == [True, True, False]


def said(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> str:
    assert cli.main(shlex.split(line)) == code
    told = capsys.readouterr()
    return told.err if code else told.out


@pytest.mark.parametrize("name", [name for name in discover() if name not in OPEN])
def test_the_steps_to_what_cannot_be_fetched(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    item = discover()[name]
    told = said(capsys, f"fetch {name}")
    assert item.access.note in told
    assert all(f"{k}. {step}" in told for k, step in enumerate(item.access.steps, 1))
    assert (f"then: v2sbench prepare {name}" in told) == (not item.embedded)
    assert not list(tmp_path.iterdir())


def test_the_list_downloads_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(capsys, "fetch libritts --list")
    assert "train-other-500.tar.gz  41.5 GiB   sha256" in told
    assert "7 files, 78.4 GiB" in told
    told = said(capsys, "fetch grid --list --speakers s2,s1")
    assert [line.split()[0] for line in told.splitlines()[2:5]] == ["s1", "s2", "alignments"]
    assert "3 files, sizes unknown" in told
    assert "none published" in said(capsys, "fetch hifitts --list")
    assert "here" not in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fetch grit", "unknown corpus 'grit', did you mean 'grid'?"),
        ("fetch grid --speakers s21", "unknown speaker 's21'"),
        ("fetch grid --parts alignment", "unknown part 'alignment', did you mean 'alignments'?"),
        ("fetch grid --parts s1 --speakers s2", "not allowed with"),
        ("fetch grid --parts ,", "names nothing"),
        ("fetch vctk --speakers p225", "not cut by speaker"),
        ("fetch grid --job 3", "unknown option '--job', did you mean '--jobs'?"),
    ],
)
def test_a_mistake_is_one_line(
    line: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = said(capsys, line, code=2)
    assert told in text
    assert text.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_corpus_that_is_not_there_is_told_how_to_get(tmp_path: Path) -> None:
    for name, hint in (("grid", "v2sbench fetch grid downloads it"), ("lrw", "v2sbench fetch lrw says how to get it")):
        with pytest.raises(UseError, match=hint):
            corpora.root_of(discover()[name], tmp_path / "none")
    assert os.listdir(tmp_path) == []
