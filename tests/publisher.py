"""A publisher of corpora on this machine: an HTTP server that misbehaves as it is told, and a corpus to give out."""

from __future__ import annotations

import io
import json
import socket
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from v2sbench.corpora import Access, Clip, Corpus, Remote, Scan, Split


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer.

    cut: the line breaks after `value` bytes. stall: the server falls silent after `value` bytes of the file. corrupt:
    byte `value` is flipped. status: the answer is `value`, with Retry-After `wait`. no-range: Range is not understood.
    other-range: other bytes come than were asked for. page: a web page comes. moved: a redirection.
    encoded: the content is said to be compressed.
    """

    kind: str
    value: int = 0
    wait: str = ""


@dataclass
class Publisher:
    """A running server. Use as a context manager."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)  # name -> of its next answers, one each
    always: dict[str, Fault] = field(default_factory=dict)  # name -> of all answers after those
    asked: list[tuple[str, str]] = field(default_factory=list)  # name and Range of every GET
    gate: Event = field(default_factory=Event)  # what a stalled answer waits for

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
        return [asked for file, asked in self.asked if file == name]

    def publish_index(self) -> str:
        """Add a record like Zenodo's, of all files; returns its address."""
        record = [
            {"key": file, "size": len(data), "checksum": f"md5:{md5(data).hexdigest()}"}
            for file, data in self.files.items()
        ]
        self.files["index"] = json.dumps({"files": record}).encode()
        return self.url("index")


class _Handler(BaseHTTPRequestHandler):
    owner: Publisher
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: object) -> None:
        pass

    def do_HEAD(self) -> None:
        data = self.owner.files.get(self.path.lstrip("/"))
        self._head(200 if data else 404, len(data or b""), {})

    def do_GET(self) -> None:
        name = urlsplit(self.path).path.lstrip("/")
        asked = self.headers.get("Range", "")
        self.owner.asked.append((name, asked))
        waiting = self.owner.faults.get(name)
        fault = waiting.pop(0) if waiting else self.owner.always.get(name, Fault(""))
        data = self.owner.files.get(name)
        if data is None or fault.kind == "status":
            return self._head(fault.value or 404, 0, {"Retry-After": fault.wait})
        if fault.kind == "moved":
            self.owner.files[f"elsewhere/{name}"] = data
            return self._head(302, 0, {"Location": f"/elsewhere/{name}"})
        if fault.kind == "page":
            self._head(200, 10, {"Content-Type": "text/html"})
            return self._body(b"<p>Log in.")
        if fault.kind == "corrupt":
            data = data[: fault.value] + bytes([data[fault.value] ^ 1]) + data[fault.value + 1 :]
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault.kind != "no-range" else 0
        if first >= len(data):
            return self._head(416, 0, {"Content-Range": f"bytes */{len(data)}"})
        if fault.kind == "other-range":
            first //= 2
        span = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        encoding = {"Content-Encoding": "gzip"} if fault.kind == "encoded" else {}
        self._head(206 if first else 200, len(data) - first, {**span, **encoding})
        if fault.kind == "cut":
            self._body(data[first : first + fault.value])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault.kind == "stall":
            self._body(data[first : fault.value])
            self.owner.gate.wait(20)
        else:
            self._body(data[first:])
        return None

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(length)}.items():
            if value:
                self.send_header(key, value)
        self.end_headers()

    def _body(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A .tar.gz of these, and of entries without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            bundle.addfile(entry, io.BytesIO(data))
        for entry in others:
            bundle.addfile(entry)
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
