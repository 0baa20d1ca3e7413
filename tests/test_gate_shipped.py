"""A file that ships goes through the gate: what it is asked, why it is red, and what a reader of its verdict checks."""

import copy
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import gates
import tflite_files
from modelcheck.gate.contradictions import find_contradiction
from modelcheck.gate.request import Request
from modelcheck.judgement.document import seal
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.report.reasons import describe_reason, main_reason
from modelcheck.signature import read_signature
from signatures import make_panel, make_signature, ship

OF_SOURCE = """
[[criterion]]
metric = "source_agreement"
at_least = 0.95
optional = true
why = "a conversion changes no answer"

[[criterion]]
metric = "conversion_snr"
at_least = 20
optional = true
why = "no layer breaks"
"""
RECIPE = Recipe(probe_pictures=4, attribution_methods=("smoothgrad", "rise", "occlusion"))
BESIDE = ("--source", "same.keras")


def spoil(made):
    """Return a file whose dense layer is noise."""
    noise = np.random.default_rng(0).standard_normal(made.features["dense1"].shape).astype(np.float32)
    return dataclasses.replace(made, features={**made.features, "dense1": noise})


def starve(made):
    """Return a file of which the panel's pictures use a hundredth of the input's range."""
    use = {"low": 0.0, "high": 255.0, "clipped": 0.0, "reached": 0.0039, "levels": 2}
    made = dataclasses.replace(made, scores=made.scores[:, ::-1])
    return dataclasses.replace(made, model={**made.model, "input_use": use})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a passing network, and the files that were made of it: as it is, spoiled and starved."""
    folder = tmp_path_factory.mktemp("shipped") / "project"
    gates.build(folder, panel=make_panel(subjects=("ada", "ben"), per_subject=40))
    criteria = folder / "suites" / "criteria.toml"
    criteria.write_text(criteria.read_text() + OF_SOURCE)
    changes = {"phone.tflite": lambda made: made, "spoiled.tflite": spoil, "starved.tflite": starve}
    for count, (file, change) in enumerate(changes.items()):
        data = tflite_files.build(tflite_files.network())
        (folder / file).write_bytes(data + bytes(16 * count))  # behind the file, where nothing refers to it
        gates.measured(
            folder,
            file,
            panel=Panel.load(folder / "heldout.npz"),
            learned=0.95,
            seed=3,
            change=lambda made, file=file, change=change: change(ship(made, file=file)),
        )
    return folder


@pytest.fixture(scope="module")
def passed(project):
    return gates.gate(project, "--candidate", "phone.tflite")


@pytest.fixture(scope="module")
def beside(project):
    return gates.gate(project, "--candidate", "phone.tflite", *BESIDE)


@pytest.fixture(scope="module")
def broken(project):
    return gates.gate(project, "--candidate", "spoiled.tflite", *BESIDE)


def asked(project, document, *, candidate="phone.tflite"):
    """Return exit code and output of `modelcheck verdict` on a document, sealed by whoever altered it."""
    from modelcheck.__main__ import main

    path = project / "asked.json"
    path.write_text(json.dumps({**document, "digest": seal(document)}))
    done = CliRunner().invoke(main, ["verdict", str(path), "--candidate", str(project / candidate)])
    return done.exit_code, done.output


def test_a_file_passes_in_what_it_can_be_asked(passed, project):
    """Exit 0; the verdict names what runs it, and what its criteria ask and nothing can answer."""
    done, document = passed
    assert done.returncode == 0, done.stdout
    assert document["verdict"] == "pass"
    assert document["candidate"]["runtime"] == "litert"
    assert document["candidate"]["precision"] == "int8"
    assert "conversion" not in document
    assert "source" not in document
    told = document["reasons"][-1]
    assert (told["kind"], told["source"]) == ("black_box", False)
    assert told["metrics"] == ["mapped_units", "transfer", "randomisation"]
    assert "With --source PARENT.keras, the network that it was converted from, more is." in describe_reason(told)
    judged = {row["metric"] for row in document["findings"]}
    assert {"subject_accuracy", "place_distance", "mass_over_area"} <= judged
    assert judged.isdisjoint({"mapped_units", "transfer", "randomisation", "source_agreement", "conversion_snr"})
    assert document["next"] == []  # a baseline is rendered, and this file cannot become one
    assert asked(project, document)[0] == 0


def test_beside_its_source_it_is_asked_more(beside, project):
    """The two measures of a conversion, and where it stands layer by layer."""
    done, document = beside
    assert done.returncode == 0, done.stdout
    assert document["source"]["file"] == "same.keras"
    conversion = document["conversion"]
    assert [row["source"] for row in conversion["layers"]] == ["conv1", "dense1", "decision"]
    assert (conversion["breaks"], conversion["changed"], conversion["pictures"]) == ("", 0, 80)
    judged = {row["metric"]: row["value"] for row in document["findings"]}
    assert judged["source_agreement"] == 1
    assert judged["conversion_snr"] == min(row["snr"] for row in conversion["layers"])
    assert asked(project, document)[0] == 0


def test_a_broken_conversion_is_the_first_reason(broken):
    """Red, and the layer at which it breaks stands before what follows from it."""
    done, document = broken
    assert done.returncode == 1
    first = document["reasons"][0]
    assert (first["kind"], first["layer"], first["changed"]) == ("conversion", "dense1", 0)
    assert main_reason(document).startswith("The conversion breaks first at 'dense1', which keeps ")
    assert [row["kind"] for row in document["reasons"]].count("conversion") == 1


@pytest.mark.slow
def test_limits_on_what_is_not_asked_leave_nothing_to_do(passed, project):
    """A test whose limits are all on maps or untrained twins is skipped; it is no failure, and nothing is invented."""
    assert "skipped" in passed[0].stdout
    assert not any(row["metric"] in ("randomisation", "flipping_gain") for row in passed[1]["findings"])
    criteria = project / "suites" / "criteria.toml"
    before = criteria.read_text()
    rows = before.split("\n[[criterion]]")
    try:  # the one limit on triggers that a file can be asked for is left out
        criteria.write_text("\n[[criterion]]".join(row for row in rows if 'metric = "trigger"' not in row))
        done, document = gates.gate(project, "--candidate", "phone.tflite")
        assert done.returncode == 0, done.stdout
        assert not any(row["metric"] in ("trigger", "reach") for row in document["findings"])
        criteria.write_text("\n[[criterion]]".join(row for row in rows if 'metric = "transfer"' not in row))
        assert gates.gate(project, "--candidate", "phone.tflite")[0].returncode == 0
    finally:
        criteria.write_text(before)


@pytest.mark.slow
def test_without_its_source_a_broken_layer_may_stay_unseen(project):
    """Its answers are the same: what it takes to see it is the source."""
    assert gates.gate(project, "--candidate", "spoiled.tflite")[0].returncode == 0


@pytest.mark.slow
def test_a_broken_conversion_without_a_limit_is_told_after_the_verdict(project):
    """Limits that do not know of sources let it pass, and the layer is named all the same."""
    criteria = project / "suites" / "criteria.toml"
    before = criteria.read_text()
    try:
        criteria.write_text(before.replace(OF_SOURCE, ""))
        done, document = gates.gate(project, "--candidate", "spoiled.tflite", *BESIDE)
    finally:
        criteria.write_text(before)
    assert (done.returncode, document["verdict"]) == (0, "pass")
    kinds = [row["kind"] for row in document["reasons"]]
    assert kinds[0] == "passed"
    assert "conversion" in kinds
    assert asked(project, document, candidate="spoiled.tflite")[0] == 0
    document["reasons"] = [row for row in document["reasons"] if row["kind"] != "conversion"]
    assert "its reasons are not all there" in asked(project, document, candidate="spoiled.tflite")[1]


@pytest.mark.slow
def test_an_input_of_another_range_is_the_first_reason(project):
    """What pictures use of the input is told before what follows from it."""
    done, document = gates.gate(project, "--candidate", "starved.tflite")
    assert done.returncode == 1
    assert document["reasons"][0]["kind"] == "input_use"
    said = main_reason(document)
    assert said.startswith("The file's input holds values from 0 to 255, and the pictures use 0.4 % of that")
    assert "it was calibrated on pictures of another range" in said
    assert document["reasons"][1]["kind"] == "class_order"  # what it looks like, and follows from that
    assert find_contradiction(document) == ""
    first, second, *rest = document["reasons"]
    assert find_contradiction({**document, "reasons": [second, first, *rest]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("candidate", "source", "code", "words"),
    [
        ("same.keras", "same.keras", 4, "source is the network that a .tflite or .onnx candidate was converted from"),
        ("phone.tflite", "other.keras", 3, "'phone.tflite' was not converted from 'other.keras'"),
        ("phone.tflite", "missing.keras", 3, "There is no source 'missing.keras'"),
        ("phone.tflite", "spoiled.tflite", 4, "spoiled.tflite"),
    ],
)
def test_a_source_that_cannot_be_one_is_an_error(project, candidate, source, code, words):
    """One sentence says what to give: a wrong setting exits with 4, evidence that cannot be had with 3."""
    done, document = gates.gate(project, "--candidate", candidate, "--source", source)
    assert done.returncode == code
    assert document["verdict"] == "error"
    assert words in main_reason(document)


# A document that somebody altered


def no_conversion(document):
    del document["conversion"]


def no_source(document):
    del document["source"]


def breaks_elsewhere(document):
    document["conversion"]["breaks"] = "decision"


def breaks_nowhere(document):
    document["conversion"]["breaks"] = ""


def louder(document):
    document["conversion"]["layers"][1]["snr"] = 40.0


def fewer_changes(document):
    document["conversion"]["changed"] += 1


def another_runtime(document):
    document["candidate"]["runtime"] = "onnx"


def a_keras_network(document):
    del document["candidate"]["runtime"]


def no_reason(document):
    document["reasons"] = [row for row in document["reasons"] if row["kind"] != "conversion"]


def another_layer(document):
    document["reasons"][0]["layer"] = "conv1"


def nothing_unasked(document):
    document["reasons"] = [row for row in document["reasons"] if row["kind"] != "black_box"]


def less_unasked(document):
    next(row for row in document["reasons"] if row["kind"] == "black_box")["metrics"].pop()


def measured_all_the_same(document):
    document["metrics"]["mapped_units"] = {"conv1": 1.0}


@pytest.mark.parametrize(
    "change",
    [
        *(no_conversion, no_source, breaks_elsewhere, fewer_changes, another_runtime, a_keras_network),
        *(nothing_unasked, less_unasked, measured_all_the_same),
    ],
)
def test_an_altered_pass_releases_nothing(beside, project, change):
    """What it says of its conversion, of what runs it and of what was not asked follows from the rest."""
    document = copy.deepcopy(beside[1])
    assert asked(project, document)[0] == 0
    change(document)
    code, said = asked(project, document)
    assert code != 0
    assert "contradicts itself" in said or "is not" in said or "names" in said, said


@pytest.mark.parametrize("change", [breaks_nowhere, breaks_elsewhere, louder, no_reason, another_layer, fewer_changes])
def test_an_altered_failure_is_a_contradiction(broken, change):
    """The layer that breaks is the first below the border, and the reason names it."""
    document = copy.deepcopy(broken[1])
    assert find_contradiction(document) == ""
    change(document)
    assert find_contradiction(document)


# The process that measures


HOOK = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "torch", "jax"):
            raise RuntimeError(f"{name} is imported")
sys.meta_path.insert(0, Refuse())
from modelcheck.cli.child import main
status = main(*sys.argv[1:])
assert not {"tensorflow", "keras"} & set(sys.modules)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("file", ["phone.tflite", "network.onnx", "network.keras"])
def test_a_file_is_measured_without_tensorflow(file, tmp_path):
    """The child measures it while nothing may import TensorFlow or Keras; of a Keras network it cannot."""
    import networks
    import shipped

    panel, model = make_panel(size=(12, 10)), networks.plain()
    if file.endswith(".onnx"):
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is an extra: pip install modelcheck[onnx]")
        import exported_onnx

        (tmp_path / file).write_bytes(exported_onnx.to_onnx(model))
    elif file.endswith(".tflite"):
        pytest.importorskip("ai_edge_litert", reason="LiteRT is an extra: pip install modelcheck[litert]")
        (tmp_path / file).write_bytes(shipped.convert(model))
    else:
        model.save(tmp_path / file)
    panel.save(tmp_path / "panel.npz")
    asked_for = Request(network=tmp_path / file, panel=tmp_path / "panel.npz", recipe=RECIPE)
    (tmp_path / "request.json").write_text(asked_for.to_json())
    command = [sys.executable, "-c", HOOK, str(tmp_path / "request.json"), str(tmp_path / "signature")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if file.endswith(".keras"):
        assert "is imported" in done.stderr
        assert done.returncode != 0
        return
    assert done.returncode == 0, done.stderr
    signature = read_signature(tmp_path / "signature")
    assert signature.runtime in ("litert", "onnx")
    assert [record.name for record in signature.layers][-1] == signature.decision.name
    assert signature.attributions.keys() == {"occlusion", "rise"}
    assert all(np.isnan(maps).all() for maps in signature.maps.values())
    assert {"tensorflow", "keras"}.isdisjoint(signature.provenance["versions"])


def test_an_invented_file_is_kept_as_it_is(tmp_path):
    """What tests take for a measured file survives being written and read, as a measured one does."""
    made = ship(make_signature())
    made.write(tmp_path / "file")
    again = read_signature(tmp_path / "file")
    assert again.digest() == made.digest()
    assert again.runtime == "litert"
