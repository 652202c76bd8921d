"""The embedded corpora: somebody who talks, made on this machine, so that everything runs without a licensed corpus.

Sizes (section ``demo`` of params.yaml) go in; films in GRID's layout and voices in LibriTTS's come out, the same bytes
for the same seed. The project finds these corpora by the entry point group ``v2sbench.corpora``, as a stranger's.

Begin with `corpus`. The way of a clip: `sentences` (what is said) and `cast` (who speaks), `voice` (espeak-ng: sound
and the time of every phoneme), `visemes` (phonemes to tracks of the mouth), `portrait` (a still head), `mouth` and
`face` (tracks to pictures and landmarks, drawn with `canvas`), `films` (MPEG-1). `embedded` makes a folder once.
"""

from v2sbench.talker.corpus import CORPORA, DemoSize, generate_audio, generate_faces

__all__ = ["CORPORA", "DemoSize", "generate_audio", "generate_faces"]
