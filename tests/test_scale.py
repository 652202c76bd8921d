"""The figures of docs/scale.md: what measures them runs, at a small part of the size."""

from __future__ import annotations

import re
import sys

import pytest

from benchmarks import scale
from tests.miniatures import fake


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["scale", *map(str, arguments)])
    scale.main()
    return capsys.readouterr().out


def test_an_index_is_opened_searched_and_resumed(tmp_path, monkeypatch, capsys):
    told = run(monkeypatch, capsys, "index", "--clips", 500, "--folder", tmp_path)
    measured = re.findall(r"^(.+?) +([\d.]+) s +([+-]\d+) MB$", told, re.MULTILINE)
    assert len(measured) == 12
    assert "500 look-ups by id" in [what for what, _, _ in measured]


def test_a_second_of_a_clip(monkeypatch, capsys):
    assert len(run(monkeypatch, capsys, "crops", "--seconds", 2).splitlines()) == 2


@pytest.mark.parametrize("name", ["omceb"])
def test_sound_in_times_of_real_time(name, tmp_path, monkeypatch, capsys):
    fake(name, tmp_path)
    told = run(monkeypatch, capsys, "audio", name, "--root", tmp_path)
    assert re.search(r"\d+ times real time, [\d.]+ ms a clip", told)
