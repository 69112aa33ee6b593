"""Deque's axe finds nothing to mend: the committed boards and a report, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .test_report_browser import browser, playwright

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

pytestmark = pytest.mark.browser
__all__ = ["browser"]

SITE = Path(__file__).parents[2] / "leaderboards" / "site"
PAGES = (
    "index.html",
    "methods.html",
    "cards/face-identity.html",
    "tasks/low-light-recognition-quick.html",
    "systems/curve.html",
)
LOOKS: dict[str, dict[str, Any]] = {
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


def _violations(browser: playwright.Browser, page: Path, look: str) -> list[str]:
    # the policy of our pages forbids scripts from elsewhere, of which axe is one
    context = browser.new_context(offline=True, bypass_csp=True, **LOOKS[look])
    try:
        opened = context.new_page()
        opened.goto(page.as_uri())
        found = axe.Axe().run(opened).response["violations"]
    finally:
        context.close()
    return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:160]}" for v in found]


@pytest.mark.parametrize("look", LOOKS)
def test_the_boards(browser: playwright.Browser, look: str) -> None:
    assert {name: _violations(browser, SITE / name, look) for name in PAGES} == {
        name: [] for name in PAGES
    }


@pytest.mark.parametrize("look", LOOKS)
def test_a_report(browser: playwright.Browser, run_folder: Path, look: str) -> None:
    assert _violations(browser, run_folder / "report.html", look) == []


def test_what_is_wrong_is_found(browser: playwright.Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>t</title><main><h1>h</h1><img src='x.png'></main>")
    assert [v.split(":")[0] for v in _violations(browser, page, "desktop-light")] == [
        "html-has-lang",
        "image-alt",
    ]
