"""Documents that stay true: links resolve, the schema holds, every metric and criterion is explained."""

import json
import re
import tomllib
from pathlib import Path
from typing import get_args, get_type_hints

import make_metrics
import pytest

from modelcheck.comparison import METRICS
from modelcheck.gate.options import OPTIONS
from modelcheck.gate.settings import Settings, SettingsError, read_settings
from modelcheck.interface import Interface
from modelcheck.judgement import document
from modelcheck.judgement.criteria import read_criteria
from modelcheck.judgement.findings import Verdict
from modelcheck.judgement.waivers import WaiverState

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page):
    """Every relative link of a page points at a file that is there."""
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_holds_two_versions(page):
    """No mark of a merge is left in a page."""
    assert re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", page.read_text(encoding="utf-8"), re.M) == []


def long_lines(text):
    """Return the lines of prose over 100 characters that could be broken; tables, code and link targets cannot."""
    prose = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)  # front matter
    prose = re.sub(r"^:::.*(\n    .*)*", "", prose, flags=re.M)  # a docstring's place, with its options
    prose = re.sub(r"^ *(```+|~~~+).*?^ *\1 *$", "", prose, flags=re.S | re.M)
    found = []
    for line in prose.splitlines():
        if len(line) > 100 and not re.match(r" *(\||#|<|\[[^\]]+\]:)", line):
            whole = re.sub(r"`[^`]*`|\]\([^)]*\)", lambda part: "x" * len(part[0]), line)
            if " " in re.sub(r"^ *([*+-]|\d+[.)])? *", "", whole[:101]):
                found.append(line)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_prose_wraps_at_100(page):
    """Prose is wrapped, so that a change shows as the lines it touches."""
    assert long_lines(page.read_text(encoding="utf-8")) == []


def test_a_long_line_is_found():
    """The rule above can fail, and takes prose alone: no table, code, heading, link target or front matter."""
    long, unbroken = "word " * 21, "x" * 101
    assert long_lines(f"{long}\n\n* {long}\n\n1. {unbroken} y\n") == [long, f"* {long}"]
    apart = (f"| {long} |", f"# {long}", f"[a]: {long}", f"```text\n{long}\n```", f"* [x]({unbroken})", f"`{long}`")
    assert long_lines(f"---\n{long}\n---\n" + "\n\n".join(apart) + "\n") == []


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
    for name in {*Settings.__dataclass_fields__, *Interface.__dataclass_fields__} - {"interface"}:
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
    rows, _ = read_criteria(ROOT / "suites" / "criteria.toml", metrics=METRICS)
    assert all(row.why for row in rows)


def test_the_documents_show_the_schema_in_use():
    """The schema that readers download is, byte for byte, the one that `modelcheck verdict` judges by."""
    shown, used = (ROOT / folder / "verdict.schema.json" for folder in ("docs", "modelcheck/gate"))
    assert shown.read_bytes() == used.read_bytes()


TYPES = {
    "network": document.NetworkRow,
    "input_use": document.InputUseRow,
    "conversion": document.ConversionRow,
    "interface": document.InterfaceRow,
    "panel": document.PanelRow,
    "table_panel": document.TablePanelRow,
    "column": document.ColumnRow,
    "criteria": document.CriteriaRow,
    "waivers": document.WaiversRow,
    "criterion": document.CriterionRow,
    "limit": document.LimitRow,
    "approval": document.ApprovalRow,
    "settings": document.SettingsRow,
    "finding": document.FindingRow,
    "waiver": document.WaiverRow,
    "use": document.WaiverUseRow,
    "step": document.NextStep,
    "difference": document.Difference,
    "provenance": document.ProvenanceRow,
    "volatile": document.VolatileRow,
    "timings": document.TimingsRow,
}
SCHEMA = json.loads((ROOT / "docs" / "verdict.schema.json").read_text(encoding="utf-8"))


def keys_of(shape):
    """Return the keys of a type, and those that must be there."""
    return set(shape.__annotations__), set(shape.__required_keys__)


def keys_in(part):
    """Return the keys of an object of the schema, and those that must be there."""
    assert part["additionalProperties"] is False
    return set(part["properties"]), set(part["required"])


def test_the_schema_names_what_a_verdict_holds():
    """The schema lists exactly the keys of the types that the gate's document is made of, part by part."""
    assert keys_in(SCHEMA) == keys_of(document.VerdictDocument)
    parts = {name for name, part in SCHEMA["$defs"].items() if part.get("type") == "object"}
    assert parts == set(TYPES)
    for name, shape in TYPES.items():
        assert keys_in(SCHEMA["$defs"][name]) == keys_of(shape), name
    assert SCHEMA["properties"]["schema"] == {"const": document.SCHEMA}


def test_the_schemas_kinds_and_actions_are_those_of_the_types():
    """Each kind of reason, with its facts, and each action stands in both; so do verdicts and states of waivers."""
    shapes = {get_args(get_type_hints(shape)["kind"])[0]: shape for shape in get_args(document.Reason)}
    parts = {part["properties"]["kind"]["const"]: part for part in SCHEMA["$defs"]["reason"]["oneOf"]}
    assert set(shapes) == set(parts)
    assert len(shapes) == len(get_args(document.Reason))
    for kind, shape in shapes.items():
        assert keys_in(parts[kind]) == keys_of(shape), kind
    assert SCHEMA["$defs"]["step"]["properties"]["action"]["enum"] == list(get_args(document.Action))
    assert SCHEMA["$defs"]["finding"]["properties"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    assert SCHEMA["$defs"]["use"]["properties"]["state"]["enum"] == [state.value for state in WaiverState]
