"""Writes models/README.md, what every card builds and where its values are from: `python docs/models.py [--check]`.

The grades of the values (primary, secondary, assumed, ...) are told in v2sbench/report/card_sources.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

from v2sbench.audio import FPS, SAMPLES_PER_FRAME
from v2sbench.nets import card_chain, list_cards, load_card, load_params
from v2sbench.nets.cards import Adversary, Card
from v2sbench.report.card_sources import Value, read_values
from v2sbench.tools.cost import costs_of, multiply_adds, parameters
from v2sbench.train.adversary import Discriminator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "models"
OUT = FOLDER / "README.md"

MODULES = ("encoder", "identity", "temporal", "decoder")
RATE = 10e12  # assumed: half of what cards of a data centre give in fp32; none was measured
"""Operations a second of one GPU in training."""
SHOWN = {"a2a-mel-s": "mel family", "a2a-wave": "waveform family", "v2a-mel-s-speaker-scratch": "video models"}
"""Cards whose assumed values are told in short, and what these hold for."""


def description(name: str, folder: Path = FOLDER) -> str:
    """The comment on top of a card, up to its first full stop; ValueError when there is none."""
    head = re.match(r"(?:#.*\n)+", (folder / f"{name}.yaml").read_text(encoding="utf-8"))
    if head is None:
        raise ValueError(f"models/{name}.yaml: line 1 must be a comment that says what the card is")
    return re.split(r"\.(?:\s|$)", " ".join(head[0].replace("#", "").split()), maxsplit=1)[0]


def table(header: Iterable[str], rows: Iterable[Iterable[str]], numbers: int = 0) -> str:
    """A Markdown table; the last `numbers` columns are set to the right."""
    header = list(header)
    rule = ["---"] * (len(header) - numbers) + ["---:"] * numbers
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, rule, *escaped])


def variants(cards: list[Card]) -> str:
    """What each variant is and how much it sees."""
    rows = []
    for card in cards:
        seconds = card.data.frames / FPS
        hours = card.train.steps * card.train.batch * seconds / 3600
        vocoder = card.family == "vocoder"
        rows.append(
            [
                f"`{card.name}`",
                card.family,
                "log-mel" if vocoder else card.source,
                "none" if vocoder else card.identity,
                f"`{card.init}`" if card.init else "scratch",
                ", ".join(card.freeze) or "none",
                f"{card.train.steps:,} x {card.train.batch} x {seconds:g} s",
                f"{hours:,.0f}",
                f"`{card.digest}`",
            ]
        )
    head = ("card", "family", "source", "identity", "init", "frozen", "steps x clips x length", "hours", "digest")
    return table(head, rows)


def networks(cards: list[Card]) -> tuple[str, str]:
    """Tables of parameters in millions, and of multiply-adds per second of speech in billions."""
    sizes, rates = [], []
    for card in cards:
        costs = costs_of(card)
        judge, judged = _discriminator(card.adversary, card.data.frames)
        known = [costs.get(name) for name in MODULES]
        sizes.append(
            [
                f"`{card.name}`",
                *(_millions(cost.parameters if cost else 0) for cost in known),
                _millions(costs[""].parameters),
                _millions(costs[""].trainable),
                _millions(judge),
            ]
        )
        rates.append(
            [
                f"`{card.name}`",
                *(_billions(cost.rate if cost else 0) for cost in known),
                _billions(costs[""].rate),
                _billions(judged),
            ]
        )
    return (
        table(("card", *MODULES, "total", "trainable", "discriminator"), sizes, 7),
        table(("card", *MODULES, "total", "discriminator"), rates, 6),
    )


@cache
def _discriminator(adversary: Adversary | None, frames: int) -> tuple[int, float]:
    """Parameters, and multiply-adds to judge a second of speech in clips of so many video frames."""
    if adversary is None:
        return 0, 0.0
    with torch.device("meta"):
        judge = Discriminator(adversary)
    wave = torch.empty(1, SAMPLES_PER_FRAME * frames, device="meta")
    return parameters(judge), multiply_adds(judge, wave)[""] * FPS / frames


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f}" if count else "-"


def _billions(count: float) -> str:
    return f"{count / 1e9:.3f}" if count >= 5e5 else "<0.001" if count else "-"


def reasons(values: list[Value], *grades: str) -> str:
    """Every value with a reason of one of the grades."""
    rows = [
        [f"`{value.card}`", f"`{value.key}`", value.text, grade, why]
        for value in values
        for grade, why in value.reasons
        if grade in grades
    ]
    return table(("card", "key", "value", "grade", "why"), rows)


def in_short(values: list[Value]) -> str:
    """Assumed values of the cards of SHOWN, one row a section."""
    rows: dict[tuple[str, str], list[str]] = {}
    for value in values:
        section, _, key = value.key.rpartition(".")
        if value.card in SHOWN and section not in ("", "arch") and "assumed" in dict(value.reasons):
            rows.setdefault((SHOWN[value.card], section), []).append(f"{key} {value.text}")
    return table(
        ("of", "section", "assumed"), ([of, f"`{name}`", ", ".join(texts)] for (of, name), texts in rows.items())
    )


def hours() -> str:
    """GPU hours of each training of the paper's profile, and of all of them."""
    params = load_params(ROOT / "profiles" / "paper.yaml")
    splits = len(params.v2a_splits)
    rows, total = [], 0.0
    for model in params.models:
        starts = [f"v2a-{model}-{who}-{start}" for who in params.identities for start in ("scratch", "frozen", "tuned")]
        for name, count in {f"a2a-{model}": 1, **dict.fromkeys(starts, splits)}.items():
            work = operations(load_card(name, params))
            total += count * work
            rows.append(
                [
                    f"`{name}`",
                    str(count),
                    f"{work / 1e15:,.0f}",
                    f"{work / RATE / 3600:.1f}",
                    f"{count * work / RATE / 3600:.0f}",
                ]
            )
    rows.append(["all", str(sum(int(row[1]) for row in rows)), "", "", f"{total / RATE / 3600:.0f}"])
    return table(("training", "how often", "operations, 10^15", "GPU hours of one", "GPU hours"), rows, 4)


def operations(card: Card) -> float:
    """Additions and multiplications of a training: backward takes twice what forward does, in frozen parts once."""
    costs = costs_of(card)
    seconds = card.train.steps * card.train.batch * card.data.frames / FPS
    return sum(
        2 * costs[name].rate * (3 if costs[name].trainable else 2) * seconds for name in MODULES if name in costs
    )


PAGE = """<!-- written by docs/models.py; run: make readme -->
# Model cards

Each `models/<name>.yaml` is one variant: what is built, from what it starts, how it is trained. `base:` makes a card a
short difference of another. The figures below are of the cards as they stand, without the `override` of `params.yaml`;
`v2sbench list models` shows them with it.

## Variants

*init*: the card whose decoder is taken over. *hours*: steps x clips x length, the material seen, repetitions included.
*digest*: of the whole card; weights name it.

{variants}
## Parameters

In millions. *total* and *trainable* are of the network that speaks; the discriminator of waveform models is thrown away
after training. *identity* is the learned projection of a face; the embeddings' own networks are not trained here.

{sizes}
## Multiply-adds

Billions per second of speech (25 video frames), in evaluation, in clips as long as the card's training crop: attention
grows with the length. Counted are matrix products, convolutions and attention; not norms, activations, the embeddings'
own networks, and the vocoder that follows a mel model.

{rates}
## What each card is

{cards}
## The paper's profile in GPU hours

Reckoned, not measured: operations of `profiles/paper.yaml` at an assumed {rate:.0f} x 10^12 a second. Loading and
validation are not in it.

{hours}
## Assumed values in short

{short}
## Assumed values

The paper's text was not to be had; these are from the group's other work or from common practice. A card shows the
values of its own file; the rest is its bases'. Constants of the layers themselves are in `v2sbench/nets`, each with its
reason.

{assumed}
## Values with a source

*primary*: read in the paper's abstract or in released code. *secondary*: quoted by someone who had the paper's text.

{sourced}
## Values that are no hyperparameters

*unused*: of a part that the variant does not have. *neutral*: changes no weight.

{others}"""


def page() -> str:
    """The whole of models/README.md."""
    names = list_cards(FOLDER)
    cards = [load_card(name, folder=FOLDER) for name in names]
    values = [value for name in names for value in read_values(name, FOLDER)]
    sizes, rates = networks(cards)
    chains = [
        [f"`{name}`", description(name), " < ".join(f"`{link}`" for link in card_chain(name, FOLDER)[1:2])]
        for name in names
    ]
    return PAGE.format(
        variants=variants(cards),
        sizes=sizes,
        rates=rates,
        cards=table(("card", "what it is", "base"), chains),
        rate=RATE / 1e12,
        hours=hours(),
        short=in_short(values),
        assumed=reasons(values, "assumed"),
        sourced=reasons(values, "primary", "secondary"),
        others=reasons(values, "unused", "neutral"),
    )


if __name__ == "__main__":
    text = page()
    if "--check" in sys.argv:
        if not OUT.exists() or OUT.read_text(encoding="utf-8") != text:
            sys.exit("models/README.md is not that of the cards; run: make readme")
    else:
        OUT.write_text(text, encoding="utf-8")
