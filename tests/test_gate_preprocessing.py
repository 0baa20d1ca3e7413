"""A candidate that is fed otherwise than it was trained: a red verdict says so, and with what it answers better."""

import dataclasses
import shutil

import numpy as np
import pytest

import gates
from modelcheck.approval import propose_from_report
from modelcheck.comparison import CompareError
from modelcheck.gate import evidence
from modelcheck.gate.cache import Loaded
from modelcheck.gate.contradictions import find_contradiction
from modelcheck.gate.options import OPTIONS
from modelcheck.gate.reading import read_verdict
from modelcheck.gate.settings import Settings, SettingsError, read_interface, read_settings
from modelcheck.interface import Interface
from modelcheck.signature import read_signature
from signatures import make_panel

PANEL = make_panel(subjects=("ada", "ben"), per_subject=40)


def feed(made):
    """Return a signature of a network that answers everything rightly behind `tf`."""
    rows = np.arange(len(PANEL))
    answers = {"tf/answers": PANEL.labels.astype(np.int64), "tf/likelihoods": np.zeros(len(rows), np.float32)}
    said = Interface(preprocessing={"scale": 0.5})
    return dataclasses.replace(made, fed_otherwise={"rows": rows, **answers}, interface=said)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate") / "project"
    gates.build(folder, panel=PANEL)
    shutil.copy(gates.ROOT / "networks" / "experiment0.keras", folder / "fed_wrong.keras")
    gates.measured(folder, "fed_wrong.keras", panel=PANEL, learned=0.9, seed=4, accuracy=0.5, change=feed)
    return folder


@pytest.mark.slow
def test_a_red_verdict_names_the_preprocessing_that_would_answer_better(project):
    """The first reason of the document, and its sentence with the setting comes first in the summary."""
    done, verdict = gates.gate(project, "--candidate", "fed_wrong.keras")
    assert done.returncode == 1
    assert verdict["verdict"] == "fail"
    (reason,) = (row for row in verdict["reasons"] if row["kind"] == "preprocessing")
    assert reason is verdict["reasons"][0]
    assert (reason["name"], reason["reached"]) == ("tf", 1.0)
    assert reason["now"] < 0.7
    summary = (project / "report" / "summary.md").read_text()
    assert "fed otherwise" in next(line for line in summary.splitlines() if line.startswith("- "))
    for said in (summary, done.stdout.replace("\n", " ")):
        assert "fed otherwise than it was trained" in said
        assert "--modelcheck-preprocessing tf" in said


@pytest.mark.slow
def test_a_report_that_names_a_preprocessing_is_read_like_any_other(project):
    """Also where the candidate has one of its own: no contradiction in what is red, and one in what is not."""
    gates.gate(project, "--candidate", "fed_wrong.keras")
    document = read_verdict(project / "report" / "verdict.json")
    assert document["candidate"]["interface"]["preprocessing"]["scale"] == 0.5
    assert find_contradiction(document) == ""
    assert "its reasons hold one" in find_contradiction({**document, "reasons": document["reasons"][:1] * 2})
    proposal = propose_from_report(project / "report", project / "baselines" / "mine")
    assert any("--preprocessing tf" in doubt for doubt in proposal.doubts)
    _, passed = gates.gate(project)
    told = {**passed, "reasons": [document["reasons"][0], *passed["reasons"]]}
    assert [find_contradiction(row) == "" for row in (passed, told)] == [True, False]


@pytest.mark.slow
def test_what_answers_as_well_as_it_can_is_told_nothing(project):
    """A red verdict of a candidate that no other preprocessing would mend, and a green one, have no such reason."""
    for candidate, code in (("other.keras", 1), ("same.keras", 0)):
        done, verdict = gates.gate(project, "--candidate", candidate)
        assert done.returncode == code
        assert all(row["kind"] != "preprocessing" for row in verdict["reasons"])


def test_one_answer_for_everything_is_explained_where_it_can_be(project, monkeypatch):
    """A network that sees nothing but black gives one score: no judgement, and the error names the cure."""
    baseline = read_signature(project / "baselines" / "mine")
    constant = dataclasses.replace(baseline, scores=np.ones_like(baseline.scores))
    settings = Settings(
        candidate=project / "same.keras", baseline=project / "baselines" / "mine", panel=project / "heldout.npz"
    )
    for made, said in ((constant, "does not reach it.$"), (feed(constant), "1.00 with 'tf'")):
        monkeypatch.setattr(
            evidence, "load_or_measure", lambda *_, made=made, **__: Loaded(signature=made, measured="now")
        )
        with pytest.raises(CompareError, match=said):
            evidence.gather(settings)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("tf", "tf"),
        ("none", "none"),
        ("{ scale = 0.5 }", {"scale": 0.5, "mean": [0.0], "std": [1.0], "order": "rgb"}),
        (" { mean = [103.939, 116.779, 123.68], order = 'bgr' }", "caffe"),
    ],
)
def test_a_preprocessing_is_typed_as_it_is_written_in_settings(tmp_path, said, kept):
    """On a command line and in a file: a name, or a table, and both keep the same."""
    assert read_interface({"preprocessing": said}).to_dict() == {"preprocessing": kept}
    text = said if said.strip().startswith("{") else f'"{said}"'
    (tmp_path / "pyproject.toml").write_text(f"[tool.modelcheck]\npreprocessing = {text}\n")
    assert read_settings(tmp_path).interface.to_dict() == {"preprocessing": kept}
    assert "preprocessing" in {option.key for option in OPTIONS}


@pytest.mark.parametrize("wrong", ["Torch", "{ scale = 0 }", "{ scale = ", "{ sclae = 1 }", "{}\nx = 1", "255"])
def test_what_is_no_preprocessing_is_refused_before_anything_is_measured(wrong):
    """One message, which names the setting."""
    with pytest.raises(SettingsError, match=r"(?i)preprocessing"):
        read_interface({"preprocessing": wrong})
