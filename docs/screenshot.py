"""Takes the README's picture of a report page: `python docs/screenshot.py [results/reports/demo-seen.html]`.

Needs the extra `dev` and Chromium with its driver, as tests/test_report_browser.py does.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from selenium import webdriver

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "results" / "reports" / "demo-seen.html"
OUT = ROOT / "docs" / "pictures" / "report.png"
SIZE = (1200, 1800)
"""Pixels: the table and the first clip to listen to, on a page of few systems."""


def shoot(page: Path, out: Path) -> None:
    """The top of the page as a person with a light desktop sees it, written to `out`."""
    options = webdriver.ChromeOptions()
    for name in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", f"user-data-dir={tempfile.mkdtemp()}"):
        options.add_argument(f"--{name}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        width, height = SIZE
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(page.resolve().as_uri())
        browser.save_screenshot(str(out))
    finally:
        browser.quit()


if __name__ == "__main__":
    shown = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    if not shown.is_file():
        sys.exit(f"no page {shown}; run: v2sbench report demo-seen")
    shoot(shown, OUT)
