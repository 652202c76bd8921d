"""YAML 1.2 into frozen dataclasses; an unknown key is refused with the nearest known one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from v2sbench.runtime.errors import UseError, suggest

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 mapping; UseError when the file is missing, unreadable or no mapping."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UseError(f"no file {path}; run from the project's root, or see `v2sbench list models`") from None
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise UseError(f"{path} is not valid YAML: {where}") from None
    if not isinstance(content, dict):
        raise UseError(f"{path} must hold a mapping of keys to values")
    return content


def build(kind: type[T], content: object, where: str) -> T:
    """`content` as the dataclass `kind`; UseError names the dotted key that is unknown, missing or of a wrong type."""
    if not isinstance(content, Mapping):
        raise UseError(f"{where} must be a mapping, not {content!r}")
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            raise UseError(f"unknown key {where}.{key}{suggest(str(key), fields)} (known: {', '.join(fields)})")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, item in fields.items():
        if name in content:
            values[name] = _convert(hints[name], content[name], f"{where}.{name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise UseError(f"missing key {where}.{name}")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type `hint` (scalar, optional, tuple, mapping or dataclass)."""
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]
    if type(None) in get_args(hint):
        if value is None:
            return None
        return _convert(next(option for option in get_args(hint) if option is not type(None)), value, where)
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(get_args(hint)[0], entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise UseError(f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top: mappings merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
