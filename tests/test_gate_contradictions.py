"""`modelcheck verdict` on documents that somebody altered and sealed again: all that follows from the rest must."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
from click.testing import CliRunner

from gates import gate
from modelcheck.judgement.document import seal

CRITERIA, BASELINE = ("--criteria", "suites/criteria.toml"), ("--baseline", "baselines/mine")


@pytest.fixture(scope="module")
def project(light, tmp_path_factory):
    return shutil.copytree(light, tmp_path_factory.mktemp("altered") / "project")


@pytest.fixture(scope="module")
def passed(project):
    return gate(project)[1]


@pytest.fixture(scope="module")
def failed(project):
    """Return a verdict with two red findings, relabelled as a pass in every word that is not a finding."""
    document = gate(project, "--candidate", "other.keras")[1]
    assert document["verdict"] == "fail"
    reasons = [row for row in document["reasons"] if row["kind"] == "baseline"]
    count = sum(row["verdict"] == "pass" and row["gating"] for row in document["findings"])
    told = {"kind": "passed", "passed": count, "waived": 0, "total": count}
    return {**document, "verdict": "pass", "exit_code": 0, "reasons": [told, *reasons]}


def asked(project, document, *options, candidate="same.keras"):
    from modelcheck.__main__ import main

    path = project / "asked.json"
    path.write_text(json.dumps({**document, "digest": seal(document)}))
    places = [str(project / word) if "/" in word else word for word in options]
    done = CliRunner().invoke(main, ["verdict", str(path), "--candidate", str(project / candidate), *places])
    return done.exit_code, done.output


def red(document):
    return [row for row in document["findings"] if row["verdict"] != "pass"]


def leave_out(document):
    document["findings"] = [row for row in document["findings"] if row["verdict"] == "pass"]


def silence(document):
    for row in red(document):
        row["gating"] = False


def leave_out_and_forget(document):
    for row in red(document):
        del document["metrics"][row["metric"]][row["about"]]
    leave_out(document)


@pytest.mark.parametrize(
    ("change", "words", "expected"),
    [
        (leave_out, "subject_accuracy[ben] was measured, and never judged", 1),
        (silence, "subject_accuracy[ben] has no say in the release", 1),
        (leave_out_and_forget, "subject_accuracy[ben] was never measured", 1),
    ],
)
def test_a_red_finding_cannot_be_taken_out(project, failed, change, words, expected):
    """Left out, silenced, or forgotten with its measure: criteria, metrics, panel and recipe ask for it."""
    document = copy.deepcopy(failed)
    change(document)
    code, said = asked(project, document, candidate="other.keras")
    assert (code, words in said) == (expected, True), said


def test_a_limit_informs_only_beside_the_calibrated_one_that_gates(project, passed):
    """A row with calibrated_by that is advisory, where nothing calibrated was judged, is a contradiction."""
    document = copy.deepcopy(passed)
    row = next(row for row in document["criteria"]["rows"] if row["metric"] == "mapped_units")
    found = [item["criterion"] for item in document["findings"] if item["metric"] == "mapped_units"]
    for limit in (row, *found):
        limit |= {"calibrated_by": "likeness", "advisory": True}
    for item in document["findings"]:
        item["gating"] = not item["criterion"]["advisory"]
    code, said = asked(project, document)
    assert (code, "its limit on mapped_units informs, whatever its twins say" in said) == (1, True), said


def test_a_layer_cannot_be_taken_out_of_one_metric(project, passed):
    """Every metric of its kind knows the layer."""
    document = copy.deepcopy(passed)
    document["findings"] = [row for row in document["findings"] if row["key"] != "mapped_units[conv1]"]
    del document["metrics"]["mapped_units"]["conv1"]
    assert "mapped_units[conv1] was never measured" in asked(project, document)[1]


def alter(path, value):
    """Return a change: the node at a path of keys replaced, or taken away by `...`."""

    def change(document):
        *above, last = path
        for key in above:
            document = document[key]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return change


def forget_class(document):
    """Say in every part that no picture is of one class, so that nothing of it had to be judged."""
    name = document["panel"]["classes"][1]
    document["panel"]["classes_without_pictures"] = [name]
    document["findings"] = [row for row in document["findings"] if row["key"] != f"class_accuracy[{name}]"]
    for metric in ("class_accuracy", "class_change"):
        del document["metrics"][metric][name]
    count = sum(row["gating"] for row in document["findings"])
    document["reasons"][0] |= {"passed": count, "total": count}
    document["reasons"].append({"kind": "unseen_classes", "classes": [name]})


def bare_recipe(document):
    document["recipe"] = {"digest": document["recipe"]["digest"]}


ROWS = {
    "a failed test": (alter(("reasons",), [{"kind": "test_failed", "test": "x", "text": "y"}]), "(test_failed)"),
    "an error": (alter(("reasons",), [{"kind": "error", "text": "y"}]), "(error)"),
    "no reasons": (alter(("reasons",), []), "its reasons are not all there"),
    "another count": (alter(("reasons", 0, "passed"), 99), "(passed)"),
    "an exit code": (alter(("exit_code",), 3), "exit code"),
    "a recipe": (alter(("recipe", "steps"), 1), "recipe"),
    "a recipe without its settings": (bare_recipe, "recipe"),
    "other classes": (alter(("panel", "classes"), ["a", "b"]), "class_accuracy[a] was never measured"),
    "a class without pictures": (alter(("panel", "classes_without_pictures"), ["left"]), "reasons are not all there"),
    "other people": (alter(("panel", "subjects"), ["x", "y"]), "subject_accuracy[x] was never measured"),
    "an approval": (alter(("baseline", "approval", "state"), "approved"), "(baseline)"),
    "no approval": (alter(("baseline", "approval"), ...), "its baseline has no approval"),
    "no signature": (alter(("candidate", "signature"), ...), "its candidate has no signature"),
    "no suites": (alter(("suites",), {}), "it names no suite"),
    "limits that cannot fail": (alter(("criteria", "rows", 0, "can_fail"), False), "a value can fail"),
    "an interval": (alter(("findings", 0, "interval"), [5.0, 6.0]), "with such an interval"),
    "a number of observations": (alter(("findings", 0, "n"), -1), "with such an interval"),
    "a layer taken out": (alter(("settings", "layers"), {"conv1": None}), "its settings take conv1 out"),
}


@pytest.mark.parametrize(("change", "words"), ROWS.values(), ids=ROWS)
def test_what_follows_from_the_rest_must(project, passed, change, words):
    """A part that was altered by itself contradicts another one."""
    document = copy.deepcopy(passed)
    change(document)
    code, said = asked(project, document)
    assert (code, "The document contradicts itself" in said, words in said) == (1, True, True), said


def test_a_value_that_its_metric_cannot_have_is_found(project, passed):
    """An accuracy of 7, wherever it is written."""
    document = copy.deepcopy(passed)
    row = next(row for row in document["findings"] if row["metric"] == "subject_accuracy")
    row["value"] = document["metrics"]["subject_accuracy"][row["about"]] = 7.0
    row["interval"] = [6.0, 8.0]
    assert "cannot be 7.0" in asked(project, document)[1]


def test_the_named_criteria_are_those_of_the_document(project, passed):
    """Not the digest of the file alone: its rows, too."""
    assert asked(project, passed, *CRITERIA)[0] == 0
    document = copy.deepcopy(passed)
    for row in (*document["criteria"]["rows"], *(row["criterion"] for row in document["findings"])):
        if row["at_least"] == 0.75:
            row["at_least"] = 0.1
    assert asked(project, document)[0] == 0
    assert "other criteria" in asked(project, document, *CRITERIA)[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (forget_class, "another set of classes without pictures"),
        (alter(("panel", "digest"), "0" * 64), "another panel"),
        (alter(("baseline", "sha256"), "0" * 64), "another network"),
    ],
)
def test_the_named_baseline_is_that_of_the_document(project, passed, change, words):
    """Network and panel are those of its manifest, which says of every class that it has pictures."""
    assert asked(project, passed, *BASELINE)[0] == 0
    document = copy.deepcopy(passed)
    change(document)
    assert words in asked(project, document, *BASELINE)[1]


def test_the_named_baseline_is_judged_as_a_whole(project, passed):
    """What every metric of the document forgot, the baseline's manifest still asks for."""
    document = copy.deepcopy(passed)
    document["findings"] = [row for row in document["findings"] if row["about"] != "conv1"]
    for values in document["metrics"].values():
        values.pop("conv1", None)
    told = next(row for row in document["reasons"] if row["kind"] == "passed")
    told["passed"] = told["total"] = sum(row["gating"] for row in document["findings"])
    assert asked(project, document)[0] == 0
    assert "does not judge mapped_units[conv1]" in asked(project, document, *BASELINE)[1]


def test_the_named_baselines_history_is_read_again(project, passed):
    """An approval that was written into the document by hand is not in the history."""
    document = copy.deepcopy(passed)
    document["baseline"]["approval"] |= {"state": "approved", "by": "mona"}
    document["reasons"] = [row for row in document["reasons"] if row["kind"] != "baseline"]
    assert asked(project, document)[0] == 0
    assert "it is unrecorded" in asked(project, document, *BASELINE)[1]
