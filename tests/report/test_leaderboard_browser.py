"""The site in a real browser: clean, offline, by keyboard, on a phone, deaf to hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.report.leaderboard import add_result, read_results
from benchmark.report.leaderboard.site import build_site, write_site

from .publishing import write_published
from .synthetic_run import Options
from .test_leaderboard_site import CARD, HOSTILE, hostile_submission
from .test_report_browser import browser, playwright

pytestmark = pytest.mark.browser
__all__ = ["browser"]

PAGES = (
    "index.html",
    "tasks/face-identity-quick.html",
    "systems/gamma.html",
    "systems/curve.html",
    "cards/face-identity.html",
    "methods.html",
)
#: Everything that sticks out to the right although nothing around it scrolls or hides.
OVERFLOW = """() => [...document.querySelectorAll('main *')].filter((e) => {
  if (e.getBoundingClientRect().right <= document.documentElement.clientWidth + 1) return false;
  for (let p = e; p; p = p.parentElement) {
    const style = getComputedStyle(p);
    if (style.overflowX !== 'visible' || style.position === 'absolute') return false;
  }
  return true;
}).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    run = write_published(folder / "run", Options(hostile=True, groups=7))
    add_result(run, folder / "results", note=HOSTILE)
    files = build_site(
        read_results(folder / "results"),
        submissions={"mal/icious": hostile_submission()},
        cards={"face-identity": CARD},
    )
    write_site(files, folder / "site")
    return folder / "site"


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    context = browser.new_context(offline=True, viewport={"width": 390, "height": 844})
    context.set_default_timeout(20_000)
    opened, complaints, requests = context.new_page(), [], []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: (complaints.append("dialog"), dialog.dismiss()))
    opened.on("request", lambda request: requests.append(request.url))
    yield opened
    context.close()
    assert complaints == []
    assert [u for u in requests if not u.startswith(("file://", "data:"))] == []


def test_hostile_text_neither_runs_nor_breaks_a_phone(page: playwright.Page, site: Path) -> None:
    for name in PAGES:
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.evaluate(OVERFLOW) == [], name
        assert page.locator("h1").count() == 1
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.wait_for_timeout(50)  # the event that says so comes later
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_by_keyboard_a_table_is_sorted_and_a_page_opened(page: playwright.Page, site: Path) -> None:
    page.goto((site / PAGES[1]).as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    table = page.locator("main table").first
    header = table.locator("thead th", has_text="psnr")
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    column = header.evaluate("(cell) => cell.cellIndex")
    cells = table.locator(f"tbody tr :nth-child({column + 1})").all()
    values = [float(v) for v in (cell.get_attribute("data-v") for cell in cells) if v is not None]
    assert values == sorted(values)
    assert len(values) == 7
    table.locator("tbody a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/systems/*.html")


def test_filters_leave_the_rows_that_were_asked_for(page: playwright.Page, site: Path) -> None:
    page.goto((site / PAGES[1]).as_uri())
    page.locator(".filters input").first.fill("curve")
    rows = page.locator("main table").first.locator("tbody tr:not([hidden])")
    assert rows.count() == 2
    assert "2 of 7 rows" in page.locator(".filters output").first.inner_text()


def test_headers_stay_in_sight_whether_the_page_or_the_table_scrolls(
    page: playwright.Page, site: Path
) -> None:
    page.set_viewport_size({"width": 390, "height": 420})
    page.goto((site / PAGES[1]).as_uri())
    head, box = page.evaluate("""() => {
      const box = document.querySelector("main table").closest(".scroll");
      box.scrollTop = 150;
      return [box.querySelector("thead th"), box].map((e) => e.getBoundingClientRect().top);
    }""")
    assert head == pytest.approx(box, abs=1)
    page.set_viewport_size({"width": 1600, "height": 300})
    page.goto((site / PAGES[0]).as_uri())
    head, menu, table = page.evaluate("""() => {
      const table = document.getElementById("systems");
      const top = scrollY + table.getBoundingClientRect().bottom - 150;
      scrollTo({ top, behavior: "instant" });
      const [head, menu] = [table.querySelector("thead th"), document.querySelector("nav")];
      return [head.getBoundingClientRect().top, menu.getBoundingClientRect().bottom,
              table.getBoundingClientRect().top];
    }""")
    assert head == pytest.approx(menu, abs=4)
    assert table < 0
