"""The scan: every hostile file is refused before its payload runs, and every honest network passes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import onnx_files
import tflite_files
from hostile import corpus, function, honest, lambda_layer, layer, packed, sequential
from modelcheck.__main__ import main
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.child import ChildError, RefusedError, measure_in_child
from modelcheck.gate.confine import environment
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings, SettingsError, read_settings
from modelcheck.modelfile import ScanError, scan_bytes, scan_model
from modelcheck.modelfile.allowed import CLASSES, FUNCTIONS, KNOWN_BAD
from modelcheck.network.loading import ModelError, load_network
from modelcheck.recipe import Recipe
from networks import ZOO, plain
from signatures import make_panel

ROOT = Path(__file__).parents[1]
# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
FAST = Recipe(steps=6, copies=2, untrained_twins=1, smoothgrad_samples=2, probe_pictures=6)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Write the corpus once; return its folder and files."""
    folder = tmp_path_factory.mktemp("hostile")
    return folder, corpus(folder, folder / "canary")


@pytest.mark.slow
def test_every_hostile_file_is_refused(hostile):
    """Each file of the corpus, more than forty, is refused for what is wrong with it; no payload runs."""
    folder, files = hostile
    assert len(files) > 40
    for name, (rule, path) in files.items():
        report = scan_model(path)
        assert rule in {refusal.rule for refusal in report.refusals}, name
    assert not (folder / "canary").exists()


def test_every_rule_is_explained(hostile):
    """The page on model files has a row for each rule that refuses a file of the corpus, and no other."""
    page = (ROOT / "docs" / "model_files.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", page, re.M))
    _, files = hostile
    assert rows == {rule for rule, _ in files.values()}


@pytest.mark.slow
def test_hostile_text_acts_on_no_terminal(hostile, monkeypatch):
    """What the command prints of a hostile file holds no control character but the line's end."""
    # Looked at in this process, for a process each takes its time; that each is, is tested elsewhere.
    monkeypatch.setattr("modelcheck.gate.child.scan_in_child", lambda path, **_: scan_model(path))
    _, files = hostile
    for name, (_, path) in files.items():
        done = CliRunner().invoke(main, ["scan", str(path)])
        assert done.exit_code == 4, name
        assert all(sign.isprintable() for line in done.output.splitlines() for sign in line), name


LIVE = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import keras
from modelcheck.network.loading import ModelError, load_network
folder, canary = Path(sys.argv[1]), Path(sys.argv[2])
loaded = []
for path in sorted(folder.glob("*.keras")):
    try:
        load_network(path)
    except ModelError:
        continue
    loaded.append(path.name)
before = canary.exists()
ran = []
for name in ("lambda", "lambda_nested", "lambda_in_pipeline"):
    canary.unlink(missing_ok=True)
    try:
        keras.models.load_model(folder / f"{name}.keras", compile=False, safe_mode=False)
    except Exception:
        pass
    ran += [name] if canary.exists() else []
print(json.dumps({"loaded": loaded, "before": before, "ran": ran}))
"""


@pytest.mark.slow
def test_payloads_run_only_without_the_scan(hostile):
    """Loading through modelcheck refuses every file and wakes no canary; Keras without the scan does wake it."""
    folder, _ = hostile
    command = [sys.executable, "-c", LIVE, str(folder), str(folder / "canary")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["loaded"] == []
    assert not seen["before"]
    assert "lambda" in seen["ran"]


def augmented():
    """Return a network of all that honest picture networks are made of."""
    layers = keras.layers
    start = layers.Input((32, 32, 3))
    x = start
    for made in (
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.1),
        layers.RandomBrightness(0.1),
        layers.Resizing(28, 28),
        layers.CenterCrop(24, 24),
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=np.zeros(3), variance=np.ones(3)),
        layers.GaussianNoise(0.1),
        layers.Conv2D(
            4,
            3,
            kernel_regularizer=keras.regularizers.L2(1e-4),
            kernel_constraint=keras.constraints.MaxNorm(2),
            kernel_initializer="he_normal",
            activation=keras.activations.relu,
        ),
        layers.BatchNormalization(),
        layers.PReLU(),
        layers.SpatialDropout2D(0.1),
        layers.Dropout(0.1),
    ):
        x = made(x)
    x = keras.ops.relu(x) * 2.0 + 1.0
    x = layers.Add()([x, x[:, :, :, ::-1]])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(start, layers.Dense(2, dtype="mixed_float16", activation="softmax")(x))
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model.compile(keras.optimizers.AdamW(schedule), keras.losses.CategoricalCrossentropy(), metrics=["accuracy"])
    return model


def mobile():
    """Return MobileNetV2 as Keras ships it."""
    return keras.applications.MobileNetV2(input_shape=(32, 32, 3), weights=None, classes=2)


def wing(name):
    """Return the maker of a network of the worked example."""
    from modelcheck.faces.networks import build

    return lambda: build(name)


HONEST = {**ZOO, "augmented": augmented, "mobile": mobile}
HONEST |= {f"wing_{name}": wing(name) for name in ("experiment0", "mobile", "residual", "linear_decision", "one_dense")}


@pytest.mark.parametrize("name", HONEST)
def test_honest_networks_pass(name, tmp_path):
    """What people build and save is clean, and loads to the same weights; its layers are listed."""
    model = HONEST[name]()
    model.save(tmp_path / "honest.keras")
    report = scan_model(tmp_path / "honest.keras")
    assert not report.refusals, report.sentence()
    assert {inner.name for inner in model.layers} <= set(report.layers)
    loaded, sha = load_network(tmp_path / "honest.keras")
    assert sha == report.sha256
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True))


@pytest.mark.parametrize("path", sorted((ROOT / "networks").glob("*.keras")), ids=lambda path: path.stem)
def test_shipped_networks_pass(path):
    """The networks of the embedded default are clean."""
    assert not scan_model(path).refusals


@pytest.mark.slow
def test_a_trained_network_passes(tmp_path):
    """A network that was fitted keeps its optimizer's variables in the weights; that is clean too."""
    model = plain()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.zeros((4, 12, 10, 1)), np.zeros(4), verbose=0)
    model.save(tmp_path / "fitted.keras")
    assert not scan_model(tmp_path / "fitted.keras").refusals


def test_what_is_allowed_exists_and_only_computes():
    """Every allowed class and function is one of Keras', and none is on the list of those known to be bad."""
    import importlib

    for table in (CLASSES, {module: names for module, names in FUNCTIONS.items() if module != "builtins"}):
        for module, names in table.items():
            here = importlib.import_module(module)
            missing = [name for name in names if not hasattr(here, name)]
            assert not missing or (module, missing) == ("keras", ["Functional"]), (module, missing)
            assert not names & set(KNOWN_BAD)


@pytest.mark.slow
def test_the_bytes_that_were_scanned_are_loaded(tmp_path, monkeypatch):
    """A file that is swapped after it was read changes nothing: what is loaded is what was hashed and scanned."""
    path = tmp_path / "net.keras"
    plain(seed=1).save(path)
    other = tmp_path / "other.keras"
    plain(seed=2).save(other)
    expected = scan_model(path).sha256
    real = keras.models.load_model

    def swapped(where, **options):
        path.write_bytes(other.read_bytes())
        return real(where, **options)

    monkeypatch.setattr(keras.models, "load_model", swapped)
    model, sha = load_network(path)
    assert sha == expected
    assert np.array_equal(model.get_weights()[0], plain(seed=1).get_weights()[0])


def test_what_is_no_file_is_said(tmp_path):
    """A missing file, an address and a pipe are errors with a next step, not reports."""
    with pytest.raises(ScanError, match="There is no network file"):
        scan_model(tmp_path / "none.keras")
    with pytest.raises(ScanError, match="is an address"):
        scan_model("hf://somebody/net.keras")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.keras")
        with pytest.raises(ScanError, match="it is a pipe, no regular file"):
            scan_model(tmp_path / "pipe.keras")
    with pytest.raises(ModelError, match="There is no network file"):
        load_network(tmp_path / "none.keras")


def with_config(document):
    """Return the bytes of a network file of this configuration."""
    return packed({**honest(), "config.json": json.dumps(document).encode()})


def test_custom_objects_are_allowed_by_name_only():
    """A class outside Keras is refused with the setting that allows it; allowed, only that class and name pass."""
    own = {**layer("mypackage.layers", "MyLayer"), "registered_name": "mine>MyLayer"}
    data = with_config(sequential(own))
    (refusal,) = scan_bytes(data, name="x").refusals
    assert refusal.option == "custom_objects = ['mypackage.layers>MyLayer']"
    report = scan_bytes(data, name="x", custom_objects=["mypackage.layers>MyLayer"])
    assert not report.refusals
    assert report.custom == {"mypackage.layers>MyLayer": "mine>MyLayer"}
    assert scan_bytes(data, name="x", custom_objects=["mypackage.layers>Other"]).refusals
    alias = with_config(sequential({**own, "registered_name": "mine>Other"}))
    assert scan_bytes(alias, name="x", custom_objects=["mypackage.layers>MyLayer"]).refusals


@pytest.mark.parametrize(
    ("document", "spelled"),
    [
        (sequential(layer("keras.layers", "Dense", activation=function("os", "system"))), "os>system"),
        (sequential(layer("subprocess", "Popen")), "subprocess>Popen"),
        (sequential(lambda_layer(Path("canary"))), "keras.layers>Lambda"),
        (sequential(layer("keras.layers", "TFSMLayer")), "keras.layers>TFSMLayer"),
    ],
    ids=["os", "subprocess", "lambda", "tfsm"],
)
def test_nothing_allows_programs(document, spelled):
    """Python's own library, Lambda layers and SavedModels stay refused whatever the settings say."""
    assert scan_bytes(with_config(document), name="x", custom_objects=[spelled]).refusals


def test_a_custom_object_is_imported_and_checked(tmp_path, monkeypatch):
    """An allowed class is imported from its package; one that is registered otherwise, or gone, is an error."""
    (tmp_path / "own_layers.py").write_text(
        "import keras\n\n@keras.saving.register_keras_serializable('own')\nclass Twice(keras.layers.Layer):\n"
        "    def call(self, x):\n        return 2 * x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import own_layers

    start = keras.layers.Input((4,))
    model = keras.Model(start, keras.layers.Dense(2)(own_layers.Twice()(start)))
    model.save(tmp_path / "own.keras")
    with pytest.raises(ModelError, match=r"custom_objects = \['own_layers>Twice'\]"):
        load_network(tmp_path / "own.keras")
    loaded, _ = load_network(tmp_path / "own.keras", custom_objects=["own_layers>Twice"])
    picture = np.ones((1, 4), np.float32)
    assert np.allclose(loaded(picture), model(picture))
    monkeypatch.delattr(own_layers, "Twice")
    with pytest.raises(ModelError, match="cannot be imported"):
        load_network(tmp_path / "own.keras", custom_objects=["own_layers>Twice"])
    monkeypatch.setattr(own_layers, "Twice", keras.layers.Dense, raising=False)
    with pytest.raises(ModelError, match="is registered as"):
        load_network(tmp_path / "own.keras", custom_objects=["own_layers>Twice"])


NOTEBOOK = """
import keras

def my_loss(truth, scores):
    return keras.ops.mean((truth - scores) ** 2)

class MyMetric(keras.metrics.Mean):
    pass

class MySchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1
    def get_config(self):
        return {}

@keras.saving.register_keras_serializable("own")
def bend(x):
    return x * x

class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


@pytest.fixture(scope="module")
def notebook():
    """Return what was defined in a notebook, whose module nobody can import."""
    names = {"__name__": "__main__"}
    exec(NOTEBOOK, names)
    yield names
    keras.saving.get_custom_objects().pop("own>bend")


def test_how_a_network_was_trained_is_no_reason_to_refuse_it(notebook, tmp_path):
    """A loss, a metric and a schedule of a notebook, and a function as metric, are never loaded, and not asked for."""
    model = plain()
    rate = keras.optimizers.Adam(notebook["MySchedule"]())
    model.compile(rate, notebook["my_loss"], metrics=[notebook["MyMetric"](), notebook["my_loss"]])
    model.save(tmp_path / "compiled.keras")
    assert not scan_model(tmp_path / "compiled.keras").refusals
    loaded, _ = load_network(tmp_path / "compiled.keras")
    assert not loaded.compiled
    with pytest.raises(TypeError, match="Could not locate"):  # with its settings, Keras asks for them
        keras.models.load_model(tmp_path / "compiled.keras")


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")
@pytest.mark.parametrize("inner", [False, True], ids=["whole", "inner"])
def test_a_program_in_compile_settings_is_refused_with_a_cure(inner, tmp_path):
    """A lambda for a loss, and whatever Keras would compile an inner network with: the refusal says how to save."""
    model = plain()
    model.compile(loss=(lambda truth, scores: keras.ops.mean(scores)))
    whole = keras.Sequential([keras.Input((12, 10, 1)), model]) if inner else model
    whole.save(tmp_path / "lambda.keras")
    words = f"{'an inner' if inner else 'the'} network was compiled with it: set its compiled = False"
    assert words in scan_model(tmp_path / "lambda.keras").sentence()
    model.compiled = False
    whole.save(tmp_path / "cured.keras")
    assert not scan_model(tmp_path / "cured.keras").refusals


def test_what_a_notebook_defined_is_taken_from_a_file_beside_the_project(notebook, tmp_path, monkeypatch):
    """A class and a registered function whose module the file does not know are allowed by a file that has them."""
    start = keras.layers.Input((4,))
    own = keras.Model(start, keras.layers.Dense(2, activation=notebook["bend"])(notebook["Twice"]()(start)))
    own.save(tmp_path / "own.keras")
    refused = scan_model(tmp_path / "own.keras").sentence()
    assert "write it into a Python file beside the project, for example own_layers.py" in refused
    for name in ("Twice", "bend"):
        assert f"custom_objects = ['own_layers>{name}']" in refused
    (tmp_path / "notebook_layers.py").write_text(NOTEBOOK)
    monkeypatch.syspath_prepend(tmp_path)
    allowed = ["notebook_layers>Twice", "notebook_layers>bend"]
    loaded, _ = load_network(tmp_path / "own.keras", custom_objects=allowed)
    picture = np.ones((1, 4), np.float32)
    assert np.allclose(loaded(picture), own(picture))
    with pytest.raises(ModelError, match="own_layers>bend"):
        load_network(tmp_path / "own.keras", custom_objects=allowed[:1])


def test_an_entry_of_the_settings_means_one_object():
    """Two classes of one name in two registered packages: an entry does not allow both."""
    two = [{**layer(None, "Twice"), "registered_name": name} for name in ("a>Twice", "b>Twice")]
    (refusal,) = scan_bytes(with_config(sequential(*two)), name="x", custom_objects=["own_layers>Twice"]).refusals
    assert refusal.rule == "registered"


def test_a_changed_package_is_measured_anew(tmp_path, monkeypatch):
    """The key of a measurement follows the source of the custom objects it used, which nobody imports for that."""
    from modelcheck.gate.cache import _package_digest

    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "layers.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = _package_digest("own_package.layers")
    assert before == _package_digest("own_package.layers")
    (package / "layers.py").write_text("x = 2\n")
    assert _package_digest("own_package.layers") != before


def test_settings_name_custom_objects_and_memory(tmp_path):
    """Both settings are read; misspelled ones are errors."""
    table = '[tool.modelcheck]\ncustom_objects = ["own.layers>Twice"]\nmemory = 4\n'
    (tmp_path / "pyproject.toml").write_text(table)
    assert read_settings(tmp_path).custom_objects == ("own.layers>Twice",)
    assert read_settings(tmp_path).memory == 4
    for wrong in (
        'custom_objects = ["own.layers.Twice"]',
        'custom_objects = "own>Twice"',
        "memory = 0",
        "memory = nan",
    ):
        (tmp_path / "pyproject.toml").write_text(f"[tool.modelcheck]\n{wrong}\n")
        with pytest.raises(SettingsError, match="must be"):
            read_settings(tmp_path)


def test_secrets_stay_behind():
    """The child's environment has what TensorFlow and Python need, and no token, proxy or configuration file."""
    given = {
        **dict.fromkeys(["PATH", "LANG", "LC_ALL", "PYTHONPATH", "OMP_NUM_THREADS"], "kept"),
        **dict.fromkeys(["TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES", "TMPDIR"], "kept"),
        **dict.fromkeys(
            ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "TF_VAR_password", "TF_TOKEN_app", "HTTPS_PROXY"], "x"
        ),
        **dict.fromkeys(["KERAS_HOME", "PYTHON_KEYRING_BACKEND", "SSH_AUTH_SOCK", "NETRC", "CI_JOB_TOKEN"], "x"),
    }
    kept = environment(given, home="/empty")
    assert "x" not in {value for name, value in kept.items() if name in given}
    assert [name for name, value in given.items() if value == "kept"] == [name for name in given if name in kept]
    assert kept["HOME"] == "/empty"
    assert kept["TF_NUM_INTRAOP_THREADS"] == "4", "the same on every machine"
    assert environment({"TF_NUM_INTRAOP_THREADS": "1"}, home="/empty")["TF_NUM_INTRAOP_THREADS"] == "1"
    assert environment({"KERAS_BACKEND": "torch"}, home="/empty")["KERAS_BACKEND"] == "tensorflow"


def test_the_gate_starts_no_child_for_a_refused_file(hostile, tmp_path):
    """Evidence of a refused file is an error with all reasons, before anything is measured."""
    _, files = hostile
    settings = Settings(cache=tmp_path / "cache")
    request = Request(network=files["lambda"][1], panel=tmp_path / "x.npz", like=tmp_path)
    with pytest.raises(RefusedError, match=r"(?s)is refused, and was not loaded:.*a Lambda layer holds Python code"):
        load_or_measure(request, digests={}, settings=settings)


@pytest.fixture(scope="module")
def greedy(tmp_path_factory):
    """Return a clean file of a few kilobytes that asks for eight gigabytes, and a panel."""
    folder = tmp_path_factory.mktemp("greedy")
    plain().save(folder / "small.keras")
    import zipfile

    with zipfile.ZipFile(folder / "small.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(members["config.json"])
    (dense,) = [item for item in document["config"]["layers"] if item["config"]["name"] == "dense1"]
    dense["config"]["units"] = 2**31 // 30
    (folder / "greedy.keras").write_bytes(packed({**members, "config.json": json.dumps(document).encode()}))
    make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6).save(folder / "panel.npz")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds to RLIMIT_DATA")
def test_too_much_memory_is_an_error_that_says_so(greedy, tmp_path):
    """A file that asks for far more than its limit ends in a sentence about memory, not in a dead machine."""
    assert not scan_model(greedy / "greedy.keras").refusals
    request = Request(network=greedy / "greedy.keras", panel=greedy / "panel.npz", recipe=FAST)
    with pytest.raises(ChildError, match=r"ran out of memory \(its limit is 3 GiB\)"):
        measure_in_child(request, tmp_path / "s", settings=Settings(memory=3))


SPY = """
import json, os, resource, sys
seen = {"home": os.listdir(os.environ["HOME"]), "token": "SECRET_TOKEN" in os.environ}
seen |= {"data": resource.getrlimit(resource.RLIMIT_DATA), "file": resource.getrlimit(resource.RLIMIT_FSIZE)}
sys.exit(json.dumps(seen))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limits")
def test_the_child_is_bounded(tmp_path, monkeypatch):
    """A child finds an empty home, no token, and limits on memory and file size that it cannot lift."""
    from modelcheck.gate import child

    monkeypatch.setenv("SECRET_TOKEN", "x")
    (tmp_path / "home").mkdir()
    command = child.limit_resources([sys.executable, "-c", SPY], memory=2)
    with pytest.raises(ChildError, match="exit code 1") as error:
        child._watch(command, tmp_path, home=tmp_path / "home", settings=Settings(), tell=None)
    seen = json.loads(str(error.value).splitlines()[-1])
    assert seen == {"home": [], "token": False, "data": [2**31, 2**31], "file": [2**32, 2**32]}


def test_the_command_says_what_it_saw():
    """A clean file: exit code 0, its sha256, layers and classes."""
    path = ROOT / "networks" / "half_filters.keras"
    done = CliRunner().invoke(main, ["scan", str(path)])
    assert done.exit_code == 0
    for word in (scan_model(path).sha256, "conv3", "keras.layers.Conv2D x 3", "CLEAN"):
        assert word in done.output


@pytest.mark.parametrize("name", ["litert", "onnx"])
def test_keras_is_given_keras_files_only(name, tmp_path):
    """A clean LiteRT or ONNX file is not handed to Keras, and the error says what to give."""
    data = tflite_files.build(tflite_files.network()) if name == "litert" else onnx_files.network()
    (tmp_path / "x.keras").write_bytes(data)
    with pytest.raises(ModelError, match=r"is a file of (LiteRT|ONNX).*model\.save\('network\.keras'\)"):
        load_network(tmp_path / "x.keras")
