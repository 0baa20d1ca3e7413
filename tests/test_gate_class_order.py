"""A candidate that gives its outputs in another order: the first reason says so, and a reader checks it."""

import copy
import dataclasses
import shutil

import numpy as np
import pytest

import gates
from modelcheck.approval import propose_from_report
from modelcheck.gate.contradictions import find_contradiction
from modelcheck.gate.reading import read_verdict
from modelcheck.report.reasons import main_reason
from signatures import make_panel

PANEL = make_panel(subjects=("ada", "ben"), per_subject=40)


def exchange(made):
    """Return a signature of the same network with its two outputs exchanged."""
    return dataclasses.replace(made, scores=made.scores[:, ::-1])


def exchange_and_feed(made):
    """Return one that answers as well, as it stands, behind another preprocessing."""
    rows = np.arange(len(PANEL))
    answers = {"bgr/answers": PANEL.labels.astype(np.int64), "bgr/likelihoods": np.zeros(len(rows), np.float32)}
    return dataclasses.replace(exchange(made), fed_otherwise={"rows": rows, **answers})


def build(folder, change):
    """Write a project with a candidate that is good but for that change."""
    gates.build(folder, panel=PANEL)
    shutil.copy(gates.ROOT / "networks" / "experiment0.keras", folder / "swapped.keras")
    gates.measured(folder, "swapped.keras", panel=PANEL, learned=0.9, seed=4, accuracy=0.95, change=change)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return build(tmp_path_factory.mktemp("gate") / "project", exchange)


@pytest.fixture(scope="module")
def swapped(project):
    """Return the run of the candidate whose outputs are exchanged, with its verdict, summary and document."""
    done, verdict = gates.gate(project, "--candidate", "swapped.keras")
    return done, verdict, (project / "report" / "summary.md").read_text()


def test_the_first_reason_is_the_order(swapped):
    """Before all that follows from it: in the document, in the terminal and in the summary."""
    done, verdict, summary = swapped
    assert done.returncode == 1
    first = verdict["reasons"][0]
    names = list(PANEL.class_names)
    assert (first["kind"], first["classes"], first["order"]) == ("class_order", names, names[::-1])
    assert first["now"] < 0.1
    assert first["reached"] > 0.9
    told = main_reason(verdict)
    assert told.startswith("The network seems to give its outputs in another order: what it calls")
    assert f"the order of the outputs ({', '.join(names[::-1])})." in told
    lines = [line for line in summary.splitlines() if line.startswith("- ")]
    assert "seems to give its outputs in another order" in lines[0]
    assert f"Its balanced accuracy is {first['now']:.2f} as it is read" in lines[0]
    after = " ".join(done.stdout.split("FAIL  ")[1].split())
    assert after.startswith(
        "swapped.keras should not replace the baseline. The network seems to give its outputs in another"
    )


@pytest.mark.slow
def test_a_report_that_names_an_order_is_read_like_any_other(swapped, project):
    """It contradicts nothing, and what would make it the baseline is told the same."""
    gates.gate(project, "--candidate", "swapped.keras")
    document = read_verdict(project / "report" / "verdict.json")
    assert find_contradiction(document) == ""
    proposal = propose_from_report(project / "report", project / "baselines" / "mine")
    assert any("give its outputs in another order" in doubt for doubt in proposal.doubts)


def same_order(reason):
    reason["order"] = reason["classes"]


def other_classes(reason):
    reason["classes"], reason["order"] = ["x", "y"], ["y", "x"]


def twice_the_same(reason):
    reason["order"] = reason["classes"][:1] * 2


def no_gain(reason):
    reason["reached"] = reason["now"]


def other_start(reason):
    reason["now"] += 0.01


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (same_order, "is no other order of its panel's classes"),
        (other_classes, "is no other order of its panel's classes"),
        (twice_the_same, "is no other order of its panel's classes"),
        (no_gain, "which is no better answer"),
        (other_start, "its classes are answered otherwise"),
    ],
)
def test_an_order_that_the_rest_does_not_let_be_is_a_contradiction(swapped, change, words):
    """The panel's classes, and what each of them is answered, stand in the same document."""
    document = copy.deepcopy(swapped[1])
    assert find_contradiction(document) == ""
    change(document["reasons"][0])
    assert words in find_contradiction(document)


@pytest.mark.slow
def test_an_order_is_told_once_and_first_and_of_nothing_that_passed(swapped, project):
    """Twice, at the end, or in a pass, it is a reason that nothing gives."""
    document = swapped[1]
    first, *rest = document["reasons"]
    _, passed = gates.gate(project)
    assert find_contradiction(passed) == ""
    for told in (
        {**document, "reasons": [first, first, *rest]},
        {**document, "reasons": [*rest, first]},
        {**passed, "reasons": [first, *passed["reasons"]]},
    ):
        assert "its reasons hold one that nothing in it gives (class_order)" in find_contradiction(told)


@pytest.mark.slow
def test_what_cannot_be_told_apart_is_told_both_ways(tmp_path):
    """Channels that are reversed and colours that are exchanged may answer alike: neither is kept back."""
    _, verdict = gates.gate(build(tmp_path / "project", exchange_and_feed), "--candidate", "swapped.keras")
    assert [row["kind"] for row in verdict["reasons"][:2]] == ["preprocessing", "class_order"]
    assert find_contradiction(verdict) == ""
    first, second, *rest = verdict["reasons"]
    assert find_contradiction({**verdict, "reasons": [second, first, *rest]})


@pytest.mark.slow
def test_a_weak_candidate_is_not_said_to_have_another_order(project):
    """Red for the person on whom it fails, and for nothing else."""
    _, verdict = gates.gate(project, "--candidate", "other.keras")
    assert verdict["verdict"] == "fail"
    assert all(row["kind"] != "class_order" for row in verdict["reasons"])
