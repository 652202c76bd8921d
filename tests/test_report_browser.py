"""The report in a real browser, headless: it sorts, plays, switches clips, and fits a phone; skipped without one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.small_report import BITING, SCRATCH, TUNED, small_report
from v2sbench.report import write_report

CHROMIUM, DRIVER = (next(filter(None, map(shutil.which, names)), None) for names in (
    ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",),
))  # fmt: skip
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
PATIENCE = 60.0
"""Seconds to wait for the page to do what it was asked to."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("no browser: install chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install 'v2sbench[dev]'")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(service=webdriver.ChromeService(DRIVER), options=options)
    yield browser
    browser.quit()


@pytest.fixture
def page(driver: Any, project: Path) -> Iterator[Any]:
    """The toy project's report, open; what the browser complained of is asked for at the end."""
    small_report(project)
    resize(driver, 1280, 900)
    emulate(driver)
    driver.get(write_report("toy").resolve().as_uri())
    yield driver
    assert driver.get_log("browser") == []


def resize(driver: Any, width: int, height: int) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def emulate(driver: Any, scheme: str = "light") -> None:
    """A reader of that colour scheme who wants no motion: a click must not meet a page that scrolls."""
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def until(ready: Callable[[], Any]) -> Any:
    """What `ready` gives as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while not (found := ready()):
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.02)
    return found


def column(driver: Any, place: int) -> list[str]:
    return driver.execute_script(
        "return [...document.querySelectorAll('#table tbody tr:not(.group)')]"
        ".map(row => row.cells[arguments[0]].dataset.order)",
        place,
    )


def press(driver: Any, key: str) -> None:
    driver.execute_script(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key
    )


def playing(driver: Any) -> str | None:
    return driver.execute_script("return document.querySelector('#systems li.playing')?.dataset.system ?? null")


def frame(driver: Any) -> int:
    return int(driver.execute_script("return document.getElementById('mouth').dataset.frame ?? -1"))


def test_a_heading_sorts_both_ways_and_brings_the_groups_back(page: Any) -> None:
    heads = page.find_elements("css selector", "#table thead button")
    place = next(k for k, head in enumerate(heads) if head.text.startswith("STOI"))
    original = column(page, place)
    heads[place].click()
    known = [float(value) for value in column(page, place) if value]
    assert known == sorted(known)
    assert len(known) < len(original) or "" not in original  # unknown values stand last
    assert not page.find_elements("css selector", "#table tr.group")
    heads[place].click()
    assert [float(value) for value in column(page, place) if value] == known[::-1]
    assert heads[place].find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    heads[place].click()
    assert column(page, place) == original
    assert page.find_elements("css selector", "#table tr.group")


def play_slowly(driver: Any) -> None:
    """Sound takes sixteen times as long from now on, so that no clip ends while a busy machine looks away."""
    driver.execute_script(
        "const play = HTMLMediaElement.prototype.play;"
        "HTMLMediaElement.prototype.play = function () { this.playbackRate = 0.0625; return play.call(this); };"
    )


def test_it_plays_and_another_system_goes_on_at_the_same_place(page: Any) -> None:
    play_slowly(page)
    names = [item.get_attribute("data-system") for item in page.find_elements("css selector", "#systems li")]
    assert names[0] == "ground-truth"
    assert {TUNED, SCRATCH} <= set(names)
    page.find_element("css selector", "#systems button").click()
    until(lambda: playing(page) == "ground-truth" and frame(page) > 0)
    before = frame(page)
    press(page, str(names.index(TUNED) + 1))
    until(lambda: playing(page) == TUNED)
    assert until(lambda: frame(page) >= before)
    button = page.find_element("css selector", f"#systems li[data-system='{TUNED}'] button")
    for pressed in ("false", "true", "false"):
        press(page, " ")
        until(lambda pressed=pressed: button.get_attribute("aria-pressed") == pressed)


def test_a_spectrogram_is_a_place_to_play_from(page: Any) -> None:
    from selenium.webdriver import ActionChains

    mel = page.find_element("css selector", "#systems li:nth-child(2) .mel")
    frames = page.execute_script("return JSON.parse(document.getElementById('exhibits').textContent).clips[0].frames")
    page.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", mel)
    ActionChains(page).move_to_element_with_offset(mel, mel.size["width"] // 4, 0).click().perform()
    assert until(lambda: frame(page) >= int(0.7 * frames))


def test_clips_are_switched_by_list_by_button_and_by_key(page: Any) -> None:
    clips = page.execute_script("return JSON.parse(document.getElementById('exhibits').textContent).clips")
    assert len(clips) > 2

    def said() -> str:
        return page.find_element("id", "said").text

    assert said() == clips[0]["text"]
    page.find_element("id", "after").click()
    assert said() == clips[1]["text"]
    press(page, "ArrowRight")
    assert said() == clips[2]["text"]
    press(page, "ArrowLeft")
    page.find_element("id", "before").click()
    page.find_element("id", "before").click()
    assert said() == clips[-1]["text"]
    page.find_elements("css selector", "#clip option")[1].click()
    assert said() == clips[1]["text"]
    assert playing(page) is None


def test_what_was_heard_is_text(page: Any) -> None:
    line = page.find_element("css selector", "#systems li[data-system='noise'] p:last-child")
    assert line.text == f"heard: {BITING}"
    silent = page.find_element("css selector", f"#systems li[data-system='{SCRATCH}'] p:last-child")
    assert silent.text == "heard: nothing"
    assert not page.find_elements("css selector", "#systems b")
    assert page.find_elements("css selector", "#systems .wrong")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_legible_by_day_and_night(page: Any, scheme: str) -> None:
    resize(page, 390, 800)
    emulate(page, scheme)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    colour = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]].match(/[0-9.]+/g).map(Number)"
    paper = page.execute_script(colour, "body", "backgroundColor")
    assert contrast(page.execute_script(colour, "body", "color"), paper) > 7  # WCAG's strictest ratio for text
    assert contrast(page.execute_script(colour, ".hint", "color"), paper) > 4.5


def contrast(one: list[float], other: list[float]) -> float:
    """Ratio of luminances, by WCAG 2.1."""

    def luminance(colour: list[float]) -> float:
        parts = [value / 255 for value in colour[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_control_is_reached_by_the_keyboard_and_has_a_name(page: Any) -> None:
    nameless = page.execute_script(
        "return [...document.querySelectorAll('button, select, canvas, [role]')]"
        ".filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.execute_script("return [...document.querySelectorAll('button, select')].every(e => e.tabIndex === 0)")
    assert page.execute_script("return [...document.images].every(e => e.alt)")
