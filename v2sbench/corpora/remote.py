"""How a corpus is had: what its owners allow, the steps to get it, and the files to download where anybody may.

Plain facts, written down beside each corpus; `v2sbench.tools.fetch` downloads by them, ``v2sbench doctor`` quotes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, kw_only=True)
class Remote:
    """One file of a corpus at its publisher's."""

    url: str
    """Where it is, http or https."""
    part: str
    """What ``--parts`` calls it: ``s1``, ``dev-clean``."""
    size: int | None = None
    """Bytes; None where no source gives them."""
    digest: str = ""
    """``md5:`` or ``sha256:`` and the hex digits, as published; "" where they are not known here."""
    index: str = ""
    """URL of the publisher's own list of digests, read when the file is downloaded; "" where there is none."""
    into: str = ""
    """Folder below the corpus' folder to unpack in; "" is the corpus' folder."""
    speaker: str = ""
    """Whose clips it holds, where the archives are cut by speaker; "" is everybody's."""

    def __post_init__(self) -> None:
        kind, _, digits = self.digest.partition(":")
        length = {"md5": 32, "sha256": 64}.get(kind)
        if self.digest and (len(digits) != length or set(digits) - set("0123456789abcdef")):
            raise ValueError(f"{self.url}: {self.digest!r} is not md5: or sha256: and its lower-case hex digits")
        if not self.name or urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"{self.url!r} is no http or https address of a file")

    @property
    def name(self) -> str:
        """The file's name: the last part of the address."""
        return unquote(urlsplit(self.url).path).rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Access:
    """What the owners of a corpus allow, and how to get it."""

    note: str = ""
    """The licence, in a sentence or two for whoever is about to use the corpus."""
    steps: tuple[str, ...] = ()
    """What a person has to do to get it, in order; where there are `files`, what `fetch` does not do."""
    files: tuple[Remote, ...] = ()
    """What anybody may download; empty for a corpus that is had by agreement, or that is made here."""

    def __post_init__(self) -> None:
        for values in ([file.part for file in self.files], [file.name for file in self.files]):
            if len(set(values)) < len(values):
                raise ValueError(f"two files of one name among {', '.join(values)}")


UNSAID = Access()
"""Of a corpus of which nobody wrote it down."""
