"""The page that ranks candidates in a real browser: no wider than the window, whatever layers and files are called."""

from __future__ import annotations

import shutil

import pytest

from modelcheck.comparison import compare
from modelcheck.report import write_ranking
from modelcheck.report.ranking import Ranked, Ranking, rank
from reports import HOSTILE
from signatures import make_signature, show

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("There is no chromium on the path: install Debian's package chromium", allow_module_level=True)

# The least alike of them stands in the table of the ranking, whichever it is.
LONG = "an_unbroken_name_of_many_letters" * 3
LAYERS = ((f"conv{LONG}", "conv", 4), (f"dense{LONG}", "dense", 6), ("decision", "decision", 2))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return a page of three candidates, one of which could not be measured."""
    baseline = make_signature("release", layers=LAYERS)
    rows = [Ranked(file="gone.keras", refusal=f"{HOSTILE} is not there.")]
    for seed, file in enumerate(("same.keras", "x" * 120), 1):
        candidate = show(make_signature("next", layers=LAYERS, seed=seed), baseline)
        rows.append(Ranked(file=file, comparison=compare(baseline, candidate), seconds=0.0004))
    ranking = Ranking(baseline=baseline, rows=rank(rows), criteria="criteria.toml", noun=("person", "people"))
    return write_ranking(tmp_path_factory.mktemp("ranking"), ranking)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield running
        running.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 700, 1200])
def test_the_page_is_never_wider_than_the_window(browser, page, width):
    """Long names are broken, and nothing is fetched or complained of."""
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        shown, noise = context.new_page(), []
        shown.on("console", lambda message: noise.append(message.text))
        shown.on("request", lambda request: noise.append(request.url) if request.url.startswith("http") else None)
        shown.goto(page.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert noise == []
