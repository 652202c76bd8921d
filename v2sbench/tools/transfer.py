"""One file over HTTP, gone on with where it was cut; and an archive, unpacked without harm.

download(url, part)   bytes are appended to `part`; a later call asks for the rest (HTTP Range)
unpack(archive, into) only plain files, only below one folder
"""

from __future__ import annotations

import gzip
import os
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import requests
import urllib3

from v2sbench import __version__
from v2sbench.runtime import UseError

TRIES = 6  # connections in a row that bring nothing new before a file is given up
PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds to wait after a failure, doubled after each further one
TIMEOUT = (20.0, 60.0)  # seconds to wait for a connection, and for its next bytes
HEADER = 1 << 20  # most bytes that tarfile may ask for at once: a real header has some hundred
_CHUNK = 1 << 18
_BUSY = {408, 425, 429, 500, 502, 503, 504}  # answers after which the same question may be answered
_HEADERS = {"User-Agent": f"v2sbench/{__version__}", "Accept-Encoding": "identity"}


class DamagedError(Exception):
    """An archive is cut short, its own check sums disagree, or it is no archive at all."""


class _RetryError(Exception):
    """A connection failed; the next one may not. `wait`: seconds that the server asks for."""

    def __init__(self, reason: object, wait: float | None = None) -> None:
        super().__init__(" ".join(str(reason).split()))
        self.wait = wait


def say(text: str) -> None:
    """Print a line on stderr, above the progress bar."""
    if os.environ.get("V2S_QUIET") != "1":
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)


def size_of(url: str) -> int | None:
    """Bytes of a file as its server tells them; None when it does not."""
    try:
        response = requests.head(url, headers=_HEADERS, timeout=TIMEOUT, allow_redirects=True)
    except requests.RequestException:
        return None
    told = response.headers.get("Content-Length", "")
    return int(told) if response.status_code == 200 and told.isdigit() else None


def download(
    url: str, part: Path, *, size: int | None = None, advance: Callable[[int], object] = lambda count: None
) -> None:
    """Bring the file `part` up to all bytes of `url`. Whether they are the right ones is for a digest to say.

    size: bytes that are published; None if unknown. advance: called with the number of bytes that came, negative where
    some are thrown away. Raises UseError when the server refuses or fails `TRIES` times in a row without a new byte.
    """
    best, fruitless = _have(part), 0
    while _have(part) != size:
        try:
            _receive(url, part, size, advance)
            return
        except (requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects) as error:
            raise UseError(f"cannot fetch {url}: {_reason(error)}") from error
        except (_RetryError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            fruitless = 0 if _have(part) > best else fruitless + 1
            best = max(best, _have(part))
            reason = _reason(error)
            if fruitless == TRIES:
                raise UseError(f"{reason} ({TRIES} times in a row)") from error
            wait = error.wait if isinstance(error, _RetryError) else None
            pause = min(PAUSE * 2**fruitless if wait is None else wait, LONGEST_PAUSE)
            say(f"{url}: {reason}; asking again in {pause:.0f} s")
            time.sleep(pause)


def _reason(error: BaseException) -> str:
    """The innermost cause of a failed connection, in one line."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            return " ".join(str(error).split()) or type(error).__name__
        error = inner


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _receive(url: str, part: Path, size: int | None, advance: Callable[[int], object]) -> None:
    """One connection: append what it brings. Returns when the file is whole."""
    have = _have(part)
    asked = {**_HEADERS, "Range": f"bytes={have}-"} if have else _HEADERS
    with requests.get(url, headers=asked, stream=True, timeout=TIMEOUT) as response:
        status, told = response.status_code, response.headers
        if status in _BUSY:
            wait = told.get("Retry-After", "")
            raise _RetryError(f"the server answers {status}", float(wait) if wait.isdigit() else None)
        span = told.get("Content-Range", "")  # "bytes 7-9/10", or "bytes */10" for a 416
        if status == 416 and size is None and span == f"bytes */{have}":
            return
        if status == 416 or (status == 206 and not span.startswith(f"bytes {have}-")):
            _clear(part, advance)
            raise _RetryError("the server sent other bytes than were asked for")
        if status not in (200, 206):
            raise UseError(f"the server answers {status} {response.reason} for {url}")
        if told.get("Content-Type", "").startswith("text/html"):
            raise _RetryError("a web page came instead of the file")
        length = told.get("Content-Length", "")
        start = have if status == 206 else 0
        total = start + int(length) if length.isdigit() else None
        if size is not None and total not in (None, size):
            raise _RetryError(f"the server offers {total} bytes where {size} are published")
        if not start:
            _clear(part, advance)
        with open(part, "ab") as handle:
            while chunk := response.raw.read1(_CHUNK, decode_content=False):  # as sent, whatever Content-Encoding says
                handle.write(chunk)
                handle.flush()  # a kill loses none of them
                advance(len(chunk))
    total = total if size is None else size
    came = _have(part)
    if total is not None and came != total:
        if came > total:
            _clear(part, advance)
        raise _RetryError(f"{came} of {total} bytes came")


def _clear(part: Path, advance: Callable[[int], object]) -> None:
    advance(-_have(part))
    part.unlink(missing_ok=True)


# ---------------------------------------------------------------- archives


def is_archive(name: str) -> bool:
    """Whether a file of that name is to be unpacked."""
    return name.lower().endswith((".zip", ".tar.gz", ".tgz"))


class _SmallReads(gzip.GzipFile):
    """A .tar.gz whose headers are small: tarfile reads a header in one piece, and contents in little ones."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= HEADER:
            raise DamagedError(f"a header of {size} bytes is in it")
        return super().read(size)


def unpack(archive: Path, into: Path) -> None:
    """Unpack a .zip or .tar.gz into the folder `into`, which is made, reading it to the end for its check sums.

    DamagedError when they disagree; UseError for a member that would leave the folder, or is a link, a device or
    encrypted; OSError when the disk is full.
    """
    into.mkdir(parents=True)
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as bundle:
                for info in bundle.infolist():
                    link = (info.external_attr >> 16) & 0o170000 not in (0, 0o100000, 0o040000)
                    info.filename = info.filename.replace("\\", "/")  # as some Windows programs pack them
                    _guard(archive, info.filename, plain=not link and not info.flag_bits & 1)
                    bundle.extract(info, into)
            return
        with _SmallReads(archive) as handle, tarfile.open(fileobj=handle, mode="r:") as tar:
            while (member := tar.next()) is not None:
                _guard(archive, member.name, plain=member.isfile() or member.isdir())
                tar.extract(member, into, filter="data")
                tar.members.clear()  # type: ignore[attr-defined]  # it keeps all of them, half a million in LibriTTS
            while handle.read(_CHUNK):
                pass
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise DamagedError(f"{archive.name} cannot be unpacked: {error}") from error
    except DamagedError as error:
        raise DamagedError(f"{archive.name} cannot be unpacked: {error}") from None
    except NotImplementedError as error:  # zipfile's word for a compression that it does not know
        raise UseError(f"{archive} cannot be unpacked here: {error}") from error


def _guard(archive: Path, name: str, *, plain: bool) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or "\n" in name:
        raise UseError(f"{archive} was not unpacked: {name!r} in it would lie outside of the folder")
    if not plain:
        raise UseError(f"{archive} was not unpacked: {name!r} in it is a link, a device or encrypted")
