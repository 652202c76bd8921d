"""Landmark files as labs share them: ``.npz``, ``.npy`` and ``.pkl`` -> (n, 68, 2), one row a picture.

    .npz   the array named ``landmarks`` or ``data``, or the only one
    .npy   the array
    .pkl   an array, a list with one entry a picture (None where the face was missed), or a dict with one of these

A pickle is a program, so none is run.  `_Reader` lets it build lists, tuples, dicts, numbers and text.  Where it asks
for numpy's functions (of numpy 1 or 2) it gets the stand-ins below, which note the array's type, shape and bytes and
do nothing else; the array is then read from those.  Whatever else a pickle asks for is refused by name.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from v2sbench.prepare.crops import RoiError

NAMES = ("landmarks", "data")
"""Of several arrays in a file, the one of the first of these names is taken."""
FACES = ((68, 2), (68, 3))
"""Shapes of one picture's landmarks; a third number, depth or certainty, is left out."""
NUMBERS = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"})
"""numpy's names of the types that landmarks in a pickle may have."""

Rows = NDArray[np.float64]
"""(n, 68, 2) landmarks in pixels, NaN in a row where the face was missed."""


def read_landmarks(path: Path) -> Rows:
    """Landmarks of one clip; RoiError ``bad-landmarks`` says what is wrong with a file that holds none."""
    try:
        read = KINDS[path.suffix.lower()]
    except KeyError:
        raise RoiError("bad-landmarks", f"{path}: landmarks come as {', '.join(KINDS)}") from None
    try:
        with np.errstate(invalid="ignore"):  # what is no number is told of where it is used
            return _rows(read(path))
    except RoiError as error:
        raise RoiError(error.reason, f"{path}: {error.detail}") from error
    except Exception as error:  # of a spoilt file zip, zlib, the tokeniser and numpy each complain in a way of its own
        raise RoiError("bad-landmarks", f"{path} cannot be read ({type(error).__name__}: {error})") from error


def _bad(detail: str) -> NoReturn:
    raise RoiError("bad-landmarks", detail)


def _read_numpy(path: Path) -> object:
    """An array, or what of an archive of arrays is taken; arrays of Python objects are pickles, and refused."""
    with path.open("rb") as file:  # numpy itself leaves a spoilt file open
        data = np.load(file, allow_pickle=False)
        if not isinstance(data, np.lib.npyio.NpzFile):
            return data
        with data:
            return data[_name(data.files)]


def _name(names: list[str]) -> str:
    """Which of several arrays holds the landmarks."""
    if len(names) == 1:
        return names[0]
    for name in NAMES:
        if name in names:
            return name
    held = ", ".join(sorted(map(repr, names))[:5]) or "nothing"
    _bad(f"holds {held}, and none of them is called {' or '.join(NAMES)}")


def _rows(value: object) -> Rows:
    """What a file holds -> (n, 68, 2)."""
    if isinstance(value, Mapping):
        names = {str(name): name for name in value}
        value = value[names[_name(list(names))]]
    if isinstance(value, list | tuple):
        return np.stack([_row(k, row) for k, row in enumerate(value)]) if value else _bad("an empty list")
    if not isinstance(value, np.ndarray):
        _bad(f"holds {type(value).__name__.strip('_').lower()}, and no array of numbers")
    if value.dtype.kind not in "fiu":
        _bad(f"holds an array of {value.dtype}, and not of numbers")
    if value.ndim != 3 or value.shape[1:] not in FACES or not len(value):
        _bad(f"the array is {value.shape}, allowed is (frames, 68, 2)")
    return np.asarray(value[:, :, :2], np.float64)


def _row(k: int, value: object) -> Rows:
    """One picture's entry in a list -> (68, 2)."""
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


# ---------------------------------------------------------------- pickles


def _read_pickle(path: Path) -> object:
    """What a pickle holds, arrays in it read, nothing of it run."""
    content = path.read_bytes()
    for opcode, number, _ in pickletools.genops(content):  # reads every length, and so refuses what is not there
        if opcode.name.endswith("PUT") and (number or 0) > len(content):
            _bad(f"the pickle numbers an item {number}, more than it has bytes")
    value = _plain(_Reader(io.BytesIO(content), encoding="latin1").load())
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def _plain(value: object) -> object:
    """`value`, or what is in a list of one entry a picture, with arrays in place of their stand-ins."""
    if isinstance(value, _Array):
        value = value.read()
    if isinstance(value, list | tuple):
        return [item.read() if isinstance(item, _Array) else item for item in value]
    return value


class _Dtype:
    """Stands for `numpy.dtype`: notes the letter and size of a type and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = str(code), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def read(self) -> np.dtype[Any]:
        """The type, where it is one of numbers."""
        if self.code not in NUMBERS:
            _bad(f"an array of type {self.code!r}, and not of numbers")
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for an array of numpy: notes its type, shape, order and content."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def read(self) -> object:
        """The array; a list of what it holds where it is one of Python objects."""
        if len(self.state) < 4:
            _bad("an array without its content")
        shape, dtype, fortran, content = self.state[-4:]
        if isinstance(content, list):
            return content if len(shape) == 1 else _bad(f"an array of {shape} Python objects")
        kind = dtype.read()
        raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
        if len(raw) != kind.itemsize * math.prod(shape):
            _bad(f"an array of {tuple(shape)} with {len(raw)} bytes")
        return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")


def _from_buffer(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str, axes: Any = None) -> _Array:
    """Stands for numpy's function of this name, by which protocol 5 makes arrays."""
    if axes is not None:
        _bad("an array with its axes in an order of their own; save it after numpy.ascontiguousarray")
    array = _Array()
    array.__setstate__((shape, dtype, order == "F", content))
    return array


def _scalar(dtype: _Dtype, content: bytes | str) -> object:
    """Stands for numpy's function of this name, by which single numbers are made."""
    array = _Array()
    array.__setstate__(((), dtype, False, content))
    return array


def _encode(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which protocols 0 to 2 hold bytes."""
    if encoding != "latin1":
        _bad(f"asks for the encoding {encoding!r}")
    return text.encode(encoding)


_ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}
"""What a pickle may ask for -> what it gets."""


class _Reader(pickle.Unpickler):
    """Reads a pickle without giving it any function but the stand-ins."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """The stand-in for a name; RoiError names what was refused."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            _bad(f"the pickle asks for {module}.{name}, which is refused: it must hold numbers only, nothing is run")


KINDS: dict[str, Callable[[Path], object]] = {".npz": _read_numpy, ".npy": _read_numpy, ".pkl": _read_pickle}
"""Suffix -> reader."""
