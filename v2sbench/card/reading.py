"""YAML 1.2 -> cards and profiles, every unknown key refused with the nearest known one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from v2sbench.card.rules import check
from v2sbench.card.schema import Card, Params
from v2sbench.runtime import UseError, choose, suggest

__all__ = [
    "MODELS",
    "PARAMS",
    "build",
    "card_chain",
    "card_from_json",
    "list_cards",
    "load_card",
    "load_params",
    "merge",
    "model_of",
    "read_yaml",
]

MODELS = Path("models")
PARAMS = Path("params.yaml")
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


def list_cards(folder: Path = MODELS) -> list[str]:
    """Names of all cards, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def card_chain(name: str, folder: Path = MODELS) -> list[str]:
    """The card and its bases, nearest first: the files on which the variant depends."""
    chain: list[str] = []
    following: str | None = name
    while following is not None:
        choose("model", following, dict.fromkeys(list_cards(folder)))
        if following in chain:
            raise UseError(f"card {name!r} has a circle of bases: {' -> '.join([*chain, following])}")
        chain.append(following)
        following = read_yaml(folder / f"{following}.yaml").get("base")
    return chain


def load_card(name: str, params: Params | None = None, folder: Path = MODELS) -> Card:
    """The card of a variant with the profile's overrides, checked; UseError names the dotted key that is off."""
    content: dict[str, Any] = {}
    for link in reversed(card_chain(name, folder)):
        content = merge(content, read_yaml(folder / f"{link}.yaml"))
    content.pop("base", None)
    if params is not None:
        known = {*list_cards(folder), *(model_of(card) for card in list_cards(folder))}
        for key in params.override:
            choose("override", key, dict.fromkeys(known))
        for key in (model_of(name), name):
            content = merge(content, params.override.get(key) or {})
    card = build(Card, {**content, "name": name}, name)
    check(card)
    return card


def model_of(name: str) -> str:
    """Family and size within a variant's name: `v2a-mel-s-speaker-tuned` -> `mel-s`, `a2a-wave` -> `wave`."""
    parts = name.split("-")
    return "-".join(part for part in parts[1:3] if part not in ("speaker", "face")) if len(parts) > 1 else name


def card_from_json(text: str) -> Card:
    """The card inside a checkpoint."""
    content = json.loads(text)
    return build(Card, content, content.get("name", "card"))


@cache
def _params(path: Path, stamp: int) -> Params:
    return build(Params, read_yaml(path), path.name)


def load_params(path: Path | str = PARAMS) -> Params:
    """The profile; UseError when the file is missing or a key is unknown."""
    path = Path(path)
    return _params(path, path.stat().st_mtime_ns if path.exists() else 0)
