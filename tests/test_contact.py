"""The contact sheet of prepared clips: what is on it, where, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from v2sbench.clips.store import SIZE
from v2sbench.prepare.crops import PX_PER_MM, STILL, STILL_MOUTH, STILL_PX_PER_MM
from v2sbench.runtime import UseError
from v2sbench.tools import contact_sheet as contact
from v2sbench.tools.contact_sheet import CELL, GAP, STRIP, contact_sheet, to_show


class MadeClips:
    """What a sheet asks of prepared clips: crop k of s1/clipN is of grey 100 + 20 N + k, its still of 100 + 20 N."""

    def __init__(self, folder, count=6):
        self.folder = folder
        self.ids = (*(f"s1/clip{k}" for k in range(count)), "s2/sound")
        (folder / "quarantine.tsv").write_text(
            "id\treason\tdetail\ns1/junk.mpg\tunusable-file\tno name\n"
            + "".join(f"s3/gone{k}\tno-face\tlandmarks in 3 of 38 frames\n" for k in range(5)),
            encoding="utf-8",
        )

    def __contains__(self, clip):
        return clip in self.ids

    def entry(self, clip):
        damage = "4 pictures lost" if clip == "s1/clip2" else ""
        return SimpleNamespace(speaker=clip[:2], frames=21, damage=damage, video=clip != "s2/sound")

    def still(self, clip):
        return np.full((STILL, STILL), 100 + 20 * int(clip[-1]), np.uint8)

    def roi(self, clip):
        shades = 100 + 20 * int(clip[-1]) + np.arange(21, dtype=np.uint8)
        return np.broadcast_to(shades[:, None, None], (21, SIZE, SIZE))


@pytest.fixture
def clips(tmp_path):
    return MadeClips(tmp_path)


def cell_of(sheet, k, columns):
    """The k-th cell: its strip and its pictures."""
    top, left = (GAP + (side + GAP) * at for side, at in ((CELL[1], k // columns), (CELL[0], k % columns)))
    cell = sheet[top : top + CELL[1], left : left + CELL[0]]
    return cell[:STRIP], cell[STRIP:]


def drawn(clips, ids):
    return cv2.imdecode(np.frombuffer(contact_sheet(clips, ids), np.uint8), cv2.IMREAD_COLOR)


def test_still_and_five_crops_in_time(clips):
    strip, pictures = cell_of(drawn(clips, ["s1/clip1"]), 0, 1)
    assert pictures.shape == (SIZE, 6 * SIZE, 3)
    assert [int(pictures[48, SIZE * k + 48, 0]) for k in range(1, 6)] == [120, 125, 130, 135, 140]
    assert pictures[5, 5].tolist() == [120, 120, 120]
    assert (strip > 200).any()  # the name


def test_the_outline_is_where_the_crop_was_cut(clips):
    """The middles of its sides stand as far from the mouth as the crop's do, in the still's scale, both halved."""
    _, pictures = cell_of(drawn(clips, ["s1/clip0"]), 0, 1)
    still = pictures[:, :SIZE].astype(int)
    outlined = np.argwhere(still[:, :, 1] - still[:, :, 0] > 30)
    half = SIZE * STILL_PX_PER_MM / PX_PER_MM / 2
    across, down = STILL_MOUTH
    expected = np.array([down - half, across - half, down + half, across + half]) / 2
    np.testing.assert_allclose([*outlined.min(axis=0), *outlined.max(axis=0)], expected, atol=1.2)


def test_marks_of_damage_and_quarantine(clips):
    sheet = drawn(clips, ["s1/clip2", "s3/gone1", "s2/sound"])
    strips, pictures = zip(*(cell_of(sheet, k, 1) for k in range(3)), strict=True)
    colours = [np.median(strip, axis=(0, 1)).tolist() for strip in strips]
    assert colours == [[*contact.AMBER], [*contact.RED], [*contact.PLAIN]]
    assert all((told < 60).any() for told in pictures[1:])  # words


@pytest.mark.parametrize("count", [1, 5, 60])
def test_cells_stand_in_the_order_asked_for_on_a_sheet_that_fits_a_screen(clips, count):
    ids = [f"s1/clip{k % 6}" for k in range(count)][::-1]
    sheet = drawn(clips, ids)
    columns = (sheet.shape[1] - GAP) // (CELL[0] + GAP)
    greys = [int(cell_of(sheet, k, columns)[1][48, SIZE + 48, 0]) for k in range(count)]
    assert greys == [100 + 20 * int(name[-1]) for name in ids]
    assert count < 60 or 0.8 < sheet.shape[1] / sheet.shape[0] < 1.7


def test_shown_are_prepared_clips_from_first_to_last_and_what_was_left_out(tmp_path):
    shown = to_show(MadeClips(tmp_path, count=60), 12)
    assert shown[:4] == ["s3/gone0", "s3/gone1", "s3/gone2", "s3/gone3"]
    assert shown[4:] == [f"s1/clip{k}" for k in (0, 7, 15, 22, 30, 38, 45, 53)]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([], "1 to 1000 clips, not 0"),
        (["s1/clip0"] * 1001, "not 1001"),
        (["s1/klip0"], "did you mean 's1/clip0'"),
        (["s2/sound", "s3/gone0"], "has a picture"),
    ],
)
def test_what_cannot_be_shown(clips, ids, said):
    with pytest.raises(UseError, match=said):
        contact_sheet(clips, ids)
