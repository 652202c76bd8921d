"""Model cards and the profile: YAML 1.2 read into frozen dataclasses, every unknown key refused with the nearest known.

    models/<name>.yaml   one card a variant; `base: <name>` makes a card a short difference of another
    params.yaml          the profile: corpora, splits, what is trained, and `override`, merged over the cards

A card is merged base first, then the profile's `override.<model>` (e.g. `mel-s`), then its `override.<card name>`.
Its hash (`Card.digest`) covers all that changes the weights: family, source, identity, init, freeze, arch, data, train.
"""

from v2sbench.card.reading import (
    MODELS,
    PARAMS,
    build,
    card_chain,
    card_from_json,
    list_cards,
    load_card,
    load_params,
    merge,
    model_of,
    read_yaml,
)
from v2sbench.card.rules import check
from v2sbench.card.schema import (
    Adversary,
    Arch,
    AudioEncoderArch,
    Card,
    Data,
    DecoderArch,
    LossWeights,
    MelArch,
    Params,
    TemporalArch,
    Train,
    VideoEncoderArch,
    WaveArch,
)

__all__ = [
    "MODELS",
    "PARAMS",
    "Adversary",
    "Arch",
    "AudioEncoderArch",
    "Card",
    "Data",
    "DecoderArch",
    "LossWeights",
    "MelArch",
    "Params",
    "TemporalArch",
    "Train",
    "VideoEncoderArch",
    "WaveArch",
    "build",
    "card_chain",
    "card_from_json",
    "check",
    "list_cards",
    "load_card",
    "load_params",
    "merge",
    "model_of",
    "read_yaml",
]
