"""Right conversions pass the whole gate and wrong ones do not, each with the right first sentence.

The worked example's cases take its own baseline and limits; signs in colour and a network of bytes
get a light baseline each, measured here. A handful runs by default. All of them, some minutes, run
with MODELCHECK_ALL_CASES=1; benchmarks/shipped_cases.py makes the table in the documents of the same.
"""

import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("keras")
pytest.importorskip("ai_edge_litert", reason="LiteRT is an extra: pip install modelcheck[litert]")

from shipped_cases import STRANGERS

import gates
from conversions import CASES, ROOT, SOURCES
from modelcheck.gate.contradictions import find_contradiction
from modelcheck.gate.reading import read_verdict
from modelcheck.interface import Interface
from modelcheck.measurement import measure
from modelcheck.recipe import Recipe
from modelcheck.report.reasons import main_reason

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LIGHT = Recipe(
    steps=4, copies=2, units_per_layer=4, untrained_twins=1, sticker_faces=0, exchange_pictures=30, mosaics=60,
    probe_pictures=48, attribution_methods=("occlusion",),
)  # fmt: skip
STARTER = ("", "_places", "_subjects")
READS = {"bytes": Interface(preprocessing="bytes")}
# How the first sentence starts: of a file alone, and beside its source.
BREAKS = "The conversion breaks first at "
RANGE, ORDER, FED = "The file's input holds values", "The network seems to give its outputs", "The network is fed"
FIRST = {
    "on_bytes": (RANGE, RANGE),
    "on_a_dark_picture": (RANGE, RANGE),
    "blue_first": (FED, FED),
    "swapped": (ORDER, ORDER),
    "cyclic": (ORDER, ORDER),
}
# Answers and decision are as before: what breaks is seen beside the source alone.
UNSEEN_ALONE = {"without_rescaling", "clipped", "clipped_first", "sees_half"}
ALL = bool(os.environ.get("MODELCHECK_ALL_CASES"))
BY_DEFAULT = {("signs_int8", True), ("blue_first", False), ("int8", True), ("clipped", True), ("on_bytes", False)}
PATIENCE = 1800  # seconds on the clock for measuring a file and its source, on a busy machine


@pytest.fixture(scope="session")
def projects(tmp_path_factory):
    """Return what gives the folder of a project, made once: suites, limits, a baseline and the source."""
    made = {}

    def project(name):
        if name in made:
            return made[name]
        folder = tmp_path_factory.mktemp(name)
        (folder / "suites").mkdir()
        suites = ["test_held_out_subjects.py", "test_same_features.py", "test_same_places.py"]
        limits = [ROOT / "modelcheck" / "cli" / "starter" / f"criteria{part}.toml" for part in STARTER]
        if name == "faces":
            suites, limits = (
                [path.name for path in (ROOT / "suites").glob("test_*.py")],
                [ROOT / "suites/criteria.toml"],
            )
        for suite in suites:
            shutil.copy(ROOT / "suites" / suite, folder / "suites")
        (folder / "suites" / "criteria.toml").write_text("\n".join([*(path.read_text() for path in limits), STRANGERS]))
        source, baseline = folder / "source.keras", ROOT / "baselines" / "drawn-faces"
        panel = SOURCES[name][1]()
        if name == "faces":
            shutil.copy(ROOT / "networks" / "half_filters.keras", source)
        else:
            SOURCES[name][0]().save(source)
            baseline = folder / "baseline"
            measure(source, panel, LIGHT, interface=READS.get(name), twins=False).write(baseline)
        panel.save(folder / "heldout.npz")
        (folder / "pyproject.toml").write_text(
            '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider -p no:hypothesispytest"\n'
            f'[tool.modelcheck]\nbaseline = "{baseline}"\npanel = "heldout.npz"\n'
        )
        made[name] = folder
        return folder

    return project


def run(folder, data, *, source, name="phone.tflite"):
    """Return exit status and verdict of a file, alone or beside its source; whoever reads it finds no contradiction."""
    (folder / name).write_bytes(data)
    done, document = gates.gate(
        folder, "--candidate", name, *(["--source", "source.keras"] if source else []), seconds=PATIENCE
    )
    assert done.returncode == document["exit_code"]
    if document["verdict"] != "error":
        assert find_contradiction(read_verdict(folder / "report" / "verdict.json")) == ""
    return done.returncode, document


def cases():
    for name in CASES:
        for source in (False, True):
            if (name, source) != ("shortcut", True) and (ALL or (name, source) in BY_DEFAULT):  # that is no parent
                yield pytest.param(name, source, id=f"{name}-{'source' if source else 'alone'}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source"), list(cases()))
def test_a_case_is_told(name, source, projects, converted):
    """Its verdict, and what is said first."""
    code, document = run(projects(CASES[name].source), converted(name), source=source)
    first = main_reason(document)
    if CASES[name].passes:
        assert (code, document["verdict"]) == (0, "pass"), first
        assert not source or document["conversion"]["breaks"] == ""
        return
    if name == "takes_half":
        assert (code, document["verdict"]) == (4, "error")
        assert "(30, 32, 1)" in first
        assert "(60, 64, 1)" in first
        return
    seen = source or name not in UNSEEN_ALONE
    assert (code, document["verdict"]) == ((1, "fail") if seen else (0, "pass")), first
    if seen:
        starts = FIRST.get(name, ("", BREAKS))[int(source)]
        assert first.startswith(starts)


@pytest.mark.slow
def test_what_does_not_belong_together_is_refused(projects, converted):
    """The network that reads a badge was not converted from the one that is given as its source."""
    code, document = run(projects("faces"), converted("shortcut"), source=True)
    assert (code, document["verdict"]) == (3, "error")
    assert "was not converted from 'source.keras'" in main_reason(document)


# ONNX


@pytest.mark.slow
@pytest.mark.parametrize("source", [False, True] if ALL else [True], ids=lambda given: "source" if given else "alone")
@pytest.mark.parametrize("name", ["half_filters", "int8", "shortcut"] if ALL else ["int8"])
def test_an_onnx_file_is_told(name, source, projects):
    """The released network's smaller one passes in float32 and in 8 bits; the one that reads a badge does not."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is an extra: pip install modelcheck[onnx]")
    exported = pytest.importorskip("exported_onnx", reason="ONNX files are written with onnx")
    import conversions

    data = exported.to_onnx(conversions.network("shortcut" if name == "shortcut" else "half_filters"))
    if name == "int8":
        data = exported.quantised(data, conversions.pictures(conversions.faces()))
    code, document = run(projects("faces"), data, source=source, name="network.onnx")
    assert document["verdict"] == ("pass" if name != "shortcut" else "error" if source else "fail")
    assert code == (0 if name != "shortcut" else 3 if source else 1)
    if name != "shortcut":
        assert document["candidate"]["runtime"] == "onnx"
        assert not source or document["conversion"]["breaks"] == ""


@pytest.mark.slow
@pytest.mark.skipif(not ALL, reason="it trains a network: MODELCHECK_ALL_CASES=1")
def test_another_training_passes_beside_its_own_source(projects, tmp_path):
    """A source is a file's own parent, not the release: a network that was trained again and then converted passes."""
    import conversions
    from modelcheck.faces.export import convert
    from modelcheck.faces.silence import silence

    twin = tmp_path / "twin.keras"
    command = ["-m", "modelcheck.faces", "train", "half_filters", "--data", "drawn", "--seed", "11", "--out", str(twin)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    import keras

    with silence():
        model = keras.models.load_model(twin)
        data = convert(model, to="int8", pictures=conversions.pictures(conversions.faces()))
    folder = projects("faces")
    (folder / "twin.tflite").write_bytes(data)
    done, document = gates.gate(folder, "--candidate", "twin.tflite", "--source", twin, seconds=PATIENCE)
    assert done.returncode == 0, main_reason(document)
    assert document["source"]["file"] == "twin.keras"
    assert document["conversion"]["breaks"] == ""
