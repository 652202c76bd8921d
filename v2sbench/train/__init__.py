"""Training of one variant on one split: a pure function of card, split, seed and step, exact after an interruption.

    split, clips, card  --train-->  models/weights/SPLIT/VARIANT.safetensors and its log, .tsv

Begin in `loop`. `batches` makes what a step sees, `objectives` is the step of each family, `losses` has the spectral
terms of waveform models and `adversary` their discriminator.
"""

from v2sbench.train.loop import train

__all__ = ["train"]
