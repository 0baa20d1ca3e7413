"""The package as others install it: built from what git tracks, whole, and working from another folder."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="python -m build is missing: pip install -e '.[test]'")
pytest.importorskip("twine", reason="twine is missing: pip install -e '.[test]'")
ROOT = Path(__file__).parents[1]


def run(*words, where, **environment):
    """Run Python with these words in a folder, with an environment that names no other copy of the package."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *words], cwd=where, env=bare | environment, capture_output=True, text=True, check=False
    )


def tracked():
    """Return the paths that git tracks; where there is no git, this is no checkout and the test cannot be made."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout, so that nobody knows what belongs to the package")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the wheel and the source archive, built from a copy of what git tracks."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked():
        if path.parts[0] in ("modelcheck", "pyproject.toml", "README.md", "LICENSE"):
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    done = run("-m", "build", "--no-isolation", "--outdir", str(source / "dist"), str(source), where=source)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(built):
    """The one wheel."""
    [path] = built.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_package(wheel):
    """Modules, templates, starters, schema and type marker: all that git tracks, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {path.as_posix() for path in tracked() if path.parts[0] == "modelcheck"}


def test_the_source_archive_builds_the_same(built, wheel):
    """Whatever the wheel holds of the package is in the source archive too."""
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} <= held


@pytest.mark.slow
def test_an_index_accepts_both(built):
    """Their descriptions are what an index renders, and nothing is warned of."""
    files = [str(path) for path in sorted(built.iterdir())]
    done = run("-m", "twine", "check", "--strict", *files, where=built)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_works_from_another_folder(wheel, tmp_path):
    """Unpacked elsewhere it is the package that is imported, and it looks at a file and writes its starters."""
    place, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    where = run("-P", "-c", "import modelcheck; print(modelcheck.__file__)", where=elsewhere, PYTHONPATH=str(place))
    assert Path(where.stdout.strip()).is_relative_to(place), where.stderr
    network = str(ROOT / "networks" / "half_filters.keras")
    scanned = run("-P", "-m", "modelcheck", "scan", network, where=elsewhere, PYTHONPATH=str(place))
    assert (scanned.returncode, "CLEAN" in scanned.stdout) == (0, True), scanned.stderr
    told = run("-P", "-m", "modelcheck", "help", "model_files", where=elsewhere, PYTHONPATH=str(place))
    assert told.stdout == (ROOT / "docs" / "model_files.md").read_text(encoding="utf-8"), told.stderr
    begun = run("-P", "-m", "modelcheck", "init", where=elsewhere, PYTHONPATH=str(place))
    assert begun.returncode == 0, begun.stderr
    assert (elsewhere / "suites" / "criteria.toml").is_file()


def test_the_wheel_stays_small(wheel):
    """Pages, templates and all: under a megabyte and a half."""
    assert wheel.stat().st_size < 1_500_000


def test_the_metadata_name_what_an_index_shows(wheel):
    """Versions of Python, the licence and a description are in the metadata."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    for words in ("Python :: 3.11", "Python :: 3.12", "Python :: 3.13", "License-Expression: Apache-2.0"):
        assert words in metadata
    assert "Description-Content-Type: text/markdown" in metadata
