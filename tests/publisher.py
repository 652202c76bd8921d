"""A publisher of corpora on this machine: an HTTP server that misbehaves as it is told, and a corpus to give out."""

from __future__ import annotations

import gzip
import io
import json
import socket
import tarfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Literal
from urllib.parse import urlsplit

from v2sbench.corpora import Clip, Corpus, Scan, Split
from v2sbench.corpora.remote import Access, Remote

Kind = Literal[
    "cut",
    "corrupt",
    "no-range",
    "other-range",
    "status",
    "length",
    "page",
    "moved",
    "trickle",
    "chunked",
    "gzip",
    "stall",
    "chunked-cut",
    "truncated",
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer."""

    kind: Kind
    value: int = 0
    """cut: bytes that are sent. corrupt: which one is flipped. status: the code. length: how much it is off.
    stall: bytes of the file after which the server falls silent.
    """
    wait: str = ""
    """Retry-After, of a status."""


@dataclass
class Publisher:
    """A running server. Use as a context manager."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Name -> content."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """Name -> what goes wrong with its next GETs, one each; then they go well."""
    always: dict[str, Fault] = field(default_factory=dict)
    """Name -> what goes wrong with each further GET."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, Range and If-Range of every GET."""
    etags: bool = True
    """Whether files have one."""
    ranges: bool = True
    """Whether it knows Range."""
    gate: Event = field(default_factory=Event)
    """What a stalled answer waits for."""

    def __enter__(self) -> Publisher:
        publisher = self

        class Handler(_Handler):
            owner = publisher

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *about: None  # type: ignore[method-assign]  # clients leave, which is meant
        self.server.block_on_close = False
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{name}"

    def ranges_of(self, name: str) -> list[str]:
        """The Range of every GET of a file."""
        return [asked for file, asked, _ in self.asked if file == name]

    def publish_index(self, name: str = "index") -> str:
        """Put a record as Zenodo's there, of all files; returns its address."""
        record = [
            {"key": file, "size": len(data), "checksum": f"md5:{md5(data).hexdigest()}"}
            for file, data in self.files.items()
        ]
        self.files[name] = json.dumps({"files": record}).encode()
        return self.url(name)


class _Handler(BaseHTTPRequestHandler):
    owner: Publisher
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        name = urlsplit(self.path).path.lstrip("/")
        fault = None
        asked = self.headers.get("Range", "")
        if not head:
            self.owner.asked.append((name, asked, self.headers.get("If-Range", "")))
            fault = (self.owner.faults.get(name) or [None]).pop(0) or self.owner.always.get(name)
        data = self.owner.files.get(name)
        kind = fault.kind if fault else ""
        if data is None or (fault and kind == "status"):
            return self._plain(
                fault.value if fault else 404, {"Retry-After": fault.wait} if fault and fault.wait else {}
            )
        if kind == "moved":
            self.owner.files[f"elsewhere/{name}"] = data
            return self._plain(302, {"Location": f"/elsewhere/{name}"})
        if kind == "page":
            return self._plain(200, {"Content-Type": "text/html"}, b"<html>please log in</html>")
        etag = f'"{md5(data).hexdigest()}"'
        if fault and kind == "corrupt":
            data = data[: fault.value] + bytes([data[fault.value] ^ 1]) + data[fault.value + 1 :]
        if kind == "truncated":
            data = data[: len(data) // 2]
        self._send(data, etag, asked, fault, head=head)

    def _plain(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def _send(self, data: bytes, etag: str, asked: str, fault: Fault | None, *, head: bool) -> None:
        kind = fault.kind if fault else ""
        first = 0
        fresh = self.headers.get("If-Range", etag) == etag
        if asked and fresh and self.owner.ranges and kind != "no-range":
            first = int(asked.removeprefix("bytes=").rstrip("-"))
            if first >= len(data):
                return self._plain(416, {"Content-Range": f"bytes */{len(data)}"})
            if kind == "other-range":
                first //= 2
        body = data[first:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        if self.owner.etags:
            self.send_header("ETag", etag)
        if kind == "gzip":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        if kind.startswith("chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            sent = body[: len(body) // 2] if kind == "chunked-cut" else body + b"\r\n0\r\n\r\n"
            self.wfile.write(f"{len(body):x}\r\n".encode() + sent)
            self.close_connection = kind == "chunked-cut"
            return None
        off = fault.value if fault and kind == "length" else 0
        self.send_header("Content-Length", str(len(body) + off))
        self.end_headers()
        if head:
            return None
        if fault and kind == "cut":
            body = body[: fault.value]
        step = 4096 if kind == "trickle" else max(1, len(body))
        if fault and kind == "stall":
            self.wfile.write(body[: max(0, fault.value - first)])
            self.owner.gate.wait(20)
            body = body[max(0, fault.value - first) :]
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            self.wfile.write(piece[: len(piece) + min(0, off)])
            if kind == "trickle":
                time.sleep(0.002)
        if kind == "cut" or off:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        return None


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of these."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            bundle.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def scan(root: Path) -> Scan:
    """Every ``.dat`` file is a clip of the speaker whose folder it lies in."""
    found = sorted(root.glob("[!.]*/*.dat"))
    clips = [
        Clip(id=f"{path.parent.name}/{path.stem}", speaker=path.parent.name, media=path, text=None, video=False)
        for path in found
    ]
    return Scan(clips=tuple(clips), problems=(), layout="SPEAKER/*.dat")


def toy(*files: Remote) -> Corpus:
    """A corpus of these files."""
    part = Split(
        name="toy", corpus="toy", description="", identity="seen", expected={"train": None},
        subset=lambda clip: "train",
    )  # fmt: skip
    return Corpus(
        name="toy", title="Toy", licence="CC0", url="", kind="audio", scan=scan, splits=(part,), is_id=bool,
        access=Access(note="CC0: any use.", steps=("ask",), files=files),
    )  # fmt: skip
