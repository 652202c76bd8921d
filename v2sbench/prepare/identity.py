"""Embeddings of a speaker's voice and face, by which a model knows whose voice it is to make.

    speaker   256-d GE2E (Wan et al. 2018), the weights that `resemblyzer` ships: a 3-layer LSTM over 40 mel bands
    face      128-d residual network of dlib (King 2017), the weights that `face-recognition-models` ships

The weights are read from the installed packages without importing them, since their imports need packages that are
gone. From which clip an embedding is taken is decided by `clips.Identities`.

A face is embedded from its clip's still (`crops.face_still`), in which it has a known place: five landmarks are fitted
from `FACE_BOX`, the eyes and the nose are brought to their places, and the network looks at 150x150 pixels. dlib's own
detector only says whether there is a face at all: it finds all of GRID's and of the embedded corpus', and its boxes in
place of `FACE_BOX` leave the distances below as they are. In 39 clips of 8 GRID speakers, two clips of one speaker are
.16 apart (median; at most .23), those of two speakers .57 (at least .40). The drawn faces of the embedded corpus are
told apart less well (.14 against .24, equal error rate 15 % over 18 speakers). A face takes 90 ms on one core.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor, nn

from v2sbench.audio import RATE
from v2sbench.clips.splits import DIMENSIONS, SplitTable
from v2sbench.clips.store import Clips, UInt8
from v2sbench.prepare.crops import STILL, RoiError
from v2sbench.prepare.face_box import picture_still
from v2sbench.runtime import UseError, parallel

GE2E_RATE = 16_000  # Hz, at which the encoder was trained
PARTIAL_FRAMES = 160  # mel frames of one partial utterance: 1.6 s
TARGET_DBFS = -30.0  # quieter utterances are raised to this level first, as in the encoder's training
FACE_BOX = (38, 27, 154, 143)  # left, top, right, bottom in a still: the median of dlib's boxes
FACE_WEIGHTS = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
DLIB_INSTALL = "pip install --no-deps dlib-bin==20.0.1.post1 face-recognition-models==0.3.0"


# ---------------------------------------------------------------- voices


class GE2E(nn.Module):
    """(N, 160, 40) mel energies -> (N, 256) unit vectors."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, DIMENSIONS["speaker"])
        state = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: state[name] for name in self.state_dict()})
        self.mel = torchaudio.transforms.MelSpectrogram(
            GE2E_RATE, n_fft=400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney", pad_mode="constant"
        )

    def forward(self, mel: Tensor) -> Tensor:
        """(N, 160, 40) -> (N, 256) unit vectors."""
        _, (hidden, _) = self.lstm(mel)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)

    def partials(self, wave: Tensor) -> Tensor:
        """(T,) at 16 kHz -> (N, 160, 40): windows of 1.6 s, half overlapping, the last one drawn back to the end."""
        level = 10.0 * torch.log10(wave.square().mean().clamp_min(1e-12))
        wave = wave * 10.0 ** ((TARGET_DBFS - level).clamp_min(0.0) / 20.0)
        mel = self.mel(wave).T
        if len(mel) < PARTIAL_FRAMES:
            mel = nn.functional.pad(mel, (0, 0, 0, PARTIAL_FRAMES - len(mel)))
        last = len(mel) - PARTIAL_FRAMES
        starts = sorted({*range(0, last, PARTIAL_FRAMES // 2), last})
        return torch.stack([mel[start : start + PARTIAL_FRAMES] for start in starts])


@cache
def load_ge2e() -> GE2E:
    """The encoder with its weights; UseError names the install where they are missing."""
    spec = importlib.util.find_spec("resemblyzer")
    weights = Path(spec.origin).with_name("pretrained.pt") if spec and spec.origin else None
    if weights is None or not weights.is_file():
        raise UseError("the speaker embedding needs GE2E weights: pip install --no-deps resemblyzer==0.1.4")
    return GE2E(weights).eval()


@torch.inference_mode()
def embed(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T,) float32 in [-1, 1] at 24 kHz -> (256,) unit vector: the mean over the utterance's partials."""
    encoder = load_ge2e()
    at16k = torchaudio.functional.resample(torch.from_numpy(np.ascontiguousarray(wave)), RATE, GE2E_RATE)
    return nn.functional.normalize(encoder(encoder.partials(at16k)).mean(dim=0), dim=0).numpy()


# ---------------------------------------------------------------- faces


class FaceNet:
    """Dlib's frontal detector, 5-point predictor and face network."""

    def __init__(self, folder: Path | None) -> None:
        """folder: with the two weights files; UseError names the install where dlib or one of them is missing."""
        files = [folder / name for name in FACE_WEIGHTS if folder is not None]
        present = files and all(file.is_file() for file in files)
        if not present or importlib.util.find_spec("dlib") is None:
            raise UseError(f"the face embedding needs dlib and its weights: {DLIB_INSTALL}")
        dlib: Any = importlib.import_module("dlib")
        self.rectangle = dlib.rectangle
        self.detect = dlib.get_frontal_face_detector()
        self.predict = dlib.shape_predictor(str(files[0]))
        self.network = dlib.face_recognition_model_v1(str(files[1]))

    def sees(self, picture: UInt8) -> bool:
        """Whether (H, W, 3) uint8 shows a face whose middle is in the middle half of `FACE_BOX`."""
        left, top, right, bottom = FACE_BOX
        middles = [(box.left() + box.right(), box.top() + box.bottom()) for box in self.detect(picture)]
        reach = (right - left) / 2  # as sums of two sides: half of the half box
        return any(abs(x - left - right) < reach and abs(y - top - bottom) < reach for x, y in middles)

    def embed(self, picture: UInt8) -> NDArray[np.float32]:
        """(192, 192, 3) uint8 with the face in `FACE_BOX` -> (128,) float32 unit vector."""
        vector = self.network.compute_face_descriptor(picture, self.predict(picture, self.rectangle(*FACE_BOX)))
        values = np.asarray(vector, np.float64)
        return np.asarray(values / np.linalg.norm(values), np.float32)


@cache
def load_facenet() -> FaceNet:
    """The network with its weights; UseError names the install where they are missing."""
    spec = importlib.util.find_spec("face_recognition_models")
    return FaceNet(Path(spec.origin).with_name("models") if spec and spec.origin else None)


def embed_face(still: UInt8) -> NDArray[np.float32]:
    """(192, 192) uint8 grey still of `crops.face_still` -> (128,) float32 unit vector.

    Raises RoiError ``no-face`` when dlib's frontal detector sees no face in its place.
    """
    if still.shape != (STILL, STILL) or still.dtype != np.uint8:
        raise ValueError(f"a still of {still.shape} {still.dtype}, allowed is ({STILL}, {STILL}) uint8")
    picture = np.ascontiguousarray(np.repeat(still[:, :, None], 3, axis=2))
    network = load_facenet()
    if not network.sees(picture):
        raise RoiError("no-face", "dlib sees no frontal face in the still")
    return network.embed(picture)


def embed_picture(path: Path) -> NDArray[np.float32]:
    """A picture file -> (128,) float32 unit vector of its largest face; UseError when it is none, or shows none."""
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    except OSError as error:
        raise UseError(f"{path}: {error.strerror} (the face)") from error
    except cv2.error:  # an empty file, or a picture beyond OpenCV's limits
        picture = None
    if picture is None:
        raise UseError(f"{path} is no picture that can be read; give a PNG or JPEG file of a face")
    try:
        return embed_face(picture_still(np.asarray(picture, np.uint8)))
    except RoiError as error:
        raise UseError(f"{path}: {error}; give a picture of one face, seen from the front") from error


# ---------------------------------------------------------------- of many clips


def embed_speakers(clips: Clips, ids: Sequence[str], jobs: int | None = None) -> NDArray[np.float32]:
    """(N, 256) float32 unit vectors of the voices in clips, in the order of `ids`."""
    found = parallel(partial(_voice_of, clips), ids, jobs=jobs, desc="speaker embeddings")
    return _stacked(found, len(ids), "speaker")


def embed_faces(clips: Clips, ids: Sequence[str], jobs: int | None = None) -> NDArray[np.float32]:
    """(N, 128) float32 unit vectors of the faces in clips, in the order of `ids`.

    A clip without a usable face has a row of NaN: it gives nobody an identity. UseError when no clip has a face.
    """
    found = parallel(partial(_face_of, clips), ids, jobs=jobs, desc="face embeddings")
    vectors = _stacked(found, len(ids), "face")
    if len(vectors) and np.isnan(vectors).any(axis=1).all():
        raise UseError(f"dlib sees no frontal face in any of {len(vectors)} clips of {clips.folder}")
    return vectors


def _stacked(found: Iterable[NDArray[np.float32]], count: int, kind: str) -> NDArray[np.float32]:
    vectors = np.zeros((count, DIMENSIONS[kind]), np.float32)
    for at, vector in enumerate(found):
        vectors[at] = vector
    return vectors


def _voice_of(clips: Clips, clip: str) -> NDArray[np.float32]:
    torch.set_num_threads(1)
    return embed(clips.wave(clip))


def _face_of(clips: Clips, clip: str) -> NDArray[np.float32]:
    try:
        return embed_face(clips.still(clip))
    except RoiError:
        return np.full(DIMENSIONS["face"], np.nan, np.float32)


def embed_split_faces(table: SplitTable, clips: Clips, jobs: int | None = None) -> NDArray[np.float32]:
    """`embed_faces` of every row of a split; UseError when the clips are no longer those that it lists."""
    for row in table.rows:
        if clips.entry(row.id).sha256 != row.sha256:
            raise UseError(
                f"clip {row.id!r} in {clips.folder} is not the one that split {table.name} lists; "
                f"run: v2sbench split {table.name}"
            )
    return embed_faces(clips, [row.id for row in table.rows], jobs)
