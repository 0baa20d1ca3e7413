"""A layer that the candidate lacks: information that every reader tells, unless a row names it or no layer is left."""

import copy
import datetime
import json
import shutil

import pytest
from click.testing import CliRunner

import damages
from gates import gate
from modelcheck.gate.promotion import promotable, refusal
from modelcheck.gate.reading import read_verdict
from modelcheck.judgement.document import seal

TOLD = "1 of 3 layers has no counterpart"


@pytest.fixture(scope="module")
def lacking(light, tmp_path_factory):
    """Return a project whose candidate lacks dense1, after a full run, and the verdict."""
    folder = shutil.copytree(light, tmp_path_factory.mktemp("lacking") / "project")
    damages.candidate_lacks_a_layer(folder)
    done, verdict = gate(folder)
    return folder, done, verdict


def ask(folder, document):
    from modelcheck.__main__ import main

    path = folder / "asked.json"
    path.write_text(json.dumps({**document, "digest": seal(document)}))
    words = ["--candidate", folder / "same.keras", "--criteria", folder / "suites/criteria.toml"]
    done = CliRunner().invoke(
        main, ["verdict", str(path), *map(str, words), "--baseline", str(folder / "baselines/mine")]
    )
    return done.exit_code, done.output


def test_a_layer_that_the_candidate_lacks_is_information(lacking):
    """The rest passes; the layer's checks were made, have no say, and say why."""
    _, done, verdict = lacking
    assert (done.returncode, verdict["verdict"], verdict["scope"]) == (0, "pass", "full"), done.stdout
    rows = [row for row in verdict["findings"] if row["about"] == "dense1"]
    assert [(row["key"], row["verdict"], row["gating"]) for row in rows] == [
        ("mapped_units[dense1]", "unmeasured", False)
    ]
    assert "has no layer that corresponds to 'dense1'" in rows[0]["evidence"]
    assert verdict["metrics"]["counterpart"] == {"conv1": 1, "dense1": 0}
    assert {"kind": "no_counterpart", "layers": ["dense1"], "total": 3} in verdict["reasons"]


def test_every_reader_says_how_many_layers_were_not_compared(lacking):
    """Terminal, summary, page and the deploy job's sentence: nobody takes it for a comparison of all layers."""
    folder, done, verdict = lacking
    page, summary = ((folder / "report" / name).read_text() for name in ("index.html", "summary.md"))
    code, released = ask(folder, verdict)
    assert code == 0, released
    for text in (done.stdout, page, summary, released):
        assert TOLD in text
    assert "no counterpart\n" in done.stdout  # the verdict of its row
    assert "The candidate has no layer that corresponds to this one: nothing is said of it." in page


@pytest.mark.slow
def test_the_decision_is_always_required(lacking):
    """Where no hidden layer is left, the checks of each are unmeasured and red; the reason says what was compared."""
    folder = shutil.copytree(lacking[0], lacking[0].parent / "bare")
    damages.candidate_lacks_every_hidden_layer(folder)
    done, verdict = gate(folder)
    assert (done.returncode, verdict["verdict"]) == (1, "unmeasured")
    red = {row["key"] for row in verdict["findings"] if row["gating"] and row["verdict"] == "unmeasured"}
    assert red == {"mapped_units[conv1]", "mapped_units[dense1]"}
    assert "No hidden layer has a counterpart, so that the decision alone was compared" in done.stdout
    damages.append(folder, "pyproject.toml", "[tool.modelcheck.layers]\nconv1 = false\ndense1 = false\n")
    done, verdict = gate(folder)
    assert (done.returncode, verdict["metrics"].get("counterpart")) == (0, None)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["mapped_units", "counterpart"])
def test_a_row_that_names_a_layer_requires_it(lacking, metric):
    """By its own name, not by a glob: the missing layer is red, and no deploy job releases the file."""
    folder = shutil.copytree(lacking[0], lacking[0].parent / metric)
    criteria = (folder / "suites/criteria.toml").read_text()
    for about, code in (("dense*", 1 if metric == "counterpart" else 0), ("dense1", 1)):
        row = f'[[criterion]]\nmetric = "{metric}"\nabout = "{about}"\nat_least = 0.9\nwhy = "the head must have it"\n'
        (folder / "suites/criteria.toml").write_text(f"{criteria}\n{row}")
        done, verdict = gate(folder)
        assert done.returncode == code, done.stdout
        assert ask(folder, verdict)[0] == code


def restore(document):
    document["metrics"]["counterpart"]["dense1"] = 1


def forget(document):
    del document["metrics"]["counterpart"]


def measure(document):
    document["metrics"]["map_ssim"]["dense1"] = 0.9


def take_out_the_reason(document):
    document["reasons"] = [row for row in document["reasons"] if row["kind"] != "no_counterpart"]


def silence_another(document):
    row = next(row for row in document["findings"] if row["key"] == "mapped_units[conv1]")
    row |= {"value": None, "verdict": "unmeasured", "gating": False}
    document["metrics"]["mapped_units"]["conv1"] = None


def lose_all(document):
    silence_another(document)
    for values in document["metrics"].values():
        values |= {about: None for about in ("conv1",) if about in values}
    document["metrics"]["counterpart"]["conv1"] = 0
    reason = next(row for row in document["reasons"] if row["kind"] == "no_counterpart")
    reason["layers"] = ["conv1", "dense1"]
    told = next(row for row in document["reasons"] if row["kind"] == "passed")
    told |= {"passed": told["passed"] - 1, "total": told["total"] - 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (restore, "mapped_units[dense1] has no say in the release"),
        (forget, "has a counterpart"),
        (measure, "map_ssim[dense1] was measured, and the candidate has no such layer"),
        (take_out_the_reason, "its reasons are not all there"),
        (silence_another, "mapped_units[conv1] has no say in the release"),
        (lose_all, "has no say in the release"),
    ],
    ids=lambda change: getattr(change, "__name__", ""),
)
def test_a_document_cannot_make_a_layer_silent(lacking, change, words):
    """Sealed again after an edit: whether a layer has a counterpart, its values, its say and the reason must agree."""
    folder, _, verdict = lacking
    document = copy.deepcopy(verdict)
    change(document)
    code, said = ask(folder, document)
    assert (code, words in said) == (1, True), said


def test_promotion_tells_the_count(lacking, tmp_path):
    """The sentence of a release ends with it."""
    folder, _, verdict = lacking
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(verdict))
    document = read_verdict(path)
    assert (
        refusal(document, folder / "same.keras", today=datetime.date.fromisoformat(verdict["volatile"]["today"])) == ""
    )
    assert promotable(document).endswith(f"checks judged; {TOLD}.")
