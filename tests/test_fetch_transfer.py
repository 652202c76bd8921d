"""One file over HTTP, from a server that misbehaves in every way that was thought of."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.publisher import Fault, Publisher
from v2sbench.runtime import UseError
from v2sbench.tools.fetch import transfer
from v2sbench.tools.fetch.transfer import Stopped, Web, download

DATA = random.Random(1).randbytes(300_000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSE", 0.001)
    monkeypatch.setattr(transfer, "TIMEOUT", (2.0, 2.0))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("V2S_QUIET", "1")


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(files={"file": DATA}) as running:
        yield running


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as used:
        yield used


def bring(publisher: Publisher, web: Web, part: Path, *, size: int | None = len(DATA), name: str = "file") -> int:
    """Download; the bytes that `advance` was told of."""
    told: list[int] = []
    download(web, publisher.url(name), part, size=size, advance=told.append)
    return sum(told)


# ---------------------------------------------------------------- what goes well in the end


@pytest.mark.parametrize("size", [len(DATA), None])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        [Fault("cut", 100_000)],
        [Fault("cut", 50_000)] * 5,
        [Fault("cut", 0), Fault("cut", 10)],
        [Fault("status", 503)] * 3,
        [Fault("status", 429, wait="0")],
        [Fault("moved")],
        [Fault("cut", 200_000), Fault("no-range")],
        [Fault("cut", 200_000), Fault("other-range")],
        [Fault("cut", 200_000), Fault("status", 500), Fault("moved")],
        [Fault("page"), Fault("page")],
        [Fault("length", 77)],
        [Fault("chunked")],
        [Fault("cut", 150_000), Fault("chunked")],
    ],
)
def test_the_file_comes_whole(
    faults: list[Fault], size: int | None, publisher: Publisher, web: Web, tmp_path: Path
) -> None:
    publisher.faults["file"] = list(faults)
    part = tmp_path / "file.part"
    assert bring(publisher, web, part, size=size) == len(DATA)  # what was thrown away is taken back
    assert part.read_bytes() == DATA


def test_a_cut_transfer_is_gone_on_with(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    publisher.faults["file"] = [Fault("cut", 100_000), Fault("cut", 50_000)]
    bring(publisher, web, tmp_path / "file.part")
    assert publisher.ranges_of("file") == ["", "bytes=100000-", "bytes=150000-"]
    assert {tag for _, asked, tag in publisher.asked if asked} == {json.loads(
        (tmp_path / "file.origin").read_text(encoding="utf-8"))["validator"]}  # fmt: skip


def test_what_an_earlier_process_brought_is_kept(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    publisher.always["file"] = Fault("cut", 0)
    publisher.faults["file"] = [Fault("cut", 120_000)]
    with pytest.raises(UseError, match=r"120000 of 300000|connection broke"):
        bring(publisher, web, part)
    assert part.stat().st_size == 120_000
    publisher.always.clear()
    assert bring(publisher, web, part) == 180_000
    assert part.read_bytes() == DATA


def test_all_of_it_is_here_already(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    bring(publisher, web, part)
    publisher.asked.clear()
    assert bring(publisher, web, part) == 0
    assert publisher.asked == []
    assert bring(publisher, web, part, size=None) == 0  # the server has to say that there is no more
    assert publisher.ranges_of("file") == [f"bytes={len(DATA)}-"]
    assert part.read_bytes() == DATA


@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_changed_is_begun_anew(etags: bool, publisher: Publisher, web: Web, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    publisher.etags = etags
    publisher.faults["file"] = [Fault("cut", 100_000)]
    publisher.always["file"] = Fault("status", 503)
    with pytest.raises(UseError, match="answers 503"):
        bring(publisher, web, part, size=None)
    publisher.always.clear()
    publisher.files["file"] = other = random.Random(2).randbytes(200_000)
    bring(publisher, web, part, size=None)
    assert part.read_bytes() == other


def test_bytes_of_another_address_are_thrown_away(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    publisher.files["old"] = bytes(100_000)
    bring(publisher, web, part, size=None, name="old")
    assert bring(publisher, web, part) == len(DATA) - 100_000
    assert part.read_bytes() == DATA
    (tmp_path / "file.origin").unlink()  # or of nobody knows what
    part.write_bytes(bytes(5))
    bring(publisher, web, part)
    assert part.read_bytes() == DATA


# ---------------------------------------------------------------- what does not


@pytest.mark.parametrize(
    ("fault", "size", "said"),
    [
        (Fault("status", 503), None, r"the server answers 503 \(6 times in a row\)"),
        (Fault("page"), None, "a web page came instead of the file"),
        (Fault("truncated"), len(DATA), "the server offers 150000 bytes where 300000 are published"),
        (Fault("length", -100), len(DATA), "offers 299900 bytes where 300000 are published"),
        (Fault("chunked"), 1000, "more came than the 1000 bytes"),
    ],
)
def test_what_stays_wrong_is_given_up(
    fault: Fault, size: int | None, said: str, publisher: Publisher, web: Web, tmp_path: Path
) -> None:
    publisher.always["file"] = fault
    with pytest.raises(UseError, match=said):
        bring(publisher, web, tmp_path / "file.part", size=size)
    assert len(publisher.asked) == transfer.TRIES


@pytest.mark.parametrize("size", [len(DATA), None])
def test_the_same_first_bytes_again_are_no_progress(
    size: int | None, publisher: Publisher, web: Web, tmp_path: Path
) -> None:
    publisher.ranges = False
    publisher.always["file"] = Fault("cut", 200_000)
    with pytest.raises(UseError, match=r"broke.*\(6 times in a row\)"):
        bring(publisher, web, tmp_path / "file.part", size=size)
    assert len(publisher.asked) == 1 + transfer.TRIES
    publisher.always.clear()
    bring(publisher, web, tmp_path / "file.part", size=size)
    assert (tmp_path / "file.part").read_bytes() == DATA


def test_without_any_mark_of_the_file_it_is_begun_anew(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    publisher.etags = False
    publisher.faults["file"] = [Fault("chunked-cut")]
    bring(publisher, web, tmp_path / "file.part", size=None)
    assert publisher.ranges_of("file") == ["", ""]
    assert (tmp_path / "file.part").read_bytes() == DATA


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(status: int, publisher: Publisher, web: Web, tmp_path: Path) -> None:
    publisher.always["file"] = Fault("status", status)
    with pytest.raises(UseError, match=f"the server answers {status} .* for http://127"):
        bring(publisher, web, tmp_path / "file.part")
    assert len(publisher.asked) == 1


def test_an_error_page_costs_nothing_of_what_is_here(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    publisher.faults["file"] = [Fault("cut", 250_000)]
    publisher.always["file"] = Fault("page")
    with pytest.raises(UseError, match="web page"):
        bring(publisher, web, part)
    assert part.stat().st_size == 250_000


def test_nobody_answers(web: Web, tmp_path: Path) -> None:
    with Publisher() as gone:
        url = gone.url("file")
    with pytest.raises(UseError, match=r"refused.*\(6 times in a row\)"):
        download(web, url, tmp_path / "file.part", size=None, advance=lambda size: None)
    with pytest.raises(UseError, match="cannot fetch http://"):
        web.text("http://")


def test_told_to_stop(publisher: Publisher, tmp_path: Path) -> None:
    stop = Event()
    publisher.always["file"] = Fault("trickle")
    with Web(stop=stop) as web, pytest.raises(Stopped):
        download(web, publisher.url("file"), tmp_path / "file.part", size=None, advance=lambda size: stop.set())
    assert 0 < (tmp_path / "file.part").stat().st_size < len(DATA)


def test_waits_as_long_as_it_is_told_and_says_so(
    publisher: Publisher, web: Web, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("V2S_QUIET")
    waited: list[float] = []
    monkeypatch.setattr(Web, "pause", lambda self, seconds=0: waited.append(seconds))
    monkeypatch.setattr(transfer, "PAUSE", 1.0)
    publisher.faults["file"] = [
        Fault("status", 503), Fault("status", 503), Fault("status", 429, wait="7"), Fault("status", 503, wait="3600"),
    ]  # fmt: skip
    web.text(publisher.url("file"))
    assert waited == [1.0, 2.0, 7.0, transfer.LONGEST_PAUSE]
    said = capsys.readouterr().err.splitlines()
    assert said[2] == f"{publisher.url('file')}: the server answers 429; asking again in 7 s"
    assert len(said) == 4


def test_a_server_may_call_an_archive_compressed(publisher: Publisher, web: Web, tmp_path: Path) -> None:
    """Some say `Content-Encoding: gzip` of a .tar.gz: what lies there is what is kept."""
    publisher.always["file"] = Fault("gzip")
    bring(publisher, web, tmp_path / "file.part", size=None)
    assert gzip.decompress((tmp_path / "file.part").read_bytes()) == DATA


def test_sizes(publisher: Publisher, web: Web) -> None:
    assert web.size(publisher.url("file")) == len(DATA)
    assert web.size(publisher.url("none")) is None
