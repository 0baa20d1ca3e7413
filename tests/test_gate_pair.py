"""Two networks are compared as files, as signatures, or one of each; a file that ships beside its source."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from modelcheck.__main__ import main
from modelcheck.gate import child
from modelcheck.gate.pair import compare_pair
from modelcheck.gate.settings import Settings
from modelcheck.gate.timing import read_timing
from modelcheck.measurement import ExchangePartner, measure
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.runtimes import NetworkError
from modelcheck.signature import read_signature
from signatures import make_panel, make_signature, show

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saves so
FAST = Recipe(
    steps=2,
    units_per_layer=2,
    probe_pictures=6,
    smoothgrad_samples=2,
    untrained_twins=1,
    sticker_faces=0,
    exchange_pictures=0,
    mosaics=0,
    attribution_methods=("occlusion",),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with a network, its LiteRT file, another network, their panel, and a recipe."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT is an extra: pip install modelcheck[litert]")
    from networks import plain
    from shipped import convert

    folder = tmp_path_factory.mktemp("files")
    model = plain()
    model.save(folder / "parent.keras")
    (folder / "phone.tflite").write_bytes(convert(model))
    plain(seed=1).save(folder / "stranger.keras")
    make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6).save(folder / "panel.npz")
    (folder / "recipe.json").write_text(json.dumps(FAST.to_dict()))
    (folder / "cache").mkdir()
    return folder


def run(*words):
    """Return what a command prints, which must succeed."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def project(files, monkeypatch):
    """Work in the folder, as a project whose cache is kept."""
    (files / "pyproject.toml").write_text('[tool.modelcheck]\ncache = "cache"\n')
    monkeypatch.chdir(files)
    return files


@pytest.mark.slow
def test_a_file_beside_its_source(project, monkeypatch):
    """Both are measured once; the conversion is told by layer, empty columns are left out, and a page is written."""
    words = ["compare", "parent.keras", "phone.tflite", "--panel", "panel.npz", "--recipe", "recipe.json"]
    said = run(*words, "--html", "page")
    for line in ("first layer that breaks: none", "answers that changed: 0 of 12"):
        assert line in said
    assert "signal to noise of the conversion: conv1 1" in said  # 100 to 120 dB
    assert "activation_correlation" in said
    assert "map_ssim" not in said
    assert "one answer, where it was measured: parent.keras " in said
    assert (project / "page" / "index.html").exists()
    entries = list((project / "cache" / "signatures").glob("*/timing.json"))
    assert len(entries) == 2
    assert all(0 < read_timing(entry.parent) < 10 for entry in entries)
    monkeypatch.setattr(child, "measure_in_child", lambda *_, **__: pytest.fail("measured twice"))
    assert run(*words) == said.replace("Wrote page/index.html.\n", "")


@pytest.mark.slow
def test_what_was_not_converted_from_it_is_any_other_network(project):
    """Weights that do not correlate are no source: that is said, and nothing of a conversion."""
    words = ["--panel", "panel.npz", "--recipe", "recipe.json"]
    said = run("compare", "stranger.keras", "phone.tflite", *words)
    assert "'phone.tflite' was not converted from 'stranger.keras'" in " ".join(said.split())
    assert "signal to noise" not in said
    assert "signal to noise" not in run("compare", "parent.keras", "stranger.keras", *words)


@pytest.mark.slow
def test_a_file_is_measured_like_the_signature_beside_it(project, tmp_path):
    """On either side: with the signature's recipe, and shown the maps of the one in the role of the baseline."""
    run("measure", "phone.tflite", "--panel", "panel.npz", "--recipe", "recipe.json", "--to", tmp_path / "phone")
    run(
        *("measure", "parent.keras", "--panel", "panel.npz", "--recipe", "recipe.json"),
        *("--to", tmp_path / "parent", "--no-twins"),
    )
    settings = Settings(cache=project / "cache")
    sides = {
        "signature, file": (tmp_path / "parent", project / "phone.tflite"),
        "file, signature": (project / "parent.keras", tmp_path / "phone"),
    }
    for name, (one, other) in sides.items():
        pair = compare_pair(one, other, panel=project / "panel.npz", settings=settings, aside=tmp_path / name)
        found = pair.comparison
        assert found.baseline.recipe == found.candidate.recipe == FAST, name
        assert found.conversion.breaks == "", name
        assert found.find("source_agreement", "decision").value == 1, name
        assert (found.candidate.exchange is not None) == (other.suffix == ".tflite"), name


@pytest.mark.slow
def test_the_public_measure_takes_files_that_ship(files):
    """Without TensorFlow, and refuses what only Keras networks have."""
    panel = Panel.load(files / "panel.npz")
    signature = measure(files / "phone.tflite", panel, FAST)
    assert signature.runtime == "litert"
    release = make_signature(panel=panel)
    for given in (
        {"custom_objects": ["a>B"]},
        {"stop_where_misread": True},
        {"stimuli": ExchangePartner(signature=release, model="release.keras")},
        {"stimuli": ExchangePartner(signature=release, layers={"conv1": "stem"})},
    ):
        with pytest.raises(NetworkError, match=r"from which nothing is rendered\. Leave out: "):
            measure(files / "phone.tflite", panel, FAST, **given)


@pytest.mark.slow
def test_measuring_a_file_that_ships_loads_no_tensorflow(files):
    """`modelcheck.measure` of a LiteRT file, in a process of its own."""
    code = (
        "import json, sys, modelcheck\n"
        "recipe = modelcheck.Recipe.from_dict(json.load(open('recipe.json')))\n"
        "modelcheck.measure('phone.tflite', modelcheck.Panel.load('panel.npz'), recipe)\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=files)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--baseline-model", "parent.keras"), ("--layer", "a=b"), ("--custom-object", "a>B"), ("--no-twins", None)],
)
def test_measure_refuses_options_of_keras_networks(option, value, tmp_path, monkeypatch):
    """Options about rendering or loading say nothing of a file that ships: one error names them."""
    (tmp_path / "phone.tflite").write_bytes(bytes(4) + b"TFL3")
    monkeypatch.chdir(tmp_path)
    words = ["measure", "phone.tflite", "--panel", "p.npz", "--to", "new", "--like", "base", option]
    done = CliRunner().invoke(main, [*words, *([] if value is None else [value])])
    assert done.exit_code == 2
    assert f"Leave out {option}." in done.output
    assert "is a file of LiteRT" in done.output


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with two signatures, their panel and a few bytes that look like a LiteRT file."""
    panel = make_panel()
    panel.save(tmp_path / "panel.npz")
    release = make_signature("release", panel=panel)
    release.write(tmp_path / "release")
    show(make_signature("next", panel=panel, seed=3), release).write(tmp_path / "next")
    make_panel(per_subject=6).save(tmp_path / "other.npz")
    (tmp_path / "phone.tflite").write_bytes(bytes(4) + b"TFL3")
    (tmp_path / "a.keras").write_bytes(b"PK")
    (tmp_path / "recipe.toml").write_text("steps = 3\n")
    shipped = make_signature("phone", panel=panel)
    shipped = dataclasses.replace(shipped, model={**shipped.model, "file": "phone.tflite", "runtime": "litert"})
    shipped.write(tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(child, "_watch", lambda *_, **__: pytest.fail("something was started"))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["release", "phone.tflite"], "modelcheck compare release phone.tflite --panel PANEL.npz"),
        (["release", "missing.tflite", "--panel", "panel.npz"], "There is nothing at 'missing.tflite'"),
        (["release", "phone.tflite", "--panel", "other.npz"], "is not the one that 'release' was measured on"),
        (["release", "next", "--panel", "other.npz"], "is not the one that 'release' was measured on"),
        (["release", "phone.tflite", "--panel", "panel.npz", "--recipe", "recipe.toml"], "leave --recipe out"),
        (["release", "next", "--outputs", "a,b"], "Both are signatures, measured already: leave out"),
        (["phone.tflite", "a.keras", "--panel", "panel.npz"], "modelcheck compare PARENT.keras a.keras --panel"),
        (["shipped", "release"], "'phone.tflite' is a LiteRT (TensorFlow Lite) file, and a baseline is rendered"),
        (["release", "next", "--html", "release"], "--html would write"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(place, words, said):
    """Exit code 4 and one message, before anything is measured."""
    done = CliRunner().invoke(main, ["compare", *words])
    assert done.exit_code == 4, done.output
    assert said in " ".join(done.stderr.split())


@pytest.mark.slow
def test_two_signatures_need_no_panel(place):
    """As ever; with the panel the page shows its pictures."""
    said = run("compare", "release", "next")
    assert "recognition" in said
    assert said in run("compare", "release", "next", "--panel", "panel.npz", "--html", "page")


def test_a_broken_conversion_names_its_first_layer(place):
    """A signature of a file that ships beside its source: the layer from which on noise prevails is named."""
    release = read_signature(place / "release")
    noise = np.random.default_rng(0).normal(size=release.features["dense1"].shape).astype(np.float32)
    broken = dataclasses.replace(
        release,
        model={**release.model, "file": "phone.tflite", "runtime": "litert"},
        features={**release.features, "dense1": noise},
        scores=-release.scores,
    )
    broken.write(place / "broken")
    said = run("compare", "release", "broken")
    assert "first layer that breaks: dense1" in said
    assert f"answers that changed: {len(release.scores)} of {len(release.scores)}" in said
