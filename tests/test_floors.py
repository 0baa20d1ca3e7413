"""The house: imports point strictly down, and light rooms stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "modelcheck"

# Each room may import rooms of lower floors only; a folder is one room.
FLOORS = [
    {"support", "units"},
    {"metrics", "modelfile", "judgement", "recipe", "table_recipe", "panel", "interface"},
    {"signature", "runtimes"},
    {"network", "comparison"},
    {"happymaps", "attributions", "report", "answers"},
    {"measurement", "gate"},
    {"pruning", "planning", "approval", "plugin"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
KERAS_ROOMS = {"network", "happymaps", "attributions", "measurement", "pruning", "planning"}
WINGS = {"faces", "digits", "tables"}


def room_of(path):
    """Return the room a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path):
    """Yield the dotted names that a file imports, those for type checking apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    """A room imports only rooms of lower floors, and the core never imports a wing."""
    room = room_of(path)
    for name in imports_of(path):
        if not name.startswith("modelcheck."):
            continue
        other = name.split(".")[1]
        if room in (other, "__init__"):
            continue
        if room in WINGS:
            assert other in {*FLOOR, "faces"}, f"{path.name} imports {name}"
            continue
        assert other not in WINGS or path == PACKAGE / "cli" / "panel.py", f"{path.name} imports a wing"
        if other not in WINGS:
            assert FLOOR[other] < FLOOR[room], f"{path.name} imports {name}, which is not below it"


PICTURES_ALONE = {"shrink", "Match"}  # resizing, and the type of a matched pair


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "report").rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_the_report_computes_nothing(path):
    """A page reads values of the comparison; of the arithmetic it takes what drawing takes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("modelcheck.metrics"):
            assert {alias.name for alias in node.names} <= PICTURES_ALONE, f"{path.name} imports from {node.module}"
        assert not isinstance(node, ast.Import) or all("metrics" not in alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_keras_stays_in_its_rooms(path):
    """Only the rooms that look inside networks, and the wings' training and export, import TensorFlow or Keras."""
    heavy = [name for name in imports_of(path) if name.split(".")[0] in ("tensorflow", "keras")]
    allowed = room_of(path) in KERAS_ROOMS or (room_of(path) in WINGS and path.stem in ("train", "networks", "export"))
    assert allowed or not heavy


def test_every_room_has_a_floor():
    """A new room is put on a floor on purpose."""
    rooms = {room_of(path) for path in FILES} - {"__init__", *WINGS}
    assert rooms == set(FLOOR)


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "import modelcheck",
        "import modelcheck.plugin",
        "import modelcheck.gate.evidence",
        "import modelcheck.gate.promotion",
        "import modelcheck.comparison",
        "import modelcheck.report",
        "import modelcheck.faces",
        "import modelcheck.digits",
        "import modelcheck.tables",
        "import modelcheck.approval",
        "import modelcheck.__main__",
        "import modelcheck.cli.child",
        "import modelcheck.measurement",
        "import modelcheck; modelcheck.measure",
        "import modelcheck.gate.pair",
        "import modelcheck.modelfile",
        "import modelcheck.runtimes.opening",
    ],
)
def test_light_rooms_load_no_tensorflow(statement):
    """What a pytest process imports never loads TensorFlow or Keras."""
    check = f"{statement}; import sys; print(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_plugin_loads_no_numpy():
    """A pytest of another project, which has the plugin installed too, starts without numpy."""
    check = "import modelcheck.plugin, sys; print(sorted({'numpy', 'pandas', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_rule_can_fail(tmp_path):
    """The reader of imports sees an import that points up, so the rule above is no formality."""
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from modelcheck.plugin import y\n", encoding="utf-8")
    assert list(imports_of(file)) == ["modelcheck.plugin"]
