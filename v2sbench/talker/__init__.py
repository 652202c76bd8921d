"""Somebody who talks, for the embedded corpus: voice -> phonemes -> visemes -> face, and sentences to say.

* ``cast``: who speaks
* ``voice``: espeak-ng, sound with the time of every phoneme
* ``visemes``: phonemes -> smooth tracks of the mouth's shape
* ``portrait``: a speaker's looks, and the still head painted from them
* ``mouth``: one mouth shape -> outlines and picture
* ``face``: tracks -> pictures with landmarks
* ``canvas``: drawing
* ``sentences``: English to read aloud
"""
