"""Small networks, so that tests of models take milliseconds."""

from __future__ import annotations

import json
from typing import Any

from v2sbench.card import Card, card_from_json, load_card, merge

SMALL: dict[str, Any] = {
    "arch": {
        "video": {"pool": 2, "width": 4, "blocks": [1, 1, 1, 1], "dim": 16},
        "audio": {"width": 4, "blocks": [1, 1, 1, 1], "dim": 16},
        "temporal": {"layers": 1, "dim": 8, "dropout": 0.0},
        "decoder": {"blocks": 2, "dim": 16, "heads": 2, "kernel": 5, "feed_forward": 32, "dropout": 0.0},
    },
    "data": {"frames": 10},
    "train": {"steps": 6, "batch": 3, "log_every": 2, "validate_every": 4, "lr": 1e-3},
}


def small_card(name: str, **sections: Any) -> Card:
    """The card `name` with a tiny network; further sections are merged over it."""
    return card_from_json(json.dumps(merge(merge(json.loads(load_card(name).json()), SMALL), sections)))
