"""YAML 1.2 -> cards and profiles, every unknown key refused with the nearest known one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from v2sbench.nets.card_rules import check
from v2sbench.nets.cards import Card, Params
from v2sbench.runtime import UseError, build, choose, merge, read_yaml

MODELS = Path("models")
PARAMS = Path("params.yaml")
T = TypeVar("T")


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
