"""The still half of a talking face: one speaker's looks, and a shaded head without mouth and eyes, drawn from them.

Everything is in pixels of a 360x288 picture with the head upright and in its place. Skin is lit as a surface: a height
field (an inflated outline with brow, cheeks, nose, chin) gives normals, a lamp of the speaker's own gives light.
Colours are RGB in [0, 1] until the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from v2sbench.runtime import rng
from v2sbench.talker.canvas import Array, Floats, UInt8, spline

WIDTH, HEIGHT = 360, 288
"""Pixels of the picture, as in GRID."""
CENTRE, EYE_Y, NOSE_Y, MOUTH_Y = 180.0, 122.0, 170.0, 203.0
"""Pixels: where every face has its midline, its eyes, the base of its nose and its lips, but for its proportions."""

Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """One face. Lengths are pixels, colours RGB in [0, 1]."""

    seed: int  # draws hair, pores and cloth
    feminine: bool  # long hair, thin brows, no beard; else short hair
    skin: Colour  # as lit, and so are the lips
    lips: Colour
    hair: Colour  # and brows
    iris: Colour
    cloth: Colour
    background: Colour
    light: tuple[float, float, float]  # where the lamp is: right, down, towards the camera (any length)
    half_width: float  # at the cheeks
    chin: float  # y of the chin with the mouth closed
    jaw: float  # how square the jaw is, 0 to 1
    eye_gap: float  # half the distance between the eyes' centres
    eye_size: float  # half the width of an eye
    nose: float  # half the width at its base
    mouth: float  # half the width at rest
    upper_lip: float  # thickness of the red
    lower_lip: float
    skew: float  # how much further the right corner of the mouth moves than the left one, -0.15 to 0.15
    beard: float  # strength of the beard's shadow, 0 to 1
    noise: float  # standard deviation of the camera's noise, in grey levels of 255


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """The layers that stay the same in every picture of a speaker."""

    looks: Looks
    room: UInt8
    """(288, 360, 3) RGB: wall, shoulders and neck."""
    head: UInt8
    """(288, 360, 4) RGBA, not premultiplied: the head with its mouth and eyes missing."""
    outline: Array
    """(17, 2): jaw line from the image's left ear over the chin to the right one: landmarks 0 to 16."""
    brows: Array
    """(10, 2): landmarks 17 to 26."""
    nose: Array
    """(9, 2): landmarks 27 to 35."""


_SKINS: tuple[Colour, ...] = (
    (0.90, 0.72, 0.62), (0.80, 0.60, 0.47), (0.93, 0.77, 0.68), (0.62, 0.43, 0.32), (0.86, 0.67, 0.53),
    (0.48, 0.32, 0.24), (0.89, 0.70, 0.58), (0.72, 0.53, 0.40),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (0.16, 0.11, 0.08), (0.36, 0.23, 0.13), (0.10, 0.08, 0.08), (0.60, 0.45, 0.25), (0.30, 0.16, 0.09),
    (0.42, 0.40, 0.38),
)  # fmt: skip
_WALLS: tuple[Colour, ...] = ((0.12, 0.60, 0.78), (0.45, 0.58, 0.62), (0.16, 0.50, 0.66), (0.55, 0.56, 0.52))


def looks_of(seed: int, number: int, feminine: bool) -> Looks:
    """The face of speaker `number`: every number has its own, and a skin that its neighbours do not have."""
    draw_ = rng(seed, "looks", number)
    near = draw_.uniform
    skin: Array = np.array(_SKINS[number % len(_SKINS)]) * near(0.95, 1.04)
    hair: Array = np.array(_HAIRS[int(draw_.integers(len(_HAIRS)))])
    if skin.mean() < 0.5:
        hair = np.array(_HAIRS[2])
    red: Array = np.array([0.74, 0.33, 0.33]) if feminine else np.array([0.66, 0.36, 0.34])
    return Looks(
        seed=int(draw_.integers(2**31)),
        feminine=feminine,
        skin=_colour(skin),
        lips=_colour(0.58 * red + 0.36 * skin * np.array([0.95, 0.72, 0.72])),
        hair=_colour(hair * near(0.85, 1.15)),
        iris=_colour(np.array([(0.25, 0.16, 0.09), (0.30, 0.38, 0.42), (0.30, 0.32, 0.18)][int(draw_.integers(3))])),
        cloth=_colour(draw_.uniform(0.1, 0.6, 3)),
        background=_colour(np.array(_WALLS[int(draw_.integers(len(_WALLS)))]) * near(0.9, 1.05)),
        light=(near(-0.75, 0.75), near(-0.75, -0.3), 1.0),
        half_width=near(74, 81) if feminine else near(78, 86),
        chin=near(248, 254) if feminine else near(252, 259),
        jaw=near(0.1, 0.4) if feminine else near(0.4, 0.9),
        eye_gap=near(33.5, 37.5),
        eye_size=near(14.5, 16.5) if feminine else near(13, 15),
        nose=near(14, 16.5) if feminine else near(16, 19.5),
        mouth=near(27, 30) if feminine else near(28.5, 33),
        upper_lip=near(6.5, 8.5) if feminine else near(4.8, 7.0),
        lower_lip=near(9.0, 11.5) if feminine else near(7.5, 10.0),
        skew=near(-0.12, 0.12),
        beard=0.0 if feminine else near(0.1, 0.8),
        noise=near(1.2, 2.4),
    )


def _colour(value: Array) -> Colour:
    red, green, blue = (float(part) for part in np.clip(value, 0, 1))
    return red, green, blue


# ---------------------------------------------------------------- shapes


def _mask(polygon: Array, blur: float = 0.8) -> Floats:
    """(288, 360) coverage in [0, 1] of a polygon in pixels, its edge softened by `blur` pixels."""
    canvas = np.zeros((HEIGHT * 2, WIDTH * 2), np.uint8)
    cv2.fillPoly(canvas, [np.rint(polygon * 32).astype(np.int32)], 255, cv2.LINE_8, 4)
    small = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(small, (0, 0), blur) if blur else small, np.float32)


_Y, _X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)


def _bump(x: float, y: float, wide: float, high: float) -> Array:
    """A bell of height 1 around (x, y)."""
    bell: Array = np.exp(-0.5 * (((_X - x) / wide) ** 2 + ((_Y - y) / high) ** 2))
    return bell


def _pair(x: float, y: float, wide: float, high: float) -> Array:
    """The same bell on both sides of the midline."""
    return _bump(CENTRE - x, y, wide, high) + _bump(CENTRE + x, y, wide, high)


def _outline(looks: Looks) -> Array:
    """(17, 2): the jaw line, landmarks 0 to 16."""
    half, square = looks.half_width, looks.jaw
    high = looks.chin - EYE_Y
    down = np.array([0.0, 0.14, 0.28, 0.42, 0.57, 0.71, 0.84, 0.95, 1.0])
    narrow = np.array([0.985, 0.99, 0.965, 0.92, 0.83, 0.69, 0.52, 0.30, 0])
    corner = np.array([0, 0, 0, 0, 0.04, 0.08, 0.09, 0.06, 0])
    right = np.stack([half * (narrow + corner * square), down * high], axis=-1)
    middle = np.array([CENTRE, EYE_Y])
    return np.concatenate([middle + right * np.array([-1, 1]), middle + right[-2::-1]])


def _brows(looks: Looks) -> Array:
    x = np.linspace(-1, 1, 5)
    top = EYE_Y - 20.0
    arch: Array = top - 4.5 * (1 - x**2) + 1.5 * x
    inner_first = np.stack([CENTRE + looks.eye_gap + x * 19, arch], axis=-1)
    mirrored = inner_first * [-1, 1] + [2 * CENTRE, 0]
    return np.concatenate([mirrored[::-1], inner_first])


def _nose(looks: Looks) -> Array:
    bridge = [(CENTRE, y) for y in np.linspace(EYE_Y - 1, NOSE_Y - 8, 4)]
    base = [(CENTRE + looks.nose * s, NOSE_Y + 2.5 * (1 - abs(s))) for s in (-0.8, -0.42, 0.0, 0.42, 0.8)]
    return np.array(bridge + base)


# ---------------------------------------------------------------- painting


def draw(looks: Looks) -> Portrait:
    """Paint the still layers; the same bytes for the same looks."""
    noise = rng(looks.seed, "paint")
    outline = _outline(looks)
    side = looks.half_width * 0.97
    crown = np.array([(side, 92), (60, 52), (0, 34), (-60, 52), (-side, 92)]) + np.array([CENTRE, 0])
    skull = spline(np.concatenate([outline, crown]), 240, closed=True)
    face = _mask(skull)
    left, right = (_mask(_ellipse(CENTRE + sign * (looks.half_width + 3), EYE_Y + 14, 9, 20)) for sign in (-1, 1))
    ears = np.maximum(left, right)
    skin = _skin(looks, face, ears, noise)
    back, front = _hair(looks)
    strands = _strands(looks, noise)
    shadow = cv2.GaussianBlur(front, (0, 0), 5)
    head = skin * (1 - 0.35 * shadow * (1 - front))[..., None]
    brow = _brow_mask(looks, noise)
    head = _over(head, np.array(looks.hair) * 0.75, brow)
    head = _over(_over(strands * 0.7, head, np.maximum(face, ears)), strands, front)
    whole = np.maximum(np.maximum(face, ears), np.maximum(front, back))
    rgba = np.concatenate([head, whole[..., None]], axis=-1)
    return Portrait(
        looks=looks,
        room=_bytes(_room(looks, noise)),
        head=_bytes(rgba),
        outline=outline,
        brows=_brows(looks),
        nose=_nose(looks),
    )


def _over(below: Array, above: Array, cover: Array | Floats) -> Array:
    """`above` over `below` (H, W, 3) where `cover` (H, W) is 1."""
    return below * (1 - cover[..., None]) + above * cover[..., None]


def _bytes(picture: Array) -> UInt8:
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)


def _ellipse(x: float, y: float, wide: float, high: float, count: int = 48) -> Array:
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + wide * np.cos(turn), y + high * np.sin(turn)], axis=-1)


def _skin(looks: Looks, face: Floats, ears: Floats, noise: np.random.Generator) -> Array:
    """(288, 360, 3): lit skin everywhere; its edge is the mask's business."""
    inside = cv2.distanceTransform((face > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / looks.half_width
    round_ = np.sqrt(np.clip(1 - (1 - np.clip(inside, 0, 1)) ** 2, 0, 1)) * 62
    round_ = cv2.GaussianBlur(round_, (0, 0), 7)
    gap, chin, mouth = looks.eye_gap, looks.chin, MOUTH_Y
    high = (
        round_
        + 3.5 * _pair(gap, EYE_Y - 19, 20, 7)  # brows' ridge
        - 7.0 * _pair(gap, EYE_Y - 1, 17, 9)  # sockets
        + 4.0 * _pair(gap + 8, EYE_Y + 32, 17, 14)  # cheeks
        + 9.0 * _bump(CENTRE, EYE_Y + 16, 7, 20)  # bridge
        + 8.5 * _bump(CENTRE, NOSE_Y - 10, 9.5, 10)  # tip
        + 4.5 * _pair(looks.nose * 0.74, NOSE_Y - 6, 5, 5.5)  # wings
        + 5.0 * _bump(CENTRE, mouth + 1, looks.mouth * 0.85, 12)  # muzzle
        - 1.6 * _bump(CENTRE, NOSE_Y + 15, 3.2, 7)  # philtrum
        - 3.5 * _bump(CENTRE, mouth + 20, 19, 4.5)  # crease above the chin
        + 6.0 * _bump(CENTRE, chin - 14, 17, 11)
    )
    for side in (-1, 1):  # folds from nose to mouth
        for k in np.linspace(0, 1, 7):
            high -= 0.55 * _bump(CENTRE + side * (looks.nose + 6 + 13 * k), NOSE_Y - 5 + 30 * k, 3.2, 5)
    high = cv2.GaussianBlur(high + 0.18 * cv2.GaussianBlur(noise.normal(size=high.shape), (0, 0), 1.0), (0, 0), 0.8)
    right, down = np.gradient(high, axis=1), np.gradient(high, axis=0)
    normal = np.stack([-right, -down, np.full_like(high, 1.6)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array(looks.light) / np.linalg.norm(looks.light)
    lit = np.clip((normal * lamp).sum(axis=-1), 0, 1)
    sheen = np.clip((normal * _unit(lamp + np.array([0, 0, 1.0]))).sum(axis=-1), 0, 1) ** 28
    tone = np.array(looks.skin)
    tint = 1 + 0.035 * cv2.GaussianBlur(noise.normal(size=(*high.shape, 3)), (0, 0), 9) * 9
    tint += 0.05 * cv2.GaussianBlur(noise.normal(size=high.shape), (0, 0), 0.9)[..., None]
    red = 0.5 * _pair(gap + 8, EYE_Y + 36, 18, 14) + 0.5 * _bump(CENTRE, NOSE_Y - 6, 11, 8) + 0.35 * ears
    tint *= 1 + red[..., None] * np.array([0.05, -0.10, -0.09])
    beard = looks.beard * np.clip(_beard(looks) * (0.75 + 0.5 * noise.random(high.shape)), 0, 1)
    tint *= 1 - beard[..., None] * np.array([0.30, 0.26, 0.20])
    colour: Array = tone * tint * (0.36 + 0.92 * lit)[..., None] + 0.13 * sheen[..., None]
    for side in (-1, 1):  # nostrils
        dark = 0.8 * _bump(CENTRE + side * looks.nose * 0.46, NOSE_Y - 0.5, 2.9, 1.3)
        colour *= 1 - dark[..., None] * np.array([0.75, 0.85, 0.85])
    colour *= 1 - 0.16 * (_bump(CENTRE, NOSE_Y + 4, looks.nose * 0.8, 2.6))[..., None]
    colour *= 1 - 0.22 * _pair(gap, EYE_Y, 17, 9)[..., None]
    return colour


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


def _beard(looks: Looks) -> Array:
    low = 1 / (1 + np.exp(-(_Y - (NOSE_Y + 4 + 0.010 * (looks.half_width**2 - (_X - CENTRE) ** 2) * 0.25)) / 5))
    jaw = 1 / (1 + np.exp(-(_Y - (EYE_Y + 30)) / 8)) * np.clip(np.abs(_X - CENTRE) / looks.half_width - 0.62, 0, 1) * 3
    return np.asarray(np.clip(low * (1 - 0.55 * _pair(24, MOUTH_Y - 16, 12, 10)) + jaw, 0, 1), np.float64)


def _hair(looks: Looks) -> tuple[Floats, Floats]:
    """Coverage of the hair behind the face and of that before it."""
    half = looks.half_width + 5
    noise = rng(looks.seed, "hair")
    middle = np.array([CENTRE, 0])
    line, part, jag = 74 + noise.uniform(-6, 8), noise.uniform(-0.5, 0.5), noise.uniform(-3.5, 3.5, 9)
    s = np.linspace(1, -1, 9)
    fringe = np.stack([half * 0.98 * s, line - 22 * (1 - (s - part) ** 2 * 0.7) + jag + 26 * np.abs(s) ** 3], axis=-1)
    ends = EYE_Y + (30 if looks.feminine else 8)
    top = 16 + noise.uniform(-6, 6)
    right = [(half * 0.4, top + 4), (half * 0.80, 42), (half + 4, 92), (half - 4, ends)]
    dome = np.array([*((-x, y) for x, y in right[::-1]), (0, top), *right])
    front = _mask(spline(np.concatenate([dome, fringe]) + middle, 300, closed=True), 1.1)
    if not looks.feminine:
        return _mask(spline(dome + middle, 200, closed=True), 1.1), front
    low = 262 + noise.uniform(-20, 40)
    fall = [(half + 10, 150), (half + 12, low - 20), (half - 12, low)]
    hanging = np.array([*dome[1:-1], *fall, (0, low - 10), *((-x, y) for x, y in fall[::-1])])
    return _mask(spline(hanging + middle, 300, closed=True), 1.1), front


def _strands(looks: Looks, noise: np.random.Generator) -> Array:
    """(288, 360, 3): hair everywhere, in strands that run down and outwards."""
    speckle = noise.normal(size=(HEIGHT, WIDTH)).astype(np.float32)
    grain = cv2.GaussianBlur(speckle, (0, 0), sigmaX=0.8, sigmaY=11) * 4.2
    bend_x = (_X + (_X - CENTRE) * 0.25 * np.cos(_Y / 60)).astype(np.float32)
    bent = cv2.remap(grain, bend_x, _Y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    shine = _bump(CENTRE + 30 * looks.light[0], 48, 55, 16)
    light = np.clip(0.8 + 0.28 * bent + 0.55 * shine, 0.2, 2.0)
    return np.array(looks.hair) * light[..., None]


def _brow_mask(looks: Looks, noise: np.random.Generator) -> Array:
    thick = 3.2 if looks.feminine else 4.6
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    for brow in (_brows(looks)[:5], _brows(looks)[5:]):
        line = spline(brow, 20)
        taper = thick * np.interp(np.abs(line[:, 0] - CENTRE), [15, 25, 60], [0.8, 1.0, 0.25])
        polygon = np.concatenate(
            [line - np.stack([0 * taper, taper], -1), (line + np.stack([0 * taper, taper * 0.5], -1))[::-1]]
        )
        cover = np.maximum(cover, _mask(polygon, 1.2))
    grain = cv2.GaussianBlur(noise.random(cover.shape), (0, 0), 0.8)
    return np.clip(cover * (0.35 + grain) * 0.95, 0, 1)


def _room(looks: Looks, noise: np.random.Generator) -> Array:
    """(288, 360, 3): the wall with its light, shoulders, collar and neck."""
    fall = 1.05 - 0.32 * ((_X - CENTRE - 120 * looks.light[0]) / 360) ** 2 - 0.25 * ((_Y - 90) / 288) ** 2
    picture: Array = np.array(looks.background) * fall[..., None]
    wide, high = looks.half_width * 2.1, 268 + noise.uniform(-4, 6)
    right = [(52, high - 16), (wide * 0.8, high + 6), (wide, 330)]
    shoulders = np.array([*((-x, y) for x, y in right[::-1]), (0, high - 22), *right]) + np.array([CENTRE, 0])
    body = _mask(spline(shoulders, 120, closed=True), 1.0)
    weave = 1 + 0.10 * cv2.GaussianBlur(noise.normal(size=body.shape), (0, 0), 1.2) * 2
    cloth = (
        np.array(looks.cloth) * (weave * (0.85 + 0.25 * _bump(CENTRE + 80 * looks.light[0], 280, 110, 40)))[..., None]
    )
    right = [(47, 190), (52, 276), (18, 296)]
    column = np.array([*((-x, y) for x, y in right[::-1]), *right]) + np.array([CENTRE, 0])
    neck = _mask(column, 1.5)
    throat = np.array(looks.skin) * (0.50 + 0.16 * _bump(CENTRE + 30 * looks.light[0], 285, 30, 30))[..., None]
    return _over(_over(picture, cloth, body), throat, neck)
