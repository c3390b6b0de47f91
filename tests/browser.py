"""A real browser for tests of pages: it notices every error, and every request to elsewhere.

A test asks for `visit` and opens a page from disk:

    def test_the_page_fits_a_phone(visit):
        page = visit(report, width=360)
        assert overflow(page) == []

When the test ends, whatever the page said on its console, threw or asked the network for fails it.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
CHECKS = Path(__file__).parent / "browser.js"
OWN = ("file:", "data:", "blob:", "about:")  # addresses that ask nothing of the network

Visit = Callable[..., "Page"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; the test is skipped where it or playwright is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a file: visit(path, width=1440, height=900, scheme="light", scripts=True)."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def opened(
        path: Path,
        *,
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        scripts: bool = True,
        anchor: str = "",
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        watch(page, troubles)
        page.goto(path.resolve().as_uri() + anchor)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


def watch(page: Page, troubles: list[str]) -> None:
    """Note down what the page says, what it throws, and what it asks of the network."""

    def asked(address: str) -> None:
        if not address.startswith(OWN):
            troubles.append(f"request: {address}")

    page.on("console", lambda message: troubles.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("request", lambda request: asked(request.url))


@functools.cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def findings(page: Page, *rules: str) -> list[str]:
    """What axe finds wrong, by all its rules or by these: rule, words and place in a line each."""
    page.evaluate(_axe() + ";0")  # not bound by the page's policy, as a script element would be
    only = {"runOnly": list(rules)} if rules else {}
    options = {"resultTypes": ["violations"], **only}
    run = "async (options) => (await axe.run(document, options)).violations"
    found = page.evaluate(run, options)
    return [
        f"{rule['id']}: {rule['help']}: {json.dumps(node['target'])} {node['html'][:160]}"
        for rule in found
        for node in rule["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """Elements that reach over the right edge of the window, unless a box around them scrolls."""
    return list(page.evaluate(f"() => {_checks()}.overflow()"))


def overlaps(page: Page, query: str, spare: float = 1.0) -> list[str]:
    """Pairs of elements that are seen on one another by more than `spare` pixels both ways.

    Elements that contain one another are left out.
    """
    return list(page.evaluate(f"(given) => {_checks()}.overlaps(given)", [query, spare]))


@functools.cache
def _checks() -> str:
    text = CHECKS.read_text(encoding="utf-8")
    return text.partition("\n")[2].strip()
