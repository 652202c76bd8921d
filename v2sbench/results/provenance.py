"""Where a table's numbers come from: how its models were trained, how it was scored, digests, commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from v2sbench.results.measured import Recipe
from v2sbench.results.table import Table
from v2sbench.runtime import short_digest

Facts = list[tuple[str, str]]


def provenance(table: Table) -> list[tuple[str, Facts]]:
    """Facts under headings; of a heading without any, nothing."""
    recipes = [table.results.recipes[row.system] for row in table.measured]
    metas = [item.meta for recipe in recipes for item in recipe.trainings]
    scoring = [{key: meta.get(key) for key in ("protocol", "asr", "normaliser", "aggregation")} for meta in metas]
    audio = [(recipe.name, _audio(recipe)) for recipe in recipes]
    found = [
        *((f"Training of {recipe.name}", _training(recipe)) for recipe in recipes if recipe.meta.get("training")),
        ("Scoring", _joined(scoring, "; ")),
        ("Versions of the metrics", _joined([meta.get("metrics", {}) for meta in metas], ", ")),
        ("Environment of the scoring", _joined([meta.get("environment") or {} for meta in metas], ", ")),
        ("Digests of the audio", [(name, digest) for name, digest in audio if digest]),
        ("Commands that make it again", [("all of it", "dvc repro"), ("the table", table.command)]),
    ]
    return [(title, facts) for title, facts in found if facts]


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
            found.setdefault((key, said(card), said(used)), []).append(name)
    trained = sum(bool(recipe.meta.get("training")) for recipe in table.results.recipes.values())
    who = {key: "all" if len(names) == trained else ", ".join(names) for key, names in found.items()}
    return [(*key, who[key]) for key in sorted(found)]


def said(value: object) -> str:
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
