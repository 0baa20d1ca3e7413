"""The report of networks on a table in a real browser: quiet, no wider than the window, short where all passed."""

from __future__ import annotations

import shutil

import pytest

from modelcheck.report import write_gallery, write_report
from report_tables import LIMITS, make_table_comparison, make_table_document
from reports import HOSTILE
from table_networks import make_table_panel, make_table_signature

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("There is no chromium on the path: install Debian's package chromium", allow_module_level=True)

CALM = tuple(row for row in LIMITS if row.metric != "driver_change")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Open a page; at the end nothing may have been fetched and nothing complained of."""
    contexts, noise = [], []

    def opened(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noise.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda request: noise.append(request.url) if not request.url.startswith("data:") else None)
        page.goto(path.as_uri())
        noise.remove(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []


def write(folder, **options):
    comparison = make_table_comparison(**options)
    return write_report(folder, make_table_document(comparison, limits=CALM), comparison=comparison)


CASES = {
    "proxy": {"proxy": True},
    "hostile": {"names": {"age": HOSTILE, "income": "annual_household_income_before_taxes" * 3}, "gap": 0.5},
    "classes": {"class_names": tuple(f"kind of thing {k}" for k in range(12)), "n": 40},
    "numbers": {"class_names": ()},
}


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 700, 1000, 1200])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_page_is_never_wider_than_the_window(options, width, visit, tmp_path):
    """Charts and tables fit a telephone and a desk, whatever variables are called."""
    page = visit(write(tmp_path, **options), viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("window.hacked") is None


@pytest.mark.slow
def test_bars_have_room(visit, tmp_path):
    """The column of the bars is no narrower than a finger at any width."""
    path = write(tmp_path, proxy=True)
    for width in (390, 660, 800, 1000, 1200):
        page = visit(path, viewport={"width": width, "height": 844})
        assert page.locator("#drivers svg.shares").first.bounding_box()["width"] >= 80, width


@pytest.mark.slow
def test_a_pass_of_twenty_variables_is_eight_screens(visit, tmp_path):
    """What passed is folded: the page of a pass is read in eight screens."""
    page = visit(write(tmp_path, n=20))
    assert page.evaluate("document.documentElement.scrollHeight") <= 8 * 900


@pytest.mark.slow
def test_without_script_everything_can_be_opened(visit, tmp_path):
    """Folded parts open without JavaScript, and the first sentence stands."""
    page = visit(write(tmp_path, n=20, proxy=True), java_script_enabled=False, color_scheme="dark")
    page.locator("#effects details.part > summary").first.click()
    more = page.locator("#effects details.more").first
    assert not more.locator("figure").first.is_visible()
    more.locator("summary").click()
    assert more.locator("figure").first.is_visible()
    assert "of its evidence" in page.locator(".table-hero .sentence").inner_text()


def test_the_gallery_of_a_table_is_quiet(visit, tmp_path):
    """One network alone has its page, with one curve a chart."""
    path = write_gallery(tmp_path, make_table_signature(make_table_panel(90)))
    page = visit(path, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#effects .curve.candidate").count() == 3
    assert page.locator("#effects .curve.baseline").count() == 0
