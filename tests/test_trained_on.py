"""What weights have heard, and who may be scored on what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from v2sbench.clips.splits import SplitTable, read_split
from v2sbench.nets.trained_on import joined, refuse_leak, trained_on
from v2sbench.runtime import UseError


@pytest.fixture
def table(project: Path) -> SplitTable:
    return read_split(project / "splits" / "toy")


def swapped(table: SplitTable, *clips: str, name: str = "other") -> SplitTable:
    """The same clips, `clips` of them for test and the rest to train on."""
    rows = [replace(row, subset="test" if row.id in clips else "train") for row in table.rows]
    rows.sort(key=lambda row: (row.subset == "test", row.id))
    return replace(table, name=name, rows=rows, division="1" * 16)


def test_own_test_clips_are_unheard(table: SplitTable) -> None:
    past = trained_on(table)
    assert len(past.clips) == len(table.subset("train"))
    assert (np.diff(past.clips) > 0).all()
    refuse_leak([past], table)


def test_a_leak_is_refused_with_its_size_and_names(table: SplitTable) -> None:
    trained, tested = [[row.id for row in table.subset(part)] for part in ("train", "test")]
    scored = swapped(table, *trained[:4], *tested)
    with pytest.raises(UseError) as caught:
        refuse_leak([trained_on(table)], scored)
    assert str(caught.value) == (
        f"these weights were trained on toy, and so on 4 test clips of other ({', '.join(trained[:3])}, ...); "
        "score them with --split toy"
    )
    refuse_leak([], scored)
    refuse_leak([replace(trained_on(table), corpus="elsewhere")], scored)  # one name, another corpus
    refuse_leak([trained_on(table)], swapped(table, *tested))


def test_what_the_weights_started_from_counts(table: SplitTable) -> None:
    own, first = trained_on(swapped(table, *[row.id for row in table.subset("test")])), trained_on(table)
    past = joined([first], [own], [first])
    assert [item.split for item in past] == ["toy", "other"]
    with pytest.raises(UseError, match="trained on toy, and so on 1 test clips"):
        refuse_leak(past, swapped(table, next(row.id for row in table.subset("train")), name="third"))


def test_a_split_without_a_test_part_keeps_no_list(table: SplitTable) -> None:
    speech = replace(table, rows=[row for row in table.rows if row.subset != "test"])
    assert len(trained_on(speech).clips) == 0
