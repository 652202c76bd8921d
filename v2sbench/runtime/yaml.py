"""YAML 1.2 into frozen dataclasses; an unknown key is refused with the nearest known one.

Files may come from anywhere, so what a few bytes can ask for is bounded: size, depth, no aliases, and a range for each
number where its field is declared (`Annotated[int, Between(1, 64)]`).
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from v2sbench.runtime.errors import UseError, suggest

T = TypeVar("T")

LARGEST, MOST, DEEPEST = 50_000, 10_000, 50
"""Bytes, values and levels of a YAML file; ours have a fifth of that."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


@dataclass(frozen=True)
class Between:
    """The range of a field's number, or of a list's length; both ends belong to it."""

    low: float
    high: float

    def check(self, value: Any, where: str) -> None:
        """UseError for a value outside; where: its file and dotted key."""
        what, size = ("", value) if isinstance(value, int | float) else ("a list of ", len(value))
        if not self.low <= size <= self.high:
            ends = f"{self.low:.12g}" + (f" to {self.high:.12g}" if self.high > self.low else "")
            raise UseError(f"{where} must be {what}{ends}{' entries' if what else ''}, not {_SHORT.repr(size)}")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 mapping; UseError when the file is missing, too large, unreadable, no mapping, or holds aliases."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.events import AliasEvent

    class Plain(Composer):
        """Takes no alias, since nine lines of them unfold to gigabytes, and no number beyond 64 bits."""

        values = depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.parser.check_event(AliasEvent):
                raise ValueError("it holds an alias (*name); write the value out")
            self.values, self.depth = self.values + 1, self.depth + 1
            if self.values > MOST or self.depth > DEEPEST:
                raise ValueError("it has too many values" if self.values > MOST else "it is nested too deep")
            node = super().compose_node(parent, index)
            self.depth -= 1
            if str(node.tag).endswith(":int") and len(node.value) > 20:
                raise ValueError(f"it holds a whole number of {len(node.value)} digits")
            return node

    path = Path(path)
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = Plain
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UseError(f"{path} is no file")
    try:
        with open(path, "rb") as handle:
            text = handle.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        content = yaml.load(text.decode("utf-8-sig"))
    except FileNotFoundError:
        raise UseError(f"no file {path}; run from the project's root, or see `v2sbench list models`") from None
    except Exception as error:  # beside YAMLError all that int(), float() and dates raise for a value that is none
        raise UseError(f"{path} is not valid YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(content, dict):
        raise UseError(f"{path} must hold a mapping of keys to values")
    return content


def build(kind: type[T], content: object, where: str) -> T:
    """`content` as the dataclass `kind`.

    UseError names the dotted key that is unknown, missing, of a wrong type, or outside of its field's range.
    """
    if not isinstance(content, Mapping):
        raise UseError(f"{where} must be a mapping, not {_SHORT.repr(content)}")
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            name = key[:60] if isinstance(key, str) else _SHORT.repr(key)
            raise UseError(f"unknown key {where}.{name}{suggest(name, fields)} (known: {', '.join(fields)})")
    hints = get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for name, item in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], f"{where}.{name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise UseError(f"missing key {where}.{name}")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type `hint` (scalar, optional, tuple, mapping or dataclass), within its range where it has one."""
    origin, options = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        converted = _convert(options[0], value, where)
        options[1].check(converted, where)
        return converted
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    if type(None) in options:
        return None if value is None else _convert(options[0], value, where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(options[0], entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return {_convert(str, key, f"the key {where}"): _convert(options[1], value[key], f"{where}.{key}")
                for key in value}  # fmt: skip
    if hint is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    if origin is None and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        if hint is float and not math.isfinite(value):
            raise UseError(f"{where} must be a finite number, not {value}")
        return value
    raise UseError(f"{where} must be {getattr(hint, '__name__', hint)}, not {_SHORT.repr(value)}")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top: mappings merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
