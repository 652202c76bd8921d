"""Somebody who talks, for the embedded corpus: voice -> phonemes -> visemes -> face, and sentences to say.

voice      espeak-ng: sound with the time of every phoneme
visemes    phonemes -> smooth tracks of the mouth's shape
portrait   a speaker's looks, and the still head painted from them
face       tracks -> pictures with landmarks
sentences  English to read aloud
"""
