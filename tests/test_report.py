"""The report: what is picked, what is drawn, that the page is whole, escaped, self-contained and the same twice."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_scores import scores
from tests.small_report import BITING, SCRATCH, TUNED, small_report
from v2sbench import cli
from v2sbench.audio import RATE, write_wav
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.report import charts, write_plots, write_report
from v2sbench.report.breakdown import SLOTS, slots, speakers
from v2sbench.report.listening import TILES, pick
from v2sbench.report.spectrograms import MEL, log_mel, mel_sheet
from v2sbench.results import Measured
from v2sbench.runtime import UseError

# ---------------------------------------------------------------- scores taken apart


def measured(system: str, lines: list[dict], **meta: object) -> Measured:
    return Measured(
        system=system, meta={"protocol": "v2sbench-1", "asr": "x", **meta}, lines={line["clip"]: line for line in lines}
    )


def test_utterances_are_scores_and_percents_of_an_utterances_own_words() -> None:
    lines = [
        {"clip": "s1/a", "stoi": 0.5, "wer": {"sub": 1, "del": 1, "ins": 1, "words": 6}},
        {"clip": "s1/b", "errors": {"stoi": "too-short", "wer": "no-text"}},
    ]
    found = measured("x", lines)
    assert found.utterances("stoi", ["s1/a", "s1/b", "s1/c"]) == {"s1/a": 0.5}
    assert found.utterances("wer", ["s1/a", "s1/b"]) == {"s1/a": pytest.approx(50.0)}


def test_speakers_have_columns_of_their_own_in_natural_order() -> None:
    lines = [{"clip": f"s{who}/c", "stoi": who / 20} for who in (10, 2)]
    lines.append({"clip": "s2/d", "stoi": 0.3})
    found = speakers({"x": measured("x", lines)}, "stoi", [line["clip"] for line in lines])
    assert list(found["x"].items()) == [("s2", pytest.approx(0.2)), ("s10", pytest.approx(0.5))]
    assert speakers({"x": measured("x", lines)}, "stoi", ["s2/c", "s2/d"]) == {}  # one speaker: the table says it
    assert speakers({"x": measured("x", [{"clip": "a"}])}, "stoi", ["a"]) == {}  # nobody knows who speaks


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ("bin blue at f two now", []),
        ("bin red at f two now", ["colour"]),
        ("bin blue at two now", ["letter"]),
        ("bin blue at f two now please", []),  # an insertion belongs to no slot
        ("", list(SLOTS)),
    ],
)
def test_slots_are_words_substituted_or_deleted(heard: str, wrong: list[str]) -> None:
    line = {"clip": "s1/bbaf2n", "text": "bin blue at f two now", "hyp": heard}
    found = slots({"x": measured("x", [line], normaliser="grid-strict-v1")}, ["s1/bbaf2n"])
    assert found == {"x": [100.0 * (name in wrong) for name in SLOTS]}


def test_slots_leave_out_what_is_no_grid_sentence_and_what_nobody_heard() -> None:
    clips = ["a", "b", "c"]
    lines = [{"clip": "a", "text": "ask me", "hyp": "ask"}, {"clip": "b", "text": "bin blue at f two now", "hyp": None}]
    assert slots({"x": measured("x", lines, normaliser="grid-strict-v1")}, clips) == {}
    assert slots({"x": measured("x", [{**lines[1], "hyp": "bin"}])}, clips) == {}


# ---------------------------------------------------------------- charts

NUMBERS = st.lists(st.floats(-50, 150), max_size=30)
SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawn: str) -> ElementTree.Element:
    """The chart as XML, with the namespaces that an HTML parser knows by itself."""
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    return ElementTree.fromstring(str(drawn).replace("<svg ", f"<svg {spaces}", 1))


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.text(max_size=9).filter(str.isprintable), NUMBERS, max_size=4))
def test_densities_are_well_formed_whatever_the_names_and_numbers(rows: dict[str, list[float]]) -> None:
    drawn = charts.densities(rows, "a & b")
    if not any(rows.values()):
        assert drawn == ""
        return
    root = parsed(drawn)
    assert root.get("aria-label") == "a & b"
    assert {name for name in rows if name.strip()} <= {node.text for node in root.iter(f"{SVG}text")}
    said = {node.text for node in root.iter(f"{SVG}title")}
    assert len(said) == sum(bool(scores) for scores in rows.values())


def test_charts_take_their_colours_from_the_page_and_have_ids_of_their_own() -> None:
    row = charts.Interval(label="a - b", value=0.2, low=0.1, high=0.3, outcome="better")
    one, other = charts.forest([row], "one"), charts.forest([row], "other")
    assert one == charts.forest([row], "one")
    assert "+0.2 [+0.1, +0.3], better" in one
    assert not re.search(r"#[0-9a-f]{6}\b|<style", one)
    css = (Path(charts.__file__).parent / "page.css").read_text()
    assert {name for name in re.findall(r"var\(--(\w+)\)", one) if f"--{name}:" not in css} == set()
    ids = [{node.get("id") for node in parsed(drawn).iter() if node.get("id")} for drawn in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert charts.forest([], "t") == ""


def test_curves_need_two_points() -> None:
    drawn = charts.curves({"a": [(0, 1.0), (10, 0.5)], "b": [(0, 1.0)]}, "t")
    assert [node.text for node in parsed(drawn).iter(f"{SVG}title")] == ["a: from 1 to 0.5"]
    assert charts.curves({"b": [(0, 1.0)]}, "t") == ""


# ---------------------------------------------------------------- what to listen to


def test_best_median_and_worst_of_every_variant_the_best_variant_first() -> None:
    systems = {TUNED: measured(TUNED, scores(0.6, 9, 1)), SCRATCH: measured(SCRATCH, scores(0.3, 9, 2)),
               "noise": measured("noise", scores(0.1, 9, 3))}  # fmt: skip
    clips = list(systems[TUNED].lines)
    chosen = pick(systems, "estoi", clips, 9)
    ranked = sorted(clips, key=lambda clip: -systems[TUNED].lines[clip]["estoi"])
    assert [item.clip for item in chosen[:3]] == [ranked[0], ranked[4], ranked[8]]
    assert [item.why[0].split(" ")[0] for item in chosen[:3]] == ["best", "median", "worst"]
    assert not any("noise" in why for item in chosen for why in item.why)
    assert len({item.clip for item in chosen}) == len(chosen) <= 6
    assert [item.clip for item in pick(systems, "estoi", clips, 2)] == ranked[0:5:4]  # no more than were asked for
    own = {"mine": systems[SCRATCH]}
    assert len(pick(own, "estoi", clips, 9)) == 3  # without a variant: the users' systems


# ---------------------------------------------------------------- the page


class Page(HTMLParser):
    """Tags, addresses and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "data") and value:
                self.addresses.append(value)
            if name == "id" and value:
                self.ids.append(value)


def exhibits_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="exhibits">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def decoded(uri: str, kind: str) -> bytes:
    head, data = uri.split(",", 1)
    assert head == f"data:{kind};base64"
    return base64.b64decode(data)


def test_the_page_is_whole_and_loads_nothing(project: Path) -> None:
    clips = small_report(project)
    text = write_report("toy").read_text(encoding="utf-8")
    page = Page(text)
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert {address[1:] for address in page.addresses} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", text)
    for said in (TUNED, "ground-truth", "v2sbench-1", "Best by ESTOI", "does not give"):
        assert said in text
    data = exhibits_of(text)
    assert data["systems"][0] == "ground-truth"
    assert {clip["id"] for clip in data["clips"]} <= set(clips)
    clip, table = data["clips"][0], read_split(Path("splits/toy"))
    frames = next(row.frames for row in table.rows if row.id == clip["id"])
    assert clip["frames"] == frames
    with av.open(io.BytesIO(decoded(clip["tiles"], "image/jpeg"))) as container:
        sheet = next(container.decode(video=0)).to_ndarray(format="gray")
    assert sheet.shape == (96 * -(-frames // TILES), 96 * TILES)
    crops = Clips(table.clips).roi(clip["id"])
    last = divmod(frames - 1, TILES)
    tile = sheet[96 * last[0] : 96 * last[0] + 96, 96 * last[1] : 96 * last[1] + 96]
    assert np.abs(tile.astype(int) - crops[-1]).mean() < 6  # what JPEG leaves of noise
    for sample in clip["samples"].values():
        with av.open(io.BytesIO(decoded(sample["audio"], "audio/flac"))) as container:
            samples = sum(frame.samples for frame in container.decode(audio=0))
        assert samples == 960 * frames
        assert decoded(sample["mel"], "image/png").startswith(b"\x89PNG")


def test_the_same_scores_give_the_same_bytes(project: Path) -> None:
    small_report(project)
    first = write_report("toy", Path("a.html")).read_bytes()
    assert write_report("toy", Path("b.html")).read_bytes() == first


def test_nothing_that_was_heard_can_leave_its_place(project: Path) -> None:
    small_report(project)
    text = write_report("toy").read_text(encoding="utf-8")
    assert BITING not in text
    assert Page(text).tags.count("b") == 0
    heard = [clip["samples"]["noise"]["heard"] for clip in exhibits_of(text)["clips"]]
    assert heard
    assert set(heard) == {BITING}  # whole, for the script to show as text


def test_numbers_alone_need_no_audio_and_no_clips(project: Path) -> None:
    small_report(project)
    for folder in ("audio", "clips", "splits"):
        (project / folder).rename(project / f"no-{folder}")
    with pytest.raises(UseError, match="no split in splits/toy"):
        write_report("toy")
    page = Page(write_report("toy", clips=0).read_text(encoding="utf-8"))
    assert "exhibits" not in page.ids
    assert "table" in page.ids


def test_a_card_of_ones_own_needs_no_comments(project: Path) -> None:
    small_report(project)
    own = "base: v2a-mel-s-speaker-scratch\ntrain:\n  steps: 5\n  betas:\n    - 0.9\n    - 0.98\n"
    Path("models/v2a-own-speaker-scratch.yaml").write_text(own)
    for name in ("jsonl", "meta.json"):
        made = Path("results/measured/toy") / f"noise.{name}"
        (made.parent / f"v2a-own-speaker-scratch.{name}").write_text(made.read_text())
    text = write_report("toy", clips=0).read_text(encoding="utf-8")
    assert "<td>train.betas</td><td>[0.9, 0.98]</td><td>the card gives no source</td>" in text


def test_wrong_use_is_one_clear_line(project: Path) -> None:
    with pytest.raises(UseError, match="no scores under"):
        write_report("toy")
    small_report(project)
    with pytest.raises(UseError, match="--clips must not be negative, not -1"):
        write_report("toy", clips=-1)
    with pytest.raises(UseError, match="mine was not scored on toy"):
        write_report("toy", folders={"mine": project / "audio"})
    with pytest.raises(UseError, match="no folder nowhere"):
        write_report("toy", folders={"mine": Path("nowhere")})
    (project / "audio").rename(project / "elsewhere")
    with pytest.raises(UseError, match="leave the listening page out: --clips 0"):
        write_report("toy")
    assert not Path("results/reports").exists()


def test_a_users_own_audio_is_a_row_and_a_player_by_one_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = small_report(project)

    def scored(split: str, own: dict[str, Path]) -> None:
        assert (split, own) == ("toy", {"mine": Path("wavs")})
        for name in ("jsonl", "meta.json"):
            made = Path("results/measured/toy") / f"noise.{name}"
            (made.parent / f"mine.{name}").write_text(made.read_text().replace('"noise"', '"mine"'))

    for clip in clips:
        write_wav(project / "wavs" / f"{clip}.wav", np.zeros(9600, np.float32) + 0.1, 16_000)
    monkeypatch.setattr("v2sbench.cli.score.score_split", scored)
    cli.run(["report", "toy", "--system", "mine=wavs", "--clips", "1"])
    assert "report: results/reports/toy.html" in capsys.readouterr().out
    data = exhibits_of(Path("results/reports/toy.html").read_text(encoding="utf-8"))
    assert len(data["clips"]) == 1
    assert data["clips"][0]["samples"]["mine"]["seconds"] == pytest.approx(0.6)
    with pytest.raises(UseError, match="--system takes NAME=DIR, not 'mine'"):
        cli.run(["report", "toy", "--system", "mine"])


# ---------------------------------------------------------------- for other programs


def test_plots_are_files_that_others_read(project: Path) -> None:
    small_report(project)
    folder = write_plots("toy")
    assert sorted(path.name for path in (folder / "validation").iterdir()) == [f"{SCRATCH}.csv", f"{TUNED}.csv"]
    assert (folder / "validation" / f"{TUNED}.csv").read_text() == "step,validation_l1\n4,0.8\n6,0.7\n"
    first = (folder / "mels.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert (write_plots("toy") / "mels.png").read_bytes() == first


def test_plots_without_audio_are_curves_alone(project: Path) -> None:
    small_report(project)
    (project / "audio").rename(project / "elsewhere")
    assert [path.name for path in write_plots("toy").iterdir()] == ["validation"]


def tones(folder: Path) -> None:
    """A low and a high tone as two systems' audio of one clip."""
    seconds = np.arange(RATE) / RATE
    for system, hertz in (("low", 440.0), ("high", 880.0)):
        wave = (0.3 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)
        write_wav(folder / "s" / system / "s1/aaaa.wav", wave)


def test_a_sheet_of_spectrograms_shows_the_pitch_and_is_the_same_every_time(tmp_path: Path) -> None:
    tones(tmp_path)
    low, high = (log_mel(tmp_path / "s" / system / "s1/aaaa.wav") for system in ("low", "high"))
    assert low.shape == (RATE // MEL.hop, MEL.bands)
    assert low.mean(axis=0).argmax() < high.mean(axis=0).argmax()
    sheets = [
        mel_sheet("s", [system], ["s1/aaaa"], tmp_path / f"{place}.png", audio=tmp_path).read_bytes()
        for place, system in enumerate(("low", "low", "high"))
    ]
    assert sheets[0] == sheets[1] != sheets[2]


def test_a_sheet_without_audio_names_the_command(tmp_path: Path) -> None:
    tones(tmp_path)
    with pytest.raises(UseError, match="v2sbench synth noise --split s"):
        mel_sheet("s", ["noise"], ["s1/aaaa"], tmp_path / "a.png", audio=tmp_path)
    with pytest.raises(UseError, match="at least one"):
        mel_sheet("s", [], ["s1/aaaa"], tmp_path / "a.png", audio=tmp_path)
    assert not (tmp_path / "a.png").exists()
