"""One file over HTTP: gone on with where it was cut, begun anew where it changed, tried a bounded number of times.

    NAME.part     the bytes that are here so far
    NAME.origin   JSON: their address, and the ETag or date and the length of the file that they are of

Nothing but the two files carries state, so a transfer may be killed at any moment. ``Range`` asks for the rest, and
``If-Range`` for all of it should the file be another one by now; a server without ETags and dates is held to the
length. One that ignores ``Range`` sends all of it, which replaces what was here. What the bytes are worth is for the
digest to say, not for this module.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from v2sbench import __version__
from v2sbench.runtime import UseError, atomic

if TYPE_CHECKING:
    import requests


TRIES = 6
"""Connections in a row that bring nothing new before a file is given up."""
CHUNK = 1 << 18
"""Most bytes read at a time."""
TIMEOUT = (20.0, 60.0)
"""Seconds to wait for a connection, and for its next bytes."""
PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds to wait after the first failure, doubled after each further one; and the most of them."""
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same question may be answered."""
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class Stopped(Exception):
    """Another file failed for good, or the user interrupted: stop where you are."""


class _Failed(Exception):
    """A connection failed; the next may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Web:
    """A way to ask servers, for one thread: connections are kept between files."""

    stop: Event = field(default_factory=Event)
    """Set to make every transfer end at its next bytes."""
    session: requests.Session = field(default_factory=lambda: _session())

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *error: object) -> None:
        self.session.close()

    def ask(self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> requests.Response:
        """The answer, its body not read yet, redirections followed. _Failed where asking again may help."""
        import requests

        try:
            response = self.session.request(method, url, headers=headers, stream=True, timeout=TIMEOUT)
        except (requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects) as error:
            raise UseError(f"cannot fetch {url}: {_short(error)}") from error
        except requests.RequestException as error:
            raise _Failed(_short(error)) from error
        if response.status_code in _BUSY:
            response.close()
            raise _Failed(f"the server answers {response.status_code}", _seconds(response.headers.get("Retry-After")))
        return response

    def persist(self, url: str, attempt: Callable[[], bool]) -> None:
        """Call `attempt`, which asks for `url`, until it returns; TRIES failures in a row are one UseError.

        attempt: raises _Failed; returns whether everything is there, and false where only a part of it came.
        """
        fruitless = 0
        while True:
            try:
                if attempt():
                    return
                fruitless = 0
            except _Failed as error:
                fruitless += 1
                if fruitless >= TRIES:
                    raise UseError(f"{error} ({TRIES} times in a row)") from error
                pause = min(PAUSE * 2 ** (fruitless - 1) if error.wait is None else error.wait, LONGEST_PAUSE)
                say(f"{url}: {error}; asking again in {pause:.0f} s")
                self.pause(pause)

    def pause(self, seconds: float = 0) -> None:
        """Wait; Stopped when told to stop."""
        if self.stop.wait(seconds):
            raise Stopped

    def text(self, url: str) -> str:
        """A small text, as a publisher's list of digests; UseError when it cannot be had."""
        import requests

        found: list[str] = []

        def attempt() -> bool:
            with self.ask(url) as response:
                _refuse(response, url)
                try:
                    found.append(response.content.decode("utf-8", errors="replace"))  # here a server may compress
                except requests.RequestException as error:
                    raise _Failed(_short(error)) from error
            return True

        self.persist(url, attempt)
        return found[-1]

    def size(self, url: str) -> int | None:
        """Bytes of a file, as its server tells; None when it does not."""
        try:
            with self.ask(url, method="HEAD", headers={"Accept-Encoding": "identity"}) as response:
                told = response.headers.get("Content-Length", "")
                return int(told) if response.status_code == 200 and told.isdigit() else None
        except _Failed:
            return None


def say(text: str) -> None:
    """A line on stderr, above the progress bars."""
    if os.environ.get("V2S_QUIET") != "1":
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)


def _session() -> requests.Session:
    import requests

    session = requests.Session()
    session.headers["User-Agent"] = f"v2sbench/{__version__}"
    return session


def _short(error: Exception) -> str:
    """The innermost reason of an exception, in a line."""
    while isinstance(reason := getattr(error, "reason", None) or (error.args[0] if error.args else None), Exception):
        error = reason
    return " ".join(str(error).split()) or type(error).__name__


def _seconds(told: str | None) -> float | None:
    """Of a Retry-After; None for a date, which nobody here uses."""
    return float(told) if told is not None and told.strip().isdigit() else None


def _refuse(response: requests.Response, url: str) -> None:
    """UseError for an answer that will stay the same."""
    if response.status_code not in (200, 206):
        raise UseError(f"the server answers {response.status_code} {response.reason} for {url}")


def _body(response: requests.Response) -> Iterator[bytes]:
    """The bytes as they are sent, whatever Content-Encoding says of them; _Failed when the connection breaks."""
    import requests
    import urllib3

    try:
        while chunk := response.raw.read1(CHUNK, decode_content=False):  # what there is, without waiting for more
            yield chunk
    except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
        raise _Failed(f"the connection broke: {_short(error)}") from error


def download(web: Web, url: str, part: Path, *, size: int | None, advance: Callable[[int], None]) -> None:
    """Bring `part` to all the bytes of `url`.

    size: bytes that there must be, None when nobody knows; then the server's word is taken.
    advance: called with the bytes that came, negative where some that were here are thrown away.
    Raises UseError when it cannot be had, OSError when the disk does not take it, Stopped.
    """
    _Transfer(web=web, url=url, part=part, size=size, advance=advance).run()


@dataclass
class _Transfer:
    web: Web
    url: str
    part: Path
    size: int | None
    advance: Callable[[int], None]
    best: int = 0
    """Most bytes that were ever here: less is no progress, or a server without Range that always breaks is asked for
    ever.
    """

    @property
    def origin(self) -> Path:
        return self.part.with_suffix(".origin")

    @property
    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def run(self) -> None:
        known = self._known()
        if self.have and (known.get("url") != self.url or (self.size is not None and self.have > self.size)):
            self._clear()
        self.best = self.have
        self.web.persist(self.url, self._attempt)

    def _known(self) -> dict[str, Any]:
        """What is noted of the bytes that are here: url, validator ("" without one), total (None when unknown)."""
        try:
            told = json.loads(self.origin.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def _clear(self) -> None:
        self.advance(-self.have)
        self.part.unlink(missing_ok=True)
        self.origin.unlink(missing_ok=True)

    def _attempt(self) -> bool:
        """One connection. True: everything is here. False: more than ever before is."""
        if self.size is not None and self.have == self.size:
            return True
        try:
            return self._receive()
        except _Failed:
            if self.have > self.best:
                self.best = self.have
                return False
            raise

    def _receive(self) -> bool:
        headers = {"Accept-Encoding": "identity"}
        have, known = self.have, self._known()
        if have and (known.get("validator") or known.get("total")):
            headers["Range"] = f"bytes={have}-"
            if known.get("validator"):
                headers["If-Range"] = known["validator"]
        with self.web.ask(self.url, headers=headers) as response:
            if response.status_code == 416:
                return self._after_the_end(response)
            _refuse(response, self.url)
            total = self._total(response)
            if response.status_code == 200 and have:
                self._clear()
            if not self.part.exists():  # the note first: bytes without one are never gone on with
                note = {"url": self.url, "validator": _validator(response), "total": total}
                with atomic(self.origin) as draft:
                    draft.write_text(json.dumps(note), encoding="utf-8")
            self._write(response, total)
        if total is not None and self.have < total:
            raise _Failed(f"the connection ended after {self.have} of {total} bytes")
        return True

    def _total(self, response: requests.Response) -> int | None:
        """Bytes of the whole file, as far as one knows. _Failed, before anything is thrown away, when the answer cannot
        be of this file: an error page, another length, other bytes than were asked for.
        """
        told: int | None = None
        if response.status_code == 206:
            match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            told = int(match[2]) if match is not None and match[2] != "*" else None
            before = self._known().get("total")
            if match is None or match[1] != str(self.have) or (before and told and before != told):
                self._clear()
                raise _Failed("the server sent other bytes than were asked for")
        elif response.headers.get("Content-Length", "").isdigit():
            told = int(response.headers["Content-Length"])
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _Failed("a web page came instead of the file")
        if self.size is not None and told is not None and told != self.size:
            raise _Failed(f"the server offers {told} bytes where {self.size} are published")
        return self.size if self.size is not None else told

    def _after_the_end(self, response: requests.Response) -> bool:
        """The server has nothing behind the bytes that are here: they are all, or not of this file."""
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if self.size is None and match is not None and match[2] == str(self.have):
            return True
        self._clear()
        raise _Failed("the server's file ends before what is here")

    def _write(self, response: requests.Response, total: int | None) -> None:
        with open(self.part, "ab") as handle:
            for chunk in _body(response):
                self.web.pause()
                if total is not None and handle.tell() + len(chunk) > total:
                    handle.close()
                    self._clear()
                    raise _Failed(f"more came than the {total} bytes of the file")
                handle.write(chunk)
                handle.flush()  # a kill loses none of it
                self.advance(len(chunk))


def _validator(response: requests.Response) -> str:
    """What If-Range may name: a strong ETag, else the date; "" without either."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else str(response.headers.get("Last-Modified", ""))
