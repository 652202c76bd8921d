"""Speech out of models and reference systems: what the scores are later made from.

    split, clips, weights  --synthesise-->  audio/SPLIT/SYSTEM/SPEAKER/CLIP.wav, 24 kHz, 960 samples a video frame
    one silent film        --speak-->       one wav

Begin in `synth`. `vocoders` turns a log-mel into a waveform: `griffin_lim` needs no weights, `hifigan` and
`parallel_wavegan` read public checkpoints (their common checks are in `checkpoints`). `speak` stands apart and is
imported from its own file: nothing else here needs the reader of films in `prepare`.
"""

from v2sbench.synthesis.synth import audio_folder, synthesise
from v2sbench.synthesis.vocoders import Vocoder, load_vocoder

__all__ = ["Vocoder", "audio_folder", "load_vocoder", "synthesise"]
