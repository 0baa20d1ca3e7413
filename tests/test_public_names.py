"""The public names: the same by every way of importing them, light to import, and typed."""

import ast
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import modelcheck
import public_names
from public_names import NAMES, PRELUDES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "modelcheck"


def python(*arguments, **environment):
    """Return what a fresh Python process prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def submodules(names, folder):
    """Return which public names are also the name of a module or package of the folder."""
    return {found.name for found in pkgutil.iter_modules([str(folder)])} & set(names)


@pytest.fixture(scope="module")
def ways():
    """What is wrong with a name, by every way of importing it."""
    return json.loads(python(public_names.__file__).splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("prelude", PRELUDES)
@pytest.mark.parametrize("name", NAMES)
def test_every_way_of_importing_gives_the_same(ways, name, prelude):
    """A public name is the function or class of its room by every way, whatever was imported before."""
    assert ways[f"{name} after {prelude}"] == []


def test_every_public_name_is_looked_at():
    """The table of the test above holds exactly the names of the package, and those that the stub lists."""
    assert sorted(NAMES) == sorted(modelcheck.__all__)
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    listed = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert ast.literal_eval(listed[0]) == modelcheck.__all__


def test_no_public_name_is_a_submodule():
    """Importing a submodule puts it into the package under its name: none may be the name of something else."""
    assert submodules(modelcheck.__all__, PACKAGE) == set()


def test_a_submodule_of_a_public_name_is_found(tmp_path):
    """The rule above can fail: a module and a package named like public names are both seen."""
    (tmp_path / "measure").mkdir()
    for file in ("measure/__init__.py", "compare.py", "panel.py"):
        (tmp_path / file).touch()
    assert submodules(modelcheck.__all__, tmp_path) == {"measure", "compare"}


def test_an_unknown_name_is_an_error():
    """What the package does not have is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="No modelcheck attribute nothing"):
        _ = modelcheck.nothing


def test_the_version_is_that_of_the_project():
    """`modelcheck.__version__` is the installed version, and that of pyproject.toml; it is looked up when asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert modelcheck.__version__ == project["version"]
    assert python("-c", "import modelcheck, sys; print('importlib.metadata' in sys.modules)") == "False"


@pytest.mark.parametrize("module", ["pytest", "tensorflow", "keras", "numpy"])
def test_importing_the_package_is_cheap(module):
    """Importing the package loads nothing heavy."""
    assert python("-c", f"import modelcheck, sys; print({module!r} in sys.modules)") == "False"


@pytest.mark.slow
def test_eager_import_loads_every_name():
    """With EAGER_IMPORT=1, which is for debugging, each public name is there at once."""
    code = "import modelcheck; print(set(modelcheck.__all__) <= set(vars(modelcheck)))"
    assert python("-c", code, EAGER_IMPORT="1").splitlines()[-1] == "True"
    assert python("-c", code, EAGER_IMPORT="") == "False"


@pytest.mark.slow
def test_type_checkers_see_the_public_names():
    """A user's mypy knows each public name as what it is, and that other names do not exist."""
    asked = "\n".join(f"reveal_type(modelcheck.{name})" for name in [*NAMES, "__version__", "nothing"])
    # The package's own modules are checked elsewhere, with its configuration.
    options = [
        "--follow-imports=silent",
        "--config-file",
        os.devnull,
        "--cache-dir",
        str(ROOT / ".mypy_cache" / "user"),
    ]
    command = [sys.executable, "-m", "mypy", *options, "-c", f"import modelcheck\n{asked}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    for name, kind in zip(NAMES, revealed[: len(NAMES)], strict=True):
        assert kind.startswith(("def (", "Overload(def (") if name in public_names.FUNCTIONS else ("def (", "def [")), (
            name,
            kind,
        )
        gives = kind.partition(" -> ")[2]
        assert gives != "Any", (name, kind)
        assert (gives == "") == (name in public_names.GIVE_NOTHING), (name, kind)
    assert revealed[len(NAMES) :] == ["str", "Any"]
    assert done.stdout.count('Module has no attribute "nothing"') == done.stdout.count("error:") == 1


def test_every_file_of_the_package_is_shipped():
    """Whatever is no Python module is among the package data, the stub first of all: without it nothing imports."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    others = {path.relative_to(PACKAGE).as_posix() for path in files if path.suffix != ".py"}
    shipped = {
        path.relative_to(PACKAGE).as_posix()
        for row in patterns["package-data"]["modelcheck"]
        for path in PACKAGE.glob(row)
    }
    assert "__init__.pyi" in others
    assert others <= shipped
