"""Archives from elsewhere: what may come out of them, where it may land, and which bytes are believed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publisher import packed, tarred
from tests.trees import put
from v2sbench.runtime import UseError
from v2sbench.tools.fetch import archives
from v2sbench.tools.fetch.archives import DamagedError, Unpacked, check, is_archive, place, unpack
from v2sbench.tools.fetch.digests import Published, differs, read_index

FILES = {"s1/a.dat": b"one" * 1000, "s1/b.dat": b"", "s2/deep/er/c.dat": bytes(range(256))}


def tar_of(*entries: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for member in entries:
            bundle.addfile(member)
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


MADE = {
    "a.zip": packed(FILES),
    "A.ZIP": packed(FILES),
    "a.tar.gz": tarred(FILES),
    "a.tgz": tarred(FILES),
}


@pytest.mark.parametrize("name", MADE)
def test_unpacked_twice_is_unpacked_once(name: str, tmp_path: Path) -> None:
    archive, folder = put(tmp_path, name, MADE[name]), tmp_path / "out"
    assert is_archive(archive)
    check(archive)
    assert unpack(archive, folder) == Unpacked(paths=tuple(FILES), kept=())
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert unpack(archive, folder) == Unpacked(paths=tuple(FILES), kept=())
    assert tree(folder) == FILES
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_what_is_no_archive() -> None:
    assert not any(is_archive(Path(name)) for name in ("a.csv", "a.gz", "zip", "a.flac"))


def test_a_killed_unpacking_is_gone_on_with(tmp_path: Path) -> None:
    archive, folder = put(tmp_path, "a.zip", MADE["a.zip"]), tmp_path / "out"
    put(folder, "s1/a.dat", FILES["s1/a.dat"])
    put(folder, "s2/deep/er/.c.dat.a.zip.part", b"half")
    unpack(archive, folder)
    assert tree(folder) == FILES


@pytest.mark.parametrize("other", [b"mine", b"two" * 1000])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_nothing_is_overwritten(name: str, other: bytes, tmp_path: Path) -> None:
    archive, folder = put(tmp_path, name, MADE[name]), tmp_path / "out"
    put(folder, "s1/a.dat", other)
    assert unpack(archive, folder) == Unpacked(paths=tuple(FILES), kept=("s1/a.dat",))
    assert tree(folder) == {**FILES, "s1/a.dat": other}


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    put(tmp_path / "out", "s1", b"mine")
    with pytest.raises(UseError, match=r"out/s1 is no folder"):
        unpack(put(tmp_path, "a.zip", MADE["a.zip"]), tmp_path / "out")


class Slow(io.BytesIO):
    """A member whose place is taken while it is read."""

    taken: tuple[Path, bytes]

    def read(self, size: int | None = -1) -> bytes:
        path, data = self.taken
        path.write_bytes(data)
        return super().read(size)


@pytest.mark.parametrize("other", [b"same", b"more"])
def test_two_archives_with_one_file(other: bytes, tmp_path: Path) -> None:
    content = Slow(b"same")
    content.taken = (tmp_path / "NOTE.txt", other)
    assert place(content, 4, tmp_path / "NOTE.txt", "a.zip") == (other == b"same")
    assert tree(tmp_path) == {"NOTE.txt": other}


def test_a_link_of_the_user_is_not_written_through(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "s1").mkdir(parents=True)
    (folder / "s1/a.dat").symlink_to(tmp_path / "elsewhere")
    assert unpack(put(tmp_path, "a.zip", MADE["a.zip"]), folder).kept == ("s1/a.dat",)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "s1/../../x", "a\\..\\..\\x"])
def test_nothing_leaves_the_folder(name: str, tmp_path: Path) -> None:
    made = {"a.zip": packed({name: b"bad"})}
    if "\\" not in name:  # in a tar, that is part of a name
        made["a.tar.gz"] = tarred({name: b"bad"})
    for archive, data in made.items():
        with pytest.raises(UseError, match="would lie outside of the folder"):
            unpack(put(tmp_path, archive, data), tmp_path / "deep/out")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == set(made)


@pytest.mark.parametrize(
    "member",
    [
        entry("s1/x", tarfile.SYMTYPE, "/etc/passwd"),
        entry("s1/x", tarfile.SYMTYPE, "a.dat"),
        entry("s1/x", tarfile.LNKTYPE, "../x"),
        entry("s1/x", tarfile.FIFOTYPE),
        entry("s1/x", tarfile.CHRTYPE),
    ],
)
def test_links_and_devices_are_refused(member: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(UseError, match="s1/x in it is a link or a device"):
        unpack(put(tmp_path, "a.tar.gz", tar_of(member)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("s1/x")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr(info, "/etc/passwd")
    with pytest.raises(UseError, match="s1/x in it is a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed({"s1/x": b"secret"}))
    data[6] |= 1  # of the local header, and of the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UseError, match="encrypted"):
        unpack(put(tmp_path, "a.zip", bytes(data)), tmp_path / "out")


@pytest.mark.parametrize("files", [{}, {"__MACOSX/s1/._a.dat": b"x", "s1/.DS_Store": b"x"}])
def test_leftovers_are_left_out_and_an_empty_archive_is_none(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="has no file in it"):
        unpack(put(tmp_path, "a.zip", packed(files)), tmp_path / "out")
    assert unpack(put(tmp_path, "b.zip", packed({**files, "s1/a.dat": b"x"})), tmp_path / "out") == Unpacked(
        paths=("s1/a.dat",), kept=()
    )


def test_no_room_is_said_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: usage(1, 1, archives.MARGIN + 2999))
    with pytest.raises(UseError, match=r"no room for .*a\.dat \(3000 bytes\)"):
        unpack(put(tmp_path, "a.zip", MADE["a.zip"]), tmp_path / "out")


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("name", MADE)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_harmless(name: str, where: float, bit: int, tmp_path_factory) -> None:
    """Check sums cover the content; a bit of a name, a date or padding may pass, and then the content is right."""
    folder = tmp_path_factory.mktemp("flip")
    data = bytearray(MADE[name])
    data[int(where * len(data))] ^= 1 << bit
    archive = put(folder, name, bytes(data))
    try:
        check(archive)
        unpack(archive, folder / "out")
    except (DamagedError, UseError):
        return
    assert set(tree(folder / "out").values()) <= set(FILES.values())


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_a_truncated_archive_is_damaged(name: str, share: float, tmp_path: Path) -> None:
    archive = put(tmp_path, name, MADE[name][: int(len(MADE[name]) * share)])
    with pytest.raises(DamagedError):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_web_page_is_no_archive(name: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="cannot be unpacked"):
        unpack(put(tmp_path, name, "<html>no such page</html>" * 100), tmp_path / "out")


def test_the_last_check_sum_of_gzip_counts(tmp_path: Path) -> None:
    data = bytearray(tarred(FILES))
    data[-5] ^= 1  # of the CRC, behind the last block of the tar
    with pytest.raises(DamagedError, match="CRC"):
        check(put(tmp_path, "a.tar.gz", bytes(data)))


# ---------------------------------------------------------------- digests


def test_digests(tmp_path: Path) -> None:
    path = put(tmp_path, "a", b"text")
    for kind in ("md5", "sha256"):
        digits = hashlib.new(kind, b"text").hexdigest()
        assert differs(path, f"{kind}:{digits}") == ""
        assert differs(path, f"{kind}:{'0' * len(digits)}") == f"{kind} {digits}, published is {'0' * len(digits)}"


def test_an_index_is_a_record_or_lines() -> None:
    record = {"files": [{"key": "s1.zip", "size": 7, "checksum": f"md5:{'A' * 32}"},
                        {"key": "s2.zip", "size": 8, "checksum": "b" * 32}]}  # fmt: skip
    assert read_index(json.dumps(record), "url") == {
        "s1.zip": Published(size=7, digest=f"md5:{'a' * 32}"),
        "s2.zip": Published(size=8, digest=f"md5:{'b' * 32}"),
    }
    lines = f"{'c' * 32}  dev-clean.tar.gz\n{'D' * 64} *./sub/x.zip\n\nnot a line\n"
    assert read_index(lines, "url") == {
        "dev-clean.tar.gz": Published(digest=f"md5:{'c' * 32}"),
        "x.zip": Published(digest=f"sha256:{'d' * 64}"),
    }


@pytest.mark.parametrize("text", ["", "<html></html>", "{}", '{"files": []}', '{"files": [{"key": 1}]}', "[1]", "null"])
def test_what_is_no_index(text: str) -> None:
    with pytest.raises(UseError, match="http://x is no list of digests"):
        read_index(text, "http://x")
