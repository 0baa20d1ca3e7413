"""The documents as a site: built with warnings as errors, and read in a browser without asking anybody else."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("There is no chromium on the path: install Debian's package chromium", allow_module_level=True)
for needed in ("material", "mkdocstrings", "mkdocs_click"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed: pip install -e '.[docs]'", allow_module_level=True)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    return folder


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_pages_ask_nobody_else(address):
    """Pages, their pictures and the search come from the site itself, and nothing is complained of."""
    asked, noise = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on(
            "response", lambda answer: noise.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        for path in ("index.html", "explanation/attribution_methods.html", "reference/python.html"):
            page.goto(address + path)
            page.wait_for_load_state("networkidle")
            assert page.locator("h1").count() == 1
        assert page.locator("#modelcheck\\.panel\\.Panel").count() == 1
        box = page.locator("[data-md-component=search-query]").first
        box.click()  # the index is asked for when the box is entered
        box.press_sequentially("occlusion")
        page.locator(".md-search-result__item").first.wait_for(state="attached")
        browser.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert noise == []
