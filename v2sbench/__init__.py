"""v2sbench: the reproducibility benchmark suite for video-to-speech synthesis."""

__version__ = "0.1.0"
