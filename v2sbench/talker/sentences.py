"""English to read aloud: sentences drawn from templates and word lists of our own, rich in different sounds.

They mean little. What counts is that all phonemes of English stand in many contexts, and that no sentence is one of
GRID's.
"""

from __future__ import annotations

import numpy as np

WORDS: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "noun": """
            garden mother river teacher window engine forest harbour letter kitchen doctor station mountain village
            picture bridge winter summer thunder feather chapel judge cousin vision treasure measure leisure garage
            journey voyage orchard butcher fisher shepherd farmer sailor soldier painter singer dancer weaver baker
            hammer basket bottle candle ladder shovel needle thimble whistle trumpet fiddle piano drum violin church
            school castle tower cottage barn stable meadow valley island shore beach cliff cave ocean storm cloud rain
            snow frost shadow morning evening breakfast supper cheese butter bread honey sugar coffee orange cherry
            apple onion carrot cabbage mushroom sheep goose rooster rabbit squirrel badger otter eagle sparrow thrush
            beetle spider dolphin whale oyster youth child uncle husband brother sister daughter nephew neighbour
            stranger visitor question answer promise reason measurement newspaper boot glove jacket collar pocket thumb
            mouth tooth shoulder elbow finger knee ankle voice breath choice noise toy boy coin oil fire tyre power
            flower hour owl house mouse town crowd cow foam boat road stone bone goat rope""",
        "adjective": """
            quiet yellow gentle curious ancient broken clever friendly golden hollow jolly lazy merry narrow orange
            polite rusty silver tender useful velvet weary young bitter charming dusty early famous giant heavy icy
            joyful kind lonely modern noisy odd plain quick rough smooth thick thin unusual vast wooden awful bright
            cheap deep empty fresh grey huge loud muddy proud rare sharp shy sour tall ugly warm wild strange beige
            rural royal foolish thoughtful worthless smooth""",
        "past": """
            carried watched followed painted noticed measured forgot bought found taught sold chose wanted shook threw
            caught pushed pulled cooked washed fixed searched crossed covered opened finished enjoyed used shared
            shaped moved loved feared cheered gathered borrowed admired imagined judged changed charged avoided
            destroyed announced allowed doubted described examined visited chewed brewed viewed""",
        "base": """
            carry watch follow paint notice measure forget buy find teach sell choose want shake throw catch push pull
            cook wash fix search cross cover open finish enjoy use share shape move love fear cheer gather borrow
            admire imagine judge change charge avoid destroy announce allow doubt describe examine visit chew view""",
        "went": """
            walked wandered hurried travelled sailed climbed marched floated rolled vanished laughed whispered shouted
            sang danced slept waited worked played argued coughed sneezed yawned breathed smiled frowned rejoiced
            bathed soothed rehearsed""",
        "how": """
            slowly quickly quietly gladly bravely kindly calmly loudly softly warmly strangely usually rarely easily
            joyfully foolishly roughly smoothly thoroughly casually together abroad yesterday tonight""",
        "where": """
            behind under beside above beyond inside near towards through across around along past over against without
            between""",
        "who": "she he they we you nobody everyone somebody Charlotte Joyce Matthew George Judith Hugh Zoe Fiona Theo",
        "the": "the a this that every another his her our their your my",
        "number": """
            eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty
            seventy eighty ninety hundred""",
        "when": "when while because although since unless before after until though whenever",
    }.items()
}
"""Word lists by the place that they fill."""

TEMPLATES: tuple[str, ...] = (
    "the adjective noun past the noun where the noun",
    "who past the adjective noun and the adjective noun",
    "when who past the noun , the adjective noun went how",
    "how , who went where the adjective noun",
    "the noun of the noun went where the adjective noun",
    "would you base the noun where the adjective noun , or base the noun",
    "number adjective noun-s went how where the noun",
    "who never past the noun , but who often past the adjective noun",
    "the noun that who past went where the noun",
    "who should base number noun-s where the noun",
    "there was the adjective , adjective noun where the noun",
    "please base the noun how , said the adjective noun",
    "no noun is as adjective as the noun where the noun",
)
"""Sentences as lists of places; any other word stands for itself. ``noun-s`` is a plural."""

_PLURALS = {"sheep": "sheep", "mouse": "mice", "tooth": "teeth", "child": "children", "goose": "geese"}


def _plural(noun: str) -> str:
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith(("s", "sh", "ch", "x", "z")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


def sentence(draw: np.random.Generator) -> str:
    """One sentence, capitalised and with its full stop or question mark: seven to fifteen words."""
    words: list[str] = []
    for place in TEMPLATES[int(draw.integers(len(TEMPLATES)))].split():
        kind = place.removesuffix("-s")
        if kind not in WORDS or (place == "the" and words and draw.random() < 0.4):
            word = place
        else:
            word = WORDS[kind][int(draw.integers(len(WORDS[kind])))]
        if words and words[-1] == "a" and word[0] in "aeiou":
            words[-1] = "an"
        words.append(_plural(word) if place.endswith("-s") else word)
    text = " ".join(words).replace(" ,", ",")
    return text[0].upper() + text[1:] + ("?" if text.startswith("would") else ".")
