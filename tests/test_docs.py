"""Documents that stay true: links resolve, the schema holds, every metric and criterion is explained."""

import json
import re
import tomllib
from pathlib import Path

import make_metrics
import pytest

from modelcheck.comparison import METRICS
from modelcheck.gate.options import OPTIONS
from modelcheck.gate.settings import Settings, SettingsError, read_settings
from modelcheck.judgement.criteria import Criterion, judge, read_criteria

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page):
    """Every relative link of a page points at a file that is there."""
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_toml_examples_are_read(page):
    """Configuration shown in a page is valid TOML, with keys that exist."""
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        document = tomllib.loads(block)
        if "criterion" in document:
            assert all(row["metric"] in METRICS for row in document["criterion"])


def test_settings_examples_are_accepted(tmp_path):
    """The README's [tool.modelcheck] table is one that modelcheck reads; a mistyped key would be refused."""
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    (tmp_path / "pyproject.toml").write_text("\n".join(blocks))
    assert read_settings(tmp_path).candidate is not None
    (tmp_path / "pyproject.toml").write_text("\n".join(blocks).replace("candidate", "candidat"))
    with pytest.raises(SettingsError, match="Did you mean 'candidate'"):
        read_settings(tmp_path)


def test_every_setting_and_option_is_documented():
    """The page of the configuration has a row for each key of [tool.modelcheck] and each option of the gate."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    for name in Settings.__dataclass_fields__:
        assert f"| `{name}` |" in page, name
    for option in OPTIONS:
        assert f"`--{option.name}`" in page, option.name


def test_every_metric_is_explained():
    """The page of metrics is the one that docs/make_metrics.py writes: a row for each, in the report's words."""
    page = make_metrics.PAGE.read_text(encoding="utf-8")
    assert make_metrics.fill_page(page) == page, "run: python docs/make_metrics.py"
    for name, metric in METRICS.items():
        assert f"| `{name}` | {metric.title} |" in page
        assert f"| {metric.explanation} |" in page


@pytest.mark.parametrize("words", ["Mapped units", METRICS["kappa"].explanation])
def test_a_table_that_was_changed_by_hand_is_seen(words):
    """A page whose table lacks some words is written anew, which the test above would say."""
    page = make_metrics.PAGE.read_text(encoding="utf-8")
    changed = page.replace(words, "")
    assert changed != page
    assert make_metrics.fill_page(changed) == page


@pytest.mark.parametrize("mark", [make_metrics.BEGIN, make_metrics.END])
def test_a_page_without_a_place_for_its_tables_is_refused(mark):
    """Where a mark is missing nothing is written, and the error says what to write."""
    page = make_metrics.PAGE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the tables: write <!-- begin"):
        make_metrics.fill_page(page.replace(mark, ""))


def test_the_shipped_criteria_are_valid():
    """suites/criteria.toml limits metrics that exist, each row with a reason."""
    rows = read_criteria(ROOT / "suites" / "criteria.toml", metrics=METRICS)
    assert all(row.why for row in rows)


def test_the_documents_show_the_schema_in_use():
    """The schema that readers download is, byte for byte, the one that `modelcheck verdict` judges by."""
    shown, used = (ROOT / folder / "verdict.schema.json" for folder in ("docs", "modelcheck/gate"))
    assert shown.read_bytes() == used.read_bytes()


def test_the_schema_names_what_a_verdict_holds():
    """The verdict's schema lists exactly the keys that the gate writes, at the top and in a finding."""
    schema = json.loads((ROOT / "docs" / "verdict.schema.json").read_text(encoding="utf-8"))
    source = (ROOT / "modelcheck" / "gate" / "verdict.py").read_text(encoding="utf-8")
    for key in schema["properties"]:
        assert f'"{key}"' in source, key
    assert set(schema["required"]) == set(schema["properties"])
    finding = judge(1.0, Criterion(metric="transfer", at_least=0.5, why="test")).to_dict()
    assert set(schema["$defs"]["finding"]["properties"]) == set(finding)
