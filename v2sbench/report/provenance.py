"""Where the page's numbers come from: split, scoring, versions, machine, and what the models assume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from v2sbench.clips.splits import SplitTable
from v2sbench.nets import card_chain
from v2sbench.report.card_sources import VARIANT, Value, read_values
from v2sbench.results import Table
from v2sbench.results.measured import Recipe
from v2sbench.runtime import short_digest
from v2sbench.runtime.systems import Variant

Facts = list[tuple[str, str]]


def provenance(table: Table, division: SplitTable | None) -> list[tuple[str, Facts]]:
    """Facts under headings: the split, how it was scored, versions and machine."""
    found: list[tuple[str, Facts]] = []
    if division is not None:
        parts = ", ".join(f"{part} {count}" for part, count in division.sizes.items())
        split = {
            "corpus": division.corpus,
            "clips": parts,
            "coverage": division.coverage_label or "complete",
            "division": division.division,
            "contents": division.digest,
            "list": division.listing or "the split's own",
            "speakers of the test part": str(division.identity),
        }
        found.append(("Split", list(split.items())))
    recipes = [table.results.recipes[row.system] for row in table.measured]
    for recipe in recipes:
        if recipe.meta.get("training"):
            found.append((f"Training of {recipe.name}", _training(recipe)))
    metas = [item.meta for recipe in recipes for item in recipe.trainings]
    scoring = [{key: meta.get(key) for key in ("protocol", "asr", "normaliser", "aggregation")} for meta in metas]
    found.append(("Scoring", _joined(scoring, "; ")))
    found.append(("Versions of the metrics", _joined([meta.get("metrics", {}) for meta in metas], ", ")))
    found.append(("Environment of the scoring", _joined([meta.get("environment", {}) for meta in metas], ", ")))
    audio = [(recipe.name, _audio(recipe)) for recipe in recipes]
    found.append(("Digests of the audio", [(name, digest) for name, digest in audio if digest]))
    commands = [
        ("all of it", "dvc repro"),
        ("the table", table.command),
        ("this page", f"v2sbench report {table.split}"),
    ]
    found.append(("Commands that make it again", commands))
    return found


def _training(recipe: Recipe) -> Facts:
    """What its trainings have in common, and their weights' digests."""
    facts = [item.meta.get("training") or {} for item in recipe.trainings]
    first, seeds = facts[0], [str(fact["seed"]) for fact in facts if "seed" in fact]
    found = [
        ("parameters", f"{first.get('parameters', 0):,}"),
        ("steps", f"{first.get('steps', 0):,}"),
        ("seeds", ", ".join(seeds)),
        ("threads", str(first.get("threads", ""))),
        ("card", str(first.get("card", ""))),
        ("weights", ", ".join(str(fact.get("weights", "")) for fact in facts)),
    ]
    return [(key, text) for key, text in found if text]


def _audio(recipe: Recipe) -> str:
    """Digest of the audio of every training, in the order of clips; empty where the scores do not have it."""
    digests = [
        short_digest(str(item.lines[clip].get("audio")) for clip in sorted(item.lines))
        for item in recipe.trainings
        if any(line.get("audio") for line in item.lines.values())
    ]
    return ", ".join(digests)


def changed(table: Table) -> list[tuple[str, str, str, str]]:
    """Values that were used in place of the card's: key, the card's value, the value used, by whom."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, recipe in table.results.recipes.items():
        for key, (card, used) in recipe.changed.items():
            found.setdefault((key, _said(card), _said(used)), []).append(name)
    trained = sum(bool(recipe.meta.get("training")) for recipe in table.results.recipes.values())
    who = {key: "all" if len(names) == trained else ", ".join(names) for key, names in found.items()}
    return [(*key, who[key]) for key in sorted(found)]


def _said(value: object) -> str:
    """A value as a card writes it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _joined(metas: Iterable[Mapping[str, object]], between: str) -> Facts:
    """Every key with its different values."""
    values: dict[str, list[str]] = {}
    for meta in metas:
        for key, value in meta.items():
            known = values.setdefault(key, [])
            if value and str(value) not in known:
                known.append(str(value))
    return [(key, between.join(texts)) for key, texts in values.items() if texts]


def assumptions(table: Table) -> list[Value]:
    """Values behind the table that the paper does not give, or for which the card gives no source, as they were used.

    A value that the profile changed stands before the card's.
    """
    found: dict[tuple[str, str], Value] = {}
    for row in table.measured:
        used = table.results.recipes[row.system].changed
        for card in card_chain(row.system) if Variant.of(row.system) else ():
            for value in filter(_assumed, read_values(card)):
                if value.key in used:
                    value = replace(value, text=f"{_said(used[value.key][1])} (card: {value.text})")
                found.setdefault((card, value.key), value)
    return list(found.values())


def _assumed(value: Value) -> bool:
    grades = [grade for grade, _ in value.reasons]
    return "assumed" in grades or (not grades and value.key not in VARIANT)
