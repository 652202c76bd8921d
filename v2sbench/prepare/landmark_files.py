"""Landmark files as labs share them: ``.npz``, ``.npy`` and ``.pkl`` -> (n, 68, 2), one row a picture.

    .npz   the array named ``landmarks`` or ``data``, or the only one
    .npy   the array
    .pkl   an array, a list, or a dict with one of these

They hold (n, 68, 2) numbers, or one entry a picture: (68, 2), None where the face was missed, or, as published for LRW,
a list of the faces found, each a dict with its ``facial_landmarks`` or ``landmarks``; the first face is taken.

A pickle, and so an array of Python objects, is a program. `_Reader` runs none of it: where a pickle asks for numpy it
gets stand-ins that note an array's type, shape and bytes. (numpy's own classes are no safe choice: `dtype.__setstate__`
takes flags that make an array of objects read any bytes as pointers.) Anything else is refused by name.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from v2sbench.prepare.crops import RoiError

NAMES = ("landmarks", "facial_landmarks", "data")  # of several arrays, the one of the first of these names is taken
FACES = ((68, 2), (68, 3))  # shapes of one picture's landmarks; a third number, depth or certainty, is left out
NUMBERS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"})  # numpy's names of types

Rows = NDArray[np.float64]
"""(n, 68, 2) landmarks in pixels, NaN in a row where the face was missed."""


def read_landmarks(path: Path) -> Rows:
    """Landmarks of one clip; RoiError ``bad-landmarks`` says what is wrong with a file that holds none."""
    try:
        read = KINDS[path.suffix.lower()]
    except KeyError:
        raise RoiError("bad-landmarks", f"{path}: landmarks come as {', '.join(KINDS)}") from None
    try:
        with np.errstate(invalid="ignore"):  # values that are no numbers are told where they are used
            return _rows(read(path))
    except RoiError as error:
        raise RoiError(error.reason, f"{path}: {error.detail}") from error
    except Exception as error:  # spoilt files make zip, zlib, pickle and numpy each complain in a way of its own
        raise RoiError("bad-landmarks", f"{path} cannot be read ({type(error).__name__}: {error})") from error


def _bad(detail: str) -> NoReturn:
    raise RoiError("bad-landmarks", detail)


# ---------------------------------------------------------------- from content to rows


def _rows(value: object) -> Rows:
    """What a file holds -> (n, 68, 2)."""
    value = _plain(value)
    if isinstance(value, Mapping):
        value = _plain(_named(value))
    if isinstance(value, list | tuple):
        return np.stack([_row(k, entry) for k, entry in enumerate(value)]) if value else _bad("an empty list")
    if not isinstance(value, np.ndarray):
        _bad(f"holds {type(value).__name__.strip('_').lower()}, and no array of numbers")
    if value.dtype.kind not in "fiu":
        _bad(f"holds an array of {value.dtype}, and not of numbers")
    if value.ndim != 3 or value.shape[1:] not in FACES or not len(value):
        _bad(f"the array is {value.shape}, allowed is (frames, 68, 2)")
    return np.asarray(value[:, :, :2], np.float64)


def _row(k: int, value: object) -> Rows:
    """One picture's entry in a list -> (68, 2)."""
    value = _plain(value)
    if isinstance(value, list) and all(isinstance(face, Mapping) for face in value):
        value = value[0] if value else None
    if isinstance(value, Mapping):
        value = _plain(_named(value))
    if value is None:
        return np.full(FACES[0], np.nan)
    seen = f"a {type(value).__name__}"
    if isinstance(value, list | tuple):
        seen += f" of {len(value)}"
        if len(value) == FACES[0][0] and all(_is_point(point) for point in value):
            return np.array([point[:2] for point in value], np.float64)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fiu" and value.shape in FACES:
            return np.asarray(value[:, :2], np.float64)
        seen = f"an array {value.shape} of {value.dtype}"
    _bad(f"entry {k} is {seen}, allowed is (68, 2), or None for a missed face")


def _is_point(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) in (2, 3) and all(isinstance(x, int | float) for x in value)


def _named(held: Mapping[Any, object]) -> object:
    """Of several things with a name, the one that is landmarks by its name; or the only one."""
    for name in NAMES:
        if name in held:
            return held[name]
    if len(held) != 1:
        names = ", ".join(sorted(map(repr, held))[:5]) or "nothing"
        _bad(f"holds {names}, and none of them is called {' or '.join(NAMES)}")
    return next(iter(held.values()))


# ---------------------------------------------------------------- from file to content


def _read_npz(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        arrays = {name.removesuffix(".npy"): name for name in archive.namelist()}
        return _array(archive.read(str(_named(arrays))))


def _array(content: bytes) -> object:
    """An array in numpy's own format; one of Python objects is a header and a pickle."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) == (1, 0) and np.lib.format.read_array_header_1_0(file)[2].hasobject:
        return _unpickle(content[file.tell() :])
    return np.load(io.BytesIO(content), allow_pickle=False)


def _unpickle(content: bytes) -> object:
    for opcode, number, _ in pickletools.genops(content):  # reads every length, and so refuses what is not there
        if opcode.name.endswith("PUT") and (number or 0) > len(content):
            _bad(f"the pickle numbers an item {number}, more than it has bytes")
    return _Reader(io.BytesIO(content), encoding="latin1").load()


KINDS: dict[str, Callable[[Path], object]] = {
    ".npz": _read_npz,
    ".npy": lambda path: _array(path.read_bytes()),
    ".pkl": lambda path: _unpickle(path.read_bytes()),
}


def _plain(value: object) -> object:
    """`value`, or the array that it stands for; a list for an array of Python objects."""
    return value.read() if isinstance(value, _Array) else value


class _Dtype:
    """Stands for `numpy.dtype`: notes the letter and size of a type, and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = str(code), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


class _Array:
    """Stands for an array of numpy: notes its shape, type, order and content."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def read(self) -> object:
        """The array, a view of the pickle's bytes."""
        if len(self.state) < 4:
            _bad("an array without its content")
        shape, dtype, fortran, content = self.state[-4:]
        if isinstance(content, list):
            return content if len(shape) == 1 else _bad(f"an array of {shape} Python objects")
        if dtype.code not in NUMBERS:
            _bad(f"an array of type {dtype.code!r}, and not of numbers")
        raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
        return np.frombuffer(raw, dtype.order + dtype.code).reshape(shape, order="F" if fortran else "C")


def _from_buffer(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str, axes: Any = None) -> _Array:
    """Stands for numpy's function of this name, by which protocol 5 makes arrays."""
    if axes is not None:
        _bad("an array with its axes in an order of their own; save it after numpy.ascontiguousarray")
    array = _Array()
    array.state = (shape, dtype, order == "F", content)
    return array


def _scalar(dtype: _Dtype, content: bytes | str) -> _Array:
    """Stands for numpy's function of this name, by which single numbers are made."""
    return _from_buffer(content, dtype, (), "C")  # type: ignore[arg-type]


def _encode(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which protocols 0 to 2 hold bytes."""
    return text.encode(encoding) if encoding == "latin1" else _bad(f"asks for the encoding {encoding!r}")


_ALLOWED: dict[str, Callable[..., object]] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "_codecs.encode": _encode,
}


class _Reader(pickle.Unpickler):
    """Reads a pickle without giving it any function but the stand-ins."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """The stand-in for a name; RoiError names what was refused."""
        asked = f"{module}.{name}"
        found = _ALLOWED.get(asked.replace("numpy.core.", "numpy._core."))  # numpy 1 or 2
        if found is None:
            _bad(
                f"the pickle asks for {asked}, which is refused, since nothing is run; convert it where it was made: "
                "numpy.save('landmarks.npy', array of (frames, 68, 2))"
            )
        return found
