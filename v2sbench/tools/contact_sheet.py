"""Contact sheet: a picture of prepared clips in which a person sees in seconds whether the crops are mouths.

    contact_sheet(clips, ids) -> PNG bytes: a cell a clip, the still with the crop's outline beside crops over time

A clip whose file had lost something has an amber strip, one in quarantine a red one with its reason and no pictures.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.store import SIZE, Clips, UInt8
from v2sbench.prepare.crops import PX_PER_MM, STILL, STILL_MOUTH, STILL_PX_PER_MM
from v2sbench.runtime import UseError, suggest
from v2sbench.tools.doctor import quarantined

MOMENTS = 5  # crops of a clip, evenly over its length
STRIP = 14  # pixels of the strip with a clip's name, above its pictures
GAP = 4  # pixels between cells
CELL = (SIZE * (1 + MOMENTS), STRIP + SIZE)  # width and height; the still is shrunk to the height of a crop
ASPECT = 1.2  # width of a sheet relative to its height, as far as whole cells allow
MOST = 1000  # cells on a sheet: beyond it programs that show pictures give up
PLAIN, AMBER, RED = (60, 60, 60), (0, 140, 230), (40, 40, 200)  # colours of strips, blue first
OUTLINE = (80, 220, 80)  # colour of the crop's outline in the still


def to_show(clips: Clips, count: int = 24) -> list[str]:
    """Ids for a sheet: quarantined clips, a third at most, then prepared ones evenly from first to last speaker."""
    left = [case.name for case in quarantined(clips.folder) if case.reason != "unusable-file"]
    shown = _spread(left, count // 3)
    return shown + _spread(list(clips.ids), count - len(shown))


def _spread(names: Sequence[str], count: int) -> list[str]:
    """At most `count` of `names`, evenly spread, in their order."""
    return [names[k * len(names) // count] for k in range(count)] if len(names) > count else list(names)


def contact_sheet(clips: Clips, ids: Sequence[str]) -> bytes:
    """A PNG of prepared and of quarantined clips, in the order of `ids`; the same clips give the same bytes.

    UseError when nothing is asked for, more than `MOST` clips are, one of them is not known, or none has a picture.
    """
    if not 0 < len(ids) <= MOST:
        raise UseError(f"a contact sheet shows 1 to {MOST} clips, not {len(ids)}")
    reasons = {case.name: f"{case.reason}: {case.detail}" for case in quarantined(clips.folder)}
    for clip in ids:
        if clip not in clips and clip not in reasons:
            raise UseError(f"no clip {clip!r} in {clips.folder}{suggest(clip, [*clips.ids[:1000], *reasons])}")
    if not any(clip in clips and clips.entry(clip).video for clip in ids):
        raise UseError(f"none of the clips asked for has a picture in {clips.folder}; nothing to show")
    width, height = (side + GAP for side in CELL)
    columns = max(1, min(len(ids), round(math.sqrt(ASPECT * len(ids) * height / width))))
    sheet = np.full((height * math.ceil(len(ids) / columns) + GAP, width * columns + GAP, 3), 255, np.uint8)
    for k, clip in enumerate(ids):
        top, left = GAP + height * (k // columns), GAP + width * (k % columns)
        cell = _prepared(clips, clip) if clip in clips else _told(_cell(f"{clip}  quarantined", RED), reasons[clip])
        sheet[top : top + CELL[1], left : left + CELL[0]] = cell
    return cv2.imencode(".png", sheet)[1].tobytes()


def _prepared(clips: Clips, clip: str) -> UInt8:
    entry = clips.entry(clip)
    note = f"{clip}  {entry.speaker}  {entry.frames} frames"
    cell = _cell(f"{note}  {entry.damage}" if entry.damage else note, AMBER if entry.damage else PLAIN)
    if not entry.video:
        return _told(cell, "sound only")
    still = cv2.cvtColor(clips.still(clip), cv2.COLOR_GRAY2BGR)
    half = SIZE * STILL_PX_PER_MM / PX_PER_MM / 2
    low, high = ([round(place + side * half) for place in STILL_MOUTH] for side in (-1, 1))
    cv2.rectangle(still, low, high, OUTLINE, round(STILL / SIZE))
    crops = clips.roi(clip)
    picked = crops[np.linspace(0, len(crops) - 1, MOMENTS).round().astype(int)]
    small = cv2.resize(still, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    cell[STRIP:] = np.hstack([small, *(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) for picture in picked)])
    return cell


def _cell(title: str, colour: tuple[int, int, int]) -> UInt8:
    """(H, W, 3) grey cell with its strip."""
    cell: NDArray[np.uint8] = np.full((CELL[1], CELL[0], 3), 225, np.uint8)
    cell[:STRIP] = colour
    _write(cell, title[: CELL[0] // 7], STRIP - 4, (255, 255, 255))
    return cell


def _told(cell: UInt8, text: str) -> UInt8:
    """A cell with words in place of pictures."""
    for line, words in enumerate(textwrap.wrap(text, CELL[0] // 7)[:6]):
        _write(cell, words, STRIP + 16 * (line + 1), (0, 0, 0))
    return cell


def _write(cell: UInt8, text: str, base: int, colour: tuple[int, int, int]) -> None:
    """One line of ASCII, all that OpenCV's letters offer."""
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(cell, plain, (4, base), cv2.FONT_HERSHEY_SIMPLEX, 0.36, colour, 1, cv2.LINE_AA)
