"""The page in a real browser: it runs clean, offline, by keyboard, in the dark and on a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


class Watched:
    """A page of which every message, error, dialog and request is written down."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, folder: Path) -> playwright.Page:
        self.page.goto((folder / "report.html").as_uri())
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    path = os.environ.get("EQUILUX_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no Chromium: set EQUILUX_CHROMIUM or install one of {', '.join(NAMES)}")
    with playwright.sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: playwright.Browser) -> Iterator[Watched]:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    page = Watched(context.new_page())
    yield page
    context.close()
    assert page.complaints == []
    assert [u for u in page.requests if not u.startswith(("file://", "data:"))] == []
    assert sum(u.startswith("file://") for u in page.requests) == 1


def _column(page: playwright.Page, table: str, index: int) -> list[str]:
    rows = page.locator(f"#{table} tbody tr:not([hidden])")
    return [row.locator(":is(th,td)").nth(index).inner_text() for row in rows.all()]


def _numbers(page: playwright.Page, table: str, index: int) -> list[float]:
    return [float(text.split()[0].strip("()*?~")) for text in _column(page, table, index)]


def test_a_click_sorts_and_a_second_one_reverses(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    table = "headline-id-cosine"
    before = _column(page, table, 0)
    header = page.locator(f"#{table} thead th").nth(1)
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    psnr = _numbers(page, table, 1)
    assert psnr == sorted(psnr)
    assert _column(page, table, 0) != before
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert _numbers(page, table, 1) == sorted(psnr, reverse=True)
    assert page.locator(f"#{table} th[aria-sort]").count() == 1
    assert "sorted by psnr" in page.locator("[aria-live=polite].skip").inner_text()


def test_the_keyboard_sorts(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    header = page.locator("#headline-detected thead th").nth(1)
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "descending"
    values = _numbers(page, "headline-detected", 1)
    assert values == sorted(values, reverse=True)


def test_everything_can_be_reached_by_tab(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")
    assert (
        page.evaluate("document.querySelectorAll('[tabindex]:not([tabindex=\"0\"])').length") == 0
    )


def test_unknown_values_sort_last_either_way(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    header = page.locator("#systems thead th").nth(3)
    for _ in range(2):
        header.get_by_role("button").click()
        shown = _column(page, "systems", 3)
        assert shown[:2] == ["3.2", "3.2"]
        assert set(shown[2:]) == {"–"}


def test_filters_narrow_a_table(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    bar = page.locator(".filters[data-for=gaps]")
    assert set(_column(page, "gaps", 2)) == {"tone level"}, "starts on the headline axis"
    bar.get_by_label("axis").select_option("illumination")
    bar.get_by_label("metric").select_option("psnr")
    assert set(_column(page, "gaps", 2)) == {"illumination"}
    bar.get_by_label("Find").fill("GAMMA")
    assert [name.split()[0] for name in _column(page, "gaps", 0)] == ["gamma"]
    assert bar.locator("output").inner_text().startswith("1 of ")
    bar.get_by_label("Find").fill("no such thing")
    assert _column(page, "gaps", 0) == []


def test_the_gallery_shows_pictures_and_filters(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    image = page.locator(".cases img").first
    image.scroll_into_view_if_needed()
    page.wait_for_function("e => e.complete && e.naturalWidth > 0", arg=image.element_handle())
    page.locator("#gallery-filter select").select_option("lime")
    shown = page.locator(".cases li:visible")
    assert shown.count() == 6
    assert all("lime" in text for text in shown.all_inner_texts())


def _lightness(page: playwright.Page, selector: str, name: str) -> float:
    colour = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{name}")
    return sum(int(part) for part in colour[4:-1].split(",")) / 3


def test_the_theme_follows_the_system_and_the_button(
    browser: playwright.Browser, watched: Watched, run_folder: Path
) -> None:
    page = watched.open(run_folder)
    page.emulate_media(color_scheme="dark")
    assert _lightness(page, "html", "backgroundColor") < 60 < _lightness(page, "html", "color")
    assert _lightness(page, ".drawing svg text", "fill") > 180, "figures follow"
    button = page.get_by_role("button", name="Theme")
    button.click()
    assert button.inner_text() == "Theme: light"
    assert _lightness(page, "html", "backgroundColor") > 200
    page.emulate_media(color_scheme="light")
    button.click()
    assert _lightness(page, "html", "backgroundColor") < 60


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("kind", ["full_folder", "hostile_folder"])
def test_the_page_itself_never_scrolls_sideways(
    watched: Watched, request: pytest.FixtureRequest, width: int, kind: str
) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": 800})
    watched.open(request.getfixturevalue(kind))
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_names_do_not_run(watched: Watched, hostile_folder: Path) -> None:
    page = watched.open(hostile_folder)
    assert page.locator("h1").inner_text() == "Face <script>alert(1)</script> & identity"
    assert page.locator("main img:not([src^=data])").count() == 0
    page.locator("#headline-id-cosine thead button").nth(1).click()


def test_print_is_light_and_without_controls(watched: Watched, run_folder: Path) -> None:
    page = watched.open(run_folder)
    page.emulate_media(media="print", color_scheme="dark")
    assert _lightness(page, "html", "backgroundColor") > 200
    for selector in ("nav", "#theme", ".filters"):
        assert not page.locator(selector).first.is_visible()


def test_without_scripts_every_table_is_there_in_full(
    browser: playwright.Browser, run_folder: Path
) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto((run_folder / "report.html").as_uri())
    assert page.locator("#gaps tbody tr:visible").count() > 50
    assert page.locator(".filters:visible, #theme:visible").count() == 0
    context.close()


def test_sections_of_a_task_follow_the_theme_and_sort(watched: Watched, full_folder: Path) -> None:
    page = watched.open(full_folder)
    page.emulate_media(color_scheme="dark")
    for slug in ("structure", "recognition", "representation", "distribution"):
        section = f"#{slug}-section"
        assert page.locator(f"{section} h2").count() == 1
        assert _lightness(page, f"{section} .drawing svg text", "fill") > 180
    table = "outcomes-frozen-sign-judge"
    header = page.locator(f"#{table} thead th").nth(3)
    header.get_by_role("button").click()
    after = _numbers(page, table, 3)
    assert after == sorted(after)
    page.locator("nav a", has_text="Contexts").click()
    assert page.url.endswith("#predictor-section")


def test_hostile_groups_stay_text_in_the_sections(watched: Watched, hostile_folder: Path) -> None:
    page = watched.open(hostile_folder)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for slug in ("recognition", "representation", "distribution"):
        section = page.locator(f"#{slug}-section")
        assert "<img src=x" in section.inner_text()
        assert section.locator("img").count() == 0
