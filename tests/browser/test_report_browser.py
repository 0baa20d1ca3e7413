"""The report in a real browser: it is quiet, it works, and nothing from outside runs in it.

Set MODELCHECK_AXE to the path of axe.min.js for the accessibility check, and MODELCHECK_SCREENSHOTS
to a folder to keep the pictures.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelcheck.comparison import compare
from modelcheck.report import write_comparison, write_gallery, write_report
from reports import HOSTILE, make_case, make_document, make_shipped_case, make_shipped_document
from signatures import make_signature

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("There is no chromium on the path: install Debian's package chromium", allow_module_level=True)

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    panel, comparison = make_case()
    return write_report(
        tmp_path_factory.mktemp("report"), make_document(comparison), comparison=comparison, panel=panel
    )


@pytest.fixture
def visit(browser):
    """Open a page; at the end nothing may have been fetched and nothing complained of."""
    contexts, noise = [], []

    def opened(path, fragment="", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: noise.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda request: noise.append(request.url) if not request.url.startswith("data:") else None)
        page.goto(path.as_uri() + fragment)
        noise.remove(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert noise == []


def pixels_of(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(float)


def write_shipped(folder, *, source):
    """Write the report of a file that ships, whose conversion broke layers and changed answers."""
    panel, comparison = make_shipped_case(source=source, noise=0.5, changed=9)
    return write_report(folder, make_shipped_document(comparison), comparison=comparison, panel=panel)


def apart(one, other):
    return float(np.abs(one - other).mean())


def visible_rows(page):
    return page.locator("#rows tbody tr:visible")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}, {"java_script_enabled": False}],
    ids=["light", "dark", "narrow", "no-script"],
)
def test_page_is_quiet_and_never_wider_than_the_window(options, report, visit, tmp_path):
    """In every setting nothing is fetched or logged, and nothing needs sideways scrolling."""
    page = visit(report, **options)
    name = "-".join(str(value) for value in options.values()).replace(" ", "") or "light"
    folder = Path(os.environ.get("MODELCHECK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{''.join(x for x in name if x.isalnum() or x == '-')}.png", full_page=True)
    if options.get("java_script_enabled", True):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.get_by_role("heading", level=1).inner_text() == "candidate.keras should not replace the baseline."


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 700, 1280])
@pytest.mark.parametrize("source", [True, False], ids=["with source", "alone"])
def test_page_of_a_file_that_ships_is_never_wider_than_the_window(source, width, visit, tmp_path):
    """Its chart, its facts and its answers fit a telephone, and the text of the chart keeps its size."""
    page = visit(write_shipped(tmp_path, source=source), viewport={"width": width, "height": 844})
    page.evaluate("for (const part of document.querySelectorAll('.part')) part.open = true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for label in page.locator("svg.fidelity text").all():
        assert 8 <= label.bounding_box()["height"] <= 20


@pytest.mark.slow
def test_dark_page_is_dark(report, visit):
    """The colour scheme of the system is followed."""
    luminance = {}
    for scheme in ("light", "dark"):
        colour = visit(report, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        luminance[scheme] = sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) / 3
    assert luminance["dark"] < 60
    assert luminance["light"] > 230


@pytest.mark.slow
def test_filters_search_and_address(report, visit):
    """Filters and search narrow the table; the address keeps them, and a fresh visit to it restores them."""
    page = visit(report)
    everything = page.locator("#rows tbody tr, #rest tbody tr").count()
    page.get_by_label("Result").select_option("fail")
    failures = visible_rows(page).count()
    assert 0 < failures < everything
    assert set(visible_rows(page).locator("td:first-child .state").all_inner_texts()) == {"Fail"}
    page.get_by_label("Kind").select_option("accuracy")
    page.get_by_label("Search").fill("BEN accuracy")
    assert visible_rows(page).count() == 1
    assert page.locator("#shown").inner_text() == f"1 of {everything}"
    fragment = page.evaluate("location.hash")
    assert fragment == "#status=fail&kind=accuracy&q=BEN+accuracy"
    again = visit(report, fragment)
    assert visible_rows(again).count() == 1
    again.get_by_label("Search").fill("there is no such thing")
    assert again.get_by_text("No finding matches.").is_visible()


@pytest.mark.slow
def test_strange_address_does_no_harm(report, visit):
    """A made-up state in the address shows everything."""
    page = visit(report, "#status=%3Cscript%3E&sort=nonsense")
    assert visible_rows(page).count() == page.locator("#rows tbody tr").count()


@pytest.mark.slow
def test_sort_by_value(report, visit):
    """Sorting by value puts the smallest first and what was not measured last."""
    page = visit(report)
    page.get_by_label("Sort").select_option("value")
    shown = page.locator("#rows tbody tr td[data-label=Candidate]").all_inner_texts()
    values = [float(text.split(" ")[0].replace("\N{MINUS SIGN}", "-")) for text in shown if text != "not measured"]
    assert values == sorted(values)


@pytest.mark.slow
def test_keyboard_walks_the_failures(report, visit):
    """n and j go to the next finding that did not pass, p and k back, / to the search."""
    page = visit(report)
    bad = page.locator("#rows tbody tr.is-fail, #rows tbody tr.is-inconclusive, #rows tbody tr.is-unmeasured")
    ids = [row.get_attribute("id") for row in bad.all() if "advisory" not in row.inner_text()]

    def focused():
        return page.evaluate("document.activeElement.id")

    assert len(ids) >= 2
    page.keyboard.press("n")
    assert focused() == ids[0]
    page.keyboard.press("j")
    assert focused() == ids[1]
    page.keyboard.press("k")
    assert focused() == ids[0]
    page.keyboard.press("p")
    assert focused() == ids[-1]
    page.keyboard.press("/")
    page.keyboard.type("nj")
    assert page.get_by_label("Search").input_value() == "nj"


@pytest.mark.slow
def test_viewer_switches_swipes_and_blends(report, visit):
    """A pair opens large; each way of comparing changes what is seen; Escape closes."""
    page = visit(report)
    figure = page.locator("figure.large").first
    figure.scroll_into_view_if_needed()
    figure.focus()
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible()
    assert page.locator("#viewer-stage svg").count() == 4
    slider = page.get_by_label("From baseline to candidate")
    seen = {}
    for mode in ("Switch", "Swipe", "Blend"):
        page.get_by_role("button", name=mode, exact=True).click()
        assert page.locator("#viewer-stage svg.tile").count() == 1
        for value in ("0", "100"):
            slider.fill(value)
            seen[mode, value] = pixels_of(page.locator("#viewer-stage svg"))
    baseline, candidate = seen["Switch", "0"], seen["Switch", "100"]
    # Browsers sample enlarged pixels a little differently in layers of their own.
    far = apart(baseline, candidate)
    assert far > 10
    # With swipe the handle is the edge: at 0 everything to its right is the candidate.
    for mode, at_0, at_100 in (("Swipe", candidate, baseline), ("Blend", baseline, candidate)):
        assert apart(seen[mode, "0"], at_0) < far / 3
        assert apart(seen[mode, "100"], at_100) < far / 3
    slider.fill("50")
    assert apart(pixels_of(page.locator("#viewer-stage svg")), (baseline + candidate) / 2) < far / 3
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figures", "pictures"), [("figure.large", 4), ("figure.pair", 4), (".looks figure", 2)], ids=str
)
def test_every_comparison_of_two_pictures_opens(figures, pictures, report, visit):
    """Maps of the decision at every scale, matched units and attributions all open large, and swipe."""
    page = visit(report)
    for figure in [item for item in page.locator(figures).all() if item.is_visible()][:6]:
        figure.press("Enter")
        page.get_by_role("button", name="Side by side", exact=True).click()
        assert page.locator("#viewer-stage svg.tile").count() == pictures
        told = page.locator("#viewer-stage figcaption").all_inner_texts()
        assert [text.split()[0].rstrip(",") for text in told[:2]] == ["Baseline", "Candidate"]
        page.get_by_role("button", name="Swipe", exact=True).click()
        assert page.locator("#viewer-stage rect[width='100%'][height='100%']").count() > 0
        page.keyboard.press("Escape")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_enlarged_pictures_show_no_neighbour(width, report, visit):
    """Every picture in the viewer has the shape of its cell: a wider frame would show the next one on the sheet."""
    page = visit(report, viewport={"width": width, "height": 700})
    page.locator("figure.large").first.press("Enter")
    for mode in ("Side by side", "Blend"):
        page.get_by_role("button", name=mode, exact=True).click()
        for tile in page.locator("#viewer-stage svg.tile").all():
            box, (wide, tall) = (
                tile.bounding_box(),
                tile.evaluate("x => [x.viewBox.baseVal.width, x.viewBox.baseVal.height]"),
            )
            assert box["width"] / box["height"] == pytest.approx(wide / tall, rel=0.01)


@pytest.mark.slow
def test_difference_is_neutral_for_equal_maps_and_warm_where_brighter(visit, tmp_path):
    """The picture of the difference, which the browser computes, says what the arrays say."""
    baseline = make_signature(twins=0)
    maps = dict(baseline.maps)
    maps["decision"] = np.full_like(maps["decision"], 0.3)
    candidate = dict(maps)
    candidate["decision"] = maps["decision"].copy()
    candidate["decision"][0, :, :6], candidate["decision"][1, :, :6] = 0.9, 0.0
    path = write_comparison(
        tmp_path, compare(dataclasses.replace(baseline, maps=maps), dataclasses.replace(baseline, maps=candidate))
    )
    page = visit(path)
    colours = []
    for tile in page.locator("figure.large svg[aria-label^='Candidate minus baseline'][aria-label$='as drawn']").all():
        pixels = pixels_of(tile)
        height, width = pixels.shape[:2]
        colours.append((pixels[height // 2, width // 4], pixels[height // 2, 3 * width // 4]))
    (brighter, same), (darker, _) = colours
    assert np.ptp(same) < 12
    assert same.min() > 220
    assert brighter[0] > brighter[2] + 60
    assert darker[2] > darker[0] + 40


@pytest.mark.slow
def test_method_chooser_works_without_script(report, visit):
    """One method is shown at a time, also with JavaScript off."""
    page = visit(report, java_script_enabled=False)
    page.get_by_role("heading", name="Attention", level=2).last.click()
    blocks = page.locator(".method")
    assert [block.is_visible() for block in blocks.all()] == [True, False]
    page.get_by_role("radio", name="occlusion").check()
    assert [block.is_visible() for block in blocks.all()] == [False, True]


@pytest.mark.slow
def test_without_script_everything_is_there(report, visit):
    """With JavaScript off all findings are visible, layers open, and no control is shown that would do nothing."""
    page = visit(report, java_script_enabled=False)
    assert visible_rows(page).count() == page.locator("#rows tbody tr").count() > 0
    assert not page.locator("#filters").is_visible()
    assert not page.get_by_role("button", name="Copy").first.is_visible()
    layer = page.locator("details.layer").first
    before = layer.locator(".pairs").first.is_visible()
    layer.locator("summary").first.click()
    assert layer.locator(".pairs").first.is_visible() != before


@pytest.mark.slow
def test_link_opens_a_closed_layer(report, visit):
    """Following a line of the network map opens the layer it leads to."""
    page = visit(report)
    layer = page.locator("#layer-0")
    assert layer.get_attribute("open") is None
    page.locator("a[href='#layer-0']").first.click()
    layer.locator(".pairs").first.wait_for(state="visible", timeout=5000)


@pytest.mark.slow
def test_hostile_names_do_not_run(visit, tmp_path):
    """Markup as layer, subject, candidate, reason and command is shown as text, and nothing of it runs."""
    panel, comparison = make_case(hostile=HOSTILE)
    document = make_document(comparison, why=HOSTILE) | {"not_judged": [HOSTILE]}
    document |= {"next": [{"action": "rerun", "command": HOSTILE}], "reasons": [{"kind": "error", "text": HOSTILE}]}
    page = visit(write_report(tmp_path, document, comparison=comparison, panel=panel))
    page.get_by_label("Search").fill("onerror")
    assert visible_rows(page).count() > 0
    page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
    page.locator("figure.pair").first.press("Enter")
    assert HOSTILE[:20] in page.locator("#viewer-title").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


@pytest.mark.slow
def test_copy_button_answers(report, visit):
    """The button copies the command, or selects it where the browser forbids copying."""
    page = visit(report)
    page.get_by_role("button", name="Copy").first.click()
    page.wait_for_function("/Copied|Selected/.test(document.querySelector('.copy').textContent)")


@pytest.mark.slow
def test_a_pass_is_read_in_eight_screens_and_eight_pages(visit, tmp_path):
    """What passed is folded on the screen and on paper, and opens by itself for whoever follows a link to it."""
    panel, comparison = make_case()
    document = make_document(comparison)
    document |= {"verdict": "pass", "findings": [{**row, "verdict": "pass"} for row in document["findings"]]}
    page = visit(write_report(tmp_path, document, comparison=comparison, panel=panel))
    assert page.locator(".part[open]").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight") <= 8 * 900
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", (tmp_path / "report.pdf").read_bytes())) <= 8
    page.locator(".top nav a[href='#attention']").click()
    assert page.locator("#attention .part[open]").count() == 1
    page.evaluate("location.hash = '#layer-0'")
    page.wait_for_function("document.querySelector('#layer-0').open && document.querySelector('#features .part').open")


@pytest.mark.slow
def test_what_failed_stands_open_and_what_passed_can_be_opened(report, visit):
    """Without a script too; nothing red is folded away, and chips lead to what they count."""
    page = visit(report, java_script_enabled=False)
    reds = page.locator("#rows tbody tr")
    assert reds.count() == page.locator("#rows tbody tr:visible").count() > 0
    assert page.locator("#others").get_attribute("open") is None
    page.locator("#others > summary").click()
    assert page.locator("#rest tbody tr:visible").count() == page.locator("#rest tbody tr").count() > 0
    page = visit(report)
    page.locator(".chip", has_text="Pass").click()
    page.wait_for_function("location.hash === '#status=pass'")
    assert set(visible_rows(page).locator("td:first-child .state").all_inner_texts()) == {"Pass"}


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_head_stays_and_stays_small(width, report, visit):
    """It stands at the top wherever one reads, and takes little of a telephone."""
    page = visit(report, viewport={"width": width, "height": 844})
    page.evaluate("scrollTo({top: 2000, behavior: 'instant'})")
    box = page.locator(".top").bounding_box()
    assert box["y"] == 0
    assert box["height"] <= 90


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["report", "comparison", "gallery", "shipped", "shipped alone"])
def test_axe_finds_no_violation(scheme, kind, report, visit, tmp_path):
    """axe-core finds nothing to object to under WCAG 2.2 AA."""
    axe = os.environ.get("MODELCHECK_AXE")
    if not axe:
        pytest.skip("MODELCHECK_AXE does not name axe.min.js: npm install axe-core")
    panel, comparison = make_case()
    path = {
        "report": lambda: report,
        "comparison": lambda: write_comparison(tmp_path, comparison, panel=panel),
        "gallery": lambda: write_gallery(tmp_path, comparison.candidate, panel=panel),
        "shipped": lambda: write_shipped(tmp_path, source=True),
        "shipped alone": lambda: write_shipped(tmp_path, source=False),
    }[kind]()
    page = visit(path, color_scheme=scheme, bypass_csp=True)
    page.evaluate("for (const item of document.querySelectorAll('details')) item.open = true")
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("(tags) => axe.run({runOnly: tags})", tags)["violations"]
    assert [(item["id"], item["nodes"][0]["html"][:160], len(item["nodes"])) for item in found] == []


@pytest.mark.slow
def test_pictures_beside_the_page_are_shown(browser, tmp_path):
    """With its pictures as files, the page looks as it does with them inside, and asks for nothing else."""
    panel, comparison = make_case()
    shots = []
    for as_files in (False, True):
        folder = tmp_path / str(as_files)
        path = write_report(folder, make_document(comparison), comparison=comparison, panel=panel, as_files=as_files)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        asked, noise = [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, noise=noise: noise.append(message.text))
        page.goto(path.as_uri())
        figure = page.locator("figure.large").first
        figure.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        shots.append(np.asarray(Image.open(io.BytesIO(figure.screenshot())).convert("L"), dtype=float))
        assert noise == []
        beside = [url for url in asked if url != path.as_uri() and not url.startswith("data:")]
        assert all(url.startswith(folder.as_uri() + "/pictures/") for url in beside)
        assert bool(beside) == as_files
        page.close()
    assert shots[0].shape == shots[1].shape
    np.testing.assert_allclose(shots[0], shots[1], atol=2)
    assert shots[0].std() > 20
