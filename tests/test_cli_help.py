"""``modelcheck help``: the pages that messages name are there without a checkout."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelcheck.cli.main import main
from modelcheck.comparison import METRICS

ROOT = Path(__file__).parents[1]
PAGES = sorted(page.name.removesuffix(".md") for page in (files("modelcheck.cli") / "pages").iterdir())
SOURCES = sorted((ROOT / "modelcheck").rglob("*.py"))


def said(*words):
    done = CliRunner().invoke(main, ["help", *words])
    return done.exit_code, done.output


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_that_of_the_documentation(page):
    """What is shipped equals docs/: whoever changes one copies it to the other."""
    assert said(page) == said(f"docs/{page}.md") == (0, (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))


def test_topics_are_listed():
    """Without a topic all pages and metrics are named."""
    code, text = said()
    assert code == 0
    assert all(name in text for name in (*PAGES, *METRICS))


def test_a_metric_is_explained():
    """The words of the catalogue."""
    assert METRICS["place_distance"].explanation in said("place_distance")[1]


@pytest.mark.parametrize(("topic", "meant"), [("model_file", "modelcheck help model_files"), ("xyzzy", "All topics")])
def test_an_unknown_topic_says_what_there_is(topic, meant):
    """One error with the nearest topic, or the way to all of them."""
    code, text = said(topic)
    assert code == 2
    assert meant in text


def test_every_page_that_a_message_names_is_shipped():
    """No message sends the user of a wheel to a file that only a checkout has."""
    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    named = {name for text in texts for name in re.findall(r"modelcheck help ([a-z_]+)", text)}
    assert {"model_files", "suites"} <= named <= {*PAGES, *METRICS}
    assert not [text for text in texts if re.search(r"See docs/|docs/\w+\.md says", text)]
