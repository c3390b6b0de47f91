"""Takes the pictures of a report that README opens with, light and dark.

    python docs/picture.py runs/quickstart/report.html

Needs playwright and Chromium, as the tests in a browser do. Writes docs/report-light.png and
docs/report-dark.png: what a
reader sees first, from the question down to the plot.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
WIDTH, MARGIN = 1240, 24  # pixels
BELOW = "#speed h3"  # what comes next below the picture: mixes side by side
COLOURS = 256  # of the picture, which is small then


def take(page_file: Path, scheme: str, target: Path, browser_path: str) -> None:
    """One picture.

    Args:
        page_file: The report.
        scheme: light or dark.
        target: Where it is written.
        browser_path: Chromium.
    """
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": 1000}, color_scheme=scheme, device_scale_factor=1.5
        )
        page.goto(page_file.resolve().as_uri())
        box = page.locator(BELOW).first.bounding_box()
        if box is None:
            raise SystemExit(f"{page_file}: there is no plot in this report")
        height = round(box["y"] - MARGIN)
        page.screenshot(
            path=target,
            full_page=True,
            clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
        )
        browser.close()
    with Image.open(target) as taken:
        few = taken.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)  # rare ones too
    few.save(target, optimize=True)


def main() -> None:
    """Take both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path, help="report.html of a run")
    report = parser.parse_args().report
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium on the path; on Debian: apt install chromium")
    for scheme in ("light", "dark"):
        take(report, scheme, HERE / f"report-{scheme}.png", chromium)


if __name__ == "__main__":
    main()
