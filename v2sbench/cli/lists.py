"""`v2sbench list`: what there is, as tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from v2sbench.cli.parser import Verb
from v2sbench.runtime import choose


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="corpora, splits, models, metrics, protocols or recognisers")


def run_list(args: argparse.Namespace) -> None:
    """Print one of the collections as a table."""
    from tabulate import tabulate

    header, rows = choose("kind", args.kind, LISTS)()
    print(tabulate(rows, headers=header, tablefmt="simple", disable_numparse=True))


Listing = tuple[list[str], list[list[str]]]


def _corpora() -> Listing:
    from v2sbench.corpora import discover

    rows = [
        [item.name, item.kind, "made here" if item.embedded else str(sum(item.inventory.values()) or item.total or "?"),
         item.licence, item.title]
        for item in discover().values()
    ]  # fmt: skip
    return ["corpus", "kind", "clips", "licence", "title"], rows


def _splits() -> Listing:
    from v2sbench.corpora import splits

    rows = []
    for item in splits().values():
        sizes = " / ".join(f"{part} {full or '*'}" for part, full in item.expected.items())
        rows.append([item.name, item.corpus, item.identity, sizes, item.description])
    return ["split", "corpus", "speakers", "clips", "description"], rows


def _models() -> Listing:
    from v2sbench.nets.card_reading import PARAMS, list_cards, load_card, load_params
    from v2sbench.tools.cost import parameters, sketch

    params = load_params() if PARAMS.exists() else None
    rows = []
    for name in list_cards():
        card = load_card(name, params)
        vocoder = card.family == "vocoder"
        start = f"{card.init} ({'frozen' if card.freeze else 'tuned'})" if card.init else "from scratch"
        rows.append([
            name, card.family, "log-mel" if vocoder else card.source, "none" if vocoder else card.identity, start,
            f"{parameters(sketch(card)) / 1e6:.2f} M", str(card.train.steps), card.digest,
        ])  # fmt: skip
    return ["model", "family", "source", "identity", "decoder", "parameters", "steps", "digest"], rows


def _metrics() -> Listing:
    from v2sbench.scoring.metrics import METRICS

    rows = [
        [
            item.name,
            item.column,
            item.unit,
            "higher" if item.higher_is_better else "lower",
            f"{item.low} .. {item.high}",
            f"v2sbench[{item.extra}]" if item.extra else "",
        ]
        for item in METRICS.values()
    ]
    return ["metric", "column", "unit", "better", "range", "needs"], rows


def _protocols() -> Listing:
    from v2sbench.scoring.metrics import PROTOCOLS

    return ["protocol", "metrics", "description"], [
        [item.name, ", ".join(item.metrics), item.description] for item in PROTOCOLS.values()
    ]


def _recognisers() -> Listing:
    from v2sbench.scoring.recognisers import recognisers

    return ["recogniser", "what it is"], [[name, item.description] for name, item in recognisers().items()]


LISTS: dict[str, Callable[[], Listing]] = {
    "corpora": _corpora,
    "splits": _splits,
    "models": _models,
    "metrics": _metrics,
    "protocols": _protocols,
    "recognisers": _recognisers,
}


VERBS = {
    "list": Verb(
        summary="what there is: corpora, splits, models, metrics, protocols, recognisers",
        examples=("list splits", "list models"),
        options=_list_options,
        run=run_list,
    ),
}
