"""What must hold within a card beyond the types of its values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

from v2sbench.audio import SAMPLES_PER_FRAME
from v2sbench.nets.cards import Card
from v2sbench.runtime import UseError, choose


def check(card: Card) -> None:
    """UseError, with the dotted key, for the first rule that the card breaks."""
    choose("family", card.family, dict.fromkeys(("mel", "wave", "vocoder")))
    choose("source", card.source, dict.fromkeys(("audio", "video")))
    choose("identity", card.identity, dict.fromkeys(("speaker", "face")))
    choose("precision", card.train.precision, dict.fromkeys(("fp32", "bf16")))
    choose("schedule", card.train.schedule, dict.fromkeys(("cosine", "constant")))
    for module in card.freeze:
        choose("module to freeze", module, {"decoder": 0})
    for right, message in chain(_rules(card), _mel_rules(card) if card.family == "mel" else _wave_rules(card)):
        if not right:
            raise UseError(f"{card.name}: {message}")


def _rules(card: Card) -> Iterator[tuple[bool, str]]:
    """Of all cards."""
    yield not card.freeze or card.init is not None, "freeze needs init: a frozen random decoder cannot learn"
    yield card.identity == "speaker" or card.source == "video", "identity face needs source video"
    yield len(card.train.betas) == 2, "train.betas must be two numbers"
    yield card.train.steps > 0 and card.train.batch > 0, "train.steps and train.batch must be positive"
    yield 0 < card.data.crop <= 96, f"data.crop must be within 1..96 pixels, not {card.data.crop}"
    yield card.data.frames > 0, "data.frames must be positive"
    yield 0 < card.data.share <= 1, f"data.share must be above 0, at most 1, not {card.data.share}"


def _mel_rules(card: Card) -> Iterator[tuple[bool, str]]:
    """Of cards whose decoder predicts a log-mel."""
    decoder = card.arch.decoder
    yield decoder is not None, "family mel needs the section arch.decoder"
    assert decoder is not None
    yield decoder.kernel % 2 == 1, f"arch.decoder.kernel must be odd, not {decoder.kernel}"
    yield decoder.dim % (2 * decoder.heads) == 0, "arch.decoder.dim must be a multiple of twice arch.decoder.heads"
    yield card.loss.l1 > 0, "family mel is trained on loss.l1, which must be positive"


def _wave_rules(card: Card) -> Iterator[tuple[bool, str]]:
    """Of cards whose decoder makes samples."""
    wave, loss, adversary = card.arch.wave, card.loss, card.adversary
    yield wave is not None, f"family {card.family} needs the section arch.wave"
    assert wave is not None
    total = card.arch.mel.hop if card.family == "vocoder" else SAMPLES_PER_FRAME
    what = "arch.mel.hop" if card.family == "vocoder" else "the samples of a video frame"
    yield math.prod(wave.strides) == total, f"arch.wave.strides {wave.strides} must multiply to {total}, {what}"
    stages = len(wave.strides)
    yield len(wave.channels) == stages + 1, f"arch.wave.channels must be {stages + 1}, one more than arch.wave.strides"
    yield wave.kernel % 2 == 1, f"arch.wave.kernel must be odd, not {wave.kernel}"
    yield loss.power + loss.mfcc + loss.stft > 0, "one of loss.power, loss.mfcc, loss.stft must be positive"
    yield loss.l1 == 0, f"loss.l1 is for family mel; family {card.family} has power, mfcc, stft"
    adversarial = loss.adversarial > 0 or loss.features > 0
    yield adversary is not None or not adversarial, "loss.adversarial and loss.features need the section adversary"
    if adversary is not None:
        yield 0 <= adversary.lead <= adversary.start < 1, "adversary needs 0 <= lead <= start < 1"
        yield len(adversary.betas) == 2, "adversary.betas must be two numbers"
        yield adversary.width % 4 == 0, f"adversary.width must be a multiple of 4, not {adversary.width}"
        allowed = [adversary.width << 2 * power for power in range(5)]
        yield (
            adversary.limit in allowed,
            f"adversary.limit must be adversary.width x 4^n, one of {allowed}",
        )
