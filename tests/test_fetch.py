"""Fetching a corpus: from a publisher on this machine to a scan, by way of everything that can go wrong between."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.miniatures import fake
from tests.publisher import Fault, Publisher, packed, tarred, toy
from tests.trees import ROOT, put
from v2sbench import cli, corpora
from v2sbench.corpora import Access, Corpus, Remote, discover
from v2sbench.runtime import CheckError, UseError
from v2sbench.tools import fetch as fetching
from v2sbench.tools import transfer
from v2sbench.tools.fetch import chosen, fetch, read_index
from v2sbench.tools.transfer import DamagedError, download, unpack

DRAW = random.Random(1)
SPEAKERS = {f"s{k}": {f"s{k}/{name}.dat": DRAW.randbytes(40_000) for name in "abc"} for k in (1, 2, 3)}
FILES = {"s1/a.dat": b"one" * 1000, "s1/b.dat": b"", "s2/deep/er/c.dat": bytes(range(256))}
MADE = {"a.zip": packed(FILES), "a.tar.gz": tarred(FILES)}
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


def corpus_of(publisher: Publisher, **changes: object) -> Corpus:
    """The three speakers' archives, each with its digest and size."""
    return toy(*(
        replace(Remote(url=publisher.url(name), part=name[:2], speaker=name[:2], size=len(data),
                       digest=f"sha256:{hashlib.sha256(data).hexdigest()}"), **changes)  # type: ignore[arg-type]
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


# ---------------------------------------------------------------- the whole way


def test_everything_comes_and_what_is_there_is_not_fetched_again(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    report = fetch(item, tmp_path)
    assert tree(tmp_path) == all_of()
    assert (report.fetched, report.present) == (("s1.zip", "s2.zip", "s3.zip"), ())
    assert (report.unverified, report.damaged, len(report.scan.clips)) == ((), (), 9)
    assert state(tmp_path) == {"s1.zip.done", "s2.zip.done", "s3.zip.done"}
    publisher.asked.clear()
    again = fetch(item, tmp_path)
    assert (again.fetched, again.present) == ((), ("s1.zip", "s2.zip", "s3.zip"))
    assert publisher.asked == []
    (tmp_path / "s2/b.dat").unlink()
    assert fetch(item, tmp_path).fetched == ("s2.zip",)
    assert tree(tmp_path) == all_of()


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


def test_archives_are_kept_on_demand_and_taken_when_they_are_there(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    fetch(item, tmp_path / "a", keep=True)
    for name in publisher.files:
        put(tmp_path / "b/.fetch", name, (tmp_path / "a/.fetch" / name).read_bytes())
    put(tmp_path / "b/.fetch", "s2.zip", publisher.files["s2.zip"][:-1])  # cut while it was copied
    publisher.asked.clear()
    fetch(item, tmp_path / "b")
    assert tree(tmp_path / "b") == all_of()
    assert [name for name, _ in publisher.asked] == ["s2.zip"]


def test_a_file_that_is_no_archive_and_one_with_a_folder_of_its_own(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files = {"wavs.zip": packed({"x.dat": b"x"}), "index.csv": b"a,b\n"}
    zipped, table = corpus_of(publisher).access.files
    item = toy(replace(zipped, into="wavs"), table)
    fetch(item, tmp_path)
    assert tree(tmp_path) == {"index.csv": b"a,b\n", "wavs/x.dat": b"x"}
    assert fetch(item, tmp_path).fetched == ()


def test_a_bad_line(publisher: Publisher, tmp_path: Path) -> None:
    publisher.faults = {
        "s1.zip": [Fault("cut", 30_000), Fault("status", 503), Fault("no-range")],
        "s2.zip": [Fault("corrupt", 5_000), Fault("cut", 10)],
        "s3.zip": [Fault("moved"), Fault("page"), Fault("cut", 40_000), Fault("other-range")],
    }
    report = fetch(corpus_of(publisher), tmp_path, jobs=3)
    assert tree(tmp_path) == all_of()
    assert report.damaged == ("s2.zip",)


@pytest.mark.parametrize("digest", [True, False])
def test_bytes_that_stay_bad_are_refused(digest: bool, publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher) if digest else corpus_of(publisher, digest="")
    publisher.always["s2.zip"] = Fault("corrupt", 5_000)
    with pytest.raises(CheckError, match=r"1 of 3 files .* s2\.zip: arrived damaged 3 times.*bad: .*(sha256|CRC)"):
        fetch(item, tmp_path)
    assert tree(tmp_path) == all_of("s1", "s3")  # the others came
    assert "s2.zip.bad" in state(tmp_path)
    assert len(publisher.ranges_of("s2.zip")) == fetching.DAMAGED
    publisher.always.clear()
    report = fetch(item, tmp_path)
    assert report.fetched == ("s2.zip",)
    assert report.unverified == (() if digest else ("s2.zip",))
    assert tree(tmp_path) == all_of()


def test_nothing_of_the_users_is_overwritten(publisher: Publisher, tmp_path: Path) -> None:
    put(tmp_path, "s1/b.dat", b"mine")
    (tmp_path / "s2").mkdir()
    (tmp_path / "s2/a.dat").symlink_to(tmp_path / "elsewhere")
    assert set(fetch(corpus_of(publisher), tmp_path).kept) == {f"{tmp_path}/s1/b.dat", f"{tmp_path}/s2/a.dat"}
    assert (tmp_path / "s1/b.dat").read_bytes() == b"mine"
    assert not (tmp_path / "elsewhere").exists()
    put(tmp_path / "other", "s1", b"a file")
    with pytest.raises(UseError, match="other/s1 is no folder"):
        fetch(corpus_of(publisher), tmp_path / "other", parts=["s1"])


def test_archives_may_share_a_note_and_hold_leftovers(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files = {
        f"s{k}.zip": packed({"NOTE.txt": b"n" * 50_000, f"s{k}/a.dat": b"a", "__MACOSX/x": b"x", "s1/.DS_Store": b"x"})
        for k in range(6)
    }
    assert fetch(corpus_of(publisher), tmp_path, jobs=6).kept == ()
    assert set(tree(tmp_path)) == {"NOTE.txt", *(f"s{k}/a.dat" for k in range(6))}
    publisher.files = {"s7.zip": packed({"__MACOSX/x": b"x"})}
    with pytest.raises(CheckError, match="has no file in it"):
        fetch(corpus_of(publisher), tmp_path)


def test_names_that_are_no_text(publisher: Publisher, tmp_path: Path) -> None:
    publisher.files = {"s1.tar.gz": tarred({os.fsdecode(b"s1/\xff.dat"): b"x"})}
    item = corpus_of(publisher)
    put(tmp_path, os.fsdecode(b"s1/\xff.dat"), b"mine")
    assert fetch(item, tmp_path).kept == (rf"{tmp_path}/s1/\xff.dat",)
    assert fetch(item, tmp_path).fetched == ()


def test_a_list_read_now_is_what_counts(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher, digest="", size=None, index=publisher.publish_index())
    publisher.faults = {"s1.zip": [Fault("corrupt", 9_000)], "index": [Fault("status", 500), Fault("cut", 9)]}
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


def test_lines_of_digests() -> None:
    lines = f"{'c' * 32}  dev-clean.tar.gz\n{'D' * 64} *./sub/x.zip\n\nnot a line\n"
    assert read_index(lines, "url") == {
        "dev-clean.tar.gz": (None, f"md5:{'c' * 32}"),
        "x.zip": (None, f"sha256:{'d' * 64}"),
    }


def test_no_room_is_said_before_anything_is_asked_for(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage(1, 1, fetching.MARGIN + 10))
    with pytest.raises(UseError, match=r"not enough room in .* free, about .* MiB needed for 3 files"):
        fetch(corpus_of(publisher), tmp_path)
    assert publisher.asked == []


def test_a_full_disk_is_said(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*about: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "unpack", full)
    with pytest.raises(UseError, match=r"the disk of .* is full"):
        fetch(corpus_of(publisher), tmp_path)


# ---------------------------------------------------------------- killed

PROGRAM = """
import signal
import sys
from pathlib import Path
from tests.publisher import toy
from v2sbench.corpora import Remote
from v2sbench.tools.fetch import fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
files = [Remote(url=url, part=url[-6:-4], size=int(size), digest=digest)
         for url, size, digest in (line.split() for line in sys.argv[2:])]
fetch(toy(*files), Path(sys.argv[1]), jobs=2)
"""


def wait_until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def stalled(publisher: Publisher, root: Path, where: int) -> subprocess.Popen[str]:
    """A fetch in another process, of which two files have come up to byte `where` and no further."""
    publisher.always = dict.fromkeys(publisher.files, Fault("stall", where))
    lines = [f"{file.url} {file.size} {file.digest}" for file in corpus_of(publisher).access.files]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(root), *lines], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    parts = [root / ".fetch" / f"{name}.part" for name in ("s1.zip", "s2.zip")]
    wait_until(lambda: all(part.exists() and part.stat().st_size == where for part in parts))
    return process


def test_killed_again_and_again_it_is_gone_on_with(publisher: Publisher, tmp_path: Path) -> None:
    for where in (10_000, 100_000):
        process = stalled(publisher, tmp_path, where)
        with pytest.raises(UseError, match="another fetch is at work in"):
            fetch(corpus_of(publisher), tmp_path)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = stalled(publisher, tmp_path, 110_000)
    process.send_signal(signal.SIGINT)  # which waits for no server
    assert "KeyboardInterrupt" in process.communicate(timeout=120)[1]
    assert not publisher.gate.is_set()
    publisher.always.clear()
    fetch(corpus_of(publisher), tmp_path)
    assert tree(tmp_path) == all_of()
    assert publisher.ranges_of("s1.zip") == ["", "bytes=10000-", "bytes=100000-", "bytes=110000-"]


def test_killed_while_it_unpacks_it_begins_that_anew(publisher: Publisher, tmp_path: Path) -> None:
    item = corpus_of(publisher)
    fetch(item, tmp_path, parts=["s1"], keep=True)
    (tmp_path / ".fetch/s1.zip.done").unlink()
    (tmp_path / "s1/c.dat").unlink()
    put(tmp_path / ".fetch/s1.zip.draft", "s1/c.dat", b"half")
    publisher.asked.clear()
    assert fetch(item, tmp_path, parts=["s1"]).kept == ()
    assert tree(tmp_path) == all_of("s1")
    assert publisher.asked == []


# ---------------------------------------------------------------- one download


@pytest.mark.parametrize(
    ("fault", "asked", "said"),
    [
        (Fault("status", 404), 1, "the server answers 404 .* for http://127"),
        (Fault("status", 503), 6, r"the server answers 503 \(6 times in a row\)"),
        (Fault("page"), 6, "a web page came instead of the file"),
    ],
)
def test_what_stays_wrong_is_given_up_and_costs_nothing_of_what_is_here(
    fault: Fault, asked: int, said: str, publisher: Publisher, tmp_path: Path
) -> None:
    part = put(tmp_path, "file.part", publisher.files["s1.zip"][:50_000])
    publisher.always["s1.zip"] = fault
    with pytest.raises(UseError, match=said):
        download(publisher.url("s1.zip"), part)
    assert part.stat().st_size == 50_000
    assert len(publisher.asked) == asked


def test_another_length_than_the_published_one(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(UseError, match="bytes where 7 are published"):
        download(publisher.url("s1.zip"), tmp_path / "file.part", size=7)


def test_nobody_answers(tmp_path: Path) -> None:
    with Publisher() as gone:
        url = gone.url("file")
    with pytest.raises(UseError, match=r"refused \(6 times in a row\)$"):
        download(url, tmp_path / "file.part")


def test_the_same_first_bytes_again_are_no_progress(publisher: Publisher, tmp_path: Path) -> None:
    publisher.faults["s1.zip"] = [Fault("cut", 20_000)]
    publisher.always["s1.zip"] = Fault("cut", 0)
    with pytest.raises(UseError, match=r"\(6 times in a row\)"):
        download(publisher.url("s1.zip"), tmp_path / "file.part")
    assert len(publisher.asked) == 1 + transfer.TRIES


def test_all_of_it_is_here_and_the_progress_adds_up(publisher: Publisher, tmp_path: Path) -> None:
    data, part, told = publisher.files["s1.zip"], tmp_path / "file.part", []
    publisher.faults["s1.zip"] = [Fault("cut", 30_000), Fault("other-range"), Fault("encoded")]
    for _ in range(2):  # without a published size the server has to say that there is no more
        download(publisher.url("s1.zip"), part, advance=told.append)
        assert part.read_bytes() == data
    assert sum(told) == len(data)  # what was thrown away is taken back


def test_waits_as_long_as_it_is_told(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", waited.append)
    publisher.faults["s1.zip"] = [Fault("status", 429, wait="7"), Fault("status", 503, wait="3600")]
    download(publisher.url("s1.zip"), tmp_path / "file.part")
    assert waited == [7.0, transfer.LONGEST_PAUSE]


# ---------------------------------------------------------------- archives from elsewhere


@pytest.mark.parametrize("name", ["../x", "/etc/x", "s1/../../x", "a\\..\\..\\x", "a\nb"])
def test_nothing_leaves_the_folder(name: str, tmp_path: Path) -> None:
    made = {"a.zip": packed({name: b"bad"})}
    if "\\" not in name:  # in a tar, that is part of a name
        made["a.tar.gz"] = tarred({name: b"bad"})
    for archive, data in made.items():
        with pytest.raises(UseError, match="would lie outside of the folder"):
            unpack(put(tmp_path, archive, data), tmp_path / f"deep/{archive}")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == set(made)


def test_links_devices_and_secrets_are_refused(tmp_path: Path) -> None:
    made = {}
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        info = tarfile.TarInfo("s1/x")
        info.type, info.linkname = kind, "a.dat"
        made[f"{kind.decode()}.tar.gz"] = tarred({}, info)
    link = zipfile.ZipInfo("s1/x")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
    made["link.zip"] = buffer.getvalue()
    secret = bytearray(packed({"s1/x": b"secret"}))
    secret[secret.index(b"PK\x01\x02") + 8] |= 1
    made["secret.zip"] = bytes(secret)
    for name, data in made.items():
        with pytest.raises(UseError, match="'s1/x' in it is a link, a device or encrypted"):
            unpack(put(tmp_path, name, data), tmp_path / "out" / name)


@pytest.mark.parametrize("name", MADE)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_harmless(name: str, where: float, bit: int, tmp_path_factory) -> None:
    """Check sums cover the content; a bit of a name, a date or padding may pass, and then the content is right."""
    folder = tmp_path_factory.mktemp("flip")
    data = bytearray(MADE[name])
    data[int(where * len(data))] ^= 1 << bit
    try:
        unpack(put(folder, name, bytes(data)), folder / "out")
    except (DamagedError, UseError, OSError):
        return
    assert set(tree(folder / "out").values()) <= set(FILES.values())


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("data", [b"", b"<html>no such page</html>" * 100, None])
def test_what_is_no_whole_archive_is_damaged(name: str, data: bytes | None, tmp_path: Path) -> None:
    cut = MADE[name][: len(MADE[name]) // 2]
    with pytest.raises(DamagedError):
        unpack(put(tmp_path, name, cut if data is None else data), tmp_path / "out")


def test_a_huge_header_takes_no_memory(tmp_path: Path) -> None:
    """A pax header of 2 GB is read by tarfile in one piece; packed, it has 2 MB."""
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 256 << 20
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as handle:
        handle.write(info.tobuf())
        for _ in range(8):
            handle.write(bytes(32 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DamagedError, match="a header of"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


# ---------------------------------------------------------------- what the corpora say


@pytest.mark.parametrize("name", discover())
def test_every_corpus_says_how_it_is_had(name: str) -> None:
    access = discover()[name].access
    assert access.note.endswith(".")
    assert access.steps
    assert (name in OPEN) == bool(access.files)
    assert all(file.url.startswith("https://") for file in access.files)
    assert all(file.size or file.index or name == "hifitts" for file in access.files)


@pytest.mark.parametrize(
    "wrong", [{"digest": "md5:abc"}, {"digest": f"sha1:{'0' * 40}"}, {"url": "ftp://host/file"}, {"url": "https://h/"}]
)
def test_a_remote_that_is_none(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"is not md5: or sha256:|is no http or https address"):
        Remote(**{"url": "https://host/file", "part": "x", **wrong})
    one = Remote(url="https://host/a/s%201.zip?download=1", part="x")
    assert one.name == "s 1.zip"
    with pytest.raises(ValueError, match="two files of one name"):
        Access(files=(one, replace(one, part="y")))


def packs(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of a miniature, packed as their publisher packs them: name of the archive -> its bytes."""
    parts = {file.part for file in discover()[name].access.files}
    tops = {
        top: {p: d for p, d in files.items() if p.startswith(f"{top}/")} for top in {p.split("/")[0] for p in files}
    }
    if name == "grid":
        return {f"{top}.zip": packed(content) for top, content in tops.items() if top in parts}
    if name == "omceb":
        return {f"{top}.zip": packed({p.split("/")[1]: d for p, d in content.items()}) for top, content in tops.items()}
    if name == "libritts":
        of = {part: {f"LibriTTS/{p}": d for p, d in files.items() if part in p.split("/")} for part in parts}
        return {f"{part}.tar.gz": tarred(content) for part, content in of.items() if content}
    return {discover()[name].access.files[0].name: packed(files) if name == "vctk" else tarred(files)}


@pytest.mark.parametrize("name", OPEN)
def test_what_is_fetched_is_what_the_scan_reads(name: str, publisher: Publisher, tmp_path: Path) -> None:
    item = discover()[name]
    fake(name, tmp_path / "fake")
    publisher.files = packs(name, tree(tmp_path / "fake"))
    index = publisher.publish_index()
    files = tuple(
        replace(file, url=publisher.url(file.name), size=None, digest="", index=index)
        for file in item.access.files
        if file.name in publisher.files
    )
    found = fetch(replace(item, access=replace(item.access, files=files)), tmp_path / "lake").scan
    wanted = item.scan(tmp_path / "fake")
    assert [(clip.id, clip.text) for clip in found.clips] == [(clip.id, clip.text) for clip in wanted.clips]
    assert found.clips


# ---------------------------------------------------------------- the command


def said(capsys: pytest.CaptureFixture[str], line: str, code: int = 0) -> str:
    assert cli.main(line.split()) == code
    told = capsys.readouterr()
    return told.err if code else told.out


def test_the_command_tells_what_a_person_should_know(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(corpora, "discover", lambda: {"toy": corpus_of(publisher, digest="")})
    put(tmp_path, "s1/b.dat", b"mine")
    publisher.faults["s2.zip"] = [Fault("corrupt", 5_000)]
    told = said(capsys, f"fetch toy --root {tmp_path} --speakers s1,s2")
    for fact in (
        "2 files fetched, 0 there already", "fetched again: s2.zip", "digest is published", f"{tmp_path}/s1/b.dat",
        "6 clips of 2 speakers", "CC0: any use.", f"next: v2sbench prepare toy --root {tmp_path}",
    ):  # fmt: skip
        assert fact in told
    listed = said(capsys, f"fetch toy --root {tmp_path} --list").splitlines()
    assert [line.endswith("here") for line in listed[2:5]] == [True, True, False]


@pytest.mark.parametrize("name", [name for name in discover() if name not in OPEN])
def test_the_steps_to_what_cannot_be_fetched(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    item = discover()[name]
    told = said(capsys, f"fetch {name} --root {tmp_path}")
    assert item.access.note in told
    assert all(step in told for step in item.access.steps)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UseError, match="cannot be downloaded"):
        fetch(item, tmp_path)


def test_the_list_downloads_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = said(capsys, f"fetch libritts --list --root {tmp_path}")
    assert "train-other-500.tar.gz  41.5 GiB   sha256" in told
    assert "7 files, 78.4 GiB" in told
    assert "3 files, sizes unknown" in said(capsys, f"fetch grid --list --speakers s2,s1 --root {tmp_path}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fetch grit", "did you mean 'grid'?"),
        ("fetch grid --speakers s21", "unknown speaker 's21'"),
        ("fetch grid --parts alignment", "unknown part 'alignment', did you mean 'alignments'?"),
        ("fetch vctk --speakers p225", "not cut by speaker"),
        ("fetch grid --jobs 0", "at least 1"),
    ],
)
def test_a_mistake_is_one_line(line: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = said(capsys, f"{line} --root {tmp_path}", code=2)
    assert told in text
    assert text.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_corpus_that_is_not_there_is_told_how_to_get(tmp_path: Path) -> None:
    for name, hint in (("grid", "v2sbench fetch grid downloads it"), ("lrw", "v2sbench fetch lrw says how to get it")):
        with pytest.raises(UseError, match=hint):
            corpora.root_of(discover()[name], tmp_path / "none")
