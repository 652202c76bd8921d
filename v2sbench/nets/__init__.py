"""The paper's figure as a file list: video or audio encoder -> temporal module -> (identity) -> decoder.

A card (models/NAME.yaml with its bases, and params.yaml's override) says what is built and how it is trained. The face
of this package reads cards and imports no PyTorch; the networks are in its files. Begin in `model`, where the parts are
put together, built, saved and loaded.

    cards                              what a card holds and the rules that it keeps
    video, audio, face, temporal       encoders of mouth crops and of sound, face -> voice, the GRU between
    mel_decoder, wave_decoder, norm    the two decoders, and their batch norm with statistics per modality
    mel, batch, trained_on             log-mel; what one step sees; the clips that weights were trained on

Shapes:  B clips   F video frames   M mel frames   D code size   C channels   H, W picture height and width
"""

from v2sbench.nets.cards import (
    MODELS,
    PARAMS,
    Card,
    Params,
    card_chain,
    card_from_json,
    changed_values,
    list_cards,
    load_card,
    load_params,
    weights_path,
)

__all__ = [
    "MODELS",
    "PARAMS",
    "Card",
    "Params",
    "card_chain",
    "card_from_json",
    "changed_values",
    "list_cards",
    "load_card",
    "load_params",
    "weights_path",
]
