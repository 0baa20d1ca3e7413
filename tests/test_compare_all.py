"""Many candidates beside one baseline: judged as the gate judges, ranked by a rule, and none stops another."""

import dataclasses
import datetime
import json
import re
import shutil
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import gates
from modelcheck.__main__ import main
from modelcheck.comparison import compare
from modelcheck.gate.ranking import rank_candidates
from modelcheck.gate.settings import read_settings
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.findings import judge
from modelcheck.judgement.measured import Measured
from modelcheck.report import write_ranking
from modelcheck.report.ranking import Ranked, Ranking, rank
from modelcheck.report.ranking_terminal import print_ranking
from signatures import make_signature, show
from table_networks import make_table_panel
from test_gate_tables import FORBIDDEN, MUST_NOT_DRIVE
from test_gate_tables import build as build_table

LIMIT = Criterion(metric="subject_accuracy", at_least=0.75, why="nobody is left behind")
HOSTILE = "<script>alert(1)</script>\x1b[31m" + "x" * 300 + ".keras"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project with a candidate that passes, one that fails, and one that cannot be measured."""
    folder = tmp_path_factory.mktemp("all") / "project"
    gates.build(folder)
    (folder / "broken.keras").write_bytes(b"no network")
    return folder


@pytest.fixture
def inside(project, monkeypatch):
    """Work in the project's folder."""
    monkeypatch.chdir(project)
    return project


def run(*words):
    return CliRunner().invoke(main, ["compare-all", *map(str, words)])


@pytest.mark.slow
def test_candidates_are_ranked(inside, tmp_path):
    """A pass first, then what fails, last what could not be measured; exit code 3 says that one is missing."""
    done = run("broken.keras", "other.keras", "same.keras", "gone.keras", "--json", tmp_path / "rows.json")
    assert done.exit_code == 3, done.output
    document = json.loads((tmp_path / "rows.json").read_text())
    rows = document["candidates"]
    assert [(row["candidate"], row["verdict"]) for row in rows] == [
        ("same.keras", "pass"),
        ("other.keras", "fail"),
        ("broken.keras", "error"),
        ("gone.keras", "error"),
    ]
    assert "accuracy of ben 0.50 < 0.75" in done.output
    assert "could not be measured: 'gone.keras' is not there." in done.output
    assert rows[1]["worst"] == {"metric": "subject_accuracy", "about": "ben", "value": 0.5}
    assert [bool(row["reason"]) for row in rows] == [False, False, True, True]


@pytest.mark.slow
def test_a_folder_is_no_candidate(inside, tmp_path):
    """It is a row that says so, and stops no other."""
    (tmp_path / "folder.keras").mkdir()
    done = run("same.keras", tmp_path / "folder.keras")
    assert done.exit_code == 3
    assert "is a folder, not a network's file" in done.output
    assert "pass" in done.output


def test_whatever_the_verdicts_the_command_succeeds(inside):
    """It informs: a candidate that fails was measured and judged."""
    assert run("other.keras").exit_code == 0


@pytest.mark.slow
def test_every_finding_is_the_gates(project, inside, tmp_path):
    """The oracle is pytest's own run: verdict and red checks are the same for each candidate."""
    run("other.keras", "same.keras", "--json", tmp_path / "rows.json")
    for row in json.loads((tmp_path / "rows.json").read_text())["candidates"]:
        shutil.rmtree(project / "report", ignore_errors=True)
        _, verdict = gates.gate(project, "--candidate", row["candidate"])
        red = [found for found in verdict["findings"] if found["gating"] and found["verdict"] not in ("pass", "waived")]
        assert row["verdict"] == verdict["verdict"]
        assert [found["key"] for found in row["failed"]] == [found["key"] for found in red]
        assert row["checks"] == sum(found["gating"] for found in verdict["findings"])


@pytest.mark.slow
def test_a_waiver_excuses_its_own_file_alone(project, inside, tmp_path):
    """A waived check is not red, an expired waiver is a failure, and one of another file is neither."""
    day = datetime.date(2026, 1, 15)
    ranking = rank_candidates([project / "other.keras"], settings=read_settings(project), today=day)
    [row] = ranking.rows
    waivers = tmp_path / "waivers.toml"
    waivers.write_text(
        "".join(
            f'[[waiver]]\nmetric = "{found.measured.metric}"\nabout = "{found.about}"\n'
            f'candidate = "{row.model["sha256"]}"\nowner = "Ada"\nreason = "As agreed."\n'
            f"created = 2026-01-01\nexpires = 2026-01-31\nvalue = {found.to_dict()['value']}\n"
            for found in row.red
        )
    )
    own = dataclasses.replace(read_settings(project), waivers=waivers)
    found = {row.file: row for row in rank_candidates(_both(project), settings=own, today=day).rows}
    assert {row.verdict for row in found.values()} == {"pass"}
    late = rank_candidates(_both(project), settings=own, today=datetime.date(2026, 3, 1))
    told = {row.file: (row.verdict, bool(row.broken)) for row in late.rows}
    assert told == {"same.keras": ("pass", False), "other.keras": ("fail", True)}


def _both(project):
    return [project / "same.keras", project / "other.keras"]


@pytest.mark.slow
def test_one_file_counts_once(project, inside):
    """However it is spelled."""
    ranking = rank_candidates([Path("same.keras"), Path("../project/same.keras")], settings=read_settings(project))
    assert [row.file for row in ranking.rows] == ["same.keras"]


@pytest.mark.parametrize("words", [["--criteria", "no.toml"], ["--baseline", "nowhere"], ["--json", "same.keras"]])
def test_what_is_wrong_for_all_is_one_error(inside, words):
    """Nothing is ranked without a baseline and criteria, and nothing that is read is overwritten."""
    done = run("same.keras", *words)
    assert done.exit_code == 4
    assert done.output.startswith("modelcheck: ")
    assert "verdict" not in done.output.splitlines()[0].split()[:3]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.text("ab", min_size=1), st.lists(st.floats(0, 1), max_size=4), st.booleans()),
        max_size=6,
        unique_by=lambda row: row[0],
    )
)
def test_the_order_is_that_of_the_documents(parts):
    """Verdict, then red checks, then worst subject, then name; whatever the order in which they were named."""
    comparison = compare_invented()

    def make(file, values, refused):
        if refused:
            return Ranked(file=file, refusal="damaged")
        measures = {("subject_accuracy", f"p{k}"): _accuracy(k, value) for k, value in enumerate(values)}
        own = dataclasses.replace(comparison, measures=measures)
        return Ranked(file=file, comparison=own, findings=tuple(judge(item, LIMIT) for item in measures.values()))

    ranked = rank(make(*row) for row in parts)
    assert ranked == rank(reversed(ranked))

    def expected(row):
        values = {name: given for name, given, _ in parts}[row.file]
        red = sum(value < 0.75 for value in values)
        if row.refusal:
            return (4, 0, 0.0, row.file)
        return (3 if red else 0 if values else 2, red, -min(values, default=0.0), row.file)

    assert [row.file for row in ranked] == [row.file for row in sorted(ranked, key=expected)]


@cache
def compare_invented():
    baseline = make_signature("release")
    return compare(baseline, show(make_signature("next", seed=1), baseline))


def _accuracy(number, value):
    return Measured(metric="subject_accuracy", about=f"p{number}", value=value, n=8)


@pytest.fixture(scope="module")
def hostile():
    """Return a ranking whose names come from somebody who means harm."""
    layers = (("<b>conv</b>\x1b[2J", "conv", 4), ("dense1", "dense", 6), ("decision", "decision", 2))
    baseline = make_signature("release", layers=layers)
    comparison = compare(baseline, show(make_signature("next", layers=layers, seed=1), baseline))
    found = judge(_accuracy(0, 0.5), LIMIT)
    refused = Ranked(file="b", refusal=f"{HOSTILE[:60]} " * 20)
    judged = Ranked(file=HOSTILE, comparison=comparison, findings=(found,), seconds=0.0004)
    rows = rank([refused, judged])
    return Ranking(baseline=baseline, rows=rows, criteria="criteria.toml", noun=("person", "people"))


def test_a_page_says_names_and_does_nothing_with_them(hostile, tmp_path):
    """One file without a script: markup from outside is text, and the policy allows nothing else."""
    page = write_ranking(tmp_path, hostile).read_text(encoding="utf-8")
    assert not [words for words in ("<script", "<b>conv", "\x1b") if words in page]
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert "x" * 100 not in re.sub(r"<code>.*?</code>", "", page)  # a command alone is whole
    assert "pytest suites/ --candidate b" in page  # a name that cannot be typed is in no command


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_shows_whole_rows(hostile, width, tmp_path):
    """A row fits into a hundred columns, and what is piped is never folded."""
    with (tmp_path / "said").open("w", encoding="utf-8") as file:
        print_ranking(hostile, Console(file=file, width=width, force_terminal=True, color_system=None))
    lines = (tmp_path / "said").read_text(encoding="utf-8").splitlines()
    assert all("\x1b[2J" not in line for line in lines)
    assert max(map(len, lines)) <= width
    with (tmp_path / "piped").open("w", encoding="utf-8") as file:
        print_ranking(hostile, Console(file=file, width=width))
    assert any("accuracy of p0 0.50 < 0.75" in line for line in (tmp_path / "piped").read_text().splitlines())


def test_a_console_without_unicode_is_written_for(hostile, tmp_path):
    """No letter stops the table."""
    with (tmp_path / "said").open("w", encoding="ascii", errors="strict") as file:
        print_ranking(hostile, Console(file=file, width=100))
    assert (tmp_path / "said").read_text().count("\n") > 3


@pytest.mark.slow
def test_candidates_on_a_table_are_ranked_by_their_variables(tmp_path, monkeypatch):
    """The page shows variables in place of layers, and a network that another variable drives comes last."""
    panel = make_table_panel()
    folder = build_table(tmp_path / "table", panel=panel, candidate=FORBIDDEN, rows=MUST_NOT_DRIVE)
    monkeypatch.chdir(folder)
    done = run("other.keras", "same.keras", "--json", tmp_path / "rows.json", "--html", tmp_path / "page")
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "rows.json").read_text())["candidates"]
    assert [row["candidate"] for row in rows] == ["same.keras", "other.keras"]
    assert abs(rows[1]["variables"]["x3"]) > abs(rows[0]["variables"]["x3"])
    assert "Which variables changed their share?" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "of x3" in done.output
