"""The cache's key covers all that decides a measurement, and a request reaches the child as it was asked."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.__main__ import main
from modelcheck.gate import cache
from modelcheck.gate.cache import cache_key, measuring_files
from modelcheck.gate.child import ChildError, measure_in_child
from modelcheck.gate.request import Request, RequestError
from modelcheck.gate.settings import SettingsError, read_settings, split_names
from modelcheck.interface import Interface
from modelcheck.recipe import Recipe
from networks import plain
from signatures import make_panel
from test_floors import PACKAGE, imports_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saves so
FAST = Recipe(
    steps=2,
    units_per_layer=2,
    probe_pictures=6,
    smoothgrad_samples=2,
    untrained_twins=0,
    sticker_faces=0,
)
ASKED = Request(network=Path("a.keras"), panel=Path("panel.npz"), like=Path("baseline"))
NAMES = st.lists(st.text(min_size=1), max_size=4, unique=True).map(tuple)


def files_of(name):
    """Return the files that importing a dotted name of ours runs: the module, and the packages above it."""
    parts = name.split(".")[1:]
    for depth in range(len(parts) + 1):
        place = PACKAGE.joinpath(*parts[:depth])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.exists())


def import_closure(start):
    """Return every file of ours that is reached from a file by its imports, in functions too."""
    reached, open_files = set(), [start]
    while open_files:
        file = open_files.pop()
        if file in reached:
            continue
        reached.add(file)
        for name in imports_of(file):
            if name.split(".")[0] == "modelcheck":
                open_files += [found for found in files_of(name) if found != PACKAGE / "__init__.py"]
    return reached


@pytest.mark.slow
def test_the_key_covers_all_that_measuring_imports(monkeypatch):
    """Every source file that the measuring process reaches decides the key; taken out of it, a room is missed."""
    needed = import_closure(PACKAGE / "cli" / "child.py")
    assert len(needed) > 50
    assert import_closure(PACKAGE / "measurement" / "__init__.py") < needed
    assert needed <= set(measuring_files())
    for room in cache.MEASURING:
        monkeypatch.setattr(cache, "MEASURING", tuple(name for name in cache.MEASURING if name != room))
        assert not needed <= set(measuring_files()), room
        monkeypatch.undo()


def test_a_changed_or_added_source_file_changes_the_key(monkeypatch, tmp_path):
    """The key follows the bytes of every file of a measuring room, and a new file counts too."""
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    monkeypatch.setattr(cache, "MEASURING", ("measurement",))
    (tmp_path / "measurement").mkdir()
    seen = set()
    for name, text in (("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "")):
        (tmp_path / "measurement" / name).write_text(text)
        seen.add(cache_key(ASKED, digests={}, custom=set()))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"interface": Interface(outputs=("left", "up"))}, {"interface": Interface(outputs=("left, up",))}),
        ({"interface": Interface(outputs=("left|up",))}, {"interface": Interface(outputs=("left", "up"))}),
        ({"interface": Interface()}, {"interface": Interface(threshold=0.0)}),
        ({"interface": Interface(label="a")}, {"interface": Interface(output="a")}),
        ({"layers": {"a": "b=c"}}, {"layers": {"a=b": "c"}}),
        ({"twins": False}, {"twins": True}),
    ],
)
def test_different_requests_have_different_keys(one, other):
    """Names that hold separators are not taken for others."""
    keys = [cache_key(replace(ASKED, **change), digests={}, custom=set()) for change in (one, other)]
    assert keys[0] != keys[1]
    assert cache_key(ASKED, digests={"panel": "x"}, custom=set()) != cache_key(ASKED, digests={}, custom=set())


def test_the_order_of_sums_counts(monkeypatch):
    """Numbers of threads and kernels change the last digits, and so they are other measurements."""
    keys = {cache_key(ASKED, digests={}, custom=set())}
    for name, value in (("TF_NUM_INTRAOP_THREADS", "17"), ("TF_ENABLE_ONEDNN_OPTS", "0")):
        monkeypatch.setenv(name, value)
        keys.add(cache_key(ASKED, digests={}, custom=set()))
    assert len(keys) == 3


def test_a_class_beside_the_project_counts(tmp_path, monkeypatch):
    """The working folder, where the child looks last, is looked at as well, and no more of it than the child sees."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part])

    def key(name="own_layers"):
        return cache_key(ASKED, digests={}, custom={f"{name}>Mine"})

    found = []
    for text in ("a = 1", "a = 2"):
        (tmp_path / "own_layers.py").write_text(text)
        found.append(key())
    assert len({*found, key("not_there")}) == 3

    class InPlace:
        @staticmethod
        def find_spec(name, path, target=None):
            return spec_from_file_location(name, tmp_path / "own_layers.py") if name == "in_place" else None

    before = key("in_place")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, InPlace])
    assert key("in_place") != before
    before = key("click")
    (tmp_path / "click.py").write_text("")
    assert key("click") == before


@given(outputs=NAMES, layers=st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=3), twins=st.booleans())
def test_a_request_survives_its_json(outputs, layers, twins):
    """Whatever the names hold, the child is asked for what the parent asked."""
    said = Interface(outputs=outputs, label="1", threshold=0.25, inputs={"age": 1})
    asked = replace(ASKED, interface=said, layers=layers, twins=twins, baseline_model=Path("b.keras"))
    assert Request.from_json(asked.to_json()) == asked
    own = Request(network=Path("a"), panel=Path("b"), recipe=Recipe(steps=3), interface=said)
    assert Request.from_json(own.to_json()) == own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not list"),
        ('{"network": 1, "panel": "p"}', "network must be a path"),
        ('{"network": "n", "panel": "p", "layesr": {}}', "Did you mean 'layers'"),
        ('{"network": "n", "panel": "p", "interface": {"outputs": "left,up"}}', "outputs must be a list"),
        ('{"network": "n", "panel": "p", "layers": {"a": 1}}', "layers must be an object"),
        ('{"network": "n", "panel": "p", "twins": 1}', "twins must be true or false"),
        ('{"network": "n", "panel": "p", "layers": {"a": "b"}}', "give like"),
        ('{"network": "n", "panel": "p", "recipe": {"stpes": 1}}', "steps"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_bad_request_is_refused_by_name(text, words):
    """What is not a request is an error that names the part."""
    with pytest.raises(ValueError, match=words):
        Request.from_json(text)
    assert issubclass(RequestError, ValueError)


@given(st.lists(st.text(alphabet='abc,=" \n', min_size=1), min_size=1, max_size=4))
def test_typed_names_are_read_as_csv_writes_them(names):
    """A list of names that csv writes is read back, whatever the names hold."""
    text = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert split_names(text) == names


def test_a_broken_quote_is_an_error():
    """A quote that is not closed is named, with how to write it."""
    with pytest.raises(SettingsError, match="is not a list of names"):
        split_names('left,"left, up')


def test_a_class_with_a_comma_is_one_class(tmp_path):
    """A class called ``left, up`` can be an output, from the file and from the command line."""
    (tmp_path / "pyproject.toml").write_text('[tool.modelcheck]\noutputs = ["left", "left, up"]\n')
    assert read_settings(tmp_path).interface.outputs == ("left", "left, up")
    assert read_settings(tmp_path, {"outputs": 'left,"left, up"'}).interface.outputs == ("left", "left, up")


@pytest.fixture(scope="module")
def commas(tmp_path_factory):
    """Return a folder with a network of three outputs and a panel whose class names hold commas."""
    folder = tmp_path_factory.mktemp("commas")
    plain(classes=3).save(folder / "three.keras")
    panel = make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)
    replace(panel, class_names=("left, up", "right=1")).save(folder / "panel.npz")
    return folder


@pytest.mark.slow
def test_names_with_separators_reach_the_child(commas, tmp_path):
    """The child joins outputs by classes whose names hold commas, and so does the child of the command."""
    names = ("left, up", "right=1", "left, up")
    asked = Request(
        network=commas / "three.keras",
        panel=commas / "panel.npz",
        recipe=FAST,
        interface=Interface(outputs=names),
        twins=False,
    )
    signature = measure_in_child(asked, tmp_path / "child")
    assert signature.class_names == ("left, up", "right=1")
    (tmp_path / "recipe.json").write_text(json.dumps(FAST.to_dict()))
    options = ["--to", tmp_path / "own", "--recipe", tmp_path / "recipe.json", "--no-twins"]
    typed = '"left, up",right=1,"left, up"'
    command = ["measure", commas / "three.keras", "--panel", commas / "panel.npz", "--outputs", typed, *options]
    done = CliRunner().invoke(main, [str(word) for word in command])
    assert done.exit_code == 0, done.output


def test_the_working_folder_is_not_imported(tmp_path, monkeypatch):
    """Files in the working folder that are named like libraries are run neither before nor under the limits."""
    text = "from pathlib import Path\nPath('was-here').touch()\nraise SystemExit(9)\n"
    for name in ("resource", "click", "json", "rich", "numpy"):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(ChildError, match="exit code 4"):
        measure_in_child(Request(network=Path("a.keras"), panel=Path("p.npz")), tmp_path / "s")
    assert not (tmp_path / "was-here").exists()
    subprocess.run([sys.executable, "-m", "click"], check=False)
    assert (tmp_path / "was-here").exists(), "without the switch such a file is run"
