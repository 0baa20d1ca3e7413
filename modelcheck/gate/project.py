"""Whose settings judge a run: the project of the suites, found upwards from the test paths and from nothing else.

pytest looks for its root before plugins have named their options, and takes the value of
``--panel /elsewhere/panel.npz`` for the place of a test. Here the search is done again with the test
paths that were really given, and held against what pytest found.
"""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelcheck.gate.settings import has_settings
from modelcheck.support.files import read_file
from modelcheck.support.tables import toml_document

__all__ = ["Project", "find_project", "owner_of"]

_ALWAYS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
_DEFAULTS = ("suites/criteria.toml", "suites/waivers.toml")


@dataclass(frozen=True, kw_only=True)
class Project:
    """Whose settings judge a run.

    Parameters
    ----------
    root : Path
        The folder whose ``[tool.modelcheck]`` counts, and where relative paths in it start.
    top : Path
        The highest folder that was looked at.
    conflict : str
        Why nothing may be judged, as pytest found something else; empty where all agree.

    Examples
    --------
    >>> Project(root=Path("mine"), top=Path("mine")).conflict
    ''
    """

    root: Path
    top: Path
    conflict: str = ""


def find_project(config: pytest.Config) -> Project:
    """Return the project that the tests of a run belong to, and what stands against judging by it.

    Parameters
    ----------
    config : pytest.Config
        With its command line read.
    """
    here = config.invocation_params.dir
    tests = _test_folders(config)
    # Without test paths pytest starts in the working folder, whatever its settings then name.
    given = tests if config.args_source is pytest.Config.ArgsSource.ARGS else []
    start = _common(given) or here
    root, settings_of_pytest = _pytest_root(here, given)
    named = bool(config.option.rootdir or config.option.inifilename)
    pytests = Path(config.rootpath)
    top = pytests if named and _lies_in(start, pytests) else root
    places = [(folder, owner_of(folder, top=top) or top) for folder in tests or [here]]
    suites = {owner: folder for folder, owner in places if _lies_in(folder, owner / "suites")}
    if len(suites) > 1:
        (one, first), (other, second), *_ = suites.items()
        conflict = (
            f"The suites in {str(first)!r} belong to {str(one)!r}, and those in {str(second)!r} to {str(other)!r}: one "
            f"run is judged by one project's limits. Run each by itself: pytest {shlex.quote(str(first))}"
        )
        return Project(root=one, top=top, conflict=conflict)
    owners = list(dict.fromkeys(owner for _, owner in places))
    own = next(iter(suites), owners[0] if len(owners) == 1 else top)
    found = config.inipath.parent if config.inipath is not None and _configures(config.inipath.parent) else None
    if not _same(pytests, own) and (has_settings(pytests) or any((pytests / name).exists() for name in _DEFAULTS)):
        conflict = _root_conflict(own, pytests)
    elif not config.option.inifilename and not _same(found, settings_of_pytest):
        conflict = _settings_conflict(own, config.inipath, settings_of_pytest)
    elif not named and _conftests(start, cut=pytests) != _conftests(start, cut=root):
        conflict = _root_conflict(own, pytests)
    else:
        conflict = ""
    return Project(root=own, top=top, conflict=conflict)


def owner_of(folder: Path, *, top: Path) -> Path | None:
    """Return the nearest folder with a ``[tool.modelcheck]``, from one upwards and no further than another.

    Parameters
    ----------
    folder : Path
        Where the search starts.
    top : Path
        Where it ends; a folder outside of it is searched up to the end of the path.

    Examples
    --------
    >>> owner_of(Path("suites").absolute(), top=Path.cwd()) == Path.cwd()
    True
    """
    return _nearest(folder, has_settings, top=top)


def _root_conflict(own: Path, pytests: Path) -> str:
    return (
        f"The suites belong to {str(own)!r}, but pytest's root is {str(pytests)!r}, which has settings, criteria, "
        "waivers or conftest files of its own: nothing is judged by another project's limits. pytest takes a path that "
        "follows an option for a place of tests. Join the two (--panel=PATH), or name the root: pytest "
        f"--rootdir={shlex.quote(str(own))}"
    )


def _settings_conflict(own: Path, found: Path | None, wanted: Path | None) -> str:
    expected = f"those above the suites are in {str(wanted)!r}" if wanted else "there are none above the suites"
    return (
        f"The suites belong to {str(own)!r}, but pytest took its settings from {str(found)!r}, and {expected}: no "
        "option's value decides by which settings a run is judged. pytest takes a path that follows an option for a "
        "place of tests. Join the two (--panel=PATH), or name the file of settings: pytest -c FILE "
        f"--rootdir={shlex.quote(str(own))}"
    )


def _test_folders(config: pytest.Config) -> list[Path]:
    """Return the folders of the test paths, as they are written: pytest does not follow links either."""
    here = config.invocation_params.dir
    paths = [Path(os.path.abspath(here / str(arg).split("::")[0])) for arg in config.args]  # noqa: PTH100 - resolve() follows links
    return list(dict.fromkeys(path if path.is_dir() else path.parent for path in paths if path.exists()))


def _pytest_root(here: Path, tests: Sequence[Path]) -> tuple[Path, Path | None]:
    """Return the root that pytest takes when test paths are all that is given, and the folder of its settings."""
    start = _common(tests) or here
    for places in ([start], tests):
        configured = next(filter(None, (_nearest(place, _configures) for place in places)), None)
        if configured is not None:
            return configured, configured
        described = next(filter(None, (_nearest(place, _is_described) for place in places)), None)
        if described is not None:
            return described, None
        built = _nearest(start, lambda folder: (folder / "setup.py").is_file())
        if built is not None:
            return built, None
    shared = _common([here, start]) or start
    return (start if shared == Path(shared.anchor) else shared), None


def _nearest(folder: Path, fits: Callable[[Path], bool], *, top: Path | None = None) -> Path | None:
    for place in (folder, *folder.parents):
        if fits(place):
            return place
        if place == top:
            return None
    return None


def _is_described(folder: Path) -> bool:
    return (folder / "pyproject.toml").is_file()


def _configures(folder: Path) -> bool:
    """Say whether a folder holds settings of pytest; a file that cannot be read is for pytest itself to tell."""
    if any((folder / name).is_file() for name in _ALWAYS):
        return True
    try:
        if (folder / "pyproject.toml").is_file():
            tool = toml_document(read_file(folder / "pyproject.toml")).get("tool", {})
            # An empty table of options counts, an empty [tool.pytest] does not.
            if isinstance(tool, dict) and tool.get("pytest"):
                return True
    except (OSError, ValueError):
        return False
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        if (folder / name).is_file():
            parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
            try:
                parser.read(folder / name, encoding="utf-8")
            except (configparser.Error, ValueError, OSError):
                return False
            if parser.has_section(section):
                return True
    return False


def _conftests(start: Path, *, cut: Path) -> list[Path]:
    """Return the folders above the tests whose conftest pytest loads, if it looks no higher than a root."""
    return [
        place for place in (start, *start.parents) if place not in cut.parents and (place / "conftest.py").is_file()
    ]


def _common(folders: Iterable[Path]) -> Path | None:
    names = [str(folder) for folder in folders]
    try:
        return Path(os.path.commonpath(names)) if names else None
    except ValueError:  # two drives
        return None


def _lies_in(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder) or _real(path).is_relative_to(_real(folder))


def _same(one: Path | None, other: Path | None) -> bool:
    return one == other or (one is not None and other is not None and _real(one) == _real(other))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # resolve() raises where links lead in a circle
