"""The contact sheet of prepared clips: what is on it, where, and what is refused."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest

from v2sbench.clips.store import SIZE, Clips
from v2sbench.prepare.crops import PX_PER_MM, STILL, STILL_MOUTH, STILL_PX_PER_MM
from v2sbench.prepare.writer import ShardWriter, encode_still
from v2sbench.runtime import UseError
from v2sbench.tools import contact_sheet as contact
from v2sbench.tools.contact_sheet import CELL, GAP, STRIP, contact_sheet

DAMAGE = "4 pictures lost, the one before held"


def add(writer, clip, shade, damage="", frames=21):
    """A clip whose crop k is of grey `shade` + k, and whose still is of grey `shade`."""
    crops = np.broadcast_to((shade + np.arange(frames, dtype=np.uint8))[:, None, None], (frames, SIZE, SIZE))
    packed = io.BytesIO()
    np.save(packed, np.ascontiguousarray(crops))
    still = encode_still(np.full((STILL, STILL), shade, np.uint8))
    writer.add(clip, clip.split("/")[0], "text", frames, b"sound", packed.getvalue(), damage, still)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    with ShardWriter(folder) as writer:
        for k in range(6):
            add(writer, f"s1/clip{k}", 100 + 20 * k, damage=DAMAGE if k == 2 else "")
        writer.add("s2/sound", "s2", None, 30, b"sound", b"", "", b"")
        writer.finish([("s3/gone", "no-face", "landmarks in 3 of 38 frames"), ("s3/ünlike", "undecodable", "?")], {})
    return Clips(folder)


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
    assert np.median(strip, axis=(0, 1)).tolist() == [*contact.PLAIN]
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
    sheet = drawn(clips, ["s1/clip2", "s3/gone", "s2/sound"])
    strips, pictures = zip(*(cell_of(sheet, k, 1) for k in range(3)), strict=True)
    colours = [np.median(strip, axis=(0, 1)).tolist() for strip in strips]
    assert colours == [[*contact.AMBER], [*contact.RED], [*contact.PLAIN]]
    for told in pictures[1:]:
        assert np.median(told) == 225
        assert (told < 60).any()  # words


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_cells_stand_in_the_order_asked_for(clips, count):
    ids = [f"s1/clip{k % 6}" for k in range(count)][::-1]
    sheet = drawn(clips, ids)
    columns = (sheet.shape[1] - GAP) // (CELL[0] + GAP)
    rows = (sheet.shape[0] - GAP) // (CELL[1] + GAP)
    assert rows == -(-count // columns)
    assert [int(cell_of(sheet, k, columns)[1][48, SIZE + 48, 0]) for k in range(count)] == [
        100 + 20 * int(name[-1]) for name in ids
    ]


def test_many_clips_make_a_sheet_that_fits_a_screen(clips):
    height, width, _ = drawn(clips, [f"s1/clip{k % 6}" for k in range(60)]).shape
    assert 0.8 < width / height < 1.7


def test_the_same_clips_give_the_same_bytes(clips):
    assert contact_sheet(clips, ["s1/clip0", "s3/ünlike"]) == contact_sheet(clips, ["s1/clip0", "s3/ünlike"])


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([], "1 to 1000 clips, not 0"),
        (["s1/clip0"] * 1001, "not 1001"),
        (["s1/klip0"], "did you mean 's1/clip0'"),
        (["s2/sound", "s3/gone"], "has a picture"),
    ],
)
def test_what_cannot_be_shown(clips, ids, said):
    with pytest.raises(UseError, match=said):
        contact_sheet(clips, ids)
